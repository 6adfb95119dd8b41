package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/parley-im/parley/hooks/signature"
	"github.com/parley-im/parley/internal/conform"
)

// Commands for people who write handlers. They need no server.

type conformCmd struct {
	URL            string        `arg:"" help:"The handler, as url in webhooks.yml: without the command."`
	Secret         string        `help:"The handler's secret; without it signatures are not tested." env:"PARLEY_WEBHOOK_SECRET"`
	CommandInQuery bool          `name:"command-in-query" help:"Send ?command= instead of a path segment."`
	Audit          string        `help:"Where the handler tells how often it stored an event; default <URL>/conform."`
	API            string        `name:"api" help:"Listen here as the API of the IM server, for handlers that call it at a fixed address; default a free port."`
	Forbidden      string        `help:"A text the handler refuses."`
	Timeout        time.Duration `help:"Timeout of one call." default:"5s"`
	JSON           bool          `name:"json" help:"Print the report as JSON."`
}

// Run prints the report; a failed check makes the exit code 1.
func (c *conformCmd) Run(ctx context.Context, w io.Writer) error {
	report, err := conform.Run(ctx, conform.Options{
		URL: c.URL, Secret: c.Secret, CommandInQuery: c.CommandInQuery, Audit: c.Audit, API: c.API, Forbidden: c.Forbidden, Timeout: c.Timeout,
	})
	if err != nil {
		return err
	}
	if c.JSON {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		err = enc.Encode(report)
	} else {
		_, err = report.WriteTo(w)
	}
	if err != nil {
		return err
	}
	if failed := len(report.Failures()); failed > 0 {
		return fmt.Errorf("%d checks failed", failed)
	}
	return nil
}

// largestBody is the most that sign and verify read.
const largestBody = 16 << 20

func readBody(r io.Reader) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r, largestBody+1))
	if err == nil && len(body) > largestBody {
		err = fmt.Errorf("the body is larger than %d bytes", largestBody)
	}
	return body, err
}

type signCmd struct {
	Secret    []string `required:"" help:"Key to sign with; more than one during a rotation, the current one first." env:"PARLEY_WEBHOOK_SECRET"`
	ID        string   `name:"id" help:"webhook-id; default a fresh one."`
	Timestamp int64    `help:"webhook-timestamp in Unix seconds; default now."`
}

// Run reads a body from standard input and prints the three headers of a request,
// as curl -H @- takes them.
func (s *signCmd) Run(w io.Writer) error {
	body, err := readBody(os.Stdin)
	if err != nil {
		return err
	}
	return s.sign(w, body)
}

func (s *signCmd) sign(w io.Writer, body []byte) error {
	keys, err := parseKeys(s.Secret)
	if err != nil {
		return err
	}
	for _, k := range keys {
		if !k.CanSign() {
			return errors.New("a public key (whpk_) cannot sign")
		}
	}
	id, at := s.ID, time.Unix(s.Timestamp, 0)
	if id == "" {
		id = uuid.NewString()
	}
	if s.Timestamp == 0 {
		at = time.Now()
	}
	_, err = fmt.Fprintf(w, "webhook-id: %s\nwebhook-timestamp: %d\nwebhook-signature: %s\n", id, at.Unix(), signature.SignAll(id, at, body, keys...))
	return err
}

type verifyCmd struct {
	Secret    []string `required:"" help:"Key to verify with; any of several may match." env:"PARLEY_WEBHOOK_SECRET"`
	ID        string   `name:"id" required:"" help:"webhook-id of the request."`
	Timestamp int64    `required:"" help:"webhook-timestamp of the request."`
	Signature string   `required:"" help:"webhook-signature of the request."`
	At        int64    `help:"Verify as at this time, in Unix seconds; default as at the request's own, so that recorded requests verify."`
}

// Run reads a body from standard input and says whether the signature is right;
// a wrong one makes the exit code 1.
func (v *verifyCmd) Run(w io.Writer) error {
	body, err := readBody(os.Stdin)
	if err != nil {
		return err
	}
	return v.verify(w, body)
}

func (v *verifyCmd) verify(w io.Writer, body []byte) error {
	keys, err := parseKeys(v.Secret)
	if err != nil {
		return err
	}
	at := v.At
	if at == 0 {
		at = v.Timestamp
	}
	header := http.Header{}
	header.Set(signature.HeaderID, v.ID)
	header.Set(signature.HeaderTimestamp, strconv.FormatInt(v.Timestamp, 10))
	header.Set(signature.HeaderSignature, v.Signature)
	if err := signature.Verify(header, body, time.Unix(at, 0), keys...); err != nil {
		return fmt.Errorf("%w; the body has %d bytes", err, len(body))
	}
	_, err = fmt.Fprintln(w, "the signature is right")
	return err
}

func parseKeys(secrets []string) ([]signature.Key, error) {
	keys := make([]signature.Key, 0, len(secrets))
	for _, s := range secrets {
		key, err := signature.Parse(s)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, nil
}
