package object

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"io/fs"

	"golang.org/x/image/draw"
	_ "golang.org/x/image/webp" // decodes

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
)

// Bounds of making pictures (rest-api 5.3).
const (
	maxEdge      = 1024     // pixels; more than that asks for the original
	maxImage     = 50 << 20 // bytes of an original
	maxPixels    = 64 << 20 // of an original: what it takes to decode it
	jpegQuality  = 40
	maxPictures  = 16 // kept of one content; further ones are made each time
	maxResizes   = 2  // at a time; the others wait
	pictureInKey = "t"
)

// picture returns the object in another form, making it when it is not there.
func (s *Service) picture(ctx context.Context, o store.Object, p Picture) (store.Object, error) {
	format := p.Format
	switch format {
	case "jpg":
		format = "jpeg"
	case "jpeg", "gif":
	default:
		format = "png"
	}
	if o.Size > maxImage {
		return o, im.ErrData.With("the image is larger than %d bytes", maxImage)
	}
	key := fmt.Sprintf("%s-%s-%dx%d.%s", pictureInKey, o.Key, p.Width, p.Height, format)
	small := o
	small.Key, small.ContentType = key, "image/"+format
	var kept bool
	var others int
	err := s.store.Read(ctx, func(tx *store.Tx) (err error) {
		kept, others, err = tx.Thumbnail(key, o.Key)
		return err
	})
	if err != nil || kept {
		return small, err
	}
	if others >= maxPictures { // a key of its own: this one lives until the next sweep
		key = newKey(pictureInKey + "x")
		small.Key = key
	}
	select {
	case s.resizes <- struct{}{}:
		defer func() { <-s.resizes }()
	case <-ctx.Done():
		return o, ctx.Err()
	}
	content, err := s.resize(ctx, o.Key, format, p)
	if err != nil {
		return o, err
	}
	if err := s.backend.Put(ctx, key, small.ContentType, int64(len(content)), bytes.NewReader(content)); err != nil {
		return o, fmt.Errorf("keep picture: %w", err)
	}
	err = s.store.Write(ctx, func(tx *store.Tx) error {
		kept, err := tx.PutThumbnail(key, o.Key, maxPictures)
		if err == nil && !kept {
			err = tx.TrashContent(key)
		}
		return err
	})
	return small, err
}

func (s *Service) resize(ctx context.Context, key, format string, p Picture) ([]byte, error) {
	c, err := s.backend.Open(ctx, key)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, im.ErrNotFound.With("the content is gone")
	}
	if err != nil {
		return nil, fmt.Errorf("open image: %w", err)
	}
	defer c.Close()
	header, _, err := image.DecodeConfig(c)
	if err != nil {
		return nil, im.ErrData.With("not an image")
	}
	if header.Width <= 0 || header.Height <= 0 || header.Width > maxPixels/header.Height {
		return nil, im.ErrData.With("the image has more than %d pixels", maxPixels)
	}
	if _, err := c.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	src, _, err := image.Decode(c)
	if err != nil {
		return nil, im.ErrData.With("the image is damaged")
	}
	w, h := fit(header.Width, header.Height, p.Width, p.Height)
	dst := src
	if w != header.Width || h != header.Height {
		scaled := image.NewNRGBA(image.Rect(0, 0, w, h))
		draw.ApproxBiLinear.Scale(scaled, scaled.Bounds(), src, src.Bounds(), draw.Src, nil)
		dst = scaled
	}
	var out bytes.Buffer
	switch format {
	case "jpeg":
		err = jpeg.Encode(&out, dst, &jpeg.Options{Quality: jpegQuality})
	case "gif":
		err = gif.Encode(&out, dst, nil)
	default:
		err = png.Encode(&out, dst)
	}
	if err != nil {
		return nil, fmt.Errorf("encode picture: %w", err)
	}
	return out.Bytes(), nil
}

// fit scales w × h down, keeping its shape, until it fits into the bounds. A
// bound of 0 is none.
func fit(w, h, maxW, maxH int) (int, int) {
	if maxW <= 0 || maxW > w {
		maxW = w
	}
	if maxH <= 0 || maxH > h {
		maxH = h
	}
	if int64(maxW)*int64(h) <= int64(maxH)*int64(w) {
		return maxW, max(1, int(int64(h)*int64(maxW)/int64(w)))
	}
	return max(1, int(int64(w)*int64(maxH)/int64(h))), maxH
}
