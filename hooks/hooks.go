// Package hooks is for programs that handle the webhook callbacks of a Parley or
// OpenIM server: typed functions for every callback, behind an http.Handler that
// verifies signatures, runs every event once and answers what it does not know.
//
//	h, err := hooks.New(hooks.Options{Secrets: []string{os.Getenv("WEBHOOK_SECRET")}})
//	…
//	h.BeforeSendSingleMsg(func(ctx context.Context, m *payload.SingleMessage) (hooks.Verdict, error) {
//		if strings.Contains(m.Content, "casino") {
//			return hooks.Refuse(5001, "the message was refused"), nil
//		}
//		return hooks.Allow(), nil
//	})
//	http.ListenAndServe("127.0.0.1:10006", h)
//
// A verdict is a decision. An error is none: the server is told that the call
// failed, decides about a question by its failedContinue, and sends a report
// again later. A function may be called by several goroutines at once.
//
// The package knows bodies and signatures, and nothing of the server.
package hooks

//go:generate go test . -run TestGenerated -update

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/parley-im/parley/hooks/payload"
	"github.com/parley-im/parley/hooks/signature"
)

// Options of a handler.
type Options struct {
	// Secrets are the text forms of the keys that requests may be signed with
	// ("whsec_…", "whpk_…"); more than one while a secret is being replaced.
	Secrets []string
	// Unsigned accepts requests without looking at signatures. It must be said
	// when there are no Secrets: whoever can reach the handler can then speak to
	// it in the server's name.
	Unsigned bool
	// Seen remembers the events that were handled; nil remembers the last
	// 100,000 in memory, until the process ends.
	Seen Seen
	// Logger gets errors of functions; nil drops them.
	Logger *slog.Logger
	// Now is the clock that timestamps are compared with; nil is time.Now.
	Now func() time.Time
	// MaxBody is the largest body in bytes; 0 is 4 MiB.
	MaxBody int64
}

// Handler answers callbacks. Functions are registered before it serves.
type Handler struct {
	keys    []signature.Key
	seen    Seen
	logger  *slog.Logger
	now     func() time.Time
	maxBody int64

	questions map[string]question // by command
	reports   map[string]report
	every     []report
	names     map[string]string // command that may be sent → that of the catalogue
}

// question answers a before-callback: with a struct of payload.
type question func(context.Context, Call) (any, error)

// report takes an after-callback.
type report func(context.Context, Call) error

// New makes a handler that approves every question and accepts every report.
func New(o Options) (*Handler, error) {
	if len(o.Secrets) == 0 && !o.Unsigned {
		return nil, errors.New("hooks: no secret was given; say Unsigned to accept requests of anybody")
	}
	h := &Handler{
		seen: o.Seen, logger: o.Logger, now: o.Now, maxBody: o.MaxBody,
		questions: map[string]question{}, reports: map[string]report{}, names: map[string]string{},
	}
	for _, s := range o.Secrets {
		key, err := signature.Parse(s)
		if err != nil {
			return nil, fmt.Errorf("hooks: %w", err)
		}
		h.keys = append(h.keys, key)
	}
	if h.seen == nil {
		h.seen = Remember(100_000)
	}
	if h.logger == nil {
		h.logger = slog.New(slog.DiscardHandler)
	}
	if h.now == nil {
		h.now = time.Now
	}
	if h.maxBody <= 0 {
		h.maxBody = 4 << 20
	}
	for command, aliases := range commands {
		h.names[command] = command
		for _, alias := range aliases {
			h.names[alias] = command
		}
	}
	return h, nil
}

// Rename takes a command for another one, for callbacks to which webhooks.yml
// gives a command of its own. Commands of older releases are known already.
func (h *Handler) Rename(sent, command string) { h.names[sent] = command }

// Call is a callback as it came.
type Call struct {
	Command     string    // of the catalogue, such as callbackBeforeSendSingleMsgCommand
	ID          string    // webhook-id: the same on every delivery of an event; "" from OpenIM
	Timestamp   time.Time // of this delivery; zero without a signature
	OperationID string    // trace id of what set it off
	Header      http.Header
	Body        json.RawMessage
}

type callKey struct{}

// CallOf is the call that a function answers.
func CallOf(ctx context.Context) Call {
	c, _ := ctx.Value(callKey{}).(Call)
	return c
}

// Verdict decides about a question.
type Verdict struct{ answer payload.Answer }

// Allow lets the operation go on, with what the function changed of it.
func Allow() Verdict { return Verdict{} }

