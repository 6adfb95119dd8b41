package config

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/parley-im/parley/internal/webhook/registry"
)

func TestShippedDirectories(t *testing.T) {
	t.Parallel()
	// The callbacks that each release's webhooks.yml has; the others keep their
	// defaults and are known all the same.
	releases := []struct {
		dir   string
		first func(version string) bool
	}{
		{"v3.7.0", func(v string) bool { return v == "3.7.0" }},
		{"v3.8.0", func(v string) bool { return v == "3.7.0" }},
		{"v3.8.1", func(v string) bool { return v != "main" }},
		{"v3.8.2", func(v string) bool { return v != "main" }},
		{"v3.8.3", func(v string) bool { return v != "main" }},
		{"v3.8.3-patch.16", func(v string) bool { return v != "main" }},
		{"k8s-configmap", func(v string) bool { return v != "main" }},
		{"main-2026-07", func(string) bool { return true }},
	}
	for _, release := range releases {
		t.Run(release.dir, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join("testdata", "openim", release.dir)
			c, r := mustLoad(t, Options{Dir: dir})
			for _, w := range warnings(r) {
				if !strings.Contains(w, "secret is still the default") && !strings.Contains(w, "external_ip") && !strings.Contains(w, "no credentials") {
					t.Errorf("unexpected: %s", w)
				}
			}
			entries, err := os.ReadDir(dir)
			if err != nil {
				t.Fatal(err)
			}
			if len(r.Found) != len(entries) || len(r.Unrecognised) > 0 {
				t.Errorf("%d of %d files found, not recognised: %q", len(r.Found), len(entries), r.Unrecognised)
			}
			ignored := sources(r.Ignored)
			for _, name := range []string{"kafka.yml", "mongodb.yml", "redis.yml", "local-cache.yml", "openim-msgtransfer.yml", "openim-rpc-user.yml"} {
				if !slices.Contains(ignored, name) {
					t.Errorf("%s is not listed as ignored", name)
				}
			}
			want := Default()
			if c.Share.Secret != "openIM123" || !reflect.DeepEqual(c.Share.Admins, want.Share.Admins) || c.Share.MultiLogin != want.Share.MultiLogin {
				t.Errorf("share: %+v", c.Share)
			}
			if !reflect.DeepEqual(c.Gateway, want.Gateway) || c.Auth != want.Auth || c.Message != want.Message {
				t.Errorf("gateway %+v, auth %+v, message %+v", c.Gateway, c.Auth, c.Message)
			}
			if !slices.Equal(c.API.Ports, want.API.Ports) || c.API.MaxBodyBytes != want.API.MaxBodyBytes {
				t.Errorf("API: %+v", c.API)
			}
			if c.Log.Level != 6 || c.Log.RotationTime != 24*time.Hour || c.Log.RemainRotationCount != 2 {
				t.Errorf("log: %+v", c.Log)
			}
			for _, k := range registry.All() {
				cb, ok := c.Webhooks.Callbacks[k.Key]
				if !ok || cb.Enable || cb.Timeout != 5*time.Second || cb.Command != k.Command {
					t.Errorf("%s: %+v, %v", k.Key, cb, ok)
				}
				if shipped := cb.Sources["timeout"] != "default"; shipped != release.first(k.Versions) {
					t.Errorf("%s in this release: %v", k.Key, shipped)
				}
			}
		})
	}
}

func sources(entries []Entry) []string {
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Source
	}
	return names
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	c, r := mustLoad(t, Options{})
	if !reflect.DeepEqual(c, Default()) {
		t.Errorf("without a directory:\n%+v\nwant\n%+v", c, Default())
	}
	if len(r.Problems) > 0 || len(r.Missing) > 0 {
		t.Errorf("findings: %q, missing: %q", warnings(r), r.Missing)
	}
	// Only what a directory brings with it differs.
	withDir, r := mustLoad(t, Options{Dir: write(t, nil)})
	if withDir.Log.Level != 6 || withDir.Log.Stdout {
		t.Errorf("log with a directory: %+v", withDir.Log)
	}
	if !slices.Contains(r.Missing, "webhooks.yml") || slices.Contains(r.Missing, "kafka.yml") || slices.Contains(r.Missing, "parley.yml") {
		t.Errorf("missing: %q", r.Missing)
	}
	withDir.Dir, withDir.Log, withDir.Share.Secret = "", c.Log, ""
	if !reflect.DeepEqual(withDir, c) {
		t.Errorf("with a directory:\n%+v\nwant\n%+v", withDir, c)
	}
}

