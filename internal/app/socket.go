package app

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
)

// maxSocketName is the longest name of a socket that every system takes. Names
// of data directories may be longer.
const maxSocketName = 100

// DialControl connects to the server that uses a data directory.
func DialControl(ctx context.Context, dataDir string) (net.Conn, error) {
	name, release, err := socketName(ControlPath(dataDir))
	if err != nil {
		return nil, err
	}
	defer release()
	var dialer net.Dialer
	return dialer.DialContext(ctx, "unix", name)
}

func listenUnix(path string) (*net.UnixListener, error) {
	name, release, err := socketName(path)
	if err != nil {
		return nil, err
	}
	defer release()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: name, Net: "unix"})
	if err != nil {
		return nil, err
	}
	// The name may lead nowhere by then; the next start removes what is left.
	l.SetUnlinkOnClose(name == path)
	return l, nil
}

// socketName is the path, or when that is too long a name for it that holds
// until release: through its directory, kept open.
func socketName(path string) (name string, release func(), err error) {
	if len(path) <= maxSocketName {
		return path, func() {}, nil
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return "", nil, err
	}
	name = fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), filepath.Base(path))
	if _, err := os.Stat(filepath.Dir(name)); err != nil {
		_ = dir.Close()
		return "", nil, fmt.Errorf("%s is too long a name for a socket: use a data directory with a shorter one", path)
	}
	return name, func() { _ = dir.Close() }, nil
}
