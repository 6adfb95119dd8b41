package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

type healthCmd struct {
	dataFlag
	Timeout time.Duration `help:"Wait at most this long for the answer." default:"5s"`
}

// Run prints what /readyz answers, and fails when the server is not ready. It
// asks over the control socket: whatever the ports and certificates are, that is
// the server of this data directory.
func (h *healthCmd) Run(ctx context.Context, w io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, h.Timeout)
	defer cancel()
	resp, err := h.do(ctx, http.MethodGet, "/readyz")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 4096))
	if err != nil {
		return err
	}
	said := strings.TrimSpace(string(body))
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("not ready: %s %s", resp.Status, said)
	}
	_, err = fmt.Fprintln(w, said)
	return err
}
