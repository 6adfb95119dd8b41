package object_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/object"
	"github.com/parley-im/parley/internal/object/disk"
	"github.com/parley-im/parley/internal/object/objecttest"
	"github.com/parley-im/parley/internal/store"
	"github.com/parley-im/parley/internal/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// kit is a service on a directory, with a clock.
type kit struct {
	*object.Service
	t   *testing.T
	dir string
	now time.Time
}

func start(t *testing.T, open storetest.Open, o object.Options) *kit {
	t.Helper()
	k := &kit{t: t, dir: t.TempDir(), now: time.Now()}
	files, err := disk.Open(k.dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = files.Close() })
	clock := func() time.Time { return k.now }
	o.Secret, o.Now = []byte("secret"), clock
	k.Service = object.New(open(store.Options{Now: clock}), files, o)
	return k
}

func as(ctx context.Context, userID string) context.Context {
	return im.WithCaller(ctx, im.Caller{UserID: userID})
}

func sum(b []byte) string {
	s := md5.Sum(b)
	return hex.EncodeToString(s[:])
}

// upload stores a content of one part.
func (k *kit) upload(userID string, f object.File, content []byte) error {
	k.t.Helper()
	ctx := as(k.t.Context(), userID)
	sums := []string{sum(content)}
	up, err := k.Start(ctx, "http://x/", sum([]byte(sums[0])), int64(len(content)), 1, f)
	if err != nil || up.Done {
		return err
	}
	if err := k.put(up.Parts[0].URL, content); err != nil {
		return err
	}
	return k.Complete(ctx, up.UploadID, sums, f)
}

func (k *kit) put(link string, content []byte) error {
	k.t.Helper()
	path, query, _ := strings.Cut(strings.TrimPrefix(link, "http://x/object-part/"), "?")
	id, number, _ := strings.Cut(path, "/")
	var n int
	if _, err := fmt.Sscan(number, &n); err != nil {
		k.t.Fatal(err)
	}
	expires, signature, _ := strings.Cut(strings.TrimPrefix(query, "expires="), "&signature=")
	return k.Receive(k.t.Context(), id, n, expires, signature, int64(len(content)), bytes.NewReader(content))
}

func (k *kit) read(name string) (string, error) {
	k.t.Helper()
	o, _, err := k.Get(k.t.Context(), name, object.Picture{})
	if err != nil {
		return "", err
	}
	defer o.Close()
	b, err := io.ReadAll(o)
	return string(b), err
}

// files lists what is on disk below a directory of the store.
func (k *kit) files(dir string) (names []string) {
	k.t.Helper()
	err := filepath.WalkDir(filepath.Join(k.dir, dir), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			names = append(names, path)
		}
		return err
	})
	if err != nil {
		k.t.Fatal(err)
	}
	return names
}

func TestSweep(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		k := start(t, open, object.Options{})
		ctx := as(t.Context(), "alice")
		check := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		sweep := func() {
			t.Helper()
			step := k.Sweeper([]string{"msg-file"}, k.now.Add(-30*24*time.Hour))
			for done := false; !done; {
				var err error
				done, err = step(t.Context())
				check(err)
			}
		}
		check(k.upload("alice", object.File{Name: "alice/old", Cause: "msg-file"}, []byte("shared")))
		check(k.upload("alice", object.File{Name: "alice/old2", Cause: "msg-file"}, []byte("alone")))
		check(k.upload("alice", object.File{Name: "alice/face", Cause: "avatar"}, []byte("face")))
		check(k.upload("alice", object.File{Name: "alice/face", Cause: "avatar"}, []byte("new face"))) // replaced
		up, err := k.Start(ctx, "http://x/", strings.Repeat("ab", 16), 6<<20, 2, object.File{Name: "alice/never"})
		check(err)
		check(k.put(up.Parts[1].URL, make([]byte, 1<<20)))
		form, err := k.StartForm(ctx, "http://x/", 4, 0, object.File{Name: "alice/form"})
		check(err)
		check(k.ReceiveForm(ctx, form.ID, strings.NewReader("form")))

		sweep()
		if got := k.files("content"); len(got) != 4 { // shared, alone, new face, form
			t.Errorf("contents %v", got)
		}
		if got := k.files("upload"); len(got) != 1 {
			t.Errorf("parts %v", got)
		}
		k.now = k.now.Add(8 * 24 * time.Hour) // the upload and the form are over
		sweep()
		if got := k.files(""); len(got) != 3 {
			t.Errorf("files %v", got)
		}
		k.now = k.now.Add(20 * 24 * time.Hour)
		check(k.upload("bob", object.File{Name: "bob/copy", Cause: "msg-file"}, []byte("shared")))
		k.now = k.now.Add(10 * 24 * time.Hour) // alice's files are over
		sweep()
		for name, want := range map[string]string{"alice/face": "new face", "bob/copy": "shared"} {
			if got, err := k.read(name); got != want {
				t.Errorf("%s: %q, %v", name, got, err)
			}
		}
		for _, name := range []string{"alice/old", "alice/old2", "alice/never", "alice/form"} {
			if _, err := k.read(name); !errors.Is(err, im.ErrNotFound) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if got := k.files(""); len(got) != 2 {
			t.Errorf("files %v", got)
		}
	})
}

