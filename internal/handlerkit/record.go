package handlerkit

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/parley-im/parley/internal/webhook/listen"
)

// Recorded is one callback in a file.
type Recorded struct {
	At       time.Time         `json:"at"`
	Callback string            `json:"callback"`
	Path     string            `json:"path"`
	Query    string            `json:"query,omitempty"`
	Headers  map[string]string `json:"headers"`
	Body     json.RawMessage   `json:"body"`
	Answer   RecordedAnswer    `json:"answer"`
}

// RecordedAnswer is what the handler said.
type RecordedAnswer struct {
	Status  int             `json:"status"`
	Body    json.RawMessage `json:"body,omitempty"` // a text when it is no JSON
	Failure string          `json:"failure,omitempty"`
}

// Recorder keeps callbacks as files of a directory. They hold message content.
type Recorder struct {
	Dir    string
	number atomic.Int64
}

// Keep writes one file and returns its name.
func (r *Recorder) Keep(at time.Time, q listen.Request, a listen.Answer) (string, error) {
	if err := os.MkdirAll(r.Dir, 0o700); err != nil {
		return "", err
	}
	raw, err := json.MarshalIndent(Recorded{
		At: at, Callback: name(q.Path), Path: q.Path, Query: q.Query, Headers: q.Headers, Body: rawJSON(q.Body),
		Answer: RecordedAnswer{Status: a.Status, Body: rawJSON(a.Body), Failure: a.Failure},
	}, "", "  ")
	if err != nil {
		return "", err
	}
	file := filepath.Join(r.Dir, fmt.Sprintf("%s-%04d-%s.json", at.UTC().Format("20060102T150405"), r.number.Add(1), path.Base(q.Path)))
	return file, os.WriteFile(file, append(raw, '\n'), 0o600)
}

// rawJSON is text as JSON: as it is, or as a JSON string.
func rawJSON(text string) json.RawMessage {
	if json.Valid([]byte(text)) {
		return json.RawMessage(text)
	}
	quoted, _ := json.Marshal(text) // of a string
	return quoted
}

// Replay asks a handler again what files hold, in order, with the ids of then and
// the time of now, and tells whether the answers are the same.
func Replay(ctx context.Context, f *Forwarder, files []string) (differ int, err error) {
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			return differ, err
		}
		var was Recorded
		if err := json.Unmarshal(raw, &was); err != nil {
			return differ, fmt.Errorf("%s: %w", file, err)
		}
		body := compact(was.Body) + "\n" // as the server ends it
		a := f.ask(ctx, listen.Request{Path: was.Path, Query: was.Query, Headers: was.Headers, Body: body})
		verdict := "the same answer"
		if a.Status != was.Answer.Status || compact(rawJSON(a.Body)) != compact(was.Answer.Body) || (a.Failure != "") != (was.Answer.Failure != "") {
			verdict = fmt.Sprintf("another answer: status %d %s%s, was %d %s%s", a.Status, a.Body, a.Failure, was.Answer.Status, was.Answer.Body, was.Answer.Failure)
			differ++
		}
		_, _ = io.WriteString(f.Out, fmt.Sprintf("%s %s: %s\n", file, was.Callback, verdict)) // a closed terminal ends nothing
	}
	return differ, nil
}

// compact is a recorded value as it was on the wire, but for blanks.
func compact(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	var b bytes.Buffer
	if json.Compact(&b, raw) != nil {
		return string(raw)
	}
	return b.String()
}
