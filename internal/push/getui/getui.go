// Package getui pushes through getui.com, REST v2.
package getui

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/parley-im/parley/internal/push"
)

// batch is the most aliases of one list.
const batch = 1000

const (
	codeOK      = 0
	codeStarts  = 2     // their server is starting
	codeToken   = 10001 // the token is wrong or has ended
	codeLogins  = 10003 // too many log-ins in this minute
	codeCalls   = 10005 // too many calls in this minute
	ttl         = 24 * time.Hour
	tokenMargin = 10 * time.Minute
)

// Options configure a Provider.
type Options struct {
	URL                    string // with the app id at its end
	AppKey, MasterSecret   string
	Intent                 string
	ChannelID, ChannelName string
	Client                 *http.Client
	Now                    func() time.Time
}

// Provider is getui. It is safe for concurrent use.
type Provider struct {
	o Options

	mu      sync.Mutex // held while logging in: the others need the token as well
	token   string
	expires time.Time
}

// New checks the options.
func New(o Options) (*Provider, error) {
	switch {
	case o.AppKey == "" || o.MasterSecret == "":
		return nil, errors.New("getui: appKey or masterSecret is missing")
	case o.URL == "" || strings.Contains(o.URL, "$appId"):
		return nil, errors.New("getui: pushUrl must end with the app id in place of $appId")
	}
	o.URL = strings.TrimRight(o.URL, "/")
	if o.Client == nil {
		o.Client = push.NewClient()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Provider{o: o}, nil
}

// Name implements push.Provider.
func (*Provider) Name() string { return "getui" }

// Tokens implements push.Provider.
func (*Provider) Tokens() bool { return false }

// Batch implements push.Provider.
func (*Provider) Batch() int { return batch }

// Push implements push.Provider. One user is one call; more are a list, which is
// made first and then sent to them.
func (p *Provider) Push(ctx context.Context, n push.Notification, targets []push.Target) []push.Result {
	aliases := make([]string, len(targets))
	for i, t := range targets {
		aliases[i] = t.UserID
	}
	if len(aliases) == 1 {
		body := p.message(n)
		body["request_id"] = requestID()
		body["audience"] = map[string]any{"alias": aliases}
		_, after, err := p.call(ctx, "/push/single/alias", body)
		return results(targets, after, err)
	}
	data, after, err := p.call(ctx, "/push/list/message", p.message(n))
	if err != nil {
		return results(targets, after, err)
	}
	var task struct {
		TaskID string `json:"taskid"`
	}
	if json.Unmarshal(data, &task) != nil || task.TaskID == "" {
		return push.All(targets, push.Later, "no task id", 0)
	}
	_, after, err = p.call(ctx, "/push/list/alias", map[string]any{
		"audience": map[string]any{"alias": aliases}, "taskid": task.TaskID, "is_async": true,
	})
	return results(targets, after, err)
}

// codeError is an answer that says no.
type codeError struct {
	code int
	said string
}

func (e *codeError) Error() string { return e.said }

// passes reports whether the same push may be taken a little later.
func (e *codeError) passes() bool {
	return e.code == codeStarts || e.code == codeToken || e.code == codeLogins || e.code == codeCalls
}

func results(targets []push.Target, after time.Duration, err error) []push.Result {
	refused, ok := errors.AsType[*codeError](err)
	switch {
	case err == nil:
		return push.All(targets, push.Accepted, "", 0)
	case ok && !refused.passes():
		return push.All(targets, push.Refused, refused.said, 0)
	}
	return push.All(targets, push.Later, err.Error(), after)
}

// call makes one call, logging in before it when that is needed.
func (p *Provider) call(ctx context.Context, path string, body any) (json.RawMessage, time.Duration, error) {
	token, err := p.login(ctx, "")
	if err != nil {
		return nil, 0, err
	}
	data, after, err := p.post(ctx, path, token, body)
	if refused, ok := errors.AsType[*codeError](err); ok && refused.code == codeToken {
		if token, err = p.login(ctx, token); err != nil {
			return nil, 0, err
		}
		data, after, err = p.post(ctx, path, token, body)
	}
	return data, after, err
}

func (p *Provider) post(ctx context.Context, path, token string, body any) (json.RawMessage, time.Duration, error) {
	header := http.Header{}
	if token != "" {
		header["token"] = []string{token} // in just these letters
	}
	a, err := push.PostJSON(ctx, p.o.Client, p.o.URL+path, header, body)
	if err != nil {
		return nil, 0, err
	}
	var answer struct {
		Code int             `json:"code"`
		Msg  string          `json:"msg"`
		Data json.RawMessage `json:"data"`
	}
	err = json.Unmarshal(a.Body, &answer)
	switch {
	case err == nil && answer.Code == codeToken:
		return nil, 0, &codeError{codeToken, answer.Msg}
	case a.Overloaded():
		return nil, a.After, errors.New(a.Said())
	case err != nil:
		return nil, 0, fmt.Errorf("not understood: %s", a.Said())
	case answer.Code != codeOK:
		return nil, 0, &codeError{answer.Code, fmt.Sprintf("code %d: %s", answer.Code, answer.Msg)}
	}
	return answer.Data, 0, nil
}

// login returns a token, another one than stale.
func (p *Provider) login(ctx context.Context, stale string) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.o.Now()
	if p.token != "" && p.token != stale && now.Before(p.expires) {
		return p.token, nil
	}
	timestamp := strconv.FormatInt(now.UnixMilli(), 10)
	sign := sha256.Sum256([]byte(p.o.AppKey + timestamp + p.o.MasterSecret))
	data, _, err := p.post(ctx, "/auth", "", map[string]string{
		"sign": hex.EncodeToString(sign[:]), "timestamp": timestamp, "appkey": p.o.AppKey,
	})
	if err != nil {
		return "", fmt.Errorf("getui log-in: %w", err)
	}
	var answer struct {
		Token  string `json:"token"`
		Expire string `json:"expire_time"` // milliseconds
	}
	if err := json.Unmarshal(data, &answer); err != nil || answer.Token == "" {
		return "", errors.New("getui log-in: no token")
	}
	p.token, p.expires = answer.Token, now.Add(ttl-tokenMargin)
	if ms, err := strconv.ParseInt(answer.Expire, 10, 64); err == nil {
		p.expires = time.UnixMilli(ms).Add(-tokenMargin)
	}
	return p.token, nil
}

