package explain

import (
	"strings"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/webhook"
	"github.com/parley-im/parley/internal/webhook/registry"
)

// called reports whether anything is known of the callback about the question.
func (s *subject) called() bool {
	if len(s.calls) > 0 {
		return true
	}
	for _, w := range s.Waiting {
		if w.Event.Callback == s.desc.Key {
			return true
		}
	}
	for _, d := range s.Dead {
		if d.Callback == s.desc.Key {
			return true
		}
	}
	for _, p := range s.Pulled {
		if p.Callback == s.desc.Key {
			return true
		}
	}
	return false
}

// checkFilters: one of the three options leaves the message out, of the callback's
// own or of an endpoint of the list. An endpoint that is there for some messages
// is to blame only if nobody else was called.
func checkFilters(s *subject) []Finding {
	if s.Message == nil {
		return nil
	}
	var out []Finding
	for i := range s.routes {
		r := &s.routes[i]
		if !r.wants || r.kind == "shadow" || !s.traceAt(r).empty() {
			continue
		}
		for _, f := range s.excluded(r) {
			if !r.own {
				f.Text = say("endpoint %s: %s", r.name, f.Text)
				if s.called() {
					f.Severity = Note
				}
			}
			out = append(out, f)
		}
	}
	return out
}

func (s *subject) excluded(r *route) []Finding {
	m := s.Message
	option := func(name string, value any) Text { return say("%s: %v (%s)", name, value, r.source(name)) }
	switch webhook.Excluded(s.desc, r.filters, m) {
	case webhook.ByAttention:
		peer := m.RecvID
		if m.SessionType == im.GroupChat {
			peer = m.GroupID
		}
		return s.finding(Problem, CauseAttention,
			say("attentionIds leaves the message out: neither its sender %s nor its receiver %s is listed", m.SendID, peer),
			say("add one of them to attentionIds, or empty the list for all"), option("attentionIds", say("[%s]", list(r.filters.AttentionIDs))))
	case webhook.ByAllowed:
		return s.finding(Problem, CauseTypes, say("allowedTypes leaves out content type %d", m.ContentType), say("add the type, or empty the list for all"),
			option("allowedTypes", r.filters.AllowedTypes))
	case webhook.ByDenied:
		return s.finding(Problem, CauseTypes, say("deniedTypes leaves out content type %d", m.ContentType), say("remove the type from the list"),
			option("deniedTypes", r.filters.DeniedTypes))
	case webhook.ByServer:
		return s.finding(Note, CauseTypes, say("content type %d belongs to the server and is sent only if allowedTypes lists it", m.ContentType), say("list it in allowedTypes"))
	case webhook.ByTyping:
		return s.finding(Note, CauseTypes, say("typing indicators are never sent"), Text{})
	}
	return nil
}

// list shows ids, the first ten of them.
func list(ids []string) Text {
	if len(ids) > 10 {
		return say("%s and %d more", strings.Join(ids[:10], ", "), len(ids)-10)
	}
	return verbatim(strings.Join(ids, ", "))
}

// checkMadeUp: what the two users of a trial say to each other is the trial's.
func checkMadeUp(s *subject) []Finding {
	if !s.MadeUp || !s.on() || s.called() {
		return nil
	}
	return s.finding(Problem, CauseMadeUp, say("%s and %s are made up, for trying things: handlers hear of their messages only when the trial is switched to the configured ones",
		s.Message.SendID, s.Message.RecvID), say("choose the handlers of webhooks.yml on the console's page Try it, or send between other users"))
}

// checkSender: nobody is asked about an administrator's single messages.
func checkSender(s *subject) []Finding {
	if s.desc.ID != registry.BeforeSendSingleMsg || s.Message == nil || !s.SenderAdmin || !s.config.Enable || s.called() {
		return nil
	}
	return s.finding(Problem, CauseAdminSender, say("%s is an administrator: nobody is asked about single messages of administrators", s.Message.SendID),
		say("send in the name of an ordinary user"))
}

// checkNotStored: only stored messages are reported as saved.
func checkNotStored(s *subject) []Finding {
	if s.desc.ID != registry.AfterMsgSaveDB || s.Message == nil || s.Message.Seq > 0 || !s.on() {
		return nil
	}
	return s.finding(Note, CauseNotStored, say("the message is not stored, so nobody is told that it was"), Text{})
}

// checkOnline: who is online gets no vendor push, so nobody is asked about one.
func checkOnline(s *subject) []Finding {
	if s.desc.ID != registry.BeforeOfflinePush || s.Message == nil || len(s.OnlineOn) == 0 || s.called() {
		return nil
	}
	if !s.asked && !s.config.Enable {
		return nil
	}
	return s.finding(Problem, CauseOnline, say("%s is online: offline pushes, and the question about them, are for users who are not", s.Message.RecvID),
		say("use beforeOnlinePush, or try with a user who is disconnected"), say("online now on %s", strings.Join(s.OnlineOn, ", ")))
}

func describeMessage(m *im.Message) Text {
	if m.SessionType == im.GroupChat {
		return say("message %s (client %s) from %s to group %s, content type %d, seq %d, at %s", m.ServerMsgID, m.ClientMsgID, m.SendID, m.GroupID, m.ContentType, m.Seq, stamp(m.SendTime))
	}
	return say("message %s (client %s) from %s to %s, content type %d, seq %d, at %s", m.ServerMsgID, m.ClientMsgID, m.SendID, m.RecvID, m.ContentType, m.Seq, stamp(m.SendTime))
}
