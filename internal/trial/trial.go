// Package trial lets somebody see callbacks at work without writing a client or a
// handler: two phones, which are real clients of this server, talk to each other,
// a sample handler is asked about what they send, and all of it is noted in the
// order it happened.
//
// What promises that this may be done in a server with real users: the phones
// belong to two made-up users that the webhook engine sets apart (webhook.Trial),
// there is one trial at a time, what it may send is bounded, and it ends by itself.
package trial

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"golang.org/x/time/rate"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/phone"
	"github.com/parley-im/parley/internal/webhook"
)

const (
	idle       = 10 * time.Minute // ends a trial that nobody does anything in
	longest    = time.Hour
	mostSends  = 200
	perSecond  = 5
	MaxText    = 500 // letters of one message
	maxWord    = 50
	notesKept  = 300
	shownBytes = 8 << 10 // of a body or an answer
)

// Users are who the phones belong to. They are ordinary users, made when the
// first trial begins.
var Users = [2]im.User{
	{UserID: "try_parley_ann", Nickname: "Ann (try it)"},
	{UserID: "try_parley_ben", Nickname: "Ben (try it)"},
}

// IsUser reports whether a user is one of them.
func IsUser(userID string) bool { return userID == Users[0].UserID || userID == Users[1].UserID }

var platforms = [2]im.Platform{im.PlatformIOS, im.PlatformAndroid}

// Endpoint is the name of the sample handler's endpoint, and the host of its
// address.
const Endpoint = "parley-try"

// Handler says who is asked and told about what the phones do.
type Handler string

// Handlers.
const (
	Sample     Handler = "sample"
	Configured Handler = "configured" // those of webhooks.yml, as for everybody
	Nobody     Handler = "nobody"
)

// Why a trial ended.
type Why string

// Reasons.
const (
	Ended   Why = "ended" // by somebody
	Unused  Why = "unused"
	TimeUp  Why = "time-up"
	Stopped Why = "stopped" // with the server
	Failure Why = "failure" // it could not begin
)

// Settings are what can be changed during a trial.
type Settings struct {
	Handler        Handler
	Mode           Mode
	Word           string // that Refuse refuses
	FailedContinue bool   // of the sample handler's before-callback
}

func (s Settings) check() error {
	switch s.Handler {
	case Sample, Configured, Nobody:
	default:
		return im.ErrArgs.With("handler %q is none of sample, configured, nobody", s.Handler)
	}
	if !s.Mode.valid() {
		return im.ErrArgs.With("the sample handler cannot %q", s.Mode)
	}
	if s.Mode == Refuse && strings.TrimSpace(s.Word) == "" || utf8.RuneCountInString(s.Word) > maxWord {
		return im.ErrArgs.With("a word of 1 to %d letters is needed", maxWord)
	}
	return nil
}

// Options of a Service.
type Options struct {
	// Prepare makes the users and lets them write to each other.
	Prepare func(ctx context.Context, users []im.User) error
	Token   func(ctx context.Context, userID string, p im.Platform) (string, error)
	Logout  func(ctx context.Context, userID string, p im.Platform) error
	// Address is the long connection's: ws://host:port, or wss://.
	Address func() string
	TLS     *tls.Config // for wss://
	// Changed is called when Webhook says something else.
	Changed func(ctx context.Context) error
	// Left is called when Endpoint is gone and events may wait for it.
	Left   func()
	Logger *slog.Logger
	Now    func() time.Time
}

// Service holds the trial there may be. It is safe for concurrent use.
type Service struct {
	o Options

	changing sync.Mutex // one beginning, end or change of settings at a time

	mu      sync.Mutex
	current *session // nil for none
	begun   int      // trials so far
	notes   []Note   // of the last trial
	next    int      // number of the next note
	moved   chan struct{}
}

// session is one trial. Its fields are guarded by Service.mu.
type session struct {
	by       string
	settings Settings
	phones   [2]*phone.Phone
	began    time.Time
	touched  time.Time
	sends    int
	limit    *rate.Limiter
	ending   bool
}

