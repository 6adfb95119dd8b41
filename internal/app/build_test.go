package app

import (
	"testing"

	"github.com/parley-im/parley/internal/config"
	"github.com/parley-im/parley/internal/wire"
)

// Every event of notification.yml has a content type, so that no setting is
// without effect.
func TestNoticeStyles(t *testing.T) {
	c := config.Default()
	for event, n := range c.Notification {
		contentType, known := wire.NoticeEvents[event]
		if !known {
			t.Errorf("event %s has no content type", event)
			continue
		}
		style := noticeStyles(c)(contentType)
		if style.Chat != n.IsSendMsg || style.Offline != n.OfflinePush.Enable {
			t.Errorf("%s: style %+v of %+v", event, style, n)
		}
	}
	for event := range wire.NoticeEvents {
		if _, known := c.Notification[event]; !known {
			t.Errorf("content type of an event %s that notification.yml does not know", event)
		}
	}
}
