package presence

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
	"github.com/parley-im/parley/internal/store/storetest"
)

// recorder writes each event down as one outbox row whose body is its text.
type recorder struct{ unwanted []im.EventKind }

func (r recorder) Enabled(k im.EventKind) bool { return !slices.Contains(r.unwanted, k) }

func (r recorder) Render(e im.Event) []store.OutboxEvent {
	var text string
	var s im.Session
	switch e := e.(type) {
	case im.UserOnline:
		s, text = e.Session, fmt.Sprintf("online %s %s", e.Session.Platform, e.Session.ConnID)
		if e.IsBackground {
			text += " background"
		}
	case im.UserOffline:
		s, text = e.Session, fmt.Sprintf("offline %s %s", e.Session.Platform, e.Session.ConnID)
	case im.UserKicked:
		s, text = e.Session, fmt.Sprintf("kicked %s %s", e.Session.Platform, e.Session.ConnID)
	}
	return []store.OutboxEvent{{
		Lane: "default/" + s.UserID, EventID: s.UserID + " " + text, Callback: "test", Command: "test", Subject: s.UserID, Body: []byte(text),
	}}
}

// watched remembers what the watcher was told.
type watched struct {
	mu   sync.Mutex
	told []string
}

func (w *watched) changed(userID string, platforms []im.Platform) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.told = append(w.told, fmt.Sprint(userID, platforms))
}

func (w *watched) got() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.told)
}

// life is a Tracker that runs, with one user who comes and goes.
type life struct {
	*Tracker
	t       *testing.T
	userID  string
	store   *store.Store
	watcher *watched
	stop    func()
}

// live runs a Tracker until stop or the end of the test.
func live(t *testing.T, s *store.Store) *life {
	t.Helper()
	l := &life{t: t, store: s, userID: "alice", watcher: new(watched)}
	l.Tracker = New(s, slog.New(slog.DiscardHandler), time.Now, l.watcher.changed)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- l.Run(ctx) }()
	l.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(l.stop)
	return l
}

// begin opens and announces a connection of the user.
func (l *life) begin(connID string, p im.Platform) im.Session {
	s := l.session(connID, p)
	l.Open(s)
	l.Confirm(s, "op", false)
	return s
}

func (l *life) session(connID string, p im.Platform) im.Session {
	return im.Session{ConnID: connID, UserID: l.userID, Platform: p}
}

func (l *life) end(s im.Session)  { l.Close(s, "op", false) }
func (l *life) kick(s im.Session) { l.Close(s, "op", true) }

