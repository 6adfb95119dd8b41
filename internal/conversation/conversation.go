// Package conversation keeps each user's view of his conversations: how they
// are shown and how he is told of messages.
//
// A row in a user's list is also his right to read the conversation's log, so
// rows are made only for conversations he takes part in. Who may call is
// decided by the edges.
package conversation

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/message"
	"github.com/parley-im/parley/internal/store"
)

// MaxBatch is the most conversations or owners one call may name.
const MaxBatch = 1000

// Service keeps conversation lists. It is safe for concurrent use.
type Service struct {
	store    *store.Store
	messages *message.Service
	log      *slog.Logger
}

// New returns a service that announces changes through messages.
func New(s *store.Store, m *message.Service, log *slog.Logger) *Service {
	return &Service{store: s, messages: m, log: log}
}

// One returns a conversation of a user.
func (s *Service) One(ctx context.Context, ownerID string, c im.ConversationID) (row im.Conversation, err error) {
	err = s.store.Read(ctx, func(tx *store.Tx) error {
		var found bool
		var err error
		if row, found, err = tx.Conversation(ownerID, c); err == nil && !found {
			err = im.ErrNotFound.With("conversation %s", c)
		}
		return err
	})
	return row, err
}

// Some returns those of the given conversations that the user has.
func (s *Service) Some(ctx context.Context, ownerID string, ids []im.ConversationID) (rows []im.Conversation, err error) {
	err = s.store.Read(ctx, func(tx *store.Tx) (err error) {
		rows, err = tx.Conversations(ownerID, ids)
		return err
	})
	return rows, err
}

// Page returns a part of a user's list in order of creation, and its length.
func (s *Service) Page(ctx context.Context, ownerID string, offset, limit int) (total int64, rows []im.Conversation, err error) {
	err = s.store.Read(ctx, func(tx *store.Tx) (err error) {
		if total, err = tx.ConversationCount(ownerID); err != nil {
			return err
		}
		rows, err = tx.ConversationPage(ownerID, offset, limit)
		return err
	})
	return total, rows, err
}

// maxList bounds All; OpenIM's clients keep fewer.
const maxList = 100_000

// All returns a user's list in order of creation.
func (s *Service) All(ctx context.Context, ownerID string) ([]im.Conversation, error) {
	_, rows, err := s.Page(ctx, ownerID, 0, maxList)
	return rows, err
}

// IDs returns the ids of a user's conversations with the version of the list.
func (s *Service) IDs(ctx context.Context, ownerID string) (im.Version, []im.ConversationID, error) {
	return store.Listed(ctx, s.store, im.VersionConversations, ownerID, func(tx *store.Tx) ([]im.ConversationID, error) {
		return tx.ConversationIDs(ownerID)
	})
}

// Changes returns what changed in a user's list since a version of it.
func (s *Service) Changes(ctx context.Context, ownerID string, since im.Version) (store.Delta[im.Conversation], error) {
	return store.Sync(ctx, s.store, im.VersionConversations, ownerID, since, func(tx *store.Tx, after uint64, limit int) (_, _ []im.Conversation, err error) {
		return tx.ConversationChanges(ownerID, after, limit)
	})
}

// Pinned returns the ids of the conversations a user pinned.
func (s *Service) Pinned(ctx context.Context, ownerID string) (ids []im.ConversationID, err error) {
	err = s.store.Read(ctx, func(tx *store.Tx) (err error) {
		ids, err = tx.PinnedConversationIDs(ownerID)
		return err
	})
	return ids, err
}

// Silent returns the ids of the conversations a user receives without being
// notified.
func (s *Service) Silent(ctx context.Context, ownerID string) (ids []im.ConversationID, err error) {
	err = s.store.Read(ctx, func(tx *store.Tx) (err error) {
		ids, err = tx.ConversationsByRecvOpt(ownerID, im.RecvNoNotify)
		return err
	})
	return ids, err
}

// Target says which conversation of some users is set. UserID is the peer.
type Target struct {
	ConversationID  im.ConversationID
	Type            im.SessionType
	UserID, GroupID string
}

// Set changes a conversation of each of the owners, and makes their rows where
// they are missing. A private single chat is private for both sides.
func (s *Service) Set(ctx context.Context, ownerIDs []string, t Target, c store.ConversationChange) error {
	if err := check(ownerIDs, t, c); err != nil {
		return err
	}
	private := c.PrivateChat
	c.PrivateChat = nil
	owners := slices.Compact(slices.Sorted(slices.Values(ownerIDs))) // the order in which rows are locked
	if c != (store.ConversationChange{}) {
		if err := s.setOwn(ctx, owners, t, c); err != nil {
			return err
		}
	}
	if private == nil || t.Type == im.GroupChat {
		return nil
	}
	for _, owner := range owners {
		if err := s.setPrivate(ctx, owner, t, *private); err != nil {
			return err
		}
	}
	return nil
}

