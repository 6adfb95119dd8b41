// Package harness runs the real parley binary as a child process and makes the
// few REST calls that tests with official clients need before a client can log
// in: an admin token, registered users, user tokens.
//
// It knows the server only by its command line and its wire, imports nothing but
// the standard library, and is a module of its own, so that the client modules
// can use it without taking the server's dependencies with it.
package harness

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	startDeadline = 60 * time.Second
	stopDeadline  = 30 * time.Second
	// The race detector ends a process that had a race with this status.
	raceExitCode = 66
)

// Options says how to run the server.
type Options struct {
	Binary    string   // from Build
	DataDir   string   // must exist; kept when the server stops
	ConfigDir string   // an OpenIM configuration directory, or empty
	Env       []string // added to the environment, "KEY=value"
}

// Server is one parley process, started again by Restart.
type Server struct {
	API    string // http://127.0.0.1:PORT
	WS     string // ws://127.0.0.1:PORT
	Secret string // what /auth/get_admin_token asks for

	Console string // http://127.0.0.1:PORT/console

	opts   Options
	child  *child
	client *http.Client // nil for the default one

	mu         sync.Mutex
	adminToken string
}

// child is one run of the process. exited is closed after err is set.
type child struct {
	pid    int
	output *output
	exited chan struct{}
	err    error
	killed bool
}

// ready is what the server writes into its ready file once it listens.
type ready struct {
	PID    int    `json:"pid"`
	API    string `json:"api"`
	WS     string `json:"ws"`
	Secret string `json:"secret"`

	Console string `json:"console"`
}

// Start runs the server on free loopback ports and returns when it listens.
func Start(opts Options) (*Server, error) {
	s := &Server{opts: opts}
	if err := s.launch("127.0.0.1:0", "127.0.0.1:0"); err != nil {
		return nil, err
	}
	return s, nil
}

// Restart runs the server again on the data directory and the ports it had.
// The previous process must have been stopped or killed.
func (s *Server) Restart() error {
	api, err := url.Parse(s.API)
	if err != nil {
		return fmt.Errorf("api address: %w", err)
	}
	ws, err := url.Parse(s.WS)
	if err != nil {
		return fmt.Errorf("socket address: %w", err)
	}
	return s.launch(api.Host, ws.Host)
}

func (s *Server) launch(api, ws string) error {
	dir, err := os.MkdirTemp("", "parley-ready-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	readyFile := filepath.Join(dir, "ready.json")

	args := []string{"serve", "--data", s.opts.DataDir, "--api-addr", api, "--ws-addr", ws, "--ready-file", readyFile}
	if s.opts.ConfigDir != "" {
		args = append(args, "-c", s.opts.ConfigDir)
	}
	c, err := spawn(s.opts, args)
	if err != nil {
		return err
	}
	answer, err := c.awaitReady(readyFile)
	if err != nil {
		c.signal(syscall.SIGKILL)
		<-c.exited
		return fmt.Errorf("%w; the server wrote:\n%s", err, c.output.String())
	}
	s.child, s.API, s.WS, s.Secret, s.Console = c, answer.API, answer.WS, answer.Secret, answer.Console
	return nil
}

func spawn(opts Options, args []string) (*child, error) {
	c := &child{output: new(output), exited: make(chan struct{})}
	started := make(chan error)
	go func() {
		// The child is killed when the thread that made it ends, so that a test
		// binary that dies leaves nothing running; this thread lives as long as
		// the child does.
		runtime.LockOSThread()
		cmd := exec.Command(opts.Binary, args...)
		cmd.Env = append(os.Environ(), opts.Env...)
		cmd.Stdout, cmd.Stderr = c.output, c.output
		cmd.SysProcAttr = dieWithParent()
		if err := cmd.Start(); err != nil {
			started <- fmt.Errorf("start %s: %w", opts.Binary, err)
			return
		}
		c.pid = cmd.Process.Pid
		started <- nil
		c.err = cmd.Wait()
		close(c.exited)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return c, nil
}

// awaitReady polls for the file: it is renamed into place, so it is there whole.
func (c *child) awaitReady(path string) (ready, error) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.NewTimer(startDeadline)
	defer deadline.Stop()
	for {
		raw, err := os.ReadFile(path)
		if err == nil {
			var answer ready
			if err := json.Unmarshal(raw, &answer); err != nil {
				return ready{}, fmt.Errorf("ready file %q: %w", raw, err)
			}
			return answer, nil
		}
		if !errors.Is(err, os.ErrNotExist) {
			return ready{}, fmt.Errorf("ready file: %w", err)
		}
		select {
		case <-tick.C:
		case <-c.exited:
			return ready{}, fmt.Errorf("the server ended before it was ready: %w", errOrDone(c.err))
		case <-deadline.C:
			return ready{}, fmt.Errorf("the server was not ready after %s", startDeadline)
		}
	}
}

func errOrDone(err error) error {
	if err != nil {
		return err
	}
	return errors.New("exit status 0")
}

func (c *child) signal(sig syscall.Signal) {
	select {
	case <-c.exited: // the pid may belong to somebody else by now
	default:
		_ = syscall.Kill(c.pid, sig)
	}
}

// PID is the running process.
func (s *Server) PID() int { return s.child.pid }

// Output is everything the running process has written so far.
func (s *Server) Output() string { return s.child.output.String() }

// Kill ends the process without warning, waits until it is gone, and says
// whether it had a data race until then.
func (s *Server) Kill() error {
	c := s.child
	c.killed = true
	c.signal(syscall.SIGKILL)
	<-c.exited
	return c.verdict()
}

// Stop asks the process to end, waits, and says what was wrong with its end: a
// data race, a status other than 0, or no end at all. A killed process has only
// its races judged. Stopping twice gives the same answer.
func (s *Server) Stop() error {
	c := s.child
	c.signal(syscall.SIGTERM)
	timer := time.NewTimer(stopDeadline)
	defer timer.Stop()
	var late error
	select {
	case <-c.exited:
	case <-timer.C:
		late = fmt.Errorf("the server did not stop within %s of SIGTERM", stopDeadline)
		c.killed = true
		c.signal(syscall.SIGKILL)
		<-c.exited
	}
	return errors.Join(late, c.verdict())
}

func (c *child) verdict() error {
	var problems []error
	if strings.Contains(c.output.String(), "DATA RACE") {
		problems = append(problems, fmt.Errorf("the server has a data race:\n%s", c.output.String()))
	}
	if failed, ok := errors.AsType[*exec.ExitError](c.err); ok && !c.killed {
		if failed.ExitCode() == raceExitCode {
			problems = append(problems, errors.New("the race detector failed the server"))
		} else {
			problems = append(problems, fmt.Errorf("the server ended badly: %w; it wrote:\n%s", failed, c.output.tail()))
		}
	}
	return errors.Join(problems...)
}

// output collects what a process writes; reads and writes may be concurrent.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// tail is the end of it, enough to see why a process ended.
func (o *output) tail() string {
	const most = 8 << 10
	all := o.String()
	if len(all) > most {
		return "…" + all[len(all)-most:]
	}
	return all
}