// message is the part that single pushes and lists have in common.
func (p *Provider) message(n push.Notification) map[string]any {
	return map[string]any{
		"settings": map[string]any{"ttl": ttl.Milliseconds(), "strategy": map[string]int{"default": 1}},
		"push_message": map[string]any{"notification": map[string]any{
			"title": n.Title, "body": n.Desc, "channel_id": p.o.ChannelID, "channel_name": p.o.ChannelName, "channel_level": 4,
			"click_type": "startapp", "badge_add_num": "1",
		}},
		"push_channel": map[string]any{
			"ios": map[string]any{
				"type": "notify", "auto_badge": "+1", "payload": n.Ex,
				"aps": map[string]any{"sound": n.Sound, "alert": map[string]string{"title": n.Title, "body": n.Desc}},
			},
			"android": map[string]any{"ups": map[string]any{
				"notification": map[string]any{"title": n.Title, "body": n.Desc, "click_type": "intent", "intent": p.o.Intent},
				"options": map[string]any{
					"HW": map[string]any{"/message/android/category": "IM", "/message/android/notification/importance": "NORMAL"},
					"XM": map[string]any{"/extra.channel_id": p.o.ChannelID},
					"VV": map[string]any{"/classification": 1, "/category": "IM"},
				},
			}},
		},
	}
}

// requestID is unique, 10 to 32 characters.
func requestID() string { return strings.ReplaceAll(uuid.NewString(), "-", "") }
