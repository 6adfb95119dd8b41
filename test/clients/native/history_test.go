package native

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"github.com/openimsdk/openim-sdk-core/v3/pkg/constant"
	"github.com/openimsdk/openim-sdk-core/v3/pkg/db/model_struct"
	"github.com/openimsdk/openim-sdk-core/v3/sdk_struct"
	"github.com/openimsdk/protocol/sdkws"
	"github.com/parley-im/parley/test/harness"
)

// history is a random but repeatable life of one user, the subject, among some
// others: everybody makes friends, founds groups, writes, reads, revokes. All act
// by REST; what the subject does there is to his devices as if another device of
// his had done it.
//
// The history knows who is in which group with which role only to choose things
// that mostly succeed. What the server refuses is part of it, too.
type history struct {
	server  *harness.Server
	rng     *rand.Rand
	subject string
	users   []string  // the subject first
	online  []*device // of the subject
	away    bool      // one of his devices is not online

	tokens   map[string]string
	groups   []*society
	asked    [][2]string      // friend requests nobody answered, from and to
	founded  map[string]bool  // groups the subject made and did not give away
	belonged map[string]bool  // groups the subject is or was in, or was invited to
	cleared  map[string]int64 // by conversation: the last seq the subject sees no more
	chats    map[string]bool  // single conversations of the subject in which somebody wrote
	done     []string         // what happened, for a failed test
	counts   map[string]int   // by kind of step: how many were not refused
}

// society is a group with its members' roles.
type society struct {
	id    string
	roles map[string]int32
	asked []string // who applied and was not answered
}

func newHistory(server *harness.Server, seed uint64, users []string) (*history, error) {
	h := &history{
		server: server, rng: rand.New(rand.NewPCG(seed, 1)), subject: users[0], users: users,
		tokens: map[string]string{}, founded: map[string]bool{}, belonged: map[string]bool{}, cleared: map[string]int64{}, chats: map[string]bool{}, counts: map[string]int{},
	}
	for _, id := range users {
		token, err := server.UserToken(id, web)
		if err != nil {
			return nil, err
		}
		h.tokens[id] = token
	}
	return h, nil
}

// step is something that may happen. weight says how often.
type step struct {
	name   string
	weight int
	do     func(*history) (string, error)
}

// errNothing says that a step has nothing to work on yet.
var errNothing = errors.New("nothing to do")

var steps = []step{
	{"write", 14, (*history).write},
	{"write to a group", 14, (*history).writeToGroup},
	{"mention", 4, (*history).mention},
	{"revoke", 6, (*history).revoke},
	{"delete", 4, (*history).remove},
	{"clear", 1, (*history).clear},
	{"read", 8, (*history).read},
	{"be read", 4, (*history).beRead},
	{"ask for friendship", 4, (*history).askFriend},
	{"answer a friend", 5, (*history).answerFriend},
	{"end a friendship", 1, (*history).endFriendship},
	{"describe a friend", 3, (*history).describeFriend},
	{"block", 2, (*history).block},
	{"unblock", 2, (*history).unblock},
	{"rename", 2, (*history).rename},
	{"found a group", 3, (*history).found},
	{"invite", 3, (*history).invite},
	{"kick", 2, (*history).kick},
	{"quit", 1, (*history).quit},
	{"apply", 3, (*history).apply},
	{"answer an applicant", 3, (*history).answerApplicant},
	{"role", 3, (*history).role},
	{"mute", 2, (*history).mute},
	{"mute a group", 1, (*history).muteGroup},
	{"transfer", 1, (*history).transfer},
	{"describe a group", 3, (*history).describeGroup},
	{"describe a member", 3, (*history).describeMember},
	{"dismiss", 1, (*history).dismiss},
	{"set a conversation", 5, (*history).setConversation},
}

// live lets count things happen.
func (h *history) live(count int) error {
	total := 0
	for _, s := range steps {
		total += s.weight
	}
	for happened := 0; happened < count; {
		at := h.rng.IntN(total)
		i := 0
		for ; at >= steps[i].weight; i++ {
			at -= steps[i].weight
		}
		what, err := steps[i].do(h)
		if errors.Is(err, errNothing) {
			continue
		}
		if refusal, ok := errors.AsType[*harness.Error](err); ok && refusal.Code != 500 {
			what += ": " + refusal.Error()
		} else if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		} else {
			h.counts[steps[i].name]++
		}
		happened++
		h.done = append(h.done, what)
	}
	return nil
}

