// Package internal_test holds the rules of the house that no compiler checks:
// who imports whom, what every package says of itself, which dependencies there
// are, that both databases have one schema, and that nothing names the machine
// it was written on.
package internal_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/parley-im/parley/internal/store"
	"github.com/parley-im/parley/internal/store/storetest"
)

const module = "github.com/parley-im/parley"

func TestMain(m *testing.M) { storetest.Main(m) }

// arrows says what each package of this module may import of it, from the bottom
// up. The reasons are in docs/architecture.md. A package that is not listed must
// first be given its place here.
var arrows = map[string][]string{
	"internal/im":   {},
	"internal/wire": {"internal/im"},

	"internal/store":    {"internal/im"},
	"internal/bus":      {"internal/im"},
	"internal/outbox":   {"internal/im", "internal/store"},
	"internal/jobs":     {"internal/im", "internal/store"},
	"internal/cron":     {},
	"internal/metrics":  {"internal/im"},
	"internal/trace":    {"internal/im"},
	"internal/presence": {"internal/im", "internal/store", "internal/bus"},
	"internal/delivery": {"internal/im", "internal/store", "internal/bus", "internal/presence"},
	"internal/spread":   {"internal/im", "internal/store"},
	"internal/message":  {"internal/im", "internal/store", "internal/spread", "internal/trace"},

	// Nouns. They reach the log through message and nobody beside them.
	"internal/auth":         {"internal/im", "internal/store", "internal/message"},
	"internal/user":         {"internal/im", "internal/store", "internal/message", "internal/spread"},
	"internal/relation":     {"internal/im", "internal/store", "internal/message"},
	"internal/group":        {"internal/im", "internal/store", "internal/message", "internal/spread"},
	"internal/conversation": {"internal/im", "internal/store", "internal/message"},
	"internal/object":       {"internal/im", "internal/store"},
	"internal/device":       {"internal/im", "internal/store"},

	// Where objects' bytes are.
	"internal/object/objecttest": {}, // for tests
	"internal/object/disk":       {"internal/object", "internal/store"},
	"internal/object/s3":         {"internal/object", "internal/store"},

	// A leaf: the callbacks, which the configuration needs too.
	"internal/webhook/registry": {"hooks/payload"},
	"internal/config":           {"internal/webhook/registry", "hooks/signature", "internal/cron", "internal/edge"},

	// A leaf: the network in front of the ports.
	"internal/edge": {},

	// What may change while the server runs.
	"internal/reload": {"internal/im", "internal/store", "internal/config"},

	// Edges.
	"internal/api": {
		"internal/trace",
		"internal/im", "internal/edge", "internal/wire", "internal/store", "internal/message", "internal/presence", "internal/auth",
		"internal/user", "internal/relation", "internal/group", "internal/conversation", "internal/object", "internal/device", "internal/reload", "internal/webhook/explain", "internal/webhook/listen",
		"docs",
	},
	"internal/console": {
		"internal/im", "internal/edge", "internal/wire", "internal/store", "internal/config", "internal/reload", "internal/message", "internal/presence", "internal/auth",
		"internal/user", "internal/relation", "internal/group", "internal/conversation", "internal/trial", "internal/metrics", "internal/webhook", "internal/webhook/registry", "internal/webhook/explain", "internal/webhook/desk", "internal/webhook/tail",
	},
	// Webhooks for operators: what they do, and what they look on at.
	"internal/webhook/desk": {"internal/im", "internal/store", "internal/config", "internal/reload", "internal/webhook", "internal/webhook/explain"},
	"internal/webhook/tail": {"internal/webhook"},
	"docs":                  {}, // those the server serves
	// A leaf: how archives are written and checked.
	"internal/backup": {},
	// Makes docs/openapi.json, in tests.
	"internal/api/reference":  {"internal/api", "internal/webhook/reference"},
	"internal/gateway":        {"internal/im", "internal/trace", "internal/edge", "internal/wire", "internal/auth", "internal/conversation", "internal/message", "internal/presence"},
	"internal/webhook":        {"internal/im", "internal/trace", "internal/wire", "internal/store", "internal/outbox", "internal/webhook/registry", "hooks/payload", "hooks/signature"},
	"internal/webhook/listen": {"internal/im", "internal/webhook", "internal/webhook/registry"},
	// A client: what the tools do on the machine of who writes a handler.
	"internal/handlerkit": {"internal/webhook/listen", "internal/webhook/registry", "hooks/signature"},
	"internal/webhook/explain": {
		"internal/im", "internal/store", "internal/config", "internal/reload", "internal/webhook", "internal/webhook/registry",
	},
	"internal/push": {"internal/im", "internal/store", "internal/outbox"},

	// Push vendors, and one for tests.
	"internal/push/apns":     {"internal/push"},
	"internal/push/fcm":      {"internal/push"},
	"internal/push/getui":    {"internal/push"},
	"internal/push/jpush":    {"internal/push"},
	"internal/push/pushtest": {"internal/push"},

	// Public: what people who write handlers import.
	"hooks":           {"hooks/signature", "hooks/payload"},
	"hooks/signature": {},
	"hooks/payload":   {},
	"hooks/schema":    {},
	// Makes the files of hooks/schema and tables of the documentation, in tests.
	"internal/webhook/reference": {"hooks/payload", "internal/webhook/registry"},

	"examples/go-handler": {"hooks", "hooks/payload"},

	// A client: it knows the wire and nothing of the server.
	"internal/bench": {"internal/wire"},
	"internal/phone": {"internal/wire"},
	// Plays with two phones in the server itself.
	"internal/trial": {"internal/im", "internal/store", "internal/phone", "internal/webhook"},
	// Another: it knows callbacks as their handlers do.
	"internal/conform": {"hooks/payload", "hooks/signature", "internal/webhook/registry"},

	// Test kits.
	"internal/store/storetest": {"internal/im", "internal/store"},
	"internal/sim":             {}, // tests only
	"internal/imtest":          {"internal/im", "internal/wire", "internal/app", "internal/config"},
	"test":                     {},
	"test/chaos":               {},
	"test/compat":              {},
	"internal":                 {},
}

