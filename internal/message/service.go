package message

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/spread"
	"github.com/parley-im/parley/internal/store"
)

// Hooks ask the business server about a message before it is sent. webhook
// implements them. A refusal is an *im.Error. asked tells that a handler was
// waited for, so that the state the rules saw may be old.
type Hooks interface {
	im.Hooks // AskOpenChat
	// Asks reports whether a handler would be asked about m. It is quick.
	Asks(m *im.Message) bool
	// WithDeadline bounds all calls of one client operation together.
	WithDeadline(ctx context.Context) context.Context
	// BeforeSend may refuse the message.
	BeforeSend(ctx context.Context, m *im.Message) (asked bool, err error)
	// Modify may change m and names the fields it changed, as the wire spells
	// them.
	Modify(ctx context.Context, m *im.Message) (asked bool, changed []string, err error)
}

// Deliverer brings accepted messages to connected devices. Deliver is called in
// commit order and must not block.
type Deliverer interface {
	Deliver(m *im.Message, recipients im.Audience, operationID string)
}

// Renderer gives notices their content type and JSON detail; wire implements it.
type Renderer interface {
	RenderNotice(n im.Notice) (im.ContentType, []byte)
}

// Options configures a Service.
type Options struct {
	// FriendVerify lets only friends of the receiver write to him.
	FriendVerify bool
	// IsAdmin tells system administrators, who are exempt from the rules.
	IsAdmin func(userID string) bool
	// Style is how a kind of notification is shown; nil shows none in the chat.
	Style func(im.ContentType) NoticeStyle
	// SendLimit bounds how fast a user sends; administrators are exempt.
	SendLimit SendLimit
	// ReadReceipt reads what a stored receipt says; nil leaves pulled ones as they are.
	ReadReceipt func(content []byte) (im.ConversationID, im.Seq)
	// Counted is told how every send of a client or REST caller ended: err is nil
	// for those that were accepted, and for repeats of them. It must be quick.
	Counted func(kind im.SessionType, err error)
	Logger  *slog.Logger
}

// Service sends and reads messages. It is safe for concurrent use.
type Service struct {
	store    *store.Store
	hooks    Hooks
	deliver  Deliverer
	renderer Renderer
	options  Options
	limiter  *limiter // nil for no limit
	spreads  *spread.Spreader

	sending  atomic.Int64
	mu       sync.Mutex
	inFlight map[sendKey]chan struct{}
}

// New returns a Service on a store.
func New(s *store.Store, h Hooks, d Deliverer, r Renderer, o Options) *Service {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Counted == nil {
		o.Counted = func(im.SessionType, error) {}
	}
	out := &Service{
		store: s, hooks: h, deliver: d, renderer: r, options: o, limiter: newLimiter(o.SendLimit),
		spreads: spread.New(s, o.Logger), inFlight: make(map[sendKey]chan struct{}),
	}
	out.spreads.Handle(store.SpreadMarks, out.mark)
	out.spreads.Handle(store.SpreadClosedChats, out.reopen)
	return out
}

// Spreads is where changes that concern many are carried to their end.
func (s *Service) Spreads() *spread.Spreader { return s.spreads }

// Sending is how many sends are under way.
func (s *Service) Sending() int64 { return s.sending.Load() }

// sendKey is what makes two sends the same.
type sendKey struct {
	sender       string
	conversation im.ConversationID
	clientID     string
}

// enter lets one attempt of a send through at a time; later ones wait for it
// and then find its result in the store.
func (s *Service) enter(ctx context.Context, m *im.Message) (leave func(), err error) {
	key := sendKey{m.SendID, m.ConversationID, m.ClientMsgID}
	for {
		s.mu.Lock()
		other, busy := s.inFlight[key]
		if !busy {
			mine := make(chan struct{})
			s.inFlight[key] = mine
			s.mu.Unlock()
			return func() {
				s.mu.Lock()
				delete(s.inFlight, key)
				s.mu.Unlock()
				close(mine)
			}, nil
		}
		s.mu.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
