package config

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/parley-im/parley/internal/webhook/registry"
)

// Every option of every callback can be set by a variable, whether the file has
// the key, lacks it, or does not exist.
func TestEnvironmentReachesEveryCallback(t *testing.T) {
	t.Parallel()
	present := "url: http://127.0.0.1:1/file\n"
	for _, r := range registry.All() {
		present += r.Key + ":\n  enable: false\n  timeout: 5\n  failedContinue: false\n  attentionIds: []\n  deniedTypes: []\n  allowedTypes: []\n"
	}
	environ := []string{"IMENV_WEBHOOKS_URL=http://127.0.0.1:1/env", "IMENV_SHARE_SECRET=x"}
	for _, r := range registry.All() {
		prefix := "IMENV_WEBHOOKS_" + strings.ToUpper(r.Key) + "_"
		environ = append(environ, prefix+"ENABLE=true", prefix+"TIMEOUT=3", prefix+"FAILEDCONTINUE=1",
			prefix+"ATTENTIONIDS=a, b", prefix+"DENIEDTYPES=[101,\"200-300\"]", prefix+"ALLOWEDTYPES=400-500")
	}
	dirs := map[string]string{
		"key present":  write(t, map[string]string{"webhooks.yml": present}),
		"key absent":   write(t, map[string]string{"webhooks.yml": "url: http://127.0.0.1:1/file\n"}),
		"file absent":  write(t, nil),
		"no directory": "",
	}
	for name, dir := range dirs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, _ := mustLoad(t, Options{Dir: dir, Environ: environ})
			for _, r := range registry.All() {
				got := c.Webhooks.Callbacks[r.Key]
				if got.Sources["timeout"] != "env IMENV_WEBHOOKS_"+strings.ToUpper(r.Key)+"_TIMEOUT" {
					t.Errorf("%s.timeout comes from %q", r.Key, got.Sources["timeout"])
				}
				got.Sources = nil
				want := Callback{
					Key: r.Key, Command: r.Command, Enable: true, Timeout: 3 * time.Second, FailedContinue: true,
					URL: "http://127.0.0.1:1/env", AttentionIDs: []string{"a", "b"},
					AllowedTypes: []TypeRange{{400, 500}}, DeniedTypes: []TypeRange{{101, 101}, {200, 300}},
				}
				if !reflect.DeepEqual(got, want) {
					t.Errorf("%s: got %+v, want %+v", r.Key, got, want)
				}
			}
		})
	}
}

func TestEnvironmentLists(t *testing.T) {
	t.Parallel()
	for _, text := range []string{`["10000","10001"]`, `[10000, 10001]`, "10000,10001", " 10000 , 10001 "} {
		c, _ := mustLoad(t, Options{Environ: []string{"IMENV_WEBHOOKS_AFTERSENDSINGLEMSG_ATTENTIONIDS=" + text}})
		if got := c.Webhooks.Callbacks["afterSendSingleMsg"].AttentionIDs; !reflect.DeepEqual(got, []string{"10000", "10001"}) {
			t.Errorf("%s gives %q", text, got)
		}
	}
}

// The variables that OpenIM's docker-compose.yaml passes on.
func TestDockerEnvironment(t *testing.T) {
	t.Parallel()
	_, r := mustLoad(t, Options{Environ: []string{
		"IMENV_SHARE_SECRET=s3cret", "IMENV_LOG_ISSTDOUT=true", "IMENV_LOG_REMAINLOGLEVEL=3",
		"IMENV_OPENIM_API_PROMETHEUS_GRAFANAURL=http://127.0.0.1:13000/",
		"IMENV_MINIO_EXTERNALADDRESS=http://10.0.0.1:10005", "IMENV_MINIO_INTERNALADDRESS=minio:9000",
		"IMENV_MINIO_ACCESSKEYID=root", "IMENV_MINIO_SECRETACCESSKEY=openIM123",
		"IMENV_MONGODB_ADDRESS=mongo:27017", "IMENV_MONGODB_USERNAME=openIM", "IMENV_MONGODB_PASSWORD=openIM123",
		"IMENV_REDIS_ADDRESS=redis:6379", "IMENV_REDIS_PASSWORD=openIM123",
		"IMENV_KAFKA_ADDRESS=kafka:9094", "IMENV_KAFKA_USERNAME=", "IMENV_KAFKA_PASSWORD=",
		"IMENV_DISCOVERY_ETCD_ADDRESS=etcd:2379", "IMENV_DISCOVERY_ETCD_USERNAME=", "IMENV_DISCOVERY_ETCD_PASSWORD=",
		"CHATENV_SHARE_SECRET=x", "PATH=/bin", "HOME=/root", "malformed",
		// What Kubernetes adds for services of these names.
		"PARLEY_SERVICE_HOST=10.0.0.7", "PARLEY_PORT=tcp://10.0.0.7:10001", "PARLEY_PORT_10001_TCP=tcp://10.0.0.7:10001",
		"OPENIM_API_SERVICE_HOST=10.0.0.8", "OPENIM_API_PORT=tcp://10.0.0.8:10002",
	}})
	if len(r.Problems) > 0 {
		t.Errorf("findings: %q", warnings(r))
	}
	report := render(r)
	for _, want := range []string{"IMENV_MONGODB_ADDRESS", "mongodb.yml — storage is embedded", "redis.yml — ", "kafka.yml — ", "discovery.yml — "} {
		if !strings.Contains(report, want) {
			t.Errorf("the report lacks %q:\n%s", want, report)
		}
	}
	if strings.Contains(report, "openIM123") || strings.Contains(report, "s3cret") {
		t.Errorf("the report shows a secret:\n%s", report)
	}
}

