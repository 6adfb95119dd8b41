package push

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/parley-im/parley/internal/im"
)

// Notification is what a device shows.
type Notification struct {
	Title       string
	Desc        string
	Ex          string // handed to the app
	Sound       string // iOS
	ClientMsgID string // handed to the app, and names the push where a vendor can
}

// Target is where a notification goes: to a device by its token, or to a user
// by his id, which is the alias the app has given its vendor's SDK.
type Target struct {
	UserID   string
	Platform im.Platform // of tokens
	Token    string      // "" for aliases
	Badge    int64       // the number on the app's icon; 0 leaves it as it is
}

// Outcome is what became of a push to one target.
type Outcome uint8

// Outcomes.
const (
	// Accepted: the vendor has taken it.
	Accepted Outcome = iota + 1
	// Gone: the vendor no longer knows the device; its token is deleted.
	Gone
	// Refused: no attempt can succeed.
	Refused
	// Later: the vendor is out of order or says that it is too much.
	Later
)

// Outcomes lists them.
func Outcomes() []Outcome { return []Outcome{Accepted, Gone, Refused, Later} }

func (o Outcome) String() string {
	switch o {
	case Accepted:
		return "accepted"
	case Gone:
		return "gone"
	case Refused:
		return "refused"
	case Later:
		return "later"
	}
	return "unknown"
}

// Result is what became of one target.
type Result struct {
	Target  Target
	Outcome Outcome
	Reason  string
	// After is how long the vendor wants to be left alone, 0 if it does not say.
	After time.Duration
}

// Provider is a push vendor. Implementations are safe for concurrent use.
type Provider interface {
	Name() string
	// Tokens reports whether targets are devices by token, and not users.
	Tokens() bool
	// Batch is the most targets of one call of Push.
	Batch() int
	// Push returns a result for every target, in any order. It does not repeat
	// anything but its log-in.
	Push(ctx context.Context, n Notification, targets []Target) []Result
}

// All gives every target the same result.
func All(targets []Target, o Outcome, reason string, after time.Duration) []Result {
	results := make([]Result, len(targets))
	for i, t := range targets {
		results[i] = Result{Target: t, Outcome: o, Reason: reason, After: after}
	}
	return results
}

// atOnce is how many requests run side by side for vendors that take one device
// each.
const atOnce = 16

// Each pushes to every target by a request of its own, some of them side by side.
func Each(targets []Target, send func(Target) Result) []Result {
	results := make([]Result, len(targets))
	slots := make(chan struct{}, atOnce)
	var sends sync.WaitGroup
	for i, t := range targets {
		slots <- struct{}{}
		sends.Go(func() {
			results[i] = send(t)
			<-slots
		})
	}
	sends.Wait()
	return results
}

// NewClient is what vendors are called with: it never follows a redirect, which
// would hand the credentials to somebody else.
func NewClient() *http.Client {
	return &http.Client{
		Timeout:       15 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 16, IdleConnTimeout: 90 * time.Second,
			TLSHandshakeTimeout: 10 * time.Second,
		},
	}
}

// Answer is what a vendor says.
type Answer struct {
	Status int
	Body   []byte // 64 KiB at most
	After  time.Duration
}

// maxAnswer is the most bytes read of an answer.
const maxAnswer = 64 << 10

// PostJSON sends a body to a vendor. A request that gets no answer is an error.
func PostJSON(ctx context.Context, c *http.Client, address string, header http.Header, body any) (Answer, error) {
	raw, err := json.Marshal(body)
	if err != nil {
		return Answer{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(raw))
	if err != nil {
		return Answer{}, err
	}
	for k, v := range header {
		req.Header[k] = v
	}
	if req.Header.Get("Content-Type") == "" {
		req.Header.Set("Content-Type", "application/json")
	}
	return Do(c, req)
}

// Do makes a request to a vendor.
func Do(c *http.Client, req *http.Request) (Answer, error) {
	resp, err := c.Do(req)
	if err != nil {
		return Answer{}, hideURL(err)
	}
	defer resp.Body.Close()
	// JPush has a header of its own.
	a := Answer{Status: resp.StatusCode, After: retryAfter(cmp.Or(resp.Header.Get("Retry-After"), resp.Header.Get("X-Rate-Limit-Reset")))}
	if a.Body, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer)); err != nil {
		return Answer{}, fmt.Errorf("read answer: %w", err)
	}
	return a, nil
}

// hideURL drops the address from an error: some vendors want a token in it.
func hideURL(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

// Overloaded reports whether a status may pass by itself.
func (a Answer) Overloaded() bool {
	return a.Status == http.StatusTooManyRequests || a.Status == http.StatusRequestTimeout || a.Status >= 500
}

// Said is the answer for a log: its status and how it begins.
func (a Answer) Said() string {
	text := strings.ToValidUTF8(string(a.Body[:min(len(a.Body), 200)]), "\uFFFD")
	return fmt.Sprintf("status %d: %s", a.Status, text)
}

func retryAfter(header string) time.Duration {
	seconds, err := strconv.Atoi(strings.TrimSpace(header))
	if err != nil || seconds < 0 {
		return 0
	}
	return time.Duration(min(seconds, 3600)) * time.Second
}
