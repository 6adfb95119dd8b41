package webhook

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/outbox"
	"github.com/parley-im/parley/internal/store"
)

// BenchmarkAfterEvents is the way of an event from its commit to a handler in
// the same process, over loopback, in 1000 conversations.
func BenchmarkAfterEvents(b *testing.B) {
	var got atomic.Int64
	all := make(chan struct{})
	h := serve(b, func(http.ResponseWriter, *http.Request) {
		if got.Add(1) == int64(b.N) {
			close(all)
		}
	})
	e := newEngine(b, Config{URL: h.URL, Callbacks: on(Callback{}, "afterSendSingleMsg")}, Options{})
	s, err := store.Open(b.Context(), store.Options{Dir: b.TempDir(), Recorder: e})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	const batch = 200
	for n := 0; n < b.N; n += batch {
		if err := s.Write(b.Context(), func(tx *store.Tx) error {
			for i := range min(batch, b.N-n) {
				m := text("hi")
				m.ConversationID, m.Seq = im.ConversationID(fmt.Sprint("si_", (n+i)%1000)), 1
				if err := tx.Record(im.MessageSent{Message: m}); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			b.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	b.ResetTimer()
	go func() { ended <- outbox.New(s, outbox.Options{}, e).Run(ctx) }()
	<-all
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
	cancel()
	if err := <-ended; err != nil {
		b.Fatal(err)
	}
}
