package console

import (
	"context"
	"fmt"
	"net/http"
	"strconv"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
)

const outcomeDone = "done"

// audited carries an action out. It is in the audit trail before: what cannot
// be recorded is not done.
func (c *Console) audited(r *request, name, detail string, f func() error) error {
	var id int64
	e := store.ConsoleEntry{At: im.MillisOf(c.Now()), UserID: r.userID(), Address: c.addressOf(r.Request), Action: name, Detail: detail}
	ctx := context.WithoutCancel(r.Context())
	if err := c.Store.Write(ctx, func(tx *store.Tx) (err error) {
		id, err = tx.InsertConsoleEntry(e)
		return err
	}); err != nil {
		return fmt.Errorf("audit trail: %w", err)
	}
	err := f()
	outcome := outcomeDone
	if err != nil {
		outcome = short(err.Error(), detailKept)
	}
	c.Logger.InfoContext(r.Context(), "console action", "action", name, "address", e.Address, "outcome", outcome)
	if werr := c.Store.Write(ctx, func(tx *store.Tx) error { return tx.SetConsoleOutcome(id, outcome) }); werr != nil {
		c.Logger.WarnContext(r.Context(), "outcome of a console action not recorded", "action", name, "error", werr)
	}
	return err
}

// note records what somebody did who has no session yet.
func (c *Console) note(r *http.Request, userID, name, outcome string) {
	e := store.ConsoleEntry{At: im.MillisOf(c.Now()), UserID: userID, Address: c.addressOf(r), Action: name, Outcome: outcome}
	if err := c.Store.Write(context.WithoutCancel(r.Context()), func(tx *store.Tx) error {
		_, err := tx.InsertConsoleEntry(e)
		return err
	}); err != nil {
		c.Logger.WarnContext(r.Context(), "console action not recorded", "action", name, "error", err)
	}
}

// auditPage shows who changed what, when and from where.
func auditPage(*Console) *page {
	return &page{
		path: "access", title: "audit.title", section: "nav.access", template: "audit.html",
		show: func(r *request) (any, error) {
			f := store.ConsoleFilter{UserID: r.FormValue("user"), Action: r.FormValue("action"), Limit: 100}
			f.Before, _ = strconv.ParseInt(r.FormValue("before"), 10, 64) // absent: from the newest on
			v := auditView{Filter: f}
			err := r.read(func(tx *store.Tx) (err error) {
				v.Entries, err = tx.ConsoleEntries(f)
				return err
			})
			if len(v.Entries) == f.Limit {
				v.Next = v.Entries[len(v.Entries)-1].ID
			}
			return v, err
		},
	}
}

type auditView struct {
	Filter  store.ConsoleFilter
	Entries []store.ConsoleEntry
	Next    int64 // where the next page begins, 0 for none
}
