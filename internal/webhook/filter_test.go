package webhook

import (
	"testing"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/webhook/registry"
)

func TestFilter(t *testing.T) {
	single := func(send, recv string, ct im.ContentType) *im.Message {
		return &im.Message{SessionType: im.SingleChat, SendID: send, RecvID: recv, ContentType: ct}
	}
	group := func(send, groupID string, ct im.ContentType) *im.Message {
		return &im.Message{SessionType: im.GroupChat, SendID: send, GroupID: groupID, ContentType: ct}
	}
	one := func(t int32) []TypeRange { return []TypeRange{{t, t}} }
	for _, c := range []struct {
		name   string
		option Callback
		m      *im.Message
		want   bool
	}{
		{"no option", Callback{}, single("a", "b", 101), true},
		{"empty attentionIds are all", Callback{AttentionIDs: []string{}}, single("a", "b", 101), true},
		{"typing never", Callback{}, single("a", "b", 113), false},
		{"typing never, even if allowed", Callback{AllowedTypes: one(113)}, single("a", "b", 113), false},
		{"server type", Callback{}, single("a", "b", 1201), false},
		{"server types end at 5000", Callback{}, single("a", "b", 5001), true},
		{"server type begin", Callback{}, single("a", "b", 1000), false},
		{"server type listed", Callback{AllowedTypes: one(1201)}, single("a", "b", 1201), true},
		{"server type listed and denied", Callback{AllowedTypes: one(1201), DeniedTypes: one(1201)}, single("a", "b", 1201), false},
		{"attention receiver", Callback{AttentionIDs: []string{"b"}}, single("a", "b", 101), true},
		{"attention sender", Callback{AttentionIDs: []string{"a"}}, single("a", "b", 101), true},
		{"attention neither", Callback{AttentionIDs: []string{"c"}}, single("a", "b", 101), false},
		{"attention group", Callback{AttentionIDs: []string{"g"}}, group("a", "g", 101), true},
		{"attention group sender", Callback{AttentionIDs: []string{"a"}}, group("a", "g", 101), true},
		{"attention other group", Callback{AttentionIDs: []string{"h"}}, group("a", "g", 101), false},
		{"attention empty id is nobody's", Callback{AttentionIDs: []string{"x"}}, group("a", "g", 101), false},
		{"allowed", Callback{AllowedTypes: one(101)}, single("a", "b", 101), true},
		{"not allowed", Callback{AllowedTypes: one(101)}, single("a", "b", 102), false},
		{"denied", Callback{DeniedTypes: one(102)}, single("a", "b", 102), false},
		{"not denied", Callback{DeniedTypes: one(102)}, single("a", "b", 101), true},
		{"denied range first", Callback{DeniedTypes: []TypeRange{{101, 105}}}, single("a", "b", 101), false},
		{"denied range last", Callback{DeniedTypes: []TypeRange{{101, 105}}}, single("a", "b", 105), false},
		{"denied range behind", Callback{DeniedTypes: []TypeRange{{101, 105}}}, single("a", "b", 106), true},
		{"denied wins", Callback{AllowedTypes: []TypeRange{{101, 105}}, DeniedTypes: one(103)}, single("a", "b", 103), false},
		{"attention and type", Callback{AttentionIDs: []string{"b"}, DeniedTypes: one(101)}, single("a", "b", 101), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFilter(c.option.AttentionIDs, c.option.AllowedTypes, c.option.DeniedTypes, registry.Filters{Types: true, Attention: true})
			if got := f.admits(c.m); got != c.want {
				t.Errorf("admits: %v, want %v", got, c.want)
			}
		})
	}
}

// attentionIds on a callback that does not obey them chooses nothing.
func TestFilterObeysTheRegistry(t *testing.T) {
	e := newEngine(t, Config{URL: "http://127.0.0.1:9", Callbacks: on(Callback{AttentionIDs: []string{"x"}}, "beforeSendSingleMsg", "afterSendSingleMsg")}, Options{})
	p := e.plan.Load()
	if m := text("hi"); !p.on[registry.BeforeSendSingleMsg].filter.admits(m) || p.on[registry.AfterSendSingleMsg].filter.admits(m) {
		t.Error("attentionIds choose for before-calls, or do not for after-events")
	}
}
