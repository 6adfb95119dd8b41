package test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// allMessageWebhooks asks and tells about every message; the options are those
// of the before-callbacks.
func allMessageWebhooks(url, options string) map[string]string {
	return map[string]string{"webhooks.yml": fmt.Sprintf(`url: %s/webhook
beforeSendSingleMsg: {enable: true, %[2]s}
beforeSendGroupMsg: {enable: true, %[2]s}
beforeMsgModify: {enable: true, %[2]s}
afterSendSingleMsg: {enable: true}
afterSendGroupMsg: {enable: true}
afterMsgSaveDB: {enable: true}
`, url, options)}
}

var afterCommands = []string{cmdAfterSingle, cmdAfterGroup, cmdSaved}

// stage is one conversation with everybody who could notice a message in it:
// the sender's connection, another device of the sender, the receiver.
type stage struct {
	t                       *testing.T
	n                       *node
	b                       *business
	to                      post // where, without content
	sender, other, receiver *device
	base                    int64 // length of the log so far
}

// newStage makes users of its own; in a group the receiver is a member.
func newStage(t *testing.T, n *node, b *business, name string, inGroup bool) *stage {
	t.Helper()
	from, to := "from_"+name, "to_"+name
	n.register(t, from, to)
	s := &stage{t: t, n: n, b: b, to: post{from: from, to: to, operationID: "stage_" + name}}
	if inGroup {
		s.to.to, s.to.group = "", n.makeGroup(t, from, to)
	}
	s.sender, s.other, s.receiver = n.device(t, from, platformMiniWeb), n.device(t, from, platformWeb), n.device(t, to, platformMiniWeb)
	s.base = s.sender.maxSeq(s.to.conversation())
	return s
}

// send sends over the sender's connection or by REST.
func (s *stage) send(byREST bool, contentType int, content string) sent {
	s.t.Helper()
	p := s.to
	p.contentType, p.content = contentType, content
	if byREST {
		return s.n.send(s.t, p)
	}
	return s.sender.send(p)
}

// events are the after-events of this conversation.
func (s *stage) events() []callback {
	var out []callback
	for _, c := range s.b.got(afterCommands...) {
		if c.Event.SendID == s.to.from {
			out = append(out, c)
		}
	}
	return out
}

// mustHold sends one more message, which nobody minds, and checks that the
// conversation holds exactly want and that message: in the log with contiguous
// seqs, at each device, and in after-events. All of these come in the order of
// the log, so nothing can come behind it.
func (s *stage) mustHold(last func() sent, want ...sent) {
	s.t.Helper()
	end := last()
	if end.ErrCode != 0 {
		s.t.Fatalf("the message that nobody minds: %+v", end)
	}
	want = append(slices.Clone(want), end)
	var ids []string
	for _, m := range want {
		ids = append(ids, m.serverMsgID)
	}

	log := s.sender.history(s.to.conversation())
	if extra := int64(len(log)) - s.base; extra != int64(len(want)) {
		s.t.Fatalf("%d messages are stored, want %d", extra, len(want))
	}
	for i, m := range log[s.base:] {
		if m.ServerMsgID != ids[i] || m.Seq != s.base+int64(i)+1 {
			s.t.Errorf("stored %v, want %s with seq %d", m, ids[i], s.base+int64(i)+1)
		}
	}
	for _, d := range []*device{s.sender, s.other, s.receiver} {
		for _, id := range ids {
			if m := d.next(); m.ServerMsgID != id {
				s.t.Errorf("%s on another connection was pushed %v, want %s", d.userID, m, id)
			}
		}
	}
	s.b.await(s.t, "the after-events of "+s.to.from, func([]callback) bool { return len(s.events()) >= 2*len(want) })
	var told []string
	for _, c := range s.events() {
		told = append(told, c.Event.ServerMsgID)
	}
	for i, id := range told {
		if i/2 >= len(ids) || id != ids[i/2] {
			s.t.Fatalf("told of %v, want each of %v twice", told, ids)
		}
	}
}

// TestS14RejectAsInTheArticle: nextCode 1 refuses, although actionCode is 1 as well.
func TestS14RejectAsInTheArticle(t *testing.T) {
	t.Parallel()
	rejects(t, bothRejection)
}

