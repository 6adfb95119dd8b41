package native

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/openimsdk/openim-sdk-core/v3/pkg/constant"
	"github.com/openimsdk/openim-sdk-core/v3/pkg/db/model_struct"
	"github.com/openimsdk/openim-sdk-core/v3/sdk_struct"
	"github.com/openimsdk/tools/errs"
)

// contents is everything a device has stored of its user's account: the fields of
// each row of each table, under a name that says which row it is.
//
// Left out is only what the client core itself makes different of the same
// answers; each such place says how.
type contents map[string]map[string]any

// put stores a row, whose JSON names its fields.
func (c contents) put(row any, key ...string) {
	fields := map[string]any{}
	if err := exactly(row, &fields); err != nil {
		panic(err) // plain structs of strings and numbers
	}
	c[strings.Join(key, " ")] = fields
}

// exactly converts by way of JSON and keeps large numbers as they are.
func exactly(from, to any) error {
	raw, err := json.Marshal(from)
	if err != nil {
		return err
	}
	decode := json.NewDecoder(bytes.NewReader(raw))
	decode.UseNumber()
	return decode.Decode(to)
}

// differences lists the fields in which two devices differ.
func (c contents) differences(other contents) []string {
	keys := slices.Collect(maps.Keys(c))
	for key := range other {
		if c[key] == nil {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	var found []string
	for _, key := range keys {
		mine, theirs := c[key], other[key]
		switch {
		case theirs == nil:
			found = append(found, fmt.Sprintf("%s is only in the first: %v", key, mine))
		case mine == nil:
			found = append(found, fmt.Sprintf("%s is only in the second: %v", key, theirs))
		default:
			for _, field := range slices.Sorted(maps.Keys(mine)) {
				if !reflect.DeepEqual(mine[field], theirs[field]) {
					found = append(found, fmt.Sprintf("%s: %s is %v and %v", key, field, mine[field], theirs[field]))
				}
			}
		}
	}
	return found
}

// contents reads the device's database after a history of its user.
func (d *device) contents(h *history) (contents, error) {
	c := contents{}
	for _, read := range []func(contents, *history) error{d.readUser, d.readRelations, d.readGroups, d.readGroupRequests, d.readConversations} {
		if err := read(c, h); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func (d *device) readUser(c contents, _ *history) error {
	db := d.mgr.Relation().Db()
	self, err := db.GetLoginUser(d.ctx(), d.userID)
	if err != nil {
		return err
	}
	c.put(self, "user", self.UserID)
	commands, err := db.ProcessUserCommandGetAll(d.ctx())
	if err != nil {
		return err
	}
	for _, command := range commands {
		c.put(command, "command", fmt.Sprint(command.Type), command.Uuid)
	}
	return nil
}

func (d *device) readRelations(c contents, _ *history) error {
	db := d.mgr.Relation().Db()
	friends, err := db.GetAllFriendList(d.ctx())
	if err != nil {
		return err
	}
	for _, f := range friends {
		c.put(f, "friend", f.FriendUserID)
	}
	blocks, err := db.GetBlackListDB(d.ctx())
	if err != nil {
		return err
	}
	for _, b := range blocks {
		// No notice tells of new names of the blocked.
		b.Nickname, b.FaceURL = "", ""
		c.put(b, "block", b.BlockUserID)
	}
	received, err := db.GetRecvFriendApplication(d.ctx())
	if err != nil {
		return err
	}
	sent, err := db.GetSendFriendApplication(d.ctx())
	if err != nil {
		return err
	}
	for _, r := range append(received, sent...) {
		// Nor of those of applicants.
		r.FromNickname, r.FromFaceURL, r.ToNickname, r.ToFaceURL = "", "", "", ""
		c.put(r, "friend request", r.FromUserID, r.ToUserID)
	}
	return d.readVersion(c, model_struct.LocalFriend{}.TableName(), d.userID, ordered)
}

func (d *device) readGroups(c contents, _ *history) error {
	db := d.mgr.Relation().Db()
	groups, err := db.GetJoinedGroupListDB(d.ctx())
	if err != nil {
		return err
	}
	for _, g := range groups {
		c.put(g, "group", g.GroupID)
		members, err := db.GetGroupMemberListByGroupID(d.ctx(), g.GroupID)
		if err != nil {
			return err
		}
		for _, m := range members {
			c.put(m, "member of", g.GroupID, m.UserID)
		}
		if err := d.readVersion(c, membersTable, g.GroupID, ordered); err != nil {
			return err
		}
	}
	// The server's order of groups is by name, and the core does not ask for it
	// again when names change.
	return d.readVersion(c, model_struct.LocalGroup{}.TableName(), d.userID, unordered)
}

func (d *device) readGroupRequests(c contents, h *history) error {
	db := d.mgr.Relation().Db()
	received, err := db.GetAdminGroupApplication(d.ctx())
	if err != nil {
		return err
	}
	for _, r := range received {
		// The core keeps those of groups its user manages no more, and does not load
		// those of groups he manages from now on.
		me := c[strings.Join([]string{"member of", r.GroupID, d.userID}, " ")]
		if me == nil || fmt.Sprint(me["roleLevel"]) == fmt.Sprint(constant.GroupOrdinaryUsers) || !h.founded[r.GroupID] {
			continue
		}
		putGroupRequest(c, r.LocalGroupRequest, "group request of")
	}
	sent, err := db.GetSendGroupApplication(d.ctx())
	if err != nil {
		return err
	}
	for _, r := range sent {
		// When its user is an ordinary member and changes, or leaves, the core deletes
		// his own request, for those of others. Of a request that a member made for him
		// it does not know that it is his.
		if !h.belonged[r.GroupID] {
			putGroupRequest(c, *r, "own group request of")
		}
	}
	return nil
}

// membersTable is what the core calls the version of a group's members.
const membersTable = "local_group_entities_version"

// putGroupRequest leaves out how the group and the applicant were called and
// looked: nobody who only asked is told when that changes.
func putGroupRequest(c contents, r model_struct.LocalGroupRequest, what string) {
	c.put(map[string]any{
		"handleResult": r.HandleResult, "reqMsg": r.ReqMsg, "handledMsg": r.HandledMsg, "reqTime": r.ReqTime, "handleUserID": r.HandleUserID,
		"handledTime": r.HandledTime, "ex": r.Ex, "joinSource": r.JoinSource, "inviterUserID": r.InviterUserID,
	}, what, r.GroupID, r.UserID)
}

func (d *device) readConversations(c contents, h *history) error {
	db := d.mgr.Relation().Db()
	conversations, err := db.GetAllConversations(d.ctx())
	if err != nil {
		return err
	}
	for _, row := range conversations {
		putConversation(c, row, h)
		log, err := d.chatLog(row.ConversationID)
		if err != nil {
			return err
		}
		for _, m := range log {
			// The notice of clearing is not stored: who was away keeps what he had. It
			// could not be: the core empties the conversation whenever it comes, and
			// marks as read what came later.
			if m.Seq > h.cleared[row.ConversationID] {
				d.putMessage(c, row.ConversationID, m)
			}
		}
	}
	return d.readVersion(c, model_struct.LocalConversation{}.TableName(), d.userID, uncounted)
}

// What the core's database writes for 0 into a new row, but not into one that it
// changes.
const (
	defaultBurnDuration = 30
	defaultDestructTime = 604800
)

func putConversation(c contents, row *model_struct.LocalConversation, h *history) {
	// The core drops what the server says of these, and notes here how far it pulled.
	row.MinSeq, row.MaxSeq = 0, 0
	if row.BurnDuration == defaultBurnDuration {
		row.BurnDuration = 0
	}
	if row.MsgDestructTime == defaultDestructTime {
		row.MsgDestructTime = 0
	}
	latest := ""
	var m sdk_struct.MsgStruct
	if json.Unmarshal([]byte(row.LatestMsg), &m) == nil && m.ClientMsgID != "" && m.Seq > h.cleared[row.ConversationID] {
		latest = fmt.Sprintf("%d %s of type %d by %s", m.Seq, m.ClientMsgID, m.ContentType, m.SendID)
	} else {
		// Without a message to show the time of the last one stays, or was never known.
		row.LatestMsgSendTime = 0
	}
	row.LatestMsg = latest
	// Friends and groups are compared by themselves. The core names a chat anew beside
	// storing messages of it, and may write the old name back; nobody is told how
	// strangers are called now; and a former friend keeps his remark as a name.
	row.ShowName, row.FaceURL = "", ""
	c.put(row, "conversation", row.ConversationID)
}

func (d *device) putMessage(c contents, conversationID string, m *model_struct.LocalChatLog) {
	if m.Status >= constant.MsgStatusHasDeleted {
		return // a row nobody sees again; who never had the message may have none
	}
	key := []string{"message", conversationID, fmt.Sprintf("%4d", m.Seq)}
	// Senders are called as the core's own tables do when a message comes, and some
	// of them anew when that changes.
	m.SenderNickname, m.SenderFaceURL = "", ""
	c.put(m, key...)
	fields := map[string]any{}
	if m.ContentType == constant.RevokeNotification {
		var elem sdk_struct.NotificationElem
		var revoked sdk_struct.MessageRevoked
		_ = json.Unmarshal([]byte(m.Content), &elem)
		_ = json.Unmarshal([]byte(elem.Detail), &revoked)
		// The core calls the revoker as its own tables do when it hears of it, the server
		// as he was called when he did it.
		revoked.RevokerNickname, revoked.RevokerRole, revoked.SourceMessageSenderNickname = "", 0, ""
		_ = exactly(revoked, &fields)
	} else if err := json.Unmarshal([]byte(m.Content), &fields); err != nil {
		return // compared as text
	}
	row := c[strings.Join(key, " ")]
	row["content"] = fields
	var attached sdk_struct.AttachedInfoElem
	_ = json.Unmarshal([]byte(m.AttachedInfo), &attached)
	attached.HasReadTime = 0 // known to who was online then
	row["attachedInfo"] = fmt.Sprintf("%+v", attached)
	if m.SendID != d.userID {
		// What others wrote is marked as read while one is online; of what was read
		// elsewhere meanwhile only the number of unread messages tells.
		delete(row, "isRead")
	}
	if groupID, ok := strings.CutPrefix(conversationID, "sg_"); ok && c["group "+groupID] == nil {
		// Who left a group is not given its notices any more: a device that was away
		// till then does not hear of what was revoked meanwhile.
		delete(row, "content")
		delete(row, "contentType")
	}
}

// mostSeqs is more than any conversation of a history has.
const mostSeqs = 400

// chatLog is every stored message of a conversation, deleted ones included.
func (d *device) chatLog(conversationID string) ([]*model_struct.LocalChatLog, error) {
	db := d.mgr.Relation().Db()
	// It makes the conversation's table, which the next call only reads.
	if _, err := db.GetConversationNormalMsgSeq(d.ctx(), conversationID); err != nil {
		return nil, err
	}
	seqs := make([]int64, mostSeqs+1)
	for i := range seqs {
		seqs[i] = int64(i)
	}
	return db.GetMessagesBySeqs(d.ctx(), conversationID, seqs)
}

// What a list's ids say beside the list itself.
const (
	ordered   = iota // they are its order
	unordered        // only what is in it
	uncounted        // nothing: the core does not look at them
)

func (d *device) readVersion(c contents, table, of string, ids int) error {
	v, err := d.mgr.Relation().Db().GetVersionSync(d.ctx(), table, of)
	if errs.ErrRecordNotFound.Is(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("version of %s %s: %w", table, of, err)
	}
	switch ids {
	case unordered:
		slices.Sort(v.UIDList)
	case uncounted:
		// A conversation made by its first message is announced by that alone: the
		// version follows with the next change.
		v.UIDList, v.Version = nil, 0
	}
	// When the core loads a whole list it keeps the version from before, and adds
	// again what came meanwhile.
	v.UIDList = distinct(v.UIDList)
	c.put(v, "version", table, of)
	return nil
}

// distinct drops what was there before; of nothing it makes nil.
func distinct(ids []string) []string {
	var out []string
	for _, id := range ids {
		if !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	return out
}
