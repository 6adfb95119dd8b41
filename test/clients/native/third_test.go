package native

import (
	"archive/zip"
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/openimsdk/protocol/sdkws"
	"github.com/openimsdk/tools/log"
	"github.com/parley-im/parley/test/harness"
)

// pushed is a message that came to the vendor.
type pushed struct {
	Token        string
	Notification struct{ Title, Body string }
	APNs         struct {
		Payload struct {
			Aps struct {
				Badge int
				Sound string
			}
		}
	}
}

// firebase plays Google: log-in and messages, in the order they come.
func firebase(t *testing.T) (url string, got chan pushed) {
	t.Helper()
	got = make(chan pushed, 16)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"access_token":"access","expires_in":3600}`)
	})
	mux.HandleFunc("POST /v1/projects/demo/messages:send", func(w http.ResponseWriter, r *http.Request) {
		var body struct{ Message pushed }
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			t.Error(err)
		}
		got <- body.Message
		_, _ = io.WriteString(w, `{"name":"projects/demo/messages/1"}`)
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s.URL, got
}

// serviceAccount is the file that Google's console gives.
func serviceAccount(t *testing.T, url string) []byte {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	file, err := json.Marshal(map[string]string{
		"type": "service_account", "project_id": "demo", "private_key_id": "1", "client_email": "push@demo.test", "token_uri": url + "/token",
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
	})
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// TestThird: what a device tells the server of itself has its effect when its user
// is away: the vendor is called with the device's token, and with the number its
// icon showed and one more.
func TestThird(t *testing.T) {
	vendor, got := firebase(t)
	server := serve(t, func(dir string) {
		for name, text := range map[string][]byte{
			"openim-push.yml": []byte("enable: fcm\nfcm: {filePath: account.json}\niosPush: {pushSound: ding, badgeCount: true}\n"),
			"parley.yml":      fmt.Appendf(nil, "push: {fcm: {url: %q}}\n", vendor),
			"account.json":    serviceAccount(t, vendor),
		} {
			if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	})
	taps, err := tap(server)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, tap := range taps {
			if err := tap.Close(); err != nil {
				t.Error(err)
			}
		}
	})
	ids := []string{harness.UserID("alice"), harness.UserID("bob")}
	if err := server.Register(ids...); err != nil {
		t.Fatal(err)
	}
	a, b := install(t, server, ids[0], android).login(), install(t, server, ids[1], ios).login()
	t.Run("UpdateFcmToken", func(t *testing.T) {
		b := b.in(t)
		if err := b.mgr.Third().UpdateFcmToken(b.call(), "token of the phone", 3600); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("SetAppBadge", func(t *testing.T) {
		b := b.in(t)
		if err := b.mgr.Third().SetAppBadge(b.call(), 7); err != nil {
			t.Fatal(err)
		}
		b.logout()
		for i, want := range []int{8, 9} {
			m := a.newText("are you there?")
			if _, err := a.mgr.Conversation().SendMessage(a.call(), m, b.userID, "", &sdkws.OfflinePushInfo{
				Title: fmt.Sprint("title ", i), Desc: "text", IOSBadgeCount: true,
			}, false); err != nil {
				t.Fatal(err)
			}
			p := <-got
			if aps := p.APNs.Payload.Aps; p.Token != "token of the phone" || p.Notification.Title != fmt.Sprint("title ", i) || p.Notification.Body != "text" ||
				aps.Badge != want || aps.Sound != "ding" {
				t.Errorf("the vendor got %+v, want badge %d", p, want)
			}
		}
	})
}

// logs is what the app is told while logs are uploaded.
type logs struct{ done, size int64 }

func (l *logs) OnProgress(done, size int64) { l.done, l.size = done, size }

// TestUploadLogs: the last lines of the newest log arrive as a file that
// administrators find and can read.
func TestUploadLogs(t *testing.T) {
	a, _, _ := pair(t, shared)
	for day, text := range map[string]string{"2026-01-01": "old\n", "2026-01-02": "one\ntwo\nthree\n"} {
		if err := os.WriteFile(filepath.Join(a.dir, "open-im-sdk-core."+day), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var told logs
	if err := a.mgr.Third().UploadLogs(a.call(), 2, "it crashed", &told); err != nil {
		t.Fatal(err)
	}
	if told.size == 0 || told.done != told.size {
		t.Errorf("the app was told %+v", told)
	}
	var found struct {
		Total     int
		LogsInfos []struct{ LogID, UserID, Platform, URL, Ex, Nickname, Version string }
	}
	search := map[string]any{"keyword": a.userID, "pagination": map[string]any{"pageNumber": 1, "showNumber": 10}}
	if err := shared.PostAdmin("/third/logs/search", search, &found); err != nil {
		t.Fatal(err)
	}
	if found.Total != 1 || found.LogsInfos[0].UserID != a.userID || found.LogsInfos[0].Ex != "it crashed" || found.LogsInfos[0].Version == "" ||
		found.LogsInfos[0].Nickname != harness.Nickname(a.userID) {
		t.Fatalf("administrators find %+v", found)
	}
	archive := fetch(t, found.LogsInfos[0].URL)
	files, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil || len(files.File) != 1 {
		t.Fatalf("%d files, %v", len(files.File), err)
	}
	f, err := files.File[0].Open()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if text, err := io.ReadAll(f); err != nil || string(text) != "two\nthree" {
		t.Errorf("the log is %q, %v", text, err)
	}
	if err := shared.PostAdmin("/third/logs/delete", map[string]any{"logIDs": []string{found.LogsInfos[0].LogID}}, nil); err != nil {
		t.Fatal(err)
	}
	if err := shared.PostAdmin("/third/logs/search", search, &found); err != nil || found.Total != 0 {
		t.Errorf("%d logs after they were deleted, %v", found.Total, err)
	}
}

// TestLogs: what the app logs is in the device's log, and goes nowhere else.
func TestLogs(t *testing.T) {
	a, _, _ := pair(t, shared)
	const line = "a line of the app's own"
	a.mgr.Third().Log(a.call(), log.LevelError, "app.dart", 12, line, "", []any{"key", "value"})
	a.eventually("the line in the log", func() error {
		files, err := filepath.Glob(filepath.Join(binaries, "*"))
		if err != nil {
			return err
		}
		for _, path := range files {
			if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() || info.Mode()&0o100 != 0 {
				continue
			}
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			if strings.Contains(string(text), line) {
				return nil
			}
		}
		return errors.New("not there")
	})
}
