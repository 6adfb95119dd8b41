package app

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/parley-im/parley/internal/config"
	"github.com/parley-im/parley/internal/cron"
	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/jobs"
	"github.com/parley-im/parley/internal/message"
	"github.com/parley-im/parley/internal/object"
	"github.com/parley-im/parley/internal/store"
)

// scheduled does at night what nightly lists.
func scheduled(s *store.Store, messages *message.Service, objects *object.Service, c *config.Config, log *slog.Logger) (*jobs.Runner, error) {
	schedule, err := cron.Parse(c.Cron.Schedule)
	if err != nil {
		return nil, fmt.Errorf("cronExecuteTime: %w", err)
	}
	return jobs.New(s, jobs.Options{Schedule: schedule, Logger: log}, nightly(messages, objects, c.Cron)...), nil
}

// nightly puts together what is done at night.
func nightly(messages *message.Service, objects *object.Service, c config.Cron) []jobs.Job {
	list := []jobs.Job{{
		Name:  "destruct-messages",
		Begin: func(now time.Time) jobs.Step { return messages.Destruct(im.MillisOf(now)) },
	}}
	if keep := c.RetainChatRecords; keep > 0 {
		list = append(list, jobs.Job{
			Name:  "expire-messages",
			Begin: func(now time.Time) jobs.Step { return messages.Expire(im.MillisOf(now.Add(-keep))) },
		})
	}
	var expire []string // kinds of files; what nothing names any more goes always
	if c.FileExpire > 0 {
		expire = c.DeleteObjectTypes
	}
	return append(list, jobs.Job{
		Name:  "sweep-files",
		Begin: func(now time.Time) jobs.Step { return objects.Sweeper(expire, now.Add(-c.FileExpire)) },
	})
}