type body map[string]any

// post is a call of the administrator, as a user's one of that user.
func (h *history) post(path string, b body) error { return h.server.PostAdmin(path, b, nil) }

func (h *history) as(userID, path string, b body) error {
	return h.server.Post(path, h.tokens[userID], b, nil)
}

func one[T any](rng *rand.Rand, from []T) T { return from[rng.IntN(len(from))] }

// other is anybody but the subject.
func (h *history) other() string { return one(h.rng, h.users[1:]) }

// pair is the subject and somebody else, in any order.
func (h *history) pair() (from, to string) {
	from, to = h.subject, h.other()
	if h.rng.IntN(2) == 0 {
		return to, from
	}
	return from, to
}

func (h *history) number() string { return strconv.Itoa(len(h.done)) }

// Messages.

func (h *history) send(from, to, groupID string, contentType int, content body) error {
	session := constant.SingleChatType
	if groupID != "" {
		session = constant.ReadGroupChatType
	}
	return h.post("/msg/send_msg", body{
		"sendID": from, "recvID": to, "groupID": groupID, "senderPlatformID": web,
		"senderNickname": harness.Nickname(from), "senderFaceURL": harness.FaceURL(from),
		"content": content, "contentType": contentType, "sessionType": session,
	})
}

func (h *history) write() (string, error) {
	from, to := h.pair()
	id := single(from, to)
	what := fmt.Sprintf("%s writes to %s", from, to)
	if err := h.open(from, id); err != nil {
		return what, err
	}
	err := h.send(from, to, "", constant.Text, body{"content": "text " + h.number()})
	if err == nil {
		h.chats[id] = true
	}
	return what, err
}

func (h *history) writeToGroup() (string, error) {
	c, from := h.member()
	if c == nil {
		return "", errNothing
	}
	what := fmt.Sprintf("%s writes to group %s", from, c.id)
	if from == h.subject {
		if err := h.open(from, "sg_"+c.id); err != nil {
			return what, err
		}
	}
	return what, h.send(from, "", c.id, constant.Text, body{"content": "text " + h.number()})
}

func (h *history) mention() (string, error) {
	c, from := h.member()
	if c == nil {
		return "", errNothing
	}
	whom := one(h.rng, append(c.members(), constant.AtAllString))
	what := fmt.Sprintf("%s mentions %s in group %s", from, whom, c.id)
	if from == h.subject {
		if err := h.open(from, "sg_"+c.id); err != nil {
			return what, err
		}
	}
	return what, h.send(from, "", c.id, constant.AtText, body{
		"text": "@" + whom + " " + h.number(), "atUserList": []string{whom}, "isAtSelf": false,
	})
}

// act is a call by somebody in a group that leaves a line in its chat.
func (h *history) act(c *society, who, path string, b body) error {
	if who == h.subject {
		if err := h.open(who, "sg_"+c.id); err != nil {
			return err
		}
	}
	return h.as(who, path, b)
}

// open is what an app does before its user can write: the conversation counts as
// read. The server knows nobody but as a reader up to his last message; a client
// core knows of no reading but by a receipt. Only with this rule both mean the
// same.
func (h *history) open(userID, conversationID string) error {
	seqs, last, err := h.unread(userID, conversationID)
	if err != nil || last == 0 {
		return err
	}
	return h.markRead(conversationID, userID, last, seqs)
}

func (h *history) markRead(conversationID, userID string, last int64, seqs []int64) error {
	if strings.HasPrefix(conversationID, "sg_") {
		seqs = nil
	}
	err := h.as(userID, "/msg/mark_conversation_as_read", body{
		"conversationID": conversationID, "userID": userID, "hasReadSeq": last, "seqs": seqs,
	})
	if err != nil {
		return err
	}
	if userID == h.subject {
		return h.noticed("reading "+conversationID, conversationID, func(c *model_struct.LocalConversation, latest *sdk_struct.MsgStruct, _ []*model_struct.LocalChatLog) bool {
			return c.UnreadCount == 0 && (latest.IsRead || latest.Seq == 0 || !slices.Contains(seqs, latest.Seq) || latest.SendID == h.subject)
		})
	}
	return h.noticed("being read in "+conversationID, conversationID, func(_ *model_struct.LocalConversation, latest *sdk_struct.MsgStruct, log []*model_struct.LocalChatLog) bool {
		unread := func(sender string, seq int64, isRead bool) bool {
			return sender == h.subject && seq > 0 && slices.Contains(seqs, seq) && !isRead
		}
		return !unread(latest.SendID, latest.Seq, latest.IsRead) && !slices.ContainsFunc(log, func(m *model_struct.LocalChatLog) bool {
			return m.Status < constant.MsgStatusHasDeleted && unread(m.SendID, m.Seq, m.IsRead)
		})
	})
}

