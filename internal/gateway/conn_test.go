package gateway

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"github.com/parley-im/parley/internal/auth"
	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/presence"
	"github.com/parley-im/parley/internal/store"
)

func emptyServer() *Server {
	return New(Options{Auth: auth.New(nil, auth.Options{}), Hub: NewHub(), Logger: slog.New(slog.DiscardHandler)})
}

// What ends a connection while its handshake is under way ends it when the
// handshake is done.
func TestEndDuringHandshake(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*conn){
		"closed":  func(c *conn) { c.close(closeSlow) },
		"drained": func(c *conn) { c.enqueueLast(nil, closeShutdown) },
		"kicked":  func(c *conn) { c.enqueueLast(textFrame("you are kicked"), closeKicked) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				s := emptyServer()
				c := s.newConn(arguments{userID: "a"}, netip.Addr{})
				end(c)
				ws, err := s.upgrader.Upgrade(w, r, nil)
				if err != nil {
					t.Error(err)
					return
				}
				c.attach(ws)
				c.start()
			}))
			defer web.Close()
			ws, resp, err := websocket.DefaultDialer.DialContext(t.Context(), "ws"+strings.TrimPrefix(web.URL, "http"), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			defer ws.Close()
			_ = ws.SetReadDeadline(time.Now().Add(10 * time.Second))
			for err == nil {
				_, _, err = ws.ReadMessage()
			}
			if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
				t.Error("the connection stays open")
			}
		})
	}
}

// Draining one connection whose sends are stuck must not hold up the others.
func TestDrainDoesNotWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := emptyServer().newConn(arguments{userID: "a"}, netip.Addr{})
		stuck := make(chan struct{})
		for range sendQueue + 1 { // one is under way, the queue is full
			c.submit(func() { <-stuck })
			synctest.Wait()
		}
		c.drain()
		c.mu.Lock()
		last := c.last
		c.mu.Unlock()
		if last {
			t.Error("drained before the sends that had begun")
		}
		close(stuck)
		synctest.Wait()
		c.mu.Lock()
		defer c.mu.Unlock()
		if !c.last {
			t.Error("not drained after them")
		}
	})
}

// A logout in the middle of a handshake, after the token was checked and before
// the connection can be found, ends it.
func TestLogoutDuringHandshake(t *testing.T) {
	t.Parallel()
	db, err := store.Open(t.Context(), store.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Write(t.Context(), func(tx *store.Tx) error { return tx.InsertUser(im.User{UserID: "a"}) }); err != nil {
		t.Fatal(err)
	}
	tokens := auth.New(db, auth.Options{Secret: []byte("test"), Expire: time.Hour, Policy: auth.PolicyPerPlatform})
	token, _, err := tokens.UserToken(t.Context(), "a", im.PlatformIOS)
	if err != nil {
		t.Fatal(err)
	}
	hub, log := NewHub(), slog.New(slog.DiscardHandler)
	online := presence.New(db, log, time.Now, func(userID string, platforms []im.Platform) {
		if len(platforms) == 0 {
			return
		}
		if err := tokens.ForceLogout(context.Background(), userID, im.PlatformIOS); err != nil {
			t.Error(err)
		}
		hub.Kick(context.Background(), userID, []im.Platform{im.PlatformIOS}, "")
	})
	s := New(Options{Auth: tokens, Presence: online, Hub: hub, Logger: log})
	web := httptest.NewServer(s)
	defer web.Close()
	q := url.Values{"sendID": {"a"}, "token": {token}, "platformID": {fmt.Sprint(int(im.PlatformIOS))}, "operationID": {"op"}}
	ws, resp, err := websocket.DefaultDialer.DialContext(t.Context(), "ws"+strings.TrimPrefix(web.URL, "http")+"/?"+q.Encode(), nil)
	if err == nil {
		_ = ws.Close()
		t.Fatal("connected with an ended token")
	}
	defer resp.Body.Close()
	if got := len(hub.Sessions("a")) + len(online.Platforms("a")) + int(s.count.Load()); got != 0 {
		t.Errorf("%d traces of the connection are left", got)
	}
	if err := s.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}

// hijacked hands out a connection that was not made by net/http.
type hijacked struct {
	http.ResponseWriter
	conn net.Conn
}

func (h hijacked) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return h.conn, bufio.NewReadWriter(bufio.NewReader(h.conn), bufio.NewWriter(h.conn)), nil
}

// A client that was slow to read for a moment is pinged again.
func TestPingAfterASlowWrite(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		s := emptyServer()
		c := s.newConn(arguments{userID: "a"}, netip.Addr{})
		go func() {
			r, err := http.ReadRequest(bufio.NewReader(near))
			if err != nil {
				t.Error(err)
				return
			}
			ws, err := s.upgrader.Upgrade(hijacked{httptest.NewRecorder(), near}, r, nil)
			if err != nil {
				t.Error(err)
				return
			}
			c.attach(ws)
			c.start()
		}()
		dialer := websocket.Dialer{NetDialContext: func(context.Context, string, string) (net.Conn, error) { return far, nil }}
		ws, resp, err := dialer.DialContext(t.Context(), "ws://server/", nil)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		synctest.Wait()
		pings := 0
		ws.SetPingHandler(func(string) error { pings++; return nil })
		time.Sleep(pingEvery - controlWait/2)
		c.enqueue(textFrame("slow to be read"))
		time.Sleep(2 * controlWait) // the ping meanwhile cannot be written
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			for {
				if _, _, err := ws.ReadMessage(); err != nil {
					return
				}
			}
		}()
		time.Sleep(2 * pingEvery)
		c.close(closeShutdown)
		<-ended
		if pings == 0 {
			t.Error("not pinged any more")
		}
		_ = far.Close()
	})
}
