package reload_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-im/parley/internal/config"
	"github.com/parley-im/parley/internal/reload"
	"github.com/parley-im/parley/internal/store"
	"github.com/parley-im/parley/internal/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

const good = "url: http://127.0.0.1:1/hook\nbeforeSendSingleMsg:\n  enable: true\n"

// kit is a directory and the service that follows it.
type kit struct {
	*reload.Service
	t       *testing.T
	dir     string
	log     *strings.Builder
	applied []*config.Config
	fail    error
}

func newKit(t *testing.T, s *store.Store, files map[string]string) *kit {
	t.Helper()
	k := &kit{t: t, dir: t.TempDir(), log: &strings.Builder{}}
	k.write("share.yml", "secret: first\n")
	for name, text := range files {
		k.write(name, text)
	}
	source := config.Options{Dir: k.dir, DataDir: t.TempDir()}
	c, r, err := config.Load(source)
	if err != nil {
		t.Fatal(err)
	}
	k.Service = reload.New(reload.Options{
		Source: source, Config: c, Report: r, Store: s, Logger: slog.New(slog.NewTextHandler(k.log, nil)),
		Apply: func(_ context.Context, c *config.Config) error {
			if k.fail != nil {
				return k.fail
			}
			k.applied = append(k.applied, c)
			return nil
		},
	})
	return k
}

func (k *kit) write(name, text string) {
	k.t.Helper()
	if err := os.WriteFile(filepath.Join(k.dir, name), []byte(text), 0o600); err != nil {
		k.t.Fatal(err)
	}
}

func (k *kit) versions(s *store.Store) (out []store.ConfigVersion) {
	k.t.Helper()
	if err := s.Read(context.Background(), func(tx *store.Tx) (err error) {
		out, err = tx.ConfigVersions(0, 0)
		return err
	}); err != nil {
		k.t.Fatal(err)
	}
	return out
}

func TestReload(t *testing.T) {
	t.Parallel()
	s := storetest.SQLite(t)(store.Options{})
	k := newKit(t, s, map[string]string{"webhooks.yml": good, "openim-api.yml": "api:\n  ports: [10002]\n"})

	t.Run("takes over what is live and names what needs a restart", func(t *testing.T) {
		k.write("webhooks.yml", good+"  timeout: 3\n")
		k.write("openim-api.yml", "api:\n  ports: [11002]\n")
		k.write("share.yml", "secret: second\nmultiLogin: {policy: 4}\nimAdminUser: {userIDs: [imAdmin, boss]}\n")
		out, err := k.Reload(t.Context(), reload.CauseRequest)
		if err != nil {
			t.Fatal(err)
		}
		if got := paths(out.Changes); !slices.Equal(got, []string{"imAdminUser.userIDs", "multiLogin.policy", "beforeSendSingleMsg.timeout"}) &&
			!slices.Equal(got, []string{"beforeSendSingleMsg.timeout", "imAdminUser.userIDs", "multiLogin.policy"}) {
			t.Errorf("changed: %v", got)
		}
		if got := paths(out.Pending); !slices.Contains(got, "secret") || !slices.Contains(got, "api.ports") || len(got) != 2 {
			t.Errorf("waiting for a restart: %v", got)
		}
		c := k.Config()
		if len(k.applied) != 1 || k.applied[0] != c {
			t.Fatalf("applied %d times", len(k.applied))
		}
		if c.Webhooks.Callbacks["beforeSendSingleMsg"].Timeout != 3*time.Second || c.Share.MultiLogin.Policy != 4 || len(c.Share.Admins) != 2 {
			t.Errorf("in effect: %+v", c.Share)
		}
		if c.Share.Secret != "first" || c.API.Ports[0] != 10002 {
			t.Errorf("what needs a restart changed: %q %v", c.Share.Secret, c.API.Ports)
		}
		if log := k.log.String(); !strings.Contains(log, "needs a restart") || !strings.Contains(log, "api.ports") ||
			strings.Contains(log, "first") || strings.Contains(log, "second") {
			t.Errorf("the log shows a secret, or does not say what needs a restart:\n%s", log)
		}
	})

	t.Run("an invalid edit changes nothing", func(t *testing.T) {
		before := k.Config()
		k.write("webhooks.yml", "callback:\n  beforeSendSingleMsg: {enable: true}\n")
		_, err := k.Reload(t.Context(), reload.CauseFile)
		if _, ok := errors.AsType[*config.Problems](err); !ok {
			t.Fatalf("refused with %v", err)
		}
		status := k.Status()
		if k.Config() != before || status.Refused != 1 || len(status.Problems) != 1 || status.Problems[0].Line != 1 {
			t.Errorf("status %+v", status)
		}
		if !strings.Contains(k.log.String(), "webhooks.yml:1:1: 'callback' is not a webhook") {
			t.Errorf("the log does not name the line:\n%s", k.log)
		}
		newest := k.versions(s)[0]
		if newest.Applied || !strings.Contains(string(newest.Body), "move everything out of") {
			t.Errorf("history: %+v %s", newest, newest.Body)
		}
	})

	t.Run("the next good edit recovers", func(t *testing.T) {
		k.write("webhooks.yml", good+"  timeout: 4\n")
		if _, err := k.Reload(t.Context(), reload.CauseFile); err != nil {
			t.Fatal(err)
		}
		if status := k.Status(); len(status.Problems) != 0 || status.Refused != 1 || k.Config().Webhooks.Callbacks["beforeSendSingleMsg"].Timeout != 4*time.Second {
			t.Errorf("status %+v", status)
		}
	})

	t.Run("a part that cannot take it over leaves the old one", func(t *testing.T) {
		before := k.Config()
		k.fail = errors.New("no room for a log")
		k.write("log.yml", "remainLogLevel: 2\n")
		if _, err := k.Reload(t.Context(), reload.CauseFile); err == nil || !strings.Contains(err.Error(), "no room") {
			t.Fatalf("answered %v", err)
		}
		if k.Config() != before || k.Status().Problems[0].Message == "" {
			t.Errorf("status %+v", k.Status())
		}
	})
}

