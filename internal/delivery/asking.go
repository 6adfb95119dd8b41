package delivery

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/parley-im/parley/internal/im"
)

// maxWaiting is the most messages of one conversation that wait for a handler's
// answer.
const maxWaiting = 1000

// Hooks ask the business server before a delivery; webhook implements them.
type Hooks interface {
	Wants(kind im.QuestionKind) bool
	Ask(ctx context.Context, q im.Question) error
}

// Asking delivers after the business server was asked (webhooks 6.2). While
// nobody is to be asked it hands messages on as they come and keeps nothing.
//
// A conversation whose messages wait for answers has a queue of its own, so that
// its order is kept and nobody else waits. A refused message is stored all the
// same; it only is not shown live.
type Asking struct {
	next  *Service
	hooks Hooks
	log   *slog.Logger
	ctx   context.Context // of the server: ends with it

	mu     sync.Mutex
	queues map[im.ConversationID][]waiting
	// undecided are the messages that wait, and refused those that must not be
	// pushed to phones either, until that has been decided.
	undecided map[string]struct{}
	refused   map[string]struct{}
	order     []string // of refused, the oldest first

	skipped atomic.Int64
}

type waiting struct {
	m           *im.Message
	recipients  im.Audience
	operationID string
}

// NewAsking returns an Asking in front of next. ctx ends what waits.
func NewAsking(ctx context.Context, next *Service, h Hooks, log *slog.Logger) *Asking {
	return &Asking{
		next: next, hooks: h, log: log, ctx: ctx,
		queues: map[im.ConversationID][]waiting{}, undecided: map[string]struct{}{}, refused: map[string]struct{}{},
	}
}

// Deliver implements message.Deliverer.
func (a *Asking) Deliver(m *im.Message, recipients im.Audience, operationID string) {
	kind := (&im.MayDeliver{Message: m}).QuestionKind()
	c := m.LogID()
	if !a.hooks.Wants(kind) && !a.waits(c) {
		a.next.Deliver(m, recipients, operationID)
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	queue, running := a.queues[c]
	if len(queue) >= maxWaiting {
		a.skipped.Add(1)
		a.log.Warn("message not shown live: too many of its conversation wait for a callback; clients fetch it", "conversation", c, "message", m.ClientMsgID)
		return
	}
	a.queues[c] = append(queue, waiting{m, recipients, operationID})
	a.undecided[m.ClientMsgID] = struct{}{}
	if !running {
		go a.work(c)
	}
}

// Waiting is how many messages wait for an answer.
func (a *Asking) Waiting() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := 0
	for _, queue := range a.queues {
		n += len(queue)
	}
	return n
}

// Skipped is how many messages were not shown live because a queue was full.
func (a *Asking) Skipped() int64 { return a.skipped.Load() }

// waits reports whether messages of a conversation are in its queue, which later
// ones must not overtake.
func (a *Asking) waits(c im.ConversationID) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	_, running := a.queues[c]
	return running
}

// work delivers a conversation's messages one after the other until none is left.
func (a *Asking) work(c im.ConversationID) {
	for {
		a.mu.Lock()
		if len(a.queues[c]) == 0 {
			delete(a.queues, c)
			a.mu.Unlock()
			return
		}
		w := a.queues[c][0]
		a.mu.Unlock()

		recipients, err := a.ask(w)
		if err == nil {
			a.next.Deliver(w.m, recipients, w.operationID)
		}
		a.mu.Lock()
		a.queues[c] = a.queues[c][1:]
		delete(a.undecided, w.m.ClientMsgID)
		if err != nil && w.m.Options.On(im.OptionOfflinePush) {
			a.remember(w.m.ClientMsgID)
		}
		a.mu.Unlock()
	}
}

// maxRefused bounds what is remembered of refusals whose push nobody asks for.
const maxRefused = 10_000

func (a *Asking) remember(clientMsgID string) {
	if len(a.order) >= maxRefused {
		delete(a.refused, a.order[0])
		a.order = a.order[1:]
	}
	a.refused[clientMsgID] = struct{}{}
	a.order = append(a.order, clientMsgID)
}

// ask returns who is left to deliver to.
func (a *Asking) ask(w waiting) (im.Audience, error) {
	q := &im.MayDeliver{Message: w.m}
	if w.m.SessionType != im.GroupChat {
		for _, id := range []string{w.m.RecvID, w.m.SendID} {
			if w.recipients.Has(id) && !slices.Contains(q.UserIDs, id) {
				q.UserIDs = append(q.UserIDs, id)
			}
		}
	}
	if err := a.hooks.Ask(im.WithOperation(a.ctx, w.operationID), q); err != nil {
		a.log.InfoContext(a.ctx, "delivery refused by the business server", "message", w.m.ClientMsgID, "reason", err)
		return im.Audience{}, err
	}
	if len(q.UserIDs) == 0 {
		return w.recipients, nil
	}
	// A handler can leave people out, not let others in.
	named := slices.DeleteFunc(slices.Clone(q.UserIDs), func(id string) bool { return !w.recipients.Has(id) })
	return im.AudienceOf(named...), nil
}

// Decided reports whether a message was delivered or refused already, and whether
// it may be pushed to phones.
func (a *Asking) Decided(clientMsgID string) (decided, may bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, waits := a.undecided[clientMsgID]; waits {
		return false, false
	}
	if _, no := a.refused[clientMsgID]; no {
		return true, false
	}
	return true, true
}
