package test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/parley-im/parley/internal/webhook"
	"github.com/parley-im/parley/internal/webhook/registry"
)

// alarm is where the operator's alerts go.
type alarm struct {
	*httptest.Server
	mu  sync.Mutex
	all []webhook.Alert
}

func startAlarm(t *testing.T) *alarm {
	t.Helper()
	a := &alarm{}
	a.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var alert webhook.Alert
		if err := json.NewDecoder(r.Body).Decode(&alert); err != nil {
			t.Errorf("an alert: %v", err)
		}
		a.mu.Lock()
		defer a.mu.Unlock()
		a.all = append(a.all, alert)
	}))
	t.Cleanup(a.Close)
	return a
}

// got is every alert about a callback, "" for those about endpoints.
func (a *alarm) got(key string) (out []webhook.Alert) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, alert := range a.all {
		if alert.Callback == key {
			out = append(out, alert)
		}
	}
	return out
}

// downAndUp fails unless a callback, or the endpoint, went down once and came
// back once, and returns the first of the two alerts.
func (a *alarm) downAndUp(t *testing.T, key string) webhook.Alert {
	t.Helper()
	poll(t, "two alerts about "+key, func() bool { return len(a.got(key)) >= 2 })
	all := a.got(key)
	if len(all) != 2 || all[0].Event != webhook.AlertDown || all[1].Event != webhook.AlertUp {
		t.Errorf("alerts about %q: %+v", key, all)
	}
	return all[0]
}

// awaitEndpoint waits until an endpoint's state meets a condition.
func (n *node) awaitEndpoint(t *testing.T, name, what string, met func(webhook.EndpointState) bool) {
	t.Helper()
	poll(t, name+": "+what, func() bool {
		var list []webhook.EndpointState
		n.control(t, "/webhook/endpoints", func(r io.Reader) error { return json.NewDecoder(r).Decode(&list) })
		i := slices.IndexFunc(list, func(e webhook.EndpointState) bool { return e.Name == name })
		return i >= 0 && met(list[i])
	})
}

// trigger puts a sample of a callback through the real pipeline.
func (n *node) trigger(t *testing.T, key string) (operationID string) {
	t.Helper()
	var out struct{ OperationID string }
	n.call(t, "/webhook/trigger", map[string]any{"callback": key}, &out)
	return out.OperationID
}

// allCallbacks enables all of the registry with the same options.
func allCallbacks(options string) string {
	var b strings.Builder
	for _, c := range registry.All() {
		fmt.Fprintf(&b, "%s: {enable: true%s}\n", c.Key, options)
	}
	return b.String()
}

// unheard is an address that refuses connections, and that nobody else can get,
// until somebody listens there.
type unheard struct {
	t    *testing.T
	file *os.File
	addr string
}

func reserve(t *testing.T) *unheard {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	u := &unheard{t: t, file: os.NewFile(uintptr(fd), "unheard")}
	t.Cleanup(func() { _ = u.file.Close() })
	syscall.CloseOnExec(fd)
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	at, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	u.addr = fmt.Sprintf("127.0.0.1:%d", at.(*syscall.SockaddrInet4).Port)
	return u
}

// listen starts a business server there.
func (u *unheard) listen() *business {
	u.t.Helper()
	if err := syscall.Listen(int(u.file.Fd()), 128); err != nil {
		u.t.Fatal(err)
	}
	l, err := net.FileListener(u.file)
	if err != nil {
		u.t.Fatal(err)
	}
	return startBusinessOn(u.t, l)
}

