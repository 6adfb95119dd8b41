package webhook

import (
	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/webhook/registry"
)

// Exclusion is what leaves a message out of a callback.
type Exclusion string

// What leaves messages out, in the order in which it is looked at.
const (
	ByTyping    Exclusion = "typing"
	ByAttention Exclusion = "attentionIds"
	ByServer    Exclusion = "a type of the server's own"
	ByAllowed   Exclusion = "allowedTypes"
	ByDenied    Exclusion = "deniedTypes"
)

// Excluded says why a callback is not called about a message, "" if it is. It is
// for explaining; calls go by filter.admits, which decides the same.
func Excluded(desc registry.Callback, c Callback, m *im.Message) Exclusion {
	// A callback without filters is called about messages of every kind.
	full := newFilter(c.AttentionIDs, c.AllowedTypes, c.DeniedTypes, desc.Filters)
	if full.admits(m) {
		return ""
	}
	switch only := (filter{attention: full.attention, allowed: []TypeRange{{From: 0, To: 1 << 30}}}); {
	case m.ContentType == im.ContentTyping:
		return ByTyping
	case !only.admits(m):
		return ByAttention
	case contains(full.denied, m.ContentType):
		return ByDenied
	case m.ContentType.IsControl():
		return ByServer
	default:
		return ByAllowed
	}
}

// OwnRequest is in the reason of a call that ran out of time, when the operation
// it was about had been asked for from the address that the handler has.
const OwnRequest = "the operation was asked for from the handler's own address"
