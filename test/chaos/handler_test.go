package chaos

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path"
	"strings"
	"sync"
	"testing"
	"time"
)

// verdict is what the business server says about a message. It depends on the
// message's number alone, so that every repetition gets the same.
//
// failedContinue is on for groups and off for single chats: it decides about the
// last two kinds, and must not touch those before.
type verdict int

const (
	approves verdict = iota
	refuses
	refusesAndFailed // nextCode 1 beside an actionCode other than 0
	refusesInRubbish // nextCode 1 in an object with something behind it
	talksRubbish     // without failedContinue refused with 90007
	hangsUp          // without failedContinue refused with 90004
)

func verdictOf(number int) verdict {
	switch {
	case number%7 == 0:
		return refuses
	case number%11 == 0:
		return refusesAndFailed
	case number%13 == 0:
		return talksRubbish
	case number%17 == 0:
		return refusesInRubbish
	case number%19 == 0:
		return hangsUp
	}
	return approves
}

// refusal is the error code the sender must get, 0 if the message is sent.
func (v verdict) refusal(failedContinue bool) int32 {
	switch {
	case v == refuses, v == refusesAndFailed, v == refusesInRubbish:
		return 5001
	case v == talksRubbish && !failedContinue:
		return 90007
	case v == hangsUp && !failedContinue:
		return 90004
	}
	return 0
}

func (v verdict) answer() string {
	switch v {
	case refuses:
		return `{"actionCode":0,"errCode":5001,"errMsg":"refused","nextCode":1}`
	case refusesAndFailed:
		return `{"actionCode":1,"errCode":5001,"errMsg":"refused","nextCode":1}`
	case refusesInRubbish:
		return `{"actionCode":0,"errCode":5001,"nextCode":1} CallbackOK`
	case talksRubbish:
		return `{"actionCode":0,"nextCode":0} CallbackOK`
	}
	return `{"actionCode":0,"nextCode":0}`
}

// handler is the business server: sometimes slow, sometimes failing, never down
// with the server.
type handler struct {
	url    string
	record *record

	mu  sync.Mutex
	rng *rand.Rand
}

func startHandler(t *testing.T, r *record, rng *rand.Rand) *handler {
	t.Helper()
	h := &handler{record: r, rng: rng}
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	h.url = s.URL
	return h
}

// chance is true in one of n cases.
func (h *handler) chance(n int) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.rng.IntN(n) == 0
}

// slowness is how long an answer takes: mostly nothing, sometimes 10 to 50 ms.
func (h *handler) slowness() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.rng.IntN(8) > 0 {
		return 0
	}
	return time.Duration(10+h.rng.IntN(40)) * time.Millisecond
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return // the server was killed while it wrote
	}
	var body eventBody
	if err := json.Unmarshal(raw, &body); err != nil {
		h.record.fault(badProtocol, nil, "%s with body %q: %v", r.URL.Path, raw, err)
		return
	}
	command := path.Base(r.URL.Path)
	if strings.HasPrefix(command, "callbackBefore") {
		h.ask(w, body)
		return
	}
	if strings.Contains(r.URL.Path, auditPath) {
		h.audit(w, r, raw, body)
		return
	}
	h.tell(w, r, command, raw, body)
}

func (h *handler) ask(w http.ResponseWriter, body eventBody) {
	h.record.asked()
	v := verdictOf(numberOf(body.Content))
	time.Sleep(h.slowness())
	if v == hangsUp {
		panic(http.ErrAbortHandler)
	}
	_, _ = io.WriteString(w, v.answer()) // nobody reads if the server was killed
}

func (h *handler) tell(w http.ResponseWriter, r *http.Request, command string, raw []byte, body eventBody) {
	fails, hangs := h.chance(6), h.chance(12)
	h.record.told(r.Header.Get("Webhook-Id"), command, raw, body, !fails && !hangs)
	time.Sleep(h.slowness())
	switch {
	case hangs:
		panic(http.ErrAbortHandler)
	case fails:
		w.WriteHeader(http.StatusServiceUnavailable)
	}
}

// text is the content of a message; numberOf reads its number.
func text(client, number int) string {
	return fmt.Sprintf(`{"content":"%d of client %d"}`, number, client)
}

func numberOf(content string) int {
	var number, client int
	_, _ = fmt.Sscanf(content, `{"content":"%d of client %d"}`, &number, &client) // 0 refuses what is none
	return number
}
