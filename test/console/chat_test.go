package console

import (
	"fmt"
	"strings"
	"testing"

	"github.com/parley-im/parley/test/harness"
)

// hostile is what somebody would write who wants the operator's page to run it.
const hostile = `"><script>window.pwned=1</script><img src=x onerror="window.pwned=1">`

// world is a chat between people who write what they should not.
type world struct {
	*harness.Server
	t              *testing.T
	ann, bob, news string
	chat, group    string
	token          map[string]string
}

func newWorld(t *testing.T, s *harness.Server) *world {
	t.Helper()
	w := &world{Server: s, t: t, ann: harness.UserID("ann"), bob: harness.UserID("bob"), news: harness.UserID("news"), token: map[string]string{}}
	var users []map[string]any
	for _, id := range []string{w.ann, w.bob} {
		users = append(users, map[string]any{"userID": id, "nickname": "nick of " + id + hostile, "faceURL": hostile, "ex": hostile})
	}
	w.admin("/user/user_register", map[string]any{"users": users}, nil)
	for _, id := range []string{w.ann, w.bob} {
		token, err := s.UserToken(id, 5)
		if err != nil {
			t.Fatal(err)
		}
		w.token[id] = token
	}
	w.chat = "si_" + w.ann + "_" + w.bob
	var made struct{ GroupInfo struct{ GroupID string } }
	w.admin("/group/create_group", map[string]any{
		"ownerUserID": w.ann, "memberUserIDs": []string{w.bob},
		"groupInfo": map[string]any{"groupName": "group of " + w.ann + hostile, "groupType": 2, "introduction": hostile, "ex": hostile},
	}, &made)
	w.group = made.GroupInfo.GroupID
	w.admin("/user/add_notification_account", map[string]any{"userID": w.news, "nickName": "The news", "appMangerLevel": 3}, nil)
	return w
}

func (w *world) admin(path string, body, data any) {
	w.t.Helper()
	if err := w.PostAdmin(path, body, data); err != nil {
		w.t.Fatalf("%s: %v", path, err)
	}
}

func (w *world) as(userID, path string, body any) {
	w.t.Helper()
	if err := w.Post(path, w.token[userID], body, nil); err != nil {
		w.t.Fatalf("%s: %v", path, err)
	}
}

// connection is the id of a user's connection, as the API has it.
func (w *world) connection(userID string) string {
	w.t.Helper()
	var status []struct{ DetailPlatformStatus []struct{ ConnID string } }
	w.admin("/user/get_users_online_status", map[string]any{"userIDs": []string{userID}}, &status)
	if len(status) != 1 || len(status[0].DetailPlatformStatus) != 1 {
		w.t.Fatalf("%s is connected as %+v", userID, status)
	}
	return status[0].DetailPlatformStatus[0].ConnID
}

// position is how far a user is in the chat, as the API has it and the page shows
// it: last seq, read up to, unread.
func (w *world) position(userID string) string {
	w.t.Helper()
	var all struct {
		Seqs map[string]struct{ MaxSeq, HasReadSeq int64 }
	}
	body := map[string]any{"userID": userID, "conversationIDs": []string{w.chat}}
	if err := w.Post("/msg/get_conversations_has_read_and_max_seq", w.token[userID], body, &all); err != nil {
		w.t.Fatal(err)
	}
	at := all.Seqs[w.chat]
	return fmt.Sprintf("%d\t%d\t%d", at.MaxSeq, at.HasReadSeq, at.MaxSeq-at.HasReadSeq)
}

// send sends a text and returns its serverMsgID.
func (w *world) send(from, to, text string) string {
	w.t.Helper()
	body := map[string]any{"sendID": from, "recvID": to, "content": map[string]string{"content": text}, "contentType": 101, "sessionType": 1, "ex": hostile}
	if to == w.group {
		body["groupID"], body["recvID"], body["sessionType"] = to, "", 3
	}
	var sent struct{ ServerMsgID string }
	w.admin("/msg/send_msg", body, &sent)
	return sent.ServerMsgID
}

// harmless fails if anything that a user wrote became part of the page.
func (p *tab) harmless() {
	p.t.Helper()
	if eval[bool](p, `window.pwned !== undefined || document.querySelectorAll("img[src='x']").length + document.querySelectorAll("main script").length > 0`) {
		p.t.Error("what a user wrote is part of the page")
	}
}

// words are texts of the pages in both languages.
var words = map[string]map[string]string{
	"en": {
		"revoked": "revoked by", "deleted": "deleted for", "read": "read by", "gone": "no longer stored", "owner": "owner", "member": "member",
		"reveal": "Show the content", "valid": "valid", "kicked": "kicked", "sent": "done", "notfound": "There is no user",
	},
	"zh": {
		"revoked": "撤回", "deleted": "已删除", "read": "已读", "gone": "已不存在", "owner": "群主", "member": "成员",
		"reveal": "显示内容", "valid": "有效", "kicked": "已踢下线", "sent": "完成", "notfound": "没有用户",
	},
}

