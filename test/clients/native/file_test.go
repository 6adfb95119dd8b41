package native

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/png"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/openimsdk/openim-sdk-core/v3/sdk_struct"
	"github.com/openimsdk/protocol/sdkws"
	"github.com/parley-im/parley/test/harness"
)

// UploadFile is what the client core tells of an upload.
type upload struct {
	parts  int            // put there, or found there
	at     map[int]func() // what to do when a part is done
	how    int            // 0 was there already, 1 from the start, 2 went on with an earlier one
	ended  bool
	stored int64
}

func (u *upload) Open(int64)                          {}
func (u *upload) PartSize(int64, int)                 {}
func (u *upload) HashPartProgress(int, int64, string) {}
func (u *upload) HashPartComplete(string, string)     {}
func (u *upload) UploadID(string)                     {}
func (u *upload) UploadComplete(int64, int64, int64)  {}

func (u *upload) UploadPartComplete(index int, _ int64, _ string) {
	u.parts++
	if do := u.at[index]; do != nil {
		do()
	}
}

func (u *upload) Complete(size int64, _ string, how int) { u.ended, u.stored, u.how = true, size, how }

// randomFile is a file of random bytes, the same for the same seed.
func randomFile(t *testing.T, seed byte, size int) (path string, text []byte) {
	t.Helper()
	text = make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(text)
	path = filepath.Join(t.TempDir(), fmt.Sprintf("file %d 文件.bin", size))
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path, text
}

// fetch gets what a link leads to, as an app does: without a token.
func fetch(t *testing.T, link string) []byte {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, link, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: status %d, %v", link, resp.StatusCode, err)
	}
	return text
}

// UploadFile calls the core's UploadFile, whose request is of a type of its own that
// other packages cannot name. It returns the file's address.
func (d *device) UploadFile(ctx context.Context, path, name string, progress *upload) (link string, err error) {
	call := reflect.ValueOf(d.mgr.File().UploadFile)
	req := reflect.New(call.Type().In(1).Elem())
	for field, value := range map[string]string{"Filepath": path, "Name": name, "Cause": "msg-file"} {
		req.Elem().FieldByName(field).SetString(value)
	}
	out := call.Call([]reflect.Value{reflect.ValueOf(ctx), req, reflect.ValueOf(progress)})
	if err, _ := out[1].Interface().(error); err != nil {
		return "", err
	}
	return out[0].Elem().FieldByName("URL").String(), nil
}

// onEachBackend runs a test with objects on the server's disk, and with objects in
// an S3 store that clients put parts to and get contents from themselves.
func onEachBackend(t *testing.T, test func(t *testing.T, server *harness.Server)) {
	t.Run("disk", func(t *testing.T) { test(t, shared) })
	t.Run("S3", func(t *testing.T) {
		test(t, serve(t, func(dir string) {
			if err := store(t).Configure(dir); err != nil {
				t.Fatal(err)
			}
		}))
	})
}

