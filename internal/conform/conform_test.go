package conform

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

func run(t *testing.T, o Options) *Report {
	t.Helper()
	if o.Timeout == 0 {
		o.Timeout = 30 * time.Second // nothing good takes that long
	}
	report, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func printed(t *testing.T, r *Report) string {
	t.Helper()
	var b bytes.Buffer
	if _, err := r.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestGoodHandlerGetsTheFullScore(t *testing.T) {
	t.Parallel()
	r := run(t, Options{URL: goodHandler().serve(t), Secret: testSecret, Forbidden: forbidden})
	if r.Passed != len(suite) || r.Judged != len(suite) || len(r.Results) != len(suite) {
		t.Errorf("%s", printed(t, r))
	}
}

// Each faulty handler is found by exactly the check that is about its fault.
func TestEveryFaultIsFound(t *testing.T) {
	t.Parallel()
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			h := goodHandler()
			f.make(h)
			r := run(t, Options{URL: h.serve(t), Secret: testSecret, Forbidden: forbidden, Timeout: f.timeout})
			failed := r.Failures()
			if len(failed) != 1 || failed[0].Check != f.found {
				t.Fatalf("want the check %s alone to fail:\n%s", f.found, printed(t, r))
			}
			if c := failed[0]; c.Sent == "" || c.Got == "" || c.Why == "" || c.Mend == "" {
				t.Errorf("the report leaves something out: %+v", c)
			}
			if r.Passed == len(suite) || r.Judged == r.Passed {
				t.Errorf("the score is %d of %d", r.Passed, r.Judged)
			}
		})
	}
}

// Its time is measured, so it runs while no other test of the package does.
func TestComparingByByteIsFound(t *testing.T) {
	h := goodHandler()
	comparesByByte(h)
	r := run(t, Options{URL: h.serve(t), Secret: testSecret, Forbidden: forbidden})
	if failed := r.Failures(); len(failed) != 1 || failed[0].Check != "signature-constant-time" {
		t.Errorf("%s", printed(t, r))
	}
}

// No check is there that no fault was seeded for.
func TestEveryCheckFindsSomething(t *testing.T) {
	t.Parallel()
	elsewhere := []string{"concurrent", "body-in-pieces", "signature-constant-time"} // see the other tests
	for _, c := range suite {
		if slices.Contains(elsewhere, c.name) {
			continue
		}
		found := false
		for _, f := range faults {
			found = found || f.found == c.name
		}
		if !found {
			t.Errorf("no seeded fault is found by %s", c.name)
		}
	}
}

func TestChecksBuildOnEarlierOnes(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, c := range suite {
		if seen[c.name] {
			t.Errorf("%s is there twice", c.name)
		}
		if c.rule == "" || c.why == "" || c.mend == "" {
			t.Errorf("%s does not explain itself", c.name)
		}
		for _, n := range c.needs {
			if !seen[n] {
				t.Errorf("%s builds on %s, which does not come before it", c.name, n)
			}
		}
		seen[c.name] = true
	}
}

// rawServer answers connections with a function, one at a time or all at once.
func rawServer(t *testing.T, atOnce bool, serve func(net.Conn)) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	t.Cleanup(func() {
		_ = l.Close()
		<-ended
	})
	go func() {
		defer close(ended)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			if atOnce {
				go serve(conn)
			} else {
				serve(conn)
			}
		}
	}()
	return "http://" + l.Addr().String() + "/webhook"
}

const rawAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 66\r\n"

// A handler that serves one connection at a time, and never calls the API.
func TestOneConnectionAtATime(t *testing.T) {
	t.Parallel()
	url := rawServer(t, false, func(conn net.Conn) {
		defer func() { _ = conn.Close() }()
		_ = conn.SetDeadline(time.Now().Add(time.Minute))
		if _, err := readRequest(conn); err == nil {
			_, _ = io.WriteString(conn, rawAnswer+"Connection: close\r\n\r\n"+approval+"\n")
		}
	})
	r := run(t, Options{URL: url, Timeout: 2 * time.Second})
	var names []string
	for _, f := range r.Failures() {
		names = append(names, f.Check)
	}
	if !slices.Equal(names, []string{"connection-reused", "concurrent"}) {
		t.Errorf("failed: %v\n%s", names, printed(t, r))
	}
}

