package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/parley-im/parley/hooks/signature"
	"github.com/parley-im/parley/internal/handlerkit"
)

// forwardFlags say how callbacks are handed to a handler.
type forwardFlags struct {
	SecretFile string        `name:"secret-file" type:"path" help:"Where the secret is kept that signs what is handed over; default a file of this user's."`
	Timeout    time.Duration `help:"How long the handler may take." default:"30s"`
}

func (f forwardFlags) forwarder(to string, w io.Writer) (*handlerkit.Forwarder, string, error) {
	file := f.SecretFile
	if file == "" {
		var err error
		if file, err = handlerkit.SecretFile(); err != nil {
			return nil, "", err
		}
	}
	secret, err := handlerkit.Secret(file)
	if err != nil {
		return nil, "", err
	}
	key, err := signature.Parse(secret)
	if err != nil {
		return nil, "", err
	}
	return &handlerkit.Forwarder{
		To: to, Keys: []signature.Key{key}, Client: &http.Client{
			Timeout:       f.Timeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}, Out: w, Now: time.Now,
	}, secret, nil
}

type listenFlags struct {
	remoteFlags
	forwardFlags
	Forward string   `placeholder:"URL" help:"Hand callbacks to this handler, such as http://127.0.0.1:8080/webhook, and its answers back. Without it everything is approved."`
	Events  []string `help:"Only these callbacks, by their keys in webhooks.yml; * stands for any letters." default:"*"`
	Decide  bool     `help:"Let the answers count for before-callbacks that have a handler already; otherwise they are copies."`
}

func (l *listenFlags) listen(ctx context.Context, w io.Writer, recorder *handlerkit.Recorder) error {
	r, err := l.remote(ctx)
	if err != nil {
		return err
	}
	f, secret, err := l.forwarder(l.Forward, w)
	if err != nil {
		return err
	}
	f.Recorder = recorder
	if l.Forward != "" {
		fmt.Fprintf(w, "forwarding to %s, signed with %s\n", l.Forward, secret)
	}
	return handlerkit.Listen(ctx, r, f, handlerkit.ListenOptions{Events: l.Events, Decide: l.Decide})
}

type listenCmd struct{ listenFlags }

// Run receives callbacks until it is interrupted.
func (l *listenCmd) Run(ctx context.Context, w io.Writer) error { return l.listen(ctx, w, nil) }

type recordCmd struct {
	Dir string `arg:"" type:"path" help:"Directory for the files, one for each callback. They hold message content."`
	listenFlags
}

// Run receives callbacks and keeps each with its answer.
func (r *recordCmd) Run(ctx context.Context, w io.Writer) error {
	return r.listen(ctx, w, &handlerkit.Recorder{Dir: r.Dir})
}

// replayFiles asks a handler again.
func replayFiles(ctx context.Context, w io.Writer, flags forwardFlags, to string, files []string) error {
	f, _, err := flags.forwarder(to, w)
	if err != nil {
		return err
	}
	differ, err := handlerkit.Replay(ctx, f, files)
	if err == nil && differ > 0 {
		err = fmt.Errorf("%d of %d answers are different", differ, len(files))
	}
	return err
}
