package store_test

import (
	"bytes"
	"io"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
	"github.com/parley-im/parley/internal/store/storetest"
)

// cutting is a way to PostgreSQL that breaks once: after a commit of a
// transaction with the given statement was carried out, and before its answer
// arrives.
type cutting struct {
	statement []byte
	server    string
	cut       atomic.Bool
}

func (c *cutting) url(t *testing.T) string {
	t.Helper()
	u, err := url.Parse(storetest.PostgresURL(t))
	if err != nil {
		t.Fatal(err)
	}
	c.server = u.Host
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	t.Cleanup(func() {
		_ = l.Close()
		running.Wait()
	})
	running.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() { c.relay(t, client) })
		}
	})
	u.Host = l.Addr().String()
	return u.String()
}

func (c *cutting) relay(t *testing.T, client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", c.server)
	if err != nil {
		t.Error(err)
		return
	}
	defer server.Close()
	var cutting atomic.Bool // the next answer does not arrive
	var answers sync.WaitGroup
	answers.Go(func() {
		defer client.Close()
		b := make([]byte, 64<<10)
		for {
			n, err := server.Read(b)
			if err != nil || cutting.Load() {
				return
			}
			if _, err := client.Write(b[:n]); err != nil {
				return
			}
		}
	})
	b := make([]byte, 64<<10)
	seen := false
	for {
		n, err := client.Read(b)
		if err != nil {
			break
		}
		seen = seen || bytes.Contains(b[:n], c.statement)
		if seen && bytes.Contains(b[:n], []byte("commit\x00")) && c.cut.CompareAndSwap(false, true) {
			cutting.Store(true)
		}
		if _, err := server.Write(b[:n]); err != nil {
			break
		}
	}
	if tcp, ok := server.(*net.TCPConn); ok {
		_ = tcp.CloseWrite()
	}
	answers.Wait()
	_, _ = io.Copy(io.Discard, server)
}

// A connection that breaks during a commit leaves it open whether that took
// place. The message is stored once, acknowledged and delivered all the same.
func TestCommitOfUnknownOutcome(t *testing.T) {
	for name, dedup := range map[string]bool{"of a send": true, "of a notification": false} {
		t.Run(name, func(t *testing.T) {
			way := &cutting{statement: []byte("INSERT INTO message")}
			s, err := store.Open(t.Context(), store.Options{PostgresURL: way.url(t)})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			delivered := 0
			a := &store.Append{Message: message("a", "b", "x"), Dedup: dedup, Committed: func(*im.Message) { delivered++ }}
			if err := s.Append(t.Context(), a); err != nil || delivered != 1 || a.Message.Seq != 1 {
				t.Errorf("append: %v; delivered %d times with seq %d", err, delivered, a.Message.Seq)
			}
			if !way.cut.Load() {
				t.Fatal("nothing was cut")
			}
			if err := s.Read(t.Context(), func(tx *store.Tx) error {
				last, err := tx.MaxSeq(a.Message.ConversationID)
				if last != 1 {
					t.Errorf("stored up to seq %d", last)
				}
				return err
			}); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// What may have been written is not remembered as it was before.
func TestRulesAfterAnUnknownOutcome(t *testing.T) {
	way := &cutting{statement: []byte("INSERT INTO block")}
	s, err := store.Open(t.Context(), store.Options{PostgresURL: way.url(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	blocked := func() bool {
		t.Helper()
		r, err := s.SingleRules(t.Context(), "a", "b", "si_a_b")
		if err != nil {
			t.Fatal(err)
		}
		return r.Blocked
	}
	if blocked() {
		t.Fatal("blocked before")
	}
	err = s.Write(t.Context(), func(tx *store.Tx) error { return tx.InsertBlock("b", "a", "", "b", 1) })
	if err == nil || !way.cut.Load() {
		t.Fatalf("write: %v; want the connection cut", err)
	}
	if !blocked() {
		t.Error("the block is not seen")
	}
}
