package gateway

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/websocket"

	"github.com/parley-im/parley/internal/auth"
	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/wire"
)

// arguments are what a client says of itself when it connects.
type arguments struct {
	userID      string
	token       string
	platform    im.Platform
	operationID string
	background  bool
	gzip        bool
	reply       bool // wants the outcome as its first frame
	form        wire.Form
	sdkVersion  string
}

// Longest argument values; tokens are a few hundred bytes.
const (
	maxToken     = 4096
	maxOperation = 256
)

// parseArguments reads the plain or the v form of the query
// (websocket-and-messages 1.2, 1.3).
func parseArguments(r *http.Request) (a arguments, err error) {
	q := r.URL.Query()
	var platform, sdkType, compression string
	if v := q.Get("v"); v != "" {
		if platform, sdkType, compression, err = a.fromPacked(v); err != nil {
			return a, err
		}
	} else if platform, sdkType, compression, err = a.fromQuery(q); err != nil {
		return a, err
	} else if compression == "" {
		compression = r.Header.Get("compression")
	}
	switch {
	case a.operationID == "", a.token == "", a.userID == "", platform == "":
		return a, im.ErrConnArgs
	case len(a.token) > maxToken, len(a.operationID) > maxOperation, len(a.userID) > maxOperation:
		return a, im.ErrConnArgs.With("an argument is too long")
	}
	p, err := strconv.Atoi(platform)
	if a.platform = im.Platform(p); err != nil || !a.platform.Valid() {
		return a, im.ErrConnArgs.With("platformID %q is not a platform", platform)
	}
	// A connection lives long: it must not keep its whole request alive.
	a.userID, a.token, a.operationID, a.sdkVersion = strings.Clone(a.userID), strings.Clone(a.token), strings.Clone(a.operationID), strings.Clone(a.sdkVersion)
	a.gzip = compression == "gzip"
	switch sdkType {
	case "", "go":
		a.form = wire.Gob
	case "js":
		a.form = wire.JSON
	default:
		return a, im.ErrConnArgs.With("sdkType %q is not known", sdkType)
	}
	return a, nil
}

func (a *arguments) fromQuery(q url.Values) (platform, sdkType, compression string, err error) {
	a.userID, a.token, a.operationID = q.Get("sendID"), q.Get("token"), q.Get("operationID")
	a.sdkVersion = q.Get("sdkVersion")
	a.background, _ = strconv.ParseBool(q.Get("isBackground")) // missing or odd means foreground
	if v := q.Get("isMsgResp"); v != "" {
		if a.reply, err = strconv.ParseBool(v); err != nil {
			return "", "", "", im.ErrConnArgs.With("isMsgResp %q is not a bool", v)
		}
	}
	return q.Get("platformID"), q.Get("sdkType"), q.Get("compression"), nil
}

func (a *arguments) fromPacked(v string) (platform, sdkType, compression string, err error) {
	raw, err := base64.RawURLEncoding.DecodeString(v)
	if err != nil {
		return "", "", "", im.ErrConnArgs.With("v is not base64")
	}
	var p struct {
		Token        string `json:"token"`
		UserID       string `json:"userID"`
		PlatformID   int    `json:"platformID"`
		OperationID  string `json:"operationID"`
		Compression  string `json:"compression"`
		SDKType      string `json:"sdkType"`
		SendResponse bool   `json:"sendResponse"`
		Background   bool   `json:"background"`
		SDKVersion   string `json:"sdkVersion"`
	}
	if err := json.Unmarshal(raw, &p); err != nil {
		return "", "", "", im.ErrConnArgs.With("v is not the JSON expected")
	}
	a.userID, a.token, a.operationID, a.sdkVersion = p.UserID, p.Token, p.OperationID, p.SDKVersion
	a.background, a.reply = p.Background, p.SendResponse
	return strconv.Itoa(p.PlatformID), p.SDKType, p.Compression, nil
}

// handshake checks in the order of websocket-and-messages 1.4. From hub.add on
// the user is online: what is sent to him waits in the connection's queue until
// the upgrade is answered.
func (s *Server) handshake(w http.ResponseWriter, r *http.Request) {
	if s.closing.Load() {
		refuse(w, im.ErrInternal.With("the server is shutting down"))
		return
	}
	from := s.options.Peers.Addr(r)
	if v := s.options.Limits.Handshake(from); !v.Allowed() {
		refuse(w, im.ErrTooManyRequests.With("%s", v))
		return
	}
	if !s.options.Origins.Allowed(r) {
		refuse(w, im.ErrNoPermission.With("pages of this origin may not connect"))
		return
	}
	began, ok := s.options.Load.Enter()
	if !ok {
		refuse(w, im.ErrTooManyRequests.With("the server is busy"))
		return
	}
	defer s.options.Load.Leave(began)
	if s.count.Add(1) > int64(s.options.MaxConns) {
		s.count.Add(-1)
		refuse(w, im.ErrConnOverLimit)
		return
	}
	c, err := s.connect(w, r, from)
	if err != nil {
		s.count.Add(-1)
		if outer, ok := errors.AsType[*im.Error](err); ok {
			refuse(w, outer)
		} else if !errors.Is(err, errAnswered) {
			s.log.Error("handshake failed", "error", err)
			refuse(w, im.ErrInternal)
		}
		return
	}
	// The reader gets a goroutine with a small stack of its own; the one of
	// net/http, grown by the handshake, ends here.
	go c.readLoop()
}

