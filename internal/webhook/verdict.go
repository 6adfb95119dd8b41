package webhook

import (
	"fmt"
	"net/http"

	"github.com/parley-im/parley/internal/im"
)

// Outcomes of calls, as logged and counted.
const (
	outcomeApprove        = "approve"
	outcomeReject         = "reject"
	outcomeFailedContinue = "failed_continue" // no usable answer, went on unchanged
	outcomeFailedRefuse   = "failed_refuse"   // no usable answer, refused
	outcomeDelivered      = "delivered"
	outcomeRetry          = "retry"
	outcomeDead           = "dead_letter"
	outcomeInterrupted    = "interrupted" // by our own shutdown
)

// decision is what a before-call comes to.
type decision struct {
	outcome string
	refusal *im.Error // for the caller; nil goes on
	answer  *answer   // whose overrides apply; nil for none
	reason  string    // for the log, when something was not as it should be
}

// usable reports whether the handler gave an answer that counts.
func (d decision) usable() bool { return d.outcome == outcomeApprove || d.outcome == outcomeReject }

// decide applies the rule of the before-calls: nextCode 1 refuses whatever else
// the answer says; a usable answer counts; and failedContinue decides about
// the rest.
func decide(cb *callback, strictActionCode bool, r response, failure error) decision {
	a, refuses, formatErr := parseAnswer(r.body)
	if refuses {
		return decision{outcome: outcomeReject, refusal: refusalOf(a), reason: reasonOf(formatErr)}
	}
	success := r.status >= 200 && r.status <= 299
	switch {
	case failure != nil:
		return cb.failed(im.ErrNetwork, causeOf(failure), failure.Error())
	case !success && (formatErr != nil || !a.explicit):
		return cb.failed(im.ErrNetwork, r.statusCause(""), r.statusCause(r.redirectTo()))
	case r.truncated:
		text := (&formatError{fmt.Sprintf("answer of more than %d bytes", maxAnswer)}).Error()
		return cb.failed(im.ErrData, text, text)
	case formatErr != nil:
		return cb.failed(im.ErrData, formatErr.Error(), formatErr.Error())
	case a.actionCode == 0:
		return decision{outcome: outcomeApprove, answer: &a}
	}
	reason := fmt.Sprintf("the handler says it failed: actionCode %d", a.actionCode)
	if strictActionCode && !cb.failedContinue {
		return decision{outcome: outcomeReject, refusal: refusalOf(a), reason: reason}
	}
	return decision{outcome: outcomeApprove, answer: &a, reason: reason}
}

// failed is the decision about a call without a usable answer. detail is for
// the caller and names no address.
func (cb *callback) failed(kind *im.Error, detail, reason string) decision {
	if cb.failedContinue {
		return decision{outcome: outcomeFailedContinue, reason: reason}
	}
	return decision{outcome: outcomeFailedRefuse, refusal: kind.With("%s: %s", cb.Key, detail), reason: reason}
}

// refusalOf is the handler's refusal for the caller. A missing code must not
// look like success.
func refusalOf(a answer) *im.Error {
	e := &im.Error{Code: a.errCode, Msg: a.errMsg, Detail: a.errDlt}
	if e.Code <= 0 {
		e.Code = im.ErrCallback.Code
	}
	if e.Msg == "" {
		e.Msg = im.ErrCallback.Msg
	}
	return e
}

// logsOut reports whether clients take the code for a token fault and log out.
func logsOut(code int) bool {
	return im.ErrTokenExpired.Code <= code && code <= im.ErrTokenNotExist.Code
}

func reasonOf(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// statusCause names a status that is no success. The place a redirect leads to
// is for the log only.
func (r response) statusCause(redirectTo string) string {
	if r.status >= 300 && r.status <= 399 {
		return fmt.Sprintf("HTTP status %d: redirect%s not followed for POST", r.status, redirectTo)
	}
	return fmt.Sprintf("HTTP status %d %s", r.status, http.StatusText(r.status))
}

func (r response) redirectTo() string {
	if r.location == "" {
		return ""
	}
	return " to " + short(r.location, 200)
}
