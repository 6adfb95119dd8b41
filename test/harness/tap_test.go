package harness_test

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/parley-im/parley/test/harness"
)

// tapped is a server behind a tap, and what the tap reported.
func tapped(t *testing.T, h http.Handler) (tap *harness.Tap, seen chan harness.Request) {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	seen = make(chan harness.Request, 100)
	tap, err := harness.NewTap(server.URL, func(r harness.Request) { seen <- r })
	if err != nil {
		t.Fatal(err)
	}
	return tap, seen
}

func TestTapReadsCalls(t *testing.T) {
	tap, seen := tapped(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			_, err = w.Write(body)
		}
		if err != nil {
			t.Error(err)
		}
	}))
	for i := range 3 { // on one connection
		body := strings.Repeat("x", i*100_000)
		req, err := http.NewRequest(http.MethodPost, tap.URL+fmt.Sprint("/call/", i), strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("operationID", fmt.Sprint("op", i))
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || string(got) != body {
			t.Fatalf("call %d came back with %d bytes, %v", i, len(got), err)
		}
		if r, want := <-seen, (harness.Request{Name: fmt.Sprint("/call/", i), OperationID: fmt.Sprint("op", i)}); r != want {
			t.Errorf("saw %+v, want %+v", r, want)
		}
	}
	if err := tap.Close(); err != nil {
		t.Error(err)
	}
}

// socket is a server that takes any upgrade, and hands out the bytes after it.
func socket(t *testing.T, got chan<- []byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, buffered, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = conn.Close() }()
		if _, err := io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"); err != nil {
			t.Error(err)
		}
		all, err := io.ReadAll(buffered)
		if err != nil && !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
		got <- all
	})
}

// frame is a client's, masked.
func frame(first byte, payload []byte) []byte {
	mask := [4]byte{1, 2, 3, 4}
	out := []byte{first}
	switch n := len(payload); {
	case n < 126:
		out = append(out, 0x80|byte(n))
	case n < 1<<16:
		out = binary.BigEndian.AppendUint16(append(out, 0x80|126), uint16(n))
	default:
		out = binary.BigEndian.AppendUint64(append(out, 0x80|127), uint64(n))
	}
	out = append(out, mask[:]...)
	for i, b := range payload {
		out = append(out, b^mask[i%4])
	}
	return out
}

func TestTapReadsSocketRequests(t *testing.T) {
	type envelope struct {
		ReqIdentifier int
		OperationID   string
		Data          []byte
	}
	zipped := func(e envelope) []byte {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		if err := gob.NewEncoder(z).Encode(e); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	const text, binaryFrame, ping, final = 1, 2, 9, 0x80
	noise := make([]byte, 200_000) // too much for a short frame, however it is packed
	for i := range noise {
		noise[i] = byte(i * i >> 3)
	}
	long := zipped(envelope{1003, "op2", noise})
	sent := slices.Concat(
		frame(final|binaryFrame, zipped(envelope{ReqIdentifier: 1001, OperationID: "op1"})),
		frame(final|ping, []byte("?")),
		frame(binaryFrame, long[:100]), frame(final|ping, nil), frame(0, long[100:300]), frame(final, long[300:]),
		frame(final|text, []byte(`{"reqIdentifier":2005,"operationID":"op3"}`)),
		frame(final|text, []byte(`{"type":"ping"}`)),
		frame(final|binaryFrame, []byte("no gzip")),
	)
	got := make(chan []byte, 1)
	tap, seen := tapped(t, socket(t, got))
	at, err := url.Parse(tap.URL)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", at.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, "GET /?sendID=alice&platformID=3&compression=gzip HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write(sent); err != nil {
		t.Fatal(err)
	}
	for _, want := range []harness.Request{
		{Name: "1001", OperationID: "op1", UserID: "alice", Platform: 3},
		{Name: "1003", OperationID: "op2", UserID: "alice", Platform: 3},
		{Name: "2005", OperationID: "op3", UserID: "alice", Platform: 3},
	} {
		if r := <-seen; r != want {
			t.Errorf("saw %+v, want %+v", r, want)
		}
	}
	_ = conn.Close()
	if all := <-got; !bytes.Equal(all, sent) {
		t.Errorf("the server got %d bytes, want the %d that were sent", len(all), len(sent))
	}
	if err := tap.Close(); err == nil || !strings.Contains(err.Error(), "alice") {
		t.Errorf("what could not be read is reported as %v", err)
	}
}
