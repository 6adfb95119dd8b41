package wire

import (
	"bytes"
	stdgzip "compress/gzip"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
)

func stdCompress(tb testing.TB, src []byte, level int) []byte {
	tb.Helper()
	var buf bytes.Buffer
	w, err := stdgzip.NewWriterLevel(&buf, level)
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := w.Write(src); err != nil {
		tb.Fatal(err)
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return buf.Bytes()
}

// stdDecompress accepts exactly one member, as Decompress does.
func stdDecompress(src []byte) ([]byte, error) {
	in := bytes.NewReader(src)
	r, err := stdgzip.NewReader(in)
	if err != nil {
		return nil, err
	}
	r.Multistream(false)
	out, err := io.ReadAll(r)
	if err == nil && in.Len() != 0 {
		err = errors.New("bytes after the member")
	}
	return out, err
}

func TestGzipRoundTrip(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(3, 4))
	for _, n := range []int{0, 1, 2, 300, storeBelow - 1, storeBelow, 14_000, 70_000, 1 << 20} {
		src := make([]byte, n)
		for i := range src {
			src[i] = byte(rng.IntN(16))
		}
		deflated := Compress(nil, src)
		if got, err := stdDecompress(deflated); err != nil || !bytes.Equal(got, src) {
			t.Errorf("%d bytes read by the standard library: %d bytes, %v", n, len(got), err)
		}
		for name, frame := range map[string][]byte{
			"ours": deflated, "default": stdCompress(t, src, -1), "best": stdCompress(t, src, 9), "stored": stdCompress(t, src, 0), "huffman": stdCompress(t, src, -2),
		} {
			got, err := Decompress([]byte("before"), frame, n)
			if err != nil || !bytes.Equal(got, append([]byte("before"), src...)) {
				t.Errorf("%d bytes, %s: %d bytes, %v", n, name, len(got), err)
			}
			if n > 0 {
				if got, err := Decompress([]byte("before"), frame, n-1); !errors.Is(err, ErrTooLarge) || string(got) != "before" {
					t.Errorf("%d bytes, %s, limit below: %d bytes, %v", n, name, len(got), err)
				}
			}
		}
	}
}

func TestDecompressBomb(t *testing.T) {
	t.Parallel()
	bomb := stdCompress(t, make([]byte, 32<<20), 9)
	const limit = 256 << 10
	got, err := Decompress(nil, bomb, limit)
	if !errors.Is(err, ErrTooLarge) {
		t.Fatalf("got %v", err)
	}
	if cap(got) > limit+1 {
		t.Errorf("%d bytes allocated for a limit of %d", cap(got), limit)
	}
}

func TestDecompressMalformed(t *testing.T) {
	t.Parallel()
	good := stdCompress(t, bytes.Repeat([]byte("text "), 200), 6)
	wrongSum, wrongSize := bytes.Clone(good), bytes.Clone(good)
	wrongSum[len(good)-8] ^= 1
	wrongSize[len(good)-1] = 0xff // claims 4 GB
	for name, frame := range map[string][]byte{
		"nothing":         {},
		"header only":     good[:10],
		"not gzip":        []byte("plain text, not gzip"),
		"checksum":        wrongSum,
		"size":            wrongSize,
		"garbage after":   append(bytes.Clone(good), 0),
		"second member":   append(bytes.Clone(good), good...),
		"reserved flag":   append([]byte{0x1f, 0x8b, 8, 0xe0}, good[4:]...),
		"extra cut short": {0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 0, 0xff, 0xff},
	} {
		if got, err := Decompress([]byte("before"), frame, 1<<20); !errors.Is(err, ErrMalformed) || string(got) != "before" {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
	for n := range good {
		if _, err := Decompress(nil, good[:n], 1<<20); !errors.Is(err, ErrMalformed) {
			t.Fatalf("first %d of %d bytes: got %v", n, len(good), err)
		}
	}
}

func TestGzipConcurrently(t *testing.T) {
	t.Parallel()
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			src := bytes.Repeat([]byte{byte(g), 'x', byte(g)}, 100+300*g)
			for range 50 {
				frame := Compress(nil, src)
				_, _ = Decompress(nil, frame[:len(frame)/2], 1<<20) // leaves a reader half way
				if got, err := Decompress(nil, frame, 1<<20); err != nil || !bytes.Equal(got, src) {
					t.Errorf("goroutine %d: %v", g, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func FuzzDecompress(f *testing.F) {
	text := bytes.Repeat([]byte("some text "), 30)
	f.Add(Compress(nil, nil))
	f.Add(Compress(nil, text))
	for _, level := range []int{-2, -1, 0, 1, 9} {
		f.Add(stdCompress(f, text, level))
	}
	f.Add(stdCompress(f, make([]byte, 100_000), 9))
	f.Fuzz(func(t *testing.T, b []byte) {
		const limit = 64 << 10
		got, err := Decompress(nil, b, limit)
		want, refErr := stdDecompress(b)
		switch {
		case len(got) > limit:
			t.Fatalf("%d bytes for a limit of %d", len(got), limit)
		case errors.Is(err, ErrTooLarge):
			if len(want) <= limit {
				t.Fatalf("refused as too large: %d bytes, %v", len(want), refErr)
			}
		case err != nil && refErr == nil && b[3]&0xe0 != 0:
			// RFC 1952, 2.3.1.2: reserved flags must be refused. The standard library
			// lets them pass.
		case (err == nil) != (refErr == nil):
			t.Fatalf("got %v, standard library %v", err, refErr)
		case err == nil && !bytes.Equal(got, want):
			t.Fatalf("got %q, standard library %q", got, want)
		}
	})
}
