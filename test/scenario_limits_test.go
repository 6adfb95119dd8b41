package test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/gorilla/websocket"
	"github.com/openimsdk/protocol/sdkws"
)

// peer is a client at an address of its own on loopback.
type peer struct {
	n    *node
	dial *net.Dialer
	http *http.Client
}

func (n *node) peer(t *testing.T, ip string) *peer {
	t.Helper()
	dial := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(ip)}}
	transport := &http.Transport{DialContext: dial.DialContext}
	t.Cleanup(transport.CloseIdleConnections)
	return &peer{n, dial, &http.Client{Transport: transport}}
}

// answer is what an HTTP request is answered with.
type answer struct {
	refusal
	status     int
	retryAfter string
	header     http.Header
}

// do makes a request with headers given as name, value, name, value …
func (p *peer) do(t *testing.T, method, path, body string, headers ...string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, p.n.API+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("operationID", "limits")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := p.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	out := answer{status: resp.StatusCode, retryAfter: resp.Header.Get("Retry-After"), header: resp.Header}
	if bytes.HasPrefix(raw, []byte("{")) {
		if err := json.Unmarshal(raw, &out.refusal); err != nil {
			t.Fatalf("%s: %v in %q", path, err, raw)
		}
	}
	return out
}

// ask makes a cheap request that every user may make.
func (p *peer) ask(t *testing.T, token string, headers ...string) answer {
	t.Helper()
	return p.do(t, http.MethodPost, "/msg/get_server_time", "{}", append(headers, "token", token)...)
}

// untilRefused repeats what a limit of one a second must end soon.
func untilRefused(t *testing.T, what string, ask func(i int) answer) answer {
	t.Helper()
	for i := range 1000 {
		if a := ask(i); a.status != http.StatusOK || a.ErrCode == 429 {
			return a
		}
	}
	t.Fatalf("%s: a thousand were allowed", what)
	return answer{}
}

// tooMany checks the answer of a limit.
func (a answer) tooMany(t *testing.T, detail string) {
	t.Helper()
	if a.status != http.StatusTooManyRequests || a.ErrCode != 429 || a.ErrMsg != "too many requests..." || !strings.Contains(a.ErrDlt, detail) {
		t.Errorf("refused with %d %+v, want 429 about %q", a.status, a.refusal, detail)
	}
	if seconds, err := strconv.Atoi(a.retryAfter); err != nil || seconds < 1 {
		t.Errorf("Retry-After %q", a.retryAfter)
	}
}

// connect shakes hands and returns the connection, or the refusal.
func (p *peer) connect(t *testing.T, userID, token string, platformID int, headers http.Header) (*websocket.Conn, refusal) {
	t.Helper()
	q := jsonQuery(userID, token, platformID)
	q.Set("isMsgResp", "false")
	dialer := websocket.Dialer{NetDialContext: p.dial.DialContext}
	conn, resp, err := dialer.DialContext(t.Context(), p.n.WS+"?"+q.Encode(), headers)
	if err == nil {
		t.Cleanup(func() { _ = conn.Close() })
		return conn, refusal{}
	}
	if resp == nil {
		t.Fatal(err)
	}
	raw, readErr := io.ReadAll(resp.Body) // the dialer keeps its beginning
	var r refusal
	if err := json.Unmarshal(raw, &r); err != nil || readErr != nil || resp.StatusCode != http.StatusOK || r.ErrCode == 0 {
		t.Fatalf("handshake answered %d %q", resp.StatusCode, raw)
	}
	return nil, r
}

// use gives a running node another parley.yml.
func (n *node) use(text string) {
	n.t.Helper()
	n.write("parley.yml", text)
	n.run("config", "reload")
}