// TestS15RejectUpstreamStyle: nextCode 1 refuses, as a number and as a text.
func TestS15RejectUpstreamStyle(t *testing.T) {
	t.Parallel()
	rejects(t, rejection)
	rejects(t, strings.ReplaceAll(rejection, `"nextCode":1`, `"nextCode":"1"`))
	// The first object counts, whatever follows it.
	rejects(t, rejection+" CallbackOK")
}

// rejects checks that an answer refuses, whichever callback gives it and however
// the message was sent, and that nothing is left of it.
func rejects(t *testing.T, answer string) {
	t.Helper()
	b := startBusiness(t)
	refuse := func(w http.ResponseWriter, r *http.Request, c callback) {
		if strings.Contains(c.Event.Content, "forbidden") {
			says(answer)(w, r, c)
			return
		}
		says(approval)(w, r, c)
	}
	n := startNode(t, setup{files: allMessageWebhooks(b.URL, "failedContinue: false")})
	for i, command := range []string{cmdBeforeSingle, cmdBeforeGroup, cmdModify} {
		b.on(cmdBeforeSingle, nil)
		b.on(cmdBeforeGroup, nil)
		b.on(cmdModify, nil)
		b.on(command, refuse)
		s := newStage(t, n, b, fmt.Sprint("c", i), command == cmdBeforeGroup)
		want := refusal{ErrCode: 5001, ErrMsg: "refused"}
		if r := s.send(false, contentText, text("forbidden")); r.refusal != want {
			t.Errorf("%s over the socket: %+v", command, r)
		}
		if r := s.send(true, contentText, text("forbidden")); r.refusal != want {
			t.Errorf("%s by REST: %+v", command, r)
		}
		s.mustHold(func() sent { return s.send(false, contentText, text("harmless")) })
	}
}

// matrixRow is a row of the decision table.
type matrixRow struct {
	name   string
	answer answerer
	reject *refusal // what is refused with whatever failedContinue says
	strict *refusal // what is refused with when failedContinue is false
}

const modified = `{"content":"modified"}`

func matrixRows() []matrixRow {
	verdict := func(actionCode, nextCode, errCode int) answerer {
		return says(fmt.Sprintf(`{"actionCode":%d,"nextCode":%d,"errCode":%d,"errMsg":"no","errDlt":"because","content":%q}`,
			actionCode, nextCode, errCode, modified))
	}
	given := &refusal{ErrCode: 5001, ErrMsg: "no", ErrDlt: "because"}
	network := &refusal{ErrCode: 90004, ErrMsg: "NetworkError"}
	return []matrixRow{
		{name: "0 0", answer: verdict(0, 0, 0)},
		{name: "0 1", answer: verdict(0, 1, 5001), reject: given},
		{name: "0 1 without a code", answer: verdict(0, 1, 0), reject: &refusal{ErrCode: 80000, ErrMsg: "no", ErrDlt: "because"}},
		{name: "1 1", answer: verdict(1, 1, 5001), reject: given},
		{name: "1 0", answer: verdict(1, 0, 5001), strict: given},
		{name: "timeout", answer: hangs, strict: network},
		{name: "refused", strict: network}, // nobody listens
		{name: "connection lost", answer: dropsConnection, strict: network},
		{
			name: "500 page", strict: network,
			answer: saysStatus(http.StatusInternalServerError, `{"timestamp":"2026-01-01","status":500,"error":"Internal Server Error","path":"/webhook"}`),
		},
		{name: "malformed", answer: says(approval + " Callback done"), strict: &refusal{ErrCode: 90007, ErrMsg: "DataError"}},
	}
}

// approves says whether the row's answer counts, so that its overrides apply.
func (r matrixRow) approves() bool { return r.name == "0 0" || r.name == "1 0" }

func (r matrixRow) want(failedContinue bool) refusal {
	switch {
	case r.reject != nil:
		return *r.reject
	case r.strict != nil && !failedContinue:
		return *r.strict
	}
	return refusal{}
}

// neverDown keeps asking handlers that answer badly on purpose.
const neverDown = "breaker: {failures: 1000000, rate: 0}\n"

