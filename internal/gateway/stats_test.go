package gateway_test

import (
	"context"
	"maps"
	"testing"
	"time"

	"github.com/parley-im/parley/internal/im"
)

// Connections are counted by platform while they are there, and once: one that is
// kicked leaves the hub before its socket closes.
func TestConnectionsAreCounted(t *testing.T) {
	n := start(t)
	expect := func(when string, want map[im.Platform]int64) {
		t.Helper()
		deadline := time.After(wait)
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for !maps.Equal(n.hub.Connected(), want) {
			select {
			case <-tick.C:
			case <-deadline:
				t.Fatalf("%s: %v, want %v", when, n.hub.Connected(), want)
			}
		}
	}
	phone := n.connect("a", im.PlatformIOS, nil)
	n.connect("a", im.PlatformWeb, js).frame()
	n.connect("b", im.PlatformIOS, nil)
	expect("three", map[im.Platform]int64{im.PlatformIOS: 2, im.PlatformWeb: 1})
	if st := n.server.Stats(); st.Users != 2 || st.Frames < 0 || st.Sends != 0 {
		t.Errorf("stats %+v", st)
	}
	n.connect("a", im.PlatformIOS, nil) // kicks the first
	phone.frame()
	phone.closed()
	expect("one kicked", map[im.Platform]int64{im.PlatformIOS: 2, im.PlatformWeb: 1})
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), wait)
	defer cancel()
	if err := n.server.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
	expect("all gone", map[im.Platform]int64{})
	st := n.server.Stats()
	if st.Users != 0 || st.Closed["kicked"] != 1 || st.Closed["shutdown"] != 3 || st.Closed["client"] != 0 {
		t.Errorf("stats %+v", st)
	}
}
