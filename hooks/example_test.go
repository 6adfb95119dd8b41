package hooks_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/parley-im/parley/hooks"
	"github.com/parley-im/parley/hooks/payload"
	"github.com/parley-im/parley/hooks/signature"
)

// A word filter, and what a request of the server looks like to it.
func Example() {
	const secret = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
	h, err := hooks.New(hooks.Options{Secrets: []string{secret}})
	if err != nil {
		panic(err)
	}
	h.BeforeSendSingleMsg(func(_ context.Context, m *payload.SingleMessage) (hooks.Verdict, error) {
		if strings.Contains(m.Content, "casino") {
			return hooks.Refuse(5001, "the message was refused"), nil
		}
		return hooks.Allow(), nil
	})

	body := []byte(`{"callbackCommand":"callbackBeforeSendSingleMsgCommand","sendID":"alice","content":"{\"content\":\"off to the casino\"}"}`)
	req := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/webhook/callbackBeforeSendSingleMsgCommand", bytes.NewReader(body))
	key, err := signature.Parse(secret)
	if err != nil {
		panic(err)
	}
	signature.Set(req.Header, "evt_1", time.Now(), body, key)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, req)
	fmt.Print(w.Body)
	// Output: {"actionCode":0,"errCode":5001,"errMsg":"the message was refused","errDlt":"","nextCode":1}
}
