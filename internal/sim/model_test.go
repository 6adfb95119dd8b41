package sim_test

import (
	"fmt"
	"maps"
	"slices"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
)

// actOf is what every notice of a group says; nil of others.
func actOf(n im.Notice) *im.GroupAct {
	switch n := n.(type) {
	case im.GroupCreated:
		return &n.GroupAct
	case im.GroupChanged:
		return &n.GroupAct
	case im.MemberQuit:
		return &n.GroupAct
	case im.MembersKicked:
		return &n.GroupAct
	case im.MembersInvited:
		return &n.GroupAct
	case im.MemberEntered:
		return &n.GroupAct
	case im.GroupTransferred:
		return &n.GroupAct
	case im.MemberMuted:
		return &n.GroupAct
	case im.MemberChanged:
		return &n.GroupAct
	case im.GroupEnded:
		return &n.GroupAct
	}
	return nil
}

// roster is the model of a group: who is in it, with which role.
type roster map[string]int32

// apply takes in one notice, as a client does that asks nobody, and says what it
// could not mean in this state.
func (r roster) apply(n im.Notice) error {
	join := func(members ...im.Member) error {
		for _, m := range members {
			if r[m.UserID] != 0 {
				return fmt.Errorf("%s joins and is in already", m.UserID)
			}
			r[m.UserID] = m.Role
		}
		return nil
	}
	leave := func(members ...im.Member) error {
		for _, m := range members {
			switch r[m.UserID] {
			case 0:
				return fmt.Errorf("%s leaves and is not in", m.UserID)
			case im.RoleOwner:
				return fmt.Errorf("%s leaves and is the owner", m.UserID)
			}
			delete(r, m.UserID)
		}
		return nil
	}
	above := func(operator im.Member, members ...im.Member) error {
		for _, m := range members {
			if operator.AppLevel != im.LevelAdmin && r[operator.UserID] <= r[m.UserID] {
				return fmt.Errorf("%s, role %d, acts on %s, role %d", operator.UserID, r[operator.UserID], m.UserID, r[m.UserID])
			}
		}
		return nil
	}
	switch n := n.(type) {
	case im.GroupCreated:
		return join(n.Members...)
	case im.MembersInvited:
		return join(n.Members...)
	case im.MemberEntered:
		return join(n.Member)
	case im.MemberQuit:
		return leave(n.Member)
	case im.MembersKicked:
		if err := above(n.Operator, n.Members...); err != nil {
			return err
		}
		return leave(n.Members...)
	case im.GroupTransferred:
		if r[n.Old.UserID] != im.RoleOwner || r[n.New.UserID] == 0 {
			return fmt.Errorf("%s, role %d, gives the group to %s, role %d", n.Old.UserID, r[n.Old.UserID], n.New.UserID, r[n.New.UserID])
		}
		r[n.Old.UserID], r[n.New.UserID] = n.Old.Role, im.RoleOwner
		if n.Old.Role >= im.RoleOwner || n.New.Role != im.RoleOwner {
			return fmt.Errorf("after the transfer %s has role %d, %s role %d", n.Old.UserID, n.Old.Role, n.New.UserID, n.New.Role)
		}
	case im.MemberChanged:
		if r[n.Member.UserID] == 0 {
			return fmt.Errorf("%s changes and is not in", n.Member.UserID)
		}
		if n.Member.Role != r[n.Member.UserID] && n.Sort == 0 {
			return fmt.Errorf("%s gets role %d after %d, and the order is the same", n.Member.UserID, n.Member.Role, r[n.Member.UserID])
		}
		r[n.Member.UserID] = n.Member.Role
	case im.MemberMuted:
		if r[n.Member.UserID] != n.Member.Role {
			return fmt.Errorf("%s is muted with role %d, and has %d", n.Member.UserID, n.Member.Role, r[n.Member.UserID])
		}
	}
	return nil
}

// check compares everything there is with the models.
func (w *world) check() {
	w.t.Helper()
	for _, id := range w.groupIDs {
		w.checkGroup(id)
	}
	w.checkLogs()
	for _, u := range w.userIDs {
		w.checkUser(u)
	}
}

