package api_test

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"math/rand/v2"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/openimsdk/protocol/third"

	"github.com/parley-im/parley/internal/store/storetest"
)

const partSize = 5 << 20

// file is a content as a client sees it: its parts, their sums and their hash.
type file struct {
	content []byte
	sums    []string
	hash    string
}

func newFile(content []byte) file {
	f := file{content: content}
	for rest := content; len(rest) > 0; {
		n := min(len(rest), partSize)
		f.sums = append(f.sums, md5hex(rest[:n]))
		rest = rest[n:]
	}
	f.hash = md5hex([]byte(strings.Join(f.sums, ",")))
	return f
}

func (f file) part(number int) []byte {
	return f.content[(number-1)*partSize : min(len(f.content), number*partSize)]
}

func md5hex(b []byte) string {
	sum := md5.Sum(b)
	return hex.EncodeToString(sum[:])
}

func randomBytes(seed uint64, n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)}).Read(b)
	return b
}

// begin starts an upload as the SDK does.
func (n *node) begin(as, name string, f file) *third.InitiateMultipartUploadResp {
	n.t.Helper()
	a := n.must(n.post(as, "/object/initiate_multipart_upload", map[string]any{
		"hash": f.hash, "size": len(f.content), "partSize": partSize, "maxParts": min(20, len(f.sums)), "cause": "msg-file", "name": name,
		"contentType": "text/html", "urlPrefix": "",
	}))
	return into[*third.InitiateMultipartUploadResp](n.t, a)
}

func (n *node) complete(as, uploadID, name string, f file) answer {
	n.t.Helper()
	return n.post(as, "/object/complete_multipart_upload", map[string]any{
		"uploadID": uploadID, "parts": f.sums, "name": name, "contentType": "text/html", "cause": "msg-file",
	})
}

// transfer makes a request without token and operationID.
func (n *node) transfer(method, link string, body []byte, headers map[string]string) answer {
	n.t.Helper()
	req, err := http.NewRequestWithContext(n.t.Context(), method, link, bytes.NewReader(body))
	if err != nil {
		n.t.Fatal(err)
	}
	for k, v := range headers {
		req.Header.Set(k, v)
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		n.t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		n.t.Fatal(err)
	}
	return answer{status: resp.StatusCode, header: resp.Header, raw: raw}
}

// upload stores a file and returns its address.
func (n *node) upload(as, name string, content []byte) string {
	n.t.Helper()
	f := newFile(content)
	up := n.begin(as, name, f)
	if up.Upload == nil {
		return up.Url
	}
	for i, p := range up.Upload.Sign.Parts {
		if a := n.transfer(http.MethodPut, p.Url, f.part(i+1), nil); a.status != http.StatusOK {
			n.t.Fatalf("part %d: status %d, %s", i+1, a.status, a.raw)
		}
	}
	a := n.must(n.complete(as, up.Upload.UploadID, name, f))
	return into[*third.CompleteMultipartUploadResp](n.t, a).Url
}

func TestUploads(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		n := start(t, open, "alice", "bob")
		for _, size := range []int{1, partSize, partSize + 1, 2*partSize + 17} {
			t.Run(fmt.Sprint(size), func(t *testing.T) {
				content := randomBytes(uint64(size), size)
				name := fmt.Sprintf("alice/msg_file_%d/报告 %d.txt", size, size)
				link := n.upload("alice", name, content)
				if link != n.url+"/object/"+name {
					t.Fatalf("address %q", link)
				}
				a := n.transfer(http.MethodGet, link, nil, nil)
				if a.status != http.StatusOK || !bytes.Equal(a.raw, content) {
					t.Fatalf("status %d and %d bytes", a.status, len(a.raw))
				}
				for header, want := range map[string]string{
					"Content-Type": "text/html", "X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'; sandbox",
					"Content-Disposition": "attachment; filename*=utf-8''" + strings.ReplaceAll(url.PathEscape(fmt.Sprintf("报告 %d.txt", size)), "+", "%20"),
				} {
					if got := a.header.Get(header); got != want {
						t.Errorf("%s: %q, want %q", header, got, want)
					}
				}
				a = n.transfer(http.MethodGet, link, nil, map[string]string{"Range": "bytes=-1"})
				if a.status != http.StatusPartialContent || !bytes.Equal(a.raw, content[size-1:]) {
					t.Errorf("last byte: status %d, %x", a.status, a.raw)
				}
				a = n.transfer(http.MethodHead, link, nil, nil)
				if a.status != http.StatusOK || a.header.Get("Content-Length") != fmt.Sprint(size) {
					t.Errorf("HEAD: status %d, %v", a.status, a.header)
				}
			})
		}
	})
}

