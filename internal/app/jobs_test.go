package app

import (
	"fmt"
	"testing"
	"time"

	"github.com/parley-im/parley/internal/config"
)

// What the configuration says of old messages is done by the jobs of the night.
func TestNightlyJobs(t *testing.T) {
	day := 24 * time.Hour
	for name, tc := range map[string]struct {
		keep time.Duration
		want []string // what is left
	}{
		"thirty days":  {30 * day, []string{"new"}},
		"for ever":     {0, []string{"old", "new"}},
		"for ever, -1": {-day, []string{"old", "new"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := startNode(t).newCell(false)
			send := func(at time.Time, text string) {
				c.do("/msg/send_msg", fmt.Sprintf(
					`{"sendID":"@alice","recvID":"@bob","sessionType":1,"contentType":101,"content":{"content":%q},"sendTime":%d}`, text, at.UnixMilli()))
			}
			now := time.Now()
			send(now.Add(-31*day), "old")
			send(now.Add(-29*day), "new")
			for _, job := range nightly(c.server.services.Messages, c.server.services.Objects, config.Cron{RetainChatRecords: tc.keep}) {
				step := job.Begin(now)
				for done := false; !done; {
					var err error
					if done, err = step(t.Context()); err != nil {
						t.Fatalf("%s: %v", job.Name, err)
					}
				}
			}
			var left []string
			for i, m := range c.connect(c.names["bob"]).pull(c.names["bob"], c.names["chat"]) {
				if i < len(tc.want) {
					left = append(left, string(m.Content))
				}
			}
			for i, want := range tc.want {
				if i >= len(left) || left[i] != fmt.Sprintf(`{"content":%q}`, want) {
					t.Errorf("left %v, want %v", left, tc.want)
				}
			}
		})
	}
}
