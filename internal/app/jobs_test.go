package app

import (
	"fmt"
	"testing"
	"time"

	"github.com/parley-im/parley/internal/config"
	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
)

// What the configuration says of old messages is done by the jobs of the night.
func TestNightlyJobs(t *testing.T) {
	day := 24 * time.Hour
	for name, tc := range map[string]struct {
		keep time.Duration
		want []string // what is left
	}{
		"thirty days":  {30 * day, []string{"new"}},
		"for ever":     {0, []string{"old", "new"}},
		"for ever, -1": {-day, []string{"old", "new"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := startNode(t).newCell(false)
			send := func(at time.Time, text string) {
				c.do("/msg/send_msg", fmt.Sprintf(
					`{"sendID":"@alice","recvID":"@bob","sessionType":1,"contentType":101,"content":{"content":%q},"sendTime":%d}`, text, at.UnixMilli()))
			}
			now := time.Now()
			send(now.Add(-31*day), "old")
			send(now.Add(-29*day), "new")
			for _, job := range nightly(c.server.store, nightOf(c.server), config.Cron{RetainChatRecords: tc.keep}) {
				step := job.Begin(now)
				for done := false; !done; {
					var err error
					if done, err = step(t.Context()); err != nil {
						t.Fatalf("%s: %v", job.Name, err)
					}
				}
			}
			var left []string
			for i, m := range c.connect(c.names["bob"]).pull(c.names["bob"], c.names["chat"]) {
				if i < len(tc.want) {
					left = append(left, string(m.Content))
				}
			}
			for i, want := range tc.want {
				if i >= len(left) || left[i] != fmt.Sprintf(`{"content":%q}`, want) {
					t.Errorf("left %v, want %v", left, tc.want)
				}
			}
		})
	}
}

func nightOf(s *server) nightWork {
	return nightWork{s.services.Messages, s.services.Objects, s.services.Devices, s.auth}
}