// noticed waits until every device of the subject that is online has taken in a
// change of messages that are there already.
//
// The core takes each notice on a goroutine of its own and guards neither the
// number of unread messages, nor the latest message, nor the rows of the log
// against the next notice or message: it reads them, changes them and writes them
// back. In an app these are seconds apart; here they must not come at once.
func (h *history) noticed(what, conversationID string, done func(c *model_struct.LocalConversation, latest *sdk_struct.MsgStruct, log []*model_struct.LocalChatLog) bool) error {
	newest, err := h.newest(h.subject, conversationID)
	if err != nil {
		return err
	}
	for _, d := range h.online {
		d.eventually(what, func() error {
			c, err := d.mgr.Relation().Db().GetConversation(d.ctx(), conversationID)
			if err != nil {
				return err
			}
			log, err := d.chatLog(conversationID)
			if err != nil {
				return err
			}
			var latest sdk_struct.MsgStruct
			_ = json.Unmarshal([]byte(c.LatestMsg), &latest) // may be none
			// Else the device may look as if it were done because it has yet to begin.
			arrived := newest <= h.cleared[conversationID] || slices.ContainsFunc(log, func(m *model_struct.LocalChatLog) bool {
				return m.Seq == newest && (m.Status >= constant.MsgStatusHasDeleted || latest.Seq >= newest)
			})
			if !arrived || !done(c, &latest, log) {
				return fmt.Errorf("shows %d unread messages, %s as the latest", c.UnreadCount, c.LatestMsg)
			}
			return nil
		})
	}
	return nil
}

// unread lists the seqs of a conversation that a user has not read, and its last.
// The last is 0 if there are none.
func (h *history) unread(userID, conversationID string) (seqs []int64, last int64, err error) {
	var got struct {
		Seqs map[string]struct{ MaxSeq, HasReadSeq int64 }
	}
	err = h.server.PostAdmin("/msg/get_conversations_has_read_and_max_seq", body{
		"userID": userID, "conversationIDs": []string{conversationID},
	}, &got)
	if err != nil {
		return nil, 0, err
	}
	s := got.Seqs[conversationID]
	for seq := s.HasReadSeq + 1; seq <= s.MaxSeq; seq++ {
		seqs = append(seqs, seq)
	}
	if len(seqs) == 0 {
		return nil, 0, nil
	}
	return seqs, s.MaxSeq, nil
}

func (h *history) read() (string, error) {
	id := h.conversation()
	if id == "" {
		return "", errNothing
	}
	seqs, last, err := h.unread(h.subject, id)
	if err != nil || last == 0 {
		return "", cmp.Or(err, errNothing)
	}
	return fmt.Sprintf("the subject reads %s up to %d", id, last), h.markRead(id, h.subject, last, seqs)
}

// beRead lets the other side of a chat read what the subject wrote.
func (h *history) beRead() (string, error) {
	other := h.other()
	id := single(h.subject, other)
	seqs, last, err := h.unread(other, id)
	if err != nil || last == 0 {
		return "", cmp.Or(err, errNothing)
	}
	return fmt.Sprintf("%s reads %s up to %d", other, id, last), h.markRead(id, other, last, seqs)
}

// newest is the last seq of a conversation that a user may see.
func (h *history) newest(userID, conversationID string) (int64, error) {
	all, err := h.newestAll(userID)
	return all[conversationID], err
}

func (h *history) newestAll(userID string) (map[string]int64, error) {
	var got struct{ MaxSeqs map[string]int64 }
	err := h.server.PostAdmin("/msg/newest_seq", body{"userID": userID}, &got)
	return got.MaxSeqs, err
}

