package sim_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
)

// replicas are the lists that one client program keeps: of some users and groups,
// loaded once, and from then on only by what changed.
type replicas struct {
	w       *world
	lists   map[string]*replica
	reading map[place]im.Seq // read positions seen last
}

func newReplicas(w *world) *replicas {
	return &replicas{w: w, lists: map[string]*replica{}, reading: map[place]im.Seq{}}
}

// replica is one list.
type replica struct {
	version  im.Version
	elements map[string]string // what is known of each
	order    []string          // of lists whose order clients keep; else nil
	ordered  bool
}

// list is how a list is loaded and kept up to date.
type list struct {
	name    string
	ordered bool
	// ids are all elements in order; full is what is known of all.
	ids     func(context.Context) (im.Version, []string, error)
	full    func(context.Context) (map[string]string, error)
	changes func(ctx context.Context, since im.Version) (delta, error)
}

// delta is store.Delta of any kind of element.
type delta struct {
	version  im.Version
	full     bool
	deleted  []string
	inserted []string // ids in order
	known    map[string]string
	sort     bool
}

func deltaOf[T any](d store.Delta[T], id func(T) string) delta {
	out := delta{version: d.Version, full: d.Full, deleted: d.Deleted, sort: d.SortVersion > 0, known: map[string]string{}}
	for _, e := range d.Inserted {
		out.inserted = append(out.inserted, id(e))
		out.known[id(e)] = fmt.Sprintf("%+v", e)
	}
	for _, e := range d.Updated {
		out.known[id(e)] = fmt.Sprintf("%+v", e)
	}
	return out
}

func known[T any](all []T, id func(T) string) map[string]string {
	out := make(map[string]string, len(all))
	for _, e := range all {
		out[id(e)] = fmt.Sprintf("%+v", e)
	}
	return out
}

// bare forgets everything but which elements there are.
func bare(all map[string]string) map[string]string {
	for id := range all {
		all[id] = ""
	}
	return all
}

func (d delta) bare() delta {
	bare(d.known)
	return d
}

func friendID(f im.Friend) string             { return f.User.UserID }
func blockedID(b im.Block) string             { return b.User.UserID }
func memberID(m im.Member) string             { return m.UserID }
func groupID(g im.Group) string               { return g.GroupID }
func conversationID(c im.Conversation) string { return string(c.ConversationID) }

func (w *world) friendList(u string) list {
	return list{
		name: "friends of " + u, ordered: true,
		ids: func(ctx context.Context) (im.Version, []string, error) { return w.relations.FriendIDs(ctx, u) },
		full: func(ctx context.Context) (map[string]string, error) {
			_, all, err := w.relations.Friends(ctx, u, 0, 1000)
			return known(all, friendID), err
		},
		changes: func(ctx context.Context, since im.Version) (delta, error) {
			d, err := w.relations.FriendChanges(ctx, u, since)
			return deltaOf(d, friendID), err
		},
	}
}

// blockList knows only who is blocked: new names of the blocked are not counted.
func (w *world) blockList(u string) list {
	return list{
		name: "blocks of " + u,
		full: func(ctx context.Context) (map[string]string, error) {
			_, all, err := w.relations.Blocks(ctx, u, 0, 1000)
			return bare(known(all, blockedID)), err
		},
		changes: func(ctx context.Context, since im.Version) (delta, error) {
			d, err := w.relations.BlockChanges(ctx, u, since)
			return deltaOf(d, blockedID).bare(), err
		},
	}
}

func (w *world) conversationList(u string) list {
	return list{
		name: "conversations of " + u,
		full: func(ctx context.Context) (map[string]string, error) {
			all, err := w.conversations.All(ctx, u)
			return known(all, conversationID), err
		},
		changes: func(ctx context.Context, since im.Version) (delta, error) {
			d, err := w.conversations.Changes(ctx, u, since)
			return deltaOf(d, conversationID), err
		},
	}
}

// joinedList knows only which groups there are: their profiles come with the
// lists of their members.
func (w *world) joinedList(u string) list {
	return list{
		name: "groups of " + u,
		full: func(ctx context.Context) (map[string]string, error) {
			_, all, err := w.groups.Joined(ctx, u, 0, 1000)
			return bare(known(all, groupID)), err
		},
		changes: func(ctx context.Context, since im.Version) (delta, error) {
			d, err := w.groups.JoinedChanges(ctx, u, since)
			return deltaOf(d, groupID).bare(), err
		},
	}
}

