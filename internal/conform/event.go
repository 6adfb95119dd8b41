package conform

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/parley-im/parley/hooks/payload"
	"github.com/parley-im/parley/hooks/signature"
)

const noAudit = "the handler does not tell what it stored; see GET <url>/conform?id="

// eventChecks are about receiving after-events, which come at least once.
var eventChecks = []check{
	{
		name:  "repeat-accepted",
		rule:  "an event that comes again is answered like the first time",
		why:   "the server sends an event again whose answer it did not get; an error then makes it try for a day",
		mend:  "answer 200 to a webhook-id that was handled, and do nothing",
		needs: []string{answered},
		run: func(ctx context.Context, p *player) finding {
			c := p.after(harmlessText)
			p.play(ctx, c)
			e := p.play(ctx, c)
			return passIf(e.accepted(), "afterSendSingleMsg twice, with the same webhook-id", e)
		},
	},
	{
		name:  "stored",
		rule:  "an accepted event is stored",
		why:   "the answer makes the server forget the event",
		mend:  "answer after the event is on the disk",
		needs: []string{answered},
		run: func(ctx context.Context, p *player) finding {
			c := p.after(harmlessText)
			if e := p.play(ctx, c); !e.accepted() {
				return fail("afterSendSingleMsg", e.String())
			}
			n, seen := p.stored(ctx, c.id, 1)
			if !seen {
				return unobservable(noAudit)
			}
			return passIfStored(n == 1, "afterSendSingleMsg once", n)
		},
	},
	{
		name:  "order-free",
		rule:  "an event that reports something older than the one before is accepted",
		why:   "events of different conversations and callbacks overtake one another, and replayed ones come late",
		mend:  "tell events apart by webhook-id and order them by seq; refuse none for its seq or time",
		needs: []string{"stored"},
		run:   orderFree,
	},
	{
		name:  "stored-once",
		rule:  "an event that comes again is stored once",
		why:   "delivery is at least once: without memory of ids, users are counted, charged and notified twice",
		mend:  "remember webhook-id in the same transaction as the work; not the timestamp or the signature, which differ every time",
		needs: []string{"stored", "repeat-accepted"},
		run: func(ctx context.Context, p *player) finding {
			c := p.after(harmlessText)
			for _, away := range []time.Duration{-4 * time.Second, -2 * time.Second, 0} {
				c.at = time.Now().Add(away)
				p.play(ctx, c)
			}
			return p.storedOnce(ctx, c, "afterSendSingleMsg three times, with the same webhook-id")
		},
	},
	{
		name:  "stored-once-at-once",
		rule:  "an event that comes twice at the same time is stored once",
		why:   "after a timeout the server sends an event again while the handler still works on the first delivery",
		mend:  "let a unique key of the database decide, or hold a lock from the look-up to the end of the work",
		needs: []string{"stored-once", "concurrent"},
		run:   atOnce,
	},
	{
		name:  "events-apart",
		rule:  "different events are stored apart, whatever they have in common",
		why:   "one operation makes several events, and one message is reported by several callbacks: who tells them apart by operationID, message id or text loses some",
		mend:  "use webhook-id and nothing else to recognise a repetition",
		needs: []string{"stored"},
		run:   eventsApart,
	},
	{
		name:   "forged-not-stored",
		rule:   "an event that is refused is not stored",
		why:    "storing before verifying lets strangers write the record",
		mend:   "verify the signature before anything else",
		needs:  []string{"stored", "forged"},
		signed: true,
		run: func(ctx context.Context, p *player) finding {
			other, err := signature.Parse(signature.New())
			if err != nil {
				return fail("", err.Error())
			}
			c := p.after(harmlessText)
			c.at = time.Now()
			c.signature = other.Sign(c.id, c.at, c.body)
			p.play(ctx, c)
			if !p.settle(ctx) {
				return unobservable(noAudit)
			}
			n, seen := p.count(ctx, c.id)
			if !seen {
				return unobservable(noAudit)
			}
			return passIfStored(n == 0, "afterSendSingleMsg, signed with another key", n)
		},
	},
}

func orderFree(ctx context.Context, p *player) finding {
	var late call
	for _, seq := range []uint32{12, 11} {
		m := p.message(afterSingle.Command, harmlessText)
		m.Seq = seq
		m.SendTime -= int64(time.Hour/time.Millisecond) * int64(13-seq)
		late = call{command: afterSingle.Command, body: encode(m), id: p.newID(), operationID: m.OperationID}
		if e := p.play(ctx, late); !e.accepted() {
			return fail(fmt.Sprintf("afterSendSingleMsg with seq 12, then with seq 11: seq %d", seq), e.String())
		}
	}
	n, seen := p.stored(ctx, late.id, 1)
	if !seen {
		return pass() // what can be seen is right
	}
	return passIfStored(n == 1, "afterSendSingleMsg with seq 12, then with seq 11", n)
}

