package console

import (
	"slices"
	"strings"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
	"github.com/parley-im/parley/internal/webhook/explain"
)

// whyPage tells why a callback was called or not, and what became of it: for an
// operation, a message, an event, a user, or a callback in general.
func whyPage(c *Console) *page {
	return &page{
		path: "webhooks/why", title: "why.title", section: webhookSection, template: "why.html",
		show: func(r *request) (any, error) {
			v := whyView{Keys: callbackKeys(), Question: explain.Question{
				ID: strings.TrimSpace(r.FormValue("id")), Callback: r.FormValue("callback"), Env: variables(r.FormValue("env")),
			}, Env: r.FormValue("env")}
			if v.Question.ID == "" && v.Question.Callback == "" {
				return v, nil
			}
			report, err := c.Desk.Why(r.Context(), v.Question)
			if err != nil {
				return v, err
			}
			v.Report = &report
			return v, c.aboutUser(r, &v)
		},
	}
}

type whyView struct {
	Question explain.Question
	Env      string
	Keys     []string
	Report   *explain.Report
	// User is told of when the id is that of a user: what was called about him.
	User  *im.User
	Calls []callRow
}

// aboutUser adds the last calls about a user, if the question names one.
func (c *Console) aboutUser(r *request, v *whyView) error {
	if v.Question.ID == "" {
		return nil
	}
	var found bool
	var u im.User
	if err := r.read(func(tx *store.Tx) (err error) {
		u, found, err = tx.User(v.Question.ID)
		return err
	}); err != nil || !found {
		return err
	}
	v.User = &u
	list, err := c.Desk.Deliveries(r.Context(), store.DeliveryFilter{UserID: u.UserID, Callback: v.Question.Callback, Limit: 30})
	for _, d := range list {
		v.Calls = append(v.Calls, callRow{Delivery: d})
	}
	// What explains ids found nothing of this name, which is right.
	v.Report.Findings = slices.DeleteFunc(v.Report.Findings, func(f explain.Finding) bool { return f.Cause == explain.CauseUnknown })
	return err
}

// variables are the names of the settings in a text like that of a .env file.
func variables(text string) []string {
	var names []string
	for line := range strings.Lines(text) {
		name, _, _ := strings.Cut(strings.TrimSpace(strings.TrimPrefix(strings.TrimLeft(line, " \t-"), "export ")), "=")
		name, _, _ = strings.Cut(name, ":")
		if name = strings.TrimSpace(name); strings.HasPrefix(name, "IMENV_") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
