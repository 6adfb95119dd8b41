package sim_test

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// mutant is a store with one promise taken out.
type mutant struct {
	name  string
	file  string // of the store
	edits [][2]string
	finds string // what a model must say
}

var mutants = []mutant{
	{
		name: "role without a version", file: "group_change.go", finds: "with the changes since is",
		edits: [][2]string{{"mute_until = coalesce($5, mute_until), version = $6\n", "mute_until = coalesce($5, mute_until), version = CASE WHEN $6 > 0 THEN version END\n"}},
	},
	{
		name: "who comes back is counted twice", file: "group_change.go", finds: "members counted of",
		edits: [][2]string{
			{"\tv, err := tx.InsertMembers(groupID, members)\n", `
	back, err := tx.exists("SELECT 1 FROM tombstone WHERE kind = $1 AND owner_id = $2 AND element_id = $3", im.VersionGroupMembers, groupID, members[0].UserID)
	if err != nil {
		return im.Version{}, err
	}
	v, err := tx.InsertMembers(groupID, members)
`},
			{"tx.countMembers(groupID, len(members))", "tx.countMembers(groupID, len(members)+boolInt(back))"},
		},
	},
	{
		name: "no tombstones", file: "group_change.go", finds: `, not ""`,
		edits: [][2]string{{"tx.removedAll(im.VersionGroupMembers, groupID, userIDs, v.Version)", "tx.removedAll(im.VersionGroupMembers, groupID, userIDs[:0], v.Version)"}},
	},
	{
		name: "two owners", file: "group_change.go", finds: "owners",
		edits: [][2]string{{"im.RoleOwner, im.Millis(0), to.Role", "im.RoleOwner, im.Millis(0), im.RoleOwner"}},
	},
	{
		name: "read positions may go back", file: "sqlite_writer.go", finds: "and is at",
		edits: [][2]string{{"WHERE read_position.seq < excluded.seq`", "WHERE read_position.seq < excluded.seq + 2`"}},
	},
	{
		name: "places of who came back", file: "version.go", finds: "the order is",
		edits: [][2]string{{"UPDATE version_log SET sort_version = $1 WHERE kind = $2 AND owner_id = $3 AND sort_version < $1", "UPDATE version_log SET sort_version = sort_version WHERE $1 > 0 AND kind = $2 AND owner_id = $3"}},
	},
}

// A mutant is given up as a survivor after this many seeds.
const mutantSeeds = 12

// TestMutants shows that the models find what they look for.
func TestMutants(t *testing.T) {
	t.Parallel()
	for _, m := range mutants {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			binary := m.build(t)
			for seed := range mutantSeeds {
				cmd := exec.CommandContext(t.Context(), binary, "-test.run=^TestSimulation$/^seed$/.*/^sqlite$")
				cmd.Env = append(os.Environ(), "PARLEY_SIM_SEED="+strconv.Itoa(seed+1))
				out, err := cmd.CombinedOutput()
				if _, failed := errors.AsType[*exec.ExitError](err); !failed && err != nil {
					t.Fatal(err)
				}
				if strings.Contains(string(out), m.finds) {
					return
				}
			}
			t.Errorf("%d seeds, and no fault that says %q", mutantSeeds, m.finds)
		})
	}
}

// build makes this package's test with the changed file.
func (m mutant) build(t *testing.T) (binary string) {
	t.Helper()
	dir := t.TempDir()
	original, err := filepath.Abs(filepath.Join("..", "store", m.file))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(original)
	if err != nil {
		t.Fatal(err)
	}
	text := string(raw)
	for _, e := range m.edits {
		if n := strings.Count(text, e[0]); n != 1 {
			t.Fatalf("%s holds %d times the text that this mutant replaces; make the mutant fit the code again:\n%s", m.file, n, e[0])
		}
		text = strings.Replace(text, e[0], e[1], 1)
	}
	changed, list := filepath.Join(dir, m.file), filepath.Join(dir, "overlay.json")
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{original: changed}})
	if err != nil {
		t.Fatal(err)
	}
	for path, content := range map[string][]byte{changed: []byte(text), list: overlay} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	binary = filepath.Join(dir, "sim.test")
	if out, err := exec.CommandContext(t.Context(), "go", "test", "-c", "-overlay", list, "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return binary
}
