package webhook

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/parley-im/parley/hooks/schema"
	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/webhook/registry"
)

const goldenTime = 1_700_000_000_123

// allOn is an engine with every callback on.
func allOn(t testing.TB) *Engine {
	t.Helper()
	cfg := Config{URL: "http://127.0.0.1:9/webhook", Callbacks: map[string]Callback{}}
	for _, c := range registry.All() {
		cfg.Callbacks[c.Key] = Callback{Enable: true}
	}
	e, err := New(cfg, Options{Now: func() time.Time { return time.UnixMilli(goldenTime) }})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// The bodies are those OpenIM sent: same keys, same types, same nulls.
func TestGoldenBodies(t *testing.T) {
	files, err := filepath.Glob("testdata/golden/*.json")
	if err != nil || len(files) != 51 {
		t.Fatalf("golden files: %v, %v", files, err)
	}
	e := allOn(t)
	p := e.plan.Load()
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var golden struct {
			Command  string
			Examples []struct {
				Body  map[string]any
				Query struct {
					Key struct {
						JSON map[string]string `json:"$b64json"`
					}
				}
				When string
			}
		}
		if err := json.Unmarshal(text, &golden); err != nil {
			t.Fatal(err)
		}
		c, ok := registry.ByCommand(golden.Command)
		if !ok {
			t.Fatalf("%s is no command", golden.Command)
		}
		for _, x := range golden.Examples {
			t.Run(golden.Command+"/"+x.When, func(t *testing.T) {
				want := concrete(t, x.Body)
				var got []byte
				var query string
				switch golden.Command {
				case "callbackBeforeSendSingleMsgCommand":
					got = renderMessage(messageOf(want), p.on[registry.BeforeSendSingleMsg], "op")
				case "callbackBeforeSendGroupMsgCommand":
					got = renderMessage(messageOf(want), p.on[registry.BeforeSendGroupMsg], "op")
				case "callbackBeforeMsgModifyCommand":
					got = renderAddressed(messageOf(want), p.on[registry.BeforeMsgModify], "op")
					want["recvID"], want["groupID"] = "", "" // our additions; the recorded body names no target
				default:
					if change := differs[c.ID]; change != nil {
						change(want)
					}
					maps.Copy(want, added[golden.Command])
					if c.Kind == registry.Before {
						q := questionOf(t, c.ID, want)
						if q == nil {
							t.Fatal("nobody asks it")
						}
						got = asks(t, q)
						break
					}
					event := reportOf(t, c.ID, want)
					if event == nil {
						event = eventOf(want)
					}
					for _, row := range e.Render(event) {
						if row.Command == golden.Command {
							got, query = row.Body, row.Query
						}
					}
				}
				if !strings.HasSuffix(string(got), "}\n") {
					t.Errorf("the body %q does not end in a newline", got)
				}
				var decoded map[string]any
				if err := json.Unmarshal(got, &decoded); err != nil {
					t.Fatalf("%v in %q", err, got)
				}
				if !reflect.DeepEqual(decoded, want) {
					t.Errorf("body\n%v\nwant\n%v", decoded, want)
				}
				validate(t, golden.Command, got)
				if x.Query.Key.JSON == nil {
					if query != "" {
						t.Errorf("query %q, want none", query)
					}
					return
				}
				values, err := url.ParseQuery(query)
				if err != nil {
					t.Fatal(err)
				}
				key, err := base64.StdEncoding.DecodeString(values.Get("key"))
				if err != nil {
					t.Fatal(err)
				}
				var target map[string]string
				if err := json.Unmarshal(key, &target); err != nil || !reflect.DeepEqual(target, x.Query.Key.JSON) {
					t.Errorf("key %s, want %v", key, x.Query.Key.JSON)
				}
			})
		}
	}
}