// TestLimits: every limit of parley.yml refuses clearly whom it concerns and
// nobody else, changes while the server runs, and cannot be talked round.
func TestLimits(t *testing.T) {
	t.Parallel()
	n := startNode(t, setup{files: map[string]string{"parley.yml": "strict: false\n"}})
	n.register(t, "alice", "bob", "carol")
	tokens := map[string]string{}
	for _, userID := range []string{"alice", "bob", "carol"} {
		tokens[userID] = n.token(t, userID, platformIOS)
	}
	one, two, three := n.peer(t, "127.0.0.11"), n.peer(t, "127.0.0.12"), n.peer(t, "127.0.0.13")
	served := func(who string, a answer) {
		t.Helper()
		if a.status != http.StatusOK || a.refusal != (refusal{}) {
			t.Errorf("%s is refused: %d %+v", who, a.status, a.refusal)
		}
	}

	n.use("limits: {requestsPerUser: 1}\n")
	untilRefused(t, "requests of a user", func(int) answer { return one.ask(t, tokens["alice"]) }).tooMany(t, "more than 1 requests a second of one user")
	served("another user", one.ask(t, tokens["bob"]))
	for range 100 {
		served("an administrator", one.ask(t, n.admin))
	}

	n.use("limits: {requestsPerUser: 0, requestsPerAddress: 1}\n")
	untilRefused(t, "requests with made-up addresses", func(i int) answer {
		fake := fmt.Sprintf("198.51.100.%d", i%250)
		return one.ask(t, tokens["alice"], "X-Forwarded-For", fake, "X-Real-IP", fake, "Forwarded", "for="+fake)
	}).tooMany(t, "from one address")
	served("another address", two.ask(t, tokens["alice"]))
	for range 100 {
		served("an administrator at the same address", one.ask(t, n.admin))
	}
	if a := untilRefused(t, "transfers", func(int) answer {
		a := three.do(t, http.MethodGet, "/object/alice/nothing", "")
		if a.status == http.StatusNotFound {
			a.status = http.StatusOK
		}
		return a
	}); a.status != http.StatusTooManyRequests || a.retryAfter == "" {
		t.Errorf("a transfer is refused with %d", a.status)
	}

	// From a proxy that is trusted they are addresses, and not from others.
	n.use("limits: {requestsPerUser: 0, requestsPerAddress: 1}\nedge: {trustedProxies: [127.0.0.11/32]}\n")
	for i := range 100 {
		served("each client of a proxy", one.ask(t, tokens["alice"], "X-Forwarded-For", fmt.Sprintf("127.0.0.11, 198.51.100.%d", i)))
	}
	untilRefused(t, "one client of a proxy", func(i int) answer {
		return one.ask(t, tokens["alice"], "X-Forwarded-For", fmt.Sprintf("198.51.100.%d, 203.0.113.7", i%250))
	}).tooMany(t, "from one address")
	untilRefused(t, "somebody who is no proxy", func(i int) answer {
		return two.ask(t, tokens["alice"], "X-Forwarded-For", fmt.Sprintf("198.51.100.%d", i%250))
	}).tooMany(t, "from one address")
	n.use("limits: {requestsPerUser: 0, requestsPerAddress: 1, exemptAddresses: [127.0.0.12]}\n")
	for range 100 {
		served("an exempt address", two.ask(t, tokens["alice"]))
	}

	t.Run("guessing", func(t *testing.T) {
		n.use("limits: {failuresPerAddress: 3}\n")
		guess := func(p *peer, secret string) answer {
			return p.do(t, http.MethodPost, "/auth/get_admin_token", fmt.Sprintf(`{"secret":%q,"userID":"imAdmin"}`, secret))
		}
		if a := guess(one, "wrong"); a.ErrCode != 1002 {
			t.Errorf("a wrong secret: %+v", a)
		}
		for a := guess(one, "wrong"); a.ErrCode != 429; a = guess(one, "wrong") {
			if a.ErrCode != 1002 {
				t.Fatalf("a wrong secret: %+v", a)
			}
		}
		// Three a minute: half of the time of the next one is left to us.
		guess(one, n.Secret).tooMany(t, "failed attempts a minute")
		if a := guess(two, n.Secret); a.ErrCode != 0 {
			t.Errorf("from another address: %+v", a)
		}
		served("who has a token", one.ask(t, tokens["alice"]))
		if conn, r := one.connect(t, "alice", tokens["alice"], platformIOS, nil); conn == nil {
			t.Errorf("who has a token cannot connect: %+v", r)
		}
		forged := tokens["alice"][:len(tokens["alice"])-4] + "AAAA"
		untilRefused(t, "forged tokens", func(int) answer {
			a := three.ask(t, forged)
			if a.status == http.StatusOK && a.ErrCode != 1505 {
				t.Fatalf("a forged token: %+v", a)
			}
			return a
		}).tooMany(t, "failed attempts a minute")
		if _, r := three.connect(t, "alice", forged, platformIOS, nil); r.ErrCode != 429 {
			t.Errorf("a forged token in a handshake: %+v", r)
		}
	})

	t.Run("connections", func(t *testing.T) {
		platforms := []int{1, 2, 3, 5, 6}
		open := func(p *peer, userID string, i int) (*websocket.Conn, refusal) {
			t.Helper()
			return p.connect(t, userID, n.token(t, userID, platforms[i]), platforms[i], nil)
		}
		n.use("limits: {connectionsPerUser: 2}\n")
		first, _ := open(one, "bob", 0)
		if second, r := open(two, "bob", 1); first == nil || second == nil {
			t.Fatalf("two connections: %+v", r)
		}
		if _, r := open(three, "bob", 2); r.ErrCode != 1601 || !strings.Contains(r.ErrDlt, "2 connections") {
			t.Errorf("the third connection of a user: %+v", r)
		}
		_ = first.Close()
		poll(t, "room for another", func() bool { c, _ := open(three, "bob", 2); return c != nil })

		n.use("limits: {connectionsPerAddress: 2}\n")
		four := n.peer(t, "127.0.0.14")
		first, _ = open(four, "alice", 3)
		if second, r := open(four, "carol", 4); first == nil || second == nil {
			t.Fatalf("two connections: %+v", r)
		}
		if _, r := open(four, "carol", 2); r.ErrCode != 1601 || !strings.Contains(r.ErrDlt, "from this address") {
			t.Errorf("the third connection of an address: %+v", r)
		}
		if c, r := four.connect(t, "imAdmin", n.admin, 10, nil); c == nil {
			t.Errorf("an administrator: %+v", r)
		} else {
			_ = c.Close()
		}
		if c, r := open(n.peer(t, "127.0.0.15"), "carol", 2); c == nil {
			t.Errorf("another address: %+v", r)
		}
		_ = first.Close()
		poll(t, "room for another", func() bool { c, _ := open(four, "carol", 1); return c != nil })

		n.use("limits: {handshakesPerAddress: 1}\n")
		five := n.peer(t, "127.0.0.16")
		untilRefused(t, "handshakes", func(int) answer {
			_, r := five.connect(t, "alice", "no token", platformIOS, nil)
			return answer{refusal: r, status: http.StatusOK}
		})
		if c, r := open(n.peer(t, "127.0.0.17"), "carol", 1); c == nil {
			t.Errorf("another address: %+v", r)
		}
	})

	t.Run("frames", func(t *testing.T) {
		n.use("limits: {framesPerConnection: 1}\n")
		alice := n.device(t, "alice", platformMiniWeb)
		untilRefused(t, "frames", func(int) answer {
			resp := alice.reply(alice.write(reqNewestSeq, "frames", &sdkws.GetMaxSeqReq{UserID: "alice"}))
			return answer{refusal: refusal{ErrCode: resp.ErrCode, ErrMsg: resp.ErrMsg}, status: http.StatusOK}
		})
		n.use("limits: {framesPerConnection: 0}\n")
		if resp := alice.reply(alice.write(reqNewestSeq, "frames", &sdkws.GetMaxSeqReq{UserID: "alice"})); resp.ErrCode != 0 {
			t.Errorf("without the limit: %+v", resp)
		}
	})

	t.Run("bodies", func(t *testing.T) {
		large := `{"secret":"` + strings.Repeat("x", 65<<10) + `"}`
		if a := n.peer(t, "127.0.0.18").do(t, http.MethodPost, "/auth/parse_token", large); a.status != http.StatusRequestEntityTooLarge {
			t.Errorf("from somebody unknown: %d %+v", a.status, a.refusal)
		}
		if a := one.do(t, http.MethodPost, "/user/get_users_info", large, "token", tokens["alice"]); a.status != http.StatusOK {
			t.Errorf("from a user: %d %+v", a.status, a.refusal)
		}
	})
}

