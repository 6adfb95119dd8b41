package message

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
)

// Limits on one pull. A client asks again for what did not fit.
const (
	maxPullConversations = 10_000
	maxPullMessages      = 5_000
	maxPullBytes         = 768 << 10 // of content; SDKs read frames up to 1 MiB
	maxPullSeqs          = 1_000     // seqs listed for one conversation
	readStep             = 100       // messages read at a time: of large ones few fit
)

// view is the part of a log a user sees.
type view struct {
	im.Bounds
	peer string // of a single chat
}

// errPullSize is what a pull of too much gets.
func errPullSize(what string, limit int) error {
	return im.ErrArgs.With("more than %d %s", limit, what)
}

// mayRead refuses to read another user's messages.
func mayRead(ctx context.Context, userID string) error {
	if !im.CallerOf(ctx).May(userID) {
		return im.ErrNoPermission.With("cannot read messages of %s", userID)
	}
	return nil
}

// views returns what userID may see of each conversation; those he may see
// nothing of are left out. A chat needs a row in his list. A notification log
// is seen by whom its chat belongs to, and by its own user.
func views(tx *store.Tx, userID string, ids []im.ConversationID) (map[im.ConversationID]view, error) {
	chats := make([]im.ConversationID, 0, len(ids))
	for _, id := range ids {
		chats = append(chats, chatsOf(id)...)
	}
	rows, err := tx.Conversations(userID, chats)
	if err != nil {
		return nil, err
	}
	byID := make(map[im.ConversationID]im.Conversation, len(rows))
	for _, r := range rows {
		byID[r.ConversationID] = r
	}
	logs, err := tx.LogStates(ids)
	if err != nil {
		return nil, err
	}
	own := im.PairNotifications(userID, userID)
	out := make(map[im.ConversationID]view, len(logs))
	for _, l := range logs {
		v := view{Bounds: im.Bounds{MinSeq: max(l.MinSeq, 1), MaxSeq: l.MaxSeq, MaxSeqTime: l.MaxSeqTime}}
		row, mine := byID[l.ConversationID]
		switch {
		case mine:
			v.MinSeq = max(v.MinSeq, row.MinSeq)
			if row.MaxSeq > 0 {
				v.MaxSeq = min(v.MaxSeq, row.MaxSeq)
			}
			if row.Type == im.SingleChat {
				v.peer = row.UserID
			}
		case !l.ConversationID.IsNotification():
			continue
		case l.ConversationID != own && !seesNotifications(l.ConversationID, byID):
			continue
		}
		out[l.ConversationID] = v
	}
	return out, nil
}

// chatsOf lists the chats that give a right to see a log: itself, or for a
// notification log its possible twins.
func chatsOf(id im.ConversationID) []im.ConversationID {
	if !id.IsNotification() {
		return []im.ConversationID{id}
	}
	body := strings.TrimPrefix(string(id), "n_")
	return []im.ConversationID{
		im.ConversationID("si_" + body), im.ConversationID("sn_" + body), im.ConversationID("sg_" + body),
	}
}

// seesNotifications holds for the twins of the user's chats, but not of a group
// he left.
func seesNotifications(id im.ConversationID, rows map[im.ConversationID]im.Conversation) bool {
	for _, chat := range chatsOf(id) {
		if row, ok := rows[chat]; ok && (row.Type != im.GroupChat || row.MaxSeq == 0) {
			return true
		}
	}
	return false
}

// MaxSeqs returns the last seq the user may see of each of his conversations,
// their notification twins and his own notifications; those without messages
// are left out (websocket-and-messages 4.1).
func (s *Service) MaxSeqs(ctx context.Context, userID string) (map[im.ConversationID]im.Seq, error) {
	if err := mayRead(ctx, userID); err != nil {
		return nil, err
	}
	out := make(map[im.ConversationID]im.Seq)
	err := s.store.Read(ctx, func(tx *store.Tx) error {
		chats, err := tx.ConversationIDs(userID)
		if err != nil {
			return err
		}
		ids := append(make([]im.ConversationID, 0, 2*len(chats)+1), chats...)
		for _, c := range chats {
			ids = append(ids, c.Notifications())
		}
		seen, err := views(tx, userID, append(ids, im.PairNotifications(userID, userID)))
		for id, v := range seen {
			if v.MaxSeq > 0 {
				out[id] = v.MaxSeq
			}
		}
		return err
	})
	return out, err
}

