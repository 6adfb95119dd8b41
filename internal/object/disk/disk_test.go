package disk_test

import (
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/parley-im/parley/internal/object/disk"
	"github.com/parley-im/parley/internal/object/objecttest"
	"github.com/parley-im/parley/internal/store"
)

// area is a store in a folder, with a file beside it that nobody may see or change.
type area struct {
	*disk.Store
	around string
}

const secret = "the file beside the store"

func open(t testing.TB) area {
	t.Helper()
	a := area{around: t.TempDir()}
	if err := os.WriteFile(filepath.Join(a.around, "passwd"), []byte(secret), 0o600); err != nil {
		t.Fatal(err)
	}
	var err error
	if a.Store, err = disk.Open(filepath.Join(a.around, "objects")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() })
	return a
}

// files are all around and inside the store, with their contents.
func (a area) files(t testing.TB) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(a.around, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		all[path] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// attempt does everything the store can do with a name in place of a key, and
// reports whether anything was not refused.
func (a area) attempt(t testing.TB, name string) (taken bool) {
	t.Helper()
	ctx := t.Context()
	sum := strings.Repeat("ab", 16)
	asUpload := &store.Upload{ID: name, Key: "b-x", Size: 1, PartSize: 1}
	asContent := &store.Upload{ID: "u-x", Key: name, Size: 1, PartSize: 1}
	asSum := &store.Upload{ID: "u-x", Key: "b-x", Size: 1, PartSize: 1}
	if c, err := a.Open(ctx, name); err == nil {
		text, _ := io.ReadAll(c)
		_ = c.Close()
		if string(text) == secret {
			t.Fatalf("%q shows the file beside the store", name)
		}
		taken = true
	}
	_, began := a.Begin(ctx, asUpload)
	for _, err := range []error{
		began,
		a.Put(ctx, name, "", 1, strings.NewReader("x")),
		a.Receive(ctx, asUpload, 1, 1, strings.NewReader("x")),
		a.Finish(ctx, asUpload, []string{sum}),
		a.Finish(ctx, asContent, []string{sum}),
		a.Finish(ctx, asSum, []string{name}),
		a.Discard(ctx, asUpload),
		a.Delete(ctx, name),
	} {
		taken = taken || err == nil
	}
	return taken
}

// The store refuses every name but those the server makes, whatever is done with it.
func TestHostileKeys(t *testing.T) {
	t.Parallel()
	a := open(t)
	if err := a.Put(t.Context(), "b-one", "", 3, strings.NewReader("one")); err != nil {
		t.Fatal(err)
	}
	before := a.files(t)
	keys := append(objecttest.Names(), objecttest.Paths("", "passwd")...)
	for _, key := range keys {
		if isKey.MatchString(key) {
			continue
		}
		if a.attempt(t, key) {
			t.Errorf("%q is taken for a key", key)
		}
	}
	if after := a.files(t); !maps.Equal(before, after) {
		t.Errorf("files were %v, are %v", before, after)
	}
	if len(keys) < 1000 {
		t.Errorf("only %d hostile keys", len(keys))
	}
	t.Logf("%d hostile keys", len(keys))
}

// isKey is what the server makes keys of, and no file system takes for a path.
var isKey = regexp.MustCompile(`^[a-z0-9_-][a-z0-9_.-]{0,199}$`)

// A link that somebody has put into the folder leads nowhere outside.
func TestLinksLeadNowhere(t *testing.T) {
	t.Parallel()
	a := open(t)
	inside := filepath.Join(a.around, "objects", "content", "ev")
	if err := os.Symlink(a.around, inside); err != nil {
		t.Fatal(err)
	}
	if c, err := a.Open(t.Context(), "b-evil"); err == nil {
		_ = c.Close()
		t.Error("opened through a link")
	}
	if err := a.Put(t.Context(), "b-evil", "", 1, strings.NewReader("x")); err == nil {
		t.Error("written through a link")
	}
	if _, err := os.Stat(filepath.Join(a.around, "b-evil")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file outside the store: %v", err)
	}
}

// FuzzKeys: no key makes the store touch anything outside its folder.
func FuzzKeys(f *testing.F) {
	for _, key := range objecttest.Seeds(append(objecttest.Names(), objecttest.Paths("", "passwd")...)) {
		f.Add(key)
	}
	a := open(f)
	beside := filepath.Join(a.around, "passwd")
	f.Fuzz(func(t *testing.T, key string) {
		if a.attempt(t, key) && !isKey.MatchString(key) {
			t.Errorf("%q is taken for a key", key)
		}
		if text, err := os.ReadFile(beside); err != nil || string(text) != secret {
			t.Fatalf("the file beside the store: %q, %v", text, err)
		}
		if entries, err := os.ReadDir(a.around); err != nil || len(entries) != 2 {
			t.Fatalf("beside the store: %v, %v", entries, err)
		}
	})
}
