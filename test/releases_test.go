package test

import (
	"bytes"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/parley-im/parley/internal/store"
	"github.com/parley-im/parley/internal/store/storetest"
)

var makeRelease = flag.Bool("make-release", false, "keep a backup of the schema as it is now in testdata/releases")

const releases = "testdata/releases"

// A release is a server with a fixed history, whose events nobody takes.
var (
	releaseDeaf  = map[string]string{"webhooks.yml": "url: http://127.0.0.1:1\nafterSendSingleMsg: {enable: true}\nafterCreateGroup: {enable: true}\n"}
	releasePhoto = bytes.Repeat([]byte("photo "), 1000)
)

const (
	releaseMessages = 12
	releaseLog      = 1 + releaseMessages/2 // of both conversations: a notification comes first
)

// onDatabase puts the server on a database of PostgreSQL.
func onDatabase(files map[string]string, url string) map[string]string {
	all := map[string]string{"parley.yml": fmt.Sprintf("storage:\n  postgres:\n    url: %q\n", url)}
	for name, text := range files {
		all[name] = text
	}
	return all
}

func releaseText(n int) string { return text("message " + strconv.Itoa(n)) }

// writeHistory is what every release went through. Calls may be added at its end:
// releases made before do not have them, so checks of them ask for the schema.
func writeHistory(t *testing.T, n *node) {
	t.Helper()
	n.register(t, "alice", "bob", "carol")
	n.call(t, "/friend/import_friend", map[string]any{"ownerUserID": "alice", "friendUserIDs": []string{"bob"}}, nil)
	n.call(t, "/friend/add_friend", map[string]any{"fromUserID": "carol", "toUserID": "alice", "reqMsg": "hello"}, nil)
	n.call(t, "/friend/add_black", map[string]any{"ownerUserID": "bob", "blackUserID": "carol"}, nil)
	n.call(t, "/group/create_group", map[string]any{
		"ownerUserID": "alice", "memberUserIDs": []string{"bob", "carol"},
		"groupInfo": map[string]any{"groupID": "crew", "groupName": "Crew", "groupType": 2},
	}, nil)
	for i := range releaseMessages {
		to := post{from: "alice", to: "bob"}
		if i%2 == 1 {
			to = post{from: "carol", group: "crew"}
		}
		to.content, to.operationID = releaseText(i), fmt.Sprintf("release-%d", i)
		if s := n.send(t, to); s.ErrCode != 0 {
			t.Fatalf("send %d: %+v", i, s)
		}
	}
	single := post{from: "alice", to: "bob"}.conversation()
	n.call(t, "/msg/mark_conversation_as_read", map[string]any{"conversationID": single, "userID": "bob", "hasReadSeq": 3}, nil)
	n.call(t, "/conversation/set_conversations", map[string]any{
		"userIDs": []string{"bob"}, "conversation": map[string]any{"conversationID": single, "conversationType": singleChat, "userID": "alice", "isPinned": true},
	}, nil)
	n.call(t, "/user/set_user_client_config", map[string]any{"userID": "alice", "configs": map[string]string{"theme": "dark"}}, nil)
	n.upload(t, "imAdmin/photo", releasePhoto)
}

