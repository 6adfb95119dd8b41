package webhook

import (
	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/webhook/registry"
)

// filter is the three options that choose messages. They are looked at in this
// order: attentionIds, server types, allowedTypes, deniedTypes.
type filter struct {
	attention       map[string]struct{} // empty: everybody
	allowed, denied []TypeRange         // allowed empty: every user type
}

// newFilter takes the options that the kind of callback obeys.
func newFilter(attention []string, allowed, denied []TypeRange, obeys registry.Filters) filter {
	var f filter
	if obeys.Types {
		f.allowed, f.denied = allowed, denied
	}
	if obeys.Attention && len(attention) > 0 {
		f.attention = make(map[string]struct{}, len(attention))
		for _, id := range attention {
			f.attention[id] = struct{}{}
		}
	}
	return f
}

// admits reports whether the callback is called for m.
func (f *filter) admits(m *im.Message) bool {
	if m.ContentType == im.ContentTyping {
		return false
	}
	if len(f.attention) > 0 {
		peer := m.RecvID
		if m.SessionType == im.GroupChat {
			peer = m.GroupID
		}
		_, sender := f.attention[m.SendID]
		_, target := f.attention[peer]
		if !sender && !target {
			return false
		}
	}
	listed := contains(f.allowed, m.ContentType)
	if m.ContentType.IsControl() {
		// The server's own types only if somebody asked for them by number.
		if !listed {
			return false
		}
	} else if len(f.allowed) > 0 && !listed {
		return false
	}
	return !contains(f.denied, m.ContentType)
}

// admitsPush reports whether the callback is called before m is delivered or
// pushed: the server's own types are included, unless the options leave them out.
func (f *filter) admitsPush(m *im.Message) bool {
	return m.ContentType != im.ContentTyping && (len(f.allowed) == 0 || contains(f.allowed, m.ContentType)) && !contains(f.denied, m.ContentType)
}

func contains(ranges []TypeRange, t im.ContentType) bool {
	for _, r := range ranges {
		if r.From <= int32(t) && int32(t) <= r.To {
			return true
		}
	}
	return false
}
