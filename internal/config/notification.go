package config

// shippedNotifications are the values of OpenIM's own notification.yml. A
// missing file means these and not, as upstream, that every tip disappears.
var shippedNotifications = []struct {
	event       string
	isSendMsg   bool
	offlinePush bool
	title       string // "" for the event's name, as title, desc and ext
}{
	{"groupCreated", true, false, ""},
	{"groupInfoSet", false, false, ""},
	{"joinGroupApplication", false, true, ""},
	{"memberQuit", true, false, ""},
	{"groupApplicationAccepted", false, true, ""},
	{"groupApplicationRejected", false, true, ""},
	{"groupOwnerTransferred", true, false, ""},
	{"memberKicked", true, false, ""},
	{"memberInvited", true, false, ""},
	{"memberEnter", true, false, ""},
	{"groupDismissed", true, false, ""},
	{"groupMuted", true, false, ""},
	{"groupCancelMuted", true, false, ""},
	{"groupMemberMuted", true, false, ""},
	{"groupMemberCancelMuted", true, false, ""},
	{"groupMemberInfoSet", false, false, ""},
	{"groupInfoSetAnnouncement", true, false, ""},
	{"groupInfoSetName", true, false, ""},
	{"friendApplicationAdded", false, true, "Somebody applies to add you as a friend"},
	{"friendApplicationApproved", true, true, "Someone applies to add your friend application"},
	{"friendApplicationRejected", false, true, "Someone rejected your friend application"},
	{"friendAdded", false, false, "We have become friends"},
	{"friendDeleted", false, false, "deleted a friend"},
	{"friendRemarkSet", false, false, "Your friend's profile has been changed"},
	{"blackAdded", false, false, "blocked a user"},
	{"blackDeleted", false, false, "Remove a blocked user"},
	{"friendInfoUpdated", false, false, "friend info updated"},
	{"userInfoUpdated", false, false, "userInfo updated"},
	{"userStatusChanged", false, false, "user status changed"},
	{"conversationChanged", false, false, "conversation changed"},
	{"conversationSetPrivate", true, false, "burn after reading"},
	// Known to the code, in no shipped file.
	{"groupMemberSetToAdmin", false, false, ""},
	{"groupMemberSetToOrdinaryUser", false, false, ""},
}

func defaultNotifications() map[string]Notification {
	m := make(map[string]Notification, len(shippedNotifications))
	for _, s := range shippedNotifications {
		p := OfflinePush{Enable: s.offlinePush, Title: s.title, Desc: s.title, Ext: s.title}
		switch {
		case s.event == "groupCreated":
			p.Title, p.Desc, p.Ext = "create group title", "create group desc", "create group ext"
		case s.title == "":
			p.Title, p.Desc, p.Ext = s.event+" title", s.event+" desc", s.event+" ext"
		}
		m[s.event] = Notification{IsSendMsg: s.isSendMsg, OfflinePush: p}
	}
	return m
}
