package console

import (
	"bufio"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// socket is a long connection that only listens: enough to be online, and to see
// that it ends.
type socket struct {
	t    *testing.T
	conn net.Conn
	r    *bufio.Reader
}

func dialSocket(t *testing.T, w *world, userID string) *socket {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.WS, "ws://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	query := url.Values{"sendID": {userID}, "token": {w.token[userID]}, "platformID": {"5"}, "operationID": {"op"}}
	key := base64.StdEncoding.EncodeToString([]byte(rand.Text()[:16]))
	fmt.Fprintf(conn, "GET /?%s HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n\r\n", query.Encode(), key)
	r := bufio.NewReader(conn)
	resp, err := http.ReadResponse(r, nil)
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("connect %s: %v %v", userID, resp, err)
	}
	return &socket{t, conn, r}
}

// ended waits for the end of the connection.
func (s *socket) ended() error {
	s.t.Helper()
	for {
		if _, err := io.CopyN(io.Discard, s.r, 1); err != nil {
			return err
		}
	}
}
