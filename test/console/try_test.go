package console

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"
)

// verdicts are how outcomes are worded.
var verdicts = map[string]map[string]string{
	"en": {
		"approve": "approved", "reject": "refused", "failed_refuse": "no usable answer: refused", "failed_continue": "no usable answer: went on",
		"delivered": "delivered", "retry": "kept, tried again later", "over": "over",
	},
	"zh": {
		"approve": "同意", "reject": "拒绝", "failed_refuse": "回答无效：拒绝", "failed_continue": "回答无效：继续",
		"delivered": "已送达", "retry": "已保留，稍后重试", "over": "已结束",
	},
}

// trying is the page with the two phones.
type trying struct {
	*tab
	say     map[string]string
	answers int // messages that were answered
}

// set chooses what the sample handler does.
func (p *trying) set(mode, word string, failedContinue bool) {
	p.t.Helper()
	p.press("details.act summary")
	p.press(".wide-act input[value=" + mode + "]")
	if word != "" {
		p.fill(".wide-act input[name=word]", word)
	}
	if eval[bool](p.tab, `document.querySelector(".wide-act input[name=continue]").checked`) != failedContinue {
		p.press(".wide-act input[name=continue]")
	}
	eval[bool](p.tab, `(window.left = true)`) // by the next step
	p.press(".wide-act button.main")
	p.until(fmt.Sprintf(`!window.left && document.querySelector(".wide-act input[value=%s]").checked && document.querySelector(".wide-act input[name=continue]").checked === %t && document.querySelector("[data-live=on]")`, mode, failedContinue))
}

// write sends from a phone and waits for its answer.
func (p *trying) write(phone int, text string) {
	p.t.Helper()
	form := fmt.Sprintf(".phone:has(input[name=phone][value=\"%d\"]) ", phone)
	p.answers = eval[int](p.tab, `document.querySelectorAll(".receipt").length`) + 1
	p.fill(form+"input[name=text]", text)
	p.press(form + "button")
	p.until(fmt.Sprintf(`document.querySelectorAll(".receipt").length >= %d`, p.answers))
}

// newest is the text of the newest thing in a list, which comes first in it.
func (p *trying) newest(selector string) string {
	p.t.Helper()
	return eval[string](p.tab, `(document.querySelector(`+quote(selector)+`) || {innerText: ""}).innerText`)
}

// outcome waits for the newest verdict to be the one wanted.
func (p *trying) outcome(want string) {
	p.t.Helper()
	p.until(`(el => el && el.innerText.includes(` + quote(p.say[want]) + `))(document.querySelector(".call.judged"))`)
}

// Within a minute and without writing code: a message goes out, the handler is
// asked, it arrives or is refused with 5001, and an after-event is delivered.
func TestTry(t *testing.T) {
	for _, language := range languages {
		t.Run(language, func(t *testing.T) {
			p := &trying{tab: login(t, shared, language), say: verdicts[language]}
			p.visit("/try")
			p.shot("try-begin-" + language)
			p.press(".begin button.main")
			p.until(`document.querySelector(".phone button:not([disabled])") && document.querySelector("[data-live=on]")`)

			t.Run("the first minute", func(t *testing.T) {
				p := &trying{tab: p.in(t), say: p.say}
				p.press(".phone:first-child button") // with the text that is there
				p.until(`document.querySelectorAll(".bubble.out").length === 1 && document.querySelectorAll(".bubble.in").length === 1`)
				p.outcome("approve")
				p.until(`document.querySelector(".call.told.delivered code").innerText.startsWith("after")`)
				p.press(".phone:last-child button")
				p.until(`document.querySelector(".receipt.bad")`)
				if refusal := p.newest(".receipt.bad"); !strings.Contains(refusal, "5001") || !strings.Contains(refusal, "spam") {
					t.Errorf("the refusal is shown as %q", refusal)
				}
				p.outcome("reject")
				p.shot("try-" + language)
			})
			for _, c := range []struct {
				mode           string
				failedContinue bool
				outcome, code  string
			}{
				{"approve", false, "approve", ""},
				{"slow", false, "approve", ""},
				{"late", false, "failed_refuse", "90004"},
				{"late", true, "failed_continue", ""},
				{"garbage", false, "failed_refuse", "90007"},
				{"garbage", true, "failed_continue", ""},
				{"down", false, "failed_refuse", "90004"},
			} {
				t.Run(fmt.Sprint(c.mode, " ", c.failedContinue), func(t *testing.T) {
					p := &trying{tab: p.in(t), say: p.say}
					p.set(c.mode, "", c.failedContinue)
					text := c.mode + " " + hostile
					arrived := eval[int](p.tab, `document.querySelectorAll(".bubble.in").length`)
					p.write(0, text)
					p.outcome(c.outcome)
					if got := p.newest(".phone:first-child .receipt"); !strings.Contains(got, c.code) {
						t.Errorf("the phone shows %q, want %s", got, c.code)
					}
					if c.code == "" {
						p.until(fmt.Sprintf(`document.querySelectorAll(".bubble.in").length === %d`, arrived+1))
						if got := p.newest(".phone:last-child .bubble.in p"); got != text {
							t.Errorf("the other phone shows %q, want %q", got, text)
						}
					} else if n := eval[int](p.tab, `document.querySelectorAll(".bubble.in").length`); n != arrived {
						t.Error("what was refused arrived")
					}
					p.harmless()
				})
			}
			t.Run("down, and back", func(t *testing.T) {
				p := &trying{tab: p.in(t), say: p.say}
				p.set("down", "", true)
				p.write(1, "kept for later")
				p.until(`document.querySelector(".call.told.retry")`)
				p.shot("try-down-" + language)
				p.set("approve", "", true)
				p.until(`document.querySelector(".call.told.delivered .badge:not(.ok)")`) // a later attempt
			})
			t.Run("by keyboard", func(t *testing.T) {
				p := &trying{tab: p.in(t), say: p.say}
				p.until(`document.querySelector("[data-live=on]")`)
				before := eval[int](p.tab, `document.querySelectorAll(".bubble.out").length`)
				for range 40 { // more than there is before the first phone
					p.key(kb.Tab)
					if eval[string](p.tab, `document.activeElement.name || ""`) == "text" {
						break
					}
				}
				p.key(kb.Enter)
				p.until(fmt.Sprintf(`document.querySelectorAll(".bubble.out").length === %d`, before+1))
				p.dark()
				p.shot("try-dark-" + language)
			})
			t.Run("on a phone's screen", func(t *testing.T) {
				p := &trying{tab: p.in(t), say: p.say}
				p.narrow(390, 844)
				p.visit("/try")
				if wide := eval[int](p.tab, `document.documentElement.scrollWidth`); wide > 390 {
					t.Errorf("the page is %d wide", wide)
				}
				p.shot("try-narrow-" + language)
				p.narrow(1360, 900)
			})
			p.visit("/try")
			p.press(`form[action$="/try/end"] button`)
			p.says(p.say["over"])
			p.until(`document.querySelector(".begin")`)
			p.visit("/access?action=try/send")
			if strings.Contains(p.said(), "kept for later") {
				t.Error("what the phones said is in the audit trail")
			}
			p.visit("/chat/conversation?id=si_try_parley_ann_try_parley_ben")
			p.until(`document.querySelectorAll(".messages tbody tr").length > 4`)
		})
	}
}
