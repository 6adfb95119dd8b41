// Package handlerkit is what the tools for people who write callback handlers do
// on their own machine: fetch callbacks from a server and hand them to a handler
// there, keep what was asked and answered in files, and ask it again.
//
// It is a client of the server's API and of handlers. Secrets are read from a file
// of the user's and do not leave the machine.
package handlerkit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/parley-im/parley/hooks/signature"
	"github.com/parley-im/parley/internal/webhook/listen"
	"github.com/parley-im/parley/internal/webhook/registry"
)

// approval is the answer of nobody's handler.
const approval = `{"actionCode":0,"errCode":0,"errMsg":"","errDlt":"","nextCode":0}`

// largestAnswer is the most of a handler's answer that is taken.
const largestAnswer = 1 << 20

// Forwarder hands callbacks to a handler.
type Forwarder struct {
	To       string          // base URL; "" approves everything itself
	Keys     []signature.Key // sign what is handed over
	Client   *http.Client
	Recorder *Recorder // keeps requests and answers; nil for none
	Out      io.Writer // told of each callback in one line
	Now      func() time.Time
}

// Handle asks the handler.
func (f *Forwarder) Handle(ctx context.Context, r listen.Request) listen.Answer {
	began := f.Now()
	a := f.ask(ctx, r)
	a.ID = r.ID
	took := f.Now().Sub(began).Round(time.Millisecond)
	said := fmt.Sprint(a.Status)
	if a.Failure != "" {
		said = a.Failure
	}
	note := ""
	if r.Copy {
		note = " (copy: the answer decides nothing)"
	}
	line := fmt.Sprintf("%s %s -> %s in %s%s\n", began.Format("15:04:05"), name(r.Path), said, took, note)
	if f.Recorder != nil {
		file, err := f.Recorder.Keep(began, r, a)
		if err != nil {
			line += fmt.Sprintf("  not recorded: %v\n", err)
		} else {
			line += "  " + file + "\n"
		}
	}
	_, _ = io.WriteString(f.Out, line) // a closed terminal is no reason not to answer
	return a
}

// name is the callback's key, or what it is called by.
func name(p string) string {
	command := path.Base(p)
	if c, ok := registry.ByCommand(command); ok {
		return c.Key
	}
	return command
}

func (f *Forwarder) ask(ctx context.Context, r listen.Request) listen.Answer {
	if f.To == "" {
		return listen.Answer{Status: http.StatusOK, Headers: map[string]string{"Content-Type": "application/json"}, Body: approval}
	}
	req, err := f.request(ctx, r)
	if err != nil {
		return listen.Answer{Failure: err.Error()}
	}
	resp, err := f.Client.Do(req)
	if err != nil {
		if wrapped, ok := errors.AsType[*url.Error](err); ok {
			err = wrapped.Err
		}
		return listen.Answer{Failure: err.Error()}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, largestAnswer))
	if err != nil {
		return listen.Answer{Failure: fmt.Sprintf("read answer: %v", err)}
	}
	a := listen.Answer{Status: resp.StatusCode, Headers: make(map[string]string), Body: string(body)}
	for _, header := range []string{"Content-Type", "Location", "Retry-After"} {
		if value := resp.Header.Get(header); value != "" {
			a.Headers[header] = value
		}
	}
	return a
}

// request is the callback as it would come from the server, signed anew.
func (f *Forwarder) request(ctx context.Context, r listen.Request) (*http.Request, error) {
	base, err := url.Parse(f.To)
	if err != nil {
		return nil, err
	}
	if base.Scheme != "http" && base.Scheme != "https" || base.Host == "" {
		return nil, fmt.Errorf("%q is no address such as http://127.0.0.1:8080/webhook", f.To)
	}
	base.Path = strings.TrimRight(base.Path, "/") + r.Path
	base.RawQuery = strings.Trim(base.RawQuery+"&"+r.Query, "&")
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, base.String(), bytes.NewReader([]byte(r.Body)))
	if err != nil {
		return nil, err
	}
	for header, value := range r.Headers {
		if !strings.HasPrefix(header, "Webhook-") {
			req.Header.Set(header, value)
		}
	}
	id := r.Headers["Webhook-Id"]
	if id == "" {
		id = uuid.NewString()
	}
	signature.Set(req.Header, id, f.Now(), []byte(r.Body), f.Keys...)
	return req, nil
}