// What has ended by age is gone in the morning, and nothing else.
func TestNightlySweep(t *testing.T) {
	s := startNode(t).newCell(false).server
	now := time.Now()
	day := 24 * time.Hour
	at := func(age time.Duration) im.Millis { return im.MillisOf(now.Add(-age)) }
	err := s.store.Write(t.Context(), func(tx *store.Tx) error {
		for name, age := range map[string]time.Duration{"old": 20 * day, "new": 5 * day} {
			if err := tx.InsertClientLogs([]store.ClientLog{{ID: name, UserID: "swept", CreatedAt: at(age)}}); err != nil {
				return err
			}
			if err := tx.PutToken(store.Token{Hash: "swept-" + name, UserID: "swept", Platform: 1, ExpiresAt: at(age + 15*day)}); err != nil {
				return err
			}
			if err := tx.PutPushToken(store.PushToken{UserID: "swept-" + name, Platform: 1, Token: "t", ExpiresAt: at(age - 10*day)}); err != nil {
				return err
			}
			if _, err := tx.PutContent("b-"+name, "", 1, 1); err != nil {
				return err
			}
			if _, err := tx.PutObject(store.Object{Name: "swept/" + name, Key: "b-" + name, Cause: "msg-file", CreatedAt: at(age)}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, job := range nightly(s.store, nightOf(s), config.Cron{FileExpire: 10 * day, DeleteObjectTypes: []string{"msg-file"}}) {
		step := job.Begin(now)
		for done := false; !done; {
			if done, err = step(t.Context()); err != nil {
				t.Fatalf("%s: %v", job.Name, err)
			}
		}
	}
	err = s.store.Read(t.Context(), func(tx *store.Tx) error {
		logs, _, err := tx.ClientLogs("swept", 0, at(0), 0, 10)
		if err != nil || len(logs) != 1 || logs[0].ID != "new" {
			t.Errorf("logs %v, %v", logs, err)
		}
		tokens, err := tx.UserTokens("swept")
		if err != nil || len(tokens) != 1 || tokens[0].Hash != "swept-new" {
			t.Errorf("tokens %v, %v", tokens, err)
		}
		push, err := tx.PushTokens([]string{"swept-old", "swept-new"}, 1)
		if err != nil || len(push) != 1 || push[0].UserID != "swept-new" {
			t.Errorf("push tokens %v, %v", push, err)
		}
		for name, want := range map[string]bool{"old": false, "new": true} {
			if _, found, err := tx.Object("swept/" + name); err != nil || found != want {
				t.Errorf("object %s: %v, %v", name, found, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestNightWorkIsInSteps: each job of the night does a lot of work in steps that are
// bounded by rows, and whoever sends between two of them is answered, and keeps what
// he sent. Another node, which does the same job at the same time, is turned away by
// the lease (package jobs).
func TestNightWorkIsInSteps(t *testing.T) {
	n := startNode(t)
	c := n.newCell(false)
	s := c.server
	now := time.Now()
	const day, many, logs = 24 * time.Hour, 1200, 450
	old := im.MillisOf(now.Add(-60 * day))
	alice, bob := c.names["alice"], c.names["bob"]
	chat := im.SingleConversation(alice, bob)
	write := func(f func(tx *store.Tx) error) {
		t.Helper()
		if err := s.store.Write(t.Context(), f); err != nil {
			t.Fatal(err)
		}
	}
	for i := range many {
		m := &im.Message{
			ClientMsgID: fmt.Sprint("old", i), ServerMsgID: fmt.Sprint("old", i), SendID: alice, RecvID: bob, SessionType: im.SingleChat, ConversationID: chat,
			ContentType: im.ContentText, Content: []byte(`{"content":"old"}`), SendTime: old + im.Millis(i),
		}
		if err := s.store.Append(t.Context(), &store.Append{Message: m}); err != nil {
			t.Fatal(err)
		}
	}
	write(func(tx *store.Tx) error {
		for i := range many {
			id := fmt.Sprint("old", i)
			if err := tx.InsertClientLogs([]store.ClientLog{{ID: id, UserID: alice, CreatedAt: old}}); err != nil {
				return err
			}
			if err := tx.PutToken(store.Token{Hash: id, UserID: id, Platform: 1, ExpiresAt: old}); err != nil {
				return err
			}
			if err := tx.PutPushToken(store.PushToken{UserID: id, Platform: 1, Token: "t", ExpiresAt: old}); err != nil {
				return err
			}
		}
		for i := range logs {
			id := fmt.Sprint("b-old", i)
			if _, err := tx.PutContent(id, "", 1, old); err != nil {
				return err
			}
			if _, err := tx.PutObject(store.Object{Name: alice + "/" + id, UserID: alice, Key: id, Size: 1, Cause: "msg-file", CreatedAt: old}); err != nil {
				return err
			}
			if err := tx.InsertUpload(store.Upload{ID: fmt.Sprint("u-old", i), UserID: alice, Key: fmt.Sprint("b-up", i), Size: 1, PartSize: 1, ExpiresAt: old}); err != nil {
				return err
			}
		}
		on, after := true, int64(day.Seconds())
		for i := range logs {
			owner, peer := fmt.Sprint("owner", i), fmt.Sprint("peer", i)
			id := im.SingleConversation(owner, peer)
			if _, err := tx.InsertConversation(im.Conversation{OwnerID: owner, ConversationID: id, Type: im.SingleChat, UserID: peer}); err != nil {
				return err
			}
			if _, err := tx.UpdateConversation(owner, id, store.ConversationChange{Destruct: &on, DestructTime: &after}); err != nil {
				return err
			}
		}
		return nil
	})

	sent := 0
	steps := map[string]int{}
	cron := config.Cron{RetainChatRecords: 30 * day, FileExpire: 30 * day, DeleteObjectTypes: []string{"msg-file"}}
	for _, job := range nightly(s.store, nightOf(s), cron) {
		step := job.Begin(now)
		for done := false; !done; steps[job.Name]++ {
			c.do("/msg/send_msg", `{"sendID":"@alice","recvID":"@bob","sessionType":1,"contentType":101,"content":{"content":"new"}}`)
			sent++
			var err error
			if done, err = step(t.Context()); err != nil {
				t.Fatalf("%s: %v", job.Name, err)
			}
		}
	}
	// Rows of each kind, by the most that a step may touch of them.
	for job, least := range map[string]int{
		"expire-messages": many / 500, "expire-tokens": many / 500, "sweep-devices": many / 500, "destruct-messages": logs / 100,
		"sweep-files": 4 * (logs / 200), // uploads, objects, and the contents of both
	} {
		if steps[job] < least {
			t.Errorf("%s: %d steps, want at least %d", job, steps[job], least)
		}
	}
	t.Logf("steps %v, %d messages sent between them", steps, sent)
	left := 0
	for _, m := range c.connect(bob).pull(bob, string(chat)) {
		if string(m.Content) == `{"content":"old"}` {
			t.Error("an old message is left")
			break
		}
		left++
	}
	if left == 0 {
		t.Error("what was sent meanwhile is gone")
	}
	write(func(tx *store.Tx) error {
		for what, count := range map[string]func() (int, error){
			"messages sent between the steps that are missing": func() (int, error) {
				first, err := tx.MessagesBySeq(chat, []im.Seq{many + 1, im.Seq(many + sent)})
				return 2 - len(first), err
			},
			"client logs": func() (int, error) {
				found, _, err := tx.ClientLogs(alice, 0, im.MillisOf(now), 0, 10)
				return len(found), err
			},
			"push tokens": func() (int, error) {
				found, err := tx.PushTokens([]string{"old0", "old1199"}, 1)
				return len(found), err
			},
			"tokens": func() (int, error) {
				found, err := tx.UserTokens("old1199")
				return len(found), err
			},
			"uploads":  func() (int, error) { found, err := tx.ExpiredUploads(im.MillisOf(now), 10); return len(found), err },
			"contents": func() (int, error) { found, err := tx.ObjectTrash(10); return len(found), err },
		} {
			if n, err := count(); n != 0 || err != nil {
				t.Errorf("%s: %d, %v", what, n, err)
			}
		}
		return nil
	})
}
