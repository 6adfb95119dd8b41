package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"sync"

	"github.com/klauspost/compress/gzip"
)

// storeBelow is the size under which a frame is wrapped, not deflated. Nearly
// all frames are an acknowledgement or one short message, and travel in one
// packet either way. Deflating one of 670 bytes took 9 us to save 180 bytes;
// wrapping takes 0.1 us, and the phone at the other end is spared the inflating.
const storeBelow = 1024

// Compress appends src to dst as one complete gzip member.
func Compress(dst, src []byte) []byte {
	if len(src) < storeBelow {
		return store(dst, src)
	}
	c := compressors.Get().(*compressor)
	defer compressors.Put(c)
	c.out = dst
	c.w.Reset(c)
	_, _ = c.w.Write(src) // cannot fail: the sink is memory
	_ = c.w.Close()
	dst, c.out = c.out, nil
	return dst
}

// store appends src as a gzip member of one stored block, src being at most 64 kB.
func store(dst, src []byte) []byte {
	dst = slices.Grow(dst, 10+5+len(src)+8)
	dst = append(dst, 0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff) // deflate; no flags, time or system
	dst = append(dst, 1)                                     // last block, stored
	dst = binary.LittleEndian.AppendUint16(dst, uint16(len(src)))
	dst = binary.LittleEndian.AppendUint16(dst, ^uint16(len(src)))
	dst = append(dst, src...)
	dst = binary.LittleEndian.AppendUint32(dst, crc32.ChecksumIEEE(src))
	return binary.LittleEndian.AppendUint32(dst, uint32(len(src)))
}

var compressors = sync.Pool{New: func() any {
	c := new(compressor)
	w, err := gzip.NewWriterLevel(c, gzip.BestSpeed)
	if err != nil {
		panic(err) // the level is a constant
	}
	c.w = w
	return c
}}

type compressor struct {
	w   *gzip.Writer
	out []byte
}

func (c *compressor) Write(p []byte) (int, error) {
	c.out = append(c.out, p...)
	return len(p), nil
}

// Decompress appends to dst what src inflates to. src must be exactly one gzip
// member. More than limit inflated bytes are refused with ErrTooLarge, and at
// most a little more than limit is ever allocated. After an error the result is dst as it was.
func Decompress(dst, src []byte, limit int) ([]byte, error) {
	d := decompressors.Get().(*decompressor)
	defer decompressors.Put(d)
	d.src.Reset(src)
	defer d.src.Reset(nil)
	if err := d.r.Reset(&d.src); err != nil {
		return dst, fmt.Errorf("%w: gzip header: %s", ErrMalformed, err.Error())
	}
	d.r.Multistream(false)

	if limit < 0 || limit > maxEnvelope {
		limit = maxEnvelope
	}
	start := len(dst)
	// The last four bytes of an honest member are its inflated size. A liar
	// gains at most four times what he sent, and one byte lets the end be seen.
	size := min(uint64(binary.LittleEndian.Uint32(src[len(src)-4:])), uint64(limit), 4*uint64(len(src)))
	dst = grow(dst, int(size)+1)
	for {
		if len(dst) == cap(dst) {
			dst = grow(dst, min(cap(dst)-start, start+limit+1-len(dst)))
		}
		room := min(cap(dst), start+limit+1)
		n, err := d.r.Read(dst[len(dst):room])
		dst = dst[:len(dst)+n]
		if len(dst)-start > limit {
			return dst[:start], fmt.Errorf("%w: inflates to more than %d bytes", ErrTooLarge, limit)
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return dst[:start], fmt.Errorf("%w: gzip: %s", ErrMalformed, err.Error())
		}
	}
	if d.src.Len() != 0 {
		return dst[:start], fmt.Errorf("%w: bytes after the gzip member", ErrMalformed)
	}
	return dst, nil
}

var decompressors = sync.Pool{New: func() any { return new(decompressor) }}

type decompressor struct {
	r   gzip.Reader
	src bytes.Reader // an io.ByteReader, so that inflating reads no further than the member
}

// grow makes room for at least n more bytes, without slices.Grow's doubling.
func grow(b []byte, n int) []byte {
	if cap(b)-len(b) >= n {
		return b
	}
	grown := make([]byte, len(b), len(b)+n)
	copy(grown, b)
	return grown
}
