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