func TestUploadIsResumed(t *testing.T) {
	t.Parallel()
	n := start(t, storetest.SQLite(t), "alice", "bob")
	f := newFile(randomBytes(1, 2*partSize+5))
	up := n.begin("alice", "alice/big", f).Upload
	put := func(number int, body []byte) answer {
		return n.transfer(http.MethodPut, up.Sign.Parts[number-1].Url, body, nil)
	}

	if a := put(1, f.part(1)[:100]); a.status != http.StatusBadRequest {
		t.Errorf("a part that is too short: %d", a.status)
	}
	if a := put(1, randomBytes(9, partSize)); a.status != http.StatusOK { // something else
		t.Errorf("status %d", a.status)
	}
	put(3, f.part(3))
	if a := n.complete("alice", up.UploadID, "alice/big", f); a.ErrCode != 1001 || !strings.Contains(a.ErrDlt, "missing or differs") {
		t.Errorf("completed without part 2: %d %s", a.ErrCode, a.ErrDlt)
	}
	sign := into[*third.AuthSignResp](t, n.must(n.post("alice", "/object/auth_sign", map[string]any{"uploadID": up.UploadID, "partNumbers": []int{1, 2}})))
	for i, p := range sign.Parts {
		if a := n.transfer(http.MethodPut, p.Url, f.part(i+1), nil); a.status != http.StatusOK {
			t.Fatalf("part %d: %d", i+1, a.status)
		}
	}
	if a := n.post("bob", "/object/auth_sign", map[string]any{"uploadID": up.UploadID, "partNumbers": []int{1}}); a.ErrCode != 1002 {
		t.Errorf("bob signs for alice's upload: %d", a.ErrCode)
	}
	n.must(n.complete("alice", up.UploadID, "alice/big", f))
	n.must(n.complete("alice", up.UploadID, "alice/big", f)) // the answer was lost
	a := n.transfer(http.MethodGet, n.url+"/object/alice/big", nil, nil)
	if !bytes.Equal(a.raw, f.content) {
		t.Errorf("%d bytes differ from the %d uploaded", len(a.raw), len(f.content))
	}
	if a := put(1, f.part(1)); a.status != http.StatusNotFound {
		t.Errorf("a part after the end: %d", a.status)
	}
}

func TestSameContentIsUploadedOnce(t *testing.T) {
	t.Parallel()
	n := start(t, storetest.SQLite(t), "alice", "bob")
	content := randomBytes(2, 1000)
	n.upload("alice", "alice/a", content)
	up := n.begin("bob", "bob/b", newFile(content))
	if up.Upload != nil || up.Url != n.url+"/object/bob/b" {
		t.Fatalf("asked to upload what is there: %v", up)
	}
	if a := n.transfer(http.MethodGet, up.Url, nil, nil); !bytes.Equal(a.raw, content) {
		t.Errorf("%d bytes", len(a.raw))
	}
}

// Who has an object already is told so in place of a transfer, unless its name has
// got another content meanwhile.
func TestObjectsInCaches(t *testing.T) {
	t.Parallel()
	n := start(t, storetest.SQLite(t), "alice")
	link := n.upload("alice", "alice/face", []byte("old"))
	first := n.transfer(http.MethodGet, link, nil, nil)
	if got := first.header.Get("Cache-Control"); got != "private, no-cache" {
		t.Errorf("Cache-Control: %s", got)
	}
	known := map[string]string{"If-None-Match": first.header.Get("ETag")}
	if a := n.transfer(http.MethodGet, link, nil, known); a.status != http.StatusNotModified || len(a.raw) > 0 {
		t.Errorf("the same again: status %d, %q", a.status, a.raw)
	}
	n.upload("alice", "alice/face", []byte("new"))
	if a := n.transfer(http.MethodGet, link, nil, known); a.status != http.StatusOK || string(a.raw) != "new" {
		t.Errorf("replaced: status %d, %q", a.status, a.raw)
	}
}