// validate compares a body with the schema of its command.
func validate(t *testing.T, command string, body []byte) {
	t.Helper()
	text, err := schema.Request(command)
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("schema.json", document); err != nil {
		t.Fatal(err)
	}
	compiled, err := compiler.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	decoded, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if err := compiled.Validate(decoded); err != nil {
		t.Error(err)
	}
}

// concrete puts values in the place of a recording's placeholders.
func concrete(t *testing.T, body map[string]any) map[string]any {
	t.Helper()
	out := map[string]any{}
	for k, v := range body {
		switch v := v.(type) {
		case string:
			switch {
			case v == "<ms>":
				out[k] = float64(goldenTime)
			case v == "<op>" || v == "<presence-op>":
				out[k] = "op"
			default:
				out[k] = v
			}
		case map[string]any:
			content, err := json.Marshal(v["$json"])
			if err != nil || v["$json"] == nil {
				t.Fatalf("%s: %v, %v", k, v, err)
			}
			out[k] = string(content)
		default:
			out[k] = v
		}
	}
	return out
}

func messageOf(b map[string]any) *im.Message {
	str := func(k string) string { s, _ := b[k].(string); return s }
	num := func(k string) int64 { f, _ := b[k].(float64); return int64(f) }
	m := &im.Message{
		SendID: str("sendID"), RecvID: str("recvID"), GroupID: str("groupID"),
		ServerMsgID: str("serverMsgID"), ClientMsgID: str("clientMsgID"),
		SenderPlatform: int32(num("senderPlatformID")), SenderNickname: str("senderNickname"), SenderFaceURL: str("faceURL"),
		SessionType: im.SessionType(num("sessionType")), MsgFrom: int32(num("msgFrom")), ContentType: im.ContentType(num("contentType")),
		Status: int32(num("status")), SendTime: im.Millis(num("sendTime")), CreateTime: im.Millis(num("createTime")),
		Content: []byte(str("content")), Seq: im.Seq(num("seq")), Ex: str("ex"), AtUserIDs: []string{},
	}
	at, _ := b["atUserList"].([]any)
	for _, id := range at {
		m.AtUserIDs = append(m.AtUserIDs, id.(string))
	}
	return m
}

func eventOf(b map[string]any) im.Event {
	session := im.Session{}
	session.UserID, _ = b["userID"].(string)
	session.ConnID, _ = b["connID"].(string)
	platform, _ := b["platformID"].(float64)
	session.Platform = im.Platform(platform)
	switch b["callbackCommand"] {
	case "callbackAfterUserOnlineCommand":
		return im.UserOnline{Session: session, OperationID: "op", At: goldenTime, IsBackground: b["isAppBackground"].(bool)}
	case "callbackAfterUserOfflineCommand":
		return im.UserOffline{Session: session, OperationID: "op", At: goldenTime}
	case "callbackAfterSingleMsgReadCommand":
		e := im.ReadReported{ReaderID: session.UserID, ConversationID: im.ConversationID(b["conversationID"].(string)), Type: im.SessionType(b["contentType"].(float64)), OperationID: "op"}
		seqs, _ := b["Seqs"].([]any)
		for _, q := range seqs {
			e.Seqs = append(e.Seqs, im.Seq(q.(float64)))
		}
		return e
	case "callbackAfterGroupMsgReadCommand":
		return im.ReadReported{
			ReaderID: b["sendID"].(string), ConversationID: "sg_g1", GroupID: "g1", Type: im.GroupChat, Whole: true,
			ReadSeq: im.Seq(b["unreadMsgNum"].(float64)), OperationID: "op",
		}
	case "callbackBeforeAfterMsgCommand":
		return im.RevokeReported{RevokerID: session.UserID, OperationID: "op", Message: &im.Message{
			ConversationID: im.ConversationID(b["conversationID"].(string)), Seq: im.Seq(b["seq"].(float64)),
			ClientMsgID: "c1", SendID: "alice", SessionType: im.SingleChat,
		}}
	default:
		return im.MessageSent{Message: messageOf(b), OperationID: "op"}
	}
}