// setOwn changes what each owner sees alone, and tells those for whom it
// changed.
func (s *Service) setOwn(ctx context.Context, owners []string, t Target, c store.ConversationChange) error {
	var changed []string
	err := s.store.Write(ctx, func(tx *store.Tx) error {
		changed = nil
		for _, owner := range owners {
			did, err := set(tx, owner, t, c)
			if err != nil {
				return err
			}
			if did {
				changed = append(changed, owner)
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("set conversation: %w", err)
	}
	for _, owner := range changed {
		if err := s.messages.Notify(ctx, message.Notification{
			SendID: owner, RecvID: owner,
			Notice: im.ConversationsChanged{UserID: owner, ConversationIDs: []im.ConversationID{t.ConversationID}},
		}); err != nil {
			s.log.WarnContext(ctx, "conversation change was not announced", "error", err)
		}
	}
	return nil
}

// setPrivate turns a chat of two private, or no longer so, for both sides and
// tells both, unless it is so already.
func (s *Service) setPrivate(ctx context.Context, owner string, t Target, private bool) error {
	sides := []side{{owner, t}}
	if peer := t; t.UserID != owner {
		peer.UserID = owner
		sides = append(sides, side{t.UserID, peer})
	}
	slices.SortFunc(sides, func(a, b side) int { return strings.Compare(a.owner, b.owner) })
	change := store.ConversationChange{PrivateChat: &private}
	var unchanged bool
	err := s.messages.Notify(ctx, message.Notification{SendID: owner, RecvID: t.UserID, Change: func(tx *store.Tx) (im.Notice, error) {
		unchanged = false
		for _, one := range sides { // all refusals come before the first change
			if err := one.mayBeSet(tx); err != nil {
				return nil, err
			}
		}
		changed := false
		for _, one := range sides {
			did, err := set(tx, one.owner, one.target, change)
			if err != nil {
				return nil, err
			}
			changed = changed || did
		}
		if !changed {
			unchanged = true
			return nil, errUnchanged
		}
		return im.PrivacySet{UserID: owner, PeerID: t.UserID, ConversationID: t.ConversationID, Private: private}, nil
	}})
	if err != nil && !unchanged {
		return fmt.Errorf("set private chat: %w", err)
	}
	return nil
}

// errUnchanged keeps a change that changes nothing from being announced.
var errUnchanged = im.ErrArgs.With("nothing changes")

// side is one of the two who share a chat.
type side struct {
	owner  string
	target Target
}

// mayBeSet refuses a row that is missing and must not be made.
func (s side) mayBeSet(tx *store.Tx) error {
	_, found, err := tx.Conversation(s.owner, s.target.ConversationID)
	if err != nil || found {
		return err
	}
	return mayOpen(tx, s.owner, s.target)
}

func check(ownerIDs []string, t Target, c store.ConversationChange) error {
	switch {
	case len(ownerIDs) > MaxBatch:
		return im.ErrArgs.With("more than %d users", MaxBatch)
	case t.Type != im.SingleChat && t.Type != im.GroupChat && t.Type != im.AccountChat:
		return im.ErrArgs.With("conversationType is invalid")
	case c.RecvOpt != nil && (*c.RecvOpt < im.RecvNotify || *c.RecvOpt > im.RecvNoNotify):
		return im.ErrArgs.With("recvMsgOpt is invalid")
	case c.BurnDuration != nil && *c.BurnDuration < 0, c.DestructTime != nil && *c.DestructTime < 0:
		return im.ErrArgs.With("a duration is negative")
	case c.Ex != nil && len(*c.Ex) > im.MaxText, c.AttachedInfo != nil && len(*c.AttachedInfo) > im.MaxText:
		return im.ErrArgs.With("a text is longer than %d bytes", im.MaxText)
	}
	for _, owner := range ownerIDs {
		if t.canonical(owner) != t.ConversationID {
			return im.ErrArgs.With("conversationID %s is not that of user %s with these parties", t.ConversationID, owner)
		}
	}
	return nil
}

// canonical is the id that an owner's conversation with this target must have.
func (t Target) canonical(ownerID string) im.ConversationID {
	switch t.Type {
	case im.GroupChat:
		return im.GroupConversation(t.GroupID)
	case im.AccountChat:
		return im.AccountConversation(ownerID, t.UserID)
	default:
		return im.SingleConversation(ownerID, t.UserID)
	}
}

// row is a new row of an owner, without settings.
func (t Target) row(ownerID string) im.Conversation {
	row := im.Conversation{OwnerID: ownerID, ConversationID: t.ConversationID, Type: t.Type}
	if t.Type == im.GroupChat {
		row.GroupID = t.GroupID
	} else {
		row.UserID = t.UserID
	}
	return row
}

// set applies c to an owner's row and reports whether anything changed.
func set(tx *store.Tx, owner string, t Target, c store.ConversationChange) (bool, error) {
	row, found, err := tx.Conversation(owner, t.ConversationID)
	if err != nil || !found && c == (store.ConversationChange{}) {
		return false, err
	}
	if !found {
		if err := mayOpen(tx, owner, t); err != nil {
			return false, err
		}
		fresh := t.row(owner)
		apply(&fresh, c)
		if made, err := tx.InsertConversation(fresh); err != nil || made {
			return made, err
		}
		// Somebody else made the row since we looked.
		if row, _, err = tx.Conversation(owner, t.ConversationID); err != nil {
			return false, err
		}
	}
	changed := row
	apply(&changed, c)
	if changed == row {
		return false, nil
	}
	return tx.UpdateConversation(owner, t.ConversationID, c)
}

// mayOpen refuses a row of a conversation the owner takes no part in: it would
// let him read it.
func mayOpen(tx *store.Tx, owner string, t Target) error {
	if t.Type == im.GroupChat {
		r, err := tx.GroupRules(t.GroupID, owner)
		switch {
		case err != nil:
			return err
		case !r.Known:
			return im.ErrNotFound.With("group %s", t.GroupID)
		case r.Status == im.GroupDismissed:
			return im.ErrGroupDismissed.With("group %s", t.GroupID)
		case !r.Member:
			return im.ErrNotInGroup.With("user %s", owner)
		}
		return nil
	}
	r, err := tx.SingleRules(owner, t.UserID, t.ConversationID)
	switch {
	case err != nil:
		return err
	case !r.SenderKnown || !r.ReceiverKnown:
		return im.ErrNotFound.With("userID not found")
	case r.Collision:
		return im.ErrArgs.With("the id of this conversation belongs to two other users")
	}
	return nil
}

// apply makes the change in memory, as the store makes it in the table.
func apply(row *im.Conversation, c store.ConversationChange) {
	assign(&row.RecvOpt, c.RecvOpt)
	assign(&row.Pinned, c.Pinned)
	assign(&row.PrivateChat, c.PrivateChat)
	assign(&row.BurnDuration, c.BurnDuration)
	assign(&row.GroupAtType, c.GroupAtType)
	assign(&row.AttachedInfo, c.AttachedInfo)
	assign(&row.Ex, c.Ex)
	assign(&row.Destruct, c.Destruct)
	assign(&row.DestructTime, c.DestructTime)
}

func assign[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

// maxDelete is the most conversations deleted by one request.
const maxDelete = 1000

// Delete removes conversations from a user's list. Messages stay, and the next
// one brings the conversation back. Clients are not told: they find out by sync.
func (s *Service) Delete(ctx context.Context, ownerID string, ids []im.ConversationID) error {
	if len(ids) == 0 || len(ids) > maxDelete {
		return im.ErrArgs.With("conversationIDs must list 1 to %d conversations", maxDelete)
	}
	return s.store.Write(ctx, func(tx *store.Tx) error {
		_, err := tx.DeleteConversations(ownerID, ids)
		return err
	})
}

// DeleteIdle removes the conversations in which nothing was said for some time.
func (s *Service) DeleteIdle(ctx context.Context, ownerID string, idle time.Duration) error {
	if idle <= 0 {
		return im.ErrArgs.With("needDeleteTime must be 1 day or more")
	}
	before := s.store.Now() - im.Millis(idle.Milliseconds())
	return s.store.Write(ctx, func(tx *store.Tx) error {
		ids, err := tx.ConversationIDs(ownerID)
		if err != nil {
			return err
		}
		logs, err := tx.LogStates(ids)
		if err != nil {
			return err
		}
		var old []im.ConversationID
		for _, l := range logs {
			if l.MaxSeqTime > 0 && l.MaxSeqTime < before {
				old = append(old, l.ConversationID)
			}
		}
		_, err = tx.DeleteConversations(ownerID, old)
		return err
	})
}

// SetPeerEx writes a text into everybody's conversation with a user.
func (s *Service) SetPeerEx(ctx context.Context, userID, ex string) error {
	if len(ex) > im.MaxText {
		return im.ErrArgs.With("ex is longer than %d bytes", im.MaxText)
	}
	var rows []im.Conversation
	if err := s.store.Read(ctx, func(tx *store.Tx) (err error) {
		rows, err = tx.PeerConversations(userID)
		return err
	}); err != nil {
		return err
	}
	for part := range slices.Chunk(rows, 100) { // others' writes get their turn in between
		if err := s.store.Write(ctx, func(tx *store.Tx) error {
			for _, row := range part {
				if _, err := tx.UpdateConversation(row.OwnerID, row.ConversationID, store.ConversationChange{Ex: &ex}); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			return err
		}
	}
	return nil
}