// oneQuestionEach asks about each message once at most: beforeSendSingleMsg and
// beforeSendGroupMsg about texts, beforeMsgModify about custom messages, nobody
// about other types. The options are those of the before-callbacks.
func oneQuestionEach(url, options string) map[string]string {
	return map[string]string{"webhooks.yml": neverDown + fmt.Sprintf(`url: %s/webhook
beforeSendSingleMsg: {enable: true, timeout: 1, allowedTypes: [101], %[2]s}
beforeSendGroupMsg: {enable: true, timeout: 1, allowedTypes: [101], %[2]s}
beforeMsgModify: {enable: true, timeout: 1, allowedTypes: [110], %[2]s}
afterSendSingleMsg: {enable: true}
afterSendGroupMsg: {enable: true}
afterMsgSaveDB: {enable: true}
`, url, options)}
}

// TestS16ModifiedMessage: beside what the matrix checks, everybody who sees a
// message sees it as it was changed, and its sender is told of the change.
func TestS16ModifiedMessage(t *testing.T) {
	t.Parallel()
	for _, row := range matrixRows() {
		if row.reject != nil || row.name != "malformed" && !row.approves() {
			continue
		}
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			b := startBusiness(t)
			b.on(cmdModify, row.answer)
			n := startNode(t, setup{files: oneQuestionEach(b.URL, "failedContinue: true")})
			for _, byREST := range []bool{true, false} {
				s := newStage(t, n, b, fmt.Sprint("rest_", byREST), false)
				content, told := custom("asked"), ""
				got := s.send(byREST, contentCustom, content)
				if got.ErrCode != 0 {
					t.Fatalf("%+v", got)
				}
				if row.approves() {
					content, told = modified, modified
				}
				s.mustHold(func() sent { return s.send(byREST, contentMarkdown, text("harmless")) }, got)
				if m := s.sender.history(s.to.conversation())[s.base]; string(m.Content) != content {
					t.Errorf("stored %s, want %s", m.Content, content)
				}
				if got.content != told {
					t.Errorf("the sender was told of the change %q, want %q", got.content, told)
				}
			}
		})
	}
}

// checkRefusal compares what the caller was told. Failures of the call are
// explained in the detail, which a socket does not carry.
func checkRefusal(t *testing.T, got, want refusal, byREST bool, key string) {
	t.Helper()
	if got.ErrCode != want.ErrCode || got.ErrMsg != want.ErrMsg {
		t.Fatalf("answered %+v, want %+v", got, want)
	}
	switch {
	case !byREST || want.ErrCode == 0:
	case want.ErrCode < 90000:
		if got.ErrDlt != want.ErrDlt {
			t.Errorf("answered %+v, want %+v", got, want)
		}
	case !strings.Contains(got.ErrDlt, key), strings.Contains(got.ErrDlt, "127.0.0.1"), strings.Contains(got.ErrDlt, ".go:"):
		t.Errorf("the detail does not name the callback, or tells too much: %q", got.ErrDlt)
	case want.ErrCode == 90007 && !strings.HasSuffix(got.ErrDlt, "response format error"):
		t.Errorf("the detail is %q", got.ErrDlt)
	}
}

// TestS17FailedContinue: a handler that is down is passed over only if the operator
// said so; an error page is never an approval.
func TestS17FailedContinue(t *testing.T) {
	t.Parallel()
	t.Run("a handler that is down is passed over", func(t *testing.T) {
		t.Parallel()
		b := startBusiness(t)
		files := allMessageWebhooks(b.URL, "failedContinue: true, url: 'http://127.0.0.1:1'")
		n := startNode(t, setup{files: files})
		for i, inGroup := range []bool{false, true} {
			s := newStage(t, n, b, fmt.Sprint("down", i), inGroup)
			first := s.send(false, contentText, text("over the socket"))
			second := s.send(true, contentText, text("by REST"))
			s.mustHold(func() sent { return s.send(true, contentText, text("once more")) }, first, second)
		}
	})
	page := saysStatus(http.StatusInternalServerError, `{"status":500,"error":"Internal Server Error","errCode":0}`)
	for name, option := range map[string]string{"false": "failedContinue: false", "blank": "failedContinue: ", "absent": "timeout: 5"} {
		t.Run("an error page refuses when it is "+name, func(t *testing.T) {
			t.Parallel()
			b := startBusiness(t)
			n := startNode(t, setup{files: allMessageWebhooks(b.URL, option)})
			for i, inGroup := range []bool{false, true} {
				b.on(cmdBeforeSingle, page)
				b.on(cmdBeforeGroup, page)
				s := newStage(t, n, b, fmt.Sprint("page", i), inGroup)
				for _, byREST := range []bool{true, false} {
					got := s.send(byREST, contentText, text("hi"))
					if got.ErrCode != 90004 || got.ErrMsg != "NetworkError" || byREST && !strings.Contains(got.ErrDlt, "500") {
						t.Errorf("answered %+v", got)
					}
				}
				b.on(cmdBeforeSingle, nil)
				b.on(cmdBeforeGroup, nil)
				s.mustHold(func() sent { return s.send(true, contentText, text("the handler is repaired")) })
			}
		})
	}
}

