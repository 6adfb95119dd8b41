package app

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/parley-im/parley/internal/auth"
	"github.com/parley-im/parley/internal/config"
	"github.com/parley-im/parley/internal/cron"
	"github.com/parley-im/parley/internal/device"
	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/jobs"
	"github.com/parley-im/parley/internal/message"
	"github.com/parley-im/parley/internal/object"
	"github.com/parley-im/parley/internal/store"
)

// scheduled does at night what nightly lists.
func scheduled(s *store.Store, w nightWork, c *config.Config, ran func(job string, err error), log *slog.Logger) (*jobs.Runner, error) {
	schedule, err := cron.Parse(c.Cron.Schedule)
	if err != nil {
		return nil, fmt.Errorf("cronExecuteTime: %w", err)
	}
	return jobs.New(s, jobs.Options{Schedule: schedule, Ran: ran, Logger: log}, nightly(s, w, c.Cron)...), nil
}

// nightWork are the services that have something to do at night.
type nightWork struct {
	messages *message.Service
	objects  *object.Service
	devices  *device.Service
	auth     *auth.Service
}

// tokenRest is how long a token that has ended is kept: until then its owner
// hears that it has ended, and not that nobody knows it.
const tokenRest = 30 * 24 * time.Hour

// nightly puts together what is done at night.
func nightly(s *store.Store, w nightWork, c config.Cron) []jobs.Job {
	list := []jobs.Job{
		{
			Name:  "destruct-messages",
			Begin: func(now time.Time) jobs.Step { return w.messages.Destruct(im.MillisOf(now)) },
		},
		{
			Name:  "prune-lists",
			Begin: func(time.Time) jobs.Step { return s.PruneTombstones() },
		},
		{
			Name:  "expire-tokens",
			Begin: func(now time.Time) jobs.Step { return w.auth.Prune(im.MillisOf(now.Add(-tokenRest))) },
		},
		{
			Name: "sweep-devices",
			Begin: func(now time.Time) jobs.Step {
				logs := im.Millis(0)
				if c.FileExpire > 0 {
					logs = im.MillisOf(now.Add(-c.FileExpire))
				}
				return w.devices.Prune(im.MillisOf(now), logs)
			},
		},
	}
	if keep := c.RetainChatRecords; keep > 0 {
		list = append(list, jobs.Job{
			Name:  "expire-messages",
			Begin: func(now time.Time) jobs.Step { return w.messages.Expire(im.MillisOf(now.Add(-keep))) },
		})
	}
	var expire []string // kinds of files; what nothing names any more goes always
	if c.FileExpire > 0 {
		expire = c.DeleteObjectTypes
	}
	return append(list, jobs.Job{
		Name:  "sweep-files",
		Begin: func(now time.Time) jobs.Step { return w.objects.Sweeper(expire, now.Add(-c.FileExpire)) },
	})
}