func TestLinksToObjects(t *testing.T) {
	t.Parallel()
	n := start(t, storetest.SQLite(t), "alice")
	n.upload("alice", "alice/a b?c#d%e", []byte("content"))
	access := func(query map[string]string) string {
		t.Helper()
		a := n.must(n.post("alice", "/object/access_url", map[string]any{"name": "alice/a b?c#d%e", "query": query}))
		resp := into[*third.AccessURLResp](t, a)
		if in := time.Until(time.UnixMilli(resp.ExpireTime)); in < 6*24*time.Hour || in > 8*24*time.Hour {
			t.Errorf("link ends in %s", in)
		}
		return resp.Url
	}
	link := access(nil)
	if a := n.transfer(http.MethodGet, link, nil, nil); string(a.raw) != "content" {
		t.Errorf("status %d, %s", a.status, a.raw)
	}
	for what, bad := range map[string]string{
		"another name":      strings.Replace(link, "alice/", "bob/", 1),
		"another signature": link[:len(link)-3] + "AAA",
		"another end":       strings.Replace(link, "expires=1", "expires=2", 1),
		"no signature":      link[:strings.Index(link, "&signature")],
		"another picture":   link + "&type=image&width=3",
	} {
		if a := n.transfer(http.MethodGet, bad, nil, nil); a.status != http.StatusForbidden {
			t.Errorf("%s: status %d", what, a.status)
		}
	}
	if a := n.post("alice", "/object/access_url", map[string]any{"name": "alice/a b?c#d%e", "query": map[string]string{"type": "video"}}); a.ErrCode != 1001 {
		t.Errorf("another type than image: %d", a.ErrCode)
	}
	if a := n.post("alice", "/object/access_url", map[string]any{"name": "alice/none"}); a.ErrCode != 1004 {
		t.Errorf("unknown object: %d", a.ErrCode)
	}
	for path, status := range map[string]int{"/object/alice/none": 404, "/object/alice/a%20b?type=video": 400, "/object/": 404} {
		if a := n.transfer(http.MethodGet, n.url+path, nil, nil); a.status != status {
			t.Errorf("%s: status %d, want %d", path, a.status, status)
		}
	}
	n.clock.ahead.Store(int64(8 * 24 * time.Hour))
	if a := n.transfer(http.MethodGet, link, nil, nil); a.status != http.StatusForbidden {
		t.Errorf("link works after its end: %d", a.status)
	}
}

// Links lead to where the client can reach the server.
func TestAddressInLinks(t *testing.T) {
	t.Parallel()
	n := start(t, storetest.SQLite(t), "alice")
	for header, want := range map[string]string{
		"": n.url + "/object/alice/x", "https://im.example.com/api": "https://im.example.com/api/object/alice/x",
		"https://im.example.com/api/": "https://im.example.com/api/object/alice/x", "javascript:alert(1)": n.url + "/object/alice/x",
	} {
		n.upload("alice", "alice/x", []byte("x"))
		f := newFile([]byte("x"))
		body := fmt.Sprintf(`{"hash":%q,"size":1,"maxParts":1,"name":"alice/x"}`, f.hash)
		a := n.must(n.do(http.MethodPost, "/object/initiate_multipart_upload", []byte(body), map[string]string{"token": n.token("alice"), "X-Request-Api": header}))
		if got := into[*third.InitiateMultipartUploadResp](t, a).Url; got != want {
			t.Errorf("X-Request-Api %q: %q, want %q", header, got, want)
		}
	}
}