// What is copied while the server runs is not deleted meanwhile.
func TestKeep(t *testing.T) {
	t.Parallel()
	k := start(t, storetest.SQLite(t), object.Options{})
	sweep := func() {
		t.Helper()
		step := k.Sweeper([]string{"msg-file"}, k.now)
		for done := false; !done; {
			var err error
			if done, err = step(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := k.upload("alice", object.File{Name: "alice/old", Cause: "msg-file"}, []byte("old")); err != nil {
		t.Fatal(err)
	}
	k.now = k.now.Add(24 * time.Hour)
	release, again := k.Keep(), k.Keep()
	again()
	sweep()
	if _, err := k.read("alice/old"); !errors.Is(err, im.ErrNotFound) {
		t.Errorf("its name: %v", err)
	}
	if got := k.files("content"); len(got) != 1 {
		t.Errorf("contents while kept: %v", got)
	}
	release()
	sweep()
	if got := k.files("content"); len(got) != 0 {
		t.Errorf("contents afterwards: %v", got)
	}
}

func TestQuota(t *testing.T) {
	t.Parallel()
	k := start(t, storetest.SQLite(t), object.Options{Quota: 100, MaxSize: 90})
	if err := k.upload("alice", object.File{Name: "alice/a"}, make([]byte, 60)); err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{41, 91} {
		if err := k.upload("alice", object.File{Name: "alice/b"}, make([]byte, size)); !errors.Is(err, im.ErrArgs) {
			t.Errorf("%d bytes more: %v", size, err)
		}
	}
	ctx := as(t.Context(), "alice")
	if _, err := k.Start(ctx, "", strings.Repeat("ab", 16), 40, 1, object.File{Name: "alice/c"}); err != nil {
		t.Fatal(err)
	}
	if _, err := k.StartForm(ctx, "", 1, 0, object.File{Name: "alice/d"}); !errors.Is(err, im.ErrArgs) {
		t.Errorf("what is being uploaded does not count: %v", err)
	}
	if err := k.upload("bob", object.File{Name: "bob/a"}, make([]byte, 60)); err != nil {
		t.Errorf("bob's quota: %v", err)
	}
}

// Everybody together may store so much and no more; a content that is there already
// takes no room, and what was deleted gives it back.
func TestTotalQuota(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		k := start(t, open, object.Options{TotalQuota: 100})
		store := func(userID, name string, content []byte, want error) {
			t.Helper()
			if err := k.upload(userID, object.File{Name: userID + "/" + name, Cause: "msg-file"}, content); !errors.Is(err, want) {
				t.Errorf("%s stores %d bytes: %v, want %v", userID, len(content), err, want)
			}
		}
		store("alice", "a", bytes.Repeat([]byte("a"), 60), nil)
		store("bob", "b", bytes.Repeat([]byte("b"), 50), im.ErrArgs)
		store("bob", "same", bytes.Repeat([]byte("a"), 60), nil)
		store("bob", "c", bytes.Repeat([]byte("c"), 30), nil)
		k.now = k.now.Add(2 * time.Minute) // it is counted anew
		store("carl", "d", bytes.Repeat([]byte("d"), 11), im.ErrArgs)
		ctx := as(t.Context(), "carl")
		if _, err := k.Start(ctx, "", strings.Repeat("ab", 16), 10, 1, object.File{Name: "carl/never"}); err != nil {
			t.Fatal(err)
		}
		if _, err := k.StartForm(ctx, "", 1, 0, object.File{Name: "carl/form"}); !errors.Is(err, im.ErrArgs) {
			t.Errorf("a form beyond the quota: %v", err)
		}
		k.now = k.now.Add(40 * 24 * time.Hour)
		step := k.Sweeper([]string{"msg-file"}, k.now.Add(-30*24*time.Hour))
		for done := false; !done; {
			var err error
			if done, err = step(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		store("bob", "all", bytes.Repeat([]byte("e"), 100), nil)
	})
}

// A process that dies while it writes leaves nothing behind.
func TestHalfWrittenFiles(t *testing.T) {
	t.Parallel()
	k := start(t, storetest.SQLite(t), object.Options{})
	if err := k.upload("alice", object.File{Name: "alice/a"}, []byte("whole")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(k.dir, "new", "half"), []byte("ha"), 0o600); err != nil {
		t.Fatal(err)
	}
	again, err := disk.Open(k.dir)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if got := k.files(""); len(got) != 1 {
		t.Errorf("files %v", got)
	}
}

// A part whose bytes end early is not stored, and does not replace a good one.
func TestBrokenTransfer(t *testing.T) {
	t.Parallel()
	k := start(t, storetest.SQLite(t), object.Options{})
	ctx := as(t.Context(), "alice")
	content := []byte("0123456789")
	sums := []string{sum(content)}
	f := object.File{Name: "alice/a"}
	up, err := k.Start(ctx, "http://x/", sum([]byte(sums[0])), 10, 1, f)
	if err != nil {
		t.Fatal(err)
	}
	if err := k.put(up.Parts[0].URL, content); err != nil {
		t.Fatal(err)
	}
	link := strings.NewReplacer("http://x/object-part/"+up.UploadID+"/1?expires=", "", "&signature=", " ").Replace(up.Parts[0].URL)
	expires, signature, _ := strings.Cut(link, " ")
	broken := io.MultiReader(strings.NewReader("012"), failing{})
	if err := k.Receive(t.Context(), up.UploadID, 1, expires, signature, 10, broken); err == nil {
		t.Error("a broken transfer is taken for a part")
	}
	if got := k.files("new"); len(got) != 0 {
		t.Errorf("left behind: %v", got)
	}
	if err := k.Complete(ctx, up.UploadID, sums, f); err != nil {
		t.Errorf("the good part is gone: %v", err)
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("connection reset") }

func TestPartSize(t *testing.T) {
	t.Parallel()
	k := start(t, storetest.SQLite(t), object.Options{MaxSize: 1 << 45})
	for _, c := range []struct{ size, want int64 }{
		{1, 5 << 20}, {5 << 20 * 10000, 5 << 20}, {5<<20*10000 + 1, 5<<20 + 1}, {1 << 45, (1<<45 + 9999) / 10000},
	} {
		if got, err := k.PartSize(c.size); got != c.want || err != nil {
			t.Errorf("PartSize(%d) = %d, %v; want %d", c.size, got, err, c.want)
		}
	}
}

func TestHostileNames(t *testing.T) {
	t.Parallel()
	k := start(t, storetest.SQLite(t), object.Options{})
	ctx := as(t.Context(), "alice")
	names := objecttest.Names()
	for _, name := range names {
		if _, err := k.StartForm(ctx, "http://x/", 1, 0, object.File{Name: name}); err == nil {
			t.Errorf("%q is allowed", name)
		}
		if o, _, err := k.Get(ctx, name, object.Picture{}); !errors.Is(err, im.ErrNotFound) {
			t.Errorf("%q leads to %v, %v", name, o, err)
		}
	}
	if len(names) < 1000 {
		t.Errorf("only %d hostile names", len(names))
	}
	for _, name := range []string{"alice/a", "alice/…", "alice/a b/报告 (1).txt", "alice/..a", "alice/a..", "alice/%2e%2e", "alice/C:/x", "alice/👨\u200d👩"} {
		if _, err := k.StartForm(ctx, "http://x/", 1, 0, object.File{Name: name}); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func FuzzNames(f *testing.F) {
	for _, name := range objecttest.Seeds(objecttest.Names()) {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		link := object.URL("http://x/", name)
		err := object.CheckName(objecttest.User, name)
		if (err == nil) != objecttest.Allowed(name) {
			t.Fatalf("%q: %v", name, err)
		}
		if err != nil {
			return
		}
		path, ok := strings.CutPrefix(link, "http://x/object/alice/")
		if !ok || strings.ContainsAny(path, "?#") {
			t.Fatalf("%q has the address %q", name, link)
		}
	})
}