// ErrNone is returned while no trial runs.
var ErrNone = im.ErrNotFound.With("no trial runs")

// New returns a service without a trial.
func New(o Options) *Service {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Service{o: o, next: 1, moved: make(chan struct{})}
}

// Webhook is how the webhook engine sets the users apart now.
func (s *Service) Webhook() *webhook.Trial {
	t := &webhook.Trial{Users: [2]string{Users[0].UserID, Users[1].UserID}, Saw: s.saw}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current == nil {
		return t
	}
	switch set := s.current.settings; set.Handler {
	case Configured:
		t.Real = true
	case Sample:
		t.Endpoint, t.URL = Endpoint, webhook.ListenScheme+"://"+Endpoint
		on := webhook.Callback{Enable: true, Timeout: patience, FailedContinue: set.FailedContinue}
		t.Callbacks = map[string]webhook.Callback{
			"beforeSendSingleMsg": on, "afterSendSingleMsg": on, "afterUserOnline": on, "afterUserOffline": on,
		}
	default: // nobody
	}
	return t
}

// Begin logs the phones in, for an administrator.
func (s *Service) Begin(ctx context.Context, by string, set Settings) error {
	if err := set.check(); err != nil {
		return err
	}
	s.changing.Lock()
	defer s.changing.Unlock()
	now := s.o.Now()
	c := &session{by: by, settings: set, began: now, touched: now, limit: rate.NewLimiter(perSecond, perSecond)}
	s.mu.Lock()
	if s.current != nil {
		s.mu.Unlock()
		return im.ErrArgs.With("a trial of %s runs already", s.current.by)
	}
	s.current, s.notes = c, nil
	s.begun++
	s.wake()
	s.mu.Unlock()
	if err := s.begin(ctx, c); err != nil {
		s.end(context.WithoutCancel(ctx), c, Failure, "")
		return err
	}
	s.o.Logger.InfoContext(ctx, "trial began", slog.String("by", by), slog.String("handler", string(set.Handler)))
	return nil
}

func (s *Service) begin(ctx context.Context, c *session) error {
	if err := s.o.Prepare(ctx, Users[:]); err != nil {
		return fmt.Errorf("prepare users: %w", err)
	}
	if err := s.o.Changed(ctx); err != nil {
		return fmt.Errorf("set the users apart: %w", err)
	}
	for i, u := range Users {
		token, err := s.o.Token(ctx, u.UserID, platforms[i])
		if err != nil {
			return fmt.Errorf("log %s in: %w", u.UserID, err)
		}
		p, err := phone.Dial(ctx, phone.Login{Address: s.o.Address(), UserID: u.UserID, Token: token, Platform: int(platforms[i]), TLS: s.o.TLS}, &owner{s, c, i})
		if err != nil {
			return err
		}
		s.mu.Lock()
		c.phones[i] = p
		s.mu.Unlock()
	}
	return nil
}

// Set changes the settings of the trial.
func (s *Service) Set(ctx context.Context, set Settings) error {
	if err := set.check(); err != nil {
		return err
	}
	s.changing.Lock()
	defer s.changing.Unlock()
	s.mu.Lock()
	c := s.current
	if c == nil {
		s.mu.Unlock()
		return ErrNone
	}
	before := c.settings
	c.settings, c.touched = set, s.o.Now()
	s.wake()
	s.mu.Unlock()
	if before.Handler == set.Handler && before.FailedContinue == set.FailedContinue {
		return nil // the sample handler looks for itself
	}
	if err := s.o.Changed(ctx); err != nil {
		s.mu.Lock()
		c.settings = before
		s.mu.Unlock()
		return err
	}
	return nil
}

// Send lets a phone, 0 or 1, send a text to the other.
func (s *Service) Send(from int, text string) error {
	switch {
	case from != 0 && from != 1:
		return im.ErrArgs.With("there are two phones")
	case strings.TrimSpace(text) == "" || !utf8.ValidString(text):
		return im.ErrArgs.With("the text is empty")
	case utf8.RuneCountInString(text) > MaxText:
		return im.ErrArgs.With("the text is longer than %d letters", MaxText)
	}
	p, id, err := s.takeSend(from, text)
	if err != nil {
		return err
	}
	if err := p.Send(id, Users[1-from].UserID, text); err != nil {
		s.note(Note{Kind: Failed, Phone: from, ID: id, Text: err.Error()})
	}
	return nil
}

