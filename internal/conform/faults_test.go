package conform

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	testSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	forbidden  = "casino"
	approval   = `{"actionCode":0,"errCode":0,"errMsg":"","errDlt":"","nextCode":0}`
	refusal    = `{"actionCode":0,"errCode":5001,"errMsg":"refused","errDlt":"","nextCode":1}`
)

// handler is a good handler whose parts can be made faulty. It is written without
// the package that handlers use, so that faults of that one would be found.
type handler struct {
	key     []byte
	verify  func(h *handler, r *http.Request, body []byte) bool
	matches func(want, got []byte) bool // compares signatures
	read    func(r *http.Request) ([]byte, error)
	knows   func(command string) bool // nil knows all
	unknown http.HandlerFunc
	eventID func(r *http.Request, body []byte) string                             // what repetitions are recognised by
	answer  func(w http.ResponseWriter, r *http.Request, command, verdict string) // how verdicts are written
	around  func(next http.Handler) http.Handler

	mu       sync.Mutex
	handled  map[string]bool
	stored   map[string]int // by webhook-id
	verified map[string]bool
}

func goodHandler() *handler {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(testSecret, "whsec_"))
	if err != nil {
		panic(err)
	}
	return &handler{
		key:     key,
		verify:  verifyAll,
		matches: hmac.Equal,
		read:    func(r *http.Request) ([]byte, error) { return io.ReadAll(r.Body) },
		eventID: func(r *http.Request, _ []byte) string { return r.Header.Get("Webhook-Id") },
		answer: func(w http.ResponseWriter, _ *http.Request, _, verdict string) {
			_, _ = io.WriteString(w, verdict)
		},
		handled: map[string]bool{}, stored: map[string]int{}, verified: map[string]bool{},
	}
}

func verifyAll(h *handler, r *http.Request, body []byte) bool {
	return recent(r) && h.signed(r, body)
}

func recent(r *http.Request) bool {
	seconds, err := strconv.ParseInt(r.Header.Get("Webhook-Timestamp"), 10, 64)
	return err == nil && time.Since(time.Unix(seconds, 0)).Abs() <= 5*time.Minute
}