// TestOrigins: pages of all origins may call until some are listed; apps that are
// no page are never concerned.
func TestOrigins(t *testing.T) {
	t.Parallel()
	n := startNode(t, setup{files: map[string]string{"parley.yml": "strict: false\n"}})
	n.register(t, "alice")
	token := n.token(t, "alice", platformIOS)
	p := n.peer(t, "127.0.0.21")
	may := func(origin string) (calls, connects bool) {
		t.Helper()
		headers := http.Header{}
		var pairs []string
		if origin != "" {
			headers.Set("Origin", origin)
			pairs = []string{"Origin", origin}
		}
		conn, r := p.connect(t, "alice", token, platformIOS, headers)
		if conn == nil && r.ErrCode != 1002 {
			t.Errorf("origin %q: handshake refused with %+v", origin, r)
		}
		allowed := p.ask(t, token, pairs...).header.Get("Access-Control-Allow-Origin")
		if preflight := p.do(t, http.MethodOptions, "/msg/get_server_time", "", pairs...); preflight.header.Get("Access-Control-Allow-Origin") != allowed {
			t.Errorf("origin %q: the preflight says %q, the request %q", origin, preflight.header.Get("Access-Control-Allow-Origin"), allowed)
		}
		return allowed == "*" || allowed == origin && origin != "", conn != nil
	}
	const ours, others = "https://app.example.com", "https://evil.example.org"
	for _, origin := range []string{"", ours, others} {
		if calls, connects := may(origin); !calls || !connects {
			t.Errorf("by default, origin %q: calls %v, connects %v", origin, calls, connects)
		}
	}
	n.use("edge: {allowedOrigins: ['https://*.example.com']}\n")
	if calls, connects := may(ours); !calls || !connects {
		t.Errorf("a listed origin: calls %v, connects %v", calls, connects)
	}
	if calls, connects := may(others); calls || connects {
		t.Errorf("another origin: calls %v, connects %v", calls, connects)
	}
	if _, connects := may(""); !connects {
		t.Error("an app that is no page cannot connect")
	}
}