// log is the last messages of a conversation as a user may see them.
func (h *history) log(userID, conversationID string) ([]*sdkws.MsgData, error) {
	last, err := h.newest(userID, conversationID)
	if err != nil || last == 0 {
		return nil, err
	}
	var got struct {
		Msgs map[string]struct{ Msgs []json.RawMessage }
	}
	err = h.server.PostAdmin("/msg/pull_msg_by_seq", body{"userID": userID, "seqRanges": []body{
		{"conversationID": conversationID, "begin": max(last-19, 1), "end": last, "num": 20},
	}}, &got)
	if err != nil {
		return nil, err
	}
	var found []*sdkws.MsgData
	for _, raw := range got.Msgs[conversationID].Msgs {
		var m struct {
			Seq         int64
			SendID      string
			ContentType int32
			Status      int32
		}
		if err := json.Unmarshal(raw, &m); err != nil {
			return nil, err
		}
		if m.Status < constant.MsgStatusHasDeleted && m.ContentType < constant.NotificationBegin {
			found = append(found, &sdkws.MsgData{Seq: m.Seq, SendID: m.SendID, ContentType: m.ContentType})
		}
	}
	return found, nil
}

func (h *history) revoke() (string, error) {
	id := h.conversation()
	if id == "" {
		return "", errNothing
	}
	log, err := h.log(h.subject, id)
	if err != nil || len(log) == 0 {
		return "", cmp.Or(err, errNothing)
	}
	if h.away {
		// A core that hears of both at once, that a message was read and that it was
		// revoked, may write back the text with the mark; and of the latest message the
		// text, if it loads newer ones at once.
		newest, err := h.newest(h.subject, id)
		if err != nil {
			return "", err
		}
		log = slices.DeleteFunc(log, func(m *sdkws.MsgData) bool {
			return m.Seq == newest || h.societyOf(id) == nil && m.SendID == h.subject
		})
		if len(log) == 0 {
			return "", errNothing
		}
	}
	m := one(h.rng, log)
	by := m.SendID
	if c := h.societyOf(id); c != nil && h.rng.IntN(2) == 0 {
		by = one(h.rng, c.members())
	}
	what := fmt.Sprintf("%s revokes %s %d", by, id, m.Seq)
	if err := h.as(by, "/msg/revoke_msg", body{"conversationID": id, "seq": m.Seq, "userID": by}); err != nil {
		return what, err
	}
	return what, h.noticed(what, id, func(_ *model_struct.LocalConversation, latest *sdk_struct.MsgStruct, log []*model_struct.LocalChatLog) bool {
		return !slices.ContainsFunc(log, func(row *model_struct.LocalChatLog) bool {
			return row.Seq == m.Seq && row.ContentType != constant.RevokeNotification
		}) && (latest.Seq != m.Seq || latest.ContentType == constant.RevokeNotification)
	})
}

// remove deletes a message for the subject only; his devices are told.
func (h *history) remove() (string, error) {
	id := h.conversation()
	if id == "" {
		return "", errNothing
	}
	log, err := h.log(h.subject, id)
	if err != nil || len(log) == 0 {
		return "", cmp.Or(err, errNothing)
	}
	if err := h.open(h.subject, id); err != nil {
		return "", err
	}
	if h.societyOf(id) == nil {
		// Of an own message that is deleted a core may make the latest again, when it
		// hears that it was read.
		log = slices.DeleteFunc(log, func(m *sdkws.MsgData) bool { return m.SendID == h.subject })
		if len(log) == 0 {
			return "", errNothing
		}
	}
	if h.away {
		// A core that hears later of a deleted message counts one unread message less,
		// even if it was read; if it hears of a receipt at once, it may write back the
		// message with the mark; and if the newest message is deleted when it comes back,
		// it goes on showing the one it knew last.
		newest, err := h.newest(h.subject, id)
		if err != nil {
			return "", err
		}
		log = slices.DeleteFunc(log, func(m *sdkws.MsgData) bool { return m.SendID != h.subject || m.Seq == newest })
		if len(log) == 0 || h.societyOf(id) == nil {
			return "", errNothing
		}
	}
	m := one(h.rng, log)
	what := fmt.Sprintf("the subject deletes %s %d", id, m.Seq)
	if err := h.as(h.subject, "/msg/delete_msgs", body{
		"conversationID": id, "seqs": []int64{m.Seq}, "userID": h.subject, "deleteSyncOpt": body{"isSyncSelf": true},
	}); err != nil {
		return what, err
	}
	return what, h.noticed(what, id, func(_ *model_struct.LocalConversation, latest *sdk_struct.MsgStruct, log []*model_struct.LocalChatLog) bool {
		return latest.Seq != m.Seq && !slices.ContainsFunc(log, func(row *model_struct.LocalChatLog) bool {
			return row.Seq == m.Seq && row.Status < constant.MsgStatusHasDeleted
		})
	})
}

