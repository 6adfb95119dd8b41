package wire

import (
	"strings"
	"testing"

	"github.com/parley-im/parley/internal/im"
)

func TestRevokedQuote(t *testing.T) {
	secret := &im.Message{
		Seq: 1, ClientMsgID: "first", SendID: "a", SessionType: im.SingleChat, ContentType: im.ContentText,
		Content: []byte(`{"content":"secret"}`), Revoked: &im.Revocation{RevokerID: "a", Nickname: "Alice", At: 5},
	}
	m := &im.Message{ContentType: im.ContentQuote, RevokedQuote: secret, Content: []byte(
		`{"text":"why?","quoteMessage":{"seq":1,"contentType":101,"clientMsgID":"first","textElem":{"content":"secret"},"attachedInfoElem":{"burnDuration":3}}}`)}
	d := FromMessage(m)
	const want = `{"quoteMessage":{"attachedInfoElem":{"burnDuration":3},"clientMsgID":"first",` +
		`"content":"{\"detail\":\"{\\\"revokerID\\\":\\\"a\\\",`
	if got := string(d.Content); !strings.HasPrefix(got, want) || !strings.HasSuffix(got, `"contentType":2101,"seq":1},"text":"why?"}`) || strings.Contains(got, "secret") {
		t.Errorf("the quote reads %s", got)
	}
	if d.ContentType != int32(im.ContentQuote) {
		t.Errorf("it has type %d", d.ContentType)
	}
	for _, odd := range []string{"[]", "null", `{}`, `{"quoteMessage":null}`, `{"quoteMessage":1}`, `{"QuoteMessage":{"seq":1}}`} {
		m.Content = []byte(odd)
		if got := string(FromMessage(m).Content); got != odd {
			t.Errorf("%s, which is no quote, became %s", odd, got)
		}
	}
}
