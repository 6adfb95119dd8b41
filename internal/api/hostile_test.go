package api_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/openimsdk/protocol/third"

	"github.com/parley-im/parley/internal/object/objecttest"
	"github.com/parley-im/parley/internal/store/storetest"
)

// beside is what a file says that lies beside the object store, where nobody may get.
const beside = "the file beside the object store"

// besideObjects makes that file and returns its name.
func (n *node) besideObjects() string {
	n.t.Helper()
	const name = "passwd"
	if err := os.WriteFile(filepath.Join(filepath.Dir(n.files), name), []byte(beside), 0o600); err != nil {
		n.t.Fatal(err)
	}
	return name
}

// stored is every file of the object store, with its size, and what lies beside it.
func (n *node) stored() map[string]int64 {
	n.t.Helper()
	all := map[string]int64{}
	err := filepath.WalkDir(n.files, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && !d.IsDir() {
			all[path] = info.Size()
		}
		return err
	})
	if err != nil {
		n.t.Fatal(err)
	}
	around, err := os.ReadDir(filepath.Dir(n.files))
	if err != nil {
		n.t.Fatal(err)
	}
	for _, d := range around {
		all["beside: "+d.Name()] = 0
	}
	return all
}

// TestHostileNames: a thousand names that are not the user's are refused by every
// call that gives a name, and lead nowhere.
func TestHostileNames(t *testing.T) {
	t.Parallel()
	n := start(t, storetest.SQLite(t), "alice")
	n.besideObjects()
	f := newFile([]byte("content"))
	upload := n.begin("alice", "alice/finished", f).Upload
	if a := n.transfer(http.MethodPut, upload.Sign.Parts[0].Url, f.content, nil); a.status != http.StatusOK {
		t.Fatalf("part: %d", a.status)
	}
	before := n.stored()
	// JSON is UTF-8; whatever else there is reads as a replacement character.
	names := slices.DeleteFunc(objecttest.Names(), func(name string) bool { return !utf8.ValidString(name) })
	refused := func(name, path string, body map[string]any) {
		t.Helper()
		body["name"] = name
		switch a := n.post(objecttest.User, path, body); a.ErrCode {
		case 1001, 1002, 1004:
		default:
			t.Errorf("%s %q: %d %s", path, name, a.ErrCode, a.raw)
		}
	}
	for i, name := range names {
		refused(name, "/object/initiate_multipart_upload", map[string]any{"hash": f.hash, "size": 7, "maxParts": 1})
		if i%3 == 0 {
			refused(name, "/object/initiate_form_data", map[string]any{"size": 7})
			refused(name, "/object/complete_multipart_upload", map[string]any{"uploadID": upload.UploadID, "parts": f.sums})
			refused(name, "/object/access_url", map[string]any{})
		}
	}
	if after := n.stored(); !maps.Equal(before, after) {
		t.Errorf("files were %v, are %v", before, after)
	}
	if len(names) < 1000 {
		t.Errorf("only %d hostile names", len(names))
	}
	t.Logf("%d hostile names", len(names))
	n.must(n.complete("alice", upload.UploadID, "alice/finished", f)) // and a good one is not
}

// raw sends a request target as it is, which no HTTP client would. A connection that
// is closed without an answer is status 0.
func (n *node) raw(method, target, header, body string) (status int, answer []byte) {
	n.t.Helper()
	host := strings.TrimPrefix(n.url, "http://")
	conn, err := net.Dial("tcp", host)
	if err != nil {
		n.t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		n.t.Fatal(err)
	}
	if _, err := fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\nContent-Length: %d\r\n%s\r\n%s",
		method, target, host, len(body), header, body); err != nil {
		n.t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		return 0, nil
	}
	defer resp.Body.Close()
	if answer, err = io.ReadAll(resp.Body); err != nil {
		n.t.Errorf("%s %q: %v", method, target, err)
	}
	return resp.StatusCode, answer
}

