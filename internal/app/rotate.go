package app

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/parley-im/parley/internal/config"
)

// rotatingFile is a log file that is set aside when its time is over, keeping the
// newest few. Times are counted from midnight, and not from the start of the
// process: a server that is started anew every hour has a file a day, too.
type rotatingFile struct {
	path  string
	every time.Duration // 0 for one file
	keep  int
	now   func() time.Time

	mu     sync.Mutex
	f      *os.File
	period int64 // of what is in the file
}

func openRotating(c config.Log) (*rotatingFile, error) {
	path, err := logPath(c)
	if err != nil {
		return nil, err
	}
	r := &rotatingFile{path: path, every: c.RotationTime, keep: c.RemainRotationCount, now: time.Now}
	return r, r.open()
}

func (r *rotatingFile) open() error {
	f, err := os.OpenFile(r.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o640)
	if err != nil {
		return fmt.Errorf("log file: %w", err)
	}
	last := r.now()
	if about, err := f.Stat(); err == nil && about.Size() > 0 {
		last = about.ModTime()
	}
	r.f, r.period = f, r.periodOf(last)
	return nil
}

// periodOf numbers the times that a file is for; days begin where the server is.
func (r *rotatingFile) periodOf(t time.Time) int64 {
	if r.every <= 0 {
		return 0
	}
	_, zone := t.Zone()
	return (t.UnixNano() + int64(zone)*int64(time.Second)) / int64(r.every)
}

// Write appends a line, rotating first when it is time.
func (r *rotatingFile) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var rotated error
	if r.periodOf(r.now()) != r.period {
		rotated = r.rotate()
	}
	n, err := r.f.Write(b)
	return n, errors.Join(rotated, err)
}

// rotate leaves a file that can be written to, whatever goes wrong.
func (r *rotatingFile) rotate() error {
	renamed := os.Rename(r.path, r.path+"."+r.now().Format("2006-01-02T15-04-05.000000000"))
	full := r.f
	if err := r.open(); err != nil {
		return err
	}
	if err := errors.Join(renamed, full.Close()); err != nil {
		return err
	}
	old, err := filepath.Glob(r.path + ".*")
	if err != nil {
		return err
	}
	slices.Sort(old)
	for len(old) > r.keep {
		if err := os.Remove(old[0]); err != nil {
			return err
		}
		old = old[1:]
	}
	return nil
}

// Close ends the file.
func (r *rotatingFile) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.f.Close()
}