// mustTell ends the Tracker and compares the recorded events of the user.
func (l *life) mustTell(want ...string) {
	l.t.Helper()
	l.stop()
	if got := recorded(l.t, l.store, l.userID); !slices.Equal(got, want) {
		l.t.Errorf("recorded\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

func recorded(t *testing.T, s *store.Store, userID string) []string {
	t.Helper()
	var out []string
	err := s.Read(context.Background(), func(tx *store.Tx) error {
		events, err := tx.LaneEvents("default/"+userID, 10_000)
		for _, e := range events {
			out = append(out, string(e.Body))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func sessions(t *testing.T, s *store.Store) []im.Session {
	t.Helper()
	var out []im.Session
	if err := s.Read(context.Background(), func(tx *store.Tx) (err error) {
		out, err = tx.Sessions()
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return out
}

const (
	ios     = im.PlatformIOS
	android = im.PlatformAndroid
	web     = im.PlatformWeb
)

func TestEvents(t *testing.T) {
	t.Parallel()
	l := live(t, storetest.SQLite(t)(store.Options{Recorder: recorder{}}))
	cases := map[string]struct {
		do   func(l *life)
		want []string
	}{
		"login and logout": {
			func(l *life) { l.end(l.begin("1", ios)) },
			[]string{"online IOS 1", "offline IOS 1"},
		},
		"another platform says nothing about the first": {
			func(l *life) { l.begin("1", ios); l.end(l.begin("2", web)) },
			[]string{"online IOS 1", "online Web 2", "offline Web 2"},
		},
		"a reconnect with the same token ends online": {
			func(l *life) { old := l.begin("1", ios); l.begin("2", ios); l.end(old) },
			[]string{"online IOS 1", "online IOS 2"},
		},
		"the last of several connections of a platform goes offline": {
			func(l *life) {
				a, b, c := l.begin("1", ios), l.begin("2", ios), l.begin("3", ios)
				l.end(b)
				l.end(c)
				l.end(a)
			},
			[]string{"online IOS 1", "online IOS 2", "online IOS 3", "offline IOS 1"},
		},
		"displaced: kicked, offline, online": {
			func(l *life) { l.kick(l.begin("1", ios)); l.begin("2", ios) },
			[]string{"online IOS 1", "kicked IOS 1", "offline IOS 1", "online IOS 2"},
		},
		"the old socket dies after it was displaced": {
			func(l *life) { old := l.begin("1", ios); l.kick(old); l.begin("2", ios); l.end(old) },
			[]string{"online IOS 1", "kicked IOS 1", "offline IOS 1", "online IOS 2"},
		},
		"closing twice": {
			func(l *life) { s := l.begin("1", ios); l.end(s); l.end(s); l.kick(s) },
			[]string{"online IOS 1", "offline IOS 1"},
		},
		"one of two connections is kicked": {
			func(l *life) { old := l.begin("1", ios); l.begin("2", ios); l.kick(old) },
			[]string{"online IOS 1", "online IOS 2", "kicked IOS 1"},
		},
		"a handshake that fails was never online": {
			func(l *life) {
				s := l.session("1", ios)
				l.Open(s)
				l.end(s)
				l.Confirm(s, "op", false)
			},
			nil,
		},
		"an unanswered handshake does not keep the platform online": {
			func(l *life) {
				first := l.begin("1", ios)
				l.Open(l.session("2", ios))
				l.end(first)
			},
			[]string{"online IOS 1", "offline IOS 1"},
		},
		"background": {
			func(l *life) {
				s := l.session("1", ios)
				l.Open(s)
				l.Confirm(s, "op", true)
			},
			[]string{"online IOS 1 background"},
		},
	}
	for name, c := range cases {
		l.userID = name
		c.do(l)
	}
	l.stop()
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			one := *l
			one.t, one.userID = t, name
			one.mustTell(c.want...)
		})
	}
}

// TestNoEventWithoutChange lets the time pass in which OpenIM tells again and
// again who is online.
func TestNoEventWithoutChange(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := live(t, storetest.SQLite(t)(store.Options{Recorder: recorder{}}))
		l.begin("1", ios)
		l.end(l.begin("2", web))
		time.Sleep(35 * time.Minute)
		l.mustTell("online IOS 1", "online Web 2", "offline Web 2")
	})
}

// brokenUntil is a recorder that fails up to a point of time.
type brokenUntil struct {
	recorder
	repaired time.Time
}

func (b brokenUntil) Render(e im.Event) []store.OutboxEvent {
	if time.Now().Before(b.repaired) {
		panic("no space left")
	}
	return b.recorder.Render(e)
}

func TestFailingStore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := live(t, storetest.SQLite(t)(store.Options{Recorder: brokenUntil{repaired: time.Now().Add(time.Minute)}}))
		l.end(l.begin("1", ios))
		time.Sleep(2 * time.Minute)
		l.mustTell("online IOS 1", "offline IOS 1")
	})
	synctest.Test(t, func(t *testing.T) {
		l := live(t, storetest.SQLite(t)(store.Options{Recorder: brokenUntil{repaired: time.Now().Add(time.Hour)}}))
		l.begin("1", ios)
		l.stop() // comes to an end all the same
	})
}

func TestPlatforms(t *testing.T) {
	t.Parallel()
	l := live(t, storetest.SQLite(t)(store.Options{Recorder: recorder{}}))
	check := func(want ...im.Platform) {
		t.Helper()
		if got := l.Platforms("alice"); !slices.Equal(got, want) {
			t.Errorf("online on %v, want %v", got, want)
		}
	}
	check()
	onWeb := l.begin("1", web)
	onIOS := l.begin("2", ios)
	again := l.begin("3", ios)
	check(ios, web)
	l.end(onIOS)
	check(ios, web)
	l.end(again)
	l.end(onWeb)
	check()
	if got, want := l.watcher.got(), []string{"alice[Web]", "alice[IOS Web]", "alice[Web]", "alice[]"}; !slices.Equal(got, want) {
		t.Errorf("watchers were told %v, want %v", got, want)
	}
}

func TestCrash(t *testing.T) {
	t.Parallel()
	open := storetest.SQLite(t)
	s := open(store.Options{Recorder: recorder{}})
	l := live(t, s)
	l.begin("1", ios)
	l.end(l.begin("2", web))
	l.begin("3", android)
	l.stop() // its connections are not closed, as in a crash
	if left := sessions(t, s); len(left) != 2 {
		t.Fatalf("remembered %v, want the two open connections", left)
	}

	next := live(t, s)
	next.begin("4", android)
	next.mustTell("online IOS 1", "online Web 2", "offline Web 2", "online Android 3",
		"offline IOS 1", "offline Android 3", "online Android 4")
	if left := sessions(t, s); len(left) != 1 || left[0].ConnID != "4" {
		t.Errorf("remembered %v, want the one open connection", left)
	}
}

func TestWanted(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		unwanted []im.EventKind
		want     []string
	}{
		"no offline": {[]im.EventKind{im.EventUserOffline}, []string{"online IOS 1", "kicked IOS 1", "online IOS 2"}},
		"no online":  {[]im.EventKind{im.EventUserOnline}, []string{"kicked IOS 1", "offline IOS 1"}},
		"no kick":    {[]im.EventKind{im.EventUserKicked}, []string{"online IOS 1", "offline IOS 1", "online IOS 2"}},
		"kicks only": {[]im.EventKind{im.EventUserOnline, im.EventUserOffline}, []string{"kicked IOS 1"}},
		"nothing":    {[]im.EventKind{im.EventUserOnline, im.EventUserOffline, im.EventUserKicked}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := live(t, storetest.SQLite(t)(store.Options{Recorder: recorder{c.unwanted}}))
			l.kick(l.begin("1", ios))
			l.begin("2", ios)
			l.mustTell(c.want...)
		})
	}
}

