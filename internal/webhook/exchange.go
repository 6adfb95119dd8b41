package webhook

import (
	"net/http"

	"github.com/parley-im/parley/internal/store"
)

// Exchange is one attempt to reach a handler as it went over the wire. What it refers
// to belongs to the engine and must not be changed.
type Exchange struct {
	store.Delivery // without an id: its row in the log is written later

	URL    func() string // without what is secret in it
	Sent   http.Header   // of the request, nil when nothing was sent
	Body   []byte        // of the request
	Header http.Header   // of the answer, nil when none came
	Full   []byte        // the answer, as far as it was read
}

// watched tells who looks on of an attempt.
func (e *Engine) watched(row store.Delivery, url func() string, r request, resp response) {
	if e.o.Watch == nil {
		return
	}
	e.o.Watch(Exchange{Delivery: row, URL: url, Sent: resp.sent, Body: r.body, Header: resp.header, Full: resp.body})
}