// TestLoadIsShed: with ratelimiter of openim-api.yml calls are refused while the CPU
// is busy and more is under way than gets done; the threshold of one per mille makes
// every CPU a busy one.
func TestLoadIsShed(t *testing.T) {
	t.Parallel()
	b := startBusiness(t)
	released := make(chan struct{})
	b.on(cmdBeforeSingle, hangsUntil(released, approval))
	n := startNode(t, setup{files: map[string]string{
		"openim-api.yml": "ratelimiter: {enable: true, cpuThreshold: 1}\n",
		"webhooks.yml":   "url: " + b.URL + "\nbeforeDeadline: 60s\nbeforeSendSingleMsg: {enable: true, timeout: 60, failedContinue: false}\n",
	}})
	n.register(t, "alice", "bob")
	const waiting = 12
	var answered sync.WaitGroup
	for i := range waiting {
		answered.Go(func() {
			// At first nothing is known of what gets done, or not enough.
			for {
				r, err := n.rest(t.Context(), "load", "/msg/send_msg", map[string]any{
					"sendID": "alice", "recvID": "bob", "senderPlatformID": platformIOS, "content": map[string]any{"content": fmt.Sprint(i)},
					"contentType": contentText, "sessionType": singleChat,
				}, nil)
				if err == nil && r.ErrCode == 429 {
					continue
				}
				if err != nil || r.ErrCode != 0 {
					t.Errorf("a send that was begun: %+v, %v", r, err)
				}
				return
			}
		})
	}
	b.awaitCount(t, 2, cmdBeforeSingle)
	p := n.peer(t, "127.0.0.31")
	var a answer
	poll(t, "a call to be refused", func() bool { a = p.ask(t, n.admin); return a.status != http.StatusOK })
	a.tooMany(t, "busy")
	if a.header.Get("X-RateLimit-Policy") != "BBR" || a.header.Get("X-RateLimit-Remaining") != "0" || a.header.Get("X-RateLimit-Limit") == "" {
		t.Errorf("headers %v", a.header)
	}
	// Who waits on purpose, and the files, are not concerned.
	if a := p.do(t, http.MethodGet, "/healthz", ""); a.status != http.StatusOK {
		t.Errorf("healthz: status %d", a.status)
	}
	close(released)
	answered.Wait()
	poll(t, "calls to be taken again", func() bool { return p.ask(t, n.admin).status == http.StatusOK })
}
