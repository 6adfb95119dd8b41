package s3_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/object"
	"github.com/parley-im/parley/internal/object/s3"
	"github.com/parley-im/parley/internal/store"
	"github.com/parley-im/parley/internal/store/storetest"
)

const (
	accessKey = "parleytest"
	secretKey = "parley-test-secret"
)

var gateway string // URL of the S3 server

func TestMain(m *testing.M) { os.Exit(run(m)) }

// run starts a versitygw on a directory of its own. Without it the tests fail.
func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "parley-s3-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	build := exec.Command("go", "tool", "-n", "versitygw") // prints where the build cache has it
	build.Dir = "../../../test/s3gateway"
	built, err := build.Output()
	if err != nil {
		fmt.Fprintln(os.Stderr, "the S3 server is needed and cannot be built:", err)
		return 1
	}
	binary := strings.TrimSpace(string(built))
	for _, d := range []string{"data", "meta"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o700); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	address := l.Addr().String()
	_ = l.Close()
	server := exec.Command(binary, "--port", address, "--access", accessKey, "--secret", secretKey, "--quiet", "posix",
		"--sidecar", filepath.Join(dir, "meta"), filepath.Join(dir, "data"))
	server.Stderr = os.Stderr
	if err := server.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() {
		_ = server.Process.Kill()
		_ = server.Wait()
	}()
	gateway = "http://" + address
	if err := answering(address); err != nil {
		fmt.Fprintln(os.Stderr, "the S3 server is needed and does not answer:", err)
		return 1
	}
	return m.Run()
}

// answering waits until somebody listens.
func answering(address string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		c, err := net.Dial("tcp", address)
		if err == nil {
			return c.Close()
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return err
		}
	}
}

func start(t *testing.T) (*object.Service, *s3.Store) {
	t.Helper()
	bucket := strings.ToLower("b-" + strings.NewReplacer("/", "-", "_", "-").Replace(t.Name()))
	b, err := s3.Open(t.Context(), s3.Options{Endpoint: gateway, Bucket: bucket, AccessKey: accessKey, SecretKey: secretKey})
	if err != nil {
		t.Fatal(err)
	}
	return object.New(storetest.SQLite(t)(store.Options{}), b, object.Options{Secret: []byte("secret")}), b
}

func sum(b []byte) string {
	s := md5.Sum(b)
	return hex.EncodeToString(s[:])
}

func do(t *testing.T, method, link string, body []byte) (int, []byte, http.Header) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, link, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, b, resp.Header
}

const part = 5 << 20

type upload struct {
	content []byte
	sums    []string
	hash    string
}

func newUpload(size int, letter byte) upload {
	u := upload{content: bytes.Repeat([]byte{letter}, size)}
	for at := 0; at < size; at += part {
		u.sums = append(u.sums, sum(u.content[at:min(size, at+part)]))
	}
	u.hash = sum([]byte(strings.Join(u.sums, ",")))
	return u
}

func TestUploads(t *testing.T) {
	t.Parallel()
	objects, _ := start(t)
	ctx := im.WithCaller(t.Context(), im.Caller{UserID: "alice"})
	for _, size := range []int{1, part, part + 1, 2*part + 9} {
		u := newUpload(size, byte('a'+size%20))
		f := object.File{Name: fmt.Sprintf("alice/file %d 报.txt", size), ContentType: "text/plain"}
		up, err := objects.Start(ctx, "http://api/", u.hash, int64(size), -1, f)
		if err != nil {
			t.Fatal(err)
		}
		for i, p := range up.Parts {
			if !strings.HasPrefix(p.URL, gateway) {
				t.Fatalf("part goes to %s", p.URL)
			}
			if status, body, _ := do(t, http.MethodPut, p.URL, u.content[i*part:min(size, (i+1)*part)]); status != http.StatusOK {
				t.Fatalf("part %d: %d %s", i+1, status, body)
			}
		}
		for range 2 { // the answer may be lost
			if err := objects.Complete(ctx, up.UploadID, append([]string{}, u.sums...), f); err != nil {
				t.Fatal(err)
			}
		}
		_, link, err := objects.Get(ctx, f.Name, object.Picture{})
		if err != nil {
			t.Fatal(err)
		}
		status, body, header := do(t, http.MethodGet, link, nil)
		if status != http.StatusOK || !bytes.Equal(body, u.content) || header.Get("Content-Type") != "text/plain" ||
			!strings.HasPrefix(header.Get("Content-Disposition"), "attachment") {
			t.Errorf("%d bytes: %d, %d bytes, %v", size, status, len(body), header)
		}
		if done, err := objects.Start(ctx, "http://api/", u.hash, int64(size), 1, object.File{Name: "alice/again"}); err != nil || !done.Done {
			t.Errorf("the same content again: %v, %v", done, err)
		}
	}
}