// added are the keys that OpenIM does not send.
var added = map[string]map[string]any{
	"callbackAfterJoinGroupCommand":       {"userID": "dave"},
	"callbackAfterKickGroupCommand":       {"opUserID": "alice"},
	"callbackBeforeAddFriendAgreeCommand": {"toUserID": "bob"},
	"callbackAfterAddFriendAgreeCommand":  {"toUserID": "bob"},
	"callbackAfterSingleMsgReadCommand":   {"hasReadSeq": float64(0)},
	"callbackAfterGroupMsgReadCommand":    {"groupID": "g1", "conversationID": "sg_g1", "hasReadSeq": float64(4)},
	"callbackBeforeAfterMsgCommand":       {"clientMsgID": "c1", "sendID": "alice", "sessionType": float64(1), "groupID": ""},
}

func TestRenderEscapesAsUpstream(t *testing.T) {
	p := allOn(t).plan.Load()
	m := &im.Message{SessionType: im.SingleChat, Content: []byte(`{"content":"<b>&é中"}`), SenderNickname: "\u2028"}
	body := string(renderMessage(m, p.on[registry.BeforeSendSingleMsg], ""))
	for _, want := range []string{`\u003cb\u003e\u0026é中`, `"senderNickname":"\u2028"`, `"atUserList":null`, `"operationID":""`} {
		if !strings.Contains(body, want) {
			t.Errorf("body %s lacks %s", body, want)
		}
	}
}

