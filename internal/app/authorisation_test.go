package app

import (
	"bytes"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/parley-im/parley/internal/api"
	"github.com/parley-im/parley/internal/config"
	"github.com/parley-im/parley/internal/im"
)

var update = flag.Bool("update", false, "rewrite docs/authorisation.md")

// node is a whole server in the test's process.
type node struct {
	t      *testing.T
	server *server
	rest   string
	socket string
	admin  string // a token

	watcher *sql.DB // sees whether anything was committed
}

// in is the same node for a subtest.
func (n node) in(t *testing.T) *node {
	n.t = t
	return &n
}

const testSecret = "a secret of the test"

func startNode(t *testing.T) *node {
	t.Helper()
	return startNodeWith(t, func(*config.Config) {})
}

func startNodeWith(t *testing.T, change func(*config.Config)) *node {
	t.Helper()
	c := config.Default()
	c.DataDir = t.TempDir()
	c.Share.Secret = testSecret
	c.Storage.SQLite.Synchronous = "NORMAL"
	c.Edge.Limits = config.EdgeLimits{} // tables of faults look like an attack
	change(c)
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	s, err := build(t.Context(), Options{Config: c, Logger: log, Stdout: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	rest, socket := httptest.NewServer(api.New(s.services)), httptest.NewServer(s.gateway)
	t.Cleanup(func() {
		rest.Close()
		socket.Close()
		if err := s.store.Close(); err != nil {
			t.Error(err)
		}
	})
	n := &node{t: t, server: s, rest: rest.URL, socket: "ws" + strings.TrimPrefix(socket.URL, "http")}
	if n.watcher, err = sql.Open("sqlite", "file:"+filepath.Join(c.DataDir, "parley.db")+"?mode=ro"); err != nil {
		t.Fatal(err)
	}
	n.watcher.SetMaxOpenConns(1) // what it sees is counted by connection
	t.Cleanup(func() { _ = n.watcher.Close() })
	if n.admin, _, err = s.auth.AdminToken(t.Context(), testSecret, "imAdmin"); err != nil {
		t.Fatal(err)
	}
	return n
}

// answer is what came back from a call.
type answer struct {
	ErrCode int             `json:"errCode"`
	ErrDlt  string          `json:"errDlt"`
	Data    json.RawMessage `json:"data"`
}

// operations and cells number what must not be used twice.
var operations, cells int

// call makes a REST call with a token; "" is none.
func (n *node) call(token, path, body string) answer {
	n.t.Helper()
	operations++
	return n.callAs(fmt.Sprint("op-", operations), token, path, body)
}

// callAs is call with an operationID; "" is none.
func (n *node) callAs(operationID, token, path, body string) answer {
	n.t.Helper()
	req, err := http.NewRequestWithContext(n.t.Context(), http.MethodPost, n.rest+path, strings.NewReader(body))
	if err != nil {
		n.t.Fatal(err)
	}
	if operationID != "" {
		req.Header.Set("operationID", operationID)
	}
	if token != "" {
		req.Header.Set("token", token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		n.t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		n.t.Fatal(err)
	}
	var a answer
	if err := json.Unmarshal(raw, &a); err != nil {
		n.t.Fatalf("%s: status %d, %q", path, resp.StatusCode, raw)
	}
	return a
}

// must makes a call of the administrator's that prepares a test.
func (n *node) must(path, body string) answer {
	n.t.Helper()
	a := n.call(n.admin, path, body)
	if a.ErrCode != 0 {
		n.t.Fatalf("%s %s: errCode %d %s", path, body, a.ErrCode, a.ErrDlt)
	}
	return a
}

// commits changes whenever a transaction stored anything.
func (n *node) commits() (version int64) {
	n.t.Helper()
	if err := n.watcher.QueryRowContext(n.t.Context(), "PRAGMA data_version").Scan(&version); err != nil {
		n.t.Fatal(err)
	}
	return version
}

// traceless makes a call that must not leave a trace if it fails. What was
// written and taken back inside a transaction may have been committed as it was
// before: then the call is made once more, and everything compared.
func (n *node) traceless(call func() answer) answer {
	n.t.Helper()
	before := n.commits()
	got := call()
	if got.ErrCode == 0 || n.commits() == before {
		return got
	}
	stored := n.everything()
	if again := call(); again.ErrCode != got.ErrCode || n.everything() != stored {
		n.t.Errorf("refused with %d, and yet something was stored; then answered with %d", got.ErrCode, again.ErrCode)
	}
	return got
}

// everything is a digest of all that is stored.
func (n *node) everything() string {
	n.t.Helper()
	digest := sha256.New()
	for _, table := range n.rowsOf("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name") {
		for _, row := range n.rowsOf("SELECT * FROM " + table) {
			fmt.Fprintln(digest, table, row)
		}
	}
	return string(digest.Sum(nil))
}

// rowsOf returns the rows of a query as texts.
func (n *node) rowsOf(query string) (out []string) {
	n.t.Helper()
	rows, err := n.watcher.QueryContext(n.t.Context(), query)
	if err != nil {
		n.t.Fatal(err)
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		n.t.Fatal(err)
	}
	values := make([]any, len(names))
	to := make([]any, len(names))
	for i := range values {
		to[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(to...); err != nil {
			n.t.Fatal(err)
		}
		if len(values) == 1 {
			out = append(out, fmt.Sprint(values[0]))
			continue
		}
		out = append(out, fmt.Sprint(values...))
	}
	if err := rows.Err(); err != nil {
		n.t.Fatal(err)
	}
	return out
}

// register adds users.
func (n *node) register(ids ...string) {
	n.t.Helper()
	users := make([]string, len(ids))
	for i, id := range ids {
		users[i] = fmt.Sprintf(`{"userID":%q,"nickname":"nick %s"}`, id, id)
	}
	n.must("/user/user_register", `{"users":[`+strings.Join(users, ",")+`]}`)
}

func (n *node) token(userID string) string {
	n.t.Helper()
	if userID == "imAdmin" {
		return n.admin
	}
	token, _, err := n.server.auth.UserToken(im.WithCaller(n.t.Context(), im.Caller{UserID: "imAdmin", Admin: true}), userID, im.PlatformAndroid)
	if err != nil {
		n.t.Fatal(err)
	}
	return token
}

// cell is one call by one role, with users of its own.
type cell struct {
	*node
	names map[string]string // by what bodies call them
}

func (n *node) newCell(groups bool) *cell {
	n.t.Helper()
	cells++
	people := []string{"alice", "bob", "stranger"}
	if groups {
		people = append(people, "owner", "assistant", "member")
	}
	c := &cell{node: n, names: map[string]string{"secret": testSecret, "new": fmt.Sprint("new", cells)}}
	ids := make([]string, len(people))
	for i, p := range people {
		ids[i] = fmt.Sprint(p, cells)
		c.names[p] = ids[i]
	}
	c.names["chat"] = fmt.Sprintf("si_%s_%s", c.names["alice"], c.names["bob"])
	n.register(ids...)
	key, err := json.Marshal(map[string]string{"sendID": c.names["bob"], "recvID": c.names["alice"]})
	if err != nil {
		n.t.Fatal(err)
	}
	c.names["key"] = strings.ReplaceAll(base64.StdEncoding.EncodeToString(key), "+", "%2B")
	if groups {
		c.names["g"] = fmt.Sprint("g", cells)
		n.must("/group/create_group", c.fill(
			`{"ownerUserID":"@owner","adminUserIDs":["@assistant"],"memberUserIDs":["@member","@bob"],"groupInfo":{"groupID":"@g","groupType":2},"sendMessage":false}`))
	}
	return c
}

// fill puts the cell's own names into a body.
func (c *cell) fill(body string) string {
	names := make([]string, 0, len(c.names))
	for name := range c.names {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int { return len(b) - len(a) }) // no name before one that begins with it
	var pairs []string
	for _, name := range names {
		pairs = append(pairs, "@"+name, c.names[name])
	}
	return strings.NewReplacer(pairs...).Replace(body)
}

func (c *cell) do(path, body string) { c.must(path, c.fill(body)) }

// What cells need before the call.

func (c *cell) friends() {
	c.do("/friend/import_friend", `{"ownerUserID":"@alice","friendUserIDs":["@bob"]}`)
}

func (c *cell) friendRequest() {
	c.do("/friend/add_friend", `{"fromUserID":"@bob","toUserID":"@alice"}`)
}

func (c *cell) command() {
	c.do("/user/process_user_command_add", `{"userID":"@alice","type":1,"uuid":"u"}`)
}

func (c *cell) message() {
	c.do("/msg/send_msg", `{"sendID":"@alice","recvID":"@bob","sessionType":1,"contentType":101,"content":{"content":"x"}}`)
}

func (c *cell) groupMessage() {
	c.do("/msg/send_msg", `{"sendID":"@bob","groupID":"@g","sessionType":3,"contentType":101,"content":{"content":"x"}}`)
}

func (c *cell) groupRequest() {
	token := c.token(c.names["stranger"])
	if a := c.call(token, "/group/join_group", c.fill(`{"groupID":"@g","inviterUserID":"@stranger","joinSource":3}`)); a.ErrCode != 0 {
		c.t.Fatalf("join_group: %d %s", a.ErrCode, a.ErrDlt)
	}
}

// caller is the user behind a role.
func (c *cell) caller(r role) string {
	switch r {
	case stranger:
		return c.names["stranger"]
	case concerned:
		return c.names["alice"]
	case member:
		return c.names["member"]
	case assistant:
		return c.names["assistant"]
	case owner:
		return c.names["owner"]
	default:
		return "imAdmin"
	}
}

// ignored is an outsider's call that succeeds and does nothing.
const ignored = -1

// The columns of the two tables.
var (
	personalRoles = []role{nobody, stranger, concerned, operator}
	groupRoles    = []role{nobody, stranger, member, assistant, owner, operator}
)

var roleNames = map[role]string{
	nobody: "no token", stranger: "another user", concerned: "the user", member: "member", assistant: "group admin", owner: "owner",
	operator: "administrator",
}

func (r row) path() string {
	path, _, _ := strings.Cut(r.name, "?")
	return path
}

// TestAuthorisation makes every call of the tables in every role.
func TestAuthorisation(t *testing.T) {
	n := startNode(t)
	check := func(t *testing.T, r row, by role, groups bool) {
		c := n.in(t).newCell(groups)
		if r.setUp != nil {
			r.setUp(c)
		}
		token := ""
		if by != nobody {
			token = c.token(c.caller(by))
		}
		c.names["token"] = n.admin
		c.names["caller"] = c.caller(by)
		if by == operator {
			c.names["caller"] = c.names["owner"]
		}
		got := c.traceless(func() answer { return c.call(token, c.fill(r.name), c.fill(r.body)) })
		want := r.reached
		if r.may&by == 0 {
			switch {
			case by == nobody:
				want = im.ErrArgs.Code // the header is missing
			case by == stranger && r.outsider == ignored:
				want = 0
			case by == stranger && r.outsider != 0:
				want = r.outsider
			default:
				want = im.ErrNoPermission.Code
			}
		}
		if got.ErrCode != want {
			t.Errorf("errCode %d %s, want %d", got.ErrCode, got.ErrDlt, want)
		}
	}
	covered := map[string]bool{}
	tried := 0
	for _, table := range []struct {
		rows  []row
		roles []role
	}{{personal, personalRoles}, {ofGroups, groupRoles}} {
		groups := len(table.roles) == len(groupRoles)
		for _, r := range table.rows {
			covered[r.path()] = true
			for _, by := range table.roles {
				tried++
				t.Run(fmt.Sprintf("%s by %s", r.path()[1:], roleNames[by]), func(t *testing.T) { check(t, r, by, groups) })
			}
		}
	}
	for _, path := range api.Paths() {
		if !covered[path] {
			t.Errorf("nothing is said of who may call %s", path)
		}
		delete(covered, path)
	}
	for path := range covered {
		t.Errorf("there is no route %s", path)
	}
	t.Attr("authorisation", fmt.Sprint(tried, " cells"))
}

func mark(r row, by role) string {
	if r.may&by != 0 {
		return "yes"
	}
	return ""
}

func table(b *bytes.Buffer, first string, rows []row, roles []role) {
	fmt.Fprintf(b, "| %s |", first)
	for _, by := range roles {
		fmt.Fprintf(b, " %s |", roleNames[by])
	}
	b.WriteString(" |\n|---|" + strings.Repeat("---|", len(roles)) + "---|\n")
	for _, r := range rows {
		fmt.Fprintf(b, "| `%s` |", r.path())
		for _, by := range roles {
			fmt.Fprintf(b, " %s |", mark(r, by))
		}
		fmt.Fprintf(b, " %s |\n", r.note)
	}
	b.WriteString("\n")
}

// docs is docs/authorisation.md.
func docs() []byte {
	var b bytes.Buffer
	b.WriteString(`# Who may do what

<!-- Written by: go test ./internal/app -run TestAuthorisationDocs -update. The tables are those of
internal/app/authorisation_table_test.go, and every cell is tried against a running server. -->

A call is refused with code 1002 (1004 where an outsider is not found in the group), a call without a token with 1001, before it changes anything. An *administrator* is one of the users named in
share.yml (imAdminUser); notification accounts and app managers are not. Anything a user may do is about himself or what he takes part in:
messages are read only from conversations in the reader's own list, and from where he came in to where he left.

## Calls about users and their conversations

`)
	table(&b, "Call", personal, personalRoles)
	b.WriteString("## Calls about groups\n\n*Another user* is one who is not a member.\n\n")
	table(&b, "Call", ofGroups, groupRoles)
	b.WriteString("## Requests of the long connection\n\nA connection has a valid token of its user; a request in the name of another ends it.\n\n")
	table(&b, "Request", ofSockets, socketRoles)
	return b.Bytes()
}

func TestAuthorisationDocs(t *testing.T) {
	path := filepath.Join("..", "..", "docs", "authorisation.md")
	want := docs()
	if *update {
		if err := os.WriteFile(path, want, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is out of date; run: go test ./internal/app -run TestAuthorisationDocs -update", path)
	}
}
