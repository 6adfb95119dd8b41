package conform

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/parley-im/parley/internal/webhook/registry"
)

// Commands that no server sends yet.
const (
	unknownBefore = "callbackBeforeConformUnknownCommand"
	unknownAfter  = "callbackAfterConformUnknownCommand"
)

// answerUsable is the ground of checks that compare an answer with that to a
// harmless call: where even that cannot be read, they would only repeat it.
const answerUsable = "one-value"

// requestChecks play requests a handler does not see every day.
var requestChecks = []check{
	{
		name:  "every-callback",
		rule:  "every callback of the catalogue is answered",
		why:   "a callback that somebody switches on must not stop what it is about",
		mend:  "approve questions and accept reports the handler has no opinion about",
		needs: []string{answerUsable, "harmless-approved"},
		run: func(ctx context.Context, p *player) finding {
			for _, c := range registry.All() {
				e := p.play(ctx, p.sample(c))
				_, _, err := answerOf(e.body)
				if !e.accepted() || c.Kind == registry.Before && err != nil {
					return fail("a sample of "+c.Key, e.String())
				}
			}
			return pass()
		},
	},
	{
		name:  "unknown-status",
		rule:  "a callback the handler does not know is answered with status 200",
		why:   "new versions bring new callbacks; an error makes the server refuse operations, or send reports again and again",
		mend:  "end the dispatch with a default that approves questions and accepts reports",
		needs: []string{answered},
		run: func(ctx context.Context, p *player) finding {
			for _, command := range []string{unknownBefore, unknownAfter} {
				if e := p.play(ctx, p.unknown(command)); !e.accepted() && !isHTML(e.body) {
					return fail(command, e.String())
				}
			}
			return pass()
		},
	},
	{
		name:  "unknown-json",
		rule:  "a callback the handler does not know is answered with JSON, not with a page",
		why:   "a page is no verdict: the server refuses the operation, or goes on without one",
		mend:  "answer unknown callbacks in the same way as known ones; keep the framework's error pages away from this path",
		needs: []string{answerUsable},
		run: func(ctx context.Context, p *player) finding {
			for _, command := range []string{unknownBefore, unknownAfter} {
				e := p.play(ctx, p.unknown(command))
				_, _, err := answerOf(e.body)
				if isHTML(e.body) || e.accepted() && command == unknownBefore && err != nil {
					return fail(command, e.String())
				}
			}
			return pass()
		},
	},
	{
		name:  "unknown-keys",
		rule:  "keys the handler does not know are ignored",
		why:   "new versions add keys to known callbacks",
		mend:  "switch off strict parsing of the request",
		needs: []string{answered},
		run: func(ctx context.Context, p *player) finding {
			for _, c := range []call{p.before(harmlessText), p.after(harmlessText)} {
				c.body = bytes.Replace(c.body, []byte("{"), []byte(`{"conformList":[{"a":null}],"conformObject":{"b":[1.5e3,true]},"conformText":"x",`), 1)
				if e := p.play(ctx, c); !e.accepted() {
					return fail(c.command+" with more keys", e.String())
				}
			}
			return pass()
		},
	},
	{
		name:  "any-text",
		rule:  "every text a user can write is taken",
		why:   "one odd message must not stop a conversation",
		mend:  "read and store UTF-8 to its full extent (utf8mb4 in MySQL) and parse JSON with a library",
		needs: []string{answered},
		run: func(ctx context.Context, p *player) finding {
			for _, said := range []string{
				"", "你好，世界 👩‍👩‍👧‍👦 \u202eabc", `<b>"quoted" & \back\slash</b>` + "\u2028\u0001\t", strings.Repeat("é", 1000), "' OR 1=1; --",
			} {
				for _, c := range []call{p.before(said), p.after(said)} {
					if e := p.play(ctx, c); !e.accepted() {
						return fail(c.command+", the text "+shorten(said), e.String())
					}
				}
			}
			return pass()
		},
	},
	{
		name:  "no-operation",
		rule:  "an empty operationID is taken",
		why:   "the server's own doings have none",
		mend:  "treat operationID as text for the log, nothing more",
		needs: []string{answered},
		run: func(ctx context.Context, p *player) finding {
			m := p.message(afterSingle.Command, harmlessText)
			m.OperationID = ""
			e := p.play(ctx, call{command: afterSingle.Command, body: encode(m), id: p.newID()})
			return passIf(e.accepted(), "afterSendSingleMsg without operationID", e)
		},
	},
	{
		name:  "large-body",
		rule:  "a body of 256 kB is read whole",
		why:   "merged messages and large groups make long bodies; half a body has a wrong signature and is no JSON",
		mend:  "raise the limit of the framework (Express: 100 kB) and of the server in front to 2 MB, and read to the end",
		needs: []string{"body-in-pieces"},
		run: func(ctx context.Context, p *player) finding {
			for _, c := range []call{p.before(longText), p.after(longText)} {
				if e := p.play(ctx, c); !e.accepted() {
					return fail(fmt.Sprintf("%s with a body of %d bytes", c.command, len(c.body)), e.String())
				}
			}
			return pass()
		},
	},
	{
		name:  "large-text-judged",
		rule:  "a forbidden text at the end of a long one is found",
		why:   "who knows the limit of the filter writes behind it",
		mend:  "look at the whole text",
		needs: []string{"large-body", "refuses"},
		run: func(ctx context.Context, p *player) finding {
			if p.options.Forbidden == "" {
				return unobservable("no forbidden text was given")
			}
			e := p.play(ctx, p.before(longText+p.options.Forbidden))
			fields, _, _ := answerOf(e.body)
			return passIf(code(fields, "nextCode") == 1, "beforeSendSingleMsg, 256 kB with the forbidden text at the end", e)
		},
	},
	{
		name:  "survives-garbage",
		rule:  "requests that are none are answered, and the next one is served",
		why:   "whoever can reach the handler could stop it",
		mend:  "answer 400 or 405 to what cannot be read, and let no error end the process",
		needs: []string{answered},
		run:   survivesGarbage,
	},
}

var longText = strings.Repeat("All work and no play makes Jack a dull boy. ", 256<<10/44)

// unknown is a call of a callback that does not exist.
func (p *player) unknown(command string) call {
	c := p.before(harmlessText)
	c.command = command
	c.body = bytes.Replace(c.body, []byte(beforeSingle.Command), []byte(command), 1)
	return c
}

func survivesGarbage(ctx context.Context, p *player) finding {
	garbage := func(body string) call {
		return call{command: beforeSingle.Command, body: []byte(body), id: p.newID()}
	}
	get := p.before(harmlessText)
	get.method, get.body = http.MethodGet, nil
	for _, one := range []struct {
		how  string
		call call
	}{
		{"an empty body", garbage("")},
		{"half an object", garbage(`{"callbackCommand":"callbackBefore`)},
		{"a list", garbage("[1,2]")},
		{"deep nesting", garbage(strings.Repeat("[", 20000) + strings.Repeat("]", 20000))},
		{"bytes that are no UTF-8", garbage("{\"callbackCommand\":\"\xff\xfe\"}")},
		{"GET", get},
	} {
		if e := p.play(ctx, one.call); e.status == 0 {
			return fail(one.how, e.String())
		}
	}
	// A caller that hangs up in the middle.
	if slow, err := p.begin(ctx, p.before(harmlessText)); err == nil {
		slow.close()
	}
	e := p.play(ctx, p.before(harmlessText))
	return passIf(e.accepted(), "beforeSendSingleMsg after requests that were none", e)
}
