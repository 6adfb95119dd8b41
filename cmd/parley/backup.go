package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/parley-im/parley/internal/app"
	"github.com/parley-im/parley/internal/backup"
)

type backupCmd struct {
	dataFlag
	File string `arg:"" help:"Archive to write, or a directory for one named by the time." type:"path"`
}

// Run writes the archive under another name, reads it once more, and only then
// gives it its own.
func (b *backupCmd) Run(ctx context.Context, w io.Writer) error {
	name := b.File
	if info, err := os.Stat(name); err == nil {
		if !info.IsDir() {
			return fmt.Errorf("%s exists", name)
		}
		name = filepath.Join(name, time.Now().UTC().Format("parley-20060102T150405Z.tar.zst"))
	}
	partial := name + ".partial" // one that was left over is of no use
	f, err := os.OpenFile(partial, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	m, err := b.write(ctx, f)
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(partial))
	}
	if err := os.Rename(partial, name); err != nil {
		return err
	}
	if err := syncDir(filepath.Dir(name)); err != nil {
		return err
	}
	fmt.Fprintf(w, "%s: %s\n", name, about(m))
	for _, key := range m.Missing {
		fmt.Fprintf(w, "warning: a file's content %s was not there\n", key)
	}
	return nil
}

func (b *backupCmd) write(ctx context.Context, f *os.File) (*backup.Manifest, error) {
	if err := b.stream(ctx, http.MethodPost, "/backup", nil, func(r io.Reader) error {
		if _, err := io.Copy(f, r); err != nil {
			return fmt.Errorf("the archive ended early: %w; the server's log may say why", err)
		}
		return nil
	}); err != nil {
		return nil, err
	}
	if err := f.Sync(); err != nil {
		return nil, err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	return backup.Check(ctx, f)
}

func syncDir(name string) error {
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// about says what an archive holds.
func about(m *backup.Manifest) string {
	text := fmt.Sprintf("%d files, %d bytes, %s with schema %d, of parley %s at %s", len(m.Files), m.Size(), m.Engine, m.Schema, m.Version, m.CreatedAt.Format(time.RFC3339))
	if m.Elsewhere != "" {
		text += "; files sent by users are not in it but in " + m.Elsewhere
	}
	return text
}

type restoreCmd struct {
	configFlags
	File  string `arg:"" help:"Archive to read." type:"existingfile"`
	Check bool   `help:"Only check the archive and say what it holds."`
}

// Run makes a data directory of an archive.
func (r *restoreCmd) Run(ctx context.Context, w io.Writer) error {
	f, err := os.Open(r.File)
	if err != nil {
		return err
	}
	defer f.Close()
	if r.Check {
		m, err := backup.Check(ctx, f)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(w, about(m))
		return err
	}
	c, report, err := r.load()
	if err != nil {
		return reportErrors(report, err)
	}
	m, err := app.Restore(ctx, f, c)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s: %s\n", c.DataDir, about(m))
	return err
}
