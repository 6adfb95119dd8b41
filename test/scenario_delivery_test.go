package test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
)

// TestS22IdempotencyAndRetry: an event that is not taken comes again, the same and
// later each time, and the sender does not notice.
func TestS22IdempotencyAndRetry(t *testing.T) {
	t.Parallel()
	const initial = 100 * time.Millisecond
	b := startBusiness(t)
	down := saysStatus(http.StatusServiceUnavailable, "back soon")
	b.on(cmdAfterSingle, oneAfterAnother(down, down, down, says(`{"actionCode":1,"nextCode":1,"errCode":5001}`)))
	n := startNode(t, setup{files: map[string]string{
		"webhooks.yml": fmt.Sprintf("url: %s\nafterSendSingleMsg: {enable: true}\nretry: {initial: %s}\n", b.URL, initial),
	}})
	n.register(t, "alice", "bob")
	alice, bob := n.device(t, "alice", platformMiniWeb), n.device(t, "bob", platformMiniWeb)
	s := alice.send(post{from: "alice", to: "bob", content: text("hi"), operationID: "S22"})
	if s.ErrCode != 0 {
		t.Fatalf("the sender noticed: %+v", s)
	}
	if m := bob.next(); m.ServerMsgID != s.serverMsgID {
		t.Errorf("bob received %v", m)
	}
	all := b.awaitCount(t, 4, cmdAfterSingle)
	for i, c := range all[1:] {
		if c.ID() == "" || c.ID() != all[0].ID() || string(c.Raw) != string(all[0].Raw) {
			t.Errorf("attempt %d has the id %s and the body %s, the first had %s and %s", i+2, c.ID(), c.Raw, all[0].ID(), all[0].Raw)
		}
		// A pause is shortened by up to a quarter; it can always be longer.
		least := initial * 3 / 4 << i
		if gap := c.At.Sub(all[i].At); gap < least {
			t.Errorf("attempt %d came after %s, want at least %s", i+2, gap, least)
		}
	}

	// Once delivered it is over, also for the next message of the conversation.
	next := n.send(t, post{from: "alice", to: "bob", content: text("next"), operationID: "S22"})
	if all := b.awaitCount(t, 5, cmdAfterSingle); all[4].Event.ServerMsgID != next.serverMsgID {
		t.Errorf("told of %s after the delivery", all[4].Raw)
	}
	if events := b.events(cmdAfterSingle); len(events) != 2 {
		t.Errorf("%d different events for 2 messages", len(events))
	}
	n.stop()
	if all := b.got(); len(all) != 5 {
		t.Errorf("%d calls, want 5", len(all))
	}
}