// mayImportAll build everything from its parts.
var mayImportAll = []string{"internal/app", "cmd/parley"}

// outside says who alone may import a package of another module or of the
// standard library, by prefix.
var outside = []struct {
	prefix string
	only   []string
	why    string
}{
	{"database/sql", []string{"internal/store"}, "databases are reached through store"},
	{"github.com/jackc/pgx", []string{"internal/store"}, "databases are reached through store"},
	{"modernc.org/sqlite", []string{"internal/store"}, "databases are reached through store"},
	{"github.com/pressly/goose", []string{"internal/store"}, "migrations are store's"},
	{
		"github.com/openimsdk/protocol",
		[]string{"internal/wire", "internal/api", "internal/gateway", "internal/webhook", "internal/push", "internal/bench", "internal/phone", "internal/imtest"},
		"OpenIM's types end at the edges",
	},
	{
		"net/http",
		[]string{"internal/api", "internal/console", "internal/gateway", "internal/edge", "internal/webhook", "internal/webhook/listen", "internal/handlerkit", "internal/push", "internal/push/apns", "internal/push/fcm", "internal/push/getui", "internal/push/jpush", "internal/push/pushtest", "internal/app", "internal/bench", "internal/phone", "internal/trial", "internal/conform", "internal/imtest", "cmd/parley", "hooks", "hooks/signature", "examples/go-handler"},
		"nouns and what is below them know no network",
	},
	{"github.com/gorilla/websocket", []string{"internal/gateway", "internal/bench", "internal/phone", "internal/imtest"}, "sockets are the gateway's"},
	{"github.com/alecthomas/kong", []string{"cmd/parley"}, "the command line is main's"},
	{"go.opentelemetry.io", []string{"internal/trace"}, "traces have one home"},
	{"github.com/prometheus", []string{"internal/metrics", "internal/app"}, "figures have one home, and app shows them"},
	{"github.com/santhosh-tekuri/jsonschema", nil, "schemas are validated in tests"},
	{"testing", []string{"internal/store/storetest", "internal/push/pushtest", "internal/imtest"}, "test code stays out of the binary"},
}

