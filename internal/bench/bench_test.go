package bench

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
)

func run(t *testing.T, o Options) (Result, error) {
	t.Helper()
	var out, table bytes.Buffer
	o.Table = &table
	err := Run(t.Context(), o, &out)
	var r Result
	if err == nil || errors.Is(err, ErrViolation) {
		if jsonErr := json.Unmarshal(out.Bytes(), &r); jsonErr != nil || bytes.Count(out.Bytes(), []byte("\n")) != 1 {
			t.Fatalf("output %q: %v", out.Bytes(), jsonErr)
		}
		if !strings.Contains(table.String(), o.Work) {
			t.Errorf("table %q", table.String())
		}
	}
	return r, err
}

func TestMessageWorks(t *testing.T) {
	t.Parallel()
	for _, o := range []Options{
		{Work: PairAck, Users: 6, Count: 200},
		{Work: PairReceipt, Users: 6, Count: 200},
		{Work: Open, Users: 6, Count: 200, Rate: 20_000},
		{Work: Group, Users: 7, Senders: 3, Count: 100},
	} {
		t.Run(o.Work, func(t *testing.T) {
			t.Parallel()
			o.PID = ownPID
			r, err := run(t, startFake(t, faults{}).options(o))
			if err != nil {
				t.Fatal(err)
			}
			receivers := int64(1)
			if o.Work == Group {
				receivers = int64(o.Users) - 1
			}
			if r.Messages != int64(o.Count) || r.Deliveries != int64(o.Count)*receivers {
				t.Errorf("%d messages, %d deliveries", r.Messages, r.Deliveries)
			}
			if r.ToAck == nil || r.ToReceipt == nil || r.ToReceipt.P50 > r.ToReceipt.Max || r.ToReceipt.Max <= 0 {
				t.Errorf("to ack %v, to receipt %v", r.ToAck, r.ToReceipt)
			}
			if r.MessagesPerSecond <= 0 || r.Seconds <= 0 {
				t.Errorf("%v messages/s in %v s", r.MessagesPerSecond, r.Seconds)
			}
		})
	}
}

func TestRunByDuration(t *testing.T) {
	t.Parallel()
	r, err := run(t, startFake(t, faults{}).options(Options{Work: PairAck, WarmUp: 20 * time.Millisecond, Duration: 300 * time.Millisecond}))
	if err != nil {
		t.Fatal(err)
	}
	if r.Messages == 0 || r.Seconds < 0.08 {
		t.Errorf("%d messages in %v s", r.Messages, r.Seconds)
	}
}

// TestViolations breaks one promise per run. Two users send ten messages each,
// in turn.
func TestViolations(t *testing.T) {
	t.Parallel()
	fifth := func(id messageID) bool { return id.sender == 0 && id.number == 5 }
	for name, test := range map[string]struct {
		faults faults
		want   Violations
	}{
		"none": {},
		"push lost": {
			faults{push: func(receiver uint32, id messageID) (int, bool) {
				if receiver == 1 && fifth(id) {
					return 0, false
				}
				return 1, false
			}},
			Violations{Lost: 1, SeqMissing: 1},
		},
		"echo lost": {
			faults{push: func(receiver uint32, id messageID) (int, bool) {
				if receiver == 0 && fifth(id) {
					return 0, false
				}
				return 1, false
			}},
			Violations{Lost: 1, SeqMissing: 1},
		},
		"push doubled": {
			faults{push: func(receiver uint32, id messageID) (int, bool) {
				if receiver == 1 && fifth(id) {
					return 3, false
				}
				return 1, false
			}},
			Violations{Doubled: 2},
		},
		"pushes swapped": {
			faults{push: func(receiver uint32, id messageID) (int, bool) {
				return 1, receiver == 1 && fifth(id)
			}},
			Violations{Reordered: 1},
		},
		"refused":            {faults{refuse: func(id messageID) (bool, bool) { return fifth(id), false }}, Violations{Refused: 1}},
		"refused and pushed": {faults{refuse: func(id messageID) (bool, bool) { return fifth(id), fifth(id) }}, Violations{Refused: 1, Leaked: 2}},
		"unanswered":         {faults{silent: fifth}, Violations{Unanswered: 1, EarlyEchoes: 1}},
		"echo before answer": {faults{echoFirst: fifth}, Violations{EarlyEchoes: 1}},
		"seq skipped": {
			faults{seq: func(id messageID, seq uint64) uint64 {
				if seq >= 8 {
					return seq + 2
				}
				return seq
			}},
			Violations{SeqMissing: 4},
		},
		"seq given twice": {
			faults{seq: func(_ messageID, seq uint64) uint64 {
				if seq >= 8 {
					return seq - 1
				}
				return seq
			}},
			Violations{SeqRepeated: 2},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := run(t, startFake(t, test.faults).options(Options{Work: Open, Count: 20, Rate: 2000, Drain: 3 * time.Second}))
			if test.want.any() != errors.Is(err, ErrViolation) {
				t.Errorf("got error %v", err)
			}
			if r.Violations == nil || *r.Violations != test.want {
				t.Errorf("got %+v, want %+v", r.Violations, test.want)
			}
			if test.want.Refused > 0 && r.FirstRefusal != "1302 BlockedByPeer" {
				t.Errorf("first refusal %q", r.FirstRefusal)
			}
		})
	}
}