func (w *world) memberList(id string) list {
	return list{
		name: "members of " + id, ordered: true,
		ids: func(ctx context.Context) (im.Version, []string, error) { return w.groups.MemberIDs(ctx, id) },
		full: func(ctx context.Context) (map[string]string, error) {
			all, err := w.groups.All(ctx, id)
			return known(all, memberID), err
		},
		changes: func(ctx context.Context, since im.Version) (delta, error) {
			d, err := w.groups.MemberChanges(ctx, id, since)
			return deltaOf(d.Delta, memberID), err
		},
	}
}

func (rs *replicas) listsOf(userID, group string) []list {
	w := rs.w
	return []list{w.friendList(userID), w.blockList(userID), w.conversationList(userID), w.joinedList(userID), w.memberList(group)}
}

// sync brings the lists of a user and of a group up to date, and looks at how far
// the user has read.
func (rs *replicas) sync(userID, group string) error {
	for _, l := range rs.listsOf(userID, group) {
		if err := rs.update(l); err != nil {
			return err
		}
	}
	states, _, err := rs.w.messages.ReadStates(rs.w.as(userID), userID, nil, false)
	if err != nil {
		return err
	}
	rows, err := rs.w.conversations.All(rs.w.as(userID), userID)
	if err != nil {
		return err
	}
	for id, s := range states {
		at := place{userID, id}
		if s.ReadSeq < rs.reading[at] {
			rs.w.fault("%s had read %s up to %d, and now up to %d", userID, id, rs.reading[at], s.ReadSeq)
		}
		rs.reading[at] = s.ReadSeq
	}
	for _, row := range rows {
		var last im.Seq
		if err := rs.w.store.Read(rs.w.as(userID), func(tx *store.Tx) (err error) {
			last, err = tx.MaxSeq(row.ConversationID)
			return err
		}); err != nil {
			return err
		}
		if at := (place{userID, row.ConversationID}); row.MinSeq > max(last, 1)+1 || rs.reading[at] > last {
			rs.w.fault("%s: of %d messages of %s those from %d are seen, and %d are read", userID, last, row.ConversationID, row.MinSeq, rs.reading[at])
		}
	}
	return nil
}

// update does what the official client cores do.
func (rs *replicas) update(l list) error {
	ctx := rs.w.as(root)
	r := rs.lists[l.name]
	if r == nil {
		r = &replica{ordered: l.ordered}
		rs.lists[l.name] = r
	}
	d, err := l.changes(ctx, r.version)
	if err != nil {
		return err
	}
	if d.version.ID == r.version.ID && d.version.Version < r.version.Version {
		rs.w.fault("%s: version %d after %d", l.name, d.version.Version, r.version.Version)
	}
	if d.full {
		if r.elements, err = l.full(ctx); err == nil && l.ordered {
			_, r.order, err = l.ids(ctx)
		}
		r.version = d.version
		return err
	}
	for _, id := range d.deleted {
		delete(r.elements, id)
		r.order = slices.DeleteFunc(r.order, func(other string) bool { return other == id })
	}
	for _, id := range d.inserted {
		// What came while the list was loaded may be in it.
		if !slices.Contains(r.order, id) {
			r.order = append(r.order, id)
		}
	}
	for id, what := range d.known {
		if _, listed := r.elements[id]; !listed && !slices.Contains(d.inserted, id) && l.ordered {
			rs.w.fault("%s: %s changed and was not in the list of version %d", l.name, id, r.version.Version)
		}
		r.elements[id] = what
	}
	if d.sort && l.ordered {
		if _, r.order, err = l.ids(ctx); err != nil {
			return err
		}
	}
	r.version = d.version
	return nil
}

// compare says where the replicas, brought up to date, are not the lists.
func (rs *replicas) compare() {
	w := rs.w
	ctx := w.as(root)
	var all []list
	for _, u := range w.userIDs {
		all = append(all, rs.listsOf(u, w.groupIDs[0])[:4]...)
	}
	for _, id := range w.groupIDs {
		all = append(all, w.memberList(id))
	}
	for _, l := range all {
		r := rs.lists[l.name]
		if r == nil {
			continue
		}
		before := r.version
		if err := rs.update(l); err != nil {
			if !errors.Is(err, im.ErrGroupDismissed) {
				w.fault("%s: %v", l.name, err)
			}
			continue
		}
		full, err := l.full(ctx)
		w.must(err)
		all := maps.Clone(full)
		maps.Copy(all, r.elements)
		for _, id := range slices.Sorted(maps.Keys(all)) {
			if full[id] != r.elements[id] {
				w.fault("%s since version %d: %s is %q, not %q", l.name, before.Version, id, r.elements[id], full[id])
			}
		}
		if !l.ordered {
			continue
		}
		_, ids, err := l.ids(ctx)
		w.must(err)
		if !slices.Equal(ids, r.order) {
			w.fault("%s since version %d: the order is %v, not %v", l.name, before.Version, r.order, ids)
		}
	}
}
