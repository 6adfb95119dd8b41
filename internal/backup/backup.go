// Package backup reads and writes archives of a server's data: a tar, compressed
// with zstd, of the files under data/ as they are to lie in the data directory,
// those under postgres/ for the database server, and last manifest.json with the
// sums of all. An archive that was cut off has no manifest.
//
// Nothing of an archive is believed before all of it was checked. The package
// does not know what the files hold.
package backup

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"
)

// Format is the number of the layout described above.
const Format = 1

// Where files belong.
const (
	DataDir     = "data"     // in the data directory
	PostgresDir = "postgres" // in the database server
)

const manifestName = "manifest.json"

// Manifest says what an archive holds.
type Manifest struct {
	Format    int             `json:"format"`
	Version   string          `json:"version"` // of the program that wrote it
	CreatedAt time.Time       `json:"createdAt"`
	Engine    string          `json:"engine"` // of the database
	Schema    int64           `json:"schema"` // of the database
	Tables    json.RawMessage `json:"tables,omitempty"`
	// Elsewhere says where the bytes of files sent by users are, when they are not
	// in the archive.
	Elsewhere string `json:"elsewhere,omitempty"`
	// Missing are contents that the database names and the disk did not have.
	Missing []string `json:"missing,omitempty"`
	Files   []File   `json:"files"`
}

// File is a file of the archive.
type File struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// Size is the number of bytes of all files.
func (m *Manifest) Size() (bytes int64) {
	for _, f := range m.Files {
		bytes += f.Size
	}
	return bytes
}

// ErrDamaged is wrapped by every refusal of an archive that is not as it was
// written.
var ErrDamaged = errors.New("the archive is damaged or not whole")

// ErrNewer: the archive's format is of a newer version.
var ErrNewer = errors.New("the archive was made by a newer version")

// Writer writes an archive.
type Writer struct {
	ctx      context.Context
	manifest Manifest
	pack     *zstd.Encoder
	tar      *tar.Writer
}

// NewWriter begins an archive. What m says of files is filled in.
func NewWriter(ctx context.Context, w io.Writer, m Manifest) (*Writer, error) {
	// Pictures do not become smaller, and the server has other work.
	pack, err := zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	m.Format, m.Files = Format, nil
	return &Writer{ctx: ctx, manifest: m, pack: pack, tar: tar.NewWriter(pack)}, nil
}

// Add adds an open file under a name with slashes.
func (w *Writer) Add(name string, f fs.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	header := &tar.Header{Typeflag: tar.TypeReg, Name: name, Size: info.Size(), Mode: 0o600, ModTime: w.manifest.CreatedAt, Format: tar.FormatPAX}
	if err := w.tar.WriteHeader(header); err != nil {
		return fmt.Errorf("archive %s: %w", name, err)
	}
	sum := sha256.New()
	// A file that became longer keeps what it had; one that became shorter fails.
	n, err := io.Copy(io.MultiWriter(w.tar, sum), io.LimitReader(&reader{w.ctx, f}, info.Size()))
	if err == nil && n < info.Size() {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return fmt.Errorf("archive %s: %w", name, err)
	}
	w.manifest.Files = append(w.manifest.Files, File{name, n, text(sum)})
	return nil
}

// Missing notes a content that is not there.
func (w *Writer) Missing(key string) { w.manifest.Missing = append(w.manifest.Missing, key) }

// Close ends the archive. Without it, the archive is not whole.
func (w *Writer) Close() error {
	list, err := json.MarshalIndent(w.manifest, "", "  ")
	if err != nil {
		return err
	}
	header := &tar.Header{Typeflag: tar.TypeReg, Name: manifestName, Size: int64(len(list)), Mode: 0o600, ModTime: w.manifest.CreatedAt, Format: tar.FormatPAX}
	if err := w.tar.WriteHeader(header); err != nil {
		return err
	}
	if _, err := w.tar.Write(list); err != nil {
		return err
	}
	return errors.Join(w.tar.Close(), w.pack.Close())
}