func TestEnvironmentWins(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{
		"webhooks.yml": "url: http://127.0.0.1:1/file\nafterUserOnline:\n  timeout: 4\n",
		"log.yml":      "remainLogLevel: 5\n",
	})
	c, r := mustLoad(t, Options{Dir: dir, Environ: []string{
		"IMENV_WEBHOOKS_URL=http://127.0.0.1:1/env", "IMENV_WEBHOOKS_AFTERUSERONLINE_TIMEOUT=2", "IMENV_LOG_REMAINLOGLEVEL=",
	}})
	if c.Webhooks.URL != "http://127.0.0.1:1/env" || c.Webhooks.Callbacks["afterUserOnline"].Timeout != 2*time.Second {
		t.Errorf("webhooks: %s, %+v", c.Webhooks.URL, c.Webhooks.Callbacks["afterUserOnline"])
	}
	if c.Log.Level != 5 {
		t.Errorf("an empty variable changed the level to %d", c.Log.Level)
	}
	report := render(r)
	for _, want := range []string{
		"env IMENV_WEBHOOKS_URL url = http://127.0.0.1:1/env — overrides webhooks.yml:1",
		"env IMENV_WEBHOOKS_AFTERUSERONLINE_TIMEOUT afterUserOnline.timeout = 2 — overrides webhooks.yml:3",
	} {
		if !strings.Contains(report, want) {
			t.Errorf("the report lacks %q:\n%s", want, report)
		}
	}
}

func TestOwnVariables(t *testing.T) {
	t.Parallel()
	c, r := mustLoad(t, Options{Environ: []string{
		"PARLEY_STORAGE_POSTGRES_URL=postgres://h/own", "IMENV_PARLEY_STORAGE_POSTGRES_URL=postgres://h/scheme",
		"IMENV_PARLEY_DATADIR=/data", "PARLEY_STRICT=true",
	}})
	if c.Storage.Postgres.URL != "postgres://h/own" || c.DataDir != "/data" || !c.Strict {
		t.Errorf("storage %+v, data %q, strict %v", c.Storage, c.DataDir, c.Strict)
	}
	expectLine(t, warnings(r), "warning: PARLEY_STORAGE_POSTGRES_URL: ", "IMENV_PARLEY_STORAGE_POSTGRES_URL has another value")
}

func TestStrangeVariables(t *testing.T) {
	t.Parallel()
	refused := map[string]string{
		"IMENV_WEBHOOKS_BEFORESENDSINGELMSG_ENABLE=true": "did you mean 'IMENV_WEBHOOKS_BEFORESENDSINGLEMSG_ENABLE'?",
		"IMENV_SHARE_SECERT=x":                           "did you mean 'IMENV_SHARE_SECRET'?",
		"IMENV_WEBHOOKS_USERONLINE_ENABLE=true":          "'USERONLINE' was renamed to 'afterUserOnline' in 3.7 (did you mean 'IMENV_WEBHOOKS_AFTERUSERONLINE_ENABLE'?)",
		"IMENV_PARLEY_DATADIRR=x":                        "did you mean 'IMENV_PARLEY_DATADIR'?",
		"IMENV_WEBHOOKS_AFTERUSERONLINE_TIMEOUT=x":       "afterUserOnline.timeout: expected whole seconds, got 'x'",
		"IMENV_SHARE_MULTILOGIN_POLICY=3":                "multiLogin.policy: expected 0, 1, 4 or 5, got '3'",
		"IMENV_OPENIM_API_API_PORTS=[10002":              "begins like a list but is not one",
	}
	for variable, want := range refused {
		name, _, _ := strings.Cut(variable, "=")
		lines := errorsOf(t, Options{Environ: []string{variable}})
		expectLine(t, lines, name+": ", want)
	}
	warned := map[string]string{
		"IMENV_LOG_ISSTDOT=true": "did you mean 'IMENV_LOG_ISSTDOUT'?",
		"PARLEY_DATADRI=x":       "did you mean 'PARLEY_DATADIR'?",
		"CALLBACK_ENABLE=true":   "CALLBACK_ENABLE (now IMENV_WEBHOOKS_<KEY>_ENABLE)",
		"API_OPENIM_PORT=10002":  "IMENV_OPENIM_API_API_PORTS",
		"OPENIM_SOMETHING=1":     "OPENIM_SOMETHING",
	}
	for variable, want := range warned {
		_, r := mustLoad(t, Options{Environ: []string{variable}})
		expectLine(t, warnings(r), "warning: ", want)
	}
}