// errAnswered: the client has its answer already.
var errAnswered = errors.New("handshake answered")

func (s *Server) connect(w http.ResponseWriter, r *http.Request, from netip.Addr) (*conn, error) {
	if !websocket.IsWebSocketUpgrade(r) {
		return nil, im.ErrConnArgs.With("this port takes WebSocket connections only")
	}
	a, err := parseArguments(r)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(im.WithOperation(context.WithoutCancel(r.Context()), a.operationID), s.options.HandshakeTimeout)
	defer cancel()
	if err := s.authenticate(ctx, a); err != nil {
		if auth.Forged(err) {
			if v := s.options.Limits.Failed(from); !v.Allowed() {
				return nil, im.ErrTooManyRequests.With("%s", v)
			}
		}
		return nil, s.refuseToken(w, r, a, err)
	}
	admin := s.options.Auth.IsAdmin(a.userID)
	if v := s.options.Limits.Connections(len(s.hub.of(a.userID)), admin); !v.Allowed() {
		return nil, im.ErrConnOverLimit.With("%s", v)
	}
	if v := s.options.Limits.Connect(from, admin); !v.Allowed() {
		return nil, im.ErrConnOverLimit.With("%s", v)
	}
	c, err := s.open(ctx, w, r, a, from)
	if err != nil {
		s.options.Limits.Disconnect(from)
	}
	return c, err
}

// open makes the connection of a client who may have one.
func (s *Server) open(ctx context.Context, w http.ResponseWriter, r *http.Request, a arguments, from netip.Addr) (*conn, error) {
	lose, err := s.options.Auth.Displace(ctx, a.userID, a.platform, a.token)
	if err != nil {
		return nil, s.refuseToken(w, r, a, err)
	}
	s.hub.Kick(ctx, a.userID, lose, a.token)
	c := s.newConn(a, from)
	s.handlers.Add(1)
	s.options.Presence.Open(c.session)
	others := s.hub.add(c)
	// Handshakes beside this one may have been let in meanwhile.
	if v := s.options.Limits.Connections(others, c.caller().Admin); !v.Allowed() {
		s.forget(c, false)
		s.handlers.Done()
		return nil, im.ErrConnOverLimit.With("%s", v)
	}
	// From here on a logout finds the connection; one that came before has ended
	// the token.
	if err := s.authenticate(ctx, a); err != nil {
		s.forget(c, false)
		s.handlers.Done()
		return nil, s.refuseToken(w, r, a, err)
	}
	ws, err := s.upgrader.Upgrade(w, r, nil)
	if err != nil {
		s.forget(c, false)
		s.handlers.Done()
		return nil, errAnswered // Upgrade has answered
	}
	c.attach(ws)
	if a.reply {
		c.enqueueFirst(textFrame(okReply))
	}
	s.options.Presence.Confirm(c.session, a.operationID, a.background)
	c.start()
	return c, nil
}

// authenticate checks the token and that it is the user's and platform's own.
func (s *Server) authenticate(ctx context.Context, a arguments) error {
	claims, err := s.options.Auth.Verify(ctx, a.token)
	if err != nil {
		return err
	}
	if claims.UserID != a.userID || claims.Platform != a.platform {
		return im.ErrTokenInvalid.With("the token is another user's or platform's")
	}
	return nil
}

// refuseToken answers a token fault: over the socket if the client asked for
// its reply there.
func (s *Server) refuseToken(w http.ResponseWriter, r *http.Request, a arguments, err error) error {
	fault, ok := errors.AsType[*im.Error](err)
	if !ok || !a.reply {
		return err
	}
	ws, upErr := s.upgrader.Upgrade(w, r, nil)
	if upErr != nil {
		return errAnswered
	}
	defer ws.Close()
	deadline := time.Now().Add(controlWait)
	_ = ws.SetWriteDeadline(deadline) // the connection ends here whatever happens
	_ = ws.WriteMessage(websocket.TextMessage, handshakeReply(fault))
	_ = ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""), deadline)
	return errAnswered
}

type handshakeAnswer struct {
	ErrCode int    `json:"errCode"`
	ErrMsg  string `json:"errMsg"`
	ErrDlt  string `json:"errDlt"`
}

var okReply = []byte(`{"errCode":0,"errMsg":"","errDlt":""}`)

// maxReplyDetail keeps the reply inside the 1,024 bytes a Go dialer shows.
const maxReplyDetail = 400

func handshakeReply(e *im.Error) []byte {
	detail := e.Detail
	if len(detail) > maxReplyDetail {
		detail = detail[:maxReplyDetail]
	}
	b, _ := json.Marshal(handshakeAnswer{e.Code, e.Msg, detail}) // a struct of strings
	return b
}

// refuse answers a handshake over HTTP: status 200, the code in the body.
func refuse(w http.ResponseWriter, e *im.Error) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Access-Control-Allow-Origin", "*")
	_, _ = w.Write(handshakeReply(e)) // the client is gone if this fails
}

// newConnID returns 16 random bytes in hex: connection ids appear in events and
// must not repeat across restarts.
func newConnID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand aborts the process instead
	return hex.EncodeToString(b[:])
}