// dependencies are the direct ones of go.mod, each with its reason.
var dependencies = map[string]string{
	"code.dny.dev/ssrf":                                               "refuses webhook addresses inside the machine and the cloud's metadata",
	"github.com/alecthomas/kong":                                      "command line",
	"github.com/goccy/go-yaml":                                        "configuration with places of errors",
	"github.com/golang-jwt/jwt/v5":                                    "OpenIM's tokens are JWTs",
	"github.com/google/uuid":                                          "event and operation ids",
	"github.com/gorilla/websocket":                                    "long connections",
	"github.com/jackc/pgx/v5":                                         "PostgreSQL driver",
	"github.com/klauspost/compress":                                   "gzip at a third of the standard library's time; zstd for backups",
	"github.com/minio/minio-go/v7":                                    "object stores that speak S3",
	"github.com/openimsdk/protocol":                                   "OpenIM's wire types",
	"github.com/pressly/goose/v3":                                     "migrations",
	"github.com/prometheus/client_golang":                             "metrics that Prometheus scrapes",
	"github.com/prometheus/client_model":                              "reads them back for the last hour that the server keeps itself",
	"go.opentelemetry.io/otel":                                        "traces",
	"go.opentelemetry.io/otel/trace":                                  "the same",
	"go.opentelemetry.io/otel/sdk":                                    "the same",
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp": "sends them to a collector",
	"golang.org/x/image":                                              "scaling pictures, WebP",
	"github.com/santhosh-tekuri/jsonschema/v6":                        "tests validate the bodies of callbacks against their schemas",
	"golang.org/x/sync":                                               "errgroup",
	"golang.org/x/time":                                               "rate limits",
	"google.golang.org/protobuf":                                      "wire format and row codec",
	"modernc.org/sqlite":                                              "SQLite without cgo",
}

// forbiddenNames say nothing about what is inside.
var forbiddenNames = []string{
	"util", "utils", "common", "helper", "helpers", "manager", "types", "base", "misc", "shared", "lib", "pkg", "core",
}

type goPackage struct {
	ImportPath string
	Doc        string
	GoFiles    []string
	Imports    []string
}

// name is the import path inside this module.
func (p goPackage) name() string { return strings.TrimPrefix(p.ImportPath, module+"/") }

var packages = sync.OnceValues(func() ([]goPackage, error) {
	cmd := exec.Command("go", "list", "-json=ImportPath,Doc,GoFiles,Imports", "./...")
	cmd.Dir = ".."
	out, err := cmd.Output()
	if err != nil {
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			err = fmt.Errorf("%w\n%s", err, exit.Stderr)
		}
		return nil, fmt.Errorf("go list: %w", err)
	}
	var all []goPackage
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		all = append(all, p)
	}
})

func listPackages(t *testing.T) []goPackage {
	t.Helper()
	all, err := packages()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 10 {
		t.Fatalf("go list found %d packages only", len(all))
	}
	return all
}

func TestImports(t *testing.T) {
	t.Parallel()
	for _, p := range listPackages(t) {
		allowed, listed := arrows[p.name()]
		free := slices.Contains(mayImportAll, p.name())
		if !listed && !free {
			t.Errorf("%s has no place in the import graph: add it to arrows and to docs/architecture.md", p.name())
			continue
		}
		for _, imported := range p.Imports {
			if inner, ours := strings.CutPrefix(imported, module+"/"); ours {
				if !free && !slices.Contains(allowed, inner) {
					t.Errorf("%s may not import %s", p.name(), inner)
				}
				continue
			}
			if p.name() == "internal/im" && strings.Contains(strings.Split(imported, "/")[0], ".") {
				t.Errorf("internal/im imports %s: it knows the standard library only", imported)
			}
			for _, rule := range outside {
				if imported != rule.prefix && !strings.HasPrefix(imported, rule.prefix+"/") {
					continue
				}
				if !slices.ContainsFunc(rule.only, func(owner string) bool {
					return p.name() == owner || p.name() == owner+"/storetest"
				}) {
					t.Errorf("%s may not import %s: %s", p.name(), imported, rule.why)
				}
			}
		}
	}
}

func TestPackageComments(t *testing.T) {
	t.Parallel()
	for _, p := range listPackages(t) {
		if len(p.GoFiles) > 0 && len(strings.Fields(p.Doc)) < 4 {
			t.Errorf("%s does not say what it is for: %q", p.name(), p.Doc)
		}
	}
}

func TestPackageNames(t *testing.T) {
	t.Parallel()
	for _, p := range listPackages(t) {
		if slices.Contains(forbiddenNames, path.Base(p.name())) {
			t.Errorf("%s is named for nothing in particular", p.name())
		}
	}
}

func TestDirectDependencies(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), "go", "mod", "edit", "-json")
	cmd.Dir = ".."
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var mod struct {
		Require []struct {
			Path     string
			Indirect bool
		}
	}
	if err := json.Unmarshal(out, &mod); err != nil {
		t.Fatal(err)
	}
	var direct []string
	for _, r := range mod.Require {
		if !r.Indirect {
			direct = append(direct, r.Path)
		}
	}
	for _, d := range direct {
		if dependencies[d] == "" {
			t.Errorf("go.mod requires %s, and no reason is given here", d)
		}
	}
	for d := range dependencies {
		if !slices.Contains(direct, d) {
			t.Errorf("%s has a reason here but is not required", d)
		}
	}
}

