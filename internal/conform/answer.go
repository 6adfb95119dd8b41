package conform

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

var bom = []byte("\xEF\xBB\xBF")

// answerOf reads a body as far as it can be read: the fields of its first value,
// by lower-case name, and what follows it.
func answerOf(body []byte) (fields map[string]json.RawMessage, rest []byte, err error) {
	body = bytes.TrimSpace(bytes.TrimPrefix(bytes.TrimSpace(body), bom))
	dec := json.NewDecoder(bytes.NewReader(body))
	var raw map[string]json.RawMessage
	if err := dec.Decode(&raw); err != nil {
		return nil, nil, err
	}
	fields = make(map[string]json.RawMessage, len(raw))
	for name, value := range raw {
		fields[strings.ToLower(name)] = value
	}
	return fields, bytes.TrimSpace(body[dec.InputOffset():]), nil
}

// code reads a number that may be written as text; what cannot be read is 0.
func code(fields map[string]json.RawMessage, name string) int64 {
	text := strings.Trim(string(fields[strings.ToLower(name)]), `" `)
	n, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0
	}
	return int64(n)
}

var codeNames = []string{"actionCode", "errCode", "nextCode"}

const asked = "beforeSendSingleMsg, a harmless text"

// answerChecks look at the answer to the first, harmless before-call.
var answerChecks = []check{
	{
		name:  "status-with-body",
		rule:  "a before-call is not answered with 204",
		why:   "204 has no body and so no verdict; OpenIM fails with 90007, failedContinue decides",
		mend:  `answer 200 with {"actionCode":0,"errCode":0,"errMsg":"","errDlt":"","nextCode":0}`,
		needs: []string{answered},
		run: func(_ context.Context, p *player) finding {
			return passIf(p.harmless.status != 204, asked, p.harmless)
		},
	},
	{
		name:  "answer-not-empty",
		rule:  "the answer to a before-call has a body",
		why:   "an empty body has no verdict; OpenIM fails with 90007, failedContinue decides",
		mend:  `answer with {"actionCode":0,"errCode":0,"errMsg":"","errDlt":"","nextCode":0}`,
		needs: []string{"status-with-body"},
		run: func(_ context.Context, p *player) finding {
			return passIf(len(bytes.TrimSpace(p.harmless.body)) > 0, asked, p.harmless)
		},
	},
	{
		name:  "no-bom",
		rule:  "the body begins with {, without a byte order mark",
		why:   "Parley reads over the mark, OpenIM fails with 90007",
		mend:  "encode as UTF-8 without a signature; in PHP and .NET save the source files that way too",
		needs: []string{"answer-not-empty"},
		run: func(_ context.Context, p *player) finding {
			return passIf(!bytes.HasPrefix(bytes.TrimSpace(p.harmless.body), bom), asked, p.harmless)
		},
	},
	{
		name:  "answer-json",
		rule:  "the answer is a JSON object",
		why:   "anything else has no verdict, and failedContinue decides",
		mend:  "answer the JSON object itself: not a page, not text, not JSON inside a string",
		needs: []string{"answer-not-empty"},
		run: func(_ context.Context, p *player) finding {
			_, _, err := answerOf(p.harmless.body)
			return passIf(err == nil, asked, p.harmless)
		},
	},
	{
		name:  "one-value",
		rule:  "nothing follows the JSON object",
		why:   "two answers leave open which one counts, so none does",
		mend:  "write the answer once; look for a second write after the error path, and for output of the framework",
		needs: []string{"answer-json"},
		run: func(_ context.Context, p *player) finding {
			_, rest, _ := answerOf(p.harmless.body)
			return passIf(len(rest) == 0, asked, p.harmless)
		},
	},
	{
		name:  "verdict-named",
		rule:  "the answer has nextCode or actionCode",
		why:   "an object without them approves, whatever it was meant to say",
		mend:  `use the fields of the callback protocol: {"actionCode":0,"errCode":0,"errMsg":"","errDlt":"","nextCode":0}`,
		needs: []string{"answer-json"},
		run: func(_ context.Context, p *player) finding {
			fields, _, _ := answerOf(p.harmless.body)
			_, action := fields["actioncode"]
			_, next := fields["nextcode"]
			return passIf(action || next, asked, p.harmless)
		},
	},
	{
		name:  "codes-are-numbers",
		rule:  "actionCode, errCode and nextCode are JSON numbers",
		why:   `Parley reads "0" and "" as numbers, OpenIM fails with 90007`,
		mend:  "write 0, not \"0\"; the samples of OpenIM's documentation are wrong there",
		needs: []string{"answer-json"},
		run: func(_ context.Context, p *player) finding {
			fields, _, _ := answerOf(p.harmless.body)
			for _, name := range codeNames {
				if value, ok := fields[strings.ToLower(name)]; ok {
					if _, err := strconv.ParseInt(string(value), 10, 32); err != nil {
						return fail(asked, fmt.Sprintf("%s is %s in %s", name, value, p.harmless))
					}
				}
			}
			return pass()
		},
	},
	{
		name:  "action-code",
		rule:  "actionCode is 0 when the handler did its work",
		why:   "another actionCode says that the handler failed: with failedContinue false every operation is refused, with true OpenIM lets refusals through",
		mend:  "set actionCode to 0, also in refusals; nextCode 1 refuses",
		needs: []string{"answer-json"},
		run: func(_ context.Context, p *player) finding {
			fields, _, _ := answerOf(p.harmless.body)
			return passIf(code(fields, "actionCode") == 0, asked, p.harmless)
		},
	},
	{
		name:  "harmless-approved",
		rule:  "a harmless text is approved",
		why:   "users cannot write",
		mend:  "answer nextCode 0 unless there is a reason to refuse",
		needs: []string{"answer-json"},
		run: func(_ context.Context, p *player) finding {
			fields, _, _ := answerOf(p.harmless.body)
			return passIf(code(fields, "nextCode") == 0, asked, p.harmless)
		},
	},
	{
		name:  "refuses",
		rule:  "a forbidden text is refused with nextCode 1 and a code of its own",
		why:   "without nextCode 1 nothing is refused; without a code the user reads 80000, and 1501 to 1507 log him out",
		mend:  `answer {"actionCode":0,"errCode":5001,"errMsg":"…","errDlt":"","nextCode":1}, errCode from 5000 to 9999`,
		needs: []string{"one-value", "codes-are-numbers"},
		run:   refuses,
	},
}

func refuses(ctx context.Context, p *player) finding {
	word := p.options.Forbidden
	if word == "" {
		return unobservable("no forbidden text was given")
	}
	e := p.play(ctx, p.before("is "+word+" allowed?"))
	fields, _, err := answerOf(e.body)
	refused := code(fields, "errCode")
	ok := e.accepted() && err == nil && code(fields, "nextCode") == 1 && refused > 0 && (refused < 1501 || refused > 1507)
	return passIf(ok, "beforeSendSingleMsg, a text with the forbidden one", e)
}
