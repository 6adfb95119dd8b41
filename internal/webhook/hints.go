package webhook

import (
	"fmt"
	"slices"

	"github.com/parley-im/parley/internal/webhook/registry"
)

// Hints are things an operator should know about what is on and cannot read in
// the configuration's own report.
func (e *Engine) Hints() []string {
	var hints []string
	p := e.plan.Load()
	for _, desc := range registry.All() {
		if cb := p.byKey[desc.Key]; cb != nil && slices.Contains(notFired, cb.ID) {
			hints = append(hints, fmt.Sprintf("webhook %s is on, but this version does not send it yet", cb.Key))
		}
	}
	return hints
}
