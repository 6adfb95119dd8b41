package object

import "github.com/parley-im/parley/internal/im"

// CheckName reports whether a user may use a name.
func CheckName(userID, name string) error { return checkName(im.Caller{UserID: userID}, name) }
