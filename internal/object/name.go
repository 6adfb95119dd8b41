package object

import (
	"mime"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/parley-im/parley/internal/im"
)

const (
	maxName  = 1024 // bytes of an object's name
	maxShort = 256  // bytes of a content type or cause
)

// checkName decides what objects may be called, and by whom (rest-api 5.1).
// Names are no paths of any file system, but they stand in URLs, whose
// readers treat some of them in their own ways: those are refused.
func checkName(caller im.Caller, name string) error {
	switch {
	case name == "":
		return im.ErrArgs.With("name is empty")
	case len(name) > maxName:
		return im.ErrArgs.With("name is longer than %d bytes", maxName)
	case !utf8.ValidString(name):
		return im.ErrArgs.With("name is not UTF-8")
	case name[0] == '/':
		return im.ErrArgs.With("name cannot start with /")
	case strings.ContainsRune(name, '\\'), strings.ContainsFunc(name, unprintable):
		return im.ErrArgs.With("name holds a backslash or a control character")
	}
	for segment := range strings.SplitSeq(name, "/") {
		if segment == "" || segment == "." || segment == ".." {
			return im.ErrArgs.With("name holds an empty segment, . or ..")
		}
	}
	if !caller.Admin && !caller.Server && !strings.HasPrefix(name, caller.UserID+"/") {
		return im.ErrNoPermission.With("name must start with %s/", caller.UserID)
	}
	return nil
}

// unprintable characters, and those that turn the direction of text around,
// make a name look like another one.
func unprintable(r rune) bool {
	return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029'
}

// filename is the last part of a name: what a browser saves it as.
func filename(name string) string { return path.Base(name) }

// contentType is what a client says, if it can be said in a header.
func contentType(given string) string {
	if kind, params, err := mime.ParseMediaType(given); err == nil && strings.Contains(kind, "/") && len(given) <= maxShort {
		if safe := mime.FormatMediaType(kind, params); safe != "" {
			return safe
		}
	}
	return "application/octet-stream"
}

func short(s string) string {
	if len(s) > maxShort || !utf8.ValidString(s) {
		return ""
	}
	return s
}
