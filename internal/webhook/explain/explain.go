// Package explain answers why a callback was called, or was not, and what became
// of it: from the configuration that applied then, the callbacks' table, the
// delivery log, the outbox and the message itself. Nothing is recorded for it
// while messages are sent.
//
// Facts are what is known; every check is a function of facts that returns
// findings, and knows one mistake that people make. Explain runs them all. Only
// Explainer reads a database, and nothing here calls anybody.
package explain

import (
	"cmp"
	"slices"
	"time"

	"github.com/parley-im/parley/internal/config"
	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
	"github.com/parley-im/parley/internal/webhook/registry"
)

// Severity ranks findings.
type Severity string

// Severities.
const (
	Problem Severity = "problem" // a cause of what people complain about
	Note    Severity = "note"    // worth knowing
)

// Finding is one cause.
type Finding struct {
	Severity Severity `json:"severity"`
	Cause    string   `json:"cause"` // a constant of this package
	Callback string   `json:"callback,omitempty"`
	Text     Text     `json:"text"`
	Evidence []Text   `json:"evidence,omitempty"`
	Remedy   Text     `json:"remedy,omitzero"`
}

// Causes.
const (
	CauseNesting     = "wrong-nesting"
	CauseMisspelled  = "misspelled-key"
	CauseRefused     = "refused-edit"
	CauseOff         = "off"
	CauseVariable    = "variable-not-in-process"
	CauseLegacyKey   = "legacy-key"
	CauseWrongStage  = "wrong-stage"
	CausePlaceholder = "path-placeholder"

	CauseAttention   = "attention-ids"
	CauseTypes       = "content-types"
	CauseAdminSender = "sender-is-admin"
	CauseMadeUp      = "made-up-users"
	CauseNotStored   = "not-stored"
	CauseOnline      = "receiver-online"

	CauseHTML         = "answer-is-html"
	CauseErrorPage    = "status-with-json-page"
	CauseStatus       = "status"
	CauseRedirect     = "redirect"
	CausePath         = "wrong-path"
	CauseMalformed    = "malformed-answer"
	CauseTimeout      = "timeout"
	CauseOwnRequest   = "handler-waits-for-itself"
	CausePatience     = "longer-than-patience"
	CauseUnreachable  = "unreachable"
	CauseRejected     = "handler-refused"
	CauseHandlerFault = "handler-says-it-failed"

	CauseEndpoint = "endpoint-stopped"
	CauseQueued   = "queued"
	CauseDead     = "given-up"
	CauseUnknown  = "nothing-known"
)

// patience is how long clients wait for the answer to a send.
const patience = 10 * time.Second

// Facts are all that is known about a question.
type Facts struct {
	ID  string // event, operation or message; "" for none
	Key string // callback asked about; "" for all

	Running bool // a server answers, and not only files
	Now, At im.Millis
	Config  config.Snapshot // in effect at At
	Since   im.Millis       // of Config
	Refused []RefusedEdit   // of the files since then, newest first
	// CallerEnv are the names of the IMENV_ variables where the question was
	// asked.
	CallerEnv []string

	Message     *im.Message // stored; nil when it is none or is not found
	SenderAdmin bool
	MadeUp      bool     // the message is between the users of a trial
	OnlineOn    []string // platforms of the receiver, now
	Deliveries  []store.Delivery
	Waiting     []Waiting
	Dead        []store.DeadEvent
	Pulled      []store.PulledAboutEvent // kept for endpoints that fetch
	Endpoints   []Endpoint
	LostLogRows int64
}

// RefusedEdit is an edit of the files that was not taken over.
type RefusedEdit struct {
	At       im.Millis
	Problems []config.Problem
}

// Waiting is an event in the outbox.
type Waiting struct {
	Event store.OutboxEvent
	Lane  store.LaneView
}

// Endpoint is a place that calls go to, and whether they do.
type Endpoint struct {
	Name      string
	URL       string
	State     string // ok, down or paused
	Since     im.Millis
	Reason    string
	Callbacks map[string]string // those that are down or paused by themselves, with the reason
}

// Report is the answer to a question.
type Report struct {
	ID        string     `json:"id,omitempty"`
	Key       string     `json:"callback,omitempty"`
	At        im.Millis  `json:"at,omitempty"`
	Message   Text       `json:"message,omitzero"`
	Since     im.Millis  `json:"configSince,omitempty"`
	Callbacks []Callback `json:"callbacks"`
	Findings  []Finding  `json:"findings"`
}

// Callback is what is known about one callback.
type Callback struct {
	Key      string `json:"key"`
	Command  string `json:"command"`
	On       bool   `json:"on"`
	Source   string `json:"source"` // of enable
	URL      string `json:"url,omitempty"`
	Decision Text   `json:"decision"`
	Calls    []Call `json:"calls,omitempty"`
	// Places are where it goes, or does not: its own handler and every endpoint of
	// the list.
	Places []Place `json:"places"`
}

// Place is what became of a callback at one endpoint.
type Place struct {
	Endpoint string    `json:"endpoint"`
	Kind     string    `json:"kind"` // push, pull or shadow
	URL      string    `json:"url,omitempty"`
	On       bool      `json:"on"`              // the callback is meant to come here
	By       Text      `json:"by"`              // what says so, or why not
	State    string    `json:"state,omitempty"` // of the endpoint now: ok, down or paused
	Since    im.Millis `json:"since,omitempty"` // of State
	Reason   string    `json:"reason,omitempty"`
	Waiting  int       `json:"waiting"`  // events of the question in its queue
	Attempts int       `json:"attempts"` // that are logged
	Decision Text      `json:"decision"`
}

