package message_test

import (
	"errors"
	"testing"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/message"
	"github.com/parley-im/parley/internal/store"
)

type nobody struct{}

func (nobody) Deliver(*im.Message, im.Audience, string)        {}
func (nobody) RenderNotice(im.Notice) (im.ContentType, []byte) { return 0, nil }

// BenchmarkSend is a message from the door to its acknowledgement, without
// handlers, metrics or traces.
func BenchmarkSend(b *testing.B) {
	s, err := store.Open(b.Context(), store.Options{Dir: b.TempDir(), Synchronous: "NORMAL"})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	if err := s.Write(b.Context(), func(tx *store.Tx) error {
		return errors.Join(tx.InsertUser(im.User{UserID: "a"}), tx.InsertUser(im.User{UserID: "b"}))
	}); err != nil {
		b.Fatal(err)
	}
	svc := message.New(s, nil, nobody{}, nobody{}, message.Options{IsAdmin: func(string) bool { return false }})
	ctx := im.WithCaller(b.Context(), im.Caller{UserID: "a"})
	b.ReportAllocs()
	for b.Loop() {
		m := &im.Message{SendID: "a", RecvID: "b", SessionType: im.SingleChat, ContentType: im.ContentText, Content: []byte("{}")}
		if err := svc.SendAcked(ctx, m, func(message.Sent) {}); err != nil {
			b.Fatal(err)
		}
	}
}