// A handler that takes the first bytes it reads for the whole request.
func TestOneRead(t *testing.T) {
	t.Parallel()
	url := rawServer(t, true, func(conn net.Conn) {
		defer func() { _ = conn.Close() }()
		_ = conn.SetDeadline(time.Now().Add(time.Minute))
		for {
			buf := make([]byte, 1<<20)
			n, err := conn.Read(buf)
			if err != nil {
				return
			}
			_, body, _ := strings.Cut(string(buf[:n]), "\r\n\r\n")
			if !strings.HasSuffix(body, "}\n") && strings.HasPrefix(body, "{") {
				_, _ = io.WriteString(conn, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
				return
			}
			if _, err := io.WriteString(conn, rawAnswer+"\r\n"+approval+"\n"); err != nil {
				return
			}
		}
	})
	r := run(t, Options{URL: url})
	if failed := r.Failures(); len(failed) == 0 || failed[0].Check != "body-in-pieces" {
		t.Errorf("%s", printed(t, r))
	}
}

func readRequest(conn net.Conn) (string, error) {
	var all strings.Builder
	buf := make([]byte, 64<<10)
	for {
		n, err := conn.Read(buf)
		all.Write(buf[:n])
		if err != nil {
			return "", err
		}
		// Bodies of the suite end in a newline; others are of no interest here.
		if head, body, ok := strings.Cut(all.String(), "\r\n\r\n"); ok &&
			(strings.HasPrefix(head, "GET") || strings.Contains(head, "Content-Length: 0") || strings.HasSuffix(body, "\n") || !strings.HasPrefix(body, `{"s`)) {
			return all.String(), nil
		}
	}
}

func TestNobodyThere(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.NotFoundHandler())
	url := s.URL
	s.Close()
	r := run(t, Options{URL: url})
	if failed := r.Failures(); len(failed) != 1 || failed[0].Check != "answers" || r.Passed != 0 {
		t.Errorf("%s", printed(t, r))
	}
}

// Without a secret, and with a handler that offers nothing for the test, what
// cannot be seen is said to be so and does not count.
func TestWhatCannotBeSeen(t *testing.T) {
	t.Parallel()
	h := goodHandler()
	h.verify = func(*handler, *http.Request, []byte) bool { return true }
	h.around = func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r.Header.Del("Conform-Api")
			if r.Method == http.MethodGet {
				http.NotFound(w, r)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
	r := run(t, Options{URL: h.serve(t)})
	var unseen []string
	for _, c := range r.Results {
		switch c.Outcome {
		case NotObservable:
			if unseen = append(unseen, c.Check); c.Note == "" {
				t.Errorf("%s does not say why it was not observable", c.Check)
			}
		case Failed, NotJudged:
			t.Errorf("%s: %s", c.Check, c.Outcome)
		case Passed:
		}
	}
	for _, want := range []string{"forged", "refuses", "calls-back", "stored", "stored-once", "events-apart", "forged-not-stored"} {
		if !slices.Contains(unseen, want) {
			t.Errorf("%s was observed", want)
		}
	}
	if r.Passed+len(unseen) != len(suite) || r.Judged != r.Passed {
		t.Errorf("%s", printed(t, r))
	}
}

func TestSecretIsAskedFor(t *testing.T) {
	t.Parallel()
	r := run(t, Options{URL: goodHandler().serve(t)})
	if failed := r.Failures(); len(failed) != 1 || failed[0].Check != "status-success" || !strings.Contains(failed[0].Got, "give its secret") {
		t.Errorf("%s", printed(t, r))
	}
}

func TestCommandInQueryAndAuditElsewhere(t *testing.T) {
	t.Parallel()
	h := goodHandler()
	paths := make(chan string, 10_000)
	h.around = func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost {
				paths <- r.URL.Path + "?" + r.URL.RawQuery
			} else if r.URL.Path != "/elsewhere/conform" && r.URL.Query().Get("command") == "" {
				t.Errorf("asked %s for the audit", r.URL)
			}
			next.ServeHTTP(w, r)
		})
	}
	url := h.serve(t)
	r := run(t, Options{
		URL: url + "?tenant=1", Secret: testSecret, CommandInQuery: true, Forbidden: forbidden,
		Audit: strings.TrimSuffix(url, "/webhook") + "/elsewhere/conform",
	})
	if r.Passed != len(suite) {
		t.Errorf("%s", printed(t, r))
	}
	close(paths)
	for p := range paths {
		if !strings.HasPrefix(p, "/webhook?command=callback") || !strings.HasSuffix(p, "&tenant=1") {
			t.Fatalf("called %s", p)
		}
	}
}

func TestRefusesWhatItCannotPlay(t *testing.T) {
	t.Parallel()
	for _, o := range []Options{
		{URL: ""},
		{URL: "webhook://h/x"},
		{URL: "http:///x"},
		{URL: "http://h/x#y"},
		{URL: "http://h", Secret: "topsecret"},
		{URL: "http://h", Secret: "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4="},
	} {
		if _, err := Run(t.Context(), o); err == nil || strings.Contains(err.Error(), "topsecret") {
			t.Errorf("%+v: %v", o, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Run(ctx, Options{URL: goodHandler().serve(t)}); err == nil {
		t.Error("an interrupted suite made a report")
	}
}

func TestReportForPeople(t *testing.T) {
	t.Parallel()
	r := &Report{URL: "http://h/webhook", Passed: 1, Judged: 2, Results: []Result{
		{Check: "answers", Rule: "a before-call gets an answer", Outcome: Passed},
		{Check: "no-bom", Rule: "no mark", Outcome: Failed, Sent: "s", Got: "g", Why: "w", Mend: "m"},
		{Check: "stored", Rule: "is stored", Outcome: NotObservable, Note: "n"},
	}}
	want := `http://h/webhook

ok    answers                  a before-call gets an answer
FAIL  no-bom                   no mark
        sent  s
        got   g
        why   w
        mend  m
?     stored                   is stored
        not observable: n

score 1 of 2; 1 checks could not be judged
`
	if got := printed(t, r); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
