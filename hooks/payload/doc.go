// Package payload has the bodies of the webhook callbacks as they go over the
// wire: what the server posts, and what a handler may answer.
//
// Names, types and nulls are OpenIM's, its slips included: handlers are written
// for them. Keys may be added, which handlers ignore, but none is renamed or
// left out. An empty list is null unless said otherwise. Times are milliseconds
// since 1970. In answers a pointer, list or map that is nil leaves the operation
// as it is.
//
// It knows no other package of the server, so that the server, its tools and
// programs that handle callbacks can share it.
package payload

// Answer is what every handler answers to a before callback; the types that
// embed it add what may be changed. NextCode 1 refuses the operation with ErrCode,
// ErrMsg and ErrDlt. The answer to an after callback is only logged.
type Answer struct {
	ActionCode int32  `json:"actionCode"` // not 0: the handler failed
	ErrCode    int32  `json:"errCode"`
	ErrMsg     string `json:"errMsg"`
	ErrDlt     string `json:"errDlt"`
	NextCode   int32  `json:"nextCode"`
}

// Decide sets the decision beside what the answer changes.
func (a *Answer) Decide(d Answer) { *a = d }