// TestS24Crash: a server that is killed with 10,000 events to deliver, while more
// messages are on their way, delivers the event of each stored message and no other.
func TestS24Crash(t *testing.T) {
	t.Parallel()
	const (
		senders = 100
		each    = 100
	)
	b := startBusiness(t)
	n := newNode(t, setup{
		files: map[string]string{
			"webhooks.yml": "url: http://127.0.0.1:1\nafterSendSingleMsg: {enable: true}\nretry: {initial: 1s, max: 1s}\n",
			"log.yml":      "isStdout: true\nremainLogLevel: 2\nstorageLocation: \"\"\n",
		},
	})
	n.start()
	var users []string
	for i := range senders {
		users = append(users, fmt.Sprintf("from%d", i), fmt.Sprintf("to%d", i))
	}
	n.register(t, users...)

	// Each conversation has one sender, who sends when the last one is acknowledged.
	acked := make([][]string, senders) // by conversation, in order
	send := func(ctx context.Context, i int) error {
		var ack struct{ ServerMsgID string }
		r, err := n.rest(ctx, "S24", "/msg/send_msg", map[string]any{
			"sendID": fmt.Sprintf("from%d", i), "recvID": fmt.Sprintf("to%d", i), "senderPlatformID": platformIOS,
			"content": map[string]any{"content": "hi"}, "contentType": contentText, "sessionType": singleChat,
		}, &ack)
		if err == nil && r.ErrCode != 0 {
			err = fmt.Errorf("%+v", r)
		}
		if err == nil {
			acked[i] = append(acked[i], ack.ServerMsgID)
		}
		return err
	}
	var fill errgroup.Group
	for i := range senders {
		fill.Go(func() error {
			for range each {
				if err := send(t.Context(), i); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := fill.Wait(); err != nil {
		t.Fatal(err)
	}
	var more sync.WaitGroup
	var sent atomic.Int64
	someSent := make(chan struct{})
	for i := range senders {
		more.Go(func() {
			for send(t.Context(), i) == nil {
				if sent.Add(1) == senders {
					close(someSent)
				}
			}
		})
	}
	<-someSent
	n.kill()
	more.Wait()

	n.env = []string{"IMENV_WEBHOOKS_URL=" + b.URL}
	n.start()
	stored := 0
	want := make(map[string]int64) // seq by message
	for i := range senders {
		log := n.device(t, fmt.Sprintf("to%d", i), platformMiniWeb).history(fmt.Sprintf("si_from%d_to%d", i, i))
		if len(log) < len(acked[i]) {
			t.Errorf("conversation %d: %d messages were acknowledged, %d are stored", i, len(acked[i]), len(log))
		}
		for j, m := range log {
			want[m.ServerMsgID] = m.Seq
			if j < len(acked[i]) && m.ServerMsgID != acked[i][j] {
				t.Errorf("conversation %d: message %d is %s, acknowledged was %s", i, j, m.ServerMsgID, acked[i][j])
			}
		}
		stored += len(log)
	}
	if stored < senders*(each+1) {
		t.Fatalf("only %d messages are stored", stored)
	}

	// A last message in each conversation comes behind all of its events.
	last := make(map[string]bool)
	for i := range senders {
		if err := send(t.Context(), i); err != nil {
			t.Fatal(err)
		}
		last[acked[i][len(acked[i])-1]] = true
	}
	b.await(t, "the last event of every conversation", func(all []callback) bool {
		if len(all) < stored+senders {
			return false
		}
		for _, c := range all {
			delete(last, c.Event.ServerMsgID)
		}
		return len(last) == 0
	})
	seqs := make(map[string]int64) // by conversation, the newest told
	told := make(map[string]string)
	for _, c := range b.events(cmdAfterSingle) {
		e := c.Event
		if id, again := told[e.ServerMsgID]; again {
			t.Fatalf("%s is told as %s and as %s", e.ServerMsgID, id, c.ID())
		}
		told[e.ServerMsgID] = c.ID()
		if seqs[e.SendID]++; e.Seq != seqs[e.SendID] {
			t.Fatalf("%s: told of seq %d after %d", e.SendID, e.Seq, seqs[e.SendID]-1)
		}
		if seq, ok := want[e.ServerMsgID]; ok && seq != e.Seq {
			t.Errorf("%s has seq %d, told is %d", e.ServerMsgID, seq, e.Seq)
		}
		delete(want, e.ServerMsgID)
	}
	if len(want) != 0 {
		t.Errorf("%d stored messages were never told", len(want))
	}
	if len(told) != stored+senders {
		t.Errorf("told of %d messages, %d are stored", len(told), stored+senders)
	}
	t.Logf("%d events were left, %d callbacks came for them", stored, len(b.got()))
}

// delivery is a line of `parley webhook deliveries --json`.
type delivery struct {
	EventID     string
	Callback    string
	Command     string
	OperationID string
	Subject     string
	ClientMsgID string
	ServerMsgID string
	Attempt     int
	Status      int
	Outcome     string
	ErrCode     int
	Reason      string
	Answer      []byte
}

func (n *node) deliveries(args ...string) []delivery {
	n.t.Helper()
	var out []delivery
	for line := range strings.Lines(n.run(append([]string{"webhook", "deliveries", "--json"}, args...)...)) {
		var d delivery
		if err := json.Unmarshal([]byte(line), &d); err != nil {
			n.t.Fatalf("%q: %v", line, err)
		}
		out = append(out, d)
	}
	return out
}

// awaitDeliveries waits for a number of lines: calls are logged after they ended.
func (n *node) awaitDeliveries(t *testing.T, count int, args ...string) (out []delivery) {
	t.Helper()
	poll(t, fmt.Sprint(count, " logged deliveries of ", args), func() bool {
		out = n.deliveries(args...)
		return len(out) >= count
	})
	if len(out) != count {
		t.Fatalf("%d deliveries are logged, want %d: %+v", len(out), count, out)
	}
	return out
}

func TestWebhookCommands(t *testing.T) {
	t.Parallel()
	b := startBusiness(t)
	b.on(cmdAfterSingle, saysStatus(http.StatusUnprocessableEntity, "this event is not understood"))
	n := startNode(t, setup{files: map[string]string{
		"webhooks.yml": "url: " + b.URL + `
beforeSendSingleMsg: {enable: true}
afterSendSingleMsg: {enable: true}
afterSendGroupMsg: {enable: true}
retry: {initial: 10ms}
`,
	}})
	n.register(t, "alice", "bob")
	group := n.makeGroup(t, "alice", "bob")
	first := n.send(t, post{from: "alice", to: "bob", content: text("a private word"), operationID: "op-first"})
	second := n.send(t, post{from: "alice", to: "bob", content: text("second"), operationID: "op-second"})
	grouped := n.send(t, post{from: "alice", group: group, content: text("grouped"), operationID: "op-group"})
	for _, s := range []sent{first, second, grouped} {
		if s.ErrCode != 0 {
			t.Fatalf("%+v", s)
		}
	}

	// Three attempts each, then the event is buried and its lane goes on.
	dead := n.awaitDeliveries(t, 3, "--callback", "afterSendSingleMsg", "--message", first.serverMsgID)
	for i, d := range dead { // newest first
		wantOutcome := "retry"
		if i == 0 {
			wantOutcome = "dead_letter"
		}
		if d.Attempt != 3-i || d.Status != 422 || d.Outcome != wantOutcome || d.Command != cmdAfterSingle || d.OperationID != "op-first" ||
			d.ClientMsgID != first.clientMsgID || d.EventID != dead[0].EventID || !strings.Contains(string(d.Answer), "not understood") {
			t.Errorf("logged %+v", d)
		}
	}
	if asked := n.awaitDeliveries(t, 1, "--operation", "op-first", "--callback", "beforeSendSingleMsg"); asked[0].Outcome != "approve" || asked[0].EventID != "" {
		t.Errorf("the question is logged as %+v", asked)
	}
	if told := n.awaitDeliveries(t, 1, "--callback", "afterSendGroupMsg"); told[0].Outcome != "delivered" || told[0].Subject != "sg_"+group {
		t.Errorf("the group's event is logged as %+v", told)
	}
	n.awaitDeliveries(t, 2, "--outcome", "dead_letter")
	if table := n.run("webhook", "deliveries", "--limit", "2"); strings.Count(table, "\n") != 3 || !strings.HasPrefix(table, "ID ") {
		t.Errorf("the table of two deliveries is\n%s", table)
	}

	id := dead[0].EventID
	if list := n.run("webhook", "dead"); strings.Count(list, "\n") != 3 || lineWith(list, id, "afterSendSingleMsg", "422") == "" {
		t.Errorf("the dead letters are\n%s", list)
	}
	if list := n.run("webhook", "dead", "--callback", "afterSendGroupMsg"); strings.Count(list, "\n") != 1 {
		t.Errorf("the dead letters of another callback are\n%s", list)
	}
	shown := n.run("webhook", "show", id)
	if lineWith(shown, "given up", "3 attempts", "422") == "" || !strings.Contains(shown, first.serverMsgID) {
		t.Errorf("shown\n%s", shown)
	}

	b.on(cmdAfterSingle, nil)
	before := b.got(cmdAfterSingle)
	if out := n.run("webhook", "replay", id); !strings.Contains(out, "1 ") {
		t.Errorf("replay says %q", out)
	}
	replayed := b.awaitCount(t, len(before)+1, cmdAfterSingle)[len(before)]
	if replayed.ID() != id || string(replayed.Raw) != string(before[0].Raw) {
		t.Errorf("replayed %s with %s, want %s with %s", replayed.ID(), replayed.Raw, id, before[0].Raw)
	}
	poll(t, "the replayed event to be done", func() bool { return regexp.MustCompile(`(?m)^done`).MatchString(n.run("webhook", "show", id)) })
	n.run("webhook", "replay", "--all")
	replayed = b.awaitCount(t, len(before)+2, cmdAfterSingle)[len(before)+1]
	if replayed.Event.ServerMsgID != second.serverMsgID {
		t.Errorf("replayed %s", replayed.Raw)
	}
	poll(t, "no dead letters", func() bool { return strings.Count(n.run("webhook", "dead"), "\n") == 1 })

	// Who is not told which does nothing, and an unknown event is an error.
	for _, args := range [][]string{{"webhook", "replay"}, {"webhook", "show", "unknown"}, {"webhook", "replay", "unknown"}} {
		if _, errs, code := parleyCommand(t, nil, append(args, "--data", n.data)...); code == 0 || errs == "" {
			t.Errorf("%v ended with %d: %q", args, code, errs)
		}
	}
	if _, errs, code := parleyCommand(t, nil, "webhook", "deliveries", "--data", t.TempDir()); code != 1 || !strings.Contains(errs, "no server runs on") {
		t.Errorf("without a server: ended with %d: %q", code, errs)
	}
}

func TestEventsSurviveStop(t *testing.T) {
	t.Parallel()
	b := startBusiness(t)
	b.on(cmdAfterSingle, saysStatus(http.StatusServiceUnavailable, ""))
	n := startNode(t, setup{files: map[string]string{
		"webhooks.yml": "url: " + b.URL + "\nafterSendSingleMsg: {enable: true}\nretry: {initial: 10ms, max: 50ms}\n",
	}})
	n.register(t, "alice", "bob")
	var want []string
	for i := range 5 {
		want = append(want, n.send(t, post{from: "alice", to: "bob", content: text(fmt.Sprint(i)), operationID: "stop"}).serverMsgID)
	}
	b.awaitCount(t, 3, cmdAfterSingle)
	n.stop()
	tried := len(b.got())
	b.on(cmdAfterSingle, nil)
	n.start()
	var got []string
	for _, c := range b.awaitCount(t, tried+5, cmdAfterSingle)[tried:] {
		got = append(got, c.Event.ServerMsgID)
	}
	if !slices.Equal(got, want) {
		t.Errorf("told of %v, want %v", got, want)
	}
}
