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

// rotatingFile is a log file that is set aside after a while, keeping the
// newest few.
type rotatingFile struct {
	path  string
	every time.Duration
	keep  int

	mu     sync.Mutex
	f      *os.File
	opened time.Time
}

func openRotating(c config.Log) (*rotatingFile, error) {
	path, err := logPath(c)
	if err != nil {
		return nil, err
	}
	r := &rotatingFile{path: path, every: c.RotationTime, keep: c.RemainRotationCount}
	return r, r.open()
}

func (r *rotatingFile) open() error {
	f, err := os.OpenFile(r.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o640)
	if err != nil {
		return fmt.Errorf("log file: %w", err)
	}
	r.f, r.opened = f, time.Now()
	return nil
}

// Write appends a line, rotating first when it is time.
func (r *rotatingFile) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var rotated error
	if r.every > 0 && time.Since(r.opened) >= r.every {
		rotated = r.rotate()
	}
	n, err := r.f.Write(b)
	return n, errors.Join(rotated, err)
}

// rotate leaves a file that can be written to, whatever goes wrong.
func (r *rotatingFile) rotate() error {
	renamed := os.Rename(r.path, r.path+"."+time.Now().Format("2006-01-02T15-04-05"))
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
