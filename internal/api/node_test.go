package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parley-im/parley/internal/api"
	"github.com/parley-im/parley/internal/auth"
	"github.com/parley-im/parley/internal/config"
	"github.com/parley-im/parley/internal/conversation"
	"github.com/parley-im/parley/internal/device"
	"github.com/parley-im/parley/internal/group"
	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/message"
	files "github.com/parley-im/parley/internal/object"
	"github.com/parley-im/parley/internal/object/disk"
	"github.com/parley-im/parley/internal/relation"
	"github.com/parley-im/parley/internal/reload"
	"github.com/parley-im/parley/internal/store"
	"github.com/parley-im/parley/internal/store/storetest"
	"github.com/parley-im/parley/internal/user"
	"github.com/parley-im/parley/internal/wire"
)

func TestMain(m *testing.M) { storetest.Main(m) }

const (
	secret  = "openIM123"
	adminID = "imAdmin"
	maxBody = 1 << 20
)

// node is the API on a store of its own, with everything below it real except
// the connections.
type node struct {
	t        *testing.T
	url      string
	store    *store.Store
	messages *message.Service
	auth     *auth.Service
	out      *recorder
	online   *presence
	objects  *files.Service
	files    string // directory of objects
	clock    clock  // of links to objects
	tokens   map[string]string
	asked    func(step int, where string) // looks at what a step called; nil without a business server
}

// clock is the time with what a test adds to it.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

// recorder keeps what would go to connected devices.
type recorder struct {
	mu   sync.Mutex
	sent []delivery
}

type delivery struct {
	contentType im.ContentType
	from        string
	to          []string
	message     *im.Message
}

// Deliver implements message.Deliverer.
func (r *recorder) Deliver(m *im.Message, recipients im.Audience, _ string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sent = append(r.sent, delivery{m.ContentType, m.SendID, recipients.IDs(), m})
}

// take returns what was delivered since the last call.
func (r *recorder) take() []delivery {
	r.mu.Lock()
	defer r.mu.Unlock()
	sent := r.sent
	r.sent = nil
	return sent
}

// style shows notifications as OpenIM's default configuration does.
var style = func() func(im.ContentType) message.NoticeStyle {
	styles := make(map[im.ContentType]message.NoticeStyle)
	shipped := config.Default().Notification
	for event, contentType := range wire.NoticeEvents {
		n := shipped[event]
		p := n.OfflinePush
		style := message.NoticeStyle{
			Chat: n.IsSendMsg, Offline: p.Enable, Push: &im.PushInfo{Title: p.Title, Desc: p.Desc, Ex: p.Ext},
		}
		styles[contentType] = style
	}
	return func(t im.ContentType) message.NoticeStyle { return styles[t] }
}()

// presence is who the tests say is online, and who was kicked.
type presence struct {
	mu       sync.Mutex
	sessions map[string][]api.OnlineSession
	kicked   []string
}

func (p *presence) Platforms(userID string) []im.Platform {
	var out []im.Platform
	for _, s := range p.Sessions(userID) {
		if !slices.Contains(out, s.Platform) {
			out = append(out, s.Platform)
		}
	}
	return out
}

func (p *presence) Sessions(userID string) []api.OnlineSession {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sessions[userID]
}

func (p *presence) kick(_ context.Context, userID string, on im.Platform) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.kicked = append(p.kicked, userID+"/"+on.String())
}

// start returns a node with the given users registered.
func start(t *testing.T, open storetest.Open, userIDs ...string) *node {
	return startWith(t, open, store.Options{}, im.NoHooks{}, userIDs...)
}

// startWith is start with a business server.
func startWith(t *testing.T, open storetest.Open, o store.Options, hooks im.Hooks, userIDs ...string) *node {
	t.Helper()
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	s := open(o)
	n := &node{
		t: t, store: s, out: &recorder{}, online: &presence{sessions: map[string][]api.OnlineSession{}}, tokens: map[string]string{},
	}
	n.auth = auth.New(s, auth.Options{Secret: []byte(secret), Expire: 90 * 24 * time.Hour, Admins: []string{adminID}, Policy: auth.PolicyPerPlatform})
	n.messages = message.New(s, nil, n.out, wire.Notices{}, message.Options{IsAdmin: n.auth.IsAdmin, Style: style, Logger: log})
	users := user.New(s, n.messages, hooks, log)
	if err := users.EnsureAdmins(t.Context(), []im.User{{UserID: adminID, Nickname: "superAdmin"}}); err != nil {
		t.Fatal(err)
	}
	n.files = t.TempDir()
	stored, err := disk.Open(n.files)
	if err != nil {
		t.Fatal(err)
	}
	n.objects = files.New(s, stored, files.Options{Secret: []byte(secret), Logger: log, Now: n.clock.now})
	server := httptest.NewServer(api.New(api.Options{
		Objects: n.objects, Devices: device.New(s), GrafanaURL: "http://grafana.example/",
		Auth: n.auth, Users: users, Relations: relation.New(s, n.messages, hooks, log), Groups: group.New(s, n.messages, group.Options{Hooks: hooks, Logger: log}),
		Conversations: conversation.New(s, n.messages, log), Messages: n.messages,
		Online: n.online, Kick: n.online.kick, MaxBody: maxBody, Logger: log,
		Config: configuration(t, s), Version: "main",
	}))
	t.Cleanup(server.Close)
	n.url = server.URL
	n.register(userIDs...)
	return n
}