// The minimal file of a common tutorial, under the name it uses.
func TestMinimalFile(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{
		"webhooks.yaml": "url: http://127.0.0.1:8080/webhook\nbeforeSendSingleMsg:\n  enable: true\nafterSendSingleMsg:\n  enable: true\n",
	})
	c, r := mustLoad(t, Options{Dir: dir})
	cb := c.Webhooks.Callbacks["beforeSendSingleMsg"]
	if !cb.Enable || cb.Timeout != 5*time.Second || cb.FailedContinue || cb.URL != "http://127.0.0.1:8080/webhook" {
		t.Errorf("callback: %+v", cb)
	}
	want := map[string]string{"enable": "webhooks.yaml:3", "url": "webhooks.yaml:1", "timeout": "default", "failedContinue": "default"}
	for option, source := range want {
		if cb.Sources[option] != source {
			t.Errorf("%s comes from %q, want %q", option, cb.Sources[option], source)
		}
	}
	report := render(r)
	for _, want := range []string{
		"2 on, 51 off", "callbackBeforeSendSingleMsgCommand",
		"http://127.0.0.1:8080/webhook/callbackBeforeSendSingleMsgCommand", "timeout, failedContinue: default", "enable: webhooks.yaml:3",
	} {
		if !strings.Contains(report, want) {
			t.Errorf("the report lacks %q:\n%s", want, report)
		}
	}
}

func TestCoercions(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{
		"share.yml":             "secret: 123456\nimAdminUserID: a , b\nmultiLogin: {policy: '4', maxNumOneEnd: 5.0}\nrpcMaxBodySize:\n  requestMaxBodySize: 1_048_576\n",
		"openim-api.yml":        "api:\n  listenIP: 127.0.0.1\n  ports: '10002, 10003'\n",
		"openim-msggateway.yml": "longConnSvr:\n  ports: 0\n  websocketMaxMsgLen: 60000\n",
		"openim-rpc-msg.yml":    "friendVerify: 1\n",
		"openim-rpc-auth.yml":   "tokenPolicy: {expire: \"7\"}\n",
		"log.yml":               "isStdout: \"true\"\nisJson: 'on'\nremainLogLevel: null\n",
		"webhooks.yml": "beforeMsgModify:\n  deniedTypes: [101, '102', 200-500, ' 7 - 9 ']\n  allowedTypes: 600,700-800\n" +
			"afterSendSingleMsg:\n  attentionIds:\n  - 10000\n  - u2\nafterSendGroupMsg:\n  attentionIds: g1, g2\nretry:\n  initial: 2\n  max: 1m\n",
		"parley.yml": "dataDir: /var/lib/parley\nstorage:\n  postgres:\n    url: postgres://h/db\n  sqlite:\n    synchronous: normal\n    mmapSize: 1048576\n",
	})
	c, _ := mustLoad(t, Options{Dir: dir})
	check := func(what string, got, want any) {
		t.Helper()
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s is %v, want %v", what, got, want)
		}
	}
	check("secret", c.Share.Secret, "123456")
	check("admins", c.Share.Admins, []Admin{{"a", "a"}, {"b", "b"}})
	check("login", c.Share.MultiLogin, MultiLogin{Policy: 4, MaxNumOneEnd: 5})
	check("body", c.API.MaxBodyBytes, int64(1048576))
	check("API", c.API.Ports, []int{10002, 10003})
	check("gateway ports", c.Gateway.Ports, []int{0})
	check("frame", c.Gateway.MaxFrameBytes, 60000)
	check("friendVerify", c.Message.FriendVerify, true)
	check("token life", c.Auth.TokenExpire, 7*24*time.Hour)
	check("stdout and JSON", []bool{c.Log.Stdout, c.Log.JSON}, []bool{true, true})
	check("log level", c.Log.Level, 6)
	check("denied", c.Webhooks.Callbacks["beforeMsgModify"].DeniedTypes, []TypeRange{{101, 101}, {102, 102}, {200, 500}, {7, 9}})
	check("allowed", c.Webhooks.Callbacks["beforeMsgModify"].AllowedTypes, []TypeRange{{600, 600}, {700, 800}})
	check("attention list", c.Webhooks.Callbacks["afterSendSingleMsg"].AttentionIDs, []string{"10000", "u2"})
	check("attention text", c.Webhooks.Callbacks["afterSendGroupMsg"].AttentionIDs, []string{"g1", "g2"})
	check("retry", c.Webhooks.Retry, Retry{Initial: 2 * time.Second, Max: time.Minute, GiveUpAfter: 24 * time.Hour})
	check("data", c.DataDir, "/var/lib/parley")
	check("storage", c.Storage, Storage{Postgres: Postgres{URL: "postgres://h/db"}, SQLite: SQLite{Synchronous: "NORMAL", MmapSize: 1 << 20}})
}

