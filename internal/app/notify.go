package app

import (
	"context"
	"net"
	"time"
)

// notify tells the service manager the state of this process: one datagram to
// the socket it named. A manager that does not listen is worth a line in the
// log; the server runs as well without.
func (s *server) notify(ctx context.Context, state string) {
	name := s.options.NotifySocket
	if name == "" {
		return
	}
	dialer := net.Dialer{Timeout: time.Second}
	conn, err := dialer.DialContext(context.WithoutCancel(ctx), "unixgram", name)
	if err == nil {
		_, err = conn.Write([]byte(state))
		_ = conn.Close()
	}
	if err != nil {
		s.log.WarnContext(ctx, "the service manager was not told", "state", state, "error", err)
	}
}