// postgresOnly are tables whose part the embedded store keeps in memory.
var postgresOnly = []string{"recent_send"}

func TestBothDatabasesHaveOneSchema(t *testing.T) {
	t.Parallel()
	lite, pg := sqliteColumns(t), postgresColumns(t)
	if len(lite) < 50 {
		t.Fatalf("only %d columns found", len(lite))
	}
	maps.DeleteFunc(pg, func(column, _ string) bool {
		table, _, _ := strings.Cut(column, ".")
		return slices.Contains(postgresOnly, table)
	})
	for column, kind := range lite {
		if got, ok := pg[column]; !ok {
			t.Errorf("%s is missing in PostgreSQL", column)
		} else if got != kind {
			t.Errorf("%s is %s in SQLite and %s in PostgreSQL", column, kind, got)
		}
	}
	for column := range pg {
		if _, ok := lite[column]; !ok {
			t.Errorf("%s is missing in SQLite", column)
		}
	}
}

// kinds brings the type names of both engines together.
var kinds = map[string]string{
	"INTEGER": "integer", "TEXT": "text", "BLOB": "bytes",
	"bigint": "integer", "text": "text", "bytea": "bytes",
}

func sqliteColumns(t *testing.T) map[string]string {
	t.Helper()
	dir := t.TempDir()
	migrate(t, store.Options{Dir: dir})
	files, err := filepath.Glob(filepath.Join(dir, "*.db"))
	if err != nil || len(files) != 1 {
		t.Fatalf("database files %v, %v; want one", files, err)
	}
	return columns(t, "sqlite", files[0], `
		SELECT t.name, c.name, c.type FROM sqlite_master t, pragma_table_info(t.name) c
		WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite%' AND t.name NOT LIKE 'goose%'`)
}

func postgresColumns(t *testing.T) map[string]string {
	t.Helper()
	url := storetest.PostgresURL(t)
	migrate(t, store.Options{PostgresURL: url})
	return columns(t, "pgx", url, `
		SELECT table_name, column_name, data_type FROM information_schema.columns
		WHERE table_schema = current_schema() AND table_name NOT LIKE 'goose%'`)
}

// migrate makes the tables.
func migrate(t *testing.T, o store.Options) {
	t.Helper()
	o.Logger = slog.New(slog.DiscardHandler)
	s, err := store.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// columns maps "table.column" to a kind.
func columns(t *testing.T, driver, address, query string) map[string]string {
	t.Helper()
	db, err := sql.Open(driver, address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	rows, err := db.QueryContext(context.WithoutCancel(t.Context()), query)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	found := map[string]string{}
	for rows.Next() {
		var table, column, typ string
		if err := rows.Scan(&table, &column, &typ); err != nil {
			t.Fatal(err)
		}
		kind := kinds[typ]
		if kind == "" {
			t.Errorf("%s.%s has the type %q, which only one engine has", table, column, typ)
		}
		found[table+"."+column] = kind
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return found
}

// ownPaths matches places on somebody's machine. The pieces keep this file from
// matching itself.
var ownPaths = regexp.MustCompile(`(^|[^\w./])/(` + "work" + `|` + "Users" + `|` + "home/[a-z]" + `|` + "root" + `|tmp/` + "bash" + `)[/_\w]`)

func TestNothingNamesADevelopersMachine(t *testing.T) {
	t.Parallel()
	seen := 0
	err := filepath.WalkDir("..", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			switch d.Name() {
			case ".git", "vendor", "node_modules", "bin", "parley-data":
				return fs.SkipDir
			}
			return nil
		}
		if d.Name() == ".git" {
			return nil // a working tree beside the repository
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil // somebody's temporary file
		}
		if err != nil {
			return err
		}
		if !info.Mode().IsRegular() || info.Size() > 1<<20 {
			return nil
		}
		content, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		seen++
		if bytes.IndexByte(content, 0) >= 0 {
			return nil // not text
		}
		for i, line := range bytes.Split(content, []byte("\n")) {
			if at := ownPaths.Find(line); at != nil {
				t.Errorf("%s:%d names %q", name, i+1, at)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen < 50 {
		t.Errorf("only %d files were read", seen)
	}
}
