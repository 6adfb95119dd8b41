// Command go-handler is a business server for the webhooks of a Parley or OpenIM
// server: a word filter that refuses messages, and an auditor that stores every
// event once. POST /webhook/{command}.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/parley-im/parley/hooks"
	"github.com/parley-im/parley/hooks/payload"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "go-handler:", err)
		os.Exit(1)
	}
}

func run() error {
	port := flag.Int("port", 10006, "listen on this port of the loopback address")
	file := flag.String("audit", "audit.jsonl", "file that events are stored in")
	refuse := flag.String("refuse", "", "words that are refused, by commas")
	testing := flag.Bool("conform", false, "offer what `parley webhook conform` needs to look inside; never in production")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	audit, err := openAudit(*file)
	if err != nil {
		return err
	}
	defer audit.Close()

	secrets := strings.Fields(os.Getenv("WEBHOOK_SECRET")) // two while one is being replaced
	handler, err := hooks.New(hooks.Options{
		Secrets: secrets, Unsigned: len(secrets) == 0, Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	})
	if err != nil {
		return err
	}
	words := wordFilter(strings.FieldsFunc(strings.ToLower(*refuse), func(r rune) bool { return r == ',' }))
	handler.BeforeSendSingleMsg(func(_ context.Context, m *payload.SingleMessage) (hooks.Verdict, error) {
		return words.judge(m.Message), nil
	})
	handler.BeforeSendGroupMsg(func(_ context.Context, m *payload.GroupMessage) (hooks.Verdict, error) {
		return words.judge(m.Message), nil
	})
	handler.EveryAfter(audit.Store)

	mux := http.NewServeMux()
	mux.Handle("/webhook/", handler)
	if *testing {
		mux.Handle("POST /webhook/", callsBack(handler))
		mux.HandleFunc("GET /webhook/conform", audit.serveCount)
	}

	// Loopback: put your own proxy in front.
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", *port))
	if err != nil {
		return err
	}
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	fmt.Printf("listening on http://%s/webhook\n", listener.Addr())
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := server.Shutdown(ending); err != nil {
		return err
	}
	if err := <-done; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