// TestManyAtOnce opens and closes connections of one user from many goroutines:
// each is announced once, and the last event of each platform is the truth.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	l := live(t, storetest.SQLite(t)(store.Options{Recorder: recorder{}}))
	const each = 40
	var wg sync.WaitGroup
	for _, p := range []im.Platform{ios, android, web} {
		for i := range each {
			wg.Go(func() {
				s := l.begin(fmt.Sprintf("%s%d", p, i), p)
				switch {
				case p == web && i == 0: // stays
				case i%2 == 0:
					l.end(s)
				default:
					l.kick(s)
				}
			})
		}
	}
	wg.Wait()
	l.stop()
	if told := l.watcher.got(); told[len(told)-1] != "alice[Web]" {
		t.Errorf("watchers were told last that %s", told[len(told)-1])
	}

	last, online, offline := map[string]string{}, map[string]int{}, map[string]int{}
	for _, event := range recorded(t, l.store, "alice") {
		words := strings.Fields(event)
		switch words[0] {
		case "online":
			online[words[2]]++
		case "offline":
			offline[words[2]]++
		default:
			continue
		}
		last[words[1]] = words[0]
	}
	if len(online) != 3*each {
		t.Errorf("%d connections were announced, want %d", len(online), 3*each)
	}
	for connID, times := range online {
		if times != 1 || offline[connID] > 1 {
			t.Errorf("%s: %d times online, %d times offline", connID, times, offline[connID])
		}
	}
	if last["IOS"] != "offline" || last["Android"] != "offline" || last["Web"] != "online" {
		t.Errorf("the last events are %v", last)
	}
	if left := sessions(t, l.store); len(left) != 1 {
		t.Errorf("remembered %v", left)
	}
}