func TestRecorder(t *testing.T) {
	e := allOn(t)
	single := &im.Message{
		SessionType: im.SingleChat, SendID: "a", RecvID: "b", ClientMsgID: "c1", ServerMsgID: "s1", ContentType: im.ContentText,
		ConversationID: "si_a_b", Seq: 7, Status: im.StatusSending, Content: []byte("{}"),
	}
	with := func(change func(*im.Message)) *im.Message { m := *single; change(&m); return &m }
	for _, c := range []struct {
		name string
		ev   im.Event
		want []string // callback @ lane
	}{
		{"single", im.MessageSent{Message: single, OperationID: "op"}, []string{"afterSendSingleMsg @ default/si_a_b", "afterMsgSaveDB @ default/si_a_b"}},
		{"single by pointer", &im.MessageSent{Message: single}, []string{"afterSendSingleMsg @ default/si_a_b", "afterMsgSaveDB @ default/si_a_b"}},
		{"unstored", im.MessageSent{Message: with(func(m *im.Message) { m.Seq, m.ConversationID = 0, "" })}, []string{"afterSendSingleMsg @ default/si_a_b"}},
		{"group", im.MessageSent{Message: with(func(m *im.Message) {
			m.SessionType, m.RecvID, m.GroupID, m.ConversationID = im.GroupChat, "", "g", "sg_g"
		})}, []string{"afterSendGroupMsg @ default/sg_g", "afterMsgSaveDB @ default/sg_g"}},
		{"account", im.MessageSent{Message: with(func(m *im.Message) { m.SessionType, m.ConversationID = im.AccountChat, "sn_a_b" })}, []string{"afterMsgSaveDB @ default/sn_a_b"}},
		{"typing", im.MessageSent{Message: with(func(m *im.Message) { m.ContentType = im.ContentTyping })}, nil},
		{"server type", im.MessageSent{Message: with(func(m *im.Message) { m.ContentType = im.ContentReadReceipt })}, nil},
		{"read, message by message", im.ReadReported{ConversationID: "si_a_b", Type: im.SingleChat, Seqs: []im.Seq{1}}, []string{"afterSingleMsgRead @ default/si_a_b"}},
		{"a chat read", im.ReadReported{ConversationID: "si_a_b", Type: im.SingleChat, Whole: true}, []string{"afterSingleMsgRead @ default/si_a_b"}},
		{"messages of a group read", im.ReadReported{ConversationID: "sg_g", Type: im.GroupChat}, []string{"afterSingleMsgRead @ default/sg_g"}},
		{"a group read", im.ReadReported{ConversationID: "sg_g", Type: im.GroupChat, Whole: true}, []string{"afterGroupMsgRead @ default/sg_g"}},
		{"an account read", im.ReadReported{ConversationID: "sn_a_b", Type: im.AccountChat, Whole: true}, nil},
		{"revoked", im.RevokeReported{Message: single}, []string{"afterRevokeMsg @ default/si_a_b"}},
		{"revoked in a group", im.RevokeReported{Message: with(func(m *im.Message) {
			m.SessionType, m.GroupID, m.ConversationID = im.GroupChat, "g", "sg_g"
		})}, []string{"afterRevokeMsg @ default/sg_g", "afterGroupMsgRevoke @ default/sg_g"}},
		{"online", im.UserOnline{Session: im.Session{UserID: "a"}}, []string{"afterUserOnline @ default/a"}},
		{"offline", im.UserOffline{Session: im.Session{UserID: "a"}}, []string{"afterUserOffline @ default/a"}},
		{"kicked", im.UserKicked{Session: im.Session{UserID: "a"}}, []string{"afterUserKickOff @ default/a"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if !e.Enabled(c.ev.Kind()) {
				t.Error("nobody wants the event")
			}
			var got []string
			ids := map[string]bool{}
			for _, row := range e.Render(c.ev) {
				got = append(got, row.Callback+" @ "+row.Lane)
				ids[row.EventID] = true
				if row.CreatedAt != goldenTime || row.Subject != row.Lane[len("default/"):] {
					t.Errorf("row %+v", row)
				}
			}
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("rows %v, want %v", got, c.want)
			}
			if len(ids) != len(got) {
				t.Errorf("%d event ids for %d rows", len(ids), len(got))
			}
		})
	}
	rows := e.Render(im.MessageSent{Message: single, OperationID: "op"})
	for i, status := range []string{`"status":1`, `"status":2`} { // a saved message counts as sent
		if body := string(rows[i].Body); !strings.Contains(body, status) || !strings.Contains(body, `"seq":7`) {
			t.Errorf("%s: %s lacks %s or its seq", rows[i].Callback, body, status)
		}
	}
	if kicked := string(e.Render(im.UserKicked{Session: im.Session{UserID: "a", ConnID: "x", Platform: im.PlatformWeb}, OperationID: "p_1_2", At: 5})[0].Body); kicked !=
		`{"callbackCommand":"callbackAfterUserKickOffCommand","operationID":"p_1_2","platformID":5,"platform":"Web","userID":"a","seq":5,"connID":"x"}`+"\n" {
		t.Errorf("afterUserKickOff: %s", kicked)
	}
}

// Events of one endpoint share lanes; a callback with a URL of its own does not
// wait for the others.
func TestLanesPerEndpoint(t *testing.T) {
	e, err := New(Config{URL: "http://a/x", Callbacks: map[string]Callback{
		"afterSendSingleMsg": {Enable: true},
		"afterMsgSaveDB":     {Enable: true, URL: "http://b/y"},
		"afterUserOnline":    {Enable: true, URL: "http://b/y"},
	}}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	m := &im.Message{SessionType: im.SingleChat, SendID: "a", RecvID: "b", ConversationID: "si_a_b", Seq: 1, ContentType: im.ContentText}
	rows := append(e.Render(im.MessageSent{Message: m}), e.Render(im.UserOnline{Session: im.Session{UserID: "a"}})...)
	for i, want := range []string{"default/si_a_b", "afterMsgSaveDB/si_a_b", "afterMsgSaveDB/a"} {
		if rows[i].Lane != want {
			t.Errorf("lane %s, want %s", rows[i].Lane, want)
		}
	}
}
