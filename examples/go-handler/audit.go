package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"sync"

	"github.com/parley-im/parley/hooks"
)

// auditor stores each event once, one JSON object a line. Package hooks tells
// repetitions apart while the process lives; the ids in the file do so over a
// restart.
type auditor struct {
	mu    sync.Mutex
	file  *os.File
	end   int64
	times map[string]int // by id
}

// entry is a line of the file.
type entry struct {
	ID      string          `json:"id"`
	Command string          `json:"command"`
	Event   json.RawMessage `json:"event"`
}

func openAudit(name string) (*auditor, error) {
	file, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	raw, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	// A last line without its end was cut off by a crash, before it was answered.
	a := &auditor{file: file, end: int64(bytes.LastIndexByte(raw, '\n') + 1), times: map[string]int{}}
	for line := range bytes.Lines(raw[:a.end]) {
		var e entry
		if err := json.Unmarshal(line, &e); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		a.times[e.ID]++
	}
	return a, file.Truncate(a.end)
}

// Store returns when the event is on the disk.
func (a *auditor) Store(_ context.Context, c hooks.Call) error {
	id := c.ID
	if id == "" { // OpenIM tells none
		id = c.Command + ":" + string(c.Body)
	}
	line, err := json.Marshal(entry{id, c.Command, c.Body})
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.times[id] > 0 {
		return nil
	}
	line = append(line, '\n')
	if _, err := a.file.WriteAt(line, a.end); err != nil {
		return err
	}
	if err := a.file.Sync(); err != nil {
		return err
	}
	a.end += int64(len(line))
	a.times[id]++
	return nil
}

func (a *auditor) Close() error { return a.file.Close() }
