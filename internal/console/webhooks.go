package console

import (
	"strconv"
	"strings"

	"github.com/parley-im/parley/internal/config"
	"github.com/parley-im/parley/internal/reload"
	"github.com/parley-im/parley/internal/webhook/registry"
)

const webhookSection = "nav.webhooks"

// callbacksPage shows which callback goes where, and why: every value with the
// file and line, the variable or the default it comes from.
func callbacksPage(c *Console) *page {
	return &page{
		path: "webhooks", title: "callbacks.title", section: webhookSection, template: "callbacks.html",
		show: func(r *request) (any, error) {
			table := c.Desk.Table()
			v := callbacksView{All: r.FormValue("all") != "", Table: table, Status: c.Desk.Status()}
			for _, cb := range table.Webhooks.Callbacks {
				if !cb.Enable {
					v.Off++
				}
				if cb.Enable || v.All {
					v.Rows = append(v.Rows, describeCallback(cb))
				}
			}
			return v, nil
		},
		actions: []action{{name: "reload", do: func(r *request) (done, error) {
			out, err := c.Desk.Reload(r.Context())
			return done{say: "done.reload", n: int64(len(out.Changes))}, err
		}}},
	}
}

type callbacksView struct {
	All    bool // those that are off, too
	Off    int
	Table  config.Snapshot
	Status reload.Status
	Rows   []callbackRow
}

// callbackRow is one callback of the table.
type callbackRow struct {
	Key    string
	Before bool
	On     bool
	Enable,
	Command,
	URL,
	Timeout,
	FailedContinue sourced
	Filters []sourced
}

// sourced is a value with its place.
type sourced struct{ Name, Value, Source string }

func describeCallback(cb config.Callback) callbackRow {
	desc, _ := registry.Lookup(cb.Key)
	of := func(name, value string) sourced { return sourced{name, value, cb.Sources[name]} }
	row := callbackRow{
		Key: cb.Key, Before: desc.Kind == registry.Before, On: cb.Enable,
		Enable: of("enable", strconv.FormatBool(cb.Enable)), Command: of("command", cb.Command), URL: of("url", cb.URL),
		Timeout: of("timeout", cb.Timeout.String()), FailedContinue: of("failedContinue", strconv.FormatBool(cb.FailedContinue)),
	}
	types := func(list []config.TypeRange) string {
		texts := make([]string, len(list))
		for i, t := range list {
			texts[i] = t.String()
		}
		return strings.Join(texts, ", ")
	}
	for _, f := range []sourced{
		of("attentionIds", strings.Join(cb.AttentionIDs, ", ")), of("allowedTypes", types(cb.AllowedTypes)), of("deniedTypes", types(cb.DeniedTypes)),
	} {
		if f.Value != "" {
			row.Filters = append(row.Filters, f)
		}
	}
	return row
}
