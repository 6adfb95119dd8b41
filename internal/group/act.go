package group

import (
	"context"
	"hash/maphash"
	"slices"
	"sync"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/message"
	"github.com/parley-im/parley/internal/store"
)

// queue lets changes of one group pass one at a time. The store would order
// their writes; this also orders the reading of who is told with them, so that
// a member who came with one change hears of the next. Groups share places.
type queue struct {
	seed   maphash.Seed
	places [256]sync.Mutex
}

func (q *queue) enter(groupID string) (leave func()) {
	p := &q.places[maphash.String(q.seed, groupID)%uint64(len(q.places))]
	p.Lock()
	return p.Unlock
}

// act is one change of a group inside a transaction.
type act struct {
	tx       *store.Tx
	group    im.Group
	operator im.Member // without a role if he is not a member
	admin    bool      // he is a system administrator
	at       im.Millis
}

// begin locks an existing group for a change by the caller.
func (s *Service) begin(ctx context.Context, tx *store.Tx, groupID string) (*act, error) {
	caller := im.CallerOf(ctx)
	a := &act{tx: tx, admin: caller.Admin, at: s.store.Now()}
	var found bool
	var err error
	if a.group, found, err = tx.LockGroup(groupID); err != nil {
		return nil, err
	}
	if !found {
		return nil, im.ErrNotFound.With("group %s", groupID)
	}
	a.operator, err = operator(tx, caller, groupID)
	return a, err
}

// look is beginOpen for deciding by reading.
func (s *Service) look(ctx context.Context, tx *store.Tx, groupID string) (*act, error) {
	caller := im.CallerOf(ctx)
	g, err := openGroup(tx, groupID)
	if err != nil {
		return nil, err
	}
	a := &act{tx: tx, group: g, admin: caller.Admin}
	a.operator, err = operator(tx, caller, groupID)
	return a, err
}

// beginOpen is begin for what a dismissed group refuses.
func (s *Service) beginOpen(ctx context.Context, tx *store.Tx, groupID string) (*act, error) {
	a, err := s.begin(ctx, tx, groupID)
	if err == nil && a.group.Status == im.GroupDismissed {
		err = im.ErrGroupDismissed.With("group %s", groupID)
	}
	return a, err
}

// openGroup returns a group that exists and is not dismissed.
func openGroup(tx *store.Tx, groupID string) (im.Group, error) {
	g, found, err := tx.Group(groupID)
	switch {
	case err != nil:
		return g, err
	case !found:
		return g, im.ErrNotFound.With("group %s", groupID)
	case g.Status == im.GroupDismissed:
		return g, im.ErrGroupDismissed.With("group %s", groupID)
	}
	return g, nil
}

// operator is the caller as notices show him: a member, or whoever he is.
func operator(tx *store.Tx, caller im.Caller, groupID string) (im.Member, error) {
	if !caller.Admin {
		m, found, err := member(tx, groupID, caller.UserID)
		if err != nil || found {
			return m, err
		}
	}
	u, _, err := tx.User(caller.UserID)
	m := im.Member{GroupID: groupID, UserID: caller.UserID, Nickname: u.Nickname, FaceURL: u.FaceURL}
	if caller.Admin {
		m.Role, m.AppLevel = im.RoleAdmin, im.LevelAdmin
	}
	return m, err
}

func member(tx *store.Tx, groupID, userID string) (m im.Member, found bool, err error) {
	list, err := tx.Members(groupID, []string{userID})
	if err != nil || len(list) == 0 {
		return m, false, err
	}
	return list[0], true, nil
}

// mayManage lets the group's owner and administrators pass, and the system's.
func (a *act) mayManage() error {
	switch {
	case a.admin, a.operator.Role >= im.RoleAdmin:
		return nil
	case a.operator.Role == 0:
		return im.ErrNotFound.With("user %s is not in group %s", a.operator.UserID, a.group.GroupID)
	}
	return im.ErrNoPermission.With("no group owner or admin")
}