// Refuse stops the operation. Clients get code and message; use codes from 5000
// to 9999. Codes from 1501 to 1507 log the user out, and 0 arrives as 80000.
func Refuse(code int32, message string) Verdict {
	return Verdict{payload.Answer{NextCode: 1, ErrCode: code, ErrMsg: message}}
}

// WithDetail adds what callers of the REST API get besides.
func (v Verdict) WithDetail(detail string) Verdict {
	v.answer.ErrDlt = detail
	return v
}

// EveryAfter registers a function for all reports, known or not, in addition to
// and before the one for its callback. The report counts as handled when all of
// them succeeded; if one fails, all run again.
func (h *Handler) EveryAfter(f func(context.Context, Call) error) { h.every = append(h.every, f) }

// ServeHTTP answers one callback. The path is not looked at: the body says which
// callback it is, and the body is signed.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "callbacks are sent with POST", http.StatusMethodNotAllowed)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, h.maxBody))
	if err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
			return
		}
		http.Error(w, "the body did not come to its end", http.StatusBadRequest)
		return
	}
	if len(h.keys) > 0 {
		if err := signature.Verify(r.Header, body, h.now(), h.keys...); err != nil {
			http.Error(w, err.Error(), http.StatusUnauthorized)
			return
		}
	}
	var head struct {
		Command string `json:"callbackCommand"`
	}
	if err := json.Unmarshal(body, &head); err != nil || head.Command == "" {
		http.Error(w, "the body is not a callback", http.StatusBadRequest)
		return
	}
	c := Call{
		Command: head.Command, ID: r.Header.Get(signature.HeaderID), OperationID: r.Header.Get("OperationID"), Header: r.Header, Body: body,
	}
	if known, ok := h.names[c.Command]; ok {
		c.Command = known
	}
	if seconds, err := strconv.ParseInt(r.Header.Get(signature.HeaderTimestamp), 10, 64); err == nil {
		c.Timestamp = time.Unix(seconds, 0)
	}
	answer, err := h.answer(context.WithValue(r.Context(), callKey{}, c), c)
	if err != nil {
		h.logger.LogAttrs(r.Context(), slog.LevelError, "callback failed",
			slog.String("command", c.Command), slog.String("webhook_id", c.ID), slog.String("operation_id", c.OperationID), slog.Any("error", err))
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer) // the server may be gone
}

// answer runs the functions of a call. What nobody registered for is approved.
func (h *Handler) answer(ctx context.Context, c Call) (answer any, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	if !isReport(c.Command) {
		if ask := h.questions[c.Command]; ask != nil {
			return ask(ctx, c)
		}
		return payload.Answer{}, nil
	}
	handle := func(ctx context.Context) error {
		for _, f := range h.every {
			if err := f(ctx, c); err != nil {
				return err
			}
		}
		if take := h.reports[c.Command]; take != nil {
			return take(ctx, c)
		}
		return nil
	}
	if c.ID == "" {
		return payload.Answer{}, handle(ctx) // from OpenIM, which tells no id
	}
	return payload.Answer{}, h.seen.Once(ctx, c.ID, handle)
}

func isReport(command string) bool {
	_, known := commands[command]
	return afterCommands[command] || !known && strings.HasPrefix(command, "callbackAfter")
}

// asked registers a question that is answered with a verdict alone.
func asked[T any](h *Handler, command string, f func(context.Context, *T) (Verdict, error)) {
	h.questions[command] = func(ctx context.Context, c Call) (any, error) {
		body, err := read[T](c)
		if err != nil {
			return nil, err
		}
		verdict, err := f(ctx, body)
		return verdict.answer, err
	}
}

// changed registers a question whose answer may change the operation.
func changed[T, A any, P interface {
	*A
	Decide(payload.Answer)
}](h *Handler, command string, f func(context.Context, *T, *A) (Verdict, error)) {
	h.questions[command] = func(ctx context.Context, c Call) (any, error) {
		body, err := read[T](c)
		if err != nil {
			return nil, err
		}
		var change A
		verdict, err := f(ctx, body, &change)
		P(&change).Decide(verdict.answer)
		return &change, err
	}
}

// told registers a report.
func told[T any](h *Handler, command string, f func(context.Context, *T) error) {
	h.reports[command] = func(ctx context.Context, c Call) error {
		body, err := read[T](c)
		if err != nil {
			return err
		}
		return f(ctx, body)
	}
}

func read[T any](c Call) (*T, error) {
	body := new(T)
	if err := json.Unmarshal(c.Body, body); err != nil {
		return nil, fmt.Errorf("read %s: %w", c.Command, err)
	}
	return body, nil
}
