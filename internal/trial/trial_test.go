package trial

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/webhook"
)

// kit is a service on a gateway that takes everything and says nothing.
type kit struct {
	*Service
	mu      sync.Mutex
	now     time.Time
	changes []webhook.Trial // at each Changed
	left    int
	logouts int
	fail    error // of Prepare
}

func (k *kit) clock() time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.now
}

func (k *kit) later(d time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.now = k.now.Add(d)
}

func newKit(t *testing.T) *kit {
	t.Helper()
	upgrader := websocket.Upgrader{}
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer conn.Close()
		for {
			if _, _, err := conn.ReadMessage(); err != nil {
				return
			}
		}
	}))
	t.Cleanup(gateway.Close)
	k := &kit{now: time.Unix(1_700_000_000, 0)}
	k.Service = New(Options{
		Prepare: func(context.Context, []im.User) error { return k.fail },
		Token:   func(context.Context, string, im.Platform) (string, error) { return "token", nil },
		Logout:  func(context.Context, string, im.Platform) error { k.logouts++; return nil },
		Address: func() string { return "ws" + strings.TrimPrefix(gateway.URL, "http") },
		Changed: func(context.Context) error { k.changes = append(k.changes, *k.Webhook()); return nil },
		Left:    func() { k.left++ },
		Now:     k.clock,
	})
	t.Cleanup(func() { k.Shutdown(context.Background()) })
	return k
}

var approving = Settings{Handler: Sample, Mode: Approve}

// A trial that nobody uses ends, and leaves nothing behind; so does one that is
// used for too long.
func TestEndsByItself(t *testing.T) {
	for _, c := range []struct {
		name  string
		steps []time.Duration // between sends
		want  Why
	}{
		{"unused", []time.Duration{idle + time.Second}, Unused},
		{"used", []time.Duration{idle - time.Second, idle - time.Second}, ""},
		{"used for long", []time.Duration{idle - 1, idle - 1, idle - 1, idle - 1, idle - 1, idle - 1, time.Minute}, TimeUp},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := newKit(t)
			if err := k.Begin(t.Context(), "admin", approving); err != nil {
				t.Fatal(err)
			}
			for i, step := range c.steps {
				k.later(step)
				if i < len(c.steps)-1 {
					if err := k.Send(0, "still here"); err != nil {
						t.Fatal(err)
					}
				}
			}
			if got := k.overdue(); got != c.want {
				t.Fatalf("overdue %q, want %q", got, c.want)
			}
			if c.want == "" {
				return
			}
			if err := k.End(t.Context(), c.want, ""); err != nil {
				t.Fatal(err)
			}
			if st := k.State(); st.Running || k.logouts != 2 || k.left != 1 {
				t.Errorf("left behind: %+v, %d logged out, %d", st, k.logouts, k.left)
			}
			if last := k.changes[len(k.changes)-1]; last.URL != "" || last.Real || last.Users[0] != Users[0].UserID {
				t.Errorf("the users are set apart as %+v", last)
			}
		})
	}
}

// What a trial may send and be asked is bounded.
func TestBounds(t *testing.T) {
	k := newKit(t)
	if err := k.Send(0, "hi"); !errors.Is(err, ErrNone) {
		t.Errorf("sent without a trial: %v", err)
	}
	for _, set := range []Settings{{Mode: Approve}, {Handler: Sample}, {Handler: Sample, Mode: Refuse}, {Handler: Sample, Mode: Refuse, Word: strings.Repeat("x", maxWord+1)}} {
		if k.Begin(t.Context(), "admin", set) == nil {
			t.Errorf("began with %+v", set)
		}
	}
	if err := k.Begin(t.Context(), "admin", approving); err != nil {
		t.Fatal(err)
	}
	if err := k.Begin(t.Context(), "other", approving); err == nil || !strings.Contains(err.Error(), "admin") {
		t.Errorf("began twice: %v", err)
	}
	for _, text := range []string{"", "  ", "\xff", strings.Repeat("字", MaxText+1)} {
		if k.Send(1, text) == nil {
			t.Errorf("sent %.20q", text)
		}
	}
	if k.Send(2, "third") == nil {
		t.Error("there are three phones")
	}
	for i := range mostSends {
		if i%perSecond == 0 {
			k.later(time.Second)
		}
		if err := k.Send(i%2, strings.Repeat("字", MaxText)); err != nil {
			t.Fatalf("message %d: %v", i, err)
		}
		if i%perSecond == perSecond-1 && k.Send(0, "too fast") == nil {
			t.Fatal("more than allowed in a second")
		}
	}
	k.later(time.Minute)
	if k.Send(0, "one more") == nil {
		t.Error("sent more than a trial may")
	}
	for range 2 * notesKept {
		k.note(Note{Kind: Received})
	}
	notes, moved := k.Since(0)
	if len(notes) != notesKept || notes[0].N != k.State().Last-notesKept+1 {
		t.Errorf("%d notes are kept, from %d", len(notes), notes[0].N)
	}
	select {
	case <-moved:
		t.Error("something is new")
	default:
	}
	if newer, _ := k.Since(notes[len(notes)-2].N); len(newer) != 1 {
		t.Errorf("after the last but one: %d", len(newer))
	}
	k.note(Note{Kind: Received})
	<-moved
}

// A trial that cannot begin is over, and another can.
func TestCannotBegin(t *testing.T) {
	k := newKit(t)
	k.fail = errors.New("no users today")
	if err := k.Begin(t.Context(), "admin", approving); !errors.Is(err, k.fail) {
		t.Fatal(err)
	}
	if k.State().Running {
		t.Error("it runs")
	}
	k.fail = nil
	if err := k.Begin(t.Context(), "admin", approving); err != nil {
		t.Fatal(err)
	}
	before := len(k.changes)
	if err := k.Set(t.Context(), Settings{Handler: Sample, Mode: Refuse, Word: "no"}); err != nil || len(k.changes) != before {
		t.Errorf("a change of mode needs no reload: %v", err)
	}
	if err := k.Set(t.Context(), Settings{Handler: Configured, Mode: Approve}); err != nil || len(k.changes) != before+1 || !k.changes[before].Real {
		t.Errorf("the configured handler: %v %+v", err, k.changes[before:])
	}
}