// ReadStates returns the state of the given conversations of a user, or of all
// of them if none is given, and on request the ids of those he pinned
// (websocket-and-messages 4.2).
func (s *Service) ReadStates(ctx context.Context, userID string, ids []im.ConversationID, pinned bool) (map[im.ConversationID]im.ReadState, []im.ConversationID, error) {
	if err := mayRead(ctx, userID); err != nil {
		return nil, nil, err
	}
	if len(ids) > maxPullConversations {
		return nil, nil, errPullSize("conversations", maxPullConversations)
	}
	var states map[im.ConversationID]im.ReadState
	var pins []im.ConversationID
	err := s.store.Read(ctx, func(tx *store.Tx) (err error) {
		if len(ids) == 0 {
			if ids, err = tx.ConversationIDs(userID); err != nil {
				return err
			}
		}
		states = make(map[im.ConversationID]im.ReadState, len(ids))
		seen, err := views(tx, userID, ids)
		if err != nil {
			return err
		}
		read, err := tx.ReadSeqs(userID, ids)
		if err != nil {
			return err
		}
		for _, id := range ids {
			v := seen[id]
			states[id] = im.ReadState{MaxSeq: v.MaxSeq, ReadSeq: read[id], MaxSeqTime: v.MaxSeqTime}
		}
		if pinned {
			pins, err = tx.PinnedConversationIDs(userID)
		}
		return err
	})
	return states, pins, err
}

// PullRanges returns, per conversation, the newest Num seqs of the visible part
// of a range, ascending, with a placeholder for every seq that has no message.
// Notification logs come whole, or the newest of them, and what is left. Ranges the user may not see, or of which
// nothing is visible, are left out (websocket-and-messages 7.2).
func (s *Service) PullRanges(ctx context.Context, userID string, ranges []im.Range, descending bool) (map[im.ConversationID]im.Pulled, error) {
	if err := mayRead(ctx, userID); err != nil {
		return nil, err
	}
	if len(ranges) > maxPullConversations {
		return nil, errPullSize("ranges", maxPullConversations)
	}
	ids := make([]im.ConversationID, len(ranges))
	for i, r := range ranges {
		ids[i] = r.ConversationID
	}
	out := make(map[im.ConversationID]im.Pulled, len(ranges))
	err := s.store.Read(ctx, func(tx *store.Tx) error {
		seen, err := views(tx, userID, ids)
		if err != nil {
			return err
		}
		p := puller{tx: tx, userID: userID, receipt: s.options.ReadReceipt}
		for _, r := range ranges {
			v, ok := seen[r.ConversationID]
			first, last := max(r.First, v.MinSeq), min(r.Last, v.MaxSeq)
			if !ok || first > last {
				continue
			}
			num, wanted := im.Seq(max(r.Num, 0)), first
			if r.ConversationID.IsNotification() {
				num = last - first + 1
			}
			if num = min(num, p.room()); last-first+1 > num {
				first = last - num + 1
			}
			found, err := p.pull(r.ConversationID, v, first, last)
			if err != nil {
				return err
			}
			end := v.MaxSeq <= r.Last
			if descending {
				end = r.First <= v.MinSeq
			}
			pulled := im.Pulled{Messages: found, IsEnd: end}
			if r.ConversationID.IsNotification() {
				if len(found) > 0 {
					last = found[0].Seq - 1
				}
				if last >= wanted {
					pulled.Left = last
				}
			}
			out[r.ConversationID] = pulled
		}
		return nil
	})
	return out, err
}

// PullSeqs returns the visible ones of the asked seqs, with placeholders for
// those without a message, and says where the visible part ends if the list
// reached beyond it. Every conversation asked for has an entry
// (websocket-and-messages 7.3).
func (s *Service) PullSeqs(ctx context.Context, userID string, asked []im.SeqList, descending bool) (map[im.ConversationID]im.Pulled, error) {
	if err := mayRead(ctx, userID); err != nil {
		return nil, err
	}
	if len(asked) > maxPullConversations {
		return nil, errPullSize("conversations", maxPullConversations)
	}
	ids := make([]im.ConversationID, len(asked))
	for i, a := range asked {
		if len(a.Seqs) > maxPullSeqs {
			return nil, errPullSize("seqs", maxPullSeqs)
		}
		ids[i] = a.ConversationID
	}
	out := make(map[im.ConversationID]im.Pulled, len(asked))
	err := s.store.Read(ctx, func(tx *store.Tx) error {
		seen, err := views(tx, userID, ids)
		if err != nil {
			return err
		}
		p := puller{tx: tx, userID: userID, receipt: s.options.ReadReceipt}
		for _, a := range asked {
			v, ok := seen[a.ConversationID]
			if !ok {
				out[a.ConversationID] = im.Pulled{IsEnd: true}
				continue
			}
			var res im.Pulled
			var inside []im.Seq
			for _, q := range a.Seqs {
				switch {
				case q < v.MinSeq:
					if descending {
						res.IsEnd, res.EndSeq = true, v.MinSeq
					}
				case q > v.MaxSeq:
					if !descending {
						res.IsEnd, res.EndSeq = true, v.MaxSeq
					}
				default:
					inside = append(inside, q)
				}
			}
			if res.Messages, err = p.pullSeqs(a.ConversationID, v, inside); err != nil {
				return err
			}
			out[a.ConversationID] = res
		}
		return nil
	})
	return out, err
}

