package packaging

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/dotenv"
	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
)

// filledIn is an .env whose values are none of the defaults.
var filledIn = map[string]string{
	"OPENIM_MSG_GATEWAY_PORT": "20001", "OPENIM_API_PORT": "20002", "OPENIM_SECRET": "a secret of this test",
	"WEBHOOK_URL": "http://host.docker.internal:8080/webhook", "WEBHOOK_BEFORE_SEND_SINGLE_MSG": "true",
	"WEBHOOK_AFTER_SEND_SINGLE_MSG": "true", "PARLEY_PUBLIC_URL": "https://im.example.com/api", "TZ": "Asia/Tokyo",
	"LOG_LEVEL": "5", "GRAFANA_URL": "http://grafana.example.com:3000", "POSTGRES_PASSWORD": "pg", "MINIO_ACCESS_KEY_ID": "key",
	"MINIO_SECRET_ACCESS_KEY": "s3", "MINIO_PORT": "20005", "MINIO_EXTERNAL_ADDRESS": "http://203.0.113.5:20005",
}

// compose reads files as `docker compose` does.
func compose(t *testing.T, env map[string]string, files ...string) (*types.Project, error) {
	t.Helper()
	details := types.ConfigDetails{WorkingDir: filepath.Join(root, "deploy/compose"), Environment: env}
	for _, name := range files {
		details.ConfigFiles = append(details.ConfigFiles, types.ConfigFile{Filename: filepath.Join(root, "deploy/compose", name)})
	}
	return loader.LoadWithContext(t.Context(), details, func(o *loader.Options) { o.SetProjectName("parley", true) })
}

// Every setting in the compose files reaches the server's configuration, under the
// name of OpenIM's .env.
func TestComposeSettingsTakeEffect(t *testing.T) {
	t.Parallel()
	p, err := compose(t, filledIn, "docker-compose.yml", "docker-compose.postgres.yml")
	if err != nil {
		t.Fatal(err)
	}
	env := map[string]string{}
	for name, value := range p.Services["parley"].Environment {
		if value == nil || *value == "" {
			t.Errorf("%s is empty though .env has everything", name)
			continue
		}
		env[name] = *value
	}
	if len(env) < 15 {
		t.Errorf("only %d variables", len(env))
	}
	all := configCheck(t, env)
	for name, value := range env {
		if name == "TZ" {
			continue // for the clock
		}
		line := regexp.MustCompile(`(?m)^  env ` + name + ` \S+ = .*$`)
		shown := line.FindString(all)
		if shown == "" {
			t.Errorf("%s=%s changes nothing:\n%s", name, value, all)
			continue
		}
		if strings.Contains(shown, "no effect") {
			t.Error(shown)
		}
		without := maps.Clone(env)
		delete(without, name)
		if got := line.FindString(configCheck(t, without)); got != "" {
			t.Errorf("without %s it still says %q", name, got)
		}
	}
	if strings.Contains(all, "\n  warning: ") {
		t.Errorf("a warning in\n%s", all)
	}
}

// configCheck is what `parley config check` says of OpenIM's own directory in an
// environment, as the container has it.
func configCheck(t *testing.T, env map[string]string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary(t, hostArch(t)), "config", "check", configDir(t))
	for name, value := range env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("config check: %v\n%s", err, out)
	}
	return string(out)
}

// configDir is an OpenIM configuration directory with a secret of its own.
func configDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(root, "internal/config/testdata/openim/v3.8.3-patch.16"))); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, "share.yml")
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	changed := regexp.MustCompile(`(?m)^secret:.*$`).ReplaceAllString(string(b), "secret: this directory's own")
	if err := os.WriteFile(name, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// The file for one machine works without any .env, and publishes the ports and
// keeps the data of the image.
func TestComposeDefaults(t *testing.T) {
	t.Parallel()
	p, err := compose(t, nil, "docker-compose.yml")
	if err != nil {
		t.Fatal(err)
	}
	s := p.Services["parley"]
	var ports, volumes []string
	for _, port := range s.Ports {
		ports = append(ports, port.Published)
		if !slices.Contains([]uint32{10001, 10002}, port.Target) {
			t.Errorf("publishes %d of the container", port.Target)
		}
	}
	for _, v := range s.Volumes {
		volumes = append(volumes, v.Target)
	}
	if slices.Sort(ports); !slices.Equal(ports, []string{"10001", "10002"}) {
		t.Errorf("ports %v", ports)
	}
	if !slices.Equal(volumes, []string{"/var/lib/parley"}) {
		t.Errorf("volumes %v", volumes)
	}
	if s.StopGracePeriod == nil || *s.StopGracePeriod <= types.Duration(drainTime(t)) {
		t.Errorf("is killed after %v", s.StopGracePeriod)
	}
	if s.Build == nil {
		t.Fatal("no build")
	}
	if _, err := os.Stat(filepath.Join(s.Build.Context, "Dockerfile")); err != nil {
		t.Error(err)
	}
	env := map[string]string{}
	for name, value := range s.Environment {
		env[name] = *value
	}
	if got := configCheck(t, env); !strings.Contains(got, "webhooks: all 53 off") {
		t.Errorf("webhooks are on:\n%s", got)
	}
}

// Passwords have no default, and .env.example names every variable there is.
func TestComposeVariables(t *testing.T) {
	t.Parallel()
	used := map[string]bool{}
	for _, name := range []string{"docker-compose.yml", "docker-compose.postgres.yml"} {
		b, err := os.ReadFile(filepath.Join(root, "deploy/compose", name))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`\$\{(\w+)`).FindAllStringSubmatch(string(b), -1) {
			used[m[1]] = true
		}
	}
	delete(used, "PARLEY_IMAGE")
	example, err := dotenv.Read(filepath.Join(root, "deploy/compose/.env.example"))
	if err != nil {
		t.Fatal(err)
	}
	want, got := slices.Sorted(maps.Keys(used)), slices.Sorted(maps.Keys(example))
	if !slices.Equal(got, want) {
		t.Errorf(".env.example has %v, used are %v", got, want)
	}
	for _, name := range want {
		if _, ok := filledIn[name]; !ok {
			t.Errorf("the test has no value of %s", name)
		}
	}
	for _, name := range []string{"POSTGRES_PASSWORD", "MINIO_SECRET_ACCESS_KEY", "MINIO_EXTERNAL_ADDRESS"} {
		without := maps.Clone(filledIn)
		delete(without, name)
		if _, err := compose(t, without, "docker-compose.yml", "docker-compose.postgres.yml"); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("without %s: %v", name, err)
		}
	}
}
