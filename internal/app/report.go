package app

import (
	"fmt"
	"net"
	"runtime"
	"strings"
	"time"

	"github.com/parley-im/parley/internal/config"
)

// report prints what an operator needs to know, once, when the server is ready.
func (s *server) report(apiL, wsL []net.Listener, consoleURL string, took time.Duration) {
	o := s.options
	fmt.Fprintf(o.Stdout, "Parley %s (%s), ready in %d ms\n", o.Version, runtime.Version(), took.Milliseconds())
	fmt.Fprintf(o.Stdout, "  API        %s\n", addresses(s.scheme("http"), apiL))
	fmt.Fprintf(o.Stdout, "  WebSocket  %s\n", addresses(s.scheme("ws"), wsL))
	if consoleURL != "" {
		fmt.Fprintf(o.Stdout, "  Console    %s\n", consoleURL)
	}
	storage := "SQLite in " + o.Config.DataDir
	if o.Config.Storage.Postgres.URL != "" {
		storage = "PostgreSQL; files in " + o.Config.DataDir
	}
	fmt.Fprintf(o.Stdout, "  Storage    %s\n", storage)
	switch {
	case o.Config.Share.Secret != "":
		fmt.Fprintf(o.Stdout, "  Secret     from the configuration\n")
	case s.created:
		fmt.Fprintf(o.Stdout, "  Secret     made now, kept in %s\n", SecretPath(o.Config.DataDir))
	default:
		fmt.Fprintf(o.Stdout, "  Secret     in %s\n", SecretPath(o.Config.DataDir))
	}
	fmt.Fprintf(o.Stdout, "  Admin      token: parley token --data %s\n", o.Config.DataDir)
	fmt.Fprintf(o.Stdout, "             or POST /auth/get_admin_token {\"secret\":\"…\",\"userID\":%q} with a header operationID\n", o.Config.Share.Admins[0].UserID)
	if o.Report != nil {
		s.printReport(o.Report)
	}
}

// printReport prints what the configuration means.
func (s *server) printReport(r *config.Report) {
	shown := *r
	shown.Listen = s.listening             // the command line may have changed them
	_, _ = shown.WriteTo(s.options.Stdout) // a closed stdout is no reason not to serve
}

func addresses(scheme string, list []net.Listener) string {
	out := make([]string, len(list))
	for i, l := range list {
		out[i] = scheme + reachable(l)
	}
	return strings.Join(out, ", ")
}
