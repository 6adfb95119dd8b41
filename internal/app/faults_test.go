package app

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/parley-im/parley/internal/im"
)

// More of what cells need before the call.

func (c *cell) account() {
	c.names["account"] = c.names["new"]
	c.do("/user/add_notification_account", `{"userID":"@new","nickName":"n","appMangerLevel":3}`)
}

func (c *cell) friendAnswer() {
	c.do("/friend/add_friend_response", `{"fromUserID":"@bob","toUserID":"@alice","handleResult":-1}`)
}

func (c *cell) blocked() { c.do("/friend/add_black", `{"ownerUserID":"@alice","blackUserID":"@bob"}`) }

func (c *cell) blockedByBob() {
	c.do("/friend/add_black", `{"ownerUserID":"@bob","blackUserID":"@alice"}`)
}

func (c *cell) bobIsDeaf() {
	c.do("/user/set_global_msg_recv_opt", `{"userID":"@bob","globalRecvMsgOpt":1}`)
}

// aGroup is for calls that are not about groups.
func (c *cell) aGroup() {
	c.names["g"] = "g" + c.names["bob"]
	c.do("/group/create_group", `{"ownerUserID":"@stranger","memberUserIDs":["@bob"],"groupInfo":{"groupID":"@g","groupType":2},"sendMessage":false}`)
}

func (c *cell) muted() {
	c.aGroup()
	c.do("/group/mute_group_member", `{"groupID":"@g","userID":"@bob","mutedSeconds":3600}`)
}

func (c *cell) mutedGroup() {
	c.aGroup()
	c.do("/group/mute_group", `{"groupID":"@g"}`)
}

func (c *cell) noGroup() {
	c.aGroup()
	c.dismissed()
}

func (c *cell) dismissed() { c.do("/group/dismiss_group", `{"groupID":"@g"}`) }

func (c *cell) groupAnswer() {
	c.do("/group/group_application_response", `{"groupID":"@g","fromUserID":"@stranger","handleResult":-1}`)
}

func (c *cell) revoked() {
	c.do("/msg/revoke_msg", `{"userID":"@alice","conversationID":"@chat","seq":1}`)
}

// fault is a call that is wrong in one way.
type fault struct {
	what  string
	body  string
	code  int
	setUp func(*cell)
	by    role
	token string // instead of the caller's
	plain bool   // without operationID
}

