package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// The server has two endpoints beside the business server: one that is told the
// same and fails on its own, and one that fetches. Both must get what the business
// server gets, in the order of its lanes.
const (
	auditPath = "/audit/"
	fetching  = "fetch"
)

// copies are the events that one more endpoint got, by their first delivery.
type copies struct {
	mu     sync.Mutex
	bodies map[string]string // by id
	order  []eventBody
}

func newCopies() *copies { return &copies{bodies: make(map[string]string)} }

// add notes an event and reports whether another body came under its id.
func (c *copies) add(id string, raw []byte, body eventBody, delivered bool) (changed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	before, known := c.bodies[id]
	if known {
		return before != string(raw)
	}
	if delivered {
		c.bodies[id] = string(raw)
		c.order = append(c.order, body)
	}
	return false
}

// audit is the second endpoint: another dice decides when it fails.
func (h *handler) audit(w http.ResponseWriter, r *http.Request, raw []byte, body eventBody) {
	fails := h.chance(4)
	if h.record.audited.add(r.Header.Get("Webhook-Id"), raw, body, !fails) {
		h.record.fault(eventChanged, nil, "the second endpoint got event %s with another body: %s", r.Header.Get("Webhook-Id"), raw)
	}
	if fails {
		w.WriteHeader(http.StatusBadGateway)
	}
}

// fetch reads the whole log of the endpoint that fetches.
func (s *server) fetch(ctx context.Context, r *record) error {
	var token struct{ Token string }
	if err := s.ask(ctx, http.MethodPost, "/token", &token); err != nil {
		return err
	}
	after := int64(0)
	for {
		query := url.Values{"endpoint": {fetching}, "after": {fmt.Sprint(after)}, "limit": {"200"}}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.API+"/webhook/events?"+query.Encode(), nil)
		if err != nil {
			return err
		}
		req.Header.Set("token", token.Token)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		var page struct {
			ErrCode int
			ErrDlt  string
			Data    struct {
				Events []struct {
					Cursor int64 `json:",string"`
					ID     string
					Body   string
					Gap    *struct{ Events int64 }
				}
			}
		}
		err = json.NewDecoder(resp.Body).Decode(&page)
		_ = resp.Body.Close()
		switch {
		case err != nil:
			return err
		case page.ErrCode != 0:
			return fmt.Errorf("fetch events: %d %s", page.ErrCode, page.ErrDlt)
		case len(page.Data.Events) == 0:
			return nil
		}
		for _, e := range page.Data.Events {
			if e.Cursor != after+1 || e.Gap != nil {
				r.fault(eventLost, nil, "cursor %d follows %d, gap %v", e.Cursor, after, e.Gap)
			}
			after = e.Cursor
			var body eventBody
			if err := json.Unmarshal([]byte(e.Body), &body); err != nil {
				r.fault(badProtocol, nil, "fetched event %s with body %q: %v", e.ID, e.Body, err)
			}
			if r.fetched.add(e.ID, []byte(e.Body), body, true) {
				r.fault(eventChanged, nil, "event %s was fetched with two bodies", e.ID)
			}
		}
	}
}

// checkCopies compares what the other endpoints got with what the business
// server got.
func (r *record) checkCopies() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for name, c := range map[string]*copies{"the second endpoint": r.audited, "the one that fetches": r.fetched} {
		c.mu.Lock()
		for _, id := range slices.Sorted(maps.Keys(r.events)) {
			e := r.events[id]
			if e.command == afterOnline || e.command == afterOffline {
				continue
			}
			switch body, got := c.bodies[id]; {
			case !got:
				r.faultLocked(eventLost, r.sends[e.ClientMsgID], "%s did not get %s %s", name, e.command, id)
			case body != string(e.body):
				r.faultLocked(eventChanged, r.sends[e.ClientMsgID], "%s got %s as %s", name, id, body)
			}
		}
		for id, body := range c.bodies {
			if r.events[id] == nil {
				r.faultLocked(eventUnfounded, nil, "%s got %s, which the business server did not: %s", name, id, body)
			}
		}
		last := make(map[string]int64)
		for _, e := range c.order {
			s := r.sends[e.ClientMsgID]
			if s == nil {
				continue
			}
			if e.Seq < last[s.conversation] {
				r.faultLocked(eventOrder, s, "%s got seq %d of %s after %d", name, e.Seq, s.conversation, last[s.conversation])
			}
			last[s.conversation] = max(last[s.conversation], e.Seq)
		}
		c.mu.Unlock()
	}
}

// endpointsYAML are the other endpoints in webhooks.yml.
func endpointsYAML(handlerURL string) string {
	return fmt.Sprintf(`endpoints:
  - {name: audit, url: %q, events: [afterSend*, afterMsgSaveDB], concurrency: 3}
  - {name: %s, pull: true, events: [afterSend*, afterMsgSaveDB]}
`, strings.TrimRight(handlerURL, "/")+strings.TrimRight(auditPath, "/"), fetching)
}