// Check reads a whole archive and returns what it says of itself. ErrDamaged and
// ErrNewer say why one cannot be used.
func Check(ctx context.Context, r io.Reader) (*Manifest, error) {
	return read(ctx, r, func(string, io.Reader) error { return nil })
}

// Extract checks an archive and writes its files below a directory, each synced.
// After an error what is there must not be used.
func Extract(ctx context.Context, r io.Reader, root *os.Root) (*Manifest, error) {
	made := map[string]bool{".": true}
	return read(ctx, r, func(name string, from io.Reader) error {
		if dir := path.Dir(name); !made[dir] {
			if err := root.MkdirAll(dir, 0o700); err != nil {
				return err
			}
			made[dir] = true
		}
		f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return err
		}
		_, err = io.Copy(f, from)
		return errors.Join(err, f.Sync(), f.Close())
	})
}

// read hands every file to take and compares what it was with the manifest.
func read(ctx context.Context, r io.Reader, take func(name string, r io.Reader) error) (*Manifest, error) {
	packed := &faults{r: &reader{ctx, r}}
	unpack, err := zstd.NewReader(packed, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(1<<30))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	defer unpack.Close()
	// The archive's own fault is not told from that of its place otherwise.
	damaged := func(err error) error {
		if packed.err != nil {
			return packed.err
		}
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	files := map[string]File{}
	var manifest *Manifest
	for archive := tar.NewReader(unpack); ; {
		header, err := archive.Next()
		switch {
		case errors.Is(err, io.EOF):
			if manifest == nil {
				return nil, damaged(errors.New("it has no manifest"))
			}
			if _, err := io.Copy(io.Discard, unpack); err != nil { // the end of the compressed stream
				return nil, damaged(err)
			}
			return manifest, compare(manifest, files)
		case err != nil:
			return nil, damaged(err)
		case manifest != nil:
			return nil, damaged(fmt.Errorf("%s follows the manifest", header.Name))
		case header.Name == manifestName:
			manifest = new(Manifest)
			if err := json.NewDecoder(archive).Decode(manifest); err != nil {
				return nil, damaged(err)
			}
			continue
		case header.Typeflag != tar.TypeReg || !placed(header.Name) || files[header.Name].Name != "":
			return nil, damaged(fmt.Errorf("it holds %q", header.Name))
		}
		sum := sha256.New()
		content := &faults{r: archive}
		if err := take(header.Name, io.TeeReader(content, sum)); err != nil && content.err == nil {
			return nil, fmt.Errorf("extract %s: %w", header.Name, err)
		}
		if content.err == nil { // take may have left some
			_, content.err = io.Copy(sum, archive)
		}
		if content.err != nil {
			return nil, damaged(content.err)
		}
		files[header.Name] = File{header.Name, header.Size, text(sum)}
	}
}

// placed reports whether a name is that of a file in one of the two places.
func placed(name string) bool {
	in, _, ok := strings.Cut(name, "/")
	return ok && (in == DataDir || in == PostgresDir) && fs.ValidPath(name)
}

func compare(m *Manifest, files map[string]File) error {
	if m.Format > Format {
		return fmt.Errorf("%w: format %d, this program reads %d", ErrNewer, m.Format, Format)
	}
	for _, f := range m.Files {
		got, ok := files[f.Name]
		switch {
		case !ok:
			return fmt.Errorf("%w: %s is missing", ErrDamaged, f.Name)
		case got != f:
			return fmt.Errorf("%w: %s is not what was written", ErrDamaged, f.Name)
		}
		delete(files, f.Name)
	}
	for name := range files {
		return fmt.Errorf("%w: nothing is known of %s", ErrDamaged, name)
	}
	return nil
}

func text(h hash.Hash) string { return hex.EncodeToString(h.Sum(nil)) }

// reader stops reading when its context ends.
type reader struct {
	ctx context.Context
	r   io.Reader
}

func (r *reader) Read(b []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(b)
}

// faults remembers the error of a reader that others wrap.
type faults struct {
	r   io.Reader
	err error
}

func (f *faults) Read(b []byte) (int, error) {
	n, err := f.r.Read(b)
	if err != nil && !errors.Is(err, io.EOF) {
		f.err = err
	}
	return n, err
}
