package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/openimsdk/protocol/auth"
	"github.com/openimsdk/protocol/constant"
	"github.com/openimsdk/protocol/group"
	"github.com/openimsdk/protocol/sdkws"
	"golang.org/x/sync/errgroup"
)

// rest prepares users and groups through the REST API, as a business server does.
type rest struct {
	url    string
	client *http.Client
	admin  string // token
	run    string
}

const (
	restTimeout     = 30 * time.Second
	restMaxAnswer   = 64 << 20
	registerAtOnce  = 500
	parallelLogins  = 16
	platformAndroid = 2
)

func newREST(ctx context.Context, o *Options, run string) (*rest, error) {
	r := &rest{
		url: strings.TrimSuffix(o.API, "/"),
		client: &http.Client{Timeout: restTimeout, Transport: &http.Transport{
			MaxIdleConnsPerHost: parallelLogins,
		}},
		run: run,
	}
	var answer auth.GetAdminTokenResp
	if err := r.post(ctx, "/auth/get_admin_token", &auth.GetAdminTokenReq{Secret: o.Secret, UserID: o.Admin}, &answer); err != nil {
		return nil, err
	}
	r.admin = answer.Token
	return r, nil
}

func (r *rest) close() { r.client.CloseIdleConnections() }

// register creates the users and returns a token for each.
func (r *rest) register(ctx context.Context, userIDs []string) ([]string, error) {
	if err := r.enrol(ctx, userIDs); err != nil {
		return nil, err
	}
	return r.logIn(ctx, userIDs)
}

// logIn returns a token for each of the users.
func (r *rest) logIn(ctx context.Context, userIDs []string) ([]string, error) {
	tokens := make([]string, len(userIDs))
	logins, ctx := errgroup.WithContext(ctx)
	logins.SetLimit(parallelLogins)
	for i, userID := range userIDs {
		logins.Go(func() error {
			var answer auth.GetUserTokenResp
			err := r.post(ctx, "/auth/get_user_token", &auth.GetUserTokenReq{UserID: userID, PlatformID: platformAndroid}, &answer)
			tokens[i] = answer.Token
			return err
		})
	}
	return tokens, logins.Wait()
}

// createGroup returns the id of a new group that is silent about its creation.
func (r *rest) createGroup(ctx context.Context, owner string, members []string) (string, error) {
	silent := false
	var answer group.CreateGroupResp
	if err := r.post(ctx, "/group/create_group", &group.CreateGroupReq{
		OwnerUserID:   owner,
		MemberUserIDs: members,
		GroupInfo:     &sdkws.GroupInfo{GroupName: "bench", GroupType: constant.WorkingGroup},
		SendMessage:   &silent,
	}, &answer); err != nil {
		return "", err
	}
	if answer.GroupInfo == nil || answer.GroupInfo.GroupID == "" {
		return "", fmt.Errorf("create_group: no group in the answer")
	}
	return answer.GroupInfo.GroupID, nil
}

func (r *rest) post(ctx context.Context, path string, request, answer any) error {
	body, err := json.Marshal(request)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url+path, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	q.Header.Set("Content-Type", "application/json")
	q.Header.Set("operationID", r.run+path)
	if r.admin != "" {
		q.Header.Set("token", r.admin)
	}
	response, err := r.client.Do(q)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(response.Body, restMaxAnswer))
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	envelope := struct {
		ErrCode int             `json:"errCode"`
		ErrMsg  string          `json:"errMsg"`
		ErrDlt  string          `json:"errDlt"`
		Data    json.RawMessage `json:"data"`
	}{}
	if err := json.Unmarshal(text, &envelope); err != nil {
		return fmt.Errorf("%s: status %d: not an OpenIM answer: %w", path, response.StatusCode, err)
	}
	if envelope.ErrCode != 0 {
		return fmt.Errorf("%s: %s", path, strings.TrimSpace(strconv.Itoa(envelope.ErrCode)+" "+envelope.ErrMsg+" "+envelope.ErrDlt))
	}
	if answer == nil || len(envelope.Data) == 0 {
		return nil
	}
	if err := json.Unmarshal(envelope.Data, answer); err != nil {
		return fmt.Errorf("%s: data: %w", path, err)
	}
	return nil
}