// TestHostileLinks: a thousand addresses that nobody was given are refused, whether
// they try to leave the folder or change a link, and so are links that have ended.
func TestHostileLinks(t *testing.T) {
	t.Parallel()
	n := start(t, storetest.SQLite(t), "alice", "bob")
	file := n.besideObjects()
	name := "alice/secret.txt"
	n.upload("alice", name, []byte("the content"))
	part := n.begin("alice", "alice/unfinished", newFile([]byte("x"))).Upload
	others := n.begin("bob", "bob/unfinished", newFile([]byte("y"))).Upload
	form := into[*third.InitiateFormDataResp](t, n.must(n.post("alice", "/object/initiate_form_data", map[string]any{"name": "alice/form", "size": 1})))
	access := into[*third.AccessURLResp](t, n.must(n.post("alice", "/object/access_url", map[string]any{"name": name}))).Url
	before := n.stored()

	tried := 0
	refused := func(method, target, body string) {
		t.Helper()
		tried++
		status, answer := n.raw(method, target, "", body)
		if status >= 200 && status < 300 || bytes.Contains(answer, []byte(beside)) || bytes.Contains(answer, []byte("the content")) {
			t.Errorf("%s %q: %d %s", method, target, status, answer)
		}
	}
	query := func(link string) string { return link[strings.Index(link, "?"):] }
	for folder, method := range map[string]string{
		"/object/": "GET", "/object/alice/": "GET", "/object-data/": "GET", "/object-part/": "PUT", "/object-part/" + part.UploadID + "/": "PUT", "/object-form/": "POST",
	} {
		files := []string{file, "etc/passwd"}
		if method == http.MethodGet {
			files = append(files, filepath.Base(n.files)+"/"+name, "upload/"+part.UploadID+"/1")
		}
		for _, file := range files {
			for _, target := range objecttest.Paths(folder, file) {
				refused(method, target, "x")
				if method != http.MethodGet { // a good signature of something else
					refused(method, target+query(part.Sign.Parts[0].Url), "x")
				}
			}
		}
	}
	for link, method := range map[string]string{access: "GET", part.Sign.Parts[0].Url: "PUT", form.Url: "POST"} {
		for _, target := range objecttest.Links(link) {
			refused(method, target, "x")
		}
	}
	good := func(link string) string { u, _ := url.Parse(link); return u.Path }
	for _, swapped := range []struct{ method, path, query string }{
		{"PUT", good(others.Sign.Parts[0].Url), query(part.Sign.Parts[0].Url)}, // another user's upload
		{"PUT", "/object-part/" + part.UploadID + "/2", query(part.Sign.Parts[0].Url)},
		{"PUT", "/object-part/" + part.UploadID + "/01", query(access)},
		{"PUT", good(part.Sign.Parts[0].Url), query(form.Url)},
		{"POST", good(form.Url), query(part.Sign.Parts[0].Url)},
		{"GET", "/object-data/alice/unfinished", query(access)},
		{"GET", "/object-data/bob/unfinished", query(access)},
		{"GET", good(access), query(form.Url)},
		{"GET", good(access), query(access) + "&type=image&width=1"},
	} {
		refused(swapped.method, swapped.path+swapped.query, "x")
	}
	for _, number := range []string{"0", "-1", "2", "99999999999999999999", "1e0", "0x1", "+1", "%31", "1%00", "1/", "1/..", "", "１"} {
		if number != "%31" && number != "+1" { // the same number in other words
			refused("PUT", "/object-part/"+part.UploadID+"/"+number+query(part.Sign.Parts[0].Url), "x")
		}
	}
	refused("PUT", good(part.Sign.Parts[0].Url)+query(part.Sign.Parts[0].Url), "xx") // a byte too many
	refused("PUT", good(part.Sign.Parts[0].Url)+query(part.Sign.Parts[0].Url), "")   // and one too few

	if after := n.stored(); !maps.Equal(before, after) {
		t.Errorf("files were %v, are %v", before, after)
	}
	n.clock.ahead.Store(int64(8 * 24 * time.Hour))
	for link, method := range map[string]string{access: "GET", part.Sign.Parts[0].Url: "PUT", form.Url: "POST"} {
		refused(method, strings.TrimPrefix(link, n.url), "x")
	}
	n.clock.ahead.Store(0)
	if tried < 1000 {
		t.Errorf("only %d hostile links", tried)
	}
	t.Logf("%d hostile links", tried)
	if status, _ := n.raw("PUT", strings.TrimPrefix(part.Sign.Parts[0].Url, n.url), "", "x"); status != http.StatusOK { // and the good one is not
		t.Errorf("the link itself: %d", status)
	}
	if status, _ := n.raw("PUT", strings.TrimPrefix(others.Sign.Parts[0].Url, n.url), "Transfer-Encoding: chunked\r\n", "1\r\ny\r\n0\r\n\r\n"); status < 400 {
		t.Errorf("a part of two lengths: %d", status)
	}
}

// TestHostileRanges: whatever piece is asked for, the answer holds pieces of the
// object and nothing else, and is not larger than a few times the object.
func TestHostileRanges(t *testing.T) {
	t.Parallel()
	n := start(t, storetest.SQLite(t), "alice")
	const content = "0123456789"
	link := strings.TrimPrefix(n.upload("alice", "alice/x", []byte(content)), n.url)
	for _, header := range objecttest.Ranges() {
		status, answer := n.raw("GET", link, "Range: "+header+"\r\n", "")
		switch {
		case status == http.StatusOK && string(answer) == content,
			status == http.StatusPartialContent && len(answer) < 2000,
			status == http.StatusRequestedRangeNotSatisfiable && !strings.Contains(string(answer), content[:2]),
			status == http.StatusBadRequest && strings.Contains(header, "\x00"):
		default:
			t.Errorf("Range %.60q: %d, %d bytes %.60q", header, status, len(answer), answer)
		}
	}
}

// A part that does not say how long it is, is not read.
func TestPartWithoutLength(t *testing.T) {
	t.Parallel()
	n := start(t, storetest.SQLite(t), "alice")
	up := n.begin("alice", "alice/x", newFile([]byte("x"))).Upload
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, up.Sign.Parts[0].Url, io.MultiReader(strings.NewReader("x")))
	if err != nil {
		t.Fatal(err)
	}
	req.ContentLength = -1 // chunked
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusLengthRequired {
		t.Errorf("part without length: %d", resp.StatusCode)
	}
}
