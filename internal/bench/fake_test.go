package bench

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/gorilla/websocket"
	"github.com/openimsdk/protocol/auth"
	"github.com/openimsdk/protocol/constant"
	"github.com/openimsdk/protocol/group"
	"github.com/openimsdk/protocol/msg"
	"github.com/openimsdk/protocol/sdkws"
	"github.com/openimsdk/protocol/user"
	"google.golang.org/protobuf/proto"

	"github.com/parley-im/parley/internal/wire"
)

// fakeServer is as much of an OpenIM server as a run needs, able to break each
// promise on purpose.
type fakeServer struct {
	url    string
	faults faults

	mu     sync.Mutex
	users  map[string]bool
	conns  map[string]*fakeConn
	groups map[string][]string
	seqs   map[string]uint64
}

// faults are asked with the indexes of users; nil ones never apply.
type faults struct {
	push        func(receiver uint32, id messageID) (times int, hold bool) // hold: after the next one
	refuse      func(id messageID) (refuse, leak bool)
	silent      func(id messageID) bool
	echoFirst   func(id messageID) bool
	seq         func(id messageID, seq uint64) uint64
	text        func(id messageID) bool
	disconnect  func(id messageID) bool
	refuseLogin bool
}

type fakeConn struct {
	ws   *websocket.Conn
	mu   sync.Mutex
	held []*wire.Response // guarded by fakeServer.mu
}

func startFake(t *testing.T, f faults) *fakeServer {
	t.Helper()
	s := &fakeServer{faults: f, users: make(map[string]bool), conns: make(map[string]*fakeConn), groups: make(map[string][]string), seqs: make(map[string]uint64)}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /auth/get_admin_token", rpc(s, func(q *auth.GetAdminTokenReq) (any, error) {
		if q.Secret != "secret" {
			return nil, fmt.Errorf("wrong secret")
		}
		return &auth.GetAdminTokenResp{Token: "admin"}, nil
	}))
	mux.HandleFunc("POST /user/user_register", rpc(s, func(q *user.UserRegisterReq) (any, error) {
		for _, u := range q.Users {
			if s.users[u.UserID] {
				return nil, fmt.Errorf("%s exists", u.UserID)
			}
			s.users[u.UserID] = true
		}
		return nil, nil
	}))
	mux.HandleFunc("POST /auth/get_user_token", rpc(s, func(q *auth.GetUserTokenReq) (any, error) {
		if !s.users[q.UserID] {
			return nil, fmt.Errorf("no user %s", q.UserID)
		}
		return &auth.GetUserTokenResp{Token: "token-" + q.UserID}, nil
	}))
	mux.HandleFunc("POST /group/create_group", rpc(s, func(q *group.CreateGroupReq) (any, error) {
		s.groups["g1"] = append(q.MemberUserIDs, q.OwnerUserID)
		return &group.CreateGroupResp{GroupInfo: &sdkws.GroupInfo{GroupID: "g1"}}, nil
	}))
	mux.HandleFunc("GET /", s.connect)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

func rpc[Q any](s *fakeServer, f func(*Q) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		q := new(Q)
		answer := map[string]any{"errCode": 0, "errMsg": "", "errDlt": ""}
		if r.Header.Get("operationID") == "" || r.URL.Path != "/auth/get_admin_token" && r.Header.Get("token") != "admin" {
			answer["errCode"], answer["errMsg"] = 1001, "ArgsError"
		} else if err := json.NewDecoder(r.Body).Decode(q); err != nil {
			answer["errCode"], answer["errMsg"] = 1001, err.Error()
		} else {
			s.mu.Lock()
			data, err := f(q)
			s.mu.Unlock()
			if err != nil {
				answer["errCode"], answer["errMsg"] = 1002, err.Error()
			}
			answer["data"] = data
		}
		_ = json.NewEncoder(w).Encode(answer)
	}
}

func (s *fakeServer) connect(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	userID := q.Get("sendID")
	s.mu.Lock()
	ok := s.users[userID] && q.Get("token") == "token-"+userID && q.Get("platformID") == "2" && q.Get("compression") == "gzip" && !s.faults.refuseLogin
	s.mu.Unlock()
	if !ok {
		_, _ = w.Write([]byte(`{"errCode":1502,"errMsg":"TokenInvalidError","errDlt":""}`))
		return
	}
	ws, err := (&websocket.Upgrader{}).Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer func() { _ = ws.Close() }()
	c := &fakeConn{ws: ws}
	s.mu.Lock()
	s.conns[userID] = c
	s.mu.Unlock()
	for {
		kind, frame, err := ws.ReadMessage()
		if err != nil || kind != websocket.BinaryMessage {
			return
		}
		plain, err := wire.Decompress(nil, frame, 1<<20)
		if err != nil {
			return
		}
		var q wire.Request
		if err := wire.Gob.DecodeRequest(plain, &q); err != nil || q.SendID != userID || q.OperationID == "" {
			return
		}
		switch q.ReqIdentifier {
		case wire.GetNewestSeq:
			c.write(&wire.Response{ReqIdentifier: q.ReqIdentifier, MsgIncr: q.MsgIncr, OperationID: q.OperationID})
		case wire.SendMsg:
			if !s.send(c, &q) {
				return
			}
		default:
			return
		}
	}
}

