// Package apns pushes through Apple's push service with a provider token.
package apns

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/parley-im/parley/internal/push"
)

const (
	batch = 400 // targets of one Push
	// renew is how long a provider token is used. Apple refuses one that is older
	// than an hour, and those who make new ones more often than every 20 minutes.
	renew = 40 * time.Minute
	// maxPayload is what Apple takes, in bytes.
	maxPayload = 4096
)

// Options configure a Provider.
type Options struct {
	Key        []byte // the .p8 file
	KeyID      string
	TeamID     string
	Topic      string // bundle id of the app
	Production bool
	Endpoint   string // default Apple's, by Production
	Client     *http.Client
	Now        func() time.Time
}

// Provider is APNs. It is safe for concurrent use.
type Provider struct {
	o   Options
	key *ecdsa.PrivateKey

	mu    sync.Mutex
	token string
	made  time.Time
}

// New reads the key.
func New(o Options) (*Provider, error) {
	key, err := jwt.ParseECPrivateKeyFromPEM(o.Key)
	if err != nil {
		return nil, fmt.Errorf("APNs key: %w", err)
	}
	if o.KeyID == "" || o.TeamID == "" || o.Topic == "" {
		return nil, fmt.Errorf("APNs: key id, team id or topic is missing")
	}
	if o.Endpoint == "" {
		o.Endpoint = "https://api.sandbox.push.apple.com"
		if o.Production {
			o.Endpoint = "https://api.push.apple.com"
		}
	}
	if o.Client == nil {
		o.Client = push.NewClient()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Provider{o: o, key: key}, nil
}

// Name implements push.Provider.
func (*Provider) Name() string { return "apns" }

// Tokens implements push.Provider.
func (*Provider) Tokens() bool { return true }

// Batch implements push.Provider.
func (*Provider) Batch() int { return batch }

// Push implements push.Provider.
func (p *Provider) Push(ctx context.Context, n push.Notification, targets []push.Target) []push.Result {
	return push.Each(targets, func(t push.Target) push.Result { return p.send(ctx, n, t) })
}

// provider returns the provider token, a new one if stale is the last.
func (p *Provider) provider(stale string) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.o.Now()
	if p.token != "" && p.token != stale && now.Sub(p.made) < renew {
		return p.token, nil
	}
	t := jwt.NewWithClaims(jwt.SigningMethodES256, jwt.MapClaims{"iss": p.o.TeamID, "iat": now.Unix()})
	t.Header["kid"] = p.o.KeyID
	signed, err := t.SignedString(p.key)
	if err != nil {
		return "", fmt.Errorf("APNs token: %w", err)
	}
	p.token, p.made = signed, now
	return signed, nil
}

func (p *Provider) send(ctx context.Context, n push.Notification, t push.Target) push.Result {
	token, err := p.provider("")
	if err != nil {
		return push.Result{Target: t, Outcome: push.Refused, Reason: err.Error()}
	}
	a, reason, err := p.post(ctx, token, n, t)
	if err == nil && reason == "ExpiredProviderToken" {
		if token, err = p.provider(token); err == nil {
			a, reason, err = p.post(ctx, token, n, t)
		}
	}
	r := push.Result{Target: t, After: a.After, Reason: reason}
	switch {
	case err != nil:
		r.Outcome, r.Reason = push.Later, err.Error()
	case a.Status == http.StatusOK:
		r.Outcome, r.Reason = push.Accepted, ""
	case a.Status == http.StatusGone, reason == "BadDeviceToken", reason == "DeviceTokenNotForTopic", reason == "Unregistered":
		r.Outcome = push.Gone
	case a.Overloaded(), reason == "ExpiredProviderToken":
		r.Outcome = push.Later
	default:
		r.Outcome = push.Refused
	}
	if r.Reason == "" && r.Outcome != push.Accepted {
		r.Reason = a.Said()
	}
	return r
}

func (p *Provider) post(ctx context.Context, token string, n push.Notification, t push.Target) (push.Answer, string, error) {
	body, err := json.Marshal(payload(n, t))
	if err != nil {
		return push.Answer{}, "", err
	}
	if len(body) > maxPayload { // what the app is handed is what it can do without
		n.Ex = ""
		if body, err = json.Marshal(payload(n, t)); err != nil {
			return push.Answer{}, "", err
		}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.o.Endpoint+"/3/device/"+url.PathEscape(t.Token), bytes.NewReader(body))
	if err != nil {
		return push.Answer{}, "", err
	}
	req.Header.Set("Authorization", "bearer "+token)
	req.Header.Set("Apns-Topic", p.o.Topic)
	req.Header.Set("Apns-Push-Type", "alert")
	req.Header.Set("Apns-Priority", "10")
	if len(n.ClientMsgID) <= 64 {
		req.Header.Set("Apns-Collapse-Id", n.ClientMsgID) // a repeated push shows once
	}
	a, err := push.Do(p.o.Client, req)
	var answer struct {
		Reason string `json:"reason"`
	}
	if json.Unmarshal(a.Body, &answer) != nil {
		answer.Reason = ""
	}
	return a, answer.Reason, err
}

func payload(n push.Notification, t push.Target) map[string]any {
	aps := map[string]any{"alert": map[string]string{"title": n.Title, "body": n.Desc}}
	if n.Sound != "" {
		aps["sound"] = n.Sound
	}
	if t.Badge > 0 {
		aps["badge"] = t.Badge
	}
	return map[string]any{"aps": aps, "ex": n.Ex, "clientMsgID": n.ClientMsgID}
}
