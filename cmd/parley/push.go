package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"text/tabwriter"

	"github.com/parley-im/parley/internal/push"
)

type pushCmd struct {
	Test pushTestCmd `cmd:"" help:"Push a notification to a user's devices and print what the vendors say of each."`
}

type pushTestCmd struct {
	dataFlag
	User  string `arg:"" help:"The user."`
	Title string `help:"Title of the notification." default:"Parley"`
	Desc  string `help:"Its text." default:"A test"`
	Ex    string `help:"What the app is handed."`
	Dry   bool   `name:"dry-run" help:"Only print which devices it would go to."`
}

// Run prints a line for each device, or alias.
func (p *pushTestCmd) Run(ctx context.Context, w io.Writer) error {
	form := url.Values{"user": {p.User}, "title": {p.Title}, "desc": {p.Desc}, "ex": {p.Ex}}
	if p.Dry {
		form.Set("dry", "yes")
	}
	var results []push.Result
	if err := p.call(ctx, http.MethodPost, "/push/test", form, &results); err != nil {
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "PLATFORM\tTOKEN\tOUTCOME\tREASON")
	for _, r := range results {
		platform, token := r.Target.Platform.String(), r.Target.Token
		if token == "" {
			platform, token = "-", "alias "+r.Target.UserID
		} else if len(token) > 12 {
			token = token[:12] + "…"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", platform, token, r.Outcome, r.Reason)
	}
	return t.Flush()
}