// LastMessages returns the newest message the user sees of each conversation.
func (s *Service) LastMessages(ctx context.Context, userID string, ids []im.ConversationID) (map[im.ConversationID]*im.Message, error) {
	if err := mayRead(ctx, userID); err != nil {
		return nil, err
	}
	if len(ids) > maxPullConversations {
		return nil, errPullSize("conversations", maxPullConversations)
	}
	out := make(map[im.ConversationID]*im.Message, len(ids))
	err := s.store.Read(ctx, func(tx *store.Tx) error {
		seen, err := views(tx, userID, ids)
		if err != nil {
			return err
		}
		p := puller{tx: tx, userID: userID, receipt: s.options.ReadReceipt}
		for id, v := range seen {
			if v.MaxSeq < v.MinSeq || p.room() == 0 {
				continue
			}
			m, err := tx.LastMessage(userID, id, v.MinSeq, v.MaxSeq)
			if err != nil {
				return err
			}
			if m == nil {
				continue
			}
			if err := p.mark(id, v, []*im.Message{m}); err != nil {
				return err
			}
			if p.take(m) {
				out[id] = m
			}
		}
		return nil
	})
	return out, err
}

// puller reads messages for one request and keeps its reply within bounds.
type puller struct {
	tx     *store.Tx
	userID string
	count  int
	bytes  int
	full   bool  // something did not fit
	hides  *bool // the user deleted messages for himself; nil until asked

	receipt func(content []byte) (im.ConversationID, im.Seq)
	states  map[im.ConversationID]im.ReadState // of conversations with receipts
}

// room is how many more messages this reply takes.
func (p *puller) room() im.Seq {
	if p.full {
		return 0
	}
	return im.Seq(maxPullMessages - p.count)
}

// take counts a message that goes into the reply and reports whether it fits.
// The first one always does.
func (p *puller) take(m *im.Message) bool {
	size := sizeOf(m)
	p.full = p.full || p.count == maxPullMessages || p.count > 0 && p.bytes+size > maxPullBytes
	if !p.full {
		p.count++
		p.bytes += size
	}
	return !p.full
}

// sizeOf is about how many bytes a message takes in a reply.
func sizeOf(m *im.Message) int {
	return 300 + len(m.Content) + len(m.Ex) + len(m.AttachedInfo) + len(m.SenderNickname) + len(m.SenderFaceURL) + pushSize(m.Push) + atSize(m.AtUserIDs)
}

func pushSize(p *im.PushInfo) int {
	if p == nil {
		return 0
	}
	return len(p.Title) + len(p.Desc) + len(p.Ex) + len(p.IOSPushSound) + len(p.SignalInfo)
}

func atSize(userIDs []string) (size int) {
	for _, id := range userIDs {
		size += 2 + len(id)
	}
	return size
}

// pull returns seqs first to last. If their content is too much for one reply,
// the oldest are left out: the client asks for them when it needs them.
func (p *puller) pull(c im.ConversationID, v view, first, last im.Seq) ([]*im.Message, error) {
	wanted := make([]im.Seq, 0, last-first+1)
	for q := first; q <= last; q++ {
		wanted = append(wanted, q)
	}
	return p.read(c, v, wanted, func(part []im.Seq) ([]*im.Message, error) {
		return p.tx.MessageRange(c, part[0], part[len(part)-1])
	})
}

func (p *puller) pullSeqs(c im.ConversationID, v view, seqs []im.Seq) ([]*im.Message, error) {
	return p.read(c, v, seqs, func(part []im.Seq) ([]*im.Message, error) {
		return p.tx.MessagesBySeq(c, part)
	})
}