// atOnce sends an event on four connections up to the middle, and then the ends of
// all together.
func atOnce(ctx context.Context, p *player) finding {
	c := p.after(harmlessText)
	var halves []*slowCall
	for range 4 {
		half, err := p.begin(ctx, c)
		if err != nil {
			return fail("half of afterSendSingleMsg", err.Error())
		}
		defer half.close()
		halves = append(halves, half)
	}
	p.play(ctx, p.before(harmlessText)) // by its answer the halves have been there for a while
	var all sync.WaitGroup
	for _, half := range halves {
		all.Go(func() { half.finish() })
	}
	all.Wait()
	return p.storedOnce(ctx, c, "afterSendSingleMsg four times at the same time, with the same webhook-id")
}

// eventsApart plays events that share all but their ids.
func eventsApart(ctx context.Context, p *player) finding {
	base := p.message(afterSingle.Command, harmlessText)
	event := func(command string, body any) call {
		return call{command: command, body: encode(body), id: p.newID(), operationID: base.OperationID}
	}
	another := base
	another.ServerMsgID, another.ClientMsgID, another.Content = p.newID(), p.newID(), text("another")
	saved := payload.AddressedMessage{Message: base.Message, RecvID: base.RecvID}
	saved.CallbackCommand = afterSave.Command
	for _, pair := range []struct {
		how           string
		first, second call
	}{
		{"two messages of one operation", event(afterSingle.Command, base), event(afterSingle.Command, another)},
		{"afterSendSingleMsg and afterMsgSaveDB of one message", event(afterSingle.Command, base), event(afterSave.Command, saved)},
	} {
		p.play(ctx, pair.first)
		if e := p.play(ctx, pair.second); !e.accepted() {
			return fail(pair.how, e.String())
		}
		settled := p.settle(ctx)
		n, seen := p.count(ctx, pair.second.id)
		if !settled || !seen {
			return unobservable(noAudit)
		}
		if n != 1 {
			return passIfStored(false, pair.how, n)
		}
	}
	return pass()
}

func passIfStored(ok bool, sent string, n int) finding {
	if ok {
		return pass()
	}
	return fail(sent, fmt.Sprintf("stored %d times", n))
}

// storedOnce is the finding about an event that was delivered several times.
func (p *player) storedOnce(ctx context.Context, c call, sent string) finding {
	n, seen := p.stored(ctx, c.id, 1)
	if !seen || !p.settle(ctx) {
		return unobservable(noAudit)
	}
	if n == 1 {
		n, _ = p.count(ctx, c.id)
	}
	return passIfStored(n == 1, sent, n)
}

// settle plays one more event and waits until it is stored: a handler that works
// from a queue has then done what came before.
func (p *player) settle(ctx context.Context) bool {
	c := p.after(harmlessText)
	p.play(ctx, c)
	_, seen := p.stored(ctx, c.id, 1)
	return seen
}

// stored asks how often an event was stored until it was at least as often as
// expected, for as long as a call may take. seen is false if the handler does not
// tell.
func (p *player) stored(ctx context.Context, id string, least int) (n int, seen bool) {
	ctx, cancel := context.WithTimeout(ctx, p.options.Timeout)
	defer cancel()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		if n, seen = p.count(ctx, id); !seen || n >= least {
			return n, seen
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return n, true
		}
	}
}

// count asks the handler how often it stored an event.
func (p *player) count(ctx context.Context, id string) (n int, seen bool) {
	if p.audit != nil && !*p.audit {
		return 0, false
	}
	address := p.options.Audit
	if address == "" {
		address = p.base.JoinPath("conform").String()
	}
	u, err := url.Parse(address)
	if err != nil {
		return 0, false
	}
	q := u.Query()
	q.Set("id", id)
	u.RawQuery = q.Encode()
	var told struct{ Count *int }
	offered := func() bool {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.options.Timeout)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
		if err != nil {
			return false
		}
		resp, err := p.http.Do(req)
		if err != nil {
			return false
		}
		defer func() { _ = resp.Body.Close() }()
		body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
		return err == nil && resp.StatusCode == http.StatusOK && json.Unmarshal(body, &told) == nil && told.Count != nil
	}()
	if p.audit == nil {
		p.audit = &offered
	}
	if !offered {
		return 0, false
	}
	return *told.Count, true
}
