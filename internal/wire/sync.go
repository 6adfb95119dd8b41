package wire

import (
	"crypto/md5" //nolint:gosec // a fingerprint that clients compute too, not a secret
	"encoding/binary"
	"encoding/json"

	"github.com/parley-im/parley/internal/im"
)

// IDHash is the fingerprint by which a client asks whether its list of ids is
// the server's: 0 for no ids.
func IDHash[ID ~string](ids []ID) uint64 {
	if len(ids) == 0 {
		return 0
	}
	text, _ := json.Marshal(ids) // strings always encode
	sum := md5.Sum(text)         //nolint:gosec // as above
	return binary.BigEndian.Uint64(sum[:])
}

// MemberHash is the fingerprint of a group's members, who come by user id.
func MemberHash(members []im.Member) uint64 {
	text, _ := json.Marshal(All(members, FromMember)) // plain structs always encode
	sum := md5.Sum(text)                              //nolint:gosec // as above
	return binary.BigEndian.Uint64(sum[:])
}

// All converts a list with a function for one.
func All[A, B any](list []A, convert func(A) B) []B {
	if len(list) == 0 {
		return nil
	}
	out := make([]B, len(list))
	for i, a := range list {
		out[i] = convert(a)
	}
	return out
}
