package gateway

import (
	"context"

	"github.com/gorilla/websocket"
	"github.com/openimsdk/protocol/sdkws"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/wire"
)

// A client asks once for all it missed of a notification log and takes whatever
// is answered for the whole: what has no room in the answer it would never see.
// That is pushed to it, oldest last, as notifications without a seq, which
// clients take as they come. Each part is read when the one before is written.
//
// If the connection ends before the last part, what is left is lost to this
// client, as it is whenever a push is lost; its lists come right by their
// versions.

// leftOf are the parts of notification logs that an answer had no room for.
func leftOf(asked []*sdkws.SeqRange, found map[im.ConversationID]im.Pulled) (left []im.Range) {
	for _, r := range wire.ToRanges(asked) {
		if p := found[r.ConversationID]; p.Left > 0 {
			left = append(left, im.Range{ConversationID: r.ConversationID, First: r.First, Last: p.Left})
		}
	}
	return left
}

// older is a part of what an answer had no room for.
type older struct {
	wire.Response
	next func()
}

func (o *older) encode(f wire.Form, gzip bool) (int, []byte) {
	if o.next != nil {
		go o.next()
	}
	return websocket.BinaryMessage, seal(f, gzip, &o.Response)
}

func (o *older) size() int { return len(o.Data) }

// pushOlder queues the newest part of what is left.
func (c *conn) pushOlder(ctx context.Context, userID string, left []im.Range) {
	for len(left) > 0 {
		found, err := c.server.options.Messages.PullRanges(ctx, userID, left, false)
		if err != nil {
			if ctx.Err() == nil {
				c.server.log.ErrorContext(ctx, "older notifications were not pushed", "user_id", userID, "error", err)
			}
			return
		}
		var rest []im.Range
		notices := make(map[string]*sdkws.PullMsgs)
		for _, r := range left {
			p := found[r.ConversationID]
			if p.Left > 0 {
				rest = append(rest, im.Range{ConversationID: r.ConversationID, First: r.First, Last: p.Left})
			}
			for _, m := range p.Messages {
				if m.Status == im.StatusDeleted {
					continue // a placeholder
				}
				msg := wire.FromMessage(m)
				msg.Seq = 0
				list := notices[string(r.ConversationID)]
				if list == nil {
					list = new(sdkws.PullMsgs)
					notices[string(r.ConversationID)] = list
				}
				list.Msgs = append(list.Msgs, msg)
			}
		}
		if left = rest; len(notices) == 0 {
			continue
		}
		part := &older{Response: wire.Response{
			ReqIdentifier: wire.PushMsg, OperationID: im.OperationOf(ctx), Data: marshal(&sdkws.PushMessages{NotificationMsgs: notices}),
		}}
		if len(left) > 0 {
			part.next = func() { c.pushOlder(ctx, userID, left) }
		}
		c.enqueue(part)
		return
	}
}
