package app

import (
	"context"
	"fmt"

	"github.com/parley-im/parley/internal/auth"
	"github.com/parley-im/parley/internal/config"
	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/message"
	"github.com/parley-im/parley/internal/outbox"
	"github.com/parley-im/parley/internal/reload"
	"github.com/parley-im/parley/internal/user"
)

// watchConfig builds what follows the configuration's files. Everything that it
// hands values to must exist.
func (s *server) watchConfig(users *user.Service) {
	s.config = reload.New(reload.Options{
		Source: s.options.Source, Config: s.options.Config, Report: s.options.Report,
		Apply:   func(ctx context.Context, c *config.Config) error { return s.apply(ctx, users, c) },
		Applied: func(r *config.Report) { s.printReport(r) },
		Beside:  s.beside(),
		Store:   s.store, Logger: s.log,
	})
}

// runConfig watches until ctx ends.
func (s *server) runConfig(ctx context.Context) error { return s.config.Run(ctx, s.options.Hangup) }

// apply hands out the live values. What can fail comes first, and is not seen
// until nothing can fail any more.
func (s *server) apply(ctx context.Context, users *user.Service, c *config.Config) error {
	useEdge, err := s.front.prepare(c.Edge)
	if err != nil {
		return err
	}
	useLog := func() {}
	if s.options.Logs != nil {
		if useLog, err = s.options.Logs.Prepare(c.Log); err != nil {
			return err
		}
	}
	if err = users.EnsureAdmins(ctx, adminUsers(c)); err != nil {
		return err
	}
	if err = s.hooks.Reload(s.webhooks(c)); err != nil {
		return fmt.Errorf("webhooks: %w", err)
	}
	useLog()
	useEdge()
	s.store.SetOutboxBytes(c.Webhooks.Outbox.MaxBytes)
	s.outbox.Tune(outbox.Retry(c.Webhooks.Retry))
	s.auth.SetRules(authRules(c))
	s.useNoticeStyles(c)
	return nil
}

func authRules(c *config.Config) auth.Rules {
	admins := make([]string, len(c.Share.Admins))
	for i, a := range c.Share.Admins {
		admins[i] = a.UserID
	}
	return auth.Rules{Admins: admins, Policy: c.Share.MultiLogin.Policy, MaxPerPlatform: c.Share.MultiLogin.MaxNumOneEnd}
}

func adminUsers(c *config.Config) []im.User {
	admins := make([]im.User, len(c.Share.Admins))
	for i, a := range c.Share.Admins {
		admins[i] = im.User{UserID: a.UserID, Nickname: a.Nickname}
	}
	return admins
}

func (s *server) useNoticeStyles(c *config.Config) {
	styles := noticeStyles(c)
	s.styles.Store(&styles)
}

// noticeStyle is how notification.yml wants a kind of notification shown now.
func (s *server) noticeStyle(t im.ContentType) message.NoticeStyle { return (*s.styles.Load())(t) }
