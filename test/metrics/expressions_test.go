package metrics

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

const docs = "../../docs/"

// expression is one of the alerts or of the dashboard.
type expression struct {
	where string
	text  string
	shows []string // labels that its title or legend names
}

var shown = regexp.MustCompile(`\{\{\s*(?:\$labels\.)?(\w+)\s*\}\}`)

func labelsIn(texts ...string) (names []string) {
	for _, found := range shown.FindAllStringSubmatch(strings.Join(texts, " "), -1) {
		names = append(names, found[1])
	}
	return names
}

func alerts(t *testing.T) (list []expression) {
	t.Helper()
	raw, err := os.ReadFile(docs + "operations/alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Groups []struct {
			Name  string
			Rules []struct {
				Alert, Expr, For    string
				Labels, Annotations map[string]string
			}
		}
	}
	if err := yaml.UnmarshalWithOptions(raw, &file, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			if seen[r.Alert] || r.Labels["severity"] == "" || r.Annotations["summary"] == "" {
				t.Errorf("alert %q is there twice, or lacks its severity or summary", r.Alert)
			}
			seen[r.Alert] = true
			list = append(list, expression{"alert " + r.Alert, r.Expr, labelsIn(r.Annotations["summary"])})
		}
	}
	return list
}

func dashboard(t *testing.T) (list []expression) {
	t.Helper()
	raw, err := os.ReadFile(docs + "operations/grafana.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Panels []struct {
			ID      int
			Type    string
			Title   string
			GridPos struct{ X, Y, W, H int }
			Targets []struct{ Expr, LegendFormat string }
		}
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	ids := map[int]bool{}
	for i, p := range file.Panels {
		if ids[p.ID] || p.Title == "" || p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("panel %d %q has the id of another, no title or nothing to show", p.ID, p.Title)
		}
		ids[p.ID] = true
		for _, o := range file.Panels[:i] {
			a, b := p.GridPos, o.GridPos
			if a.X < b.X+b.W && b.X < a.X+a.W && a.Y < b.Y+b.H && b.Y < a.Y+a.H {
				t.Errorf("panel %q lies on %q", p.Title, o.Title)
			}
		}
		for _, target := range p.Targets {
			expr := strings.ReplaceAll(target.Expr, "$__rate_interval", "5m")
			list = append(list, expression{"panel " + p.Title, expr, labelsIn(target.LegendFormat)})
		}
	}
	return list
}

// given are labels that Prometheus adds to what it scrapes.
var given = map[string]bool{"instance": true, "job": true}

// Every expression of the dashboard and of the alerts is one, and finds its
// series in a scrape of a server that was used.
func TestExpressions(t *testing.T) {
	s := used(t)
	await(t, s, "parley_webhook_outcomes_total", map[string]string{"outcome": "delivered", "callback": "afterSendSingleMsg"})
	await(t, s, "parley_push_results_total", map[string]string{"outcome": "accepted", "vendor": "jpush"})
	await(t, s, "parley_job_last_run_timestamp_seconds", nil)
	have := series(scrape(t, s))
	list := append(alerts(t), dashboard(t)...)
	if len(list) < 50 {
		t.Errorf("only %d expressions", len(list))
	}
	p := parser.NewParser(parser.Options{})
	for _, e := range list {
		tree, err := p.ParseExpr(e.text)
		if err != nil {
			t.Errorf("%s: %v in %s", e.where, err, e.text)
			continue
		}
		known := map[string]bool{"instance": true, "job": true} // labels of the series in it
		var groups []string
		parser.Inspect(tree, func(n parser.Node, _ []parser.Node) error {
			switch n := n.(type) {
			case *parser.VectorSelector:
				if n.Name == "up" {
					return nil // Prometheus' own
				}
				found := matching(have, n)
				if len(found) == 0 {
					t.Errorf("%s: no series for %s", e.where, n)
				}
				for _, one := range found {
					for label := range one.labels {
						known[label] = true
					}
				}
			case *parser.AggregateExpr:
				groups = append(groups, n.Grouping...)
			}
			return nil
		})
		for _, label := range append(groups, e.shows...) {
			if !known[label] {
				t.Errorf("%s: no series of it has a label %s", e.where, label)
			}
		}
	}
}

func matching(have []sample, n *parser.VectorSelector) (found []sample) {
	for _, one := range have {
		fits := one.name == n.Name
		for _, m := range n.LabelMatchers {
			if m.Name != labels.MetricName && !given[m.Name] {
				fits = fits && m.Matches(one.labels[m.Name])
			}
		}
		if fits {
			found = append(found, one)
		}
	}
	return found
}

var row = regexp.MustCompile("(?m)^\\| `(parley_\\w+)` \\| (\\w+) \\|")

// The page for operators lists what a scrape has, and nothing else.
func TestDocumented(t *testing.T) {
	s := used(t)
	await(t, s, "parley_job_last_run_timestamp_seconds", nil)
	await(t, s, "parley_webhook_outcomes_total", nil)
	page, err := os.ReadFile(docs + "operations.md")
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]string{}
	for _, found := range row.FindAllStringSubmatch(string(page), -1) {
		kinds[found[1]] = found[2]
	}
	families := scrape(t, s)
	for name, f := range families {
		if !strings.HasPrefix(name, "parley_") {
			continue
		}
		if got := strings.ToLower(f.GetType().String()); kinds[name] != got {
			t.Errorf("%s is a %s; docs/operations.md says %q", name, got, kinds[name])
		}
		delete(kinds, name)
	}
	for name := range kinds {
		t.Errorf("docs/operations.md lists %s, which no scrape has", name)
	}
}