func (h *history) clear() (string, error) {
	id := h.conversation()
	if id == "" {
		return "", errNothing
	}
	if err := h.open(h.subject, id); err != nil {
		return "", err
	}
	last, err := h.newest(h.subject, id)
	if err != nil {
		return "", err
	}
	if last <= h.cleared[id] {
		return "", errNothing // of which nothing could be noticed
	}
	what := "the subject clears " + id
	if err := h.as(h.subject, "/msg/clear_conversation_msg", body{
		"conversationIDs": []string{id}, "userID": h.subject, "deleteSyncOpt": body{"isSyncSelf": true},
	}); err != nil {
		return what, err
	}
	h.cleared[id] = last
	return what, h.noticed(what, id, func(_ *model_struct.LocalConversation, latest *sdk_struct.MsgStruct, log []*model_struct.LocalChatLog) bool {
		return len(log) == 0 && latest.Seq == 0
	})
}

// Friends.

func (h *history) askFriend() (string, error) {
	from, to := h.pair()
	err := h.as(from, "/friend/add_friend", body{
		"fromUserID": from, "toUserID": to, "reqMsg": "please " + h.number(), "ex": "ex " + h.number(),
	})
	if err == nil {
		h.asked = append(h.asked, [2]string{from, to})
	}
	return fmt.Sprintf("%s asks %s to be friends", from, to), err
}

func (h *history) answerFriend() (string, error) {
	if len(h.asked) == 0 {
		return "", errNothing
	}
	i := h.rng.IntN(len(h.asked))
	from, to := h.asked[i][0], h.asked[i][1]
	h.asked = slices.Delete(h.asked, i, i+1)
	result := 1
	if h.rng.IntN(4) == 0 {
		result = -1
	}
	if err := h.open(to, single(from, to)); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s answers %d to %s", to, result, from), h.as(to, "/friend/add_friend_response", body{
		"fromUserID": from, "toUserID": to, "handleResult": result, "handleMsg": "answer " + h.number(),
	})
}

func (h *history) endFriendship() (string, error) {
	from, to := h.pair()
	return fmt.Sprintf("%s is no friend of %s any more", to, from), h.as(from, "/friend/delete_friend", body{
		"ownerUserID": from, "friendUserID": to,
	})
}

func (h *history) describeFriend() (string, error) {
	friend := h.other()
	set := body{"ownerUserID": h.subject, "friendUserIDs": []string{friend}}
	switch h.rng.IntN(3) {
	case 0:
		set["remark"] = "remark " + h.number()
	case 1:
		set["isPinned"] = h.rng.IntN(2) == 0
	default:
		set["ex"] = "ex " + h.number()
	}
	return fmt.Sprintf("the subject describes %s as %v", friend, set), h.as(h.subject, "/friend/update_friends", set)
}

func (h *history) block() (string, error) {
	other := h.other()
	return "the subject blocks " + other, h.as(h.subject, "/friend/add_black", body{"ownerUserID": h.subject, "blackUserID": other, "ex": h.number()})
}

func (h *history) unblock() (string, error) {
	other := h.other()
	return "the subject unblocks " + other, h.as(h.subject, "/friend/remove_black", body{"ownerUserID": h.subject, "blackUserID": other})
}

// rename changes how somebody is called or looks.
func (h *history) rename() (string, error) {
	who := one(h.rng, h.users)
	set := body{"userID": who, "nickname": "name " + h.number()}
	if h.rng.IntN(2) == 0 {
		set = body{"userID": who, "faceURL": "http://faces.test/" + h.number() + ".png"}
	}
	return fmt.Sprintf("a user changes: %v", set), h.as(who, "/user/update_user_info_ex", body{"userInfo": set})
}

// Groups.

func (c *society) members() []string { return slices.Sorted(maps.Keys(c.roles)) }

func (c *society) with(role int32) []string {
	return slices.DeleteFunc(c.members(), func(id string) bool { return c.roles[id] != role })
}

func (c *society) owner() string { return c.with(constant.GroupOwner)[0] }

// manager is the owner or an administrator.
func (h *history) manager(c *society) string {
	return one(h.rng, slices.DeleteFunc(c.members(), func(id string) bool { return c.roles[id] < constant.GroupAdmin }))
}

func (h *history) society() *society {
	if len(h.groups) == 0 {
		return nil
	}
	return one(h.rng, h.groups)
}