func TestBrokenConnections(t *testing.T) {
	t.Parallel()
	third := func(id messageID) bool { return id.sender == 0 && id.number == 3 }
	for name, test := range map[string]struct {
		faults faults
		check  func(v *Violations) bool
	}{
		"ended by the server":  {faults{disconnect: third}, func(v *Violations) bool { return v.Disconnected == 1 && v.Unanswered >= 1 }},
		"text to a gob client": {faults{text: third}, func(v *Violations) bool { return v.BadAnswers == 1 }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := run(t, startFake(t, test.faults).options(Options{Work: Open, Count: 20, Rate: 2000, Drain: 100 * time.Millisecond}))
			if !errors.Is(err, ErrViolation) || !test.check(r.Violations) {
				t.Errorf("got %v, %+v", err, r.Violations)
			}
		})
	}
}

// TestStalledChain loses a push in a closed work: nobody sends the next.
func TestStalledChain(t *testing.T) {
	t.Parallel()
	s := startFake(t, faults{push: func(receiver uint32, id messageID) (int, bool) {
		if receiver != id.sender && id.number == 3 {
			return 0, false
		}
		return 1, false
	}})
	r, err := run(t, s.options(Options{Work: PairReceipt, Count: 100, Duration: time.Second, Drain: 50 * time.Millisecond}))
	if !errors.Is(err, ErrViolation) || r.Violations.Lost != 2 || r.Messages != 6 {
		t.Errorf("got %v, %+v, %d messages", err, r.Violations, r.Messages)
	}
}

func TestIdle(t *testing.T) {
	t.Parallel()
	r, err := run(t, startFake(t, faults{}).options(Options{Work: Idle, Users: 20, PID: ownPID, Duration: time.Millisecond}))
	if err != nil {
		t.Fatal(err)
	}
	if r.Users != 20 || r.RSSBefore <= 0 || r.RSSAfter <= 0 || r.ConnectionsPerSecond <= 0 {
		t.Errorf("got %+v", r)
	}
}

func TestSetUpErrors(t *testing.T) {
	t.Parallel()
	o := startFake(t, faults{}).options(Options{Work: PairAck, Count: 1})
	o.Secret = "wrong"
	if _, err := run(t, o); err == nil || !strings.Contains(err.Error(), "wrong secret") {
		t.Errorf("wrong secret: got %v", err)
	}
	o = startFake(t, faults{refuseLogin: true}).options(Options{Work: PairAck, Count: 1})
	if _, err := run(t, o); err == nil || !strings.Contains(err.Error(), "1502") {
		t.Errorf("refused handshake: got %v", err)
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	local := Options{Work: PairAck, API: "http://127.0.0.1:1", WS: "ws://[::1]:2"}
	with := func(f func(o *Options)) Options {
		o := local
		f(&o)
		return o
	}
	for name, test := range map[string]struct {
		o    Options
		want string // part of the error; empty: accepted
	}{
		"defaults":        {local, ""},
		"localhost":       {with(func(o *Options) { o.API = "http://localhost:1" }), ""},
		"remote api":      {with(func(o *Options) { o.API = "http://192.0.2.1:1" }), "not this machine"},
		"remote ws":       {with(func(o *Options) { o.WS = "ws://example.com" }), "not this machine"},
		"looks local":     {with(func(o *Options) { o.API = "http://127.0.0.1.example.com" }), "not this machine"},
		"user info":       {with(func(o *Options) { o.API = "http://127.0.0.1@example.com" }), "not this machine"},
		"remote, allowed": {with(func(o *Options) { o.WS, o.AllowRemote = "ws://example.com", true }), ""},
		"no host":         {with(func(o *Options) { o.API = "10002" }), "no host"},
		"unknown work":    {with(func(o *Options) { o.Work = "all" }), "unknown work"},
		"odd users":       {with(func(o *Options) { o.Users = 3 }), "pairs"},
		"too many users":  {with(func(o *Options) { o.Users = 1_000_000 }), "users must be"},
		"large group":     {with(func(o *Options) { o.Work, o.Users = Group, 1001 }), "users must be"},
		"too long":        {with(func(o *Options) { o.Duration = 24 * time.Hour }), "duration must be"},
		"negative":        {with(func(o *Options) { o.Drain = -1 }), "drain must be"},
		"too many":        {with(func(o *Options) { o.Count = 1 << 40 }), "count must be"},
		"too fast":        {with(func(o *Options) { o.Work, o.Rate = Open, 1<<30 }), "rate must be"},
		"too large":       {with(func(o *Options) { o.Size = 1 << 20 }), "size must be"},
		"idle of whom":    {with(func(o *Options) { o.Work = Idle }), "process id"},
		"start of what":   {with(func(o *Options) { o.Work = Start }), "binary"},
	} {
		err := test.o.complete()
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %q", name, err, test.want)
		}
	}
}

// TestCommandLine checks the tags: the defaults they state are the defaults.
func TestCommandLine(t *testing.T) {
	t.Parallel()
	var o Options
	parser, err := kong.New(&o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse([]string{Start, "--binary", "/bin/parley", "--arg=serve", "--arg=--data=a,b", "--pid=7", "--duration=3s"}); err != nil {
		t.Fatal(err)
	}
	if o.Work != Start || !slices.Equal(o.Args, []string{"serve", "--data=a,b"}) || o.PID != 7 || o.Duration != 3*time.Second {
		t.Errorf("got %+v", o)
	}
	if _, err := parser.Parse([]string{"all"}); err == nil {
		t.Error("unknown work accepted")
	}
	var parsed Options
	if parser, err = kong.New(&parsed); err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse([]string{PairAck}); err != nil {
		t.Fatal(err)
	}
	zero := Options{Work: PairAck, API: parsed.API, WS: parsed.WS, Secret: parsed.Secret, Admin: parsed.Admin, WarmUp: parsed.WarmUp, Seed: parsed.Seed}
	if err := errors.Join(zero.complete(), parsed.complete()); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(zero, parsed) {
		t.Errorf("zero values stand for %+v, the command line for %+v", zero, parsed)
	}
}
