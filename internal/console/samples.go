package console

import (
	"encoding/json"

	"github.com/parley-im/parley/internal/webhook"
	"github.com/parley-im/parley/internal/webhook/registry"
)

// samplesPage sends a sample of a callback, alone or through all that a real one
// goes through, and shows how the answer is read.
func samplesPage(c *Console) *page {
	return &page{
		path: "webhooks/samples", title: "samples.title", section: webhookSection, template: "samples.html",
		show: func(r *request) (any, error) {
			v := samplesView{Keys: callbackKeys(), On: map[string]bool{}, Key: r.FormValue("callback")}
			for _, key := range c.Desk.On() {
				v.On[key] = true
			}
			desc, known := registry.Lookup(v.Key)
			if !known {
				desc = registry.All()[0]
				v.Key = desc.Key
			}
			v.Before, v.Doc = desc.Kind == registry.Before, desc.Doc
			sample, err := json.MarshalIndent(desc.Sample(desc.Command), "", "  ")
			v.Sample = string(sample)
			return v, err
		},
		actions: []action{
			{name: "test", do: func(r *request) (done, error) {
				verdict, err := c.Desk.Test(r.Context(), r.PostFormValue("callback"))
				return done{result: sampleResult{Verdict: &verdict}}, err
			}},
			{name: "trigger", do: func(r *request) (done, error) {
				id, err := c.Desk.Trigger(r.Context(), r.PostFormValue("callback"))
				return done{result: sampleResult{OperationID: id}}, err
			}},
		},
	}
}

type samplesView struct {
	Keys   []string
	On     map[string]bool
	Key    string
	Before bool
	Doc    string
	Sample string
}

// sampleResult is a verdict, or the operation to follow.
type sampleResult struct {
	Verdict     *webhook.Verdict
	OperationID string
}