// entered waits until the subject's devices have loaded a group he came into.
//
// A core loads the group, then all its members with their version. Who comes in
// between is in the list and in that version, so that the notice of it counts as
// old; but not in the number of members.
func (h *history) entered(groupID string) error {
	for _, d := range h.online {
		d.eventually("loading group "+groupID, func() error {
			db := d.mgr.Relation().Db()
			if _, err := db.GetGroupInfoByGroupID(d.ctx(), groupID); err != nil {
				return err
			}
			_, err := db.GetVersionSync(d.ctx(), membersTable, groupID)
			return err
		})
	}
	return nil
}

// member is a group and somebody in it.
func (h *history) member() (*society, string) {
	c := h.society()
	if c == nil {
		return nil, ""
	}
	return c, one(h.rng, c.members())
}

func (h *history) societyOf(conversationID string) *society {
	for _, c := range h.groups {
		if "sg_"+c.id == conversationID {
			return c
		}
	}
	return nil
}

// conversation is one the subject takes part in, or "".
func (h *history) conversation() string {
	ids := slices.Sorted(maps.Keys(h.chats))
	for _, c := range h.groups {
		if c.roles[h.subject] != 0 {
			ids = append(ids, "sg_"+c.id)
		}
	}
	if len(ids) == 0 {
		return ""
	}
	return one(h.rng, ids)
}

// outsider is somebody who is not in the group, or "".
func (h *history) outsider(c *society) string {
	out := slices.DeleteFunc(slices.Clone(h.users), func(id string) bool { return c.roles[id] != 0 })
	if len(out) == 0 {
		return ""
	}
	return one(h.rng, out)
}

const mostGroups = 5

func (h *history) found() (string, error) {
	if len(h.groups) == mostGroups {
		return "", errNothing
	}
	who := slices.Clone(h.users)
	h.rng.Shuffle(len(who), func(i, j int) { who[i], who[j] = who[j], who[i] })
	who = who[:2+h.rng.IntN(len(who)-1)]
	id := "club" + h.number() + "of" + h.subject
	err := h.as(who[0], "/group/create_group", body{
		"ownerUserID": who[0], "memberUserIDs": who[1:], "groupInfo": body{
			"groupID": id, "groupName": "group " + h.number(), "groupType": constant.WorkingGroup, "needVerification": h.rng.IntN(3),
			"introduction": "about " + h.number(), "ex": "ex " + h.number(),
		},
	})
	if err == nil {
		c := &society{id: id, roles: map[string]int32{}}
		for _, id := range who {
			c.roles[id] = constant.GroupOrdinaryUsers
		}
		c.roles[who[0]] = constant.GroupOwner
		h.founded[id] = who[0] == h.subject
		if slices.Contains(who, h.subject) {
			h.belonged[id] = true
			err = h.entered(id)
		}
		h.groups = append(h.groups, c)
	}
	return fmt.Sprintf("%s founds group %s with %v", who[0], id, who[1:]), err
}

func (h *history) invite() (string, error) {
	c := h.society()
	if c == nil || h.outsider(c) == "" {
		return "", errNothing
	}
	who := h.outsider(c)
	by := one(h.rng, c.members())
	err := h.act(c, by, "/group/invite_user_to_group", body{"groupID": c.id, "reason": h.number(), "invitedUserIDs": []string{who}})
	if err == nil {
		h.belonged[c.id] = h.belonged[c.id] || who == h.subject
		if err = h.lookIn(c, who); c.roles[who] == 0 {
			c.asked = append(c.asked, who)
		}
	}
	return fmt.Sprintf("%s invites %s to group %s", by, who, c.id), err
}

func (h *history) kick() (string, error) {
	c, who := h.member()
	if c == nil || c.roles[who] == constant.GroupOwner || len(c.roles) < 3 {
		return "", errNothing
	}
	err := h.act(c, h.manager(c), "/group/kick_group", body{"groupID": c.id, "kickedUserIDs": []string{who}, "reason": h.number()})
	if err == nil {
		delete(c.roles, who)
	}
	return fmt.Sprintf("%s is thrown out of group %s", who, c.id), err
}

func (h *history) quit() (string, error) {
	c, who := h.member()
	if c == nil || c.roles[who] == constant.GroupOwner || len(c.roles) < 3 {
		return "", errNothing
	}
	err := h.act(c, who, "/group/quit_group", body{"groupID": c.id, "userID": who})
	if err == nil {
		delete(c.roles, who)
	}
	return fmt.Sprintf("%s leaves group %s", who, c.id), err
}

