package chaos

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/openimsdk/protocol/msg"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/wire"
)

// logs are the final logs, by conversation; the entry of seq n is at n-1.
type logs map[string][]entry

// readLogs pulls everything every client may see, and a part of it in the other
// way of pulling. The record compares what different clients are shown.
func readLogs(sessions []*session) (logs, error) {
	final := make(logs)
	for _, s := range sessions {
		newest, err := s.newest()
		if err != nil {
			return nil, err
		}
		for conversation, last := range newest {
			all, err := s.pull(conversation, 1, last)
			if err != nil {
				return nil, err
			}
			if err := s.list(conversation, max(1, last-pullAtOnce/2), last); err != nil {
				return nil, err
			}
			before, known := final[conversation]
			if known && len(all) != len(before) {
				s.client.record.fault(badSeqs, nil, "client %d sees %d messages of %s, another %d", s.client.index, len(all), conversation, len(before))
			}
			if len(all) >= len(before) {
				final[conversation] = all
			}
		}
		if err := s.checkRead(final); err != nil {
			return nil, err
		}
	}
	return final, nil
}

// checkRead compares the read positions of the session's user with the logs: a
// message advances its sender's in the same transaction, and nothing else here
// does.
func (s *session) checkRead(final logs) error {
	var states msg.GetConversationsHasReadAndMaxSeqResp
	req := &msg.GetConversationsHasReadAndMaxSeqReq{UserID: s.client.userID}
	if err := s.call(wire.GetConvMaxReadSeq, req, &states); err != nil {
		return err
	}
	for conversation, log := range final {
		state := states.Seqs[conversation]
		if state == nil {
			continue // not his
		}
		own := int64(0)
		for i, e := range log {
			if e.sendID == s.client.userID {
				own = int64(i + 1)
			}
		}
		if state.HasReadSeq != own || state.MaxSeq != int64(len(log)) {
			s.client.record.fault(readWrong, nil, "%s has read %s to %d of %d, want %d of %d",
				s.client.userID, conversation, state.HasReadSeq, state.MaxSeq, own, len(log))
		}
	}
	return nil
}

// checkLogs compares the final logs with everything clients were told and shown.
func (r *record) checkLogs(final logs) {
	r.mu.Lock()
	defer r.mu.Unlock()
	stored := make(map[string]entry)
	for conversation, log := range final {
		var before int64
		for i, e := range log {
			s := r.sends[e.id]
			if s == nil {
				continue // reported when it was shown
			}
			if _, twice := stored[e.id]; twice {
				r.faultLocked(storedTwice, s, "again in %s at seq %d", conversation, i+1)
			}
			stored[e.id] = e
			if e.sendTime <= before {
				r.faultLocked(badSeqs, s, "at seq %d of %s sendTime goes from %d to %d", i+1, conversation, before, e.sendTime)
			}
			before = e.sendTime
		}
	}
	inOrder := func(a, b place) int {
		return cmp.Or(cmp.Compare(a.conversation, b.conversation), cmp.Compare(a.seq, b.seq))
	}
	for _, at := range slices.SortedFunc(maps.Keys(r.shown), inOrder) {
		e, log := r.shown[at], final[at.conversation]
		if at.seq < 1 || at.seq > int64(len(log)) || log[at.seq-1] != e {
			r.faultLocked(shownUnstored, r.sends[e.id], "at %v of %d", at, len(log))
		}
	}
	for _, id := range slices.Sorted(maps.Keys(r.sends)) {
		s := r.sends[id]
		e, found := stored[id]
		switch {
		case s.refusal != 0:
			if found {
				r.faultLocked(refusedStored, s, "stored as %+v", e)
			}
			if s.refused == 0 {
				r.faultLocked(badProtocol, s, "never answered")
			}
		case s.ack == nil:
			r.faultLocked(badProtocol, s, "never acked")
		case !found:
			r.faultLocked(ackLost, s, "acked as %+v, not stored", *s.ack)
		case *s.ack != (ack{e.serverMsgID, e.sendTime}):
			r.faultLocked(ackLost, s, "acked as %+v, stored as %+v", *s.ack, e)
		}
	}
}

const (
	afterSendSingle = "callbackAfterSendSingleMsgCommand"
	afterSendGroup  = "callbackAfterSendGroupMsgCommand"
	afterSave       = "callbackAfterMsgSaveDBCommand"
	afterOnline     = "callbackAfterUserOnlineCommand"
	afterOffline    = "callbackAfterUserOfflineCommand"
)