func (c *fakeConn) write(r *wire.Response) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = c.ws.WriteMessage(websocket.BinaryMessage, wire.Compress(nil, wire.Gob.AppendResponse(nil, r)))
}

// send reports whether the connection may live on.
func (s *fakeServer) send(c *fakeConn, q *wire.Request) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := new(sdkws.MsgData)
	if err := proto.Unmarshal(q.Data, m); err != nil {
		return false
	}
	id, ok := parseMessageID(m.ClientMsgID)
	if !ok || m.CreateTime == 0 || m.ClientMsgID != q.MsgIncr {
		return false
	}
	if s.faults.disconnect != nil && s.faults.disconnect(id) {
		return false
	}
	if s.faults.text != nil && s.faults.text(id) {
		c.mu.Lock()
		_ = c.ws.WriteMessage(websocket.TextMessage, []byte("{}"))
		c.mu.Unlock()
	}
	conversationID, receivers := "sg_"+m.GroupID, s.groups[m.GroupID]
	if m.SessionType == constant.SingleChatType {
		conversationID, receivers = "si_"+min(m.SendID, m.RecvID)+"_"+max(m.SendID, m.RecvID), []string{m.RecvID, m.SendID}
	}
	reply := &wire.Response{ReqIdentifier: q.ReqIdentifier, MsgIncr: q.MsgIncr, OperationID: q.OperationID}
	refuse, leak := false, false
	if s.faults.refuse != nil {
		refuse, leak = s.faults.refuse(id)
	}
	if refuse {
		reply.ErrCode, reply.ErrMsg = 1302, "BlockedByPeer"
	} else {
		reply.Data, _ = proto.Marshal(&msg.SendMsgResp{ServerMsgID: "s" + m.ClientMsgID, ClientMsgID: m.ClientMsgID, SendTime: m.CreateTime})
	}
	answer := func() {
		if s.faults.silent == nil || !s.faults.silent(id) {
			c.write(reply)
		}
	}
	echoFirst := s.faults.echoFirst != nil && s.faults.echoFirst(id)
	if !echoFirst {
		answer()
	}
	if !refuse || leak {
		s.seqs[conversationID]++
		m.Seq = int64(s.seqs[conversationID])
		if s.faults.seq != nil {
			m.Seq = int64(s.faults.seq(id, uint64(m.Seq)))
		}
		data, _ := proto.Marshal(&sdkws.PushMessages{
			Msgs:             map[string]*sdkws.PullMsgs{conversationID: {Msgs: []*sdkws.MsgData{m}}},
			NotificationMsgs: map[string]*sdkws.PullMsgs{"n_x": {Msgs: []*sdkws.MsgData{m}}}, // must not confuse anybody
		})
		for _, userID := range receivers {
			s.push(userID, id, &wire.Response{ReqIdentifier: wire.PushMsg, OperationID: q.OperationID, Data: data})
		}
	}
	if echoFirst {
		answer()
	}
	return true
}

func (s *fakeServer) push(userID string, id messageID, r *wire.Response) {
	c := s.conns[userID]
	if c == nil {
		return
	}
	times, hold := 1, false
	if s.faults.push != nil {
		times, hold = s.faults.push(s.index(userID), id)
	}
	if hold {
		c.held = append(c.held, r)
		return
	}
	for range times {
		c.write(r)
	}
	for _, late := range c.held {
		c.write(late)
	}
	c.held = nil
}

func (s *fakeServer) index(userID string) uint32 {
	i, err := strconv.ParseUint(userID[strings.LastIndexByte(userID, 'u')+1:], 10, 32)
	if err != nil {
		panic(err) // the run made the id
	}
	return uint32(i)
}

// options for a run against s.
func (s *fakeServer) options(o Options) Options {
	o.API, o.WS = s.url, "ws"+strings.TrimPrefix(s.url, "http")
	o.Secret, o.Admin = "secret", "imAdmin"
	o.Users = cmp.Or(o.Users, 2)
	return o
}