func TestPictures(t *testing.T) {
	t.Parallel()
	n := start(t, storetest.SQLite(t), "alice")
	img := image.NewNRGBA(image.Rect(0, 0, 2000, 1000))
	for x := range 2000 {
		img.Set(x, x/2, color.NRGBA{R: uint8(x), A: 255})
	}
	var original bytes.Buffer
	if err := png.Encode(&original, img); err != nil {
		t.Fatal(err)
	}
	link := n.upload("alice", "alice/p.png", original.Bytes())
	for _, c := range []struct {
		query       string
		kind        string
		w, h        int
		notAPicture bool
	}{
		{query: "?height=640&type=image&width=640", kind: "image/png", w: 640, h: 320}, // what the SDK asks for
		{query: "?type=image&width=100&format=jpg", kind: "image/jpeg", w: 100, h: 50},
		{query: "?type=image&height=10&format=gif", kind: "image/gif", w: 20, h: 10},
		{query: "?type=image&width=1&height=1&format=webp", kind: "image/png", w: 1, h: 1},
		{query: "?type=image&width=-5&height=abc", kind: "image/png", w: 2000, h: 1000},
		{query: "?type=image&width=1025&height=10", notAPicture: true},
	} {
		for range 2 { // made, then kept
			a := n.transfer(http.MethodGet, link+c.query, nil, nil)
			if c.notAPicture {
				if !bytes.Equal(a.raw, original.Bytes()) {
					t.Errorf("%s: not the original", c.query)
				}
				continue
			}
			got, _, err := image.DecodeConfig(bytes.NewReader(a.raw))
			if err != nil || got.Width != c.w || got.Height != c.h || a.header.Get("Content-Type") != c.kind {
				t.Errorf("%s: %dx%d %s, %v; want %dx%d %s", c.query, got.Width, got.Height, a.header.Get("Content-Type"), err, c.w, c.h, c.kind)
			}
		}
	}
	text := n.upload("alice", "alice/t.png", []byte("no picture"))
	if a := n.transfer(http.MethodGet, text+"?type=image&width=10", nil, nil); a.status != http.StatusInternalServerError {
		t.Errorf("picture of a text: %d", a.status)
	}
}

func TestForms(t *testing.T) {
	t.Parallel()
	n := start(t, storetest.SQLite(t), "alice", "bob")
	form := func(name string, size int) *third.InitiateFormDataResp {
		t.Helper()
		return into[*third.InitiateFormDataResp](t, n.must(n.post("alice", "/object/initiate_form_data", map[string]any{
			"name": name, "size": size, "contentType": "text/plain", "group": "docs",
		})))
	}
	send := func(f *third.InitiateFormDataResp, field, content string) answer {
		t.Helper()
		var body bytes.Buffer
		w := multipart.NewWriter(&body)
		for k, v := range f.FormData {
			_ = w.WriteField(k, v)
		}
		part, err := w.CreateFormFile(field, "x.txt")
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(part, content)
		_ = w.Close()
		return n.transfer(http.MethodPost, f.Url, body.Bytes(), map[string]string{"Content-Type": w.FormDataContentType()})
	}
	f := form("alice/doc.txt", 5)
	if a := n.post("alice", "/object/complete_form_data", map[string]any{"id": f.Id}); a.ErrCode != 90007 {
		t.Errorf("completed before it was sent: %d", a.ErrCode)
	}
	if a := send(f, f.File, "hello"); int32(a.status) != f.SuccessCodes[0] {
		t.Fatalf("status %d, %s", a.status, a.raw)
	}
	if a := n.post("bob", "/object/complete_form_data", map[string]any{"id": f.Id}); a.ErrCode != 1002 {
		t.Errorf("bob completes alice's form: %d", a.ErrCode)
	}
	done := into[*third.CompleteFormDataResp](t, n.must(n.post("alice", "/object/complete_form_data", map[string]any{"id": f.Id})))
	if a := n.transfer(http.MethodGet, done.Url, nil, nil); string(a.raw) != "hello" || a.header.Get("Content-Type") != "text/plain" {
		t.Errorf("%s: %s %v", done.Url, a.raw, a.header)
	}
	f = form("alice/doc2.txt", 5)
	send(f, f.File, "hello, this is longer")
	if a := n.post("alice", "/object/complete_form_data", map[string]any{"id": f.Id}); a.ErrCode != 90007 {
		t.Errorf("another size than announced: %d", a.ErrCode)
	}
	if a := send(f, "other", "hello"); a.status != http.StatusBadRequest {
		t.Errorf("form without its field: %d", a.status)
	}
	n.clock.ahead.Store(int64(11 * time.Minute))
	if a := send(f, f.File, "hello"); a.status != http.StatusForbidden {
		t.Errorf("form after 10 minutes: %d", a.status)
	}
}