func paths(changes []config.Change) []string {
	var out []string
	for _, c := range changes {
		out = append(out, c.Path)
	}
	return out
}

// TestWatch: edits in place, by rename, and by the swap of a link take effect
// within seconds; a file that is still being written does not.
func TestWatch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := storetest.SQLite(t)(store.Options{})
		k := newKit(t, s, map[string]string{"webhooks.yml": good})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- k.Run(ctx, nil) }()
		after := func(d time.Duration) time.Duration {
			time.Sleep(d) // of the bubble's clock
			synctest.Wait()
			return k.Config().Webhooks.Callbacks["beforeSendSingleMsg"].Timeout
		}
		after(3 * time.Second)
		if len(k.applied) != 0 {
			t.Error("something was applied without an edit")
		}
		k.write("webhooks.yml", good+"  timeout: 2\n")
		if got := after(3 * time.Second); got != 2*time.Second {
			t.Errorf("in place: %s", got)
		}
		k.write("webhooks.new", good+"  timeout: 3\n")
		if err := os.Rename(filepath.Join(k.dir, "webhooks.new"), filepath.Join(k.dir, "webhooks.yml")); err != nil {
			t.Fatal(err)
		}
		if got := after(3 * time.Second); got != 3*time.Second {
			t.Errorf("by rename: %s", got)
		}

		// A ConfigMap: webhooks.yml -> ..data/webhooks.yml, ..data -> a directory.
		for version, timeout := range map[string]string{"..v1": "4", "..v2": "5"} {
			if err := os.Mkdir(filepath.Join(k.dir, version), 0o700); err != nil {
				t.Fatal(err)
			}
			k.write(version+"/webhooks.yml", good+"  timeout: "+timeout+"\n")
		}
		link := func(target, name string) {
			t.Helper()
			fresh := filepath.Join(k.dir, "..new")
			if err := os.Symlink(target, fresh); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(fresh, filepath.Join(k.dir, name)); err != nil {
				t.Fatal(err)
			}
		}
		link("..v1", "..data")
		link("..data/webhooks.yml", "webhooks.yml")
		if got := after(3 * time.Second); got != 4*time.Second {
			t.Errorf("a link: %s", got)
		}
		link("..v2", "..data")
		if got := after(3 * time.Second); got != 5*time.Second {
			t.Errorf("the swap of the link: %s", got)
		}

		// Half-written files are let alone while they change.
		refused := k.Status().Refused
		if err := os.Remove(filepath.Join(k.dir, "webhooks.yml")); err != nil {
			t.Fatal(err)
		}
		for i := range 10 {
			k.write("webhooks.yml", "callback:\n"+strings.Repeat("#", i))
			after(time.Second)
		}
		k.write("webhooks.yml", good+"  timeout: 6\n")
		if got := after(3 * time.Second); got != 6*time.Second || k.Status().Refused != refused {
			t.Errorf("after a slow edit: %s, refused %d times", got, k.Status().Refused-refused)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// TestHistory: what was in effect at a time is known, with the source of each
// value, and without secrets.
func TestHistory(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		s := open(store.Options{})
		k := newKit(t, s, map[string]string{"webhooks.yml": "url: http://user:hush@127.0.0.1:1/hook?token=hush\nsecret: whsec_aHVzaGh1c2hodXNoaHVzaGh1c2hodXNo\nbeforeSendSingleMsg: {enable: true}\n"})
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for range 2 { // a restart with the same files adds nothing
			if err := k.Run(ctx, nil); err != nil {
				t.Fatal(err)
			}
		}
		k.write("webhooks.yml", good)
		if _, err := k.Reload(t.Context(), reload.CauseFile); err != nil {
			t.Fatal(err)
		}
		all := k.versions(s)
		if len(all) != 2 || all[1].Cause != reload.CauseStart || all[0].Cause != reload.CauseFile {
			t.Fatalf("history: %+v", all)
		}
		for _, v := range all {
			if strings.Contains(string(v.Body), "hush") || strings.Contains(string(v.Body), "aHVzaGh1") || strings.Contains(string(v.Body), "first") {
				t.Errorf("the history holds a secret: %s", v.Body)
			}
		}
		for _, want := range []string{`"source":"webhooks.yml:3"`, `"path":"beforeSendSingleMsg.enable"`, `"value":"****"`} {
			if !strings.Contains(string(all[1].Body), want) {
				t.Errorf("the history lacks %s: %s", want, all[1].Body)
			}
		}
	})
}
