// Package fcm pushes through Firebase Cloud Messaging, HTTP v1.
package fcm

import (
	"context"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/parley-im/parley/internal/push"
)

const (
	scope = "https://www.googleapis.com/auth/firebase.messaging"
	batch = 400 // targets of one Push
)

// Options configure a Provider.
type Options struct {
	// ServiceAccount is the JSON key of a service account, from Google's console.
	ServiceAccount []byte
	Endpoint       string // default https://fcm.googleapis.com
	Client         *http.Client
	Now            func() time.Time
}

// Provider is FCM. It is safe for concurrent use.
type Provider struct {
	o       Options
	account account
	key     *rsa.PrivateKey

	mu      sync.Mutex // held while logging in: the others need the token as well
	token   string
	expires time.Time
}

type account struct {
	ProjectID    string `json:"project_id"`
	ClientEmail  string `json:"client_email"`
	PrivateKeyID string `json:"private_key_id"`
	PrivateKey   string `json:"private_key"`
	TokenURI     string `json:"token_uri"`
}

// New reads the service account.
func New(o Options) (*Provider, error) {
	p := &Provider{o: o}
	if err := json.Unmarshal(o.ServiceAccount, &p.account); err != nil {
		return nil, fmt.Errorf("FCM service account: %w", err)
	}
	a := &p.account
	if a.ProjectID == "" || a.ClientEmail == "" || a.PrivateKey == "" {
		return nil, fmt.Errorf("FCM service account: project_id, client_email or private_key is missing")
	}
	if a.TokenURI == "" {
		a.TokenURI = "https://oauth2.googleapis.com/token"
	}
	var err error
	if p.key, err = jwt.ParseRSAPrivateKeyFromPEM([]byte(a.PrivateKey)); err != nil {
		return nil, fmt.Errorf("FCM service account: private_key: %w", err)
	}
	if p.o.Endpoint == "" {
		p.o.Endpoint = "https://fcm.googleapis.com"
	}
	if p.o.Client == nil {
		p.o.Client = push.NewClient()
	}
	if p.o.Now == nil {
		p.o.Now = time.Now
	}
	return p, nil
}

// Name implements push.Provider.
func (*Provider) Name() string { return "fcm" }

// Tokens implements push.Provider.
func (*Provider) Tokens() bool { return true }

// Batch implements push.Provider.
func (*Provider) Batch() int { return batch }

// Push implements push.Provider.
func (p *Provider) Push(ctx context.Context, n push.Notification, targets []push.Target) []push.Result {
	token, err := p.login(ctx, "")
	if err != nil {
		return push.All(targets, push.Later, err.Error(), 0)
	}
	return push.Each(targets, func(t push.Target) push.Result { return p.send(ctx, token, n, t) })
}

// login returns an access token, another one than stale.
func (p *Provider) login(ctx context.Context, stale string) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.o.Now()
	if p.token != "" && p.token != stale && now.Before(p.expires) {
		return p.token, nil
	}
	claims := jwt.MapClaims{
		"iss": p.account.ClientEmail, "scope": scope, "aud": p.account.TokenURI, "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
	}
	signed := jwt.NewWithClaims(jwt.SigningMethodRS256, claims)
	signed.Header["kid"] = p.account.PrivateKeyID
	assertion, err := signed.SignedString(p.key)
	if err != nil {
		return "", fmt.Errorf("FCM log-in: %w", err)
	}
	form := url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "assertion": {assertion}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.account.TokenURI, strings.NewReader(form.Encode()))
	if err != nil {
		return "", fmt.Errorf("FCM log-in: %w", err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	a, err := push.Do(p.o.Client, req)
	if err != nil {
		return "", fmt.Errorf("FCM log-in: %w", err)
	}
	var answer struct {
		AccessToken string `json:"access_token"`
		ExpiresIn   int64  `json:"expires_in"`
	}
	if a.Status != http.StatusOK || json.Unmarshal(a.Body, &answer) != nil || answer.AccessToken == "" {
		return "", fmt.Errorf("FCM log-in: status %d", a.Status)
	}
	p.token = answer.AccessToken
	p.expires = now.Add(time.Duration(answer.ExpiresIn)*time.Second - time.Minute)
	return p.token, nil
}

func (p *Provider) send(ctx context.Context, token string, n push.Notification, t push.Target) push.Result {
	address := p.o.Endpoint + "/v1/projects/" + url.PathEscape(p.account.ProjectID) + "/messages:send"
	a, err := push.PostJSON(ctx, p.o.Client, address, bearer(token), map[string]any{"message": message(n, t)})
	if err == nil && a.Status == http.StatusUnauthorized { // the token ended early
		if token, err = p.login(ctx, token); err == nil {
			a, err = push.PostJSON(ctx, p.o.Client, address, bearer(token), map[string]any{"message": message(n, t)})
		}
	}
	r := push.Result{Target: t, After: a.After}
	code := errorCode(a.Body)
	switch {
	case err != nil:
		r.Outcome, r.Reason = push.Later, err.Error()
	case a.Status == http.StatusOK:
		r.Outcome = push.Accepted
	case code == "UNREGISTERED", a.Status == http.StatusNotFound:
		r.Outcome, r.Reason = push.Gone, "unregistered"
	case code == "SENDER_ID_MISMATCH":
		r.Outcome, r.Reason = push.Gone, "the token belongs to another project"
	case code == "QUOTA_EXCEEDED", a.Overloaded(), a.Status == http.StatusUnauthorized:
		r.Outcome, r.Reason = push.Later, a.Said()
	case code == "INVALID_ARGUMENT" && strings.Contains(string(a.Body), "registration token"):
		r.Outcome, r.Reason = push.Gone, "not a registration token"
	default:
		r.Outcome, r.Reason = push.Refused, a.Said()
	}
	return r
}

func bearer(token string) http.Header { return http.Header{"Authorization": {"Bearer " + token}} }

// message is FCM's Message with what both systems need.
func message(n push.Notification, t push.Target) map[string]any {
	aps := map[string]any{}
	if n.Sound != "" {
		aps["sound"] = n.Sound
	}
	android := map[string]any{"priority": "HIGH"}
	if t.Badge > 0 {
		aps["badge"] = t.Badge
		android["notification"] = map[string]any{"notification_count": t.Badge}
	}
	return map[string]any{
		"token":        t.Token,
		"notification": map[string]string{"title": n.Title, "body": n.Desc},
		"data":         map[string]string{"ex": n.Ex, "clientMsgID": n.ClientMsgID},
		"android":      android,
		"apns":         map[string]any{"payload": map[string]any{"aps": aps}},
	}
}

// errorCode finds FCM's own code in an answer, or Google's status.
func errorCode(body []byte) string {
	var answer struct {
		Error struct {
			Status  string `json:"status"`
			Details []struct {
				ErrorCode string `json:"errorCode"`
			} `json:"details"`
		} `json:"error"`
	}
	if json.Unmarshal(body, &answer) != nil {
		return ""
	}
	for _, d := range answer.Error.Details {
		if d.ErrorCode != "" {
			return d.ErrorCode
		}
	}
	return answer.Error.Status
}