func TestFrameLimit(t *testing.T) {
	t.Parallel()
	c, r := mustLoad(t, Options{Dir: write(t, map[string]string{"openim-msggateway.yml": "longConnSvr:\n  websocketMaxMsgLen: 4096\n"})})
	if c.Gateway.MaxFrameBytes != 51200 {
		t.Errorf("frames up to %d bytes", c.Gateway.MaxFrameBytes)
	}
	if !strings.Contains(render(r), "longConnSvr.websocketMaxMsgLen = 4096 — frames up to 51200 bytes") {
		t.Errorf("the report does not say so:\n%s", render(r))
	}
}

func TestAdmins(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		share string
		want  []Admin
	}{
		"none given":        {"", []Admin{{"imAdmin", "superAdmin"}}},
		"paired":            {"imAdminUser:\n  userIDs: [a, b]\n  nicknames: [A, B]\n", []Admin{{"a", "A"}, {"b", "B"}}},
		"fewer nicknames":   {"imAdminUser:\n  userIDs: [a, b]\n  nicknames: [A]\n", []Admin{{"a", "A"}, {"b", "b"}}},
		"no nicknames":      {"imAdminUser:\n  userIDs: [a]\n", []Admin{{"a", "a"}}},
		"old list":          {"imAdminUserID: [imAdmin, b]\n", []Admin{{"imAdmin", "superAdmin"}, {"b", "b"}}},
		"both":              {"imAdminUserID: [b, c]\nimAdminUser:\n  userIDs: [a, b]\n  nicknames: [A, B]\n", []Admin{{"a", "A"}, {"b", "B"}, {"c", "c"}}},
		"blank and doubled": {"imAdminUser:\n  userIDs: [a, '', a]\n  nicknames: [A]\n", []Admin{{"a", "A"}}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, _ := mustLoad(t, Options{Dir: write(t, map[string]string{"share.yml": "secret: x\n" + tt.share})})
			if !reflect.DeepEqual(c.Share.Admins, tt.want) {
				t.Errorf("got %v, want %v", c.Share.Admins, tt.want)
			}
		})
	}
}

func TestLoginPolicyOfAllReleases(t *testing.T) {
	t.Parallel()
	const current, old, oldest = "multiLogin:\n  policy: 4\n", "multiLoginPolicy: 5\n", "multiLoginPolicy: 0\n"
	tests := map[string]struct {
		share, gateway string
		want           int
		warnings       int
	}{
		"today's":                 {current, "", 4, 0},
		"3.8.1":                   {old, "", 5, 0},
		"3.8.0":                   {"", oldest, 0, 0},
		"3.8.1 beside 3.8.0":      {old, oldest, 5, 1},
		"today's beside 3.8.0":    {current, oldest, 4, 1},
		"all three":               {current + old, oldest, 4, 2},
		"the same in two places":  {old, "multiLoginPolicy: '5'\n", 5, 0},
		"nothing but the default": {"", "", 1, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, r := mustLoad(t, Options{Dir: write(t, map[string]string{
				"share.yml": "secret: x\n" + tt.share, "openim-msggateway.yml": tt.gateway,
			})})
			if c.Share.MultiLogin.Policy != tt.want {
				t.Errorf("policy %d, want %d", c.Share.MultiLogin.Policy, tt.want)
			}
			if len(r.Problems) != tt.warnings {
				t.Errorf("findings: %q, want %d", warnings(r), tt.warnings)
			}
		})
	}
}

