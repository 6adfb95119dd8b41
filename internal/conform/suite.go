package conform

import (
	"context"
	"strings"

	"github.com/parley-im/parley/hooks/payload"
	"github.com/parley-im/parley/internal/webhook/registry"
)

// check looks at one thing a handler should do.
type check struct {
	name string
	rule string // what a good handler does
	why  string // what goes wrong otherwise
	mend string
	// needs are checks without whose success this one says nothing.
	needs  []string
	signed bool // needs a secret
	run    func(context.Context, *player) finding
}

// finding is what a check saw.
type finding struct {
	outcome         Outcome
	sent, got, note string
}

func pass() finding { return finding{outcome: Passed} }

func fail(sent, got string) finding { return finding{outcome: Failed, sent: sent, got: got} }

func unobservable(note string) finding { return finding{outcome: NotObservable, note: note} }

// passIf is the finding of a check that made one call.
func passIf(ok bool, sent string, e exchange) finding {
	if ok {
		return pass()
	}
	return fail(sent, e.String())
}

// suite is every check, in the order they are played: what others build on comes
// first.
var suite = concat(transportChecks, answerChecks, signatureChecks, connectionChecks, requestChecks, eventChecks)

func concat(parts ...[]check) []check {
	var all []check
	for _, part := range parts {
		all = append(all, part...)
	}
	return all
}

// Commands the suite plays.
var (
	beforeSingle = registry.Of(registry.BeforeSendSingleMsg)
	afterSingle  = registry.Of(registry.AfterSendSingleMsg)
	afterSave    = registry.Of(registry.AfterMsgSaveDB)
)

// message is a new text message in a body of the given command.
func (p *player) message(command, said string) payload.SingleMessage {
	m := beforeSingle.Sample(command).(payload.SingleMessage)
	m.ServerMsgID, m.ClientMsgID, m.OperationID = p.newID(), p.newID(), p.newID()
	m.Content = text(said)
	return m
}

// before asks whether a text may be sent.
func (p *player) before(said string) call {
	m := p.message(beforeSingle.Command, said)
	return call{command: beforeSingle.Command, body: encode(m), id: p.newID(), operationID: m.OperationID}
}

// after reports that a text was sent.
func (p *player) after(said string) call {
	m := p.message(afterSingle.Command, said)
	m.Seq = 17
	return call{command: afterSingle.Command, body: encode(m), id: p.newID(), operationID: m.OperationID}
}

// sample is a call of any callback.
func (p *player) sample(c registry.Callback) call {
	return call{command: c.Command, body: encode(c.Sample(c.Command)), id: p.newID(), operationID: p.newID()}
}

const harmlessText = "hello"

// transportChecks are about getting an answer at all.
var transportChecks = []check{
	{
		name: "answers",
		rule: "a before-call gets an answer",
		why:  "without an answer failedContinue decides: every message is refused, or none is",
		mend: "check the address and that the handler listens; let errors in the handler become answers with status 500 instead of closed connections",
		run: func(ctx context.Context, p *player) finding {
			p.harmless = p.play(ctx, p.before(harmlessText))
			e := p.harmless
			return passIf(e.status != 0 || e.timedOut(), "beforeSendSingleMsg", e)
		},
	},
	{
		name:  "in-time",
		rule:  "the whole answer comes within the timeout",
		why:   "the sender waits all that time, and then the call counts as failed",
		mend:  "answer before-calls from memory; put the work of after-events into a queue that survives a crash, then answer",
		needs: []string{"answers"},
		run: func(ctx context.Context, p *player) finding {
			if e := p.harmless; e.timedOut() {
				return fail("beforeSendSingleMsg", e.String())
			}
			e := p.play(ctx, p.after(harmlessText))
			return passIf(!e.timedOut(), "afterSendSingleMsg", e)
		},
	},
	{
		name:  "no-redirect",
		rule:  "calls are answered where they are sent",
		why:   "a redirect of a POST loses its body; the server follows 307 and 308 only, and counts others as failures",
		mend:  "give the final address in webhooks.yml; switch off redirects to https, to other hosts and to paths with a slash at the end",
		needs: []string{"in-time"},
		run: func(_ context.Context, p *player) finding {
			return passIf(p.harmless.status < 300 || p.harmless.status > 399, "beforeSendSingleMsg", p.harmless)
		},
	},
	{
		name:   "key-decoded",
		rule:   "the key is the decoded form of the secret",
		why:    "every request of the server is refused, and who guesses the mistake is let in",
		mend:   "cut off the prefix whsec_ and base64-decode the rest; its bytes are the key",
		needs:  []string{"no-redirect"},
		signed: true,
		run:    keyDecoded,
	},
	{
		name:   "signature-accepted",
		rule:   "a rightly signed request is accepted",
		why:    "the server's requests are refused: after-events pile up, before-calls fail",
		mend:   "sign webhook-id + \".\" + webhook-timestamp + \".\" + body with the same secret as in webhooks.yml; take the body's bytes as they came, before any parser",
		needs:  []string{"no-redirect"},
		signed: true,
		run: func(ctx context.Context, p *player) finding {
			if p.undecoded == nil {
				return passIf(!unauthorised(p.harmless), "beforeSendSingleMsg, rightly signed", p.harmless)
			}
			p.harmless = p.play(ctx, p.before(harmlessText))
			return passIf(!unauthorised(p.harmless), "beforeSendSingleMsg, signed with the undecoded key", p.harmless)
		},
	},
	{
		name:  "status-success",
		rule:  "a call that was handled is answered with status 200",
		why:   "any status but 2xx without a verdict counts as a failed call; a failed after-event is sent again for a day",
		mend:  "answer 200 and say in the body what you think of the operation, refusals included",
		needs: []string{"no-redirect", "signature-accepted"},
		run: func(ctx context.Context, p *player) finding {
			if !p.harmless.refused() {
				e := p.play(ctx, p.after(harmlessText))
				return passIf(!e.refused(), "afterSendSingleMsg", e)
			}
			got := p.harmless.String()
			if p.key == nil && unauthorised(p.harmless) {
				got += "; if the handler wants signatures, give its secret"
			}
			return fail("beforeSendSingleMsg", got)
		},
	},
	{
		name:  "answer-whole",
		rule:  "the answer comes to its end",
		why:   "half an answer is none, and failedContinue decides",
		mend:  "write the whole body before closing; let Content-Length be its length in bytes, not in characters",
		needs: []string{"status-success"},
		run: func(_ context.Context, p *player) finding {
			return passIf(!p.harmless.broken, "beforeSendSingleMsg", p.harmless)
		},
	},
}

// answered is the ground of everything that is about more than answers.
const answered = "answer-whole"

// unauthorised reports a refusal that is the caller's fault, unlike an error of
// the handler.
func unauthorised(e exchange) bool { return e.status >= 400 && e.status <= 499 }

func isHTML(body []byte) bool {
	head := strings.ToLower(strings.TrimSpace(string(body[:min(len(body), 200)])))
	return strings.HasPrefix(head, "<")
}