// read returns the wanted messages, or the last of them that fit. It reads from
// the end and stops when it has read enough: messages may be large.
func (p *puller) read(c im.ConversationID, v view, wanted []im.Seq, part func([]im.Seq) ([]*im.Message, error)) ([]*im.Message, error) {
	var stored []*im.Message
	from := len(wanted)
	for size := p.bytes; from > 0 && size <= maxPullBytes && !p.full; {
		to := from
		from = max(0, to-readStep)
		found, err := part(wanted[from:to])
		if err != nil {
			return nil, err
		}
		for _, m := range found {
			size += sizeOf(m)
		}
		stored = append(stored, found...)
	}
	slices.SortFunc(stored, func(a, b *im.Message) int { return cmp.Compare(a.Seq, b.Seq) })
	if err := p.mark(c, v, stored); err != nil {
		return nil, err
	}
	return p.fit(fill(c, stored, wanted[from:])), nil
}

// fit drops the oldest messages that do not fit into the reply.
func (p *puller) fit(all []*im.Message) []*im.Message {
	for i := len(all) - 1; i >= 0; i-- {
		if !p.take(all[i]) {
			return all[i+1:]
		}
	}
	return all
}

// fill returns one entry per wanted seq: the stored message, or a placeholder
// that clients take for a deleted one.
func fill(c im.ConversationID, stored []*im.Message, wanted []im.Seq) []*im.Message {
	bySeq := make(map[im.Seq]*im.Message, len(stored))
	for _, m := range stored {
		bySeq[m.Seq] = m
	}
	out := make([]*im.Message, 0, len(wanted))
	var before im.Millis // of the nearest earlier message
	for _, q := range wanted {
		m := bySeq[q]
		if m == nil {
			m = &im.Message{ConversationID: c, Seq: q, Status: im.StatusDeleted, SendTime: before}
		}
		before = m.SendTime
		out = append(out, m)
	}
	return out
}

// mark fills in what differs from user to user.
func (p *puller) mark(c im.ConversationID, v view, msgs []*im.Message) error {
	if len(msgs) == 0 {
		return nil
	}
	if err := p.dropStale(c, msgs); err != nil {
		return err
	}
	if p.hides == nil {
		hides, err := p.tx.HidesMessages(p.userID)
		if err != nil {
			return err
		}
		p.hides = &hides
	}
	if *p.hides {
		hidden, err := p.tx.HiddenMessages(p.userID, c, msgs[0].Seq, msgs[len(msgs)-1].Seq)
		if err != nil {
			return err
		}
		for _, m := range msgs {
			if slices.Contains(hidden, m.Seq) {
				m.Content, m.Status = nil, im.StatusDeleted
			}
		}
	}
	if err := p.markQuotes(c, msgs); err != nil {
		return err
	}
	return p.markRead(v, msgs)
}

// dropStale makes the user's own receipts that do not tell where he is now look
// deleted. A client that comes back asks for its read positions, and would count
// anew from every receipt it pulls, the oldest included; in a group it would take
// everything for read.
func (p *puller) dropStale(c im.ConversationID, msgs []*im.Message) error {
	for i, m := range msgs {
		if m.ContentType != im.ContentReadReceipt || m.SendID != p.userID || p.receipt == nil {
			continue
		}
		chat, seq := p.receipt(m.Content)
		now, err := p.readState(chat)
		if err != nil {
			return err
		}
		if seq < now.ReadSeq || chat.IsGroup() && seq < now.MaxSeq {
			msgs[i] = &im.Message{ConversationID: c, Seq: m.Seq, Status: im.StatusDeleted, SendTime: m.SendTime}
		}
	}
	return nil
}

func (p *puller) readState(chat im.ConversationID) (im.ReadState, error) {
	if state, known := p.states[chat]; known {
		return state, nil
	}
	ids := []im.ConversationID{chat}
	seen, err := views(p.tx, p.userID, ids)
	if err != nil {
		return im.ReadState{}, err
	}
	read, err := p.tx.ReadSeqs(p.userID, ids)
	if err != nil {
		return im.ReadState{}, err
	}
	if p.states == nil {
		p.states = make(map[im.ConversationID]im.ReadState)
	}
	state := im.ReadState{MaxSeq: seen[chat].MaxSeq, ReadSeq: read[chat]}
	p.states[chat] = state
	return state, nil
}

// markRead fills in IsRead for the messages of a single chat: each was read if
// its receiver has read that far.
func (p *puller) markRead(v view, msgs []*im.Message) error {
	if v.peer == "" || len(msgs) == 0 {
		return nil
	}
	c := []im.ConversationID{msgs[0].ConversationID}
	mine, err := p.tx.ReadSeqs(p.userID, c)
	if err != nil {
		return err
	}
	theirs, err := p.tx.ReadSeqs(v.peer, c)
	if err != nil {
		return err
	}
	for _, m := range msgs {
		reader := mine
		if m.SendID == p.userID {
			reader = theirs
		}
		m.IsRead = m.Seq <= reader[m.ConversationID]
	}
	return nil
}