// commandsFor are the events of a stored message.
func commandsFor(conversation string) []string {
	if conversation == string(im.GroupConversation(groupID)) {
		return []string{afterSendGroup, afterSave}
	}
	return []string{afterSendSingle, afterSave}
}

// checkEvents compares what the business server was told with the final logs.
func (r *record) checkEvents(final logs) {
	r.mu.Lock()
	defer r.mu.Unlock()
	type change struct{ id, command string }
	told := make(map[change]*event)
	for _, id := range slices.Sorted(maps.Keys(r.events)) {
		e := r.events[id]
		if e.command == afterOnline || e.command == afterOffline {
			continue
		}
		s := r.sends[e.ClientMsgID]
		if s == nil {
			r.faultLocked(eventUnfounded, nil, "%s about a message nobody sent: %s", e.command, e.body)
			continue
		}
		log := final[s.conversation]
		want := eventBody{ClientMsgID: s.id, ServerMsgID: e.ServerMsgID, Seq: e.Seq, SendTime: e.SendTime, Content: s.content}
		switch {
		case e.Seq < 1 || e.Seq > int64(len(log)) || log[e.Seq-1].serverMsgID != e.ServerMsgID || log[e.Seq-1].id != s.id || log[e.Seq-1].sendTime != e.SendTime:
			r.faultLocked(eventUnfounded, s, "%s %s about seq %d as %s, which is not stored", e.command, id, e.Seq, e.ServerMsgID)
			continue
		case e.eventBody != want || !slices.Contains(commandsFor(s.conversation), e.command):
			r.faultLocked(eventUnfounded, s, "%s says %s", e.command, e.body)
		}
		c := change{s.id, e.command}
		if other := told[c]; other != nil {
			r.faultLocked(eventTwice, s, "%s as %s and as %s", e.command, other.id, id)
		}
		told[c] = e
	}
	for _, conversation := range slices.Sorted(maps.Keys(final)) {
		for _, entry := range final[conversation] {
			for _, command := range commandsFor(conversation) {
				switch e := told[change{entry.id, command}]; {
				case e == nil:
					r.faultLocked(eventLost, r.sends[entry.id], "no %s", command)
				case !e.delivered:
					r.faultLocked(eventLost, r.sends[entry.id], "%s was tried, never delivered", command)
				}
			}
		}
	}
	last := make(map[string]int64)
	for _, e := range r.delivered {
		s := r.sends[e.ClientMsgID]
		if s == nil {
			continue
		}
		if e.Seq < last[s.conversation] {
			r.faultLocked(eventOrder, s, "seq %d of %s was delivered after %d", e.Seq, s.conversation, last[s.conversation])
		}
		last[s.conversation] = max(last[s.conversation], e.Seq)
	}
}

// presenceOf are the presence events of a device. The caller holds mu.
func (r *record) presenceOf(c *client) []*event {
	var out []*event
	for _, e := range r.delivered {
		if e.UserID == c.userID && e.PlatformID == int32(c.platform) {
			out = append(out, e)
		}
	}
	return out
}

// checkPresence looks for connections of which the business server was told only
// half. No device has two at a time.
func (r *record) checkPresence(clients []*client) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range clients {
		var open string
		for _, e := range r.presenceOf(c) {
			switch {
			case e.command == afterOnline && open != "":
				r.faultLocked(presenceWrong, nil, "%s on %s: connection %s begins while %s has not ended", c.userID, c.platform, e.ConnID, open)
			case e.command == afterOffline && open != e.ConnID:
				r.faultLocked(presenceWrong, nil, "%s on %s: connection %s ends while %q is open", c.userID, c.platform, e.ConnID, open)
			}
			if open = ""; e.command == afterOnline {
				open = e.ConnID
			}
		}
	}
}

// presenceIs compares the last event of every device with what is true. The
// caller holds mu.
func (r *record) presenceIs(offline, online []*client) error {
	var wrong []error
	compare := func(clients []*client, want string) {
		for _, c := range clients {
			last := ""
			if all := r.presenceOf(c); len(all) > 0 {
				last = all[len(all)-1].command
			}
			if last != want {
				wrong = append(wrong, fmt.Errorf("%s on %s: the last event is %q, want %q", c.userID, c.platform, last, want))
			}
		}
	}
	compare(offline, afterOffline)
	compare(online, afterOnline)
	return errors.Join(wrong...)
}
