package handlerkit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/parley-im/parley/internal/webhook/listen"
)

// Remote calls the server's API as an administrator.
type Remote interface {
	Post(ctx context.Context, path string, in, out any) error
}

// ErrGone is an error of a Remote about something that is not there, such as a
// session that has ended.
var ErrGone = errors.New("not there any more")

// ListenOptions say what to receive.
type ListenOptions struct {
	Events []string
	Decide bool
	// Again is the pause after a failure; default 1 s.
	Again time.Duration
}

// atOnce is how many callbacks are handed over at a time.
const atOnce = 16

// Listen receives callbacks and hands them to the forwarder until ctx ends. A
// server that is away for a while is waited for.
func Listen(ctx context.Context, r Remote, f *Forwarder, o ListenOptions) error {
	if o.Again <= 0 {
		o.Again = time.Second
	}
	session := ""
	defer func() {
		if session == "" {
			return
		}
		// The server would end it by itself, after half a minute.
		bye, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		_ = r.Post(bye, "/webhook/listen/close", map[string]string{"session": session}, nil)
	}()
	open := func() error {
		var out struct{ Session string }
		err := r.Post(ctx, "/webhook/listen/open", map[string]any{"events": o.Events, "decide": o.Decide}, &out)
		session = out.Session
		return err
	}
	if err := open(); err != nil {
		return err
	}
	say(f.Out, "listening; end with Ctrl-C\n")
	var handling sync.WaitGroup
	defer handling.Wait()
	slots := make(chan struct{}, atOnce)
	for ctx.Err() == nil {
		var out struct{ Requests []listen.Request }
		err := ErrGone
		if session != "" {
			err = r.Post(ctx, "/webhook/listen/next", map[string]string{"session": session}, &out)
		}
		if errors.Is(err, ErrGone) {
			if err = open(); err == nil {
				say(f.Out, "the session had ended; listening again\n")
			}
		}
		if err != nil && ctx.Err() == nil {
			say(f.Out, fmt.Sprintf("the server is away: %v; trying again\n", err))
			pause(ctx, o.Again)
			continue
		}
		for _, request := range out.Requests {
			slots <- struct{}{}
			to := session
			handling.Go(func() {
				defer func() { <-slots }()
				answer := f.Handle(ctx, request)
				if err := r.Post(ctx, "/webhook/listen/answer", map[string]any{"session": to, "answer": answer}, nil); err != nil && ctx.Err() == nil {
					say(f.Out, fmt.Sprintf("the answer was not taken: %v\n", err))
				}
			})
		}
	}
	return nil
}

func say(w io.Writer, text string) { _, _ = io.WriteString(w, text) } // a closed terminal ends nothing

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
