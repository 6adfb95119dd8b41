package api

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/parley-im/parley/internal/im"
)

// What the content of a message sent over REST must hold, by content type.
// Types that are not here cannot be sent over REST. Fields that are not named
// are carried as they are. Types are taken loosely, as business servers are
// used to: a number may stand for a text and the other way round.
var contents = map[im.ContentType]shape{
	im.ContentText:          {required("content", text)},
	im.ContentPicture:       picture,
	im.ContentVoice:         sound,
	im.ContentVideo:         video,
	im.ContentFile:          file,
	im.ContentAtText:        atText,
	im.ContentCustom:        custom,
	im.ContentQuote:         quote,
	im.ContentMarkdown:      {required("content", text)},
	im.ContentAccountNotice: notice,
}

var (
	image   = shape{required("type", text), required("width", number), required("height", number), required("url", text), optional("uuid", text), optional("size", number)}
	picture = shape{
		optional("sourcePath", text), part("sourcePicture", image), part("bigPicture", image), part("snapshotPicture", image),
	}
	sound = shape{required("sourceUrl", text), required("duration", positive), optional("uuid", text), optional("soundPath", text), optional("dataSize", number)}
	video = shape{
		required("videoUrl", text), required("videoType", text), required("videoSize", number), required("duration", number),
		required("snapshotUrl", text), required("snapshotWidth", number), required("snapshotHeight", number),
		optional("videoPath", text), optional("videoUUID", text), optional("snapshotPath", text), optional("snapshotUUID", text), optional("snapshotSize", number),
	}
	file   = shape{required("sourceUrl", text), required("fileName", text), required("fileSize", number), optional("filePath", text), optional("uuid", text)}
	custom = shape{required("data", text), optional("description", text), optional("extension", text)}
	notice = shape{
		required("notificationName", text), required("notificationType", number), required("text", text), optional("mixType", mixType),
		optional("notificationFaceURL", text), optional("url", text), optional("ex", text),
		optionalPart("pictureElem", picture), optionalPart("soundElem", sound), optionalPart("videoElem", video), optionalPart("fileElem", file),
	}
	// A quoted message is what the client showed, so only its parts are checked.
	quoted = shape{
		optional("contentType", number), optional("seq", number), optional("sendID", text), optional("clientMsgID", text),
		optionalPart("textElem", shape{required("content", text)}), optionalPart("pictureElem", picture), optionalPart("soundElem", sound),
		optionalPart("videoElem", video), optionalPart("fileElem", file), optionalPart("customElem", custom),
	}
	quote  = shape{optional("text", text), optionalPart("quoteMessage", quoted)}
	atText = shape{optional("text", text), required("atUserList", userList), optionalPart("quoteMessage", quoted)}
)

// shape lists the known fields of an object.
type shape []field

// field is a known field: a plain value of a kind, or an object of a shape.
type field struct {
	name     string
	required bool // there, and not the zero value
	accepts  kind
	of       shape
}

// kind checks a plain value: whether it may stand for the kind, and whether it
// is the kind's zero value.
type kind func(v any) (ok, zero bool)

func required(name string, k kind) field      { return field{name: name, required: true, accepts: k} }
func optional(name string, k kind) field      { return field{name: name, accepts: k} }
func part(name string, s shape) field         { return field{name: name, required: true, of: s} }
func optionalPart(name string, s shape) field { return field{name: name, of: s} }

func text(v any) (ok, zero bool) {
	switch v := v.(type) {
	case string:
		return true, v == ""
	case json.Number, bool:
		return true, false
	default:
		return false, false
	}
}

func number(v any) (ok, zero bool) {
	n, ok := toNumber(v)
	return ok, n == 0
}

func positive(v any) (ok, zero bool) {
	n, ok := toNumber(v)
	return ok && n >= 0, n == 0
}

func mixType(v any) (ok, zero bool) {
	n, ok := toNumber(v)
	return ok && n >= 0 && n <= 5, n == 0
}

// maxAtUsers is the most users one message mentions.
const maxAtUsers = 1000

func userList(v any) (ok, zero bool) {
	list, ok := v.([]any)
	if !ok || len(list) > maxAtUsers {
		return false, false
	}
	for _, u := range list {
		if id, isText := u.(string); !isText || id == "" {
			return false, false
		}
	}
	return true, len(list) == 0
}

func toNumber(v any) (float64, bool) {
	switch v := v.(type) {
	case json.Number:
		n, err := v.Float64()
		return n, err == nil
	case string:
		if v == "" {
			return 0, true
		}
		n, err := strconv.ParseFloat(v, 64)
		return n, err == nil
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	default:
		return 0, false
	}
}

// check looks for the fields of the shape in an object; path names the object
// in the error.
func (s shape) check(path string, object map[string]any) error {
	for _, f := range s {
		name := path + "." + f.name
		v := lookUp(object, f.name)
		if v == nil {
			if f.required {
				return im.ErrArgs.With("%s is required", name)
			}
			continue
		}
		if f.of != nil {
			inner, ok := v.(map[string]any)
			if !ok {
				return im.ErrArgs.With("%s is not an object", name)
			}
			if err := f.of.check(name, inner); err != nil {
				return err
			}
			continue
		}
		ok, zero := f.accepts(v)
		switch {
		case !ok:
			return im.ErrArgs.With("%s is not valid", name)
		case f.required && zero:
			return im.ErrArgs.With("%s is required", name)
		}
	}
	return nil
}

// lookUp finds a field by name: the exact spelling, or the first of those that
// differ in case only, so that every look finds the same.
func lookUp(object map[string]any, name string) any {
	if v, ok := object[name]; ok {
		return v
	}
	found := ""
	for k := range object {
		if strings.EqualFold(k, name) && (found == "" || k < found) {
			found = k
		}
	}
	if found == "" {
		return nil
	}
	return object[found]
}