func (h *history) apply() (string, error) {
	c := h.society()
	if c == nil || h.outsider(c) == "" {
		return "", errNothing
	}
	who := h.outsider(c)
	err := h.as(who, "/group/join_group", body{
		"groupID": c.id, "reqMessage": "let me in " + h.number(), "joinSource": 3, "inviterUserID": who, "ex": h.number(),
	})
	if err == nil {
		if err = h.lookIn(c, who); c.roles[who] == 0 {
			c.asked = append(c.asked, who)
		}
	}
	return fmt.Sprintf("%s applies to group %s", who, c.id), err
}

// lookIn finds out whether somebody is a member by now.
func (h *history) lookIn(c *society, who string) error {
	var got struct{ Members []struct{ UserID string } }
	if err := h.server.PostAdmin("/group/get_group_members_info", body{"groupID": c.id, "userIDs": []string{who}}, &got); err != nil {
		return err
	}
	if len(got.Members) == 0 || c.roles[who] != 0 {
		return nil
	}
	c.roles[who] = constant.GroupOrdinaryUsers
	if who != h.subject {
		return nil
	}
	h.belonged[c.id] = true
	if err := h.entered(c.id); err != nil {
		return err
	}
	// Of what was written before he came the core counts as unread what it pulls; the
	// server nothing, if he came by himself and so wrote the last line.
	id := "sg_" + c.id
	last, err := h.newest(who, id)
	if err != nil {
		return err
	}
	return h.markRead(id, who, last, nil)
}

func (h *history) answerApplicant() (string, error) {
	c := h.society()
	if c == nil || len(c.asked) == 0 {
		return "", errNothing
	}
	who := c.asked[0]
	c.asked = c.asked[1:]
	result := 1
	if h.rng.IntN(4) == 0 {
		result = -1
	}
	err := h.act(c, h.manager(c), "/group/group_application_response", body{
		"groupID": c.id, "fromUserID": who, "handledMsg": "answer " + h.number(), "handleResult": result,
	})
	if err == nil {
		err = h.lookIn(c, who)
	}
	return fmt.Sprintf("%s is answered %d by group %s", who, result, c.id), err
}

func (h *history) role() (string, error) {
	c, who := h.member()
	if c == nil || c.roles[who] == constant.GroupOwner {
		return "", errNothing
	}
	role := one(h.rng, []int32{constant.GroupAdmin, constant.GroupOrdinaryUsers})
	err := h.act(c, c.owner(), "/group/set_group_member_info", body{"members": []body{{"groupID": c.id, "userID": who, "roleLevel": role}}})
	if err == nil {
		c.roles[who] = role
	}
	return fmt.Sprintf("%s gets role %d in group %s", who, role, c.id), err
}

func (h *history) mute() (string, error) {
	c, who := h.member()
	if c == nil || c.roles[who] == constant.GroupOwner {
		return "", errNothing
	}
	if h.rng.IntN(3) > 0 {
		return fmt.Sprintf("%s may speak in group %s", who, c.id), h.act(c, h.manager(c), "/group/cancel_mute_group_member", body{"groupID": c.id, "userID": who})
	}
	return fmt.Sprintf("%s is muted in group %s", who, c.id), h.act(c, h.manager(c), "/group/mute_group_member", body{"groupID": c.id, "userID": who, "mutedSeconds": 3600})
}

func (h *history) muteGroup() (string, error) {
	c := h.society()
	if c == nil {
		return "", errNothing
	}
	if h.rng.IntN(3) > 0 {
		return fmt.Sprintf("group %s may speak", c.id), h.act(c, h.manager(c), "/group/cancel_mute_group", body{"groupID": c.id})
	}
	return fmt.Sprintf("group %s is muted", c.id), h.act(c, h.manager(c), "/group/mute_group", body{"groupID": c.id})
}

func (h *history) transfer() (string, error) {
	c, who := h.member()
	if c == nil || c.roles[who] == constant.GroupOwner {
		return "", errNothing
	}
	old := c.owner()
	err := h.act(c, old, "/group/transfer_group", body{"groupID": c.id, "oldOwnerUserID": old, "newOwnerUserID": who})
	if err == nil {
		c.roles[old], c.roles[who] = constant.GroupOrdinaryUsers, constant.GroupOwner
		if old == h.subject {
			delete(h.founded, c.id)
		}
	}
	return fmt.Sprintf("%s gives group %s to %s", old, c.id, who), err
}

