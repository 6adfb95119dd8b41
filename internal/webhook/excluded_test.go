package webhook

import (
	"testing"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/webhook/registry"
)

// Excluded blames the option without which the message would be sent, and decides
// as the filter does.
func TestExcluded(t *testing.T) {
	t.Parallel()
	single, _ := registry.Lookup("afterSendSingleMsg")
	list := func(types ...int32) (out []TypeRange) {
		for _, t := range types {
			out = append(out, TypeRange{t, t})
		}
		return out
	}
	for _, attention := range [][]string{nil, {"alice"}, {"bob"}, {"carol"}} {
		for _, allowed := range [][]TypeRange{nil, list(101), list(1501)} {
			for _, denied := range [][]TypeRange{nil, list(101), list(1501)} {
				for _, contentType := range []im.ContentType{101, 102, im.ContentTyping, 1501} {
					c := Callback{AttentionIDs: attention, AllowedTypes: allowed, DeniedTypes: denied}
					m := &im.Message{SendID: "alice", RecvID: "bob", SessionType: im.SingleChat, ContentType: contentType}
					admits := func(c Callback) bool {
						f := newFilter(c.AttentionIDs, c.AllowedTypes, c.DeniedTypes, single.Filters)
						return f.admits(m)
					}
					got := Excluded(single, c, m)
					if (got == "") != admits(c) {
						t.Errorf("%+v, type %d: excluded %q, admitted %v", c, contentType, got, admits(c))
					}
					open := c
					switch got {
					case ByAttention:
						open.AttentionIDs = nil
						if contentType == im.ContentTyping || len(attention) == 0 || attention[0] != "carol" {
							t.Errorf("%+v, type %d: blamed on attentionIds", c, contentType)
						}
						continue
					case ByAllowed:
						open.AllowedTypes = append(list(int32(contentType)), allowed...)
					case ByServer:
						open.AllowedTypes = append(list(int32(contentType)), allowed...)
					case ByDenied:
						open.DeniedTypes = nil
						open.AllowedTypes = list(int32(contentType))
					default:
						continue
					}
					if !admits(open) {
						t.Errorf("%+v, type %d: %q is blamed, and without it the message is left out all the same", c, contentType, got)
					}
				}
			}
		}
	}
}
