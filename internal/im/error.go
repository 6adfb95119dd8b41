package im

import "fmt"

// Error is an error a client may see: a code of OpenIM's table, its name, and a
// detail meant for the client. Everything else is internal and becomes code 500
// at the edge.
type Error struct {
	Code   int
	Msg    string
	Detail string
}

func (e *Error) Error() string {
	if e.Detail == "" {
		return fmt.Sprintf("%d %s", e.Code, e.Msg)
	}
	return fmt.Sprintf("%d %s: %s", e.Code, e.Msg, e.Detail)
}

// Is matches by code, so errors.Is(err, im.ErrNotFound) holds for every detail.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

// With returns the error with a detail for the client.
func (e *Error) With(format string, args ...any) *Error {
	return &Error{Code: e.Code, Msg: e.Msg, Detail: fmt.Sprintf(format, args...)}
}

// The error table (rest-api 2). Codes are never reused; 1501-1507 make clients
// log out and are returned for token faults only.
var (
	ErrInternal            = &Error{Code: 500, Msg: "ServerInternalError"}
	ErrTooManyRequests     = &Error{Code: 429, Msg: "too many requests..."}
	ErrArgs                = &Error{Code: 1001, Msg: "ArgsError"}
	ErrNoPermission        = &Error{Code: 1002, Msg: "NoPermissionError"}
	ErrDuplicate           = &Error{Code: 1003, Msg: "DuplicateKeyError"}
	ErrNotFound            = &Error{Code: 1004, Msg: "RecordNotFoundError"}
	ErrUserNotFound        = &Error{Code: 1101, Msg: "UserIDNotFoundError"}
	ErrRegistered          = &Error{Code: 1102, Msg: "RegisteredAlreadyError"}
	ErrGroupNotFound       = &Error{Code: 1201, Msg: "GroupIDNotFoundError"}
	ErrGroupExists         = &Error{Code: 1202, Msg: "GroupIDExisted"}
	ErrNotInGroup          = &Error{Code: 1203, Msg: "NotInGroupYetError"}
	ErrGroupDismissed      = &Error{Code: 1204, Msg: "DismissedAlreadyError"}
	ErrGroupRequestHandled = &Error{Code: 1206, Msg: "GroupRequestHandled"}
	ErrOwnFriend           = &Error{Code: 1301, Msg: "CanNotAddYourselfError"}
	ErrBlocked             = &Error{Code: 1302, Msg: "BlockedByPeer"}
	ErrNotFriend           = &Error{Code: 1303, Msg: "NotPeersFriend"}
	ErrAlreadyFriends      = &Error{Code: 1304, Msg: "RelationshipAlreadyError"}
	ErrRequestHandled      = &Error{Code: 1305, Msg: "FriendRequestHandled"}
	ErrMuted               = &Error{Code: 1402, Msg: "MutedInGroup"}
	ErrGroupMuted          = &Error{Code: 1403, Msg: "MutedGroup"}
	ErrRevoked             = &Error{Code: 1404, Msg: "MsgAlreadyRevoke"}
	ErrTokenExpired        = &Error{Code: 1501, Msg: "TokenExpiredError"}
	ErrTokenInvalid        = &Error{Code: 1502, Msg: "TokenInvalidError"}
	ErrTokenMalformed      = &Error{Code: 1503, Msg: "TokenMalformedError"}
	ErrTokenNotValidYet    = &Error{Code: 1504, Msg: "TokenNotValidYetError"}
	ErrTokenUnknown        = &Error{Code: 1505, Msg: "TokenUnknownError"}
	ErrTokenKicked         = &Error{Code: 1506, Msg: "TokenKickedError"}
	ErrTokenNotExist       = &Error{Code: 1507, Msg: "TokenNotExistError"}
	ErrConnOverLimit       = &Error{Code: 1601, Msg: "ConnOverMaxNumLimit"}
	ErrConnArgs            = &Error{Code: 1602, Msg: "args err, need token, sendID, platformID"}
	ErrCallback            = &Error{Code: 80000, Msg: "CallbackError"}
	ErrCursorTooOld        = &Error{Code: 80010, Msg: "CursorTooOldError"}
	ErrNetwork             = &Error{Code: 90004, Msg: "NetworkError"}
	ErrData                = &Error{Code: 90007, Msg: "DataError"}
)
