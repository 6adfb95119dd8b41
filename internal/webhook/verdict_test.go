package webhook

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/webhook/registry"
)

func TestDecide(t *testing.T) {
	answer := func(status int, body string) response { return response{status: status, body: []byte(body)} }
	codes := func(action, next int) response {
		return answer(200, fmt.Sprintf(`{"actionCode":%d,"errCode":5001,"errMsg":"refused","errDlt":"why","nextCode":%d}`, action, next))
	}
	refused := &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	const springPage = `{"timestamp":"2026-01-01","status":500,"error":"Internal Server Error","path":"/webhook"}`
	type want struct {
		outcome string
		code    int
		detail  string // part of it
	}
	cont, refuse := want{outcome: outcomeFailedContinue}, func(code int, detail string) want {
		return want{outcomeFailedRefuse, code, detail}
	}
	approve, reject := want{outcome: outcomeApprove}, want{outcomeReject, 5001, "why"}
	for _, c := range []struct {
		name                string
		r                   response
		err                 error
		tolerant, unwilling want // failedContinue true, false
	}{
		{"0 0", codes(0, 0), nil, approve, approve},
		{"0 1", codes(0, 1), nil, reject, reject},
		{"1 1", codes(1, 1), nil, reject, reject},
		{"1 0", codes(1, 0), nil, approve, reject},
		{"nextCode 2", codes(0, 2), nil, approve, approve},
		{"timeout", response{}, context.DeadlineExceeded, cont, refuse(90004, "beforeSendSingleMsg: timeout")},
		{"connection refused", response{}, refused, cont, refuse(90004, "beforeSendSingleMsg: connection refused")},
		{"saturated", response{}, errSaturated, cont, refuse(90004, "too many calls")},
		{"500 page", answer(500, springPage), nil, cont, refuse(90004, "HTTP status 500")},
		{"500 with a refusal", answer(500, `{"nextCode":1,"errCode":5001,"errDlt":"why"}`), nil, reject, reject},
		{"500 with an approval", answer(500, `{"actionCode":0,"nextCode":0}`), nil, approve, approve},
		{"500 with errCode only", answer(500, `{"errCode":0,"errMsg":""}`), nil, cont, refuse(90004, "HTTP status 500")},
		{"404 text", answer(404, "404 page not found"), nil, cont, refuse(90004, "HTTP status 404")},
		{"404 null", answer(404, "null"), nil, cont, refuse(90004, "HTTP status 404")},
		{"302", response{status: 302, location: "http://secret/"}, nil, cont, refuse(90004, "redirect not followed for POST")},
		{"204", answer(204, ""), nil, cont, refuse(90007, "unexpected end of JSON input response format error")},
		{"malformed", answer(200, `{"nextCode":0}Callback done`), nil, cont, refuse(90007, "invalid character 'C' after top-level value response format error")},
		{"refusal, garbage behind", answer(200, `{"nextCode":1,"errCode":5001,"errDlt":"why"}x`), nil, reject, reject},
		{"refusal, then the connection broke", answer(200, `{"nextCode":1,"errCode":5001,"errDlt":"why"}`), io.ErrUnexpectedEOF, reject, reject},
		{"approval, then the connection broke", answer(200, `{"nextCode":0}`), io.ErrUnexpectedEOF, cont, refuse(90004, "connection closed")},
		{"approval, endless", response{status: 200, body: []byte(`{"nextCode":0}`), truncated: true}, nil, cont, refuse(90007, "more than 1048576 bytes")},
		{"no field", answer(200, `{}`), nil, approve, approve},
		{"null", answer(200, `null`), nil, approve, approve},
		{"refusal without a code", answer(200, `{"nextCode":1,"errDlt":"why"}`), nil, want{outcomeReject, 80000, "why"}, want{outcomeReject, 80000, "why"}},
		{"refusal with a negative code", answer(200, `{"nextCode":1,"errCode":-3}`), nil, want{outcomeReject, 80000, ""}, want{outcomeReject, 80000, ""}},
	} {
		for _, failedContinue := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, failedContinue %v", c.name, failedContinue), func(t *testing.T) {
				w := c.unwilling
				if failedContinue {
					w = c.tolerant
				}
				cb := &callback{Callback: registry.Callback{Key: "beforeSendSingleMsg"}, failedContinue: failedContinue}
				d := decide(cb, true, c.r, c.err)
				if d.outcome != w.outcome {
					t.Fatalf("outcome %s, want %s", d.outcome, w.outcome)
				}
				if (d.refusal != nil) != (w.code != 0) || d.refusal != nil && (d.refusal.Code != w.code || d.refusal.Msg == "" || !strings.Contains(d.refusal.Detail, w.detail)) {
					t.Errorf("refusal %v, want code %d and %q", d.refusal, w.code, w.detail)
				}
				if (d.answer != nil) != (w.outcome == outcomeApprove) {
					t.Errorf("overrides given: %v", d.answer != nil)
				}
				if strings.Contains(fmt.Sprint(d.refusal), "secret") {
					t.Errorf("the refusal names an address: %v", d.refusal)
				}
			})
		}
	}
	cb := &callback{Callback: registry.Callback{Key: "beforeSendSingleMsg"}}
	if d := decide(cb, false, codes(1, 0), nil); d.outcome != outcomeApprove || d.reason == "" {
		t.Errorf("actionCode 1 with strictActionCode off: %+v, want an approval with a reason", d)
	}
}

func TestCauseNamesNoAddress(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{&net.OpError{Op: "dial", Addr: &net.TCPAddr{IP: net.IPv4(10, 1, 2, 3), Port: 80}, Err: syscall.ECONNREFUSED}, "connection refused"},
		{&net.OpError{Op: "read", Err: syscall.ECONNRESET}, "connection reset"},
		{&net.DNSError{Name: "biz.internal", Err: "no such host"}, "host not found"},
		{&deniedError{"169.254.169.254"}, "address not allowed"},
		{fmt.Errorf("read answer: %w", io.ErrUnexpectedEOF), "connection closed before the answer was complete"},
		{errors.New("http://biz.internal/secret"), "call failed"},
	} {
		if got := causeOf(c.err); got != c.want {
			t.Errorf("%v: %q, want %q", c.err, got, c.want)
		}
	}
}

func TestCodesThatLogOut(t *testing.T) {
	for code, want := range map[int]bool{1500: false, 1501: true, 1507: true, 1508: false, im.ErrCallback.Code: false} {
		if logsOut(code) != want {
			t.Errorf("logsOut(%d) is %v", code, !want)
		}
	}
}
