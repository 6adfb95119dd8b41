package reload_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parley-im/parley/internal/store"
	"github.com/parley-im/parley/internal/store/storetest"
)

// Both secrets are in effect during a rotation, nothing else in the file changes,
// and nothing secret is logged.
func TestRotateSecret(t *testing.T) {
	t.Parallel()
	const old = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	s := storetest.SQLite(t)(store.Options{})
	k := newKit(t, s, map[string]string{"webhooks.yml": "# ours\nurl: http://127.0.0.1:1/\nsecret: " + old + "\nendpoints:\n  - name: audit\n    url: http://127.0.0.1:2/\n    events: [\"after*\"]\n"})
	file := func() string {
		text, err := os.ReadFile(filepath.Join(k.dir, "webhooks.yml"))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	if err := k.FinishRotation(t.Context(), "default"); err == nil {
		t.Error("a rotation that was not begun is finished")
	}
	fresh, err := k.RotateSecret(t.Context(), "default")
	if err != nil {
		t.Fatal(err)
	}
	if w := k.Config().Webhooks; w.Secret != fresh || w.PreviousSecret != old || fresh == old {
		t.Errorf("in effect: %q and %q", w.Secret, w.PreviousSecret)
	}
	if !strings.HasPrefix(file(), "# ours\n") {
		t.Errorf("the file became\n%s", file())
	}
	if _, err := k.RotateSecret(t.Context(), "default"); err == nil {
		t.Error("a rotation begins while one is under way: the handler may know neither secret")
	}
	if err := k.FinishRotation(t.Context(), "default"); err != nil {
		t.Fatal(err)
	}
	if w := k.Config().Webhooks; w.Secret != fresh || w.PreviousSecret != "" {
		t.Errorf("in the end: %q and %q", w.Secret, w.PreviousSecret)
	}
	other, err := k.RotateSecret(t.Context(), "audit")
	if err != nil {
		t.Fatal(err)
	}
	if e := k.Config().Webhooks.Endpoints[0]; e.Secret != other || e.PreviousSecret != "" {
		t.Errorf("the endpoint's first secret: %+v", e)
	}
	if _, err := k.RotateSecret(t.Context(), "nobody"); err == nil {
		t.Error("an endpoint that is not there has a new secret")
	}
	for _, secret := range []string{old, fresh, other} {
		if strings.Contains(k.log.String(), secret) {
			t.Error("a secret is logged")
		}
	}
}
