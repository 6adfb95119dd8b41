package conform

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/parley-im/parley/hooks/signature"
)

// maxAnswer is the most of an answer that is read, as by the server.
const maxAnswer = 1 << 20

// player plays the IM server to one handler.
type player struct {
	options Options
	base    *url.URL
	key     *signature.Key // nil leaves requests unsigned
	http    *http.Client
	api     *api
	run     string // part of every id, so that a handler may be tested twice
	made    int    // ids made

	// undecoded signs with the text of the secret, for a handler that was found
	// to do so.
	undecoded func(id string, at time.Time, body []byte) string

	harmless exchange // the answer to the first before-call
	audit    *bool    // whether the handler tells what it stored; nil is unknown
}

func newClient() *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			// No proxy, as the server.
			DialContext:         (&net.Dialer{Timeout: 3 * time.Second}).DialContext,
			MaxIdleConnsPerHost: 16,
			IdleConnTimeout:     time.Minute,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func (p *player) close() {
	p.http.CloseIdleConnections()
	p.api.close()
}

func runID() string {
	raw := make([]byte, 6)
	_, _ = rand.Read(raw) // never fails
	return hex.EncodeToString(raw)
}

// newID makes an id that was never used: of an event, a message or an operation.
func (p *player) newID() string {
	p.made++
	return fmt.Sprintf("conform_%s_%d", p.run, p.made)
}

// call is one request.
type call struct {
	command string
	body    []byte
	id      string    // webhook-id; "" leaves the headers out
	at      time.Time // webhook-timestamp; zero is now
	api     string    // Conform-Api, "" for none

	unsigned  bool
	signature string // instead of the right one

	method      string // "" is POST
	operationID string
}

// exchange is a call and what became of it.
type exchange struct {
	status   int
	header   http.Header
	body     []byte // as far as it came
	err      error  // what went wrong, at connecting or later
	broken   bool   // the status came, the body did not to its end
	reused   bool   // the connection had served another call
	closes   bool   // the connection serves no further one
	duration time.Duration
	gap      time.Duration // from the first byte of the answer to its last
}

// refused reports that the handler did not take the request. A redirect or a
// broken answer is no refusal.
func (e exchange) refused() bool { return e.status >= 400 }

func (e exchange) accepted() bool { return e.err == nil && e.status >= 200 && e.status <= 299 }

func (e exchange) timedOut() bool {
	var timeout net.Error
	return errors.Is(e.err, context.DeadlineExceeded) || errors.As(e.err, &timeout) && timeout.Timeout()
}

// String says what came back.
func (e exchange) String() string {
	switch {
	case e.status == 0 && e.timedOut():
		return fmt.Sprintf("no answer within %s", e.duration.Round(100*time.Millisecond))
	case e.status == 0:
		return fmt.Sprintf("no answer: %v", cause(e.err))
	}
	text := strconv.Itoa(e.status)
	if to := e.header.Get("Location"); to != "" {
		text += " to " + shorten(to)
	}
	if len(e.body) > 0 {
		text += " " + shorten(string(e.body))
	}
	switch {
	case e.timedOut():
		text += fmt.Sprintf(", not complete within %s", e.duration.Round(100*time.Millisecond))
	case e.err != nil:
		text += fmt.Sprintf(", then %v", cause(e.err))
	}
	return text
}

// cause is err without the address, which the reader knows.
func cause(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		return wrapped.Err
	}
	return err
}

// shorten makes text fit for one line of a report.
func shorten(text string) string {
	const most = 160
	runes := []rune(strings.ToValidUTF8(text, "�"))
	cut := len(runes) > most
	if cut {
		runes = runes[:most]
	}
	quoted := strconv.Quote(string(runes))
	quoted = strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
	if cut {
		quoted += "…"
	}
	return quoted
}

// address is where a command goes.
func (p *player) address(command string) string {
	u := *p.base
	if p.options.CommandInQuery {
		q := u.Query()
		q.Set("command", command)
		u.RawQuery = q.Encode()
		return u.String()
	}
	return u.JoinPath(command).String()
}

// sign is the right signature, or the one the handler takes for right.
func (p *player) sign(id string, at time.Time, body []byte) string {
	if p.undecoded != nil {
		return p.undecoded(id, at, body)
	}
	return p.key.Sign(id, at, body)
}

func (p *player) request(ctx context.Context, c call, body io.Reader) (*http.Request, error) {
	method := c.method
	if method == "" {
		method = http.MethodPost
	}
	req, err := http.NewRequestWithContext(ctx, method, p.address(c.command), body)
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	req.Header.Set("Operationid", c.operationID)
	if c.api != "" {
		req.Header.Set("Conform-Api", c.api)
	}
	if c.id == "" {
		return req, nil
	}
	at := c.at
	if at.IsZero() {
		at = time.Now()
	}
	req.Header.Set(signature.HeaderID, c.id)
	req.Header.Set(signature.HeaderTimestamp, strconv.FormatInt(at.Unix(), 10))
	switch {
	case c.unsigned || p.key == nil:
	case c.signature != "":
		req.Header.Set(signature.HeaderSignature, c.signature)
	default:
		req.Header.Set(signature.HeaderSignature, p.sign(c.id, at, c.body))
	}
	return req, nil
}

// play makes a call and reads the answer to its end, within the timeout.
func (p *player) play(ctx context.Context, c call) exchange { return p.playWith(ctx, p.http, c) }

func (p *player) playWith(ctx context.Context, client *http.Client, c call) (e exchange) {
	ctx, cancel := context.WithTimeout(ctx, p.options.Timeout)
	defer cancel()
	begin := time.Now()
	var firstByte time.Time
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn:              func(info httptrace.GotConnInfo) { e.reused = info.Reused },
		GotFirstResponseByte: func() { firstByte = time.Now() },
	})
	req, err := p.request(ctx, c, bytes.NewReader(c.body))
	if err != nil {
		e.err = err
		return e
	}
	resp, err := client.Do(req)
	if err != nil {
		e.err, e.duration = err, time.Since(begin)
		return e
	}
	defer func() { _ = resp.Body.Close() }()
	e.status, e.header, e.closes = resp.StatusCode, resp.Header, resp.Close
	e.body, e.err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	e.broken = e.err != nil
	e.duration, e.gap = time.Since(begin), time.Since(firstByte)
	return e
}

// dial opens a connection of its own, for requests that are sent piece by piece.
func (p *player) dial(ctx context.Context) (net.Conn, error) {
	address := p.base.Host
	if p.base.Port() == "" {
		port := "80"
		if p.base.Scheme == "https" {
			port = "443"
		}
		address = net.JoinHostPort(p.base.Hostname(), port)
	}
	if p.base.Scheme == "https" {
		return (&tls.Dialer{NetDialer: &net.Dialer{}}).DialContext(ctx, "tcp", address)
	}
	return (&net.Dialer{}).DialContext(ctx, "tcp", address)
}

// encode renders a body as the server does: HTML escaped, a newline at the end.
func encode(body any) []byte {
	var b bytes.Buffer
	if err := json.NewEncoder(&b).Encode(body); err != nil {
		panic(fmt.Sprintf("conform: render %T: %v", body, err)) // structs of strings and numbers
	}
	return b.Bytes()
}

// text is the content of a text message.
func text(s string) string {
	return strings.TrimSuffix(string(encode(map[string]string{"content": s})), "\n")
}
