package test

import (
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestGracefulShutdown stops a server while sends wait for a handler.
func TestGracefulShutdown(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answers bool // once the server is stopping
		code    int  // for the senders
	}{
		"the handler answers":       {true, 0},
		"the handler never answers": {false, 90004},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := startBusiness(t)
			released := make(chan struct{})
			b.on(cmdBeforeSingle, hangsUntil(released, approval))
			n := startNode(t, setup{files: allMessageWebhooks(b.URL, "failedContinue: false, timeout: 2")})
			n.register(t, "alice", "bob", "carol")
			alice := n.device(t, "alice", platformMiniWeb)
			overSocket := alice.begin(post{from: "alice", to: "bob", content: text("hi"), operationID: "drain"})
			byREST := make(chan sent, 1)
			go func() {
				var ack struct{ ServerMsgID, ClientMsgID string }
				r, err := n.rest(t.Context(), "drain", "/msg/send_msg", map[string]any{
					"sendID": "carol", "recvID": "bob", "senderPlatformID": platformIOS, "content": map[string]any{"content": "hi"},
					"contentType": contentText, "sessionType": singleChat,
				}, &ack)
				if err != nil {
					t.Errorf("the request was not answered: %v", err)
				}
				byREST <- sent{refusal: r, serverMsgID: ack.ServerMsgID}
			}()
			b.awaitCount(t, 2, cmdBeforeSingle)
			n.terminate()
			n.awaitOutput("stopping")
			if c.answers {
				close(released)
			}
			answers := map[string]sent{"alice": alice.sent(overSocket), "carol": <-byREST}
			mustClose(t, alice.conn)
			if code := n.ended(); code != 0 {
				t.Errorf("ended with %d", code)
			}

			// What was acknowledged is stored and told, what was refused is not.
			n.start()
			bob := n.device(t, "bob", platformMiniWeb)
			for from, s := range answers {
				if s.ErrCode != c.code {
					t.Errorf("%s was answered %+v, want %d", from, s, c.code)
				}
				log := bob.history(post{from: from, to: "bob"}.conversation())
				if s.ErrCode != 0 {
					if len(log) != 0 {
						t.Errorf("%s was answered %+v; stored is %v", from, s, log)
					}
					continue
				}
				if len(log) != 1 || log[0].ServerMsgID != s.serverMsgID {
					t.Errorf("%s was answered %+v; stored is %v", from, s, log)
				}
				b.await(t, "the event of "+from, func([]callback) bool {
					return slices.ContainsFunc(b.got(cmdAfterSingle), func(c callback) bool { return c.Event.ServerMsgID == s.serverMsgID })
				})
			}
		})
	}
}

func TestStopWithIdleConnections(t *testing.T) {
	t.Parallel()
	n := startNode(t, setup{})
	n.register(t, "alice", "bob")
	alice, bob := n.device(t, "alice", platformMiniWeb), n.device(t, "bob", platformIOS)
	n.terminate()
	mustClose(t, alice.conn)
	mustClose(t, bob.conn)
	if code := n.ended(); code != 0 {
		t.Errorf("ended with %d", code)
	}
}

func TestStartUpReport(t *testing.T) {
	t.Parallel()
	b := startBusiness(t)
	n := startNode(t, setup{files: map[string]string{
		"webhooks.yml": "url: " + b.URL + "/hook?tenant=7\nbeforeSendSingleMsg: {enable: true, failedContinue: true, timeout: 3}\nafterUserOnline: {enable: true}\n",
	}})
	report := n.output.String()
	for _, want := range [][]string{
		{"Parley ", "go1."},
		{"API", n.API},
		{"WebSocket", n.WS},
		{"SQLite", n.data},
		{"parley token --data " + n.data},
		{"/auth/get_admin_token"},
		{"webhooks: 2 on, 51 off"},
		{"beforeSendSingleMsg", cmdBeforeSingle, b.URL + "/hook/" + cmdBeforeSingle, "3s", "true"},
		{"afterUserOnline", cmdOnline, b.URL + "/hook/" + cmdOnline, "5s"},
	} {
		if lineWith(report, want...) == "" {
			t.Errorf("no line has %q in\n%s", want, report)
		}
	}
	if strings.Contains(report, "scenario-secret") {
		t.Error("the report shows the secret")
	}

	t.Run("the token it speaks of works", func(t *testing.T) {
		token := strings.TrimSpace(n.run("token"))
		if !regexp.MustCompile(`^[\w-]+\.[\w-]+\.[\w-]+$`).MatchString(token) {
			t.Fatalf("token %q", token)
		}
		n.admin = token
		n.register(t, "alice")
	})
}

