// Package wire is OpenIM's format on the wire: the envelopes of the long
// connection, their compression, and the conversion between protocol types and
// the words of package im. Only the edges (gateway, api, webhook, bench) import
// it; a noun that needs it has taken a wrong turn.
//
// Everything decoded here comes from strangers. A decoder never panics, never
// allocates more than a small multiple of the bytes it was given, and reports
// what it refuses as ErrMalformed or ErrTooLarge.
package wire

import (
	"errors"
	"fmt"
	"math"
)

var (
	// ErrMalformed is wrapped by every refusal of bytes that are not what they claim to be.
	ErrMalformed = errors.New("malformed frame")
	// ErrTooLarge is wrapped when a frame, or what it inflates to, exceeds its limit.
	ErrTooLarge = errors.New("frame too large")
)

// maxEnvelope is a backstop for callers that forget to limit their frames; the
// gateway's own limits are far lower.
const maxEnvelope = 16 << 20

// Request is the envelope of a frame from a client.
type Request struct {
	ReqIdentifier int32  `json:"reqIdentifier"`
	Token         string `json:"token"` // sent by clients, of no use to a server that checked it at the handshake
	SendID        string `json:"sendID"`
	OperationID   string `json:"operationID"`
	MsgIncr       string `json:"msgIncr"` // the client's key for matching the reply
	Data          []byte `json:"data"`    // protobuf of the type ReqIdentifier stands for
}

// Response is the envelope of a frame to a client: a reply, or a push (then
// MsgIncr is empty).
type Response struct {
	ReqIdentifier int32  `json:"reqIdentifier"`
	MsgIncr       string `json:"msgIncr"`
	OperationID   string `json:"operationID"`
	ErrCode       int32  `json:"errCode"`
	ErrMsg        string `json:"errMsg"`
	Data          []byte `json:"data"`
}

// Values of ReqIdentifier. A Go client that meets any other stops reading for
// good.
const (
	GetNewestSeq             int32 = 1001
	PullMsgByRange           int32 = 1002
	SendMsg                  int32 = 1003
	SendSignalMsg            int32 = 1004
	PullMsgBySeqList         int32 = 1005
	GetConvMaxReadSeq        int32 = 1006
	PullConvLastMessage      int32 = 1007
	PushMsg                  int32 = 2001 // to clients only
	KickOnlineMsg            int32 = 2002 // to clients only
	LogoutMsg                int32 = 2003
	SetBackgroundStatus      int32 = 2004
	SubscribeUserOnlineState int32 = 2005 // and pushed to clients
)

// Form is the encoding of envelopes, chosen by the client at its handshake.
type Form uint8

const (
	// Gob is the form of the Go SDK and of the wasm client made from it.
	Gob Form = iota
	// JSON is the form of the JavaScript client.
	JSON
)

func (f Form) String() string {
	switch f {
	case Gob:
		return "gob"
	case JSON:
		return "json"
	}
	return fmt.Sprintf("Form(%d)", uint8(f))
}

// AppendResponse appends r, encoded, to dst. Each result is complete in itself:
// clients use a fresh decoder per frame.
func (f Form) AppendResponse(dst []byte, r *Response) []byte {
	if f == JSON {
		return appendJSONResponse(dst, r)
	}
	return appendGobResponse(dst, r)
}

// AppendRequest appends r, encoded, to dst. It is the client's side, for load
// generators and tests.
func (f Form) AppendRequest(dst []byte, r *Request) []byte {
	if f == JSON {
		return appendJSONRequest(dst, r)
	}
	return appendGobRequest(dst, r)
}

// DecodeRequest replaces all of r by what b holds. r.Data may alias b, so b
// must stay untouched while Data is in use; the strings never alias b. A string
// that r already held with the same value is kept, so a connection that decodes
// into one Request does not copy its token with every frame. After an error
// the content of r is undefined.
func (f Form) DecodeRequest(b []byte, r *Request) error {
	if len(b) > maxEnvelope {
		return fmt.Errorf("%w: envelope of %d bytes", ErrTooLarge, len(b))
	}
	if f == JSON {
		return decodeJSONRequest(b, r)
	}
	return decodeGobRequest(b, r)
}

// DecodeResponse is DecodeRequest for the other direction, with the same rules.
func (f Form) DecodeResponse(b []byte, r *Response) error {
	if len(b) > maxEnvelope {
		return fmt.Errorf("%w: envelope of %d bytes", ErrTooLarge, len(b))
	}
	if f == JSON {
		return decodeJSONResponse(b, r)
	}
	return decodeGobResponse(b, r)
}

// keep returns b as a string, without copying when old already says the same.
func keep(old string, b []byte) string {
	if old == string(b) {
		return old
	}
	return string(b)
}

func narrow(v int64) (int32, error) {
	if v < math.MinInt32 || v > math.MaxInt32 {
		return 0, fmt.Errorf("%w: %d does not fit an int32", ErrMalformed, v)
	}
	return int32(v), nil
}
