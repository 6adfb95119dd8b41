package console

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
)

// What was found, what was seen and what to do are said in the language of the
// page, and so is what became of a callback.
func TestWhyLanguages(t *testing.T) {
	s := newSite(t)
	if err := s.Store.Write(t.Context(), func(tx *store.Tx) error {
		return tx.InsertDeliveries([]store.Delivery{{
			Callback: "beforeSendSingleMsg", Kind: store.DeliveryBefore, OperationID: "op", Endpoint: "default", Outcome: "failed_refuse",
			StartedAt: im.MillisOf(s.clock.Now()), Status: 200, Reason: "response format error", Answer: []byte("<html>Sign in</html>"),
		}})
	}); err != nil {
		t.Fatal(err)
	}
	b := s.loggedIn()
	pages := []struct {
		query            url.Values
		english, chinese []string
	}{
		{
			url.Values{"callback": {"afterMsgSaveDB"}, "env": {"IMENV_WEBHOOKS_URL=x"}},
			[]string{
				"the callback is off", "nothing sets afterMsgSaveDB.enable, in no file and no variable", "set afterMsgSaveDB.enable to true",
				"IMENV_WEBHOOKS_URL is set here and not", "off: nobody was called", "enable is false by default",
			},
			[]string{
				"该回调未启用", "没有任何文件或环境变量设置 afterMsgSaveDB.enable", "请在 webhooks.yml 的顶层把 afterMsgSaveDB.enable 设为 true",
				"IMENV_WEBHOOKS_URL 在这里设置了", "未启用，没有调用", "enable 为 false，来自 默认值",
			},
		},
		{
			url.Values{"id": {"op"}},
			[]string{
				"the handler answers with an HTML page", "the answer began with &#34;&lt;html&gt;", "answer with one JSON object",
				"there was no usable answer; failedContinue is false",
			},
			[]string{"处理程序返回了 HTML 页面", "应答的开头是 &#34;&lt;html&gt;", "应答必须是一个 JSON 对象", "没有可用的应答；failedContinue 为 false"},
		},
	}
	show := func(wanted, others func(i int) []string) {
		t.Helper()
		for i, p := range pages {
			_, body := b.get("/webhooks/why?" + p.query.Encode())
			for _, part := range wanted(i) {
				if !strings.Contains(body, part) {
					t.Errorf("%v: no %q in\n%s", p.query, part, body)
				}
			}
			for _, part := range others(i) {
				if strings.Contains(body, part) {
					t.Errorf("%v: %q in another language", p.query, part)
				}
			}
		}
	}
	inEnglish, inChinese := func(i int) []string { return pages[i].english }, func(i int) []string { return pages[i].chinese }
	show(inEnglish, inChinese)
	const wrong, detail = "/webhooks/why?callback=nonsense", "&#39;nonsense&#39; is no callback of webhooks.yml"
	if _, body := b.get(wrong); !strings.Contains(body, ">"+detail) {
		t.Errorf("an error in English:\n%s", body)
	}
	if status, body := b.post("/preferences", url.Values{"language": {"zh"}}); status != http.StatusSeeOther {
		t.Fatal(status, body)
	}
	show(inChinese, inEnglish)
	if _, body := b.get(wrong); !strings.Contains(body, ">参数有误："+detail) {
		t.Errorf("an error in Chinese:\n%s", body)
	}
}
