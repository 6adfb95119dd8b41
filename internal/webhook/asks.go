package webhook

import "github.com/parley-im/parley/internal/im"

// Asks reports whether a handler would be asked about m before it is sent.
func (e *Engine) Asks(m *im.Message) bool {
	p := e.plan.Load()
	before := p.beforeSendGroup
	if m.SessionType == im.SingleChat {
		if before = p.beforeSendSingle; before != nil && e.o.IsAdmin(m.SendID) {
			before = nil
		}
	}
	if m.SessionType != im.SingleChat && m.SessionType != im.GroupChat {
		return false
	}
	return before != nil && before.filter.admits(m) || p.beforeModify != nil && p.beforeModify.filter.admits(m)
}