// done describes the change for a notice, with the group as it is now.
func (a *act) done(v im.Version, sort uint64) (im.GroupAct, error) {
	g, _, err := a.tx.Group(a.group.GroupID)
	return im.GroupAct{Group: g, Operator: a.operator, At: a.at, Version: v, Sort: sort}, err
}

// tell announces to a group in the caller's name. Several notifications are one
// change.
func (s *Service) tell(ctx context.Context, groupID string, n message.Notification, more ...message.Notification) error {
	n.SendID, n.GroupID = im.CallerOf(ctx).UserID, groupID
	for i := range more {
		if more[i].SendID = n.SendID; more[i].RecvID == "" {
			more[i].GroupID = groupID
		}
	}
	return s.messages.Notify(ctx, n, more...)
}

// tellUsers makes a change and announces it to users in the caller's name.
func (s *Service) tellUsers(ctx context.Context, notices []message.Notification) error {
	for i := range notices {
		notices[i].SendID = im.CallerOf(ctx).UserID
	}
	return s.messages.Notify(ctx, notices[0], notices[1:]...)
}

// tellChats announces to users that their row of the group's chat changed.
func (s *Service) tellChats(ctx context.Context, groupID string, userIDs []string) {
	s.messages.TellChats(ctx, im.GroupConversation(groupID), userIDs)
}

// openChats gives new members their row of the group's chat, or lets an earlier
// one show everything again. before is the last seq they came after. It reports
// whether there is a new row.
func (s *Service) openChats(tx *store.Tx, like im.Conversation, userIDs []string, before im.Seq) (opened bool, err error) {
	var from *im.Seq
	if s.options.HideHistory {
		like.MinSeq = before + 1
		from = &like.MinSeq
	}
	return tx.SetChats(like, userIDs, from, new(im.Seq))
}

// recordOpened reports new rows of a group's chat, once for all of them.
func recordOpened(tx *store.Tx, opened bool, row im.Conversation, operationID string) error {
	if !opened || !tx.Wanted(im.EventChatOpened) {
		return nil
	}
	return tx.Record(im.ChatOpened{Row: row, OperationID: operationID})
}

// closeChats lets users who left see the group's chat up to a seq.
func closeChats(tx *store.Tx, groupID string, userIDs []string, last im.Seq) error {
	row := im.Conversation{ConversationID: im.GroupConversation(groupID), Type: im.GroupChat, GroupID: groupID, MaxSeq: last}
	var from *im.Seq
	if last == 0 {
		// 0 is no bound. Nothing was written yet: nothing is what they see.
		row.MinSeq, row.MaxSeq = 2, 1
		from = &row.MinSeq
	}
	_, err := tx.SetChats(row, userIDs, from, &row.MaxSeq) // who deleted his row gets one with the bound
	return err
}

func idsOf(members []im.Member) []string {
	ids := make([]string, len(members))
	for i, m := range members {
		ids[i] = m.UserID
	}
	return ids
}

// distinct drops what was there before.
func distinct(ids []string) []string {
	var out []string
	for _, id := range ids {
		if !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	return out
}

// checkIDs refuses lists of users that name too many, or one twice.
func checkIDs(userIDs []string) error {
	if len(userIDs) > MaxBatch {
		return im.ErrArgs.With("more than %d users", MaxBatch)
	}
	if len(slices.Compact(slices.Sorted(slices.Values(userIDs)))) != len(userIDs) {
		return im.ErrArgs.With("userID duplicate")
	}
	return nil
}

func tooLong(texts ...string) error {
	if slices.ContainsFunc(texts, func(text string) bool { return len(text) > im.MaxText }) {
		return im.ErrArgs.With("a text is longer than %d bytes", im.MaxText)
	}
	return nil
}

func tooLongPtr(texts ...*string) error {
	for _, text := range texts {
		if text != nil && len(*text) > im.MaxText {
			return tooLong(*text)
		}
	}
	return nil
}
