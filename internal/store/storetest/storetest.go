// Package storetest opens fresh stores for tests, one on each engine, and
// holds the conformance suite that both must pass. PostgreSQL is started here
// when PARLEY_TEST_POSTGRES names no server; a test that cannot have it fails.
package storetest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // registers the driver "pgx"

	"github.com/parley-im/parley/internal/store"
)

// Open opens the test's store; after Close, opening again finds the same data.
// Dir and PostgresURL of the options are filled in.
type Open func(o store.Options) *store.Store

// Each runs f as a subtest on every engine.
func Each(t *testing.T, f func(t *testing.T, open Open)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		f(t, SQLite(t))
	})
	t.Run("postgres", func(t *testing.T) {
		f(t, Postgres(t))
	})
}

// SQLite returns an opener of an embedded store.
func SQLite(t *testing.T) Open {
	dir := t.TempDir()
	return func(o store.Options) *store.Store {
		o.Dir = dir
		return open(t, o)
	}
}

// Postgres returns an opener of a store in a schema of its own.
func Postgres(t *testing.T) Open {
	dsn := PostgresURL(t)
	return func(o store.Options) *store.Store {
		o.PostgresURL = dsn
		return open(t, o)
	}
}

func open(t *testing.T, o store.Options) *store.Store {
	t.Helper()
	if o.Synchronous == "" {
		o.Synchronous = "OFF" // as PostgreSQL's fsync, below
	}
	s, err := store.Open(context.Background(), o)
	if err != nil {
		t.Fatalf("open store: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close store: %v", err)
		}
	})
	return s
}

var schemas atomic.Int64

// PostgresURL returns the address of an empty schema, removed with the test.
func PostgresURL(t *testing.T) string {
	t.Helper()
	server, err := startOnce()
	if err != nil {
		t.Fatalf("PostgreSQL is needed and did not start: %v", err)
	}
	db, err := sql.Open("pgx", server)
	if err != nil {
		t.Fatal(err)
	}
	schema := fmt.Sprintf("t%d_%d", os.Getpid(), schemas.Add(1))
	if _, err := db.ExecContext(t.Context(), "CREATE SCHEMA "+schema); err != nil {
		t.Fatalf("create schema: %v", err)
	}
	t.Cleanup(func() {
		if _, err := db.ExecContext(context.Background(), "DROP SCHEMA "+schema+" CASCADE"); err != nil {
			t.Errorf("drop schema: %v", err)
		}
		_ = db.Close()
	})
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set("search_path", schema)
	u.RawQuery = q.Encode()
	return u.String()
}

// Main runs a package's tests, a *testing.M, and stops the PostgreSQL server they
// started. Use it as the body of TestMain.
func Main(m interface{ Run() int }) {
	code := m.Run()
	running.stop()
	os.Exit(code)
}

type postgres struct {
	once sync.Once
	url  string
	err  error
	cmd  *exec.Cmd
	dir  string
}

var running postgres

func startOnce() (string, error) {
	running.once.Do(func() {
		if running.url = os.Getenv("PARLEY_TEST_POSTGRES"); running.url == "" {
			running.err = running.start()
		}
	})
	return running.url, running.err
}

// start makes a database cluster in a temporary folder and runs it on a free
// loopback port. PostgreSQL refuses to run as root: then it runs as the user
// "postgres" that Debian's package makes.
func (p *postgres) start() error {
	bin, err := findPostgres()
	if err != nil {
		return err
	}
	if p.dir, err = os.MkdirTemp("", "parley-pg"); err != nil {
		return err
	}
	var attr *syscall.SysProcAttr
	if os.Getuid() == 0 {
		u, err := user.Lookup("postgres")
		if err != nil {
			return fmt.Errorf("running as root and no user postgres: %w", err)
		}
		uid, _ := strconv.Atoi(u.Uid) // numeric on every Unix
		gid, _ := strconv.Atoi(u.Gid)
		attr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
		if err := os.Chown(p.dir, uid, gid); err != nil {
			return err
		}
	}
	data := filepath.Join(p.dir, "data")
	initdb := exec.Command(filepath.Join(bin, "initdb"), "-D", data, "-U", "parley", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	initdb.SysProcAttr, initdb.Dir = attr, p.dir
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	port, err := freePort()
	if err != nil {
		return err
	}
	p.cmd = exec.Command(filepath.Join(bin, "postgres"), "-D", data, "-h", "127.0.0.1", "-p", strconv.Itoa(port), "-k", p.dir,
		"-c", "fsync=off", "-c", "max_connections=400") // a test's data need not survive the machine
	p.cmd.SysProcAttr, p.cmd.Dir = attr, p.dir
	log, err := os.Create(filepath.Join(p.dir, "log"))
	if err != nil {
		return err
	}
	defer log.Close()
	p.cmd.Stdout, p.cmd.Stderr = log, log
	if err := p.cmd.Start(); err != nil {
		return err
	}
	p.url = fmt.Sprintf("postgres://parley@127.0.0.1:%d/postgres?sslmode=disable", port)
	return p.waitReady()
}

func (p *postgres) waitReady() error {
	db, err := sql.Open("pgx", p.url)
	if err != nil {
		return err
	}
	defer db.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if err = db.PingContext(ctx); err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			log, _ := os.ReadFile(filepath.Join(p.dir, "log"))
			return fmt.Errorf("not ready: %w: %s", err, log)
		case <-tick.C:
		}
	}
}

func (p *postgres) stop() {
	if p.cmd != nil && p.cmd.Process != nil {
		_ = p.cmd.Process.Signal(syscall.SIGINT) // fast shutdown
		_ = p.cmd.Wait()
	}
	if p.dir != "" {
		_ = os.RemoveAll(p.dir)
	}
}

func findPostgres() (string, error) {
	if bin, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(bin), nil
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) == 0 {
		return "", errors.New("no initdb: apt-get install postgresql")
	}
	slices.Sort(found)
	return filepath.Dir(found[len(found)-1]), nil
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
