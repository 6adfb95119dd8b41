package bench

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

const (
	defaultStarts = 5
	startPatience = 30 * time.Second
	stopPatience  = 10 * time.Second
	probeEvery    = time.Millisecond
)

// runStart starts the binary again and again, each time until both addresses
// answer, and reads its memory when it has had o.Duration to calm down.
func runStart(ctx context.Context, o *Options) (Result, error) {
	starts := o.Count
	if starts == 0 {
		starts = defaultStarts
	}
	r := Result{Work: o.Work}
	for n := range starts {
		last := n == starts-1
		ready, resident, err := startOnce(ctx, o, last)
		if err != nil {
			return Result{}, err
		}
		r.ReadyMillis = append(r.ReadyMillis, millis(ready))
		r.RSSAfter = resident
	}
	later := slices.Sorted(slices.Values(r.ReadyMillis[min(1, starts-1):]))
	r.ReadyMedian = later[len(later)/2]
	return r, nil
}

func startOnce(ctx context.Context, o *Options, calmDown bool) (ready time.Duration, resident int64, err error) {
	if answers(ctx, o.API) {
		return 0, 0, fmt.Errorf("%s is taken", o.API)
	}
	output := new(tail)
	cmd := exec.Command(o.Binary, o.Args...) //nolint:gosec,noctx // the user's own command line; stopped below, gently first
	cmd.Stdout, cmd.Stderr = output, output
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		return 0, 0, fmt.Errorf("start: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	defer func() {
		if stopErr := stop(cmd, ended); err == nil {
			err = stopErr
		}
	}()

	patience, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	for !answers(patience, o.API) || !answers(patience, strings.Replace(o.WS, "ws", "http", 1)) {
		select {
		case err := <-ended:
			ended <- err
			if err == nil {
				err = errors.New("exit status 0")
			}
			return 0, 0, fmt.Errorf("the server ended before it was ready: %w: %s", err, output)
		default:
		}
		if sleep(patience, probeEvery) != nil {
			return 0, 0, fmt.Errorf("the server was not ready within %s: %s", startPatience, output)
		}
	}
	ready = time.Since(begin)
	if !calmDown {
		return ready, 0, nil
	}
	if err := sleep(ctx, o.Duration); err != nil {
		return 0, 0, err
	}
	resident, err = residentBytes(cmd.Process.Pid)
	return ready, resident, err
}

// answers reports whether something speaks HTTP at the address, whatever it says.
func answers(ctx context.Context, address string) bool {
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return false
	}
	response, err := probe.Do(q)
	if err != nil {
		return false
	}
	_ = response.Body.Close()
	return true
}

var probe = &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

func stop(cmd *exec.Cmd, ended chan error) error {
	if err := cmd.Process.Signal(os.Interrupt); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop: %w", err)
	}
	select {
	case err := <-ended:
		ended <- err
		return nil
	case <-time.After(stopPatience):
		_ = cmd.Process.Kill()
		return fmt.Errorf("stop: the server did not end within %s: %w", stopPatience, <-ended)
	}
}

// tail keeps the end of what a process printed.
type tail struct{ b []byte }

const tailSize = 4096

func (t *tail) Write(p []byte) (int, error) {
	t.b = append(t.b, p...)
	t.b = t.b[max(0, len(t.b)-tailSize):]
	return len(p), nil
}

func (t *tail) String() string { return strings.TrimSpace(string(t.b)) }