func TestPartsThatDiffer(t *testing.T) {
	t.Parallel()
	objects, b := start(t)
	ctx := im.WithCaller(t.Context(), im.Caller{UserID: "alice"})
	u := newUpload(part+3, 'x')
	f := object.File{Name: "alice/x"}
	up, err := objects.Start(ctx, "", u.hash, int64(len(u.content)), -1, f)
	if err != nil {
		t.Fatal(err)
	}
	put := func(number int, body []byte) {
		t.Helper()
		if status, answer, _ := do(t, http.MethodPut, up.Parts[number-1].URL, body); status != http.StatusOK {
			t.Fatalf("part %d: %d %s", number, status, answer)
		}
	}
	put(1, u.content[:part])
	if err := objects.Complete(ctx, up.UploadID, append([]string{}, u.sums...), f); !errors.Is(err, im.ErrArgs) {
		t.Errorf("without part 2: %v", err)
	}
	put(2, []byte("yyy"))
	if err := objects.Complete(ctx, up.UploadID, append([]string{}, u.sums...), f); !errors.Is(err, im.ErrArgs) {
		t.Errorf("with another part 2: %v", err)
	}
	put(2, u.content[part:])
	if err := objects.Complete(ctx, up.UploadID, append([]string{}, u.sums...), f); err != nil {
		t.Fatal(err)
	}
	link := strings.Replace(up.Parts[0].URL, "partNumber=1", "partNumber=2", 1)
	if status, _, _ := do(t, http.MethodPut, link, []byte("y")); status < 400 {
		t.Errorf("changed link: %d", status)
	}
	if err := b.Delete(ctx, "b-none"); err != nil {
		t.Errorf("deleting what is not there: %v", err)
	}
}

func TestPicturesAndForms(t *testing.T) {
	t.Parallel()
	objects, _ := start(t)
	ctx := im.WithCaller(t.Context(), im.Caller{UserID: "alice"})
	var picture bytes.Buffer
	if err := png.Encode(&picture, image.NewGray(image.Rect(0, 0, 200, 100))); err != nil {
		t.Fatal(err)
	}
	form, err := objects.StartForm(ctx, "http://api/", int64(picture.Len()), 0, object.File{Name: "alice/p.png", ContentType: "image/png", Cause: "c"})
	if err != nil {
		t.Fatal(err)
	}
	if err := objects.ReceiveForm(ctx, form.ID, bytes.NewReader(picture.Bytes())); err != nil {
		t.Fatal(err)
	}
	if _, err := objects.CompleteForm(ctx, form.ID); err != nil {
		t.Fatal(err)
	}
	_, link, err := objects.Get(ctx, "alice/p.png", object.Picture{Type: "image", Width: 20})
	if err != nil {
		t.Fatal(err)
	}
	_, body, _ := do(t, http.MethodGet, link, nil)
	if got, _, err := image.DecodeConfig(bytes.NewReader(body)); err != nil || got.Width != 20 || got.Height != 10 {
		t.Errorf("picture %v, %v", got, err)
	}
	step := objects.Sweeper([]string{"c"}, time.Now().Add(time.Hour))
	for done := false; !done; {
		if done, err = step(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if status, _, _ := do(t, http.MethodGet, link, nil); status != http.StatusNotFound {
		t.Errorf("picture after its object was deleted: %d", status)
	}
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	for _, o := range []s3.Options{
		{Endpoint: "not an address", Bucket: "b", AccessKey: accessKey, SecretKey: secretKey},
		{Endpoint: gateway, Bucket: "bucket", AccessKey: accessKey, SecretKey: "wrong"},
	} {
		if _, err := s3.Open(t.Context(), o); err == nil || !strings.Contains(err.Error(), "object store") {
			t.Errorf("%s: %v", o.Endpoint, err)
		}
	}
}