func TestInstanceIndex(t *testing.T) {
	t.Parallel()
	files := map[string]string{
		"openim-api.yml":        "api:\n  ports: [10002, 10003]\n",
		"openim-msggateway.yml": "longConnSvr:\n  ports: [10001, 10004]\n",
	}
	c, _ := mustLoad(t, Options{Dir: write(t, files), Index: 1})
	if !slices.Equal(c.API.Ports, []int{10003}) || !slices.Equal(c.Gateway.Ports, []int{10004}) {
		t.Errorf("ports %v and %v", c.API.Ports, c.Gateway.Ports)
	}
	lines := errorsOf(t, Options{Dir: write(t, files), Index: 2})
	expectLine(t, lines, "openim-api.yml: ", "no instance 2")
	expectLine(t, lines, "openim-msggateway.yml: ", "no instance 2")
}

// A ConfigMap is a directory of links into a hidden directory that is swapped.
func TestConfigMapLinks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	hidden := filepath.Join(dir, "..2026_07_01")
	if err := os.Mkdir(hidden, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(hidden, "share.yml"), []byte("secret: linked\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for link, target := range map[string]string{"..data": "..2026_07_01", "share.yml": "..data/share.yml"} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	c, r := mustLoad(t, Options{Environ: []string{"CONFIG_PATH=" + dir}})
	if c.Share.Secret != "linked" || c.Dir != dir || len(r.Problems) > 0 {
		t.Errorf("secret %q from %s, findings %q", c.Share.Secret, c.Dir, warnings(r))
	}
}

func TestDirectory(t *testing.T) {
	t.Parallel()
	lines := errorsOf(t, Options{Dir: filepath.Join(t.TempDir(), "nowhere")})
	expectLine(t, lines, "configuration directory: ", "nowhere")

	asked := write(t, map[string]string{"share.yml": "secret: asked\n"})
	c, _ := mustLoad(t, Options{Dir: asked, DataDir: "given", Environ: []string{"CONFIG_PATH=/elsewhere", "PARLEY_DATADIR=env"}})
	if c.Share.Secret != "asked" || c.DataDir != "given" {
		t.Errorf("secret %q, data %q", c.Share.Secret, c.DataDir)
	}
	dir := write(t, map[string]string{"log.yml": "storageLocation: ../../../../logs/\n"})
	c, _ = mustLoad(t, Options{Dir: dir})
	if want := filepath.Join(filepath.Dir(dir), "logs"); c.Log.StorageLocation != want {
		t.Errorf("logs in %s, want %s", c.Log.StorageLocation, want)
	}
}

func TestAllErrorsOfAllFiles(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{
		"share.yml":    "secret: x\nsecert: y\nmultiLogin:\n  policy: 9\n",
		"webhooks.yml": "url: http://h/{cmd}\nuserOnline:\n  enable: true\nafterUserOffline:\n  timeout: soon\n  enabled: true\n",
		"log.yml":      "remainLogLevel: [1]\n",
		"openim-api.yml": "api:\n  prots: [1]\n" +
			"  ports: x\n",
	})
	got := errorsOf(t, Options{Dir: dir, Environ: []string{"IMENV_WEBHOOKS_URI=x"}})
	want := []string{
		"IMENV_WEBHOOKS_URI: unknown variable (did you mean 'IMENV_WEBHOOKS_URL'?)",
		"log.yml:1:17: remainLogLevel: expected a whole number, got '[1]'",
		"openim-api.yml:2:3: unknown key api.prots (did you mean 'ports'?)",
		"openim-api.yml:3:10: api.ports: expected a list of port numbers from 0 to 65535, got 'x'",
		"share.yml:2:1: unknown key 'secert' (did you mean 'secret'?)",
		"share.yml:4:11: multiLogin.policy: expected 0, 1, 4 or 5, got '9'",
		"webhooks.yml:1:6: url 'http://h/{cmd}': leave out '{cmd}', the server appends the command",
		"webhooks.yml:2:1: 'userOnline' was renamed to 'afterUserOnline' in 3.7",
		"webhooks.yml:5:12: afterUserOffline.timeout: expected whole seconds, got 'soon'",
		"webhooks.yml:6:3: unknown key afterUserOffline.enabled (did you mean 'enable'?)",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestLenient(t *testing.T) {
	t.Parallel()
	files := map[string]string{"webhooks.yml": "beforeSendSingelMsg:\n  enable: true\nafterUserOnline:\n  timeout: 7\n"}
	options := map[string]Options{
		"switch":   {Dir: write(t, files), Lenient: true},
		"variable": {Dir: write(t, files), Environ: []string{"PARLEY_CONFIG_LENIENT=true"}},
	}
	for name, o := range options {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, r := mustLoad(t, o)
			expectLine(t, warnings(r), "warning: webhooks.yml:1:1: ", "did you mean 'beforeSendSingleMsg'?")
			if c.Webhooks.Callbacks["afterUserOnline"].Timeout != 7*time.Second {
				t.Error("the rest of the file was not read")
			}
		})
	}
	// It is about names only: a wrong value or level stays an error.
	errorsOf(t, Options{Dir: write(t, map[string]string{"webhooks.yml": "afterUserOnline:\n  timeout: x\n"}), Lenient: true})
	errorsOf(t, Options{Dir: write(t, map[string]string{"webhooks.yml": "callback:\n  url: x\n"}), Lenient: true})
}