// all lists the faults of a row.
func (f faults) all(t *testing.T, r row) (list []fault) {
	t.Helper()
	var right map[string]json.RawMessage
	if err := json.Unmarshal([]byte(r.body), &right); err != nil {
		t.Fatalf("%s: %v", r.name, err)
	}
	with := func(key, value string) string {
		b := maps.Clone(right)
		if delete(b, key); value != "" {
			b[key] = json.RawMessage(value)
		}
		return text(t, b)
	}
	list = append(list,
		fault{what: "no JSON", body: `{`, code: 1001},
		fault{what: "an empty body", body: ``, code: 1001},
		fault{what: "a list for a body", body: `[]`, code: 1001},
		fault{what: "the character NUL", body: `{"x":"\u0000"}`, code: 1001},
		fault{what: "no operationID", body: r.body, code: 1001, plain: true},
	)
	if r.may&nobody == 0 {
		list = append(list, fault{what: "a broken token", body: r.body, code: 1503, token: "x"})
	}
	needed, mayBeEmpty := map[string]int{}, map[string]bool{}
	for need := range strings.FieldsSeq(f.needs) {
		key, code, _ := strings.Cut(need, ":")
		key, mayBeEmpty[strings.TrimSuffix(key, "+")] = strings.TrimSuffix(key, "+"), strings.HasSuffix(key, "+")
		needed[key] = im.ErrArgs.Code
		if code != "" {
			needed[key], _ = strconv.Atoi(code) // our own table
		}
		if right[key] == nil {
			t.Errorf("%s needs %s, which its body does not have", r.name, key)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(right)) {
		code, isNeeded := needed[key]
		if !isNeeded {
			code = r.reached
		}
		list = append(list, fault{what: "without " + key, body: with(key, ""), code: code})
		if mayBeEmpty[key] {
			code = 0
		}
		list = append(list, fault{what: "with an empty " + key, body: with(key, empty(right[key])), code: code})
	}
	for key, most := range f.most {
		list = append(list, fault{what: fmt.Sprintf("%d %s", most+1, key), body: with(key, many(right[key], most+1)), code: im.ErrArgs.Code})
	}
	for _, w := range f.wrong {
		var change map[string]json.RawMessage
		if err := json.Unmarshal([]byte(w.change), &change); err != nil {
			t.Fatalf("%s: %s: %v", r.name, w.change, err)
		}
		b := maps.Clone(right)
		maps.Copy(b, change)
		list = append(list, fault{what: fmt.Sprintf("with %s is %d", w.change, w.code), body: text(t, b), code: w.code, setUp: w.setUp, by: w.by})
	}
	return list
}

func text(t *testing.T, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// empty is the zero of a value's kind.
func empty(value json.RawMessage) string {
	switch value[0] {
	case '"':
		return `""`
	case '[':
		return `[]`
	case '{':
		return `null`
	case 't', 'f':
		return `false`
	default:
		return `0`
	}
}

// many is a list of n elements like those of list; different ones where they are
// texts.
func many(list json.RawMessage, n int) string {
	var elements []json.RawMessage
	if json.Unmarshal(list, &elements) != nil || len(elements) == 0 {
		elements = []json.RawMessage{json.RawMessage(`"x"`)}
	}
	out := make([]string, n)
	for i := range out {
		if out[i] = string(elements[0]); out[i][0] == '"' {
			out[i] = strconv.Quote(fmt.Sprint("x", i))
		}
	}
	return "[" + strings.Join(out, ",") + "]"
}

// TestFaults tries every route with every fault it has: the error table of the
// REST API.
func TestFaults(t *testing.T) {
	n := startNode(t)
	tried, refused := 0, 0
	said := map[string]bool{}
	for _, table := range []struct {
		rows   []row
		groups bool
	}{{personal, false}, {ofGroups, true}} {
		for _, r := range table.rows {
			f, ok := faultsOf[r.path()]
			if said[r.path()] {
				continue // the other table has it
			}
			if said[r.path()] = true; !ok {
				t.Errorf("nothing is said of what can be wrong with %s", r.path())
			}
			t.Run(r.path()[1:], func(t *testing.T) {
				for _, wrong := range f.all(t, r) {
					tried++
					if wrong.code != 0 {
						refused++
					}
					c := n.in(t).newCell(table.groups)
					if got := c.commit(r, wrong); got.ErrCode != wrong.code {
						t.Errorf("%s: errCode %d %s, want %d", wrong.what, got.ErrCode, got.ErrDlt, wrong.code)
					}
				}
			})
		}
	}
	for path := range faultsOf {
		if !said[path] {
			t.Errorf("there is no route %s", path)
		}
	}
	t.Attr("error-table", fmt.Sprintf("%d cells, %d of them refused", tried, refused))
}

// commit makes a wrong call.
func (c *cell) commit(r row, f fault) answer {
	c.t.Helper()
	c.names["token"], c.names["caller"] = c.admin, c.names["owner"]
	c.names["long"], c.names["text"] = strings.Repeat("x", im.MaxIDLength+1), strings.Repeat("x", im.MaxText+1)
	if r.setUp != nil {
		r.setUp(c)
	}
	if f.setUp != nil {
		f.setUp(c)
	}
	by := f.by
	if by == 0 {
		by = operator
	}
	token := f.token
	if token == "" {
		token = c.token(c.caller(by))
	}
	path, body := c.fill(r.name), c.fill(f.body)
	return c.traceless(func() answer {
		if f.plain {
			return c.callAs("", token, path, body)
		}
		return c.call(token, path, body)
	})
}