// An operator finds people, groups and conversations, and sees what became of
// their messages; what they say only when he asks, which is on record.
func TestChat(t *testing.T) {
	for _, language := range languages {
		t.Run(language, func(t *testing.T) {
			say := words[language]
			w := newWorld(t, shared)
			secretText := "the secret of " + w.ann + " " + hostile
			first := w.send(w.ann, w.bob, secretText)
			for i := range 59 {
				w.send(w.bob, w.ann, fmt.Sprint("message ", i+2))
			}
			w.send(w.ann, w.group, "hello group "+hostile)
			w.as(w.bob, "/msg/revoke_msg", map[string]any{"conversationID": w.chat, "seq": 60, "userID": w.bob})
			w.as(w.ann, "/msg/delete_msgs", map[string]any{"conversationID": w.chat, "seqs": []int{59}, "userID": w.ann})
			w.as(w.ann, "/msg/mark_conversation_as_read", map[string]any{"conversationID": w.chat, "userID": w.ann, "hasReadSeq": 57})
			w.admin("/msg/delete_msg_phsical_by_seq", map[string]any{"conversationID": w.chat, "seqs": []int{58}}, nil)

			p := login(t, shared, language)
			p.visit("/chat")
			p.fill("input[name=q]", w.ann)
			p.press("form[role=search] button")
			p.says(w.ann, w.group, "nick of "+w.ann+hostile, "group of "+w.ann+hostile)
			p.harmless()
			p.shot("chat-find-" + language)
			p.fill("input[name=q]", w.chat)
			p.press("form[role=search] button")
			p.press(`a[href*="conversation?id=` + w.chat + `"]`)

			p.says(say["revoked"], w.bob)
			row := func(seq int) string {
				return eval[string](p, fmt.Sprintf(`document.querySelector("#seq-%d").innerText`, seq))
			}
			for seq, want := range map[int]string{60: say["revoked"], 59: say["deleted"], 58: say["gone"], 57: say["read"]} {
				if got := row(seq); !strings.Contains(got, want) {
					t.Errorf("message %d is shown as %q, want %q", seq, got, want)
				}
			}
			if strings.Contains(p.said(), "message 5") {
				t.Error("content is shown to who did not ask")
			}
			if html := eval[string](p, `document.documentElement.outerHTML`); strings.Contains(html, "message 5") {
				t.Error("content is in the page of who did not ask")
			}
			p.shot("chat-conversation-" + language)
			p.press(`a[href*="before=11"]`)
			p.until(`document.querySelector("#seq-1")`)
			p.press(".reveal button")
			p.says(secretText)
			p.harmless()
			if !strings.Contains(row(1), w.ann) || !strings.Contains(eval[string](p, `document.querySelector("#seq-1").textContent`), first) {
				t.Errorf("the first message is shown as %q, want its id %s", row(1), first)
			}
			p.shot("chat-revealed-" + language)
			p.visit("/access?action=chat/conversation/reveal")
			p.says(w.chat)
			p.visit("/chat/conversation?id=" + w.chat)
			p.says("message 50")
			p.press(".reveal button")
			p.says(say["reveal"])
			if strings.Contains(p.said(), "message 50") {
				t.Error("content that was hidden again is shown")
			}

			p.visit("/chat/group?id=" + w.group)
			p.says(w.ann, w.bob, say["owner"], say["member"], "group of "+w.ann+hostile)
			p.harmless()
			p.shot("chat-group-" + language)
			var members struct{ Members []struct{ UserID string } }
			w.admin("/group/get_group_member_list", map[string]any{"groupID": w.group, "pagination": map[string]int{"pageNumber": 1, "showNumber": 10}}, &members)
			if n := eval[int](p, `document.querySelectorAll("main table tbody tr").length`); n != len(members.Members) || n != 2 {
				t.Errorf("%d members are shown, the API has %d", n, len(members.Members))
			}

			socket := dialSocket(t, w, w.bob)
			p.visit("/chat/user?id=" + w.bob)
			p.says("nick of "+w.bob+hostile, say["valid"], w.chat, "sg_"+w.group)
			p.harmless()
			p.shot("chat-user-" + language)
			p.dark()
			p.shot("chat-user-dark-" + language)
			p.says(w.connection(w.bob))
			p.until(`[...document.querySelectorAll("tr")].some(r => r.innerText.startsWith(` + quote(w.chat) + `) && r.innerText.includes(` + quote(w.position(w.bob)) + `))`)
			p.press("details.act summary")
			p.press("details.act form button")
			p.says(say["kicked"])
			if socket.ended() == nil {
				t.Error("the connection of who was logged out goes on")
			}
			if err := w.Post("/user/get_users_info", w.token[w.bob], map[string]any{"userIDs": []string{w.bob}}, nil); err == nil {
				t.Error("the token of who was logged out is still good")
			}
			p.visit("/chat/user?id=nobody_" + w.bob)
			p.says(say["notfound"])
			p.expect("422")
		})
	}
}

// A notice of an account reaches its receivers, and who cannot be reached is
// named.
func TestSendAsAccount(t *testing.T) {
	for _, language := range languages {
		t.Run(language, func(t *testing.T) {
			w := newWorld(t, shared)
			p := login(t, shared, language)
			p.visit("/chat/send?to=" + w.ann)
			p.fill("select[name=account]", w.news)
			p.fill("textarea[name=to]", w.ann+", nobody_"+w.ann)
			p.fill("textarea[name=text]", "Tonight at eight "+hostile)
			p.press("button.main")
			p.says(words[language]["sent"], "sn_", "nobody_"+w.ann)
			p.harmless()
			p.shot("chat-send-" + language)
			p.visit("/access?action=chat/send/send")
			p.says(w.news)
			if strings.Contains(p.said(), "Tonight") {
				t.Error("the text of the notice is in the audit trail")
			}
			var found struct {
				Msgs map[string]struct {
					Msgs []struct{ SendID, Content string }
				}
			}
			conversation := "sn_" + min(w.ann, w.news) + "_" + max(w.ann, w.news)
			body := map[string]any{"userID": w.ann, "seqRanges": []map[string]any{{"conversationID": conversation, "begin": 1, "end": 5, "num": 5}}}
			if err := w.Post("/msg/pull_msg_by_seq", w.token[w.ann], body, &found); err != nil {
				t.Fatal(err)
			}
			if got := found.Msgs[conversation].Msgs; len(got) == 0 || got[0].SendID != w.news {
				t.Errorf("%s has %+v", w.ann, found)
			}
		})
	}
}
