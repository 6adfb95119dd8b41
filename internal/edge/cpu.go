package edge

import (
	"runtime"
	"syscall"
	"time"
)

// ProcessCPU returns a function that says how busy this process was since the
// last call, per mille of the CPUs it may use. It is not safe for concurrent use.
func ProcessCPU() func() int {
	at, used := time.Now(), cpuTime()
	return func() int {
		now, total := time.Now(), cpuTime()
		wall, busy := now.Sub(at), total-used
		at, used = now, total
		if wall <= 0 {
			return 0
		}
		return int(1000 * busy / (wall * time.Duration(runtime.GOMAXPROCS(0))))
	}
}

// cpuTime is what this process has used since its start.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0 // never: both arguments are right
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