// TestS25Breaker: a handler that refuses connections costs an operation nothing
// once the breaker is open, whichever callback it would be asked by; probes go on
// by themselves, and when it is back everything that waited comes, without
// anybody's doing.
func TestS25Breaker(t *testing.T) {
	t.Parallel()
	place, alerts := reserve(t), startAlarm(t)
	n := startNode(t, setup{files: map[string]string{"webhooks.yml": fmt.Sprintf(`url: http://%s/webhook
breaker: {failures: 5, probe: 200ms}
retry: {initial: 50ms, max: 200ms}
alert: {url: %s}
`, place.addr, alerts.URL) + allCallbacks(", failedContinue: true")}})
	n.register(t, "alice", "bob")
	alice, bob := n.device(t, "alice", platformMiniWeb), n.device(t, "bob", platformMiniWeb)
	var sends []sent
	send := func() {
		t.Helper()
		s := alice.send(post{from: "alice", to: "bob", content: text(fmt.Sprint(len(sends))), operationID: fmt.Sprint("s25-", len(sends))})
		if s.ErrCode != 0 {
			t.Fatalf("message %d: %+v", len(sends), s)
		}
		if m := bob.next(); m.ServerMsgID != s.serverMsgID {
			t.Fatalf("bob received %v", m)
		}
		sends = append(sends, s)
	}
	for range 5 {
		send()
	}
	n.awaitOutput("webhook breaker opened")

	// Open, nothing is asked: the reason is the breaker, and a probe is a copy that
	// the operation does not wait for.
	send()
	operations := map[string]string{"beforeSendSingleMsg": fmt.Sprint("s25-", len(sends)-1)}
	told := map[string]string{} // operation by callback
	for _, c := range registry.All() {
		operation := n.trigger(t, c.Key)
		if c.Kind == registry.After {
			told[c.Key] = operation
		} else if operations[c.Key] == "" {
			operations[c.Key] = operation
		}
	}
	for key, operation := range operations {
		d := n.awaitDeliveries(t, 1, "--callback", key, "--operation", operation, "--outcome", "failed_continue")[0] // beside the probe, if it was one
		if !strings.HasPrefix(d.Reason, "endpoint default is down") {
			t.Errorf("%s: %+v", key, d)
		}
	}
	n.awaitEndpoint(t, "default", "probes go on", func(e webhook.EndpointState) bool { return e.State == webhook.StateDown && e.Probes >= 3 })

	b := place.listen()
	n.awaitOutput("webhook breaker closed")
	n.awaitEmptyOutbox(t)
	if down := alerts.downAndUp(t, ""); !strings.Contains(down.Reason, "refused") || down.Help != "resumes by itself once a probe succeeds; at once with: parley webhook resume default" {
		t.Errorf("the alert is %+v", down)
	}
	asked := len(b.got(cmdBeforeSingle))
	send()
	b.awaitCount(t, asked+1, cmdBeforeSingle)
	n.awaitEmptyOutbox(t)
	var want, got []string
	for _, s := range sends {
		want = append(want, s.serverMsgID)
	}
	came := map[string]bool{}
	for key := range told {
		c, _ := registry.Lookup(key)
		for _, e := range b.events(c.Command) {
			came[e.Header.Get("operationID")] = true
		}
	}
	for _, c := range b.events(cmdAfterSingle) {
		if strings.HasPrefix(c.Event.OperationID, "s25-") {
			got = append(got, c.Event.ServerMsgID)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("told of %v, want %v", got, want)
	}
	for key, operation := range told {
		if !came[operation] {
			t.Errorf("the event of %s never came", key)
		}
	}
	for _, text := range []string{"webhook breaker opened", "webhook breaker closed"} {
		if count := strings.Count(n.output.String(), text); count != 1 {
			t.Errorf("%q is logged %d times", text, count)
		}
	}
	t.Logf("%d before-callbacks decided without a call, the events of %d after-callbacks kept", len(operations), len(told))
}

// TestS31RepeatedFailure: a callback whose handler answers garbage to every call is
// set aside with one alert; others go on; when the handler is repaired it resumes
// without an operator, and what was kept comes. For every callback.
func TestS31RepeatedFailure(t *testing.T) {
	t.Parallel()
	// A node's alerts are limited to twenty at once, two of which each callback takes.
	all := registry.All()
	for chunk := range slices.Chunk(all, 9) {
		t.Run(chunk[0].Key, func(t *testing.T) {
			t.Parallel()
			neighbours := slices.DeleteFunc(slices.Clone(all), func(c registry.Callback) bool {
				return slices.ContainsFunc(chunk, func(o registry.Callback) bool { return o.ID == c.ID })
			})
			repeatedFailure(t, chunk, neighbours[0], neighbours[len(neighbours)-1])
		})
	}
}

func repeatedFailure(t *testing.T, ill []registry.Callback, healthy ...registry.Callback) {
	const (
		probe = 300 * time.Millisecond
		// With a third attempt an event that gets a 404 would be given up.
		failures = 2
		garbage  = "<html>oops</html>"
	)
	b, other, alerts := startBusiness(t), startBusiness(t), startAlarm(t)
	var config strings.Builder
	fmt.Fprintf(&config, "url: %s/webhook\nbreaker: {failures: %d, probe: %s, rate: 0}\nretry: {initial: 10ms, max: 10ms}\nalert: {url: %s}\n", b.URL, failures, probe, alerts.URL)
	for _, c := range ill {
		fmt.Fprintf(&config, "%s: {enable: true, failedContinue: true}\n", c.Key)
		// What answers an after-callback says is only logged; a status counts.
		b.on(c.Command, map[registry.Kind]answerer{registry.Before: says(garbage), registry.After: saysStatus(http.StatusNotFound, garbage)}[c.Kind])
	}
	for _, c := range healthy {
		fmt.Fprintf(&config, "%s: {enable: true, url: %s/other}\n", c.Key, other.URL)
	}
	n := startNode(t, setup{files: map[string]string{"webhooks.yml": config.String()}})

	// An event that fails is sent again by itself, a question comes with the next
	// operation.
	events := map[string]string{} // operation by callback
	for _, c := range ill {
		if c.Kind == registry.After {
			events[c.Key] = n.trigger(t, c.Key)
			continue
		}
		for range failures {
			n.trigger(t, c.Key)
		}
	}
	for _, c := range ill {
		n.awaitOutput("webhook breaker opened", "callback="+c.Key+" ")
	}
	const rounds = 5
	for range rounds {
		for _, c := range slices.Concat(ill, healthy) {
			n.trigger(t, c.Key)
		}
	}
	for _, c := range healthy {
		other.awaitCount(t, rounds, c.Command)
	}
	for _, c := range ill {
		calls := b.got(c.Command)
		for i := failures; i < len(calls); i++ {
			if gap := calls[i].At.Sub(calls[i-1].At); gap < probe {
				t.Errorf("%s: call %d came %s after the one before it, probes are %s apart", c.Key, i+1, gap, probe)
			}
		}
	}

	for _, c := range ill {
		b.on(c.Command, nil)
	}
	for _, c := range ill {
		poll(t, c.Key+" works again", func() bool {
			n.trigger(t, c.Key) // life goes on, nobody resumes anything
			return lineWith(n.output.String(), "webhook breaker closed", "callback="+c.Key+" ") != ""
		})
	}
	poll(t, "no event is left", func() bool { return strings.Count(n.run("webhook", "dead"), "\n") == 1 })
	n.awaitEmptyOutbox(t)
	for _, c := range ill {
		down := alerts.downAndUp(t, c.Key)
		if down.Answer != garbage || !strings.HasSuffix(down.Help, "parley webhook resume default "+c.Key) || down.Endpoint != "default" {
			t.Errorf("%s: the alert is %+v", c.Key, down)
		}
		if operation := events[c.Key]; operation != "" && !slices.ContainsFunc(b.events(c.Command), func(got callback) bool { return got.Header.Get("operationID") == operation }) {
			t.Errorf("the first event of %s never came", c.Key)
		}
	}
	for _, key := range append([]string{""}, healthy[0].Key, healthy[1].Key) {
		if about := alerts.got(key); len(about) != 0 {
			t.Errorf("alerts about %q: %+v", key, about)
		}
	}
}