// checkGroup replays a group's history from its notices, version by version, and
// then asks for the changes since each of them.
func (w *world) checkGroup(id string) {
	w.t.Helper()
	told := w.told[id]
	var last uint64
	for v := range told {
		last = max(last, v)
	}
	r := roster{}
	at := []roster{{}} // by version
	for v := uint64(1); v <= last; v++ {
		if len(told[v]) == 0 {
			w.fault("group %s: version %d of %d was not told", id, v, last)
			return
		}
		for _, n := range told[v] {
			if err := r.apply(n); err != nil {
				w.fault("group %s, version %d, %T: %v", id, v, n, err)
			}
		}
		w.checkRoster(fmt.Sprintf("group %s, version %d", id, v), r, actOf(told[v][0]).Group)
		at = append(at, maps.Clone(r))
	}
	version, ids, err := w.groups.MemberIDs(w.t.Context(), id)
	w.must(err)
	// The end of a group has no version: nobody is in it to ask for more.
	end := told[0]
	if len(end) > 0 {
		clear(r)
	} else if version.Version != last {
		w.fault("group %s is at version %d and %d were told", id, version.Version, last)
	}
	members, err := w.groups.All(w.as(root), id)
	w.must(err)
	rows := roster{}
	for _, m := range members {
		rows[m.UserID] = m.Role
	}
	if !maps.Equal(rows, r) || len(ids) != len(r) {
		w.fault("group %s has %v, its notices say %v", id, rows, r)
	}
	groups, err := w.groups.Groups(w.t.Context(), []string{id})
	w.must(err)
	if dismissed := groups[0].Status == im.GroupDismissed; dismissed || len(end) > 0 {
		if !dismissed || len(end) == 0 {
			w.fault("group %s: its end was told %d times, its status is %d", id, len(end), groups[0].Status)
		}
		return
	}
	w.checkRoster("group "+id, rows, groups[0])
	for v := uint64(1); v < last; v++ {
		d, err := w.groups.MemberChanges(w.as(root), id, im.Version{ID: version.ID, Version: v})
		w.must(err)
		if d.Full {
			w.fault("group %s: the changes since version %d are the full list", id, v)
			continue
		}
		have := maps.Clone(at[v])
		for _, gone := range d.Deleted {
			delete(have, gone)
		}
		for _, m := range d.Updated {
			if have[m.UserID] == 0 {
				w.fault("group %s since version %d: %s changed and was not in", id, v, m.UserID)
			}
			have[m.UserID] = m.Role
		}
		for _, m := range d.Inserted {
			have[m.UserID] = m.Role
		}
		if !maps.Equal(have, r) {
			w.fault("group %s: version %d, %v, with the changes since is %v, not %v", id, v, at[v], have, r)
		}
	}
}

// checkRoster: one owner, who is named as such, and everybody counted.
func (w *world) checkRoster(where string, r roster, g im.Group) {
	owners := 0
	for id, role := range r {
		if role == im.RoleOwner {
			owners++
			if id != g.OwnerID {
				w.fault("%s: %s is the owner, and %s is named", where, id, g.OwnerID)
			}
		}
	}
	if owners != 1 || int(g.MemberCount) != len(r) {
		w.fault("%s: %d owners, %d members counted of %v", where, owners, g.MemberCount, r)
	}
}

// checkLogs: every conversation was delivered without gaps or repeats, and says
// the same when it is read.
func (w *world) checkLogs() {
	for id, delivered := range w.logs {
		for i, m := range delivered {
			if m.Seq != im.Seq(i+1) {
				w.fault("%s: place %d has seq %d", id, i+1, m.Seq)
				return
			}
		}
		w.must(w.store.Read(w.t.Context(), func(tx *store.Tx) error {
			stored, err := tx.MessageRange(id, 1, im.Seq(len(delivered)+10))
			if err != nil {
				return err
			}
			if !slices.EqualFunc(stored, delivered, func(a, b *im.Message) bool { return a.Seq == b.Seq && a.ClientMsgID == b.ClientMsgID }) {
				w.fault("%s: %d messages are stored, %d were delivered", id, len(stored), len(delivered))
			}
			return nil
		}))
	}
}

// checkUser compares a user's lists and read positions with the models.
func (w *world) checkUser(u string) {
	states, _, err := w.messages.ReadStates(w.as(u), u, nil, false)
	w.must(err)
	for id, s := range states {
		if s.ReadSeq != w.read[place{u, id}] {
			w.fault("%s has read %s up to %d, and is at %d", u, id, w.read[place{u, id}], s.ReadSeq)
		}
	}
	wanted := func(list map[[2]string]bool) (others []string) {
		for pair := range list {
			if pair[0] == u {
				others = append(others, pair[1])
			}
		}
		slices.Sort(others)
		return others
	}
	_, friends, err := w.relations.FriendIDs(w.t.Context(), u)
	w.must(err)
	if want := wanted(w.friends); !slices.Equal(slices.Sorted(slices.Values(friends)), want) {
		w.fault("%s has the friends %v, not %v", u, friends, want)
	}
	_, blocks, err := w.relations.Blocks(w.as(u), u, 0, 100)
	w.must(err)
	var blocked []string
	for _, b := range blocks {
		blocked = append(blocked, b.User.UserID)
	}
	slices.Sort(blocked)
	if want := wanted(w.blocks); !slices.Equal(blocked, want) {
		w.fault("%s blocks %v, not %v", u, blocked, want)
	}
	rows, err := w.conversations.All(w.t.Context(), u)
	w.must(err)
	for _, row := range rows {
		if want := w.rows[place{u, row.ConversationID}]; row.Ex != want {
			w.fault("%s set %s to %q, and it is %q", u, row.ConversationID, want, row.Ex)
		}
	}
	_, joined, err := w.groups.JoinedIDs(w.t.Context(), u)
	w.must(err)
	for _, id := range w.groupIDs {
		members, err := w.groups.Some(w.t.Context(), id, []string{u})
		w.must(err)
		if in := len(members) > 0; in != slices.Contains(joined, id) {
			w.fault("%s is in group %s: %v; his list says %v", u, id, in, !in)
		}
	}
}
