package harness

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync"
)

// maxTapped bounds one message of a tapped socket, inflated.
const maxTapped = 16 << 20

// Request is one thing a client asked the server.
type Request struct {
	Name        string // the path of a REST call, the identifier of a socket request
	OperationID string
	UserID      string // of the socket it came by; empty for REST
	Platform    int    // the same
}

// Tap stands between clients and a server. It passes every byte on as it is, in
// both directions, and reports what it reads of the clients' requests.
type Tap struct {
	URL string // what clients take for the server; has the server's scheme

	listener net.Listener
	server   string
	seen     func(Request)

	mu     sync.Mutex
	open   map[net.Conn]bool // nil when closed
	failed error
	ended  sync.WaitGroup
}

// NewTap listens in place of the server at the given address. seen may be called
// from several goroutines at once, and is called before or while the server gets
// the request.
func NewTap(server string, seen func(Request)) (*Tap, error) {
	at, err := url.Parse(server)
	if err != nil {
		return nil, fmt.Errorf("tap: %w", err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("tap: %w", err)
	}
	t := &Tap{
		URL: at.Scheme + "://" + listener.Addr().String(), listener: listener, server: at.Host, seen: seen,
		open: make(map[net.Conn]bool),
	}
	t.ended.Go(t.accept)
	return t, nil
}

// Close ends all connections and says whether a client sent something that could
// not be read.
func (t *Tap) Close() error {
	_ = t.listener.Close()
	t.mu.Lock()
	for conn := range t.open {
		_ = conn.Close()
	}
	t.open = nil
	t.mu.Unlock()
	t.ended.Wait()
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.failed
}

func (t *Tap) accept() {
	for {
		client, err := t.listener.Accept()
		if err != nil {
			return
		}
		t.ended.Go(func() { t.pass(client) })
	}
}

// hold keeps a connection for Close; it reports false if that was called.
func (t *Tap) hold(conn net.Conn) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.open == nil {
		_ = conn.Close()
		return false
	}
	t.open[conn] = true
	return true
}

func (t *Tap) release(conn net.Conn) {
	_ = conn.Close()
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.open, conn)
}

func (t *Tap) pass(client net.Conn) {
	if !t.hold(client) {
		return
	}
	defer t.release(client)
	server, err := net.Dial("tcp", t.server)
	if err != nil {
		return // as refused as the server would have
	}
	if !t.hold(server) {
		return
	}
	defer t.release(server)

	read, copied := io.Pipe()
	t.ended.Go(func() {
		t.read(read)
		// What cannot be understood is passed on all the same.
		_, _ = io.Copy(io.Discard, read)
	})
	t.ended.Go(func() {
		_, _ = io.Copy(client, server)
		_ = client.Close()
	})
	_, _ = io.Copy(io.MultiWriter(copied, server), client)
	_ = copied.Close()
}

// read reports the requests of one connection, until its end or the first thing
// it does not understand.
func (t *Tap) read(from io.Reader) {
	in := bufio.NewReader(from)
	for {
		req, err := http.ReadRequest(in)
		if err != nil {
			t.unreadable("request line", err)
			return
		}
		if req.Header.Get("Upgrade") != "" {
			t.readSocket(in, req.URL.Query())
			return
		}
		if _, err := io.Copy(io.Discard, req.Body); err != nil {
			t.unreadable("body of "+req.URL.Path, err)
			return
		}
		if req.Method != http.MethodOptions {
			t.seen(Request{Name: req.URL.Path, OperationID: req.Header.Get("operationID")})
		}
	}
}

// unreadable notes what a connection could not be read for, unless that is its end,
// which may come anywhere.
func (t *Tap) unreadable(what string, err error) {
	if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		t.note(what, err)
	}
}

// note keeps the first thing that could not be read.
func (t *Tap) note(what string, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.failed == nil {
		t.failed = fmt.Errorf("tap: %s: %w", what, err)
	}
}

func (t *Tap) readSocket(in *bufio.Reader, query url.Values) {
	platform, _ := strconv.Atoi(query.Get("platformID")) // the server's to judge
	by := Request{UserID: query.Get("sendID"), Platform: platform}
	zipped := query.Get("compression") == "gzip"
	for {
		binaryFrame, message, err := readMessage(in)
		if err != nil {
			t.unreadable("frame", err)
			return
		}
		if message == nil {
			continue
		}
		req, err := decodeRequest(binaryFrame, zipped, message)
		if err != nil {
			t.note(fmt.Sprintf("socket request of %s, %d bytes", by.UserID, len(message)), err)
			continue
		}
		if req.ReqIdentifier == 0 {
			continue // a heartbeat as text
		}
		by.Name, by.OperationID = strconv.Itoa(req.ReqIdentifier), req.OperationID
		t.seen(by)
	}
}

// socketRequest is the part of a request's envelope that is looked at.
type socketRequest struct {
	ReqIdentifier int
	OperationID   string
}

func decodeRequest(binaryFrame, zipped bool, message []byte) (req socketRequest, err error) {
	if zipped && binaryFrame {
		inflate, err := gzip.NewReader(bytes.NewReader(message))
		if err != nil {
			return req, err
		}
		if message, err = io.ReadAll(io.LimitReader(inflate, maxTapped)); err != nil {
			return req, err
		}
	}
	if bytes.HasPrefix(message, []byte("{")) {
		return req, json.Unmarshal(message, &req)
	}
	return req, gob.NewDecoder(bytes.NewReader(message)).Decode(&req)
}

// readMessage puts the frames of one message together (RFC 6455, 5.2). It gives
// nil for a control frame, which may stand between them only before the first.
func readMessage(in *bufio.Reader) (binaryFrame bool, message []byte, err error) {
	const final, opcode, masked, text = 0x80, 0x0f, 0x80, 1
	for {
		var head [2]byte
		if _, err := io.ReadFull(in, head[:]); err != nil {
			return false, nil, err
		}
		length := uint64(head[1] &^ masked)
		if long := map[uint64]int{126: 2, 127: 8}[length]; long > 0 {
			var size [8]byte
			if _, err := io.ReadFull(in, size[8-long:]); err != nil {
				return false, nil, err
			}
			length = binary.BigEndian.Uint64(size[:])
		}
		if uint64(len(message))+length > maxTapped {
			return false, nil, fmt.Errorf("%d bytes", length)
		}
		var mask [4]byte
		if head[1]&masked != 0 {
			if _, err := io.ReadFull(in, mask[:]); err != nil {
				return false, nil, err
			}
		}
		payload := make([]byte, length)
		if _, err := io.ReadFull(in, payload); err != nil {
			return false, nil, err
		}
		for i := range payload {
			payload[i] ^= mask[i%len(mask)]
		}
		switch kind := head[0] & opcode; {
		case kind >= 8: // control
			if message == nil {
				return false, nil, nil
			}
			continue
		case kind != 0:
			binaryFrame = kind != text
		}
		if message = append(message, payload...); head[0]&final != 0 {
			return binaryFrame, message, nil
		}
	}
}
