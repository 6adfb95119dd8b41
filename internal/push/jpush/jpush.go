// Package jpush pushes through jiguang.cn, REST v3.
package jpush

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/parley-im/parley/internal/push"
)

// batch is the most aliases of one push.
const batch = 1000

// codeNobody is JPush's answer when no device has one of the aliases.
const codeNobody = 1011

// Options configure a Provider.
type Options struct {
	URL                  string // default https://api.jpush.cn/v3/push
	AppKey, MasterSecret string
	Intent               string // opened on Android
	Production           bool   // of Apple
	Client               *http.Client
}

// Provider is JPush. It is safe for concurrent use.
type Provider struct {
	o      Options
	header http.Header
}

// New checks the options.
func New(o Options) (*Provider, error) {
	if o.AppKey == "" || o.MasterSecret == "" {
		return nil, errors.New("jpush: appKey or masterSecret is missing")
	}
	if o.URL == "" {
		o.URL = "https://api.jpush.cn/v3/push"
	}
	if o.Client == nil {
		o.Client = push.NewClient()
	}
	basic := base64.StdEncoding.EncodeToString([]byte(o.AppKey + ":" + o.MasterSecret))
	return &Provider{o: o, header: http.Header{"Authorization": {"Basic " + basic}}}, nil
}

// Name implements push.Provider.
func (*Provider) Name() string { return "jpush" }

// Tokens implements push.Provider.
func (*Provider) Tokens() bool { return false }

// Batch implements push.Provider.
func (*Provider) Batch() int { return batch }

// Push implements push.Provider.
func (p *Provider) Push(ctx context.Context, n push.Notification, targets []push.Target) []push.Result {
	aliases := make([]string, len(targets))
	for i, t := range targets {
		aliases[i] = t.UserID
	}
	extras := map[string]string{"ex": n.Ex, "ClientMsgID": n.ClientMsgID}
	ios := map[string]any{"alert": map[string]string{"title": n.Title, "body": n.Desc}, "badge": "+1", "extras": extras, "mutable-content": true}
	if n.Sound != "" {
		ios["sound"] = n.Sound
	}
	android := map[string]any{"alert": n.Desc, "title": n.Title, "extras": extras}
	if p.o.Intent != "" {
		android["intent"] = map[string]string{"url": p.o.Intent}
	}
	a, err := push.PostJSON(ctx, p.o.Client, p.o.URL, p.header, map[string]any{
		"platform":     "all",
		"audience":     map[string]any{"alias": aliases},
		"notification": map[string]any{"alert": n.Desc, "android": android, "ios": ios},
		"options":      map[string]any{"apns_production": p.o.Production},
	})
	if err != nil {
		return push.All(targets, push.Later, err.Error(), 0)
	}
	if a.Status == http.StatusOK {
		return push.All(targets, push.Accepted, "", 0)
	}
	var answer struct {
		Error struct {
			Code    int    `json:"code"`
			Message string `json:"message"`
		} `json:"error"`
	}
	if json.Unmarshal(a.Body, &answer) == nil && answer.Error.Code == codeNobody {
		return push.All(targets, push.Refused, "no device has this alias", 0)
	}
	if a.Overloaded() {
		return push.All(targets, push.Later, a.Said(), a.After)
	}
	return push.All(targets, push.Refused, fmt.Sprintf("code %d: %s", answer.Error.Code, answer.Error.Message), 0)
}
