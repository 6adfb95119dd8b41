package chaos

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// mutant is a server with one promise taken out. The moment in which it shows is
// stretched by some milliseconds, so that few crashes are enough to hit it.
type mutant struct {
	name  string
	edits []edit
	finds kind     // what the model must find
	kills []moment // when; nil for at any moment
}

// edit replaces a text that stands exactly once in a file of the repository.
type edit struct{ file, old, new string }

// Both mutants that act before the commit need a callback there.
var early = []edit{
	{"internal/store/append.go", "\tCommitted func(*im.Message)\n", "\tCommitted func(*im.Message)\n\tEarly func(*im.Message)\n"},
	{
		"internal/store/sqlite_writer.go", "\t\t_, err = w.conn.ExecContext(context.Background(), \"COMMIT\")\n", `
		for _, a := range g.sent {
			if a.Early != nil {
				a.Early(a.Message)
			}
		}
		if len(g.sent) > 0 {
			time.Sleep(30 * time.Millisecond)
		}
		_, err = w.conn.ExecContext(context.Background(), "COMMIT")
`,
	},
}

var mutants = []mutant{
	{
		name: "early ack", finds: ackLost, kills: []moment{momentAcked},
		edits: append([]edit{
			{"internal/message/send.go", "\t\tack(sent)\n", "\t\t_ = sent\n"},
			{"internal/message/send.go", "Committed: done,", "Committed: done, Early: func(m *im.Message) { ack(answer(m)) },"},
		}, early...),
	},
	{
		name: "early delivery", finds: shownUnstored, kills: []moment{momentPushed},
		edits: append([]edit{
			{"internal/message/send.go", "\t\ts.deliver.Deliver(m, post.recipients, operationID)\n", ""},
			{"internal/message/send.go", "Committed: done,", "Committed: done, Early: func(m *im.Message) { s.deliver.Deliver(m, post.recipients, operationID) },"},
		}, early...),
	},
	{
		name: "late outbox", finds: eventLost, kills: []moment{momentAcked, momentPushed},
		edits: []edit{
			{"internal/store/tx.go", "\toutbox  bool\n}\n\n// AfterCommit", "\toutbox  bool\n\tlate    []OutboxEvent\n}\n\n// AfterCommit"},
			{"internal/store/tx.go", "\ttx.outbox = true\n\treturn tx.insertOutbox(rows)\n", "\ttx.late = append(tx.late, rows...)\n\treturn nil\n"},
			{"internal/store/sqlite_writer.go", "\tg.tx.committed()\n", "\tg.tx.committed()\n\tdefer w.writeLate(g)\n"},
			{
				"internal/store/sqlite_writer.go", "// groupError marks", `
func (w *sqliteWriter) writeLate(g *group) {
	if len(g.tx.late) == 0 {
		return
	}
	time.Sleep(30 * time.Millisecond)
	err := w.begin()
	if err == nil {
		err = g.tx.insertOutbox(g.tx.late)
	}
	if err == nil {
		_, err = w.conn.ExecContext(context.Background(), "COMMIT")
	}
	if err != nil {
		panic(err)
	}
	w.engine.store.wakeOutbox()
}

// groupError marks`,
			},
		},
	},
	{
		name: "forgotten send", finds: storedTwice,
		edits: []edit{{
			"internal/store/sqlite.go", "e.running.Go(func() { e.fillRecent(run) })", "e.recent.filled()",
		}},
	},
	{
		name: "odd refusal", finds: refusalTurned,
		edits: []edit{{
			"internal/webhook/answer.go", `strings.EqualFold(name, "nextCode") && a.nextCode == 1`, `strings.EqualFold(name, "nextCode") && a.nextCode == 1 && a.actionCode == 0`,
		}},
	},
	{
		name: "lost session", finds: presenceWrong,
		edits: []edit{{
			"internal/presence/presence.go", "for _, s := range left {", "for _, s := range left[:0] {",
		}},
	},
}

// A mutant is given up as a survivor after this many crashes.
const (
	mutantCampaigns = 6
	mutantRounds    = 4
)

func TestMutants(t *testing.T) {
	t.Parallel()
	for _, m := range mutants {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			binary := build(t, dir, "-overlay", m.overlay(t, dir))
			for n := range mutantCampaigns {
				seed := uint64(n + 1) //nolint:gosec // small
				k := campaign{binary: binary, seed: seed, rounds: mutantRounds, wanted: m.finds, kills: m.kills}
				for _, f := range k.run(t) {
					if f.kind == m.finds {
						t.Logf("found with seed %d: %v", seed, f)
						return
					}
				}
			}
			t.Errorf("%d crashes, and no fault of the kind %q was found", mutantCampaigns*mutantRounds, m.finds)
		})
	}
}

// overlay writes the changed files and the list that tells the compiler of them.
func (m mutant) overlay(t *testing.T, dir string) (path string) {
	t.Helper()
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	changed := make(map[string]string) // by original path
	for _, e := range m.edits {
		original := filepath.Join(root, filepath.FromSlash(e.file))
		text, known := changed[original]
		if !known {
			raw, err := os.ReadFile(original)
			if err != nil {
				t.Fatal(err)
			}
			text = string(raw)
		}
		if n := strings.Count(text, e.old); n != 1 {
			t.Fatalf("%s holds %d times the text that this mutant replaces; make the mutant fit the code again:\n%s", e.file, n, e.old)
		}
		changed[original] = strings.Replace(text, e.old, e.new, 1)
	}
	replace := make(map[string]string)
	for original, text := range changed {
		replacement := filepath.Join(dir, filepath.Base(filepath.Dir(original))+"_"+filepath.Base(original))
		write(t, replacement, []byte(text))
		replace[original] = replacement
	}
	list, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(dir, "overlay.json")
	write(t, path, list)
	return path
}

func write(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}
