package native

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/png"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"sync/atomic"
	"testing"

	"github.com/openimsdk/openim-sdk-core/v3/sdk_struct"
	"github.com/openimsdk/protocol/sdkws"
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

// TestUploadFile uploads files of one part and of many, and downloads them.
func TestUploadFile(t *testing.T) {
	a, _, _ := pair(t, shared)
	for seed, size := range []int{1, 5 << 20, 100 << 20} {
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
func TestUploadIsResumed(t *testing.T) {
	a, _, _ := pair(t, shared)
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

// TestFileMessages: the messages made of files arrive with links that work.
func TestFileMessages(t *testing.T) {
	a, b, _ := pair(t, shared)
	var img bytes.Buffer
	if err := png.Encode(&img, image.NewGray(image.Rect(0, 0, 800, 400))); err != nil {
		t.Fatal(err)
	}
	picture := filepath.Join(t.TempDir(), "picture.png")
	if err := os.WriteFile(picture, img.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	plain, text := randomFile(t, 5, 3000)
	for _, c := range []struct {
		name  string
		make  func(d *device) (*sdk_struct.MsgStruct, error)
		links func(m *sdk_struct.MsgStruct) map[string][]byte
	}{
		{
			"CreateImageMessageFromFullPath", func(d *device) (*sdk_struct.MsgStruct, error) {
				return d.mgr.Conversation().CreateImageMessageFromFullPath(d.ctx(), picture)
			},
			func(m *sdk_struct.MsgStruct) map[string][]byte {
				small := fetch(t, m.PictureElem.SnapshotPicture.Url)
				if got, _, err := image.DecodeConfig(bytes.NewReader(small)); err != nil || got.Width != 640 || got.Height != 320 {
					t.Errorf("snapshot %v, %v", got, err)
				}
				return map[string][]byte{m.PictureElem.SourcePicture.Url: img.Bytes(), m.PictureElem.BigPicture.Url: img.Bytes()}
			},
		},
		{
			"CreateFileMessageFromFullPath", func(d *device) (*sdk_struct.MsgStruct, error) {
				return d.mgr.Conversation().CreateFileMessageFromFullPath(d.ctx(), plain, "plan.bin")
			},
			func(m *sdk_struct.MsgStruct) map[string][]byte { return map[string][]byte{m.FileElem.SourceURL: text} },
		},
		{
			"CreateSoundMessageFromFullPath", func(d *device) (*sdk_struct.MsgStruct, error) {
				return d.mgr.Conversation().CreateSoundMessageFromFullPath(d.ctx(), plain, 3)
			},
			func(m *sdk_struct.MsgStruct) map[string][]byte { return map[string][]byte{m.SoundElem.SourceURL: text} },
		},
		{
			"CreateVideoMessageFromFullPath", func(d *device) (*sdk_struct.MsgStruct, error) {
				return d.mgr.Conversation().CreateVideoMessageFromFullPath(d.ctx(), plain, "mp4", 3, picture)
			},
			func(m *sdk_struct.MsgStruct) map[string][]byte {
				return map[string][]byte{m.VideoElem.VideoURL: text, m.VideoElem.SnapshotURL: img.Bytes()}
			},
		},
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