// Call is one attempt.
type Call struct {
	At         im.Millis `json:"at"`
	EventID    string    `json:"eventID,omitempty"`
	Endpoint   string    `json:"endpoint"`
	Attempt    int       `json:"attempt"`
	Status     int       `json:"status"`
	DurationMS int64     `json:"durationMS"`
	Outcome    string    `json:"outcome"`
	Reason     string    `json:"reason,omitempty"`
	Answer     string    `json:"answer,omitempty"` // its first bytes
}

// Has reports whether a cause was found.
func (r Report) Has(cause string) bool {
	return slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Cause == cause })
}

// subject is one callback with its facts.
type subject struct {
	*Facts
	desc   registry.Callback
	config config.Callback
	routes []route          // where it goes, or might: its own place first
	calls  []store.Delivery // of this callback, oldest first; not the copies for shadows
	copies []store.Delivery // for shadows
	asked  bool             // by its key
}

// finding returns one about the callback.
func (s *subject) finding(sev Severity, cause string, text, remedy Text, evidence ...Text) []Finding {
	evidence = slices.DeleteFunc(evidence, Text.IsZero)
	return []Finding{{Severity: sev, Cause: cause, Callback: s.desc.Key, Text: text, Evidence: evidence, Remedy: remedy}}
}

// enableSource says where the switch of the callback comes from.
func (s *subject) enableSource() string {
	if source := s.config.Sources["enable"]; source != "" {
		return source
	}
	return "default"
}

// shownSource is the same for people.
func (s *subject) shownSource() Text {
	if source := s.enableSource(); source != "default" {
		return verbatim(source)
	}
	return say("default")
}

// checks find causes. Each looks at one callback and knows one mistake.
var checks = []func(*subject) []Finding{
	checkNesting, checkMisspelled, checkPlaceholder, checkRefused, checkVariable, checkLegacyKey, checkStage, checkOff,
	checkMadeUp, checkFilters, checkSender, checkNotStored, checkOnline,
	checkHTML, checkErrorPage, checkRedirect, checkPath, checkMalformed, checkOwnRequest, checkTimeout, checkPatience,
	checkUnreachable, checkRejected, checkHandlerFault,
	checkEndpoint, checkQueued, checkDead,
}

// Explain answers from the facts alone.
func Explain(f Facts) Report {
	r := Report{ID: f.ID, Key: f.Key, At: f.At, Since: f.Since, Callbacks: []Callback{}, Findings: []Finding{}}
	if f.Message != nil {
		r.Message = describeMessage(f.Message)
	}
	configs := make(map[string]config.Callback, len(f.Config.Webhooks.Callbacks))
	for _, c := range f.Config.Webhooks.Callbacks {
		configs[c.Key] = c
	}
	for _, key := range f.keys() {
		desc, _ := registry.Lookup(key)
		s := &subject{Facts: &f, desc: desc, config: configs[key], asked: f.Key == key}
		for _, d := range f.Deliveries {
			switch {
			case d.Callback != key:
			case d.Kind == store.DeliveryShadow:
				s.copies = append(s.copies, d)
			default:
				s.calls = append(s.calls, d)
			}
		}
		for _, calls := range [][]store.Delivery{s.calls, s.copies} {
			slices.SortStableFunc(calls, func(a, b store.Delivery) int { return cmp.Compare(a.ID, b.ID) })
		}
		s.routes = s.findRoutes()
		for _, check := range checks {
			r.Findings = append(r.Findings, check(s)...)
		}
		r.Callbacks = append(r.Callbacks, s.describe())
	}
	if f.ID != "" && f.Message == nil && len(f.Deliveries)+len(f.Waiting)+len(f.Dead)+len(f.Pulled) == 0 {
		r.Findings = append(r.Findings, unknown(&f))
	}
	r.Findings = merge(r.Findings)
	slices.SortStableFunc(r.Findings, func(a, b Finding) int { return rank(a) - rank(b) })
	return r
}

func rank(f Finding) int {
	if f.Severity == Problem {
		return 0
	}
	return 1
}

// merge drops what two callbacks' checks say of the same place.
func merge(list []Finding) []Finding {
	var out []Finding
	for _, f := range list {
		if !slices.ContainsFunc(out, func(o Finding) bool {
			return o.Cause == f.Cause && o.Text.String() == f.Text.String() && slices.EqualFunc(o.Evidence, f.Evidence, func(a, b Text) bool { return a.String() == b.String() })
		}) {
			out = append(out, f)
		}
	}
	return out
}

// keys are the callbacks that the question is about, in order of the table.
func (f *Facts) keys() []string {
	about := make(map[string]bool)
	if f.Key != "" {
		about[f.Key] = true
	} else {
		for _, d := range f.Deliveries {
			about[d.Callback] = true
		}
		for _, w := range f.Waiting {
			about[w.Event.Callback] = true
		}
		for _, d := range f.Dead {
			about[d.Callback] = true
		}
		for _, p := range f.Pulled {
			about[p.Callback] = true
		}
		for _, key := range ofMessage(f.Message) {
			about[key] = true
		}
	}
	var keys []string
	for _, c := range registry.All() {
		if about[c.Key] {
			keys = append(keys, c.Key)
		}
	}
	return keys
}

// ofMessage are the callbacks that sending a message may make.
func ofMessage(m *im.Message) []string {
	if m == nil {
		return nil
	}
	switch m.SessionType {
	case im.SingleChat:
		return []string{"beforeSendSingleMsg", "beforeMsgModify", "afterSendSingleMsg", "afterMsgSaveDB", "beforeOnlinePush", "beforeOfflinePush"}
	case im.GroupChat:
		return []string{"beforeSendGroupMsg", "beforeMsgModify", "afterSendGroupMsg", "afterMsgSaveDB", "beforeGroupOnlinePush", "beforeOfflinePush"}
	default:
		return []string{"afterMsgSaveDB"}
	}
}