func (h *history) describeGroup() (string, error) {
	c := h.society()
	if c == nil {
		return "", errNothing
	}
	set := body{"groupID": c.id}
	switch h.rng.IntN(5) {
	case 0:
		set["groupName"] = "group " + h.number()
	case 1:
		set["notification"] = "announcement " + h.number()
	case 2:
		set["introduction"] = "about " + h.number()
	case 3:
		set["ex"] = "ex " + h.number()
	default:
		set["needVerification"] = h.rng.IntN(3)
	}
	return fmt.Sprintf("a group changes: %v", set), h.act(c, h.manager(c), "/group/set_group_info", body{"groupInfoForSet": set})
}

func (h *history) describeMember() (string, error) {
	c, who := h.member()
	if c == nil {
		return "", errNothing
	}
	by := one(h.rng, []string{who, c.owner()})
	set := body{"groupID": c.id, "userID": who}
	switch h.rng.IntN(3) {
	case 0:
		set["nickname"] = "member " + h.number()
	case 1:
		set["faceURL"] = "http://faces.test/member" + h.number() + ".png"
	default:
		set["ex"] = "ex " + h.number()
	}
	return fmt.Sprintf("a member changes: %v", set), h.act(c, by, "/group/set_group_member_info", body{"members": []body{set}})
}

func (h *history) dismiss() (string, error) {
	c := h.society()
	if c == nil {
		return "", errNothing
	}
	err := h.act(c, c.owner(), "/group/dismiss_group", body{"groupID": c.id})
	if err == nil {
		h.groups = slices.DeleteFunc(h.groups, func(other *society) bool { return other == c })
	}
	return fmt.Sprintf("group %s is dismissed", c.id), err
}

// Conversations.

// named is a conversation as a call that sets something of it names it.
func (h *history) named(id string) body {
	if groupID, ok := strings.CutPrefix(id, "sg_"); ok {
		return body{"conversationID": id, "conversationType": constant.ReadGroupChatType, "groupID": groupID}
	}
	set := body{"conversationID": id, "conversationType": constant.SingleChatType}
	for _, other := range h.users[1:] {
		if single(h.subject, other) == id {
			set["userID"] = other
		}
	}
	return set
}

func (h *history) setConversation() (string, error) {
	id := h.conversation()
	if id == "" {
		return "", errNothing
	}
	set := h.named(id)
	switch h.rng.IntN(6) {
	case 0:
		set["isPinned"] = h.rng.IntN(2) == 0
	case 1:
		set["recvMsgOpt"] = h.rng.IntN(3)
	case 2:
		set["ex"] = "ex " + h.number()
	case 3:
		set["burnDuration"] = 31 + h.rng.IntN(60)
	case 4:
		set["isMsgDestruct"], set["msgDestructTime"] = h.rng.IntN(2) == 0, 86400*(1+h.rng.IntN(6))
	default:
		set["groupAtType"] = constant.AtNormal
	}
	err := h.as(h.subject, "/conversation/set_conversations", body{"userIDs": []string{h.subject}, "conversation": set})
	return fmt.Sprintf("the subject sets %v", set), err
}

// comeBack is called when the device that was away is online again. Its core loads
// changed conversations and new messages at once, and writes whole rows of
// conversations as it read them before: what was set may be lost. So those
// that changed in both ways are set again.
func (h *history) comeBack(newestBefore map[string]int64) error {
	for _, c := range h.groups {
		if c.roles[h.subject] != 0 {
			if err := h.entered(c.id); err != nil {
				return err
			}
		}
	}
	newest, err := h.newestAll(h.subject)
	if err != nil {
		return err
	}
	for id, last := range newest {
		before := newestBefore[id]
		if last == before || strings.HasPrefix(id, "n_") {
			continue
		}
		ex := "again " + h.number()
		set := h.named(id)
		set["ex"] = ex
		err := h.as(h.subject, "/conversation/set_conversations", body{"userIDs": []string{h.subject}, "conversation": set})
		if _, refused := errors.AsType[*harness.Error](err); refused {
			continue // he left
		}
		if err != nil {
			return err
		}
		if err := h.noticed("setting "+id, id, func(c *model_struct.LocalConversation, _ *sdk_struct.MsgStruct, _ []*model_struct.LocalChatLog) bool {
			return c.Ex == ex
		}); err != nil {
			return err
		}
	}
	return nil
}
