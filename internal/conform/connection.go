package conform

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net/http"
	"time"
)

// connectionChecks are about how the handler treats connections, and about
// serving more than one at a time.
var connectionChecks = []check{
	{
		name:  "connection-reused",
		rule:  "a connection serves one call after another",
		why:   "a new connection for every message costs a round trip each, more with TLS, and uses up ports",
		mend:  "speak HTTP/1.1 with Content-Length, without Connection: close, and read bodies to their end; PHP's built-in server cannot",
		needs: []string{answered},
		run: func(ctx context.Context, p *player) finding {
			client := newClient()
			defer client.CloseIdleConnections()
			const calls = 4
			reused := 0
			var e exchange
			for range calls {
				if e = p.playWith(ctx, client, p.before(harmlessText)); e.reused {
					reused++
				}
			}
			if reused == calls-1 {
				return pass()
			}
			got := fmt.Sprintf("%d of them on the connection of the one before", reused)
			if e.closes {
				got += "; the answer closes it"
			}
			return fail(fmt.Sprintf("beforeSendSingleMsg %d times, one after the other", calls), got)
		},
	},
	{
		name:  "not-delayed",
		rule:  "headers and body leave together",
		why:   "a body sent in a packet of its own waits some 40 ms for the acknowledgement of the headers, and so does every message",
		mend:  "switch on TCP_NODELAY or write the answer in one piece; Java: -Dsun.net.httpserver.nodelay=true, Python: disable_nagle_algorithm = True",
		needs: []string{"connection-reused"},
		run:   notDelayed,
	},
	{
		name:  "calls-back",
		rule:  "the handler answers another call while one of its callbacks calls the API",
		why:   "the server asks the handler in the middle of that API call; with one worker both wait for each other until the timeout",
		mend:  "serve calls in several threads or processes; PHP's built-in server has one worker unless PHP_CLI_SERVER_WORKERS is set",
		needs: []string{answered},
		run:   callsBack,
	},
	{
		name:  "concurrent",
		rule:  "a call is answered while another is still arriving",
		why:   "one slow connection stops all messages",
		mend:  "serve calls in several threads or processes, and put a server in front that reads requests whole",
		needs: []string{"calls-back"},
		run: func(ctx context.Context, p *player) finding {
			slow, err := p.begin(ctx, p.before(harmlessText))
			if err != nil {
				return fail("half of beforeSendSingleMsg", err.Error())
			}
			defer slow.close()
			client := newClient()
			defer client.CloseIdleConnections()
			e := p.playWith(ctx, client, p.before(harmlessText))
			return passIf(e.status != 0, "half of beforeSendSingleMsg, and on another connection a whole one", e)
		},
	},
	{
		name:  "body-in-pieces",
		rule:  "a body that arrives in pieces is read to its end",
		why:   "networks and proxies cut where they like",
		mend:  "read until Content-Length bytes are there; one read may give less",
		needs: []string{"concurrent"},
		run: func(ctx context.Context, p *player) finding {
			slow, err := p.begin(ctx, p.before(harmlessText))
			if err != nil {
				return fail("half of beforeSendSingleMsg", err.Error())
			}
			defer slow.close()
			// Its answer shows that the first half has been there for a while.
			p.play(ctx, p.before(harmlessText))
			e := slow.finish()
			return passIf(e.accepted(), "beforeSendSingleMsg in two pieces", e)
		},
	},
}

// notDelayed looks at the time between the headers of an answer and its end. The
// first answers of a connection are acknowledged at once, so they do not count.
func notDelayed(ctx context.Context, p *player) finding {
	const calls, counted, gross = 10, 6, 25 * time.Millisecond
	client := newClient()
	defer client.CloseIdleConnections()
	least := time.Hour
	for i := range calls {
		if e := p.playWith(ctx, client, p.before(harmlessText)); i >= calls-counted {
			least = min(least, e.gap)
		}
	}
	if least > gross {
		return fail(fmt.Sprintf("beforeSendSingleMsg %d times on one connection", calls),
			fmt.Sprintf("the body never came sooner than %s after the headers", least.Round(time.Millisecond)))
	}
	return pass()
}

// callsBack lets the handler call the API from inside a callback, and asks it
// something before the API answers.
func callsBack(ctx context.Context, p *player) finding {
	inner := make(chan exchange, 1)
	outer := p.before(harmlessText)
	outer.api = p.api.url
	p.api.watch(func() {
		client := newClient()
		defer client.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(ctx, p.options.Timeout/2)
		defer cancel()
		inner <- p.playWith(ctx, client, p.before(harmlessText))
	})
	e := p.play(ctx, outer)
	if !p.api.called() {
		return unobservable("the handler made no call into the API; see Conform-Api")
	}
	const sent = "beforeSendSingleMsg, and another one while the API serves the call that the handler made in answer to the first"
	if nested := <-inner; nested.status == 0 {
		return fail(sent, nested.String())
	}
	return passIf(e.accepted(), sent, e)
}

// slowCall is a request of which half was sent.
type slowCall struct {
	close  func()
	finish func() exchange
}

// begin sends the headers of a call and half of its body.
func (p *player) begin(ctx context.Context, c call) (*slowCall, error) {
	req, err := p.request(ctx, c, bytes.NewReader(c.body))
	if err != nil {
		return nil, err
	}
	var whole bytes.Buffer
	if err := req.Write(&whole); err != nil {
		return nil, fmt.Errorf("encode request: %w", err)
	}
	conn, err := p.dial(ctx)
	if err != nil {
		return nil, cause(err)
	}
	_ = conn.SetDeadline(time.Now().Add(4 * p.options.Timeout)) // a connection takes one
	cut := whole.Len() - len(c.body)/2
	raw := whole.Bytes()
	if _, err := conn.Write(raw[:cut]); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return &slowCall{
		close: func() { _ = conn.Close() },
		finish: func() (e exchange) {
			if _, e.err = conn.Write(raw[cut:]); e.err != nil {
				return e
			}
			return readAnswer(conn, req)
		},
	}, nil
}

func readAnswer(conn interface{ Read([]byte) (int, error) }, req *http.Request) (e exchange) {
	resp, err := http.ReadResponse(bufio.NewReader(conn), req)
	if err != nil {
		e.err = err
		return e
	}
	defer func() { _ = resp.Body.Close() }()
	e.status, e.header = resp.StatusCode, resp.Header
	var body bytes.Buffer
	_, e.err = body.ReadFrom(http.MaxBytesReader(nil, resp.Body, maxAnswer))
	e.body, e.broken = body.Bytes(), e.err != nil
	return e
}