func TestSecretsAreMasked(t *testing.T) {
	t.Parallel()
	const hush = "hush-hush"
	const key = "whsec_" + "aHVzaC1odXNoaHVzaC1odXNoaHVzaC1odXNo"
	dir := write(t, map[string]string{
		"share.yml":            "secret: " + hush + "\n",
		"webhooks.yml":         "url: http://user:" + hush + "@127.0.0.1:1/x?token=" + hush + "\nsecret: " + key + "\nendpoints: [{name: a, url: 'http://u:" + hush + "@h', events: [after*], secret: " + key + "}]\nafterUserOnline:\n  enable: true\n",
		"parley.yml":           "storage:\n  postgres:\n    url: postgres://user:" + hush + "@h/db\n",
		"minio.yml":            "secretAccessKey: " + hush + "\n",
		"redis.yml":            "password: " + hush + "\n",
		"mongodb.yml":          "uri: mongodb://u:" + hush + "@h\npassword: " + hush + "\n",
		"openim-push.yml":      "enable: getui\ngeTui:\n  pushUrl: https://restapi.getui.com/v2/app1\n  masterSecret: " + hush + "\n  appKey: " + hush + "\n",
		"openim-rpc-third.yml": "object:\n  cos:\n    secretKey: " + hush + "\n",
	})
	_, r := mustLoad(t, Options{Dir: dir, Environ: []string{"IMENV_REDIS_PASSWORD=" + hush}})
	if report := render(r); strings.Contains(report, hush) || strings.Contains(report, key) {
		t.Errorf("the report shows a secret:\n%s", report)
	}
	bad := write(t, map[string]string{
		"share.yml":    "secret:\n  nested: " + hush + "\n",
		"webhooks.yml": "url: 'ftp://user:" + hush + "@h'\nafterUserOnline:\n  enable: true\nsignature:\n  secret: [" + hush + "]\n",
	})
	lines := errorsOf(t, Options{Dir: bad})
	if all := strings.Join(lines, "\n"); strings.Contains(all, hush) {
		t.Errorf("an error shows a secret:\n%s", all)
	}
}
