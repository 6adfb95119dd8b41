package app

import (
	"testing"
	"time"

	"github.com/parley-im/parley/internal/metrics"
)

// Every figure that is read from state appears in a scrape of a server that was
// used a little, and the last hour has it too.
func TestMeasure(t *testing.T) {
	c := startNode(t).newCell(false)
	c.connect(c.names["alice"])
	c.do("/msg/send_msg", `{"sendID":"@alice","recvID":"@bob","sessionType":1,"contentType":101,"content":{"content":"hello"}}`)
	families, err := c.server.metrics.Gatherer().Gather()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, f := range families {
		found[f.GetName()] = true
	}
	for _, f := range metrics.Figures() {
		switch f.Name {
		case metrics.OutboxBusy.Name, metrics.WebhookOutcomes.Name, metrics.WebhookBreaker.Name, metrics.WebhookPaused.Name,
			metrics.JobLastRun.Name, metrics.LogLines.Name, "parley_push_results_total": // need webhooks, push, a log and a server that runs
		default:
			if !found[f.Name] {
				t.Errorf("%s is missing", f.Name)
			}
		}
	}
	now := (&measured{server: c.server}).waiting()
	if len(now) == 0 || now[0].Endpoint == "" {
		t.Errorf("nothing is said of the outbox: %+v", now)
	}
	if got := c.server.history.Points(0); len(got) > int(time.Hour/metrics.Every) {
		t.Errorf("%d points", len(got))
	}
}
