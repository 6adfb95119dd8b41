package harness_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/parley-im/parley/test/harness"
)

// The tests run this binary again in the place of parley; the variable says how
// it shall behave.
const behaviour = "HARNESS_TEST_SERVER"

func TestMain(m *testing.M) {
	if how := os.Getenv(behaviour); how != "" {
		os.Exit(pretendToBeParley(how))
	}
	os.Exit(m.Run())
}

func pretendToBeParley(how string) int {
	flags := flag.NewFlagSet("serve", flag.ContinueOnError)
	data := flags.String("data", "", "")
	apiAddr := flags.String("api-addr", "", "")
	wsAddr := flags.String("ws-addr", "", "")
	readyFile := flags.String("ready-file", "", "")
	if err := flags.Parse(os.Args[2:]); err != nil {
		return 2
	}
	if how == "fails to start" {
		fmt.Fprintln(os.Stderr, "no room for the data directory")
		return 1
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	api, err := net.Listen("tcp", *apiAddr)
	if err != nil {
		return 3
	}
	ws, err := net.Listen("tcp", *wsAddr)
	if err != nil {
		return 3
	}
	go func() {
		_ = http.Serve(api, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.Header.Get("operationID") == "":
				fmt.Fprint(w, `{"errCode":1001,"errMsg":"ArgsError","errDlt":"header must have operationID"}`)
			case r.URL.Path == "/auth/get_admin_token":
				fmt.Fprint(w, `{"errCode":0,"errMsg":"","errDlt":"","data":{"token":"admin's"}}`)
			case r.Header.Get("token") != "admin's":
				fmt.Fprint(w, `{"errCode":1002,"errMsg":"NoPermissionError","errDlt":"not the administrator"}`)
			default:
				fmt.Fprint(w, `{"errCode":0,"errMsg":"","errDlt":""}`)
			}
		}))
	}()
	raw, _ := json.Marshal(map[string]any{
		"pid": os.Getpid(), "secret": "s3cret",
		"api": "http://" + api.Addr().String(), "ws": "ws://" + ws.Addr().String(),
	})
	if err := os.WriteFile(filepath.Join(*data, "runs"), append(previous(*data), '+'), 0o600); err != nil {
		return 4
	}
	if err := os.WriteFile(*readyFile+".new", raw, 0o600); err != nil {
		return 4
	}
	if err := os.Rename(*readyFile+".new", *readyFile); err != nil {
		return 4
	}
	<-stop
	switch how {
	case "has a race":
		fmt.Fprintln(os.Stderr, "WARNING: DATA RACE")
		return 66
	case "ends badly":
		return 1
	}
	return 0
}

func previous(data string) []byte {
	raw, _ := os.ReadFile(filepath.Join(data, "runs"))
	return raw
}

func options(t *testing.T, how string) harness.Options {
	t.Helper()
	return harness.Options{Binary: os.Args[0], DataDir: t.TempDir(), Env: []string{behaviour + "=" + how}}
}

func start(t *testing.T, how string) *harness.Server {
	t.Helper()
	s, err := harness.Start(options(t, how))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Kill() })
	return s
}

func TestStop(t *testing.T) {
	for how, want := range map[string]string{
		"behaves":    "",
		"has a race": "data race",
		"ends badly": "ended badly",
	} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			err := start(t, how).Stop()
			switch {
			case want == "" && err != nil:
				t.Errorf("a good end was reported as %v", err)
			case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
				t.Errorf("got %v, want it to say %q", err, want)
			}
		})
	}
}

func TestStart(t *testing.T) {
	t.Run("says what the server wrote before it ended", func(t *testing.T) {
		t.Parallel()
		_, err := harness.Start(options(t, "fails to start"))
		if err == nil || !strings.Contains(err.Error(), "no room for the data directory") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("restart keeps data directory and addresses", func(t *testing.T) {
		t.Parallel()
		opts := options(t, "behaves")
		s, err := harness.Start(opts)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Kill() })
		api, ws := s.API, s.WS
		if err := s.Kill(); err != nil {
			t.Fatalf("a killed server is not a bad end: %v", err)
		}
		if err := s.Restart(); err != nil {
			t.Fatal(err)
		}
		if s.API != api || s.WS != ws {
			t.Errorf("moved from %s %s to %s %s", api, ws, s.API, s.WS)
		}
		if runs := previous(opts.DataDir); string(runs) != "++" {
			t.Errorf("the data directory has seen runs %q, want two", runs)
		}
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestPost(t *testing.T) {
	s := start(t, "behaves")
	if err := s.Register("alice"); err != nil {
		t.Errorf("as administrator: %v", err)
	}
	err := s.Post("/user/user_register", "", map[string]any{}, nil)
	refusal, ok := err.(*harness.Error)
	if !ok || refusal.Code != 1002 || refusal.Path != "/user/user_register" {
		t.Errorf("without a token: got %v, want the server's refusal", err)
	}
}