// store is the S3 server of all tests.
func store(t *testing.T) *harness.S3 {
	t.Helper()
	s, err := s3()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// serve runs a server of its own for a test, with the configuration that is
// written to a directory.
func serve(t *testing.T, configure func(dir string)) *harness.Server {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "share.yml"), []byte("secret: for-this-test-only\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	configure(dir)
	binary, err := harness.Build(binaries, false)
	if err != nil {
		t.Fatal(err)
	}
	server, err := harness.Start(harness.Options{Binary: binary, DataDir: t.TempDir(), ConfigDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	return server
}

// TestUploadFile uploads files of one part and of many, and downloads them.
func TestUploadFile(t *testing.T) { onEachBackend(t, uploadFiles) }

func uploadFiles(t *testing.T, server *harness.Server) {
	a, _, _ := pair(t, server)
	sizes := []int{1, 5 << 20, 100 << 20}
	if server != shared {
		sizes[2] = 31 << 20 // many parts, too
	}
	for seed, size := range sizes {
		path, want := randomFile(t, byte(seed+1), size)
		var u upload
		got, err := a.UploadFile(a.call(), path, filepath.Base(path), &u)
		if err != nil {
			t.Fatalf("%d bytes: %v", size, err)
		}
		if u.how != 1 || u.stored != int64(size) || u.parts != (size+5<<20-1)/(5<<20) {
			t.Errorf("%d bytes: %+v", size, u)
		}
		if !bytes.Equal(fetch(t, got), want) {
			t.Errorf("%d bytes: what is downloaded differs", size)
		}
		// The same content under another name needs no upload.
		again := upload{}
		other, err := a.UploadFile(a.call(), path, "again", &again)
		if err != nil || again.how != 0 || !again.ended || again.parts != 0 || other == got {
			t.Errorf("%d bytes again: %+v, %v", size, again, err)
		}
	}
}

// TestUploadIsResumed: an upload that was broken off goes on where it ended.
func TestUploadIsResumed(t *testing.T) { onEachBackend(t, resumeUpload) }

func resumeUpload(t *testing.T, server *harness.Server) {
	a, _, _ := pair(t, server)
	path, want := randomFile(t, 9, 23<<20)
	ctx, cancel := context.WithCancel(a.call())
	broken := upload{at: map[int]func(){2: cancel}}
	if _, err := a.UploadFile(ctx, path, "resumed", &broken); err == nil || broken.ended {
		t.Fatalf("the upload was to break: %+v", broken)
	}
	var u upload
	got, err := a.UploadFile(a.call(), path, "resumed", &u)
	if err != nil || u.how != 2 {
		t.Fatalf("%+v, %v", u, err)
	}
	if !bytes.Equal(fetch(t, got), want) {
		t.Error("what is downloaded differs")
	}
}

// TestUploadsOfOneContent: users who upload the same content at the same time all
// have it, and it is stored once.
func TestUploadsOfOneContent(t *testing.T) {
	t.Run("disk", func(t *testing.T) {
		uploadAtOnce(t, shared, func() (n int, err error) {
			err = filepath.WalkDir(filepath.Join(sharedData, "objects"), func(_ string, d fs.DirEntry, err error) error {
				if err == nil && !d.IsDir() {
					n++
				}
				return err
			})
			return n, err
		})
	})
	t.Run("S3", func(t *testing.T) {
		server := serve(t, func(dir string) {
			if err := store(t).Configure(dir); err != nil {
				t.Fatal(err)
			}
		})
		uploadAtOnce(t, server, store(t).Contents)
	})
}

func uploadAtOnce(t *testing.T, server *harness.Server, contents func() (int, error)) {
	const users = 4
	path, want := randomFile(t, 17, 6<<20)
	before, err := contents()
	if err != nil {
		t.Fatal(err)
	}
	devices := make([]*device, users)
	for i := range devices {
		userID := harness.UserID("alice")
		if err := server.Register(userID); err != nil {
			t.Fatal(err)
		}
		devices[i] = install(t, server, userID, android).login()
	}
	// All are told to upload: nobody puts the last part before everybody has put
	// the first.
	var begun atomic.Int32
	var ended sync.WaitGroup
	all := make(chan struct{})
	links, failed := make([]string, users), make([]error, users)
	for i, d := range devices {
		ctx := d.call()
		u := &upload{at: map[int]func(){0: func() {
			if begun.Add(1) == users {
				close(all)
			}
			select {
			case <-all:
			case <-ctx.Done():
			}
		}}}
		ended.Go(func() { links[i], failed[i] = d.UploadFile(ctx, path, "one", u) })
	}
	ended.Wait()
	for i, link := range links {
		if failed[i] != nil {
			t.Errorf("upload %d: %v", i, failed[i])
		} else if !bytes.Equal(fetch(t, link), want) {
			t.Errorf("%s: what is downloaded differs", link)
		}
	}
	after, err := contents()
	if err != nil || after-before != 1 {
		t.Errorf("%d uploads stored %d contents, %v", users, after-before, err)
	}
}

// TestFileMessages: the messages made of files arrive with links that work.
func TestFileMessages(t *testing.T) { onEachBackend(t, fileMessages) }

func fileMessages(t *testing.T, server *harness.Server) {
	a, b, _ := pair(t, server)
	var img bytes.Buffer
	if err := png.Encode(&img, image.NewGray(image.Rect(0, 0, 800, 400))); err != nil {
		t.Fatal(err)
	}
	picture := filepath.Join(t.TempDir(), "picture.png")
	if err := os.WriteFile(picture, img.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	plain, text := randomFile(t, 5, 3000)
	// The older functions take paths below the device's data folder.
	const inside, insidePicture = "/album/plan.bin", "/album/picture.png"
	for name, from := range map[string]string{inside: plain, insidePicture: picture} {
		raw, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Join(a.dir, "album"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(a.dir+name, raw, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	type linked = map[string][]byte // what each link of a message leads to
	ofPicture := func(m *sdk_struct.MsgStruct) linked {
		small := fetch(t, m.PictureElem.SnapshotPicture.Url)
		if got, _, err := image.DecodeConfig(bytes.NewReader(small)); err != nil || got.Width != 640 || got.Height != 320 {
			t.Errorf("snapshot %v, %v", got, err)
		}
		return linked{m.PictureElem.SourcePicture.Url: img.Bytes(), m.PictureElem.BigPicture.Url: img.Bytes()}
	}
	ofFile := func(m *sdk_struct.MsgStruct) linked { return linked{m.FileElem.SourceURL: text} }
	ofSound := func(m *sdk_struct.MsgStruct) linked { return linked{m.SoundElem.SourceURL: text} }
	ofVideo := func(m *sdk_struct.MsgStruct) linked {
		return linked{m.VideoElem.VideoURL: text, m.VideoElem.SnapshotURL: img.Bytes()}
	}
	for _, c := range []struct {
		name  string
		make  func(d *device) (*sdk_struct.MsgStruct, error)
		links func(m *sdk_struct.MsgStruct) linked
	}{
		{"CreateImageMessage", func(d *device) (*sdk_struct.MsgStruct, error) {
			return d.mgr.Conversation().CreateImageMessage(d.ctx(), insidePicture)
		}, ofPicture},
		{"CreateImageMessageFromFullPath", func(d *device) (*sdk_struct.MsgStruct, error) {
			return d.mgr.Conversation().CreateImageMessageFromFullPath(d.ctx(), picture)
		}, ofPicture},
		{"CreateFileMessage", func(d *device) (*sdk_struct.MsgStruct, error) {
			return d.mgr.Conversation().CreateFileMessage(d.ctx(), inside, "plan.bin")
		}, ofFile},
		{"CreateFileMessageFromFullPath", func(d *device) (*sdk_struct.MsgStruct, error) {
			return d.mgr.Conversation().CreateFileMessageFromFullPath(d.ctx(), plain, "plan.bin")
		}, ofFile},
		{"CreateSoundMessage", func(d *device) (*sdk_struct.MsgStruct, error) {
			return d.mgr.Conversation().CreateSoundMessage(d.ctx(), inside, 3)
		}, ofSound},
		{"CreateSoundMessageFromFullPath", func(d *device) (*sdk_struct.MsgStruct, error) {
			return d.mgr.Conversation().CreateSoundMessageFromFullPath(d.ctx(), plain, 3)
		}, ofSound},
		{"CreateVideoMessage", func(d *device) (*sdk_struct.MsgStruct, error) {
			return d.mgr.Conversation().CreateVideoMessage(d.ctx(), inside, "mp4", 3, insidePicture)
		}, ofVideo},
		{"CreateVideoMessageFromFullPath", func(d *device) (*sdk_struct.MsgStruct, error) {
			return d.mgr.Conversation().CreateVideoMessageFromFullPath(d.ctx(), plain, "mp4", 3, picture)
		}, ofVideo},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, b := a.in(t), b.in(t)
			m, err := c.make(a)
			if err != nil {
				t.Fatal(err)
			}
			progress := &progress{}
			ctx := context.WithValue(a.call(), "callback", progress)
			done, err := a.mgr.Conversation().SendMessage(ctx, m, b.userID, "", &sdkws.OfflinePushInfo{}, false)
			if err != nil {
				t.Fatal(err)
			}
			if progress.last.Load() != 100 {
				t.Errorf("the app was told of %d percent", progress.last.Load())
			}
			got := b.received(sent{done.ClientMsgID, done.ServerMsgID, done.SendTime})
			for link, want := range c.links(got) {
				if text := fetch(t, link); !bytes.Equal(text, want) {
					t.Errorf("%s: %d bytes differ from the %d sent", link, len(text), len(want))
				}
			}
		})
	}
}

// progress is what the app is told while a file is sent.
type progress struct{ last atomic.Int64 }

func (p *progress) OnProgress(percent int) { p.last.Store(int64(percent)) }
func (p *progress) OnError(int32, string)  {}
func (p *progress) OnSuccess(string)       {}