func TestWithoutConfiguration(t *testing.T) {
	t.Parallel()
	n := startNode(t, setup{})
	n.register(t, "alice")
	if lineWith(n.output.String(), "webhooks: all 53 off") == "" {
		t.Errorf("the report is\n%s", n.output)
	}
	secret := n.Secret
	n.stop()
	n.start()
	if n.Secret != secret || len(secret) < 20 {
		t.Errorf("the secret is %q, it was %q", n.Secret, secret)
	}
	if r := n.post(t, "/user/user_register", map[string]any{"users": []map[string]any{{"userID": "alice", "nickname": "a"}}}, nil); r.ErrCode != 1102 {
		t.Errorf("alice is forgotten: %+v", r)
	}
}

func TestPermissions(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	n := startNode(t, setup{data: data})
	if info, err := os.Stat(data); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("data directory: %v, %v", info.Mode(), err)
	}
	for _, name := range []string{"secret", "control.sock"} {
		info, err := os.Stat(filepath.Join(data, name))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %o", name, info.Mode().Perm())
		}
	}
	err := filepath.WalkDir(data, func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err == nil && info.Mode().Perm()&0o007 != 0 {
			t.Errorf("%s has mode %o", path, info.Mode().Perm())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	// What a killed server leaves behind does not keep the next from starting.
	n.kill()
	n.start()
	n.run("token")
}

// TestLongDataDirectory has a name that is too long for a socket.
func TestLongDataDirectory(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), strings.Repeat("long", 50))
	n := startNode(t, setup{data: data})
	n.run("token")
	n.stop()
	n.start()
	n.run("token")
}

// failsToStart runs serve, which must end with an error.
func failsToStart(t *testing.T, args ...string) (message string) {
	t.Helper()
	_, errs, code := parleyCommand(t, nil, append([]string{"serve"}, args...)...)
	if code != 1 || !strings.HasPrefix(errs, "parley: ") || strings.Count(errs, "\n") > 3 {
		t.Errorf("serve ended with %d: %s", code, errs)
	}
	return errs
}

func TestSecondServer(t *testing.T) {
	t.Parallel()
	n := startNode(t, setup{})
	got := failsToStart(t, "--data", n.data, "--api-addr", "127.0.0.1:0", "--ws-addr", "127.0.0.1:0")
	if !strings.Contains(got, n.data) || !strings.Contains(got, "another") {
		t.Errorf("refused with %q", got)
	}
	n.register(t, "alice")
	n.run("token") // its control socket is still its own
}

func TestPortsInUse(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	addr := taken.Addr().String()
	data := t.TempDir()
	for what, args := range map[string][]string{
		"API":       {"--api-addr", addr, "--ws-addr", "127.0.0.1:0"},
		"WebSocket": {"--api-addr", "127.0.0.1:0", "--ws-addr", addr},
	} {
		got := failsToStart(t, append(args, "--data", data)...)
		for _, want := range []string{what, addr, "address already in use"} {
			if !strings.Contains(got, want) {
				t.Errorf("%s: refused with %q, which lacks %q", what, got, want)
			}
		}
	}
	// The failed starts let go of the data directory.
	startNode(t, setup{data: data}).register(t, "alice")
}
