package api

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/openimsdk/protocol/third"

	"github.com/parley-im/parley/internal/object"
	"github.com/parley-im/parley/internal/wire"
)

// address is the server's own address as the client sees it, for links in the
// answer (rest-api 5.1). It ends with a slash.
type address struct{ base string }

func (a *address) takeAddress(r *http.Request, public string, secure bool) {
	a.base = baseOf(r, public, secure)
}

// baseOf prefers the configured address, then what a proxy in front says.
func baseOf(r *http.Request, public string, secure bool) string {
	base := public
	if base == "" {
		base = r.Header.Get("X-Request-Api")
	}
	if u, err := url.Parse(base); err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		base = "http://" + r.Host
		if secure {
			base = "https://" + r.Host
		}
	}
	return strings.TrimSuffix(base, "/") + "/"
}

// The requests whose answers hold links. OpenIM's own check wants urlPrefix,
// which it overwrites.
type (
	startUploadReq struct {
		address
		third.InitiateMultipartUploadReq
	}
	signPartsReq struct {
		address
		third.AuthSignReq
	}
	completeUploadReq struct {
		address
		third.CompleteMultipartUploadReq
	}
	accessReq struct {
		address
		third.AccessURLReq
	}
	startFormReq struct {
		address
		third.InitiateFormDataReq
	}
	completeFormReq struct {
		address
		third.CompleteFormDataReq
	}
)

func (*startUploadReq) Check() error    { return nil }
func (*completeUploadReq) Check() error { return nil }
func (*completeFormReq) Check() error   { return nil }

func (s *server) partLimits(context.Context, *none) (*third.PartLimitResp, error) {
	l := s.Objects.Limits()
	return &third.PartLimitResp{MinPartSize: l.MinPart, MaxPartSize: l.MaxPart, MaxNumSize: int32(l.MaxParts)}, nil
}

func (s *server) partSize(_ context.Context, req *third.PartSizeReq) (*third.PartSizeResp, error) {
	size, err := s.Objects.PartSize(req.Size)
	return &third.PartSizeResp{Size: size}, err
}

func (s *server) startUpload(ctx context.Context, req *startUploadReq) (*third.InitiateMultipartUploadResp, error) {
	up, err := s.Objects.Start(ctx, req.base, req.Hash, req.Size, int(req.MaxParts), object.File{Name: req.Name, ContentType: req.ContentType, Cause: req.Cause})
	switch {
	case err != nil:
		return nil, err
	case up.Done:
		return &third.InitiateMultipartUploadResp{Url: object.URL(req.base, req.Name)}, nil
	}
	return &third.InitiateMultipartUploadResp{Upload: &third.UploadInfo{
		UploadID: up.UploadID, PartSize: up.PartSize, ExpireTime: int64(up.ExpiresAt), Sign: &third.AuthSignParts{Parts: signedParts(up.Parts)},
	}}, nil
}

func (s *server) signParts(ctx context.Context, req *signPartsReq) (*third.AuthSignResp, error) {
	numbers := make([]int, len(req.PartNumbers))
	for i, n := range req.PartNumbers {
		numbers[i] = int(n)
	}
	parts, err := s.Objects.Sign(ctx, req.base, req.UploadID, numbers)
	return &third.AuthSignResp{Parts: signedParts(parts)}, err
}

// signedParts gives each part its whole URL; nothing is left for the client to
// put together.
func signedParts(parts []object.Part) []*third.SignPart {
	return wire.All(parts, func(p object.Part) *third.SignPart {
		return &third.SignPart{PartNumber: int32(p.Number), Url: p.URL}
	})
}

func (s *server) completeUpload(ctx context.Context, req *completeUploadReq) (*third.CompleteMultipartUploadResp, error) {
	err := s.Objects.Complete(ctx, req.UploadID, req.Parts, object.File{Name: req.Name, ContentType: req.ContentType, Cause: req.Cause})
	return &third.CompleteMultipartUploadResp{Url: object.URL(req.base, req.Name)}, err
}

func (s *server) accessURL(ctx context.Context, req *accessReq) (*third.AccessURLResp, error) {
	picture, err := object.ParsePicture(func(key string) string { return req.Query[key] })
	if err != nil {
		return nil, err
	}
	link, until, err := s.Objects.Access(ctx, req.base, req.Name, picture)
	return &third.AccessURLResp{Url: link, ExpireTime: int64(until)}, err
}

func (s *server) startForm(ctx context.Context, req *startFormReq) (*third.InitiateFormDataResp, error) {
	f, err := s.Objects.StartForm(ctx, req.base, req.Size, time.Duration(req.Millisecond)*time.Millisecond,
		object.File{Name: req.Name, ContentType: req.ContentType, Cause: req.Group})
	return &third.InitiateFormDataResp{
		Id: f.ID, Url: f.URL, File: formField, Expires: int64(f.ExpiresAt), FormData: map[string]string{}, SuccessCodes: []int32{http.StatusOK},
	}, err
}

func (s *server) completeForm(ctx context.Context, req *completeFormReq) (*third.CompleteFormDataResp, error) {
	name, err := s.Objects.CompleteForm(ctx, req.Id)
	return &third.CompleteFormDataResp{Url: object.URL(req.base, name)}, err
}
