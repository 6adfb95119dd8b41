package packaging

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// manifest is what deploy/kubernetes holds.
type manifest struct {
	config   corev1.ConfigMap
	services []corev1.Service
	set      appsv1.StatefulSet
}

// kubernetes decodes the manifest into Kubernetes' own types; a field that they
// do not have is an error, as in the API server with strict validation.
func kubernetes(text []byte) (manifest, error) {
	var m manifest
	for document := range bytes.SplitSeq(text, []byte("\n---\n")) {
		var kind struct{ Kind, APIVersion string }
		if err := yaml.Unmarshal(document, &kind); err != nil {
			return m, err
		}
		var err error
		switch kind.APIVersion + " " + kind.Kind {
		case "v1 ConfigMap":
			err = yaml.UnmarshalStrict(document, &m.config)
		case "v1 Service":
			m.services = append(m.services, corev1.Service{})
			err = yaml.UnmarshalStrict(document, &m.services[len(m.services)-1])
		case "apps/v1 StatefulSet":
			err = yaml.UnmarshalStrict(document, &m.set)
		default:
			err = os.ErrInvalid
		}
		if err != nil {
			return m, err
		}
	}
	return m, nil
}

// probes are those of the server's container.
func (m manifest) probes() []*corev1.Probe {
	c := m.set.Spec.Template.Spec.Containers[0]
	return []*corev1.Probe{c.StartupProbe, c.LivenessProbe, c.ReadinessProbe}
}

func readManifest(t *testing.T) (manifest, []byte) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "deploy/kubernetes/parley.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	m, err := kubernetes(text)
	if err != nil {
		t.Fatal(err)
	}
	return m, text
}

// The parts of the manifest fit together and fit the image.
func TestKubernetesManifest(t *testing.T) {
	t.Parallel()
	m, text := readManifest(t)
	if _, err := kubernetes(bytes.Replace(text, []byte("readinessProbe:"), []byte("readynessProbe:"), 1)); err == nil {
		t.Error("a misspelled field is not noticed")
	}
	spec := m.set.Spec
	pod := spec.Template.Spec
	if *spec.Replicas != 1 {
		t.Errorf("%d replicas of an embedded database", *spec.Replicas)
	}
	if len(pod.Containers) != 1 {
		t.Fatalf("%d containers", len(pod.Containers))
	}
	c := pod.Containers[0]
	named := map[string]int32{}
	for _, p := range c.Ports {
		named[p.Name] = p.ContainerPort
	}
	labels := spec.Template.Labels
	selects := func(selector map[string]string) bool {
		for k, v := range selector {
			if labels[k] != v {
				return false
			}
		}
		return len(selector) > 0
	}
	if !selects(spec.Selector.MatchLabels) {
		t.Error("the set does not select its pods")
	}
	governed := false
	for _, s := range m.services {
		governed = governed || s.Name == spec.ServiceName && s.Spec.ClusterIP == corev1.ClusterIPNone
		if !selects(s.Spec.Selector) {
			t.Errorf("service %s selects no pod", s.Name)
		}
		for _, p := range s.Spec.Ports {
			if named[p.TargetPort.String()] != p.Port {
				t.Errorf("service %s sends %d to %s", s.Name, p.Port, p.TargetPort.String())
			}
		}
	}
	if !governed {
		t.Errorf("no headless service %s", spec.ServiceName)
	}

	for i, want := range []string{"/healthz", "/healthz", "/readyz"} {
		if ask := m.probes()[i].HTTPGet; ask.Path != want || named[ask.Port.String()] != 10002 {
			t.Errorf("a probe asks %s on %s", ask.Path, ask.Port.String())
		}
	}
	if grace := time.Duration(*pod.TerminationGracePeriodSeconds) * time.Second; grace <= drainTime(t)+stopDelay(t, m) {
		t.Errorf("is killed after %v", grace)
	}

	// The image says the same.
	stages := dockerfile(t)
	for _, command := range stages[len(stages)-1].Commands {
		switch i := command.(type) {
		case *instructions.UserCommand:
			uid, gid := numeric(t, i.User)
			if s := pod.SecurityContext; *s.RunAsUser != int64(uid) || *s.RunAsGroup != int64(gid) || *s.FSGroup != int64(gid) || !*s.RunAsNonRoot {
				t.Errorf("pods run as %+v, the image as %s", s, i.User)
			}
		case *instructions.VolumeCommand:
			if !slices.ContainsFunc(c.VolumeMounts, func(m corev1.VolumeMount) bool { return m.MountPath == i.Volumes[0] }) {
				t.Errorf("nothing is mounted at %s", i.Volumes[0])
			}
		}
	}
	if s := c.SecurityContext; !*s.ReadOnlyRootFilesystem || *s.AllowPrivilegeEscalation || !slices.Equal(s.Capabilities.Drop, []corev1.Capability{"ALL"}) {
		t.Errorf("the container may %+v", s)
	}
	// Variables of the Service named parley would be taken for settings.
	if pod.EnableServiceLinks == nil || *pod.EnableServiceLinks {
		t.Error("services are in the environment")
	}
	have := map[string]bool{}
	for _, v := range pod.Volumes {
		have[v.Name] = true
		if v.ConfigMap != nil && v.ConfigMap.Name != m.config.Name {
			t.Errorf("no ConfigMap %s", v.ConfigMap.Name)
		}
	}
	for _, claim := range spec.VolumeClaimTemplates {
		have[claim.Name] = true
	}
	for _, v := range c.VolumeMounts {
		if !have[v.Name] {
			t.Errorf("no volume %s", v.Name)
		}
	}
}

// The ConfigMap is a configuration without mistakes, in the environment of the pod.
func TestKubernetesConfiguration(t *testing.T) {
	t.Parallel()
	m, _ := readManifest(t)
	dir := t.TempDir()
	for name, text := range m.config.Data {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c := m.set.Spec.Template.Spec.Containers[0]
	mount := c.VolumeMounts[slices.IndexFunc(c.VolumeMounts, func(v corev1.VolumeMount) bool { return v.Name == "config" })]
	cmd := exec.CommandContext(t.Context(), binary(t, hostArch(t)), "config", "check")
	for _, e := range c.Env {
		value := e.Value
		if e.ValueFrom != nil {
			value = "from " + e.ValueFrom.SecretKeyRef.Name
		}
		cmd.Env = append(cmd.Env, e.Name+"="+strings.Replace(value, mount.MountPath, dir, 1))
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{"environment applied: IMENV_SHARE_SECRET", "configuration: " + dir, "log: standard output"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if strings.Contains(string(out), "\n  warning: ") {
		t.Errorf("a warning:\n%s", out)
	}
}

// stopDelay is how long the configured server goes on before it drains.
func stopDelay(t *testing.T, m manifest) time.Duration {
	t.Helper()
	var c struct{ Operations struct{ StopDelay string } }
	if err := yaml.Unmarshal([]byte(m.config.Data["parley.yml"]), &c); err != nil {
		t.Fatal(err)
	}
	d, err := time.ParseDuration(c.Operations.StopDelay)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// drainTime is how long a stopping server lets begun sends finish; it must not be
// killed in that time.
func drainTime(t *testing.T) time.Duration {
	t.Helper()
	source, err := os.ReadFile(filepath.Join(root, "internal/app/app.go"))
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`const drainTime = (\d+) \* time\.Second`).FindSubmatch(source)
	if m == nil {
		t.Fatal("internal/app does not say how long it takes to stop")
	}
	d, err := time.ParseDuration(string(m[1]) + "s")
	if err != nil {
		t.Fatal(err)
	}
	return d
}
