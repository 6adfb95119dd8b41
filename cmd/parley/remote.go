package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"

	"github.com/google/uuid"

	"github.com/parley-im/parley/internal/app"
	"github.com/parley-im/parley/internal/handlerkit"
	"github.com/parley-im/parley/internal/im"
)

// remoteFlags say which server a command talks to: the one of a data directory
// on this machine, or any other by its API.
type remoteFlags struct {
	dataFlag
	API   string `name:"api" placeholder:"URL" help:"Talk to this API, such as http://host:10002, instead of the server of --data."`
	Token string `help:"Administrator's token for --api." env:"PARLEY_ADMIN_TOKEN"`
}

// remote calls the API as an administrator.
type remote struct {
	base, token string
	client      *http.Client
}

func (f remoteFlags) remote(ctx context.Context) (*remote, error) {
	if f.API != "" {
		if f.Token == "" {
			return nil, fmt.Errorf("--api needs --token: POST /auth/get_admin_token makes one")
		}
		return &remote{base: strings.TrimRight(f.API, "/"), token: f.Token, client: &http.Client{}}, nil
	}
	var token app.AdminToken
	if err := f.call(ctx, http.MethodPost, "/token", nil, &token); err != nil {
		return nil, err
	}
	return &remote{base: "http://control", token: token.Token, client: &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return app.DialControl(ctx, f.Data) },
	}}}, nil
}

// Post makes one call. A refusal is an *im.Error.
func (r *remote) Post(ctx context.Context, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.base+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("operationID", "parley-"+uuid.NewString())
	req.Header.Set("token", r.token)
	resp, err := r.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var answer struct {
		ErrCode int             `json:"errCode"`
		ErrMsg  string          `json:"errMsg"`
		ErrDlt  string          `json:"errDlt"`
		Data    json.RawMessage `json:"data"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return fmt.Errorf("%s answered status %d and no API answer: %w", r.base, resp.StatusCode, err)
	}
	switch {
	case answer.ErrCode == im.ErrNotFound.Code:
		return fmt.Errorf("%w: %s", handlerkit.ErrGone, answer.ErrDlt)
	case answer.ErrCode != 0:
		return &im.Error{Code: answer.ErrCode, Msg: answer.ErrMsg, Detail: answer.ErrDlt}
	case out == nil || answer.Data == nil:
		return nil
	}
	return json.Unmarshal(answer.Data, out)
}

var _ handlerkit.Remote = (*remote)(nil)
