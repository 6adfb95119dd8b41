package console

import (
	"bytes"
	"embed"
	"fmt"
	"mime"
	"net/http"
	"path"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
)

//go:embed static
var staticFiles embed.FS

// asset is a static file. Its name holds its hash, so browsers may keep it for
// ever.
type asset struct {
	name   string // with the hash
	kind   string
	plain  []byte
	zipped []byte
}

// assetIndex holds the static files by their names, without and with the hash.
type assetIndex struct{ byFile, byName map[string]*asset }

// assets are made when the first page is asked for: a server that starts has
// other things to do.
var assets = sync.OnceValue(func() assetIndex {
	all := assetIndex{map[string]*asset{}, map[string]*asset{}}
	entries, err := staticFiles.ReadDir("static")
	if err != nil {
		panic(err) // embedded
	}
	for _, e := range entries {
		plain, err := staticFiles.ReadFile("static/" + e.Name())
		if err != nil {
			panic(err) // embedded
		}
		ext := path.Ext(e.Name())
		a := &asset{
			name: strings.TrimSuffix(e.Name(), ext) + "." + hashOf(string(plain))[:12] + ext, kind: mime.TypeByExtension(ext),
			plain: plain, zipped: zip(plain, gzip.BestCompression),
		}
		all.byFile[e.Name()], all.byName[a.name] = a, a
	}
	return all
})

// assetPath is where a static file is served.
func assetPath(file string) (string, error) {
	a := assets().byFile[file]
	if a == nil {
		return "", fmt.Errorf("no static file %q", file)
	}
	return Base + "/static/" + a.name, nil
}

func serveAsset(w http.ResponseWriter, r *http.Request) {
	a := assets().byName[r.PathValue("file")]
	if a == nil {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	write(w, r, http.StatusOK, a.kind, a.plain, func() []byte { return a.zipped })
}

// write answers with content, compressed when the browser takes that.
func write(w http.ResponseWriter, r *http.Request, status int, kind string, plain []byte, zipped func() []byte) {
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("Vary", "Accept-Encoding")
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") && len(plain) > 1000 {
		h.Set("Content-Encoding", "gzip")
		plain = zipped()
	}
	h.Set("Content-Length", number(int64(len(plain))))
	w.WriteHeader(status)
	_, _ = w.Write(plain) // a browser that is gone reads nothing
}

func zip(plain []byte, level int) []byte {
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, level)
	if err != nil {
		panic(err) // the level is a constant
	}
	_, _ = z.Write(plain) // memory takes everything
	_ = z.Close()
	return b.Bytes()
}
