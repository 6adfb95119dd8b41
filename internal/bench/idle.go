package bench

import (
	"context"
	"time"
)

// runIdle measures what a connection costs a server that has nothing to say to
// it. The users exist and hold tokens before the first reading, so only the
// connections differ.
func runIdle(ctx context.Context, o *Options) (Result, error) {
	who, err := register(ctx, o)
	if err != nil {
		return Result{}, err
	}
	if err := sleep(ctx, o.WarmUp); err != nil {
		return Result{}, err
	}
	l := &load{o: o, begin: time.Now()}
	r := Result{Work: o.Work, Users: o.Users, Seconds: o.Duration.Seconds()}
	if r.RSSBefore, err = residentBytes(o.PID); err != nil {
		return Result{}, err
	}
	begin := time.Now()
	if r, err = l.connected(ctx, who, func() (Result, error) {
		r.ConnectionsPerSecond = float64(o.Users) / time.Since(begin).Seconds()
		if err := sleep(ctx, o.Duration); err != nil {
			return Result{}, err
		}
		after, err := residentBytes(o.PID)
		r.RSSAfter = after
		return r, err
	}); err != nil {
		return Result{}, err
	}
	r.RSSPerConnection = float64(r.RSSAfter-r.RSSBefore) / float64(o.Users)
	r.Violations = l.evaluate()
	return r, nil
}