func (h *handler) signed(r *http.Request, body []byte) bool {
	mac := hmac.New(sha256.New, h.key)
	fmt.Fprintf(mac, "%s.%s.%s", r.Header.Get("Webhook-Id"), r.Header.Get("Webhook-Timestamp"), body)
	want := []byte(base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	ok := false
	for _, s := range strings.Fields(r.Header.Get("Webhook-Signature")) {
		if got, v1 := strings.CutPrefix(s, "v1,"); v1 {
			ok = h.matches(want, []byte(got)) || ok
		}
	}
	return ok
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/conform") {
		h.mu.Lock()
		n := h.stored[r.URL.Query().Get("id")]
		h.mu.Unlock()
		fmt.Fprintf(w, `{"count":%d}`, n)
		return
	}
	if r.Method != http.MethodPost {
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	body, err := h.read(r)
	if err != nil || !h.verify(h, r, body) {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	var said struct{ CallbackCommand, Content string }
	if err := json.Unmarshal(body, &said); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	if h.knows != nil && !h.knows(said.CallbackCommand) {
		h.unknown(w, r)
		return
	}
	if api := r.Header.Get("Conform-Api"); api != "" {
		req, err := http.NewRequestWithContext(r.Context(), http.MethodPost, api+"/user/get_users_info", strings.NewReader("{}"))
		if err == nil {
			if resp, err := http.DefaultClient.Do(req); err == nil {
				_ = resp.Body.Close()
			}
		}
	}
	if strings.HasPrefix(said.CallbackCommand, "callbackAfter") {
		h.store(r, body)
	}
	verdict := approval
	if strings.Contains(said.Content, forbidden) {
		verdict = refusal
	}
	h.answer(w, r, said.CallbackCommand, verdict)
}

func (h *handler) store(r *http.Request, body []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if id := h.eventID(r, body); id != "" {
		if h.handled[id] {
			return
		}
		h.handled[id] = true
	}
	h.stored[r.Header.Get("Webhook-Id")]++
}

func (h *handler) serve(t *testing.T) string {
	t.Helper()
	var root http.Handler = h
	if h.around != nil {
		root = h.around(h)
	}
	s := httptest.NewServer(root)
	t.Cleanup(s.Close)
	return s.URL + "/webhook"
}

// answered makes a handler write its verdicts about known before-calls otherwise.
func answering(write func(w http.ResponseWriter, r *http.Request, verdict string)) func(*handler) {
	return func(h *handler) {
		h.answer = func(w http.ResponseWriter, r *http.Request, _, verdict string) { write(w, r, verdict) }
	}
}

func knownOnly(command string) bool { return !strings.Contains(command, "Unknown") }

// faults are handlers with one fault each, and the one check that finds it.
var faults = []struct {
	name    string
	found   string
	timeout time.Duration // 0 for one that no good answer reaches
	make    func(*handler)
}{
	{"ignores signatures", "forged", 0, func(h *handler) {
		h.verify = func(*handler, *http.Request, []byte) bool { return true }
	}},
	{"verifies only requests that are signed", "unsigned", 0, func(h *handler) {
		h.verify = func(h *handler, r *http.Request, body []byte) bool {
			return r.Header.Get("Webhook-Signature") == "" || verifyAll(h, r, body)
		}
	}},
	{"takes the undecoded secret for the key", "key-decoded", 0, func(h *handler) { h.key = []byte(testSecret) }},
	{"takes the undecoded secret without its prefix for the key", "key-decoded", 0, func(h *handler) {
		h.key = []byte(strings.TrimPrefix(testSecret, "whsec_"))
	}},
	{"has another key", "signature-accepted", 0, func(h *handler) { h.key = []byte("another key") }},
	{"compares as much of the signature as came", "signature-whole", 0, func(h *handler) {
		h.matches = bytes.HasPrefix
	}},
	{"compares the first 8 characters", "signature-whole", 0, func(h *handler) {
		h.matches = func(want, got []byte) bool { return len(got) >= 8 && bytes.Equal(want[:8], got[:8]) }
	}},
	{"accepts timestamps of 10 minutes ago", "timestamp-old", 0, func(h *handler) { h.verify = (*handler).signed }},
	{"accepts timestamps of the future", "timestamp-ahead", 0, func(h *handler) {
		h.verify = func(h *handler, r *http.Request, body []byte) bool {
			seconds, err := strconv.ParseInt(r.Header.Get("Webhook-Timestamp"), 10, 64)
			return err == nil && time.Since(time.Unix(seconds, 0)) <= 5*time.Minute && h.signed(r, body)
		}
	}},
	{"tolerates no difference of clocks", "timestamp-recent", 0, func(h *handler) {
		h.verify = func(h *handler, r *http.Request, body []byte) bool {
			seconds, err := strconv.ParseInt(r.Header.Get("Webhook-Timestamp"), 10, 64)
			return err == nil && time.Since(time.Unix(seconds, 0)).Abs() <= time.Minute && h.signed(r, body)
		}
	}},
	{"verifies a body written anew", "body-signed", 0, func(h *handler) {
		h.verify = func(h *handler, r *http.Request, body []byte) bool {
			var compact bytes.Buffer
			if json.Compact(&compact, body) != nil {
				return false
			}
			compact.WriteByte('\n')
			return recent(r) && h.signed(r, compact.Bytes())
		}
	}},
	{"verifies an id once", "body-signed", 0, func(h *handler) {
		h.verify = func(h *handler, r *http.Request, body []byte) bool {
			h.mu.Lock()
			defer h.mu.Unlock()
			id := r.Header.Get("Webhook-Id")
			if recent(r) && h.verified[id] {
				return true
			}
			h.verified[id] = verifyAll(h, r, body)
			return h.verified[id]
		}
	}},
	{"knows one signature only", "rotation", 0, func(h *handler) {
		h.verify = func(h *handler, r *http.Request, body []byte) bool {
			return !strings.Contains(r.Header.Get("Webhook-Signature"), " ") && verifyAll(h, r, body)
		}
	}},

	{"has no memory of events", "stored-once", 0, func(h *handler) {
		h.eventID = func(*http.Request, []byte) string { return "" }
	}},
	{"recognises events by their timestamps", "stored-once", 0, func(h *handler) {
		h.eventID = func(r *http.Request, _ []byte) string {
			return r.Header.Get("Webhook-Id") + r.Header.Get("Webhook-Timestamp")
		}
	}},
	{"recognises events by operationID", "events-apart", 0, func(h *handler) {
		h.eventID = func(r *http.Request, _ []byte) string { return r.Header.Get("Operationid") }
	}},
	{"recognises events by serverMsgID", "events-apart", 0, func(h *handler) {
		h.eventID = func(_ *http.Request, body []byte) string {
			var said struct{ ServerMsgID string }
			_ = json.Unmarshal(body, &said)
			return said.ServerMsgID
		}
	}},
	{"looks an event up and stores it later", "stored-once-at-once", 0, storesLater},
	{"answers a repetition with 409", "repeat-accepted", 0, func(h *handler) {
		h.around = func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				h.mu.Lock()
				known := h.handled[r.Header.Get("Webhook-Id")]
				h.mu.Unlock()
				if known && r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, afterSingle.Command) {
					body, _ := io.ReadAll(r.Body)
					if verifyAll(h, r, body) {
						w.WriteHeader(http.StatusConflict)
						return
					}
					r.Body = io.NopCloser(bytes.NewReader(body))
				}
				next.ServeHTTP(w, r)
			})
		}
	}},
	{"answers before it knows that it can store", "stored", 2 * time.Second, func(h *handler) {
		h.around = func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				next.ServeHTTP(w, r)
				h.mu.Lock()
				delete(h.stored, r.Header.Get("Webhook-Id"))
				h.mu.Unlock()
			})
		}
	}},
	{"stores what it refuses", "forged-not-stored", 0, func(h *handler) {
		h.verify = func(h *handler, r *http.Request, body []byte) bool {
			ok := verifyAll(h, r, body)
			if !ok {
				h.mu.Lock()
				h.stored[r.Header.Get("Webhook-Id")]++
				h.mu.Unlock()
			}
			return ok
		}
	}},
	{"takes no event that is older than the last", "order-free", 0, func(h *handler) {
		last := uint32(0)
		h.around = func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				var said struct {
					Seq             uint32
					CallbackCommand string
				}
				if json.Unmarshal(body, &said) == nil && said.Seq > 0 && said.Seq < 17 {
					h.mu.Lock()
					late := said.Seq < last
					last = said.Seq
					h.mu.Unlock()
					if late {
						w.WriteHeader(http.StatusConflict)
						return
					}
				}
				r.Body = io.NopCloser(bytes.NewReader(body))
				next.ServeHTTP(w, r)
			})
		}
	}},

	{"answers 500 to unknown events", "unknown-status", 0, func(h *handler) {
		h.knows = knownOnly
		h.unknown = func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "unsupported command", http.StatusInternalServerError)
		}
	}},
	{"answers text to unknown events", "unknown-json", 0, func(h *handler) {
		h.knows = knownOnly
		h.unknown = func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "unsupported command") }
	}},
	{"answers a page to unknown events", "unknown-json", 0, func(h *handler) {
		h.knows = knownOnly
		h.unknown = func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			_, _ = io.WriteString(w, "<!DOCTYPE html><html><body>Not Found</body></html>")
		}
	}},
	{"answers a page and 404 to unknown events", "unknown-json", 0, func(h *handler) {
		h.knows = knownOnly
		h.unknown = func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, "<html><body>Whitelabel Error Page</body></html>")
		}
	}},
	{"knows messages only", "every-callback", 0, func(h *handler) {
		h.knows = func(command string) bool {
			return strings.Contains(command, "Msg") || strings.Contains(command, "Unknown")
		}
		h.unknown = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) }
	}},
	{"parses strictly", "unknown-keys", 0, func(h *handler) {
		h.knows = func(command string) bool { return command != "strict" }
		h.around = func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				if bytes.Contains(body, []byte("conformList")) {
					w.WriteHeader(http.StatusBadRequest)
					return
				}
				r.Body = io.NopCloser(bytes.NewReader(body))
				next.ServeHTTP(w, r)
			})
		}
	}},

	{"answers two JSON values", "one-value", 0, answering(func(w http.ResponseWriter, _ *http.Request, verdict string) {
		_, _ = io.WriteString(w, verdict+"\n"+approval)
	})},
	{"answers with text behind the object", "one-value", 0, answering(func(w http.ResponseWriter, _ *http.Request, verdict string) {
		_, _ = io.WriteString(w, verdict+"Callback done")
	})},
	{"answers with a BOM", "no-bom", 0, answering(func(w http.ResponseWriter, _ *http.Request, verdict string) {
		_, _ = io.WriteString(w, "\uFEFF"+verdict)
	})},
	{"answers nextCode as text", "codes-are-numbers", 0, answering(func(w http.ResponseWriter, _ *http.Request, verdict string) {
		_, _ = io.WriteString(w, strings.NewReplacer(`"nextCode":0`, `"nextCode":"0"`, `"nextCode":1`, `"nextCode":"1"`).Replace(verdict))
	})},
	{"answers actionCode 1 for success", "action-code", 0, answering(func(w http.ResponseWriter, _ *http.Request, verdict string) {
		_, _ = io.WriteString(w, strings.Replace(verdict, `"actionCode":0`, `"actionCode":1`, 1))
	})},
	{"redirects", "no-redirect", 0, func(h *handler) {
		h.around = func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if !strings.HasSuffix(r.URL.Path, "/") {
					http.Redirect(w, r, r.URL.Path+"/", http.StatusMovedPermanently)
					return
				}
				next.ServeHTTP(w, r)
			})
		}
	}},
	{"answers 204", "status-with-body", 0, answering(func(w http.ResponseWriter, _ *http.Request, _ string) {
		w.WriteHeader(http.StatusNoContent)
	})},
	{"answers nothing with 200", "answer-not-empty", 0, answering(func(http.ResponseWriter, *http.Request, string) {})},
	{"answers a page", "answer-json", 0, answering(func(w http.ResponseWriter, _ *http.Request, _ string) {
		_, _ = io.WriteString(w, "<html><body>OK</body></html>")
	})},
	{"answers in its own words", "verdict-named", 0, answering(func(w http.ResponseWriter, _ *http.Request, verdict string) {
		if verdict == approval {
			verdict = `{"code":0,"msg":"ok"}`
		}
		_, _ = io.WriteString(w, verdict)
	})},
	{"refuses everything", "harmless-approved", 0, answering(func(w http.ResponseWriter, _ *http.Request, _ string) {
		_, _ = io.WriteString(w, refusal)
	})},
	{"refuses without nextCode", "refuses", 0, answering(func(w http.ResponseWriter, _ *http.Request, verdict string) {
		_, _ = io.WriteString(w, strings.Replace(verdict, `"nextCode":1`, `"nextCode":0`, 1))
	})},
	{"looks at the beginning of a text", "large-text-judged", 0, answering(func(w http.ResponseWriter, r *http.Request, verdict string) {
		if r.ContentLength > 10<<10 {
			verdict = approval
		}
		_, _ = io.WriteString(w, verdict)
	})},
	{"refuses with a code that logs users out", "refuses", 0, answering(func(w http.ResponseWriter, _ *http.Request, verdict string) {
		_, _ = io.WriteString(w, strings.Replace(verdict, "5001", "1501", 1))
	})},
	{"answers 500", "status-success", 0, answering(func(w http.ResponseWriter, _ *http.Request, verdict string) {
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = io.WriteString(w, verdict)
	})},
	{"closes in the middle of the body", "answer-whole", 0, answering(func(w http.ResponseWriter, _ *http.Request, verdict string) {
		w.Header().Set("Content-Length", strconv.Itoa(len(verdict)))
		_, _ = io.WriteString(w, verdict[:len(verdict)/2])
	})},
	{"closes instead of answering", "answers", 0, answering(func(http.ResponseWriter, *http.Request, string) {
		panic(http.ErrAbortHandler)
	})},
	{"is slower than the timeout", "in-time", 2 * time.Second, answering(func(_ http.ResponseWriter, r *http.Request, _ string) {
		<-r.Context().Done() // until the caller has given up
	})},
	{"does one thing at a time and calls the API", "calls-back", 2 * time.Second, func(h *handler) {
		var one sync.Mutex
		h.around = func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				one.Lock()
				defer one.Unlock()
				next.ServeHTTP(w, r)
			})
		}
	}},
	{"keeps connections from being reused", "connection-reused", 0, answering(func(w http.ResponseWriter, _ *http.Request, verdict string) {
		w.Header().Set("Connection", "close")
		_, _ = io.WriteString(w, verdict)
	})},
	{"reads only 4 kB of the body", "large-body", 0, func(h *handler) {
		h.read = func(r *http.Request) ([]byte, error) { return io.ReadAll(io.LimitReader(r.Body, 4096)) }
	}},
	{"sends the body behind the headers", "not-delayed", 0, func(h *handler) {
		h.answer = func(w http.ResponseWriter, r *http.Request, _, verdict string) {
			w.Header().Set("Content-Length", strconv.Itoa(len(verdict)))
			_ = http.NewResponseController(w).Flush()
			wait, stop := context.WithTimeout(r.Context(), 40*time.Millisecond) // as Nagle's algorithm does
			defer stop()
			<-wait.Done()
			_, _ = io.WriteString(w, verdict)
		}
	}},
	{"ends at garbage", "survives-garbage", 0, func(h *handler) {
		h.around = func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				if r.Method == http.MethodPost && !json.Valid(body) {
					panic(http.ErrAbortHandler)
				}
				r.Body = io.NopCloser(bytes.NewReader(body))
				next.ServeHTTP(w, r)
			})
		}
	}},
	{"takes no character beyond 16 bits", "any-text", 0, func(h *handler) {
		h.around = func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				if bytes.Contains(body, []byte("👩")) {
					w.WriteHeader(http.StatusInternalServerError)
					return
				}
				r.Body = io.NopCloser(bytes.NewReader(body))
				next.ServeHTTP(w, r)
			})
		}
	}},
	{"needs an operationID", "no-operation", 0, func(h *handler) {
		h.around = func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodPost && r.Header.Get("Operationid") == "" && strings.HasSuffix(r.URL.Path, afterSingle.Command) {
					w.WriteHeader(http.StatusBadRequest)
					return
				}
				next.ServeHTTP(w, r)
			})
		}
	}},
}

// storesLater looks an event up, and before it stores it lets all others look
// that have come meanwhile.
func storesLater(h *handler) {
	looked := sync.NewCond(&h.mu)
	coming := map[string]int{} // deliveries that have come and not yet looked
	h.around = func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			h.mu.Lock()
			coming[r.Header.Get("Webhook-Id")]++
			h.mu.Unlock()
			next.ServeHTTP(w, r)
		})
	}
	h.eventID = func(r *http.Request, _ []byte) string {
		id := r.Header.Get("Webhook-Id")
		known := h.handled[id]
		coming[id]--
		looked.Broadcast()
		for coming[id] > 0 {
			looked.Wait()
		}
		if known {
			return id
		}
		h.handled[id] = true
		return ""
	}
}

// comparesByByte stops at the first byte that differs, and takes some time for
// every byte before it.
func comparesByByte(h *handler) {
	work := make([]byte, 256<<10)
	h.matches = func(want, got []byte) bool {
		for i := range want {
			if i >= len(got) || want[i] != got[i] {
				return false
			}
			_ = sha256.Sum256(work)
		}
		return len(want) == len(got)
	}
}
