package web

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/parley-im/parley/test/harness"
)

// TestBehindNginx uses a server through the nginx of the recipe, over TLS: calls,
// messages, files by the links that calls answer with, and limits that see clients
// and not the proxy.
func TestBehindNginx(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"share.yml":  "secret: for-this-test-only\n",
		"parley.yml": "edge: {trustedProxies: [127.0.0.1]}\nlimits: {requestsPerAddress: 20, exemptAddresses: [127.0.0.1]}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
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
	nginx, err := harness.StartNginx(t.TempDir(), server)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nginx.Stop)
	front := nginx.Front(server)

	ids := users(t, front, "alice", "bob")
	a, b := open(t, front, ids[0]), open(t, front, ids[1])
	for _, p := range []*page{a, b} {
		p.login()
		eval[chromedp.Void](p, made)
	}
	b.received(a.sendText(b.userID, "over TLS"))
	a.received(b.sendText(a.userID, "and back"))
	for _, size := range []int{1, 6 << 20, 20 << 20} {
		a.uploads(size)
	}
	link := eval[string](a, `(async () => {
		const file = makeFile("a.bin", 100);
		return (await im.uploadFile({name: file.name, contentType: file.type, uuid: crypto.randomUUID(), file})).data.url;
	})()`)
	if !strings.HasPrefix(link, front.API+"/object/") {
		t.Errorf("a link is %s", link)
	}

	ask := func(client *http.Client, i int) int {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, front.API+"/msg/get_server_time", bytes.NewReader([]byte("{}")))
		if err != nil {
			t.Fatal(err)
		}
		fake := fmt.Sprintf("198.51.100.%d", i%250)
		for name, value := range map[string]string{"operationID": "nginx", "token": a.token, "X-Forwarded-For": fake, "X-Real-IP": fake, "Forwarded": "for=" + fake} {
			req.Header.Set(name, value)
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		raw, err := io.ReadAll(resp.Body)
		var answer struct{ ErrCode int }
		if err != nil || json.Unmarshal(raw, &answer) != nil || (answer.ErrCode == 429) != (resp.StatusCode == http.StatusTooManyRequests) {
			t.Fatalf("status %d, %v: %s", resp.StatusCode, err, raw)
		}
		if resp.ProtoMajor != 2 {
			t.Errorf("HTTP/%d", resp.ProtoMajor)
		}
		return answer.ErrCode
	}
	busy, quiet := nginx.Client("127.0.0.41"), nginx.Client("127.0.0.42")
	refused := false
	for i := 0; i < 5000 && !refused; i++ {
		refused = ask(busy, i) == 429
	}
	if !refused {
		t.Error("a client that makes up addresses was never refused")
	}
	if code := ask(quiet, 0); code != 0 {
		t.Errorf("another client is answered %d", code)
	}

	// What is for operators stays inside.
	for _, path := range []string{"/metrics", "/console/", "/../metrics"} {
		resp, err := quiet.Get(front.API + path)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusNotFound && resp.StatusCode != http.StatusForbidden {
			t.Errorf("%s: status %d", path, resp.StatusCode)
		}
	}
	log := nginx.Log()
	for what, secret := range map[string]string{"a token": a.token, "a signature": "signature="} {
		if strings.Contains(log, secret) {
			t.Errorf("the log has %s", what)
		}
	}
	if !strings.Contains(log, `"POST /api/msg/get_server_time" 200`) {
		t.Errorf("the log is\n%s", log)
	}
}