// checkHistory compares a server with writeHistory.
func checkHistory(t *testing.T, n *node) {
	t.Helper()
	var friends struct {
		FriendsInfo []struct{ FriendUser struct{ UserID string } }
	}
	n.call(t, "/friend/get_friend_list", map[string]any{"userID": "alice", "pagination": page(1, 10)}, &friends)
	if len(friends.FriendsInfo) != 1 || friends.FriendsInfo[0].FriendUser.UserID != "bob" {
		t.Errorf("friends %+v", friends)
	}
	var requests struct {
		FriendRequests []struct{ FromUserID, ReqMsg string }
	}
	n.call(t, "/friend/get_friend_apply_list", map[string]any{"userID": "alice", "pagination": page(1, 10)}, &requests)
	if len(requests.FriendRequests) != 1 || requests.FriendRequests[0].FromUserID != "carol" || requests.FriendRequests[0].ReqMsg != "hello" {
		t.Errorf("requests %+v", requests)
	}
	var blocks struct {
		Blacks []struct{ BlackUserInfo struct{ UserID string } }
	}
	n.call(t, "/friend/get_black_list", map[string]any{"userID": "bob", "pagination": page(1, 10)}, &blocks)
	if len(blocks.Blacks) != 1 || blocks.Blacks[0].BlackUserInfo.UserID != "carol" {
		t.Errorf("blocks %+v", blocks)
	}
	if members := n.memberIDs(t, "crew"); len(members) != 3 {
		t.Errorf("members %v", members)
	}
	bob := n.device(t, "bob", platformMiniWeb)
	for _, c := range []struct {
		to    post
		first int
	}{{post{from: "alice", to: "bob"}, 0}, {post{from: "carol", group: "crew"}, 1}} {
		log := bob.history(c.to.conversation())
		if len(log) != releaseLog {
			t.Errorf("%d messages in %s", len(log), c.to.conversation())
			continue
		}
		for i, m := range log[1:] {
			if want := releaseText(c.first + 2*i); m.Seq != int64(i+2) || string(m.Content) != want || m.SendID != c.to.from {
				t.Errorf("seq %d of %s is %v, want %s", i+2, c.to.conversation(), m, want)
			}
		}
	}
	single := post{from: "alice", to: "bob"}.conversation()
	var read struct {
		Seqs map[string]struct{ MaxSeq, HasReadSeq int64 }
	}
	n.call(t, "/msg/get_conversations_has_read_and_max_seq", map[string]any{"userID": "bob", "conversationIDs": []string{single}}, &read)
	if s := read.Seqs[single]; s.MaxSeq != releaseLog || s.HasReadSeq != 3 {
		t.Errorf("read %+v", read)
	}
	var conversation struct{ Conversation struct{ IsPinned bool } }
	n.call(t, "/conversation/get_conversation", map[string]any{"ownerUserID": "bob", "conversationID": single}, &conversation)
	if !conversation.Conversation.IsPinned {
		t.Error("the conversation is not at the top")
	}
	var settings struct{ Configs map[string]string }
	n.call(t, "/user/get_user_client_config", map[string]any{"userID": "alice"}, &settings)
	if settings.Configs["theme"] != "dark" {
		t.Errorf("settings %v", settings)
	}
	if status, got := n.get("/object/imAdmin/photo"); status != http.StatusOK || got != string(releasePhoto) {
		t.Errorf("the photo: %d, %d bytes", status, len(got))
	}
}

func page(number, size int) map[string]int {
	return map[string]int{"pageNumber": number, "showNumber": size}
}

// TestReleases restores a backup of every schema that was released, on both
// databases, and runs a server on it: what was there is there, what waited to be
// told is told, and everything goes on.
func TestReleases(t *testing.T) {
	t.Parallel()
	if *makeRelease {
		for _, engine := range []string{store.EngineSQLite, store.EnginePostgres} {
			s := setup{files: releaseDeaf}
			if engine == store.EnginePostgres {
				s.files = onDatabase(s.files, storetest.PostgresURL(t))
			}
			n := startNode(t, s)
			writeHistory(t, n)
			checkHistory(t, n)
			dir := filepath.Join(releases, fmt.Sprintf("schema-%04d", store.LatestSchema()))
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			archive, err := filepath.Abs(filepath.Join(dir, engine+".tar.zst"))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.RemoveAll(archive); err != nil {
				t.Fatal(err)
			}
			n.run("backup", archive)
		}
	}
	archives, err := filepath.Glob(filepath.Join(releases, "schema-*", "*.tar.zst"))
	if err != nil || len(archives) == 0 || len(archives)%2 != 0 {
		t.Fatalf("releases %v, %v", archives, err)
	}
	for _, archive := range archives {
		t.Run(strings.TrimPrefix(archive, releases+"/"), func(t *testing.T) {
			t.Parallel()
			archive, err := filepath.Abs(archive)
			if err != nil {
				t.Fatal(err)
			}
			b := startBusiness(t)
			files := map[string]string{"webhooks.yml": strings.Replace(releaseDeaf["webhooks.yml"], "http://127.0.0.1:1", b.URL+"/webhook", 1)}
			if strings.HasPrefix(filepath.Base(archive), store.EnginePostgres) {
				files = onDatabase(files, storetest.PostgresURL(t))
			}
			n := newNode(t, setup{files: files, data: filepath.Join(t.TempDir(), "data")})
			n.run("restore", archive, "-c", n.dir)
			n.start()
			checkHistory(t, n)
			told := b.awaitEvents(t, releaseMessages/2, cmdAfterSingle)
			for i, e := range told {
				if e.Event.Seq != int64(i+2) {
					t.Errorf("event %d is of seq %d", i+1, e.Event.Seq)
				}
			}
			next := n.send(t, post{from: "bob", to: "alice", content: text("after"), operationID: "after"})
			log := n.device(t, "alice", platformMiniWeb).history(post{from: "alice", to: "bob"}.conversation())
			if next.ErrCode != 0 || len(log) != releaseLog+1 || log[releaseLog].ServerMsgID != next.serverMsgID {
				t.Errorf("a message more: %+v, %v", next, log)
			}
			b.awaitEvents(t, releaseMessages/2+1, cmdAfterSingle)
		})
	}
}
