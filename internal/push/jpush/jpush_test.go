package jpush_test

import (
	"strings"
	"testing"

	"github.com/parley-im/parley/internal/push"
	"github.com/parley-im/parley/internal/push/jpush"
	"github.com/parley-im/parley/internal/push/pushtest"
)

// TestRecorded plays what was recorded, faults included.
func TestRecorded(t *testing.T) {
	t.Parallel()
	pushtest.Replay(t, "testdata/recorded", false, func(t *testing.T, v *pushtest.Vendor) push.Provider {
		p, err := jpush.New(jpush.Options{URL: v.URL + "/v3/push", AppKey: "key", MasterSecret: "master", Intent: "intent:#end", Production: true})
		if err != nil {
			t.Fatal(err)
		}
		return p
	})
}

func TestBadOptions(t *testing.T) {
	t.Parallel()
	if _, err := jpush.New(jpush.Options{AppKey: "k"}); err == nil || !strings.Contains(err.Error(), "jpush") {
		t.Error(err)
	}
}
