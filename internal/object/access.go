package object

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"strconv"
	"time"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
)

// Served is an object ready to be sent.
type Served struct {
	Content
	Key         string // changes with the content
	Filename    string
	ContentType string
	At          time.Time // when it was stored
}

// Access returns a link to an object, or to a smaller picture of it, and when it
// ends.
func (s *Service) Access(ctx context.Context, base, name string, p Picture) (string, im.Millis, error) {
	o, err := s.find(ctx, name)
	if err != nil {
		return "", 0, err
	}
	until := s.now().Add(accessFor)
	direct, ok := s.backend.(Direct)
	if !ok {
		return s.signer.dataURL(base, name, p, until), im.MillisOf(until), nil
	}
	if p.Wanted() {
		if o, err = s.picture(ctx, o, p); err != nil {
			return "", 0, err
		}
	}
	link, err := direct.ContentURL(ctx, o.Key, filename(o.Name), o.ContentType, accessFor)
	if err != nil {
		return "", 0, fmt.Errorf("sign link: %w", err)
	}
	return link, im.MillisOf(until), nil
}

// Get opens an object by its name, or returns the link under which it is to be
// had from the object store itself.
func (s *Service) Get(ctx context.Context, name string, p Picture) (*Served, string, error) {
	if _, ok := s.backend.(Direct); ok {
		link, _, err := s.Access(ctx, "", name, p)
		return nil, link, err
	}
	o, err := s.find(ctx, name)
	if err != nil {
		return nil, "", err
	}
	if p.Wanted() {
		if o, err = s.picture(ctx, o, p); err != nil {
			return nil, "", err
		}
	}
	c, err := s.backend.Open(ctx, o.Key)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, "", im.ErrNotFound.With("the content of %s is gone", name)
	}
	if err != nil {
		return nil, "", fmt.Errorf("open content: %w", err)
	}
	return &Served{Content: c, Key: o.Key, Filename: filename(o.Name), ContentType: o.ContentType, At: o.CreatedAt.Time()}, "", nil
}

// GetSigned is Get under a link made by Access.
func (s *Service) GetSigned(ctx context.Context, name string, p Picture, expires, signature string) (*Served, string, error) {
	if !s.signer.valid(dataText(name, p), expires, signature, s.now()) {
		return nil, "", im.ErrNoPermission.With("the link is wrong or has expired")
	}
	return s.Get(ctx, name, p)
}

func (s *Service) find(ctx context.Context, name string) (o store.Object, err error) {
	if len(name) > maxName {
		return o, im.ErrNotFound.With("no such object")
	}
	var found bool
	err = s.store.Read(ctx, func(tx *store.Tx) (err error) {
		o, found, err = tx.Object(name)
		return err
	})
	if err == nil && !found {
		err = im.ErrNotFound.With("no such object")
	}
	return o, err
}

// Picture asks for a smaller form of an image. The zero Picture is the original.
type Picture struct {
	Type          string // "" or "image"
	Format        string // png, jpg, jpeg, gif; anything else is png
	Width, Height int    // pixels at most; 0 is no limit
}

// ParsePicture reads the query of a link (rest-api 5.3). Other types than image
// are im.ErrArgs.
func ParsePicture(get func(string) string) (Picture, error) {
	p := Picture{Type: get("type"), Format: get("format")}
	switch p.Type {
	case "":
		return Picture{}, nil
	case "image":
	default:
		return Picture{}, im.ErrArgs.With("type %q is not image", p.Type)
	}
	p.Width, _ = strconv.Atoi(get("width")) // what is no number asks for nothing
	p.Height, _ = strconv.Atoi(get("height"))
	p.Width, p.Height = max(p.Width, 0), max(p.Height, 0)
	return p, nil
}

// Wanted reports whether another form than the original is asked for.
func (p Picture) Wanted() bool {
	return p.Type == "image" && p.Width <= maxEdge && p.Height <= maxEdge
}

func (p Picture) String() string {
	return fmt.Sprintf("%s.%s.%dx%d", p.Type, p.Format, p.Width, p.Height)
}

func (p Picture) addTo(q url.Values) {
	if p.Type == "" {
		return
	}
	q.Set("type", p.Type)
	q.Set("format", p.Format)
	q.Set("width", strconv.Itoa(p.Width))
	q.Set("height", strconv.Itoa(p.Height))
}
