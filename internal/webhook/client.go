package webhook

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/url"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/parley-im/parley/hooks/signature"
	"github.com/parley-im/parley/internal/trace"
)

// maxAnswer is the most of an answer that is read, decompressed.
const maxAnswer = 1 << 20

// client posts to handlers through one pool of connections.
type client struct {
	http *http.Client
}

type request struct {
	url         string
	operationID string
	eventID     string    // webhook-id, "" for none
	at          time.Time // webhook-timestamp
	keys        []signature.Key
	body        []byte
}

// response is as much of an answer as came. With an error beside it the body is
// what was read before.
type response struct {
	status     int
	body       []byte
	truncated  bool // more than maxAnswer
	location   string
	retryAfter string
	peer       netip.Addr // of the connection, also when no answer came

	// As they went over the wire; nil for what did not.
	sent, header http.Header
}

func newClient(g guard, anyCertificate bool, listen http.RoundTripper) *client {
	dialer := &net.Dialer{Timeout: 3 * time.Second, KeepAlive: 30 * time.Second, Control: g.control}
	transport := &http.Transport{
		// Proxy stays nil: proxy variables are for the outside world, and the
		// business server is not there.
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dialer.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return &countingConn{Conn: conn}, nil
		},
		MaxIdleConns:           1000,
		MaxIdleConnsPerHost:    256,
		IdleConnTimeout:        60 * time.Second,
		TLSClientConfig:        &tls.Config{InsecureSkipVerify: anyCertificate}, //nolint:gosec // the operator's choice, warned about at start
		TLSHandshakeTimeout:    5 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
	}
	if listen != nil {
		transport.RegisterProtocol(ListenScheme, listen)
	}
	return &client{http: &http.Client{
		Transport: transport,
		CheckRedirect: func(next *http.Request, via []*http.Request) error {
			// 301, 302 and 303 would turn the POST into a GET without a body.
			switch next.Response.StatusCode {
			case http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
				if len(via) < 5 {
					return nil
				}
			}
			return http.ErrUseLastResponse
		},
	}}
}

// post makes one call. ctx bounds all of it, reading the answer included. When
// a pooled connection turns out dead before anything was written to it, the
// call is made once more on another.
func (c *client) post(ctx context.Context, r request) (response, error) {
	resp, untouched, err := c.try(ctx, r)
	if err != nil && untouched && ctx.Err() == nil {
		resp, _, err = c.try(ctx, r)
	}
	return resp, err
}

// try reports by untouched that a pooled connection failed without a byte
// having been written: the handler cannot have seen the call.
func (c *client) try(ctx context.Context, r request) (_ response, untouched bool, err error) {
	var conn *countingConn
	var before int64
	var peer netip.Addr
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) {
		if tcp, ok := info.Conn.RemoteAddr().(*net.TCPAddr); ok {
			peer = tcp.AddrPort().Addr().Unmap()
		}
		if conn = countingConnOf(info.Conn); conn != nil && info.Reused {
			before = conn.written.Load()
			return
		}
		conn = nil
	}})
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url, bytes.NewReader(r.body))
	if err != nil {
		return response{}, false, fmt.Errorf("make request: %w", err)
	}
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	req.Header.Set("Operationid", headerValue(r.operationID))
	if parent := trace.Header(ctx); parent != "" {
		req.Header.Set("Traceparent", parent)
	}
	if r.eventID != "" {
		signature.Set(req.Header, r.eventID, r.at, r.body, r.keys...)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		if wrapped, ok := errors.AsType[*url.Error](err); ok {
			err = wrapped.Err // without the address, whose query may hold a token
		}
		return response{peer: peer, sent: req.Header}, conn != nil && conn.written.Load() == before, err
	}
	defer resp.Body.Close()
	out := response{peer: peer, sent: req.Header, header: resp.Header, status: resp.StatusCode, location: resp.Header.Get("Location"), retryAfter: resp.Header.Get("Retry-After")}
	out.body, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if len(out.body) > maxAnswer {
		out.body, out.truncated = out.body[:maxAnswer], true
	}
	if err != nil {
		return out, false, fmt.Errorf("read answer: %w", err)
	}
	return out, false, nil
}

// countingConn counts what was written, to tell a connection that died while it
// was idle from one that died of us.
type countingConn struct {
	net.Conn
	written atomic.Int64
}

func (c *countingConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.written.Add(int64(n))
	return n, err
}

func countingConnOf(conn net.Conn) *countingConn {
	if t, ok := conn.(*tls.Conn); ok {
		conn = t.NetConn()
	}
	c, _ := conn.(*countingConn)
	return c
}

// headerValue drops what may not stand in a header; operation ids come from
// clients.
func headerValue(s string) string {
	clean := make([]byte, 0, len(s))
	for i := range len(s) {
		if c := s[i]; c == '\t' || c >= ' ' && c != 0x7f {
			clean = append(clean, c)
		}
	}
	return string(clean)
}

// causeOf says in a few words why a call failed, for the caller of the
// operation: no address, no internals.
func causeOf(err error) string {
	var timeout *timeoutError
	var certificate *tls.CertificateVerificationError
	var unknownCA x509.UnknownAuthorityError
	var record tls.RecordHeaderError
	var dns *net.DNSError
	var denied *deniedError
	var held *refusedError
	switch {
	case errors.As(err, &timeout):
		return timeout.Error()
	case errors.Is(err, errSaturated):
		return errSaturated.Error()
	case errors.As(err, &held):
		return held.public
	case errors.As(err, &denied):
		return "address not allowed"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, syscall.ETIMEDOUT):
		return "timeout"
	case errors.Is(err, context.Canceled):
		return "interrupted"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "connection reset"
	case errors.As(err, &dns):
		return "host not found"
	case errors.As(err, &certificate), errors.As(err, &unknownCA), errors.As(err, &record):
		return "TLS failed"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "connection closed before the answer was complete"
	default:
		return "call failed"
	}
}

// timeoutError says which time was up.
type timeoutError struct {
	after  time.Duration
	shared bool // cut short by the operation's deadline
	own    bool // the handler asked for the operation
}

func (e *timeoutError) Error() string {
	text := fmt.Sprintf("timeout after %s", e.after)
	if e.shared {
		text += ": the time of the whole operation was up"
	}
	if e.own {
		text += "; " + OwnRequest
	}
	return text
}
