package store

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/parley-im/parley/internal/im"
)

// A message with a time of an administrator's choosing must not make the store
// forget the sends of others.
func TestRepeatIsFoundDespiteOddSendTimes(t *testing.T) {
	for name, odd := range map[string]time.Duration{"from long ago": -3 * DedupWindow, "from the future": 3 * DedupWindow} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s, err := Open(t.Context(), Options{Dir: dir})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = s.Close() })
			send := func(clientID string, at time.Duration) error {
				return s.Append(t.Context(), &Append{Dedup: true, Message: &im.Message{
					ConversationID: "si_a_b", SendID: "a", RecvID: "b", ClientMsgID: clientID, SendTime: s.Now() + im.Millis(at.Milliseconds()),
				}})
			}
			if err := send("first", 0); err != nil {
				t.Fatal(err)
			}
			recent := s.engine.(*sqliteEngine).recent
			for i := range bloomFirst { // so that the filter has an older generation to drop
				recent.add("x", "si_x_y", fmt.Sprint(i), s.Now())
			}
			if err := send("odd", odd); err != nil {
				t.Fatal(err)
			}
			if err := send("first", 0); !errors.Is(err, ErrDuplicateSend) {
				t.Errorf("the repeat: %v", err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if s, err = Open(t.Context(), Options{Dir: dir}); err != nil {
				t.Fatal(err)
			}
			if err := send("first", 0); !errors.Is(err, ErrDuplicateSend) {
				t.Errorf("the repeat after a restart: %v", err)
			}
		})
	}
}
