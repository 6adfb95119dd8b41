package api

import (
	"context"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
	"github.com/parley-im/parley/internal/webhook/explain"
	"github.com/parley-im/parley/internal/webhook/listen"
)

// HandlerTools help people who write callback handlers.
type HandlerTools interface {
	// Open begins a session that receives callbacks, Next fetches from it, Answer
	// hands an answer back, and Close ends it.
	Open(ctx context.Context, events []string, decide bool) (session string, err error)
	Next(ctx context.Context, session string) ([]listen.Request, error)
	Answer(session string, a listen.Answer) error
	Close(ctx context.Context, session string) error
	// Test sends a sample to the handler, Trigger through the whole pipeline.
	Test(ctx context.Context, callback string) (verdict any, err error)
	Trigger(ctx context.Context, callback string) (operationID string, err error)
	// On lists the callbacks that somebody wants.
	On() []string
	// Deliveries lists calls, newest first.
	Deliveries(ctx context.Context, f store.DeliveryFilter) ([]store.Delivery, error)
}

// webhookWhy tells why a callback was called or not, and what became of it.
func (s *server) webhookWhy(ctx context.Context, q *explain.Question) (explain.Report, error) {
	return s.Why(ctx, *q)
}

type callbackReq struct {
	Callback string `json:"callback"`
}

func (s *server) webhookTest(ctx context.Context, r *callbackReq) (any, error) {
	return s.Tools.Test(ctx, r.Callback)
}

type triggered struct {
	OperationID string `json:"operationID"`
}

func (s *server) webhookTrigger(ctx context.Context, r *callbackReq) (triggered, error) {
	id, err := s.Tools.Trigger(ctx, r.Callback)
	return triggered{id}, err
}

type callbackKeys struct {
	Callbacks []string `json:"callbacks"`
}

func (s *server) webhookOn(context.Context, *struct{}) (callbackKeys, error) {
	return callbackKeys{s.Tools.On()}, nil
}

type deliveriesReq struct {
	Callback  string `json:"callback"`
	Endpoint  string `json:"endpoint"`
	Operation string `json:"operation"`
	After     int64  `json:"after"` // only rows above this id
	Limit     int    `json:"limit"`
}

type deliveryList struct {
	Deliveries []store.Delivery `json:"deliveries"` // newest first
}

func (s *server) webhookDeliveries(ctx context.Context, r *deliveriesReq) (deliveryList, error) {
	list, err := s.Tools.Deliveries(ctx, store.DeliveryFilter{
		Callback: r.Callback, Endpoint: r.Endpoint, OperationID: r.Operation, After: r.After, Limit: r.Limit,
	})
	return deliveryList{list}, err
}

type listenReq struct {
	Events []string `json:"events"` // keys of callbacks; * stands for any letters
	Decide bool     `json:"decide"`
}

type sessionReq struct {
	Session string        `json:"session"`
	Answer  listen.Answer `json:"answer"`
}

// Check implements checker.
func (r *sessionReq) Check() error {
	if r.Session == "" {
		return im.ErrArgs.With("session is empty")
	}
	return nil
}

type listenSession struct {
	Session string `json:"session"`
}

func (s *server) listenOpen(ctx context.Context, r *listenReq) (listenSession, error) {
	id, err := s.Tools.Open(ctx, r.Events, r.Decide)
	return listenSession{id}, err
}

type listenRequests struct {
	Requests []listen.Request `json:"requests"`
}

func (s *server) listenNext(ctx context.Context, r *sessionReq) (listenRequests, error) {
	list, err := s.Tools.Next(ctx, r.Session)
	return listenRequests{list}, err
}

func (s *server) listenAnswer(_ context.Context, r *sessionReq) (none, error) {
	return none{}, s.Tools.Answer(r.Session, r.Answer)
}

func (s *server) listenClose(ctx context.Context, r *sessionReq) (none, error) {
	return none{}, s.Tools.Close(ctx, r.Session)
}
