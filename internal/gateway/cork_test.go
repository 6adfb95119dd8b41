package gateway

import (
	"bytes"
	"errors"
	"net"
	"slices"
	"sync"
	"testing"
	"time"
)

// recordedConn keeps every write apart.
type recordedConn struct {
	net.Conn
	mu        sync.Mutex
	writes    [][]byte
	deadlines []time.Time
	err       error
}

func (c *recordedConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return 0, c.err
	}
	c.writes = append(c.writes, bytes.Clone(p))
	return len(p), nil
}

func (c *recordedConn) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deadlines = append(c.deadlines, t)
	return nil
}

func TestCorkKeepsItsDeadline(t *testing.T) {
	t.Parallel()
	under := new(recordedConn)
	c := &corkConn{Conn: under}
	batch, heartbeat := time.Unix(1000, 0), time.Unix(1, 0)
	if err := c.cork(batch); err != nil {
		t.Fatal(err)
	}
	if err := c.SetWriteDeadline(heartbeat); err != nil {
		t.Fatal(err)
	}
	if err := c.uncork(); err != nil {
		t.Fatal(err)
	}
	if err := c.SetWriteDeadline(heartbeat); err != nil {
		t.Fatal(err)
	}
	if want := []time.Time{batch, heartbeat}; !slices.Equal(under.deadlines, want) {
		t.Errorf("deadlines %v, want %v", under.deadlines, want)
	}
}

func mustCork(t *testing.T, c *corkConn) {
	t.Helper()
	if err := c.cork(time.Now()); err != nil {
		t.Fatal(err)
	}
}

func TestCorkGathersWrites(t *testing.T) {
	t.Parallel()
	under := new(recordedConn)
	c := &corkConn{Conn: under}
	write := func(text string) {
		if n, err := c.Write([]byte(text)); n != len(text) || err != nil {
			t.Fatalf("write %q: %d, %v", text, n, err)
		}
	}
	write("a")
	mustCork(t, c)
	write("b")
	write("c")
	if len(under.writes) != 1 {
		t.Errorf("%d writes while corked", len(under.writes)-1)
	}
	if err := c.uncork(); err != nil {
		t.Fatal(err)
	}
	write("d")
	mustCork(t, c)
	if err := c.uncork(); err != nil { // of nothing
		t.Fatal(err)
	}
	if got := string(bytes.Join(under.writes, []byte("|"))); got != "a|bc|d" {
		t.Errorf("got %s", got)
	}
}

func TestCorkIsBounded(t *testing.T) {
	t.Parallel()
	under := new(recordedConn)
	c := &corkConn{Conn: under}
	mustCork(t, c)
	chunk := bytes.Repeat([]byte("x"), corkLimit/4)
	for range 4 {
		if _, err := c.Write(chunk); err != nil {
			t.Fatal(err)
		}
	}
	if len(under.writes) != 0 {
		t.Errorf("%d writes up to the limit", len(under.writes))
	}
	if _, err := c.Write([]byte("more")); err != nil {
		t.Fatal(err)
	}
	if len(under.writes) == 0 || len(under.writes[0]) > corkLimit {
		t.Errorf("%d writes past the limit", len(under.writes))
	}
	if err := c.uncork(); err != nil {
		t.Fatal(err)
	}
	if got := bytes.Join(under.writes, nil); len(got) != corkLimit+len("more") || !bytes.HasSuffix(got, []byte("more")) {
		t.Errorf("%d bytes in all", len(got))
	}
}

func TestCorkReportsErrors(t *testing.T) {
	t.Parallel()
	gone := errors.New("gone")
	c := &corkConn{Conn: &recordedConn{err: gone}}
	mustCork(t, c)
	if _, err := c.Write([]byte("x")); err != nil {
		t.Errorf("held write: %v", err)
	}
	if err := c.uncork(); !errors.Is(err, gone) {
		t.Errorf("uncork: %v", err)
	}
}

// TestCorkWithHeartbeats writes frames from two goroutines, one of them
// corking: every frame stays whole and each goroutine's frames in order. The
// buffers are shared with other connections meanwhile.
func TestCorkWithHeartbeats(t *testing.T) {
	t.Parallel()
	var wg sync.WaitGroup
	for range 4 {
		under := new(recordedConn)
		c := &corkConn{Conn: under}
		var writers sync.WaitGroup
		writers.Go(func() {
			for i := range 300 {
				if i%3 == 0 {
					mustCork(t, c)
				}
				_, _ = c.Write([]byte{'f', byte(i)})
				if i%3 == 2 {
					_ = c.uncork()
				}
			}
		})
		writers.Go(func() {
			for i := range 300 {
				_ = c.SetWriteDeadline(time.Time{})
				_, _ = c.Write([]byte{'p', byte(i)})
			}
		})
		wg.Go(func() {
			writers.Wait()
			next := map[byte]byte{}
			all := bytes.Join(under.writes, nil)
			for i := 0; i+1 < len(all); i += 2 {
				if all[i+1] != next[all[i]] {
					t.Errorf("frame %c%d instead of %d", all[i], all[i+1], next[all[i]])
					return
				}
				next[all[i]]++
			}
			if len(all) != 2*600 {
				t.Errorf("%d bytes", len(all))
			}
		})
	}
	wg.Wait()
}