func (s *Service) takeSend(from int, text string) (*phone.Phone, string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.current
	switch {
	case c == nil || c.ending || c.phones[from] == nil:
		return nil, "", ErrNone
	case c.sends >= mostSends:
		return nil, "", im.ErrArgs.With("a trial ends after %d messages: begin another", mostSends)
	case !c.limit.AllowN(s.o.Now(), 1):
		return nil, "", im.ErrArgs.With("more than %d messages a second", perSecond)
	}
	c.sends++
	c.touched = s.o.Now()
	id := phone.NewID()
	s.add(Note{Kind: Sent, Phone: from, ID: id, Text: text})
	return c.phones[from], id, nil
}

// End ends the trial.
func (s *Service) End(ctx context.Context, why Why, by string) error {
	s.changing.Lock()
	defer s.changing.Unlock()
	s.mu.Lock()
	c := s.current
	s.mu.Unlock()
	if c == nil {
		return ErrNone
	}
	s.end(context.WithoutCancel(ctx), c, why, by)
	return nil
}

// end is called with changing held.
func (s *Service) end(ctx context.Context, c *session, why Why, by string) {
	s.mu.Lock()
	c.ending = true
	phones := c.phones
	s.mu.Unlock()
	for i, p := range phones {
		if p == nil {
			continue
		}
		p.Close()
		if err := s.o.Logout(ctx, Users[i].UserID, platforms[i]); err != nil {
			s.o.Logger.WarnContext(ctx, "phone of a trial could not be logged out", slog.String("user_id", Users[i].UserID), slog.Any("error", err))
		}
	}
	s.mu.Lock()
	s.add(Note{Kind: Over, Phone: None, Reason: string(why), Text: by})
	s.current = nil
	s.wake()
	s.mu.Unlock()
	if err := s.o.Changed(ctx); err != nil {
		s.o.Logger.WarnContext(ctx, "sample handler of a trial could not be removed", slog.Any("error", err))
	}
	s.o.Left()
	s.o.Logger.InfoContext(ctx, "trial ended", slog.String("why", string(why)))
}

// Run ends trials whose time is up, until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if why := s.overdue(); why != "" {
				if err := s.End(ctx, why, ""); err != nil && !errors.Is(err, ErrNone) {
					return err
				}
			}
		}
	}
}

func (s *Service) overdue() Why {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.o.Now()
	switch c := s.current; {
	case c == nil:
		return ""
	case now.Sub(c.touched) > idle:
		return Unused
	case now.Sub(c.began) > longest:
		return TimeUp
	}
	return ""
}

// Shutdown ends the trial with the server.
func (s *Service) Shutdown(ctx context.Context) { _ = s.End(ctx, Stopped, "") }

// owner writes down what happens on a phone.
type owner struct {
	s     *Service
	c     *session
	phone int
}

func (o *owner) Answered(id, serverMsgID string, code int, text string) {
	kind := Stored
	if code != 0 {
		kind = Refused
	}
	o.s.note(Note{Kind: kind, Phone: o.phone, ID: id, ServerMsgID: serverMsgID, Code: code, Text: text})
}

func (o *owner) Received(t phone.Text) {
	// The echo of what the phone sent says nothing new; lines that the server
	// wrote are no texts.
	if t.Text == "" || t.SendID != Users[1-o.phone].UserID {
		return
	}
	o.s.note(Note{Kind: Received, Phone: o.phone, ID: t.ClientMsgID, ServerMsgID: t.ServerMsgID, Seq: t.Seq, Text: t.Text})
}

func (o *owner) Ended(why error) {
	if why != nil {
		o.s.note(Note{Kind: Failed, Phone: o.phone, Text: why.Error()})
	}
}
