package pushtest

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parley-im/parley/internal/push"
)

// Note is the notification of every recording, Badge the number on its icons.
var Note = push.Notification{Title: "title", Desc: "text", Ex: "e", Sound: "ding", ClientMsgID: "m1"}

// Badge is the number on the icons of a recording's targets.
const Badge = 3

// Replay plays every recording of a folder, each to a provider of its own, which
// start makes. A recording is a text file:
//
//	what it shows
//	== push TARGET…
//	-- request
//	PATH, headers, an empty line and the body; * stands for anything
//	-- answer
//	STATUS or "hangs up", headers, an empty line and the body
//	-- outcomes
//	TARGET OUTCOME [AFTER]
//
// Each push has the requests it leads to, with their answers, in any order, and what
// is said of each of its targets. A request that was not recorded fails the test, and
// so does a recorded one that does not come.
func Replay(t *testing.T, folder string, secure bool, start func(t *testing.T, v *Vendor) push.Provider) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatalf("recordings in %s: %d, %v", folder, len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(path.Base(file), ".txt"), func(t *testing.T) {
			t.Parallel()
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			replay(t, parse(t, string(raw)), secure, start)
		})
	}
}

func replay(t *testing.T, steps []*step, secure bool, start func(t *testing.T, v *Vendor) push.Provider) {
	t.Helper()
	var mu sync.Mutex
	var current *step
	vendor := Start(t, secure, func(r Request) Answer {
		mu.Lock()
		defer mu.Unlock()
		i := slices.IndexFunc(current.exchanges, func(e *exchange) bool { return !e.played && e.matches(r) })
		if i < 0 {
			t.Errorf("a request that is not recorded: %s\n%v\n%s", r.Path, r.Header, r.Body)
			return Answer{Status: http.StatusTeapot}
		}
		current.exchanges[i].played = true
		return current.exchanges[i].answer
	})
	p := start(t, vendor)
	for _, s := range steps {
		mu.Lock()
		current = s
		mu.Unlock()
		targets := make([]push.Target, len(s.targets))
		for i, name := range s.targets {
			targets[i] = push.Target{UserID: name, Badge: Badge}
			if p.Tokens() {
				targets[i].Token = name
			}
		}
		got := map[string]string{}
		for _, r := range p.Push(t.Context(), Note, targets) {
			said := r.Outcome.String()
			if r.After > 0 {
				said += " " + r.After.String()
			}
			got[r.Target.UserID] = said
			if (r.Reason == "") != (r.Outcome == push.Accepted) {
				t.Errorf("%s is %s for the reason %q", r.Target.UserID, r.Outcome, r.Reason)
			}
		}
		if !maps.Equal(got, s.outcomes) {
			t.Errorf("push to %v:\n got %v\nwant %v", s.targets, got, s.outcomes)
		}
		mu.Lock()
		for _, e := range s.exchanges {
			if !e.played {
				t.Errorf("push to %v: %s\n%s\nwas never requested", s.targets, e.path, e.body)
			}
		}
		mu.Unlock()
	}
}

// step is one push of a recording.
type step struct {
	targets   []string
	exchanges []*exchange
	outcomes  map[string]string
}

// exchange is a request and its answer.
type exchange struct {
	path   string
	header map[string]string
	body   string
	answer Answer
	played bool
}

func (e *exchange) matches(r Request) bool {
	if e.path != r.Path {
		return false
	}
	for k, v := range e.header {
		if begin, any := strings.CutSuffix(v, "*"); r.Header.Get(k) != v && !(any && strings.HasPrefix(r.Header.Get(k), begin)) {
			return false
		}
	}
	if want, got := decode(e.body), decode(r.Body); want != nil && got != nil {
		return like(got, want)
	}
	if want, err := url.ParseQuery(e.body); err == nil {
		got, err := url.ParseQuery(r.Body)
		if err != nil || len(got) != len(want) {
			return false
		}
		for k := range want {
			if want.Get(k) != "*" && want.Get(k) != got.Get(k) {
				return false
			}
		}
		return true
	}
	return false
}

func decode(body string) (v any) {
	if json.Unmarshal([]byte(body), &v) != nil {
		return nil
	}
	return v
}

// like compares JSON; the text * is like anything.
func like(got, want any) bool {
	switch w := want.(type) {
	case string:
		if w == "*" {
			return true
		}
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok || len(g) != len(w) {
			return false
		}
		for k := range w {
			if _, there := g[k]; !there || !like(g[k], w[k]) {
				return false
			}
		}
		return true
	case []any:
		g, ok := got.([]any)
		return ok && slices.EqualFunc(g, w, like)
	}
	return reflect.DeepEqual(got, want)
}

func parse(t *testing.T, text string) (steps []*step) {
	t.Helper()
	parts := strings.Split("\n"+text, "\n== push ")
	if len(parts) < 2 {
		t.Fatal("the recording has no push")
	}
	for _, part := range parts[1:] {
		sections := strings.Split(part, "\n-- ")
		s := &step{targets: strings.Fields(sections[0]), outcomes: map[string]string{}}
		for _, section := range sections[1:] {
			kind, content, _ := strings.Cut(section, "\n")
			first, header, body := splitSection(content)
			switch kind {
			case "request":
				s.exchanges = append(s.exchanges, &exchange{path: first, header: header, body: body})
			case "answer":
				e := s.exchanges[len(s.exchanges)-1]
				e.answer = Answer{Body: body, Header: header, HangUp: first == "hangs up"}
				if !e.answer.HangUp {
					status, err := strconv.Atoi(first)
					if err != nil {
						t.Fatalf("status %q", first)
					}
					e.answer.Status = status
				}
			case "outcomes":
				for line := range strings.Lines(content) {
					if name, said, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
						s.outcomes[name] = outcome(t, said)
					}
				}
			default:
				t.Fatalf("section %q", kind)
			}
		}
		steps = append(steps, s)
	}
	return steps
}

// outcome checks that a recording does not wait for what can never be.
func outcome(t *testing.T, said string) string {
	t.Helper()
	word, after, _ := strings.Cut(said, " ")
	if after != "" {
		d, err := time.ParseDuration(after)
		if err != nil {
			t.Fatal(err)
		}
		after = " " + d.String()
	}
	for o := push.Accepted; o <= push.Later; o++ {
		if o.String() == word {
			return word + after
		}
	}
	t.Fatal(fmt.Errorf("outcome %q", said))
	return ""
}

func splitSection(content string) (first string, header map[string]string, body string) {
	head, body, _ := strings.Cut(content, "\n\n")
	lines := strings.Split(strings.TrimSpace(head), "\n")
	header = map[string]string{}
	for _, line := range lines[1:] {
		k, v, _ := strings.Cut(line, ":")
		header[k] = strings.TrimSpace(v)
	}
	return lines[0], header, strings.TrimSpace(body)
}
