// Command parley is the server and its tools.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/parley-im/parley/internal/app"
	"github.com/parley-im/parley/internal/bench"
	"github.com/parley-im/parley/internal/config"
)

type cli struct {
	Serve   serveCmd   `cmd:"" help:"Run the server."`
	Config  configCmd  `cmd:"" help:"Look at a configuration."`
	Health  healthCmd  `cmd:"" help:"Ask the running server whether it is ready; the exit code says so."`
	Token   tokenCmd   `cmd:"" help:"Print an administrator's token of the running server."`
	Webhook webhookCmd `cmd:"" help:"Look at and repeat webhook deliveries of the running server."`
	Push    pushCmd    `cmd:"" help:"Look into offline push of the running server."`
	Backup  backupCmd  `cmd:"" help:"Write all data of the running server into an archive."`
	Restore restoreCmd `cmd:"" help:"Make a data directory of an archive."`
	Bench   benchCmd   `cmd:"" help:"Put checked load on an OpenIM-compatible server."`
	Version versionCmd `cmd:"" help:"Print the version, and what it was built of."`

	Completion completionCmd `cmd:"" help:"Print a script that completes commands and flags in a shell."`
	Complete   completeCmd   `cmd:"" name:"__complete" hidden:"" help:"Print what may come next on a command line, for the scripts of completion."`
}

func main() {
	var c cli
	k := kong.Parse(&c, kong.Name("parley"), kong.Description("An instant-messaging server compatible with OpenIM."), kong.UsageOnError())
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	k.BindTo(ctx, (*context.Context)(nil))
	k.BindTo(os.Stdout, (*io.Writer)(nil))
	err := k.Run()
	if errors.Is(err, app.ErrRestart) {
		fmt.Fprintf(os.Stderr, "parley: %v\n", err)
		err = again()
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "parley: %v\n", err)
		stop()
		os.Exit(1) //nolint:gocritic // stop was called
	}
}

// again starts the program anew in this process, with its arguments and
// environment; it returns only when it cannot. After an upgrade the file may be a
// newer one.
func again() error {
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("restart: %w", err)
	}
	return fmt.Errorf("restart: %w", syscall.Exec(program, os.Args, os.Environ())) //nolint:gosec // ourselves
}

// configFlags say where the configuration is.
type configFlags struct {
	Dir     string `name:"config" short:"c" aliases:"config_folder_path" help:"OpenIM configuration directory." type:"path"`
	Data    string `help:"Data directory, default ./parley-data." type:"path"`
	Index   int    `short:"i" hidden:"" help:"Accepted for scripts written for OpenIM: which of several configured ports to use."`
	Lenient bool   `name:"config-lenient" env:"PARLEY_CONFIG_LENIENT" help:"Warn about unknown names instead of refusing them."`
}

// imageConfigDir is where images of OpenIM have their configuration: a directory
// mounted there is meant, though nothing says so.
const imageConfigDir = "/openim-server/config"

func (f configFlags) source() config.Options {
	if f.Dir == "" && os.Getenv("CONFIG_PATH") == "" {
		if info, err := os.Stat(imageConfigDir); err == nil && info.IsDir() {
			f.Dir = imageConfigDir
		}
	}
	return config.Options{Dir: f.Dir, DataDir: f.Data, Lenient: f.Lenient, Environ: os.Environ(), Index: f.Index}
}

func (f configFlags) load() (*config.Config, *config.Report, error) { return config.Load(f.source()) }

type serveCmd struct {
	configFlags
	APIAddr   []string `name:"api-addr" help:"Listen here for the API instead of the configured address."`
	WSAddr    []string `name:"ws-addr" help:"Listen here for WebSockets instead of the configured address."`
	ReadyFile string   `name:"ready-file" help:"Write the addresses to this file when the server is ready." type:"path"`
}

// Run serves until the process is told to stop.
func (s *serveCmd) Run(ctx context.Context) error {
	c, report, err := s.load()
	if err != nil {
		return reportErrors(report, err)
	}
	logs, err := app.OpenLogs(c.Log, os.Stdout)
	if err != nil {
		return err
	}
	defer logs.Close()
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	return app.Run(ctx, app.Options{
		Config: c, Report: report, Source: s.source(), Hangup: hangup, Version: version(),
		APIAddrs: s.APIAddr, WSAddrs: s.WSAddr, ReadyFile: s.ReadyFile, NotifySocket: os.Getenv("NOTIFY_SOCKET"), Logger: logs.Logger(), Logs: logs, Stdout: os.Stdout,
	})
}

// reportErrors prints every problem of the configuration, one per line.
func reportErrors(report *config.Report, err error) error {
	problems, ok := errors.AsType[*config.Problems](err)
	if !ok {
		return err
	}
	fmt.Fprintln(os.Stderr, problems.Error())
	if report != nil {
		for _, p := range report.Problems {
			fmt.Fprintf(os.Stderr, "%s: %s\n", p.Severity, p.Error())
		}
	}
	return fmt.Errorf("the configuration has %d errors; nothing was started", len(problems.List))
}

type benchCmd struct{ bench.Options }

// Run prints one JSON line per result.
func (b *benchCmd) Run(ctx context.Context, w io.Writer) error {
	b.Table = os.Stderr
	return bench.Run(ctx, b.Options, w)
}
