package webhook

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/parley-im/parley/internal/webhook/registry"
)

// Row is one line of the start-up table: a callback that is on.
type Row struct {
	Key            string
	Command        string
	Kind           registry.Kind
	URL            string // full, without password and query
	Timeout        time.Duration
	FailedContinue bool
	Filters        string // "" for none
}

// Table is the effective configuration: every callback that is on, in the order
// of the catalogue.
func (e *Engine) Table() []Row {
	var rows []Row
	p := e.plan.Load()
	for _, desc := range registry.All() {
		cb := p.byKey[desc.Key]
		if cb == nil {
			continue
		}
		rows = append(rows, Row{
			Key: cb.Key, Command: cb.Command, Kind: cb.Kind, URL: cb.target.shown(),
			Timeout: cb.timeout, FailedContinue: cb.failedContinue, Filters: cb.filter.String(),
		})
	}
	return rows
}

// Hints are things an operator should know about what is on and cannot read in
// the configuration's own report.
func (e *Engine) Hints() []string {
	var hints []string
	p := e.plan.Load()
	for _, desc := range registry.All() {
		if cb := p.byKey[desc.Key]; cb != nil && !slices.Contains(fired, cb.Key) {
			hints = append(hints, fmt.Sprintf("webhook %s is on, but this version does not send it yet", cb.Key))
		}
	}
	return hints
}

func (f *filter) String() string {
	var parts []string
	if len(f.attention) > 0 {
		parts = append(parts, fmt.Sprintf("attentionIds %d", len(f.attention)))
	}
	if len(f.allowed) > 0 {
		parts = append(parts, "allowedTypes "+ranges(f.allowed))
	}
	if len(f.denied) > 0 {
		parts = append(parts, "deniedTypes "+ranges(f.denied))
	}
	return strings.Join(parts, ", ")
}

func ranges(list []TypeRange) string {
	parts := make([]string, len(list))
	for i, r := range list {
		parts[i] = fmt.Sprint(r.From)
		if r.To != r.From {
			parts[i] = fmt.Sprintf("%d-%d", r.From, r.To)
		}
	}
	return "[" + strings.Join(parts, " ") + "]"
}
