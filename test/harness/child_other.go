//go:build !linux

package harness

import "syscall"

// dieWithParent has no meaning here: a server outlives a crashed test binary.
func dieWithParent() *syscall.SysProcAttr { return nil }
