package webhook

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/parley-im/parley/hooks/payload"
	"github.com/parley-im/parley/internal/im"
)

// modify applies the overrides of beforeMsgModify to m. A field that is absent
// or null is unchanged; one of the wrong type is dropped and named.
func (a *answer) modify(m *im.Message) (changed, dropped []string, err error) {
	o := overrides{answer: a}
	if content, ok := take[string](&o, "content"); ok {
		var object map[string]json.RawMessage
		if json.Unmarshal([]byte(content), &object) != nil || object == nil {
			return nil, o.dropped, im.ErrArgs.With("webhook msg modify content is not json")
		}
		if content != string(m.Content) {
			m.Content = []byte(content)
			o.changed = append(o.changed, "content")
		}
	}
	replace(&o, "recvID", &m.RecvID)
	replace(&o, "groupID", &m.GroupID)
	replace(&o, "senderPlatformID", &m.SenderPlatform)
	replace(&o, "senderNickname", &m.SenderNickname)
	replace(&o, "senderFaceURL", &m.SenderFaceURL)
	replace(&o, "sessionType", &m.SessionType)
	replace(&o, "msgFrom", &m.MsgFrom)
	replace(&o, "contentType", &m.ContentType)
	replace(&o, "status", &m.Status)
	if options, ok := take[map[string]bool](&o, "options"); ok && !maps.Equal(m.Options, im.Options(options)) {
		m.Options = options
		o.changed = append(o.changed, "options")
	}
	if push, ok := take[payload.PushInfo](&o, "offlinePushInfo"); ok {
		if info := im.PushInfo(push); m.Push == nil || *m.Push != info {
			m.Push = &info
			o.changed = append(o.changed, "offlinePushInfo")
		}
	}
	if at, ok := take[[]string](&o, "atUserIDList"); ok && !slices.Equal(m.AtUserIDs, at) {
		m.AtUserIDs = at
		o.changed = append(o.changed, "atUserIDList")
	}
	replace(&o, "attachedInfo", &m.AttachedInfo)
	replace(&o, "ex", &m.Ex)
	changed = o.changed
	// The answer to the sender carries the ids anyway; data.modify never does.
	replaceID(&o, "clientMsgID", &m.ClientMsgID)
	replaceID(&o, "serverMsgID", &m.ServerMsgID)
	return changed, o.dropped, nil
}

type overrides struct {
	answer           *answer
	changed, dropped []string
}

// take reads an override.
func take[T any](o *overrides, name string) (v T, ok bool) {
	ok, err := o.answer.override(name, reflect.ValueOf(&v).Elem())
	if err != nil {
		o.dropped = append(o.dropped, name)
	}
	return v, ok
}

func replace[T comparable](o *overrides, name string, field *T) {
	if v, ok := take[T](o, name); ok && v != *field {
		*field = v
		o.changed = append(o.changed, name)
	}
}

// replaceID is replace for message ids, which nobody looks at once more.
func replaceID(o *overrides, name string, field *string) {
	id := *field
	replace(o, name, &id)
	if id == *field {
		return
	}
	if id == "" || len(id) > im.MaxIDLength || !utf8.ValidString(id) || strings.IndexByte(id, 0) >= 0 {
		o.dropped = append(o.dropped, name)
		return
	}
	*field = id
}
