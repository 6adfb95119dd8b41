package api_test

import (
	"net/http"
	"testing"

	"github.com/openimsdk/protocol/third"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
	"github.com/parley-im/parley/internal/store/storetest"
)

func TestDevices(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		n := start(t, open, "alice", "bob")
		token := func(as, account, token string, seconds int) answer {
			return n.post(as, "/third/fcm_update_token", map[string]any{"platformID": 2, "fcmToken": token, "account": account, "expireTime": seconds})
		}
		n.must(token("alice", "alice", "first", 0))
		n.must(token("alice", "alice", "second", 0))
		n.must(token("bob", "bob", "short", 1))
		if a := token("bob", "alice", "stolen", 0); a.ErrCode != 1002 {
			t.Errorf("bob sets alice's token: %d", a.ErrCode)
		}
		if a := token("alice", "alice", "", 0); a.ErrCode != 1001 {
			t.Errorf("empty token: %d", a.ErrCode)
		}
		if a := token("alice", "alice", "x", -1); a.ErrCode != 1001 {
			t.Errorf("negative time: %d", a.ErrCode)
		}
		err := n.store.Read(t.Context(), func(tx *store.Tx) error {
			found, err := tx.PushTokens([]string{"alice", "bob"}, n.store.Now()+2000)
			if len(found) != 1 || found[0] != (store.PushToken{UserID: "alice", Platform: im.PlatformAndroid, Token: "second"}) {
				t.Errorf("tokens %v", found)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}

		n.must(n.post("alice", "/third/set_app_badge", map[string]any{"userID": "alice", "appUnreadCount": 7}))
		if a := n.post("bob", "/third/set_app_badge", map[string]any{"userID": "alice", "appUnreadCount": 0}); a.ErrCode != 1002 {
			t.Errorf("bob sets alice's badge: %d", a.ErrCode)
		}
		if a := n.post("alice", "/third/set_app_badge", map[string]any{"userID": "alice", "appUnreadCount": -1}); a.ErrCode != 1001 {
			t.Errorf("negative badge: %d", a.ErrCode)
		}

		n.must(n.post("alice", "/third/logs/upload", map[string]any{
			"platform": 1, "fileURLs": []any{map[string]any{"filename": "a.log", "URL": "http://x/a"}, map[string]any{"filename": "b.log", "URL": "http://x/b"}},
			"appFramework": "flutter", "version": "1.0", "ex": "e",
		}))
		search := func(body map[string]any) *third.SearchLogsResp {
			t.Helper()
			return into[*third.SearchLogsResp](t, n.must(n.post(adminID, "/third/logs/search", body)))
		}
		page := map[string]any{"pageNumber": 1, "showNumber": 10}
		got := search(map[string]any{"keyword": "LIC", "pagination": page})
		if got.Total != 2 || len(got.LogsInfos) != 2 {
			t.Fatalf("found %v", got)
		}
		l := got.LogsInfos[0]
		if l.UserID != "alice" || l.Nickname != "nick alice" || l.Platform != "IOS" || l.Version != "1.0" || len(l.LogID) != 10 || l.SystemType != "" {
			t.Errorf("log %v", l)
		}
		if got := search(map[string]any{"keyword": "nobody", "pagination": page}); got.Total != 0 {
			t.Errorf("found %v", got)
		}
		if a := n.post(adminID, "/third/logs/search", map[string]any{"startTime": 2, "endTime": 1, "pagination": page}); a.ErrCode != 1001 {
			t.Errorf("end before start: %d", a.ErrCode)
		}
		for _, path := range []string{"/third/logs/search", "/third/logs/delete"} {
			if a := n.post("alice", path, map[string]any{}); a.ErrCode != 1002 {
				t.Errorf("alice calls %s: %d", path, a.ErrCode)
			}
		}
		if a := n.post(adminID, "/third/logs/delete", map[string]any{"logIDs": []string{l.LogID, "unknown"}}); a.ErrCode != 1004 {
			t.Errorf("unknown log: %d", a.ErrCode)
		}
		if got := search(map[string]any{"pagination": page}); got.Total != 2 {
			t.Errorf("a refused deletion deleted: %v", got)
		}
		n.must(n.post(adminID, "/third/logs/delete", map[string]any{"logIDs": []string{l.LogID}}))
		if got := search(map[string]any{"pagination": page}); got.Total != 1 {
			t.Errorf("left %v", got)
		}
		if a := n.transfer(http.MethodGet, n.url+"/third/prometheus", nil, nil); a.status != http.StatusFound || a.header.Get("Location") != "http://grafana.example/" {
			t.Errorf("prometheus: %d %v", a.status, a.header)
		}
	})
}
