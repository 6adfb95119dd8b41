package gateway_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/openimsdk/protocol/sdkws"
	"google.golang.org/protobuf/proto"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/message"
	"github.com/parley-im/parley/internal/wire"
)

// A client that missed more notifications than one answer holds gets them all:
// the newest in the answer, with their seqs, the others pushed without.
func TestMissedNotifications(t *testing.T) {
	n := start(t)
	const missed = 60 // of 50 kB, so that some fifteen fit
	for i := range missed {
		if err := n.messages.Notify(t.Context(), message.Notification{
			SendID: "a", RecvID: "a", Stored: true, Notice: im.Business{Key: fmt.Sprint(i), Data: strings.Repeat("x", 50_000)},
		}); err != nil {
			t.Fatal(err)
		}
	}
	for name, change := range map[string]map[string]string{"gob and gzip": nil, "json": js} {
		t.Run(name, func(t *testing.T) {
			p := im.PlatformIOS
			if change != nil {
				p = im.PlatformWeb
			}
			c := n.connect("a", p, change)
			c.t = t
			if change != nil {
				c.frame() // the answer to the handshake
			}
			incr := c.request(wire.PullMsgByRange, &sdkws.PullMessageBySeqsReq{UserID: "a", SeqRanges: []*sdkws.SeqRange{
				{ConversationID: "n_a_a", Begin: 1, End: missed, Num: 1},
			}})
			seen := make(map[string]bool)
			see := func(m *sdkws.MsgData) {
				t.Helper()
				if seen[m.ServerMsgID] {
					t.Errorf("%s came twice", m.ServerMsgID)
				}
				seen[m.ServerMsgID] = true
			}
			var pushes []*sdkws.MsgData
			r := c.reply(incr, &pushes)
			var answer sdkws.PullMessageBySeqsResp
			if err := proto.Unmarshal(r.Data, &answer); err != nil || r.ErrCode != 0 {
				t.Fatalf("%d %s, %v", r.ErrCode, r.ErrMsg, err)
			}
			in := answer.NotificationMsgs["n_a_a"].Msgs
			for i, m := range in {
				see(m)
				if m.Seq != int64(missed-len(in)+1+i) {
					t.Errorf("place %d of the answer has seq %d", i, m.Seq)
				}
			}
			if len(in) < 5 || len(in) > missed/2 {
				t.Errorf("%d are in the answer", len(in))
			}
			for len(in)+len(pushes) < missed {
				pushes = append(pushes, c.push(1)...)
			}
			for _, m := range pushes {
				see(m)
				if m.Seq != 0 || len(m.Content) < 50_000 {
					t.Errorf("pushed with seq %d and %d bytes", m.Seq, len(m.Content))
				}
			}
			if len(seen) != missed {
				t.Errorf("saw %d", len(seen))
			}
		})
	}
}
