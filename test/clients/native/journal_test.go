package native

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"github.com/openimsdk/openim-sdk-core/v3/sdk_struct"
)

// event is one callback of the client core.
type event struct {
	name    string
	data    string
	message *sdk_struct.MsgStruct // of callbacks that bring one
}

// journal records every callback. It implements the listeners a device sets; the
// core calls them on its own goroutines and must never be kept waiting there.
type journal struct {
	mu      sync.Mutex
	events  []event
	changed chan struct{} // closed and replaced with each event
}

func newJournal() *journal { return &journal{changed: make(chan struct{})} }

func (j *journal) add(name, data string) { j.append(event{name: name, data: data}) }

func (j *journal) addMessage(name, data string) {
	var m sdk_struct.MsgStruct
	if err := json.Unmarshal([]byte(data), &m); err != nil {
		j.add(name+" with bad JSON", data)
		return
	}
	j.append(event{name: name, data: data, message: &m})
}

func (j *journal) append(e event) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.events = append(j.events, e)
	close(j.changed)
	j.changed = make(chan struct{})
}

// read is all events so far and a channel that closes with the next one.
func (j *journal) read() ([]event, <-chan struct{}) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.events, j.changed
}

// messages are those the app was shown as new, in order.
func (j *journal) messages() []*sdk_struct.MsgStruct {
	events, _ := j.read()
	var all []*sdk_struct.MsgStruct
	for _, e := range events {
		if e.name == "OnRecvNewMessage" {
			all = append(all, e.message)
		}
	}
	return all
}

// named is satisfied by any event of that name.
func named(name string) func([]event) bool { return times(name, 1) }

// times is satisfied by count events of that name.
func times(name string, count int) func([]event) bool {
	return func(events []event) bool {
		n := 0
		for _, e := range events {
			if e.name == name {
				n++
			}
		}
		return n >= count
	}
}

// names tells a failed test what happened instead.
func names(events []event) string {
	if len(events) == 0 {
		return "nothing"
	}
	var b strings.Builder
	for i := 0; i < len(events); {
		n := 1
		for i+n < len(events) && events[i+n].name == events[i].name {
			n++
		}
		fmt.Fprintf(&b, "%s", events[i].name)
		if n > 1 {
			fmt.Fprintf(&b, "×%d", n)
		}
		if strings.HasPrefix(events[i].name, "OnConnectFailed") || strings.HasPrefix(events[i].name, "OnUserToken") {
			fmt.Fprintf(&b, "(%s)", events[i].data)
		}
		b.WriteString(" ")
		i += n
	}
	return b.String()
}

func (j *journal) OnConnecting()     { j.add("OnConnecting", "") }
func (j *journal) OnConnectSuccess() { j.add("OnConnectSuccess", "") }
func (j *journal) OnConnectFailed(code int32, msg string) {
	j.add("OnConnectFailed", fmt.Sprintf("%d %s", code, msg))
}
func (j *journal) OnKickedOffline()              { j.add("OnKickedOffline", "") }
func (j *journal) OnUserTokenExpired()           { j.add("OnUserTokenExpired", "") }
func (j *journal) OnUserTokenInvalid(msg string) { j.add("OnUserTokenInvalid", msg) }

func (j *journal) OnSyncServerStart(reinstalled bool) {
	j.add("OnSyncServerStart", fmt.Sprint(reinstalled))
}

func (j *journal) OnSyncServerFinish(reinstalled bool) {
	j.add("OnSyncServerFinish", fmt.Sprint(reinstalled))
}
func (j *journal) OnSyncServerProgress(int) {}
func (j *journal) OnSyncServerFailed(reinstalled bool) {
	j.add("OnSyncServerFailed", fmt.Sprint(reinstalled))
}
func (j *journal) OnNewConversation(list string)     { j.add("OnNewConversation", list) }
func (j *journal) OnConversationChanged(list string) { j.add("OnConversationChanged", list) }
func (j *journal) OnTotalUnreadMessageCountChanged(count int32) {
	j.add("OnTotalUnreadMessageCountChanged", fmt.Sprint(count))
}

func (j *journal) OnConversationUserInputStatusChanged(change string) {
	j.add("OnConversationUserInputStatusChanged", change)
}

func (j *journal) OnRecvNewMessage(m string)        { j.addMessage("OnRecvNewMessage", m) }
func (j *journal) OnRecvC2CReadReceipt(list string) { j.add("OnRecvC2CReadReceipt", list) }
func (j *journal) OnNewRecvMessageRevoked(m string) { j.add("OnNewRecvMessageRevoked", m) }
func (j *journal) OnRecvOfflineNewMessage(m string) { j.addMessage("OnRecvOfflineNewMessage", m) }
func (j *journal) OnMsgDeleted(m string)            { j.addMessage("OnMsgDeleted", m) }
func (j *journal) OnRecvOnlineOnlyMessage(m string) { j.addMessage("OnRecvOnlineOnlyMessage", m) }

func (j *journal) OnSelfInfoUpdated(info string)     { j.add("OnSelfInfoUpdated", info) }
func (j *journal) OnUserStatusChanged(status string) { j.add("OnUserStatusChanged", status) }
func (j *journal) OnUserCommandAdd(c string)         { j.add("OnUserCommandAdd", c) }
func (j *journal) OnUserCommandDelete(c string)      { j.add("OnUserCommandDelete", c) }
func (j *journal) OnUserCommandUpdate(c string)      { j.add("OnUserCommandUpdate", c) }

func (j *journal) OnFriendApplicationAdded(r string)    { j.add("OnFriendApplicationAdded", r) }
func (j *journal) OnFriendApplicationDeleted(r string)  { j.add("OnFriendApplicationDeleted", r) }
func (j *journal) OnFriendApplicationAccepted(r string) { j.add("OnFriendApplicationAccepted", r) }
func (j *journal) OnFriendApplicationRejected(r string) { j.add("OnFriendApplicationRejected", r) }
func (j *journal) OnFriendAdded(f string)               { j.add("OnFriendAdded", f) }
func (j *journal) OnFriendDeleted(f string)             { j.add("OnFriendDeleted", f) }
func (j *journal) OnFriendInfoChanged(f string)         { j.add("OnFriendInfoChanged", f) }
func (j *journal) OnBlackAdded(b string)                { j.add("OnBlackAdded", b) }
func (j *journal) OnBlackDeleted(b string)              { j.add("OnBlackDeleted", b) }
