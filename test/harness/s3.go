package harness

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Names and secrets of every S3 server.
const (
	s3Bucket = "parley-files"
	s3Key    = "parleytest"
	s3Secret = "parley-test-secret"
)

// S3 is a versitygw, an S3-compatible object store, on a directory.
type S3 struct {
	URL   string
	data  string
	child *child
}

// StartS3 runs a server with its data in dir, on a free loopback port, and returns
// when it answers. The first time on a machine it is built.
func StartS3(dir string) (*S3, error) {
	root, err := repository()
	if err != nil {
		return nil, err
	}
	// The build cache keeps tools, and this prints where.
	build := exec.Command("go", "tool", "-n", "versitygw")
	build.Dir = filepath.Join(root, "test", "s3gateway")
	out, err := build.Output()
	if err != nil {
		return nil, fmt.Errorf("build the S3 server: %w", err)
	}
	binary := strings.TrimSpace(string(out))
	data, meta := filepath.Join(dir, "s3-data"), filepath.Join(dir, "s3-meta")
	for _, d := range []string{data, meta} {
		if err := os.Mkdir(d, 0o700); err != nil {
			return nil, err
		}
	}
	// Nobody reserves a port for us, so one that was taken meanwhile means
	// another try.
	for range 5 {
		var address string
		if address, err = freePort(); err != nil {
			return nil, err
		}
		s := &S3{URL: "http://" + address, data: data}
		if s.child, err = spawn(Options{Binary: binary}, []string{
			"--port", address, "--access", s3Key, "--secret", s3Secret, "--quiet", "posix", "--sidecar", meta, data,
		}); err != nil {
			return nil, err
		}
		if err = s.child.awaitPort(address); err == nil {
			return s, nil
		}
		s.Stop()
	}
	return nil, err
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// awaitPort polls until the process listens.
func (c *child) awaitPort(address string) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.NewTimer(startDeadline)
	defer deadline.Stop()
	for {
		if conn, err := net.Dial("tcp", address); err == nil {
			return conn.Close()
		}
		select {
		case <-tick.C:
		case <-c.exited:
			return fmt.Errorf("the process ended: %w; it wrote:\n%s", errOrDone(c.err), c.output.String())
		case <-deadline.C:
			return fmt.Errorf("the process does not listen after %s", startDeadline)
		}
	}
}

// Stop ends the server.
func (s *S3) Stop() {
	s.child.signal(syscall.SIGKILL)
	<-s.child.exited
}

// Configure writes the two files into an OpenIM configuration directory that make
// a parley keep its objects here, as an operator with a MinIO has them, and the one
// key of parley.yml that goes with them.
func (s *S3) Configure(dir string) error {
	var failed []error
	for name, text := range map[string]string{
		"openim-rpc-third.yml": "object: {enable: minio}\n",
		"minio.yml": fmt.Sprintf("bucket: %s\naccessKeyID: %s\nsecretAccessKey: %s\ninternalAddress: %s\nexternalAddress: %[4]s\n",
			s3Bucket, s3Key, s3Secret, s.URL),
		"parley.yml": "object: {external: true}\n",
	} {
		failed = append(failed, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	return errors.Join(failed...)
}

// Contents is how many objects there are.
func (s *S3) Contents() (int, error) {
	dir, err := os.Open(filepath.Join(s.data, s3Bucket))
	if err != nil {
		return 0, err
	}
	defer func() { _ = dir.Close() }()
	entries, err := dir.ReadDir(-1)
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	n := 0
	for _, e := range entries {
		if e.Type().IsRegular() {
			n++
		}
	}
	return n, nil
}