// TestS19TwoValues: of an answer with two values only a refusal in the first counts.
func TestS19TwoValues(t *testing.T) {
	t.Parallel()
	overriding := strings.TrimSuffix(approval, "}") + `,"content":"{\"content\":\"changed\"}"}`
	for _, failedContinue := range []bool{true, false} {
		b := startBusiness(t)
		n := startNode(t, setup{files: allMessageWebhooks(b.URL, fmt.Sprint("failedContinue: ", failedContinue))})
		for i, c := range []struct {
			body   string
			reject bool
		}{
			{overriding + overriding, false},
			{rejection + approval, true},
			{rejection + rejection, true},
			{rejection + "garbage", true},
			{overriding + rejection, false},
			{overriding + "\n" + rejection, false},
		} {
			for j, command := range []string{cmdBeforeSingle, cmdBeforeGroup, cmdModify} {
				b.on(cmdBeforeSingle, nil)
				b.on(cmdBeforeGroup, nil)
				b.on(cmdModify, nil)
				for _, byREST := range []bool{true, false} {
					s := newStage(t, n, b, fmt.Sprintf("two_%d_%d_%t", i, j, byREST), command == cmdBeforeGroup)
					b.on(command, says(c.body))
					got := s.send(byREST, contentText, text("original"))
					b.on(command, nil)
					switch {
					case c.reject:
						if got.ErrCode != 5001 || got.ErrMsg != "refused" {
							t.Errorf("%s says %s: answered %+v", command, c.body, got)
						}
						s.mustHold(func() sent { return s.send(true, contentText, text("next")) })
					case failedContinue:
						if got.ErrCode != 0 {
							t.Errorf("%s says %s: answered %+v", command, c.body, got)
						}
						s.mustHold(func() sent { return s.send(true, contentText, text("next")) }, got)
						if m := s.sender.history(s.to.conversation())[s.base]; string(m.Content) != text("original") {
							t.Errorf("%s says %s: overrides of a malformed answer were applied: %s", command, c.body, m.Content)
						}
						n.awaitOutput("WARN", "webhook", "after top-level value", "going on without it", s.to.operationID)
					default:
						if got.ErrCode != 90007 || byREST && !strings.HasSuffix(got.ErrDlt, "after top-level value response format error") {
							t.Errorf("%s says %s: answered %+v", command, c.body, got)
						}
						s.mustHold(func() sent { return s.send(true, contentText, text("next")) })
					}
				}
			}
		}
	}
}

// mustNotLeak checks at the end of the test, when everybody has left, that the
// server runs about as many goroutines as now.
func mustNotLeak(t *testing.T, n *node, b *business) {
	t.Helper()
	before := n.goroutines(t)
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		manyConnections.CloseIdleConnections()
		b.CloseClientConnections()
		poll(t, fmt.Sprint("no more than about ", before, " goroutines"), func() bool { return n.goroutines(t) <= before+10 })
	})
}

