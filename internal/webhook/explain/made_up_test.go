package explain

import (
	"slices"
	"testing"

	"github.com/parley-im/parley/internal/config"
	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
)

// That a trial's messages are kept from the handlers is said, unless one was
// called.
func TestMadeUp(t *testing.T) {
	const key = "afterSendSingleMsg"
	facts := Facts{
		ID: "m", Key: key, Running: true, MadeUp: true,
		Message: &im.Message{ServerMsgID: "m", SendID: "try_parley_ann", RecvID: "try_parley_ben", SessionType: im.SingleChat, ContentType: im.ContentText, Seq: 1},
	}
	facts.Config.Webhooks.URL = "http://127.0.0.1:1"
	facts.Config.Webhooks.Callbacks = []config.Callback{{Key: key, Enable: true}}
	says := func(f Facts) bool {
		return slices.ContainsFunc(Explain(f).Findings, func(f Finding) bool { return f.Cause == CauseMadeUp })
	}
	if !says(facts) {
		t.Errorf("not said: %+v", Explain(facts).Findings)
	}
	real := facts
	real.MadeUp = false
	called := facts
	called.Deliveries = []store.Delivery{{Callback: key, Kind: store.DeliveryAfter, Endpoint: "default", Outcome: "delivered"}}
	if says(real) || says(called) {
		t.Error("said of others")
	}
}
