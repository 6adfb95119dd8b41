package console

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/trial"
)

// tryPage is where somebody sees callbacks at work: two phones and what happens
// between them.
func tryPage(c *Console) *page {
	return &page{
		path: "try", title: "try.title", section: "nav.try", template: "try.html",
		show: func(*request) (any, error) { return c.showTrial(), nil },
		actions: []action{
			{name: "begin", do: func(r *request) (done, error) {
				return done{say: "done.try.begin"}, c.Trial.Begin(r.Context(), r.userID(), settingsOf(r))
			}},
			{name: "set", do: func(r *request) (done, error) {
				return done{say: "done.try.set"}, c.Trial.Set(r.Context(), settingsOf(r))
			}},
			{name: "send", private: []string{"text"}, do: func(r *request) (done, error) {
				return done{say: "done.try.send"}, c.Trial.Send(int(atoi(r.PostFormValue("phone"))), r.PostFormValue("text"))
			}},
			{name: "end", do: func(r *request) (done, error) {
				return done{say: "done.try.end"}, c.Trial.End(r.Context(), trial.Ended, r.userID())
			}},
		},
		streams: []stream{{name: "live", run: c.watchTrial}},
	}
}

// settingsOf reads the form of a trial.
func settingsOf(r *request) trial.Settings {
	return trial.Settings{
		Handler: trial.Handler(r.PostFormValue("handler")), Mode: trial.Mode(r.PostFormValue("mode")),
		Word: r.PostFormValue("word"), FailedContinue: r.PostFormValue("continue") != "",
	}
}

// firstSettings let a newcomer see both outcomes.
var firstSettings = trial.Settings{Handler: trial.Sample, Mode: trial.Refuse, Word: "spam"}

type trialView struct {
	trial.State
	Phones   [2]phoneView
	Traffic  []trial.Note // newest first
	Handlers []trial.Handler
	Modes    []trial.Mode
}

type phoneView struct {
	Number int
	User   im.User
	Notes  []trial.Note // newest first
}

// notesShown is how many notes a page shows of each phone and of the traffic.
const notesShown = 100

func (c *Console) showTrial() trialView {
	notes, _ := c.Trial.Since(0)
	v := trialView{State: c.Trial.State(), Handlers: []trial.Handler{trial.Sample, trial.Configured, trial.Nobody}, Modes: trial.Modes}
	if !v.Running {
		v.Settings = firstSettings
	}
	if len(notes) > 0 {
		v.Last = notes[len(notes)-1].N // what comes later comes over the stream
	}
	for i := range v.Phones {
		v.Phones[i] = phoneView{Number: i, User: trial.Users[i]}
	}
	slices.Reverse(notes)
	for _, n := range notes {
		list := &v.Traffic
		if onPhone(n) {
			list = &v.Phones[n.Phone].Notes
		}
		if len(*list) < notesShown {
			*list = append(*list, n)
		}
	}
	return v
}

func onPhone(n trial.Note) bool { return n.Phone != trial.None }

// watchTrial sends every note to the place it is shown at. A page that is open
// since the note was rendered knows it by its id.
func (c *Console) watchTrial(ctx context.Context, r *request, out *sender) error {
	after, state := int(atoi(r.FormValue("after"))), trial.State{}
	for {
		notes, moved := c.Trial.Since(after)
		for _, n := range notes {
			after = n.N
			slot, part := "traffic", "traffic"
			if onPhone(n) {
				slot, part = "phone"+number(n.Phone), "bubble"
			}
			if err := out.send(slot, part, n); err != nil {
				return err
			}
		}
		if st := c.Trial.State(); st != state {
			state = st
			if err := out.send("state", "try-state", st); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-moved:
		}
	}
}

// pretty indents JSON; anything else stays as it is.
func pretty(text string) string {
	var b bytes.Buffer
	if json.Indent(&b, []byte(text), "", "  ") != nil {
		return text
	}
	return b.String()
}