// contents counts the contents in the object store.
func (n *node) contents() (files int) {
	n.t.Helper()
	err := filepath.WalkDir(filepath.Join(n.files, "content"), func(_ string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files++
		}
		return err
	})
	if err != nil {
		n.t.Fatal(err)
	}
	return files
}

// configuration is that of a server which runs on OpenIM's own files.
func configuration(t *testing.T, s *store.Store) *reload.Service {
	t.Helper()
	c, report, err := shippedConfig()
	if err != nil {
		t.Fatal(err)
	}
	return reload.New(reload.Options{Config: c, Report: report, Store: s})
}

var (
	loadShipped sync.Once
	shipped     struct {
		config *config.Config
		report *config.Report
		err    error
	}
)

func shippedConfig() (*config.Config, *config.Report, error) {
	loadShipped.Do(func() {
		shipped.config, shipped.report, shipped.err = config.Load(config.Options{Dir: "../config/testdata/openim/main-2026-07"})
	})
	return shipped.config, shipped.report, shipped.err
}

// register adds users as the recorded traces had them.
func (n *node) register(userIDs ...string) {
	n.t.Helper()
	var list []map[string]any
	for _, id := range userIDs {
		list = append(list, map[string]any{"userID": id, "nickname": "nick " + id, "faceURL": "http://face/" + id + ".png", "ex": "ex-" + id})
	}
	if list != nil {
		n.must(n.post(adminID, "/user/user_register", map[string]any{"users": list}))
	}
}

// token returns a token of a user, of platform Android for ordinary ones.
func (n *node) token(userID string) string {
	n.t.Helper()
	if n.tokens[userID] == "" {
		var err error
		var token string
		if userID == adminID {
			token, _, err = n.auth.AdminToken(n.t.Context(), secret, adminID)
		} else {
			token, _, err = n.auth.UserToken(n.t.Context(), userID, im.PlatformAndroid)
		}
		if err != nil {
			n.t.Fatalf("token of %s: %v", userID, err)
		}
		n.tokens[userID] = token
	}
	return n.tokens[userID]
}

// answer is what came back from a call.
type answer struct {
	status int
	header http.Header
	raw    []byte

	ErrCode int             `json:"errCode"`
	ErrMsg  string          `json:"errMsg"`
	ErrDlt  string          `json:"errDlt"`
	Data    json.RawMessage `json:"data"`
}

// into decodes the data.
func into[T any](t *testing.T, a answer) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(a.Data, &v); err != nil {
		t.Fatalf("data %s: %v", a.Data, err)
	}
	return v
}

func (n *node) must(a answer) answer {
	n.t.Helper()
	if a.ErrCode != 0 || a.status != http.StatusOK {
		n.t.Fatalf("status %d, errCode %d %s %s", a.status, a.ErrCode, a.ErrMsg, a.ErrDlt)
	}
	return a
}

var operations atomic.Int64

// post calls a path as a user with a JSON body.
func (n *node) post(as, path string, body any) answer {
	n.t.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		n.t.Fatal(err)
	}
	return n.do(http.MethodPost, path, raw, map[string]string{"token": n.token(as)})
}

// do makes a raw call; the operationID is made up unless headers give one.
func (n *node) do(method, path string, body []byte, headers map[string]string) answer {
	n.t.Helper()
	req, err := http.NewRequestWithContext(n.t.Context(), method, n.url+path, bytes.NewReader(body))
	if err != nil {
		n.t.Fatal(err)
	}
	req.Header.Set("operationID", fmt.Sprintf("op-%d", operations.Add(1)))
	for k, v := range headers {
		req.Header.Set(k, v)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		n.t.Fatal(err)
	}
	defer resp.Body.Close()
	a := answer{status: resp.StatusCode, header: resp.Header}
	if a.raw, err = io.ReadAll(resp.Body); err != nil {
		n.t.Fatal(err)
	}
	_ = json.Unmarshal(a.raw, &a) // some answers are plain text
	checkDescribed(n.t, method, path, a)
	return a
}
