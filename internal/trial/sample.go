package trial

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// Mode is what the sample handler does when it is asked. It takes every
// after-event at once, but in mode Down.
type Mode string

// Modes.
const (
	Approve Mode = "approve"
	Refuse  Mode = "refuse"  // texts that hold a word
	Slow    Mode = "slow"    // approves, within its time
	Late    Mode = "late"    // approves, when its time is up
	Garbage Mode = "garbage" // answers something that is no answer
	Down    Mode = "down"    // answers 503, to after-events too
)

// Modes are all modes, in the order they are shown.
var Modes = []Mode{Approve, Refuse, Slow, Late, Garbage, Down}

func (m Mode) valid() bool {
	for _, known := range Modes {
		if m == known {
			return true
		}
	}
	return false
}

const (
	patience = 2 * time.Second // the sample handler's timeout
	slowTime = 1 * time.Second
	lateTime = 3 * time.Second
)

const approval = `{"actionCode":0,"errCode":0,"errMsg":"","errDlt":"","nextCode":0}`

var errNoTrial = errors.New("the trial has ended")

// RoundTrip implements http.RoundTripper for the sample handler's address: it is
// the handler.
func (s *Service) RoundTrip(r *http.Request) (*http.Response, error) {
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	command := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
	if command == "" {
		command = r.URL.Query().Get("command")
	}
	before := strings.HasPrefix(command, "callbackBefore")
	id, text := messageOf(body)
	set, ok := s.asked(before, Note{
		Kind: Asked, Phone: None, ID: id, Command: command, Callback: callbackKey(command), Body: shown(body),
	})
	if !ok {
		return nil, errNoTrial
	}
	if set.Mode == Down {
		return answer(r, http.StatusServiceUnavailable, "text/plain", "the sample handler is down"), nil
	}
	if !before {
		return answer(r, http.StatusOK, "application/json", approval), nil
	}
	wait := map[Mode]time.Duration{Slow: slowTime, Late: lateTime}[set.Mode]
	if wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
	switch {
	case set.Mode == Garbage:
		return answer(r, http.StatusOK, "text/html", "<html><body>It works!</body></html>"), nil
	case set.Mode == Refuse && strings.Contains(strings.ToLower(text), strings.ToLower(set.Word)):
		return answer(r, http.StatusOK, "application/json", refusing(set.Word)), nil
	}
	return answer(r, http.StatusOK, "application/json", approval), nil
}

// messageOf reads what a handler needs of a message's callback.
func messageOf(body []byte) (clientMsgID, text string) {
	var asked struct {
		ClientMsgID string `json:"clientMsgID"`
		Content     string `json:"content"` // JSON in a text, as clients send it
	}
	var content struct {
		Content string `json:"content"`
	}
	if json.Unmarshal(body, &asked) == nil && json.Unmarshal([]byte(asked.Content), &content) != nil {
		content.Content = asked.Content
	}
	return asked.ClientMsgID, content.Content
}

// asked notes a before-call and says how to answer.
func (s *Service) asked(before bool, n Note) (Settings, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current == nil {
		return Settings{}, false
	}
	if before {
		s.add(n)
	}
	return s.current.settings, true
}

func callbackKey(command string) string {
	key := strings.TrimSuffix(strings.TrimPrefix(command, "callback"), "Command")
	if key == "" {
		return command
	}
	return strings.ToLower(key[:1]) + key[1:]
}

// refusing is an answer with nextCode 1: the operation must not happen. The code
// is the one clients get when a handler names none.
func refusing(word string) string {
	b, err := json.Marshal(struct {
		ActionCode int    `json:"actionCode"`
		ErrCode    int    `json:"errCode"`
		ErrMsg     string `json:"errMsg"`
		ErrDlt     string `json:"errDlt"`
		NextCode   int    `json:"nextCode"`
	}{0, 5001, fmt.Sprintf("the word %q is not welcome here", word), "sample handler", 1})
	if err != nil {
		return `{"nextCode":1}`
	}
	return string(b)
}

func answer(r *http.Request, status int, contentType, body string) *http.Response {
	return &http.Response{
		Status: fmt.Sprintf("%d %s", status, http.StatusText(status)), StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {contentType}}, Body: io.NopCloser(bytes.NewReader([]byte(body))), ContentLength: int64(len(body)), Request: r,
	}
}