func TestObjectErrors(t *testing.T) {
	t.Parallel()
	n := start(t, storetest.SQLite(t), "alice", "bob")
	f := newFile([]byte("x"))
	upload := func(change map[string]any) map[string]any {
		body := map[string]any{"hash": f.hash, "size": 1, "maxParts": 1, "name": "alice/x"}
		for k, v := range change {
			body[k] = v
		}
		return body
	}
	for _, c := range []struct {
		as, path string
		body     map[string]any
		code     int
	}{
		{"alice", "/object/part_size", map[string]any{"size": 0}, 1001},
		{"alice", "/object/part_size", map[string]any{"size": 1 << 50}, 1001},
		{"alice", "/object/initiate_multipart_upload", upload(map[string]any{"hash": "xyz"}), 1001},
		{"alice", "/object/initiate_multipart_upload", upload(map[string]any{"hash": f.hash[:30]}), 1001},
		{"alice", "/object/initiate_multipart_upload", upload(map[string]any{"size": -1}), 1001},
		{"alice", "/object/initiate_multipart_upload", upload(map[string]any{"maxParts": 2}), 1001},
		{"alice", "/object/initiate_multipart_upload", upload(map[string]any{"name": "bob/x"}), 1002},
		{"alice", "/object/initiate_multipart_upload", upload(map[string]any{"name": ""}), 1001},
		{"alice", "/object/auth_sign", map[string]any{"uploadID": "none", "partNumbers": []int{1}}, 1004},
		{"alice", "/object/complete_multipart_upload", map[string]any{"uploadID": "none", "parts": []string{"x"}, "name": "alice/x"}, 1004},
		{"alice", "/object/complete_multipart_upload", map[string]any{"uploadID": "none", "parts": []string{"x"}, "name": "bob/x"}, 1002},
		{"alice", "/object/initiate_form_data", map[string]any{"name": "bob/x", "size": 1}, 1002},
		{"alice", "/object/initiate_form_data", map[string]any{"name": "alice/x", "size": 0}, 1001},
		{"alice", "/object/complete_form_data", map[string]any{"id": "none"}, 1004},
	} {
		if a := n.post(c.as, c.path, c.body); a.ErrCode != c.code {
			t.Errorf("%s %v: %d %s, want %d", c.path, c.body, a.ErrCode, a.ErrDlt, c.code)
		}
	}
	limits := into[*third.PartLimitResp](t, n.must(n.post("alice", "/object/part_limit", map[string]any{})))
	if limits.MinPartSize != partSize || limits.MaxPartSize != 5<<30 || limits.MaxNumSize != 10000 {
		t.Errorf("limits %v", &limits)
	}
	n.must(n.post(adminID, "/object/initiate_multipart_upload", upload(map[string]any{"name": "anywhere/x"})))
}

func TestConcurrentUploadsOfOneContent(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		n := start(t, open, "alice")
		n.token("alice")
		f := newFile(randomBytes(3, 4000))
		const uploads = 8
		var started sync.WaitGroup
		var ids [uploads]*third.UploadInfo
		for i := range uploads {
			started.Go(func() { ids[i] = n.begin("alice", fmt.Sprintf("alice/%d", i), f).Upload })
		}
		started.Wait()
		var done sync.WaitGroup
		for i, up := range ids {
			if up == nil {
				t.Fatal("nothing was stored yet")
			}
			done.Go(func() {
				n.transfer(http.MethodPut, up.Sign.Parts[0].Url, f.content, nil)
				n.must(n.complete("alice", up.UploadID, fmt.Sprintf("alice/%d", i), f))
			})
		}
		done.Wait()
		for i := range uploads {
			if a := n.transfer(http.MethodGet, fmt.Sprintf("%s/object/alice/%d", n.url, i), nil, nil); !bytes.Equal(a.raw, f.content) {
				t.Errorf("object %d: status %d", i, a.status)
			}
		}
		if files := n.contents(); files != 1 {
			t.Errorf("%d contents are stored, want one", files)
		}
	})
}
