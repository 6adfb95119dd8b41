package console

import (
	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
)

// sessionsPage shows who is logged in, and ends sessions.
func sessionsPage(c *Console) *page {
	return &page{
		path: "access/sessions", title: "sessions.title", section: "nav.access", template: "sessions.html",
		show: func(r *request) (any, error) {
			var v sessionsView
			v.Own = r.session.Hash
			err := r.read(func(tx *store.Tx) (err error) {
				v.Sessions, err = tx.ConsoleSessions(im.MillisOf(c.Now()))
				return err
			})
			return v, err
		},
		actions: []action{{name: "end", do: func(r *request) (done, error) {
			was, err := c.end(r.Request, r.PostFormValue("session"))
			if err == nil && !was {
				err = im.ErrNotFound.With("%s", r.lang.text("sessions.gone"))
			}
			return done{say: "done.session"}, err
		}}},
	}
}

type sessionsView struct {
	Own      string
	Sessions []store.ConsoleSession
}