// TestS20OddAnswers: whatever a handler answers has a defined outcome and leaves
// nothing behind.
func TestS20OddAnswers(t *testing.T) {
	t.Parallel()
	const (
		approved = iota
		malformed
		failed
	)
	elsewhere := startBusiness(t)
	answers := []struct {
		name    string
		answer  answerer
		outcome int
	}{
		{"empty 200", says(""), malformed},
		{"204", saysStatus(http.StatusNoContent, ""), malformed},
		{"null", says("null"), approved},
		{"empty object", says("{}"), approved},
		{"array", says("[]"), malformed},
		{"string", says(`"ok"`), malformed},
		{"HTML", says("<html><body>OK</body></html>"), malformed},
		{"BOM", says("\xEF\xBB\xBF \n" + approval), approved},
		{"nextCode in a string", says(`{"actionCode":"0","nextCode":"0"}`), approved},
		{"nextCode empty", says(`{"actionCode":0,"nextCode":""}`), approved},
		{"nextCode 0.0", says(`{"actionCode":0.0,"nextCode":0.0}`), approved},
		{"nextCode null", says(`{"actionCode":null,"nextCode":null}`), approved},
		{"nextCode true", says(`{"actionCode":0,"nextCode":true}`), malformed},
		{"another letter case", says(`{"ActionCode":0,"NEXTCODE":0}`), approved},
		{"2 MiB", says(`{"actionCode":0,"nextCode":0,"errMsg":"` + strings.Repeat("a", 2<<20) + `"}`), malformed},
		{"a body that never ends", neverEnds, malformed},
		{"a body that stalls", stalls(`{"actionCode":0,`), failed},
		{"cut in the middle", breaksOff(`{"actionCode":0,"next`), failed},
		{"gzip", saysCompressed(approval), approved},
		{"302", redirects(http.StatusFound, elsewhere.URL), failed},
		{"307", redirects(http.StatusTemporaryRedirect, elsewhere.URL+"/"+cmdBeforeSingle), approved},
		{"404 text", saysStatus(http.StatusNotFound, "404 page not found"), failed},
		{"500 page", saysStatus(http.StatusInternalServerError, `{"status":500,"error":"Internal Server Error"}`), failed},
		{"500 with a verdict", saysStatus(http.StatusInternalServerError, approval), approved},
		{"text/html header", func(w http.ResponseWriter, r *http.Request, c callback) {
			w.Header().Set("Content-Type", "text/html")
			says(approval)(w, r, c)
		}, approved},
	}
	b := startBusiness(t)
	// Each message says in its text how it wants to be answered.
	for _, command := range []string{cmdBeforeSingle, cmdBeforeGroup, cmdModify} {
		b.on(command, func(w http.ResponseWriter, r *http.Request, c callback) {
			for _, a := range answers {
				if c.Event.Content == text(a.name) || c.Event.Content == custom(a.name) {
					a.answer(w, r, c)
					return
				}
			}
			t.Errorf("asked about %s", c.Raw)
		})
	}
	for _, failedContinue := range []bool{true, false} {
		n := startNode(t, setup{files: oneQuestionEach(b.URL, fmt.Sprint("failedContinue: ", failedContinue))})
		mustNotLeak(t, n, b)
		for i, a := range answers {
			t.Run(fmt.Sprintf("%s/failedContinue %t", a.name, failedContinue), func(t *testing.T) {
				t.Parallel()
				want := 0
				switch {
				case failedContinue || a.outcome == approved:
				case a.outcome == malformed:
					want = 90007
				case a.outcome == failed:
					want = 90004
				}
				for _, inGroup := range []bool{false, true} {
					s := newStage(t, n, b, fmt.Sprintf("odd%d_%t_%t", i, failedContinue, inGroup), inGroup)
					var held []sent
					for _, got := range []sent{
						s.send(true, contentText, text(a.name)),
						s.send(false, contentText, text(a.name)),
						s.send(false, contentCustom, custom(a.name)),
					} {
						if got.ErrCode != want {
							t.Errorf("answered %+v, want %d", got, want)
						}
						if got.ErrCode == 0 {
							held = append(held, got)
						}
						if want == 90007 && got.ErrDlt != "" && !strings.HasSuffix(got.ErrDlt, "response format error") {
							t.Errorf("the detail is %q", got.ErrDlt)
						}
					}
					s.mustHold(func() sent { return s.send(true, contentMarkdown, text("harmless")) }, held...)
				}
			})
		}
	}
}
