package backup_test

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/parley-im/parley/internal/backup"
)

var content = fstest.MapFS{
	"data/parley.db":              {Data: []byte("a database")},
	"data/objects/o/content/ab/c": {Data: bytes.Repeat([]byte("picture "), 1000)},
	"postgres/users":              {Data: []byte{}},
}

func write(t *testing.T, m backup.Manifest, files fstest.MapFS) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := backup.NewWriter(t.Context(), &out, m)
	if err != nil {
		t.Fatal(err)
	}
	for name := range files {
		f, err := files.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Add(name, f); err != nil {
			t.Fatal(err)
		}
	}
	w.Missing("gone")
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func extract(t *testing.T, archive []byte) (string, *backup.Manifest, error) {
	t.Helper()
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	m, err := backup.Extract(t.Context(), bytes.NewReader(archive), root)
	return dir, m, err
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 22, 6, 0, 0, 0, time.UTC)
	archive := write(t, backup.Manifest{Version: "v1", CreatedAt: at, Engine: "sqlite", Schema: 15, Tables: json.RawMessage(`[]`)}, content)
	dir, m, err := extract(t, archive)
	if err != nil {
		t.Fatal(err)
	}
	if m.Version != "v1" || !m.CreatedAt.Equal(at) || m.Engine != "sqlite" || m.Schema != 15 || m.Size() != 8010 || len(m.Files) != 3 || m.Missing[0] != "gone" {
		t.Errorf("manifest %+v", m)
	}
	for name, want := range content {
		got, err := os.ReadFile(dir + "/" + name)
		if err != nil || !bytes.Equal(got, want.Data) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		if info, err := os.Stat(dir + "/" + name); err != nil || info.Mode() != 0o600 {
			t.Errorf("%s: mode %v, %v", name, info.Mode(), err)
		}
	}
	checked, err := backup.Check(t.Context(), bytes.NewReader(archive))
	if err != nil || checked.Size() != m.Size() {
		t.Errorf("check: %+v, %v", checked, err)
	}
}

// Whatever happens to an archive's bytes, it is refused, or everything in it is
// as it was.
func TestDamage(t *testing.T) {
	t.Parallel()
	archive := write(t, backup.Manifest{Engine: "sqlite"}, content)
	whole, err := backup.Check(t.Context(), bytes.NewReader(archive))
	if err != nil {
		t.Fatal(err)
	}
	list, err := json.Marshal(whole)
	if err != nil {
		t.Fatal(err)
	}
	refused := 0
	try := func(what string, at int, b []byte) {
		t.Helper()
		m, err := backup.Check(t.Context(), bytes.NewReader(b))
		if err != nil {
			if !errors.Is(err, backup.ErrDamaged) && !errors.Is(err, backup.ErrNewer) {
				t.Errorf("%s at %d: %v", what, at, err)
			}
			refused++
			return
		}
		if got, err := json.Marshal(m); err != nil || !bytes.Equal(got, list) {
			t.Errorf("%s at %d was taken: %s", what, at, got)
		}
	}
	for i := range archive {
		try("cut", i, archive[:i])
		for _, bit := range []byte{1, 0x80} {
			b := bytes.Clone(archive)
			b[i] ^= bit
			try("flip", i, b)
		}
	}
	if refused < 2*len(archive) {
		t.Errorf("%d of %d refused", refused, 3*len(archive))
	}
}

// pack makes an archive by hand.
func pack(t *testing.T, entries ...tar.Header) []byte {
	t.Helper()
	var out bytes.Buffer
	z, err := zstd.NewWriter(&out)
	if err != nil {
		t.Fatal(err)
	}
	w := tar.NewWriter(z)
	for _, h := range entries {
		body := h.PAXRecords["TEST.body"]
		h.PAXRecords, h.Size, h.Mode = nil, int64(len(body)), 0o600
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(body)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func entry(name, body string) tar.Header {
	return tar.Header{Name: name, Typeflag: tar.TypeReg, PAXRecords: map[string]string{"TEST.body": body}}
}

func TestHostileArchives(t *testing.T) {
	t.Parallel()
	const empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	manifest := func(name string) tar.Header {
		return entry("manifest.json", `{"format":1,"files":[{"name":"`+name+`","size":0,"sha256":"`+empty+`"}]}`)
	}
	for name, archive := range map[string][]byte{
		"above":         pack(t, entry("data/../../x", ""), manifest("data/../../x")),
		"absolute":      pack(t, entry("/data/x", ""), manifest("/data/x")),
		"elsewhere":     pack(t, entry("etc/x", ""), manifest("etc/x")),
		"a link":        pack(t, tar.Header{Name: "data/x", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"}, manifest("data/x")),
		"twice":         pack(t, entry("data/x", ""), entry("data/x", ""), manifest("data/x")),
		"unlisted":      pack(t, entry("data/x", ""), entry("data/y", ""), manifest("data/x")),
		"absent":        pack(t, manifest("data/x")),
		"changed":       pack(t, entry("data/x", "text"), manifest("data/x")),
		"after its end": pack(t, entry("data/x", ""), manifest("data/x"), entry("data/y", "")),
		"no archive":    []byte("SQLite format 3"),
		"nothing":       {},
	} {
		if _, _, err := extract(t, archive); !errors.Is(err, backup.ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := extract(t, pack(t, entry("manifest.json", `{"format":2}`))); !errors.Is(err, backup.ErrNewer) {
		t.Errorf("newer format: %v", err)
	}
	if _, _, err := extract(t, pack(t, entry("data/x", ""), manifest("data/x"))); err != nil {
		t.Errorf("a good one made by hand: %v", err)
	}
}

// shrinking is a file that is shorter than it says.
type shrinking struct{ fs.File }

func (shrinking) Read([]byte) (int, error) { return 0, errors.New("cut off") }

func TestAddFails(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	w, err := backup.NewWriter(ctx, new(bytes.Buffer), backup.Manifest{})
	if err != nil {
		t.Fatal(err)
	}
	f, err := content.Open("data/parley.db")
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Add("data/parley.db", shrinking{f}); err == nil || !strings.Contains(err.Error(), "cut off") {
		t.Errorf("a file that cannot be read: %v", err)
	}
	cancel()
	if w, err = backup.NewWriter(ctx, new(bytes.Buffer), backup.Manifest{}); err != nil {
		t.Fatal(err)
	}
	if err := w.Add("data/parley.db", f); !errors.Is(err, context.Canceled) {
		t.Errorf("given up: %v", err)
	}
}
