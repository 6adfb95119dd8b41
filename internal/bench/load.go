package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
	"github.com/openimsdk/protocol/constant"
	"github.com/openimsdk/protocol/sdkws"
	"golang.org/x/sync/errgroup"

	"github.com/parley-im/parley/internal/wire"
)

// load is one run of a work that sends messages.
type load struct {
	o         *Options
	begin     time.Time
	clients   []*client
	senders   []*client
	receivers int32 // of each message, its sender not counted
	onAck     func(c *client, id messageID)
	onReceipt func(receiver *client, id messageID)
	onStart   func(ctx context.Context) // runs beside the load from its begin

	closing   atomic.Bool  // the connections may end now
	stopped   atomic.Bool  // nobody sends any more
	left      atomic.Int64 // messages that may still be sent, when o.Count is set
	exhausted chan struct{}
	once      sync.Once
	measured  atomic.Int64 // messages due from here on count, as time.Duration

	sent, answered, refusals, delivered, echoes atomic.Int64
	toAck, toReceipt                            histogram

	mu           sync.Mutex
	firstRefusal string // guarded by mu
}

const (
	parallelDials = 16
	linger        = 50 * time.Millisecond // for what arrives twice, or should not arrive at all
)

func (l *load) now() time.Duration { return time.Since(l.begin) }

// take says whether one more message may be sent, and counts it.
func (l *load) take() bool {
	if l.stopped.Load() {
		return false
	}
	if l.o.Count > 0 && l.left.Add(-1) < 0 {
		l.finish()
		return false
	}
	l.sent.Add(1)
	return true
}

func (l *load) counts(id messageID) bool { return int64(id.due) >= l.measured.Load() }

func (l *load) ackedOne(c *client, id messageID, now time.Duration) {
	l.answered.Add(1)
	if l.counts(id) {
		l.toAck.add(now - id.due)
	}
	if l.onAck != nil {
		l.onAck(c, id)
	}
}

func (l *load) deliveredOne(receiver *client, id messageID, now time.Duration) {
	l.delivered.Add(1)
	if l.counts(id) {
		l.toReceipt.add(now - id.due)
	}
	if l.onReceipt != nil {
		l.onReceipt(receiver, id)
	}
}

func (l *load) refusal(r *wire.Response) {
	l.refusals.Add(1)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.firstRefusal == "" {
		l.firstRefusal = fmt.Sprintf("%d %s", r.ErrCode, r.ErrMsg)
	}
}

func newLoad(o *Options) *load {
	l := &load{o: o, begin: time.Now(), receivers: 1, exhausted: make(chan struct{})}
	l.left.Store(int64(o.Count))
	return l
}

// finish ends a load before its time.
func (l *load) finish() { l.once.Do(func() { close(l.exhausted) }) }

func runMessages(ctx context.Context, o *Options) (Result, error) {
	l := newLoad(o)
	switch o.Work {
	case PairAck:
		l.onAck = func(c *client, _ messageID) { c.send(l.now()) }
	case PairReceipt:
		l.onReceipt = func(_ *client, id messageID) { l.clients[id.sender].send(l.now()) }
	case Group:
		l.receivers = int32(o.Users) - 1
		l.onReceipt = func(_ *client, id messageID) {
			if sender := l.clients[id.sender]; sender.awaited.Add(-1) == 0 {
				sender.send(l.now())
			}
		}
	}
	return l.run(ctx)
}

// run registers users, connects them, measures, and judges what they saw.
func (l *load) run(ctx context.Context) (Result, error) {
	who, err := register(ctx, l.o)
	if err != nil {
		return Result{}, err
	}
	result, err := l.connected(ctx, who, func() (Result, error) {
		if err := l.equip(who); err != nil {
			return Result{}, err
		}
		if err := sleep(ctx, l.o.Settle); err != nil {
			return Result{}, err
		}
		return l.measure(ctx)
	})
	if err != nil {
		return Result{}, err
	}
	result.Violations = l.evaluate()
	result.FirstRefusal = l.firstRefusal
	return result, nil
}

// accounts are the users of a run: fresh ones each time, so that conversations
// begin at their beginning.
type accounts struct {
	userIDs []string
	tokens  []string
	groupID string // in work group
}

func register(ctx context.Context, o *Options) (*accounts, error) {
	run := "b" + strconv.FormatInt(time.Now().UnixMilli(), 36)
	api, err := newREST(ctx, o, run)
	if err != nil {
		return nil, err
	}
	defer api.close()
	who := &accounts{userIDs: make([]string, o.Users)}
	for i := range who.userIDs {
		who.userIDs[i] = fmt.Sprintf("%su%05d", run, i)
	}
	if who.tokens, err = api.register(ctx, who.userIDs); err != nil {
		return nil, err
	}
	if o.Work == Group {
		who.groupID, err = api.createGroup(ctx, who.userIDs[0], who.userIDs[1:])
	}
	return who, err
}

// connected runs work while all users are connected and keeping alive. When it
// returns, nothing touches the clients any more.
func (l *load) connected(ctx context.Context, who *accounts, work func() (Result, error)) (Result, error) {
	l.clients = make([]*client, len(who.userIDs))
	defer l.closeAll()
	dials, dialing := errgroup.WithContext(ctx)
	dials.SetLimit(parallelDials)
	for i, userID := range who.userIDs {
		dials.Go(func() error {
			conn, err := dial(dialing, l.o, userID, who.tokens[i], "connect"+userID)
			if err != nil {
				return err
			}
			c := &client{
				load: l, index: uint32(i), userID: userID, conn: conn,
				refused: make(map[uint32]struct{}), inboxes: make(map[uint32]*stream), logs: make(map[string]*stream),
			}
			c.acks.startingAt(1)
			l.clients[i] = c
			return c.begin()
		})
	}
	if err := dials.Wait(); err != nil {
		return Result{}, err
	}

	var loops sync.WaitGroup
	defer loops.Wait()
	defer l.closeAll()
	for _, c := range l.clients {
		loops.Go(c.readLoop)
	}
	alive, stopPings := context.WithCancel(ctx)
	defer stopPings()
	loops.Go(func() { keepAlive(alive, l.clients) })
	return work()
}

// equip gives those who will send their frames.
func (l *load) equip(who *accounts) (err error) {
	// Senders of a group are spread over it: which members send must not matter.
	rng := rand.New(rand.NewPCG(l.o.Seed, 0)) //nolint:gosec // load that can be repeated, not secrets
	order := rng.Perm(len(l.clients))
	if l.o.Work == Group {
		order = order[:l.o.Senders]
	}
	for _, i := range order {
		c := l.clients[i]
		m := &sdkws.MsgData{
			SendID: c.userID, SenderPlatformID: platformAndroid, SenderNickname: c.userID, MsgFrom: constant.UserMsgType,
			ContentType: constant.Text, Content: randomText(rng, l.o.Size), Status: constant.MsgStatusSending, AttachedInfo: "{}",
			OfflinePushInfo: &sdkws.OfflinePushInfo{Title: "You have a new message"},
		}
		if who.groupID != "" {
			m.SessionType, m.GroupID = constant.ReadGroupChatType, who.groupID
		} else {
			m.SessionType, m.RecvID = constant.SingleChatType, who.userIDs[i^1] // partners are 0 and 1, 2 and 3 ...
		}
		if c.frame, err = newSendFrame(who.tokens[i], m); err != nil {
			return err
		}
		l.senders = append(l.senders, c)
	}
	return nil
}

// randomText is the content of a text message of size bytes.
func randomText(rng *rand.Rand, size int) []byte {
	const letters = "      etaoinshrdlucmfwypvbgkjqxzETAOIN0123456789.,"
	content := []byte(`{"content":"`)
	for range size {
		content = append(content, letters[rng.IntN(len(letters))])
	}
	return append(content, `"}`...)
}

// measure drives the load and fills in what can be told before the end.
func (l *load) measure(ctx context.Context) (Result, error) {
	var first sync.WaitGroup // whoever sends without waiting for anything
	defer first.Wait()
	sending, cancel := context.WithTimeout(ctx, l.o.WarmUp+l.o.Duration)
	defer cancel()
	if l.onStart != nil {
		first.Go(func() { l.onStart(sending) })
	}
	begin := func() {
		if l.o.Work == Open {
			l.pace(sending)
			return
		}
		for _, c := range l.senders {
			c.send(l.now())
		}
	}
	if l.o.WarmUp > 0 {
		l.measured.Store(int64(l.now() + l.o.WarmUp))
		first.Go(begin)
		if err := sleep(ctx, l.o.WarmUp); err != nil {
			return Result{}, err
		}
	}
	before, err := l.sample()
	if err != nil {
		return Result{}, err
	}
	if l.o.WarmUp == 0 {
		first.Go(begin)
	}
	select {
	case <-sending.Done():
	case <-l.exhausted:
	}
	if err := ctx.Err(); err != nil {
		return Result{}, err
	}
	if l.o.Count > 0 { // the last messages are the measurement too
		l.stopped.Store(true)
		l.drain(ctx)
	}
	after, err := l.sample()
	if err != nil {
		return Result{}, err
	}
	if l.o.Count == 0 {
		l.stopped.Store(true)
		l.drain(ctx)
	}
	if err := sleep(ctx, linger); err != nil {
		return Result{}, err
	}

	r := Result{
		Work: l.o.Work, Users: l.o.Users, Seconds: (after.at - before.at).Seconds(),
		Messages: after.acked - before.acked, Deliveries: after.delivered - before.delivered,
		ToAck: l.toAck.percentiles(), ToReceipt: l.toReceipt.percentiles(),
	}
	if l.o.Work == Open {
		r.Rate = l.o.Rate
	}
	r.MessagesPerSecond = float64(r.Messages) / r.Seconds
	r.DeliveriesPerSecond = float64(r.Deliveries) / r.Seconds
	if r.Deliveries > 0 {
		perDelivery := func(d time.Duration) float64 { return float64(d.Microseconds()) / float64(r.Deliveries) }
		r.GeneratorCPU = perDelivery(after.ownCPU - before.ownCPU)
		r.ServerCPU = perDelivery(after.serverCPU - before.serverCPU)
	}
	return r, nil
}

// pace sends at the rate, whatever the server does. A late send is charged to
// the server's time, as its user would: due is the schedule, not the clock.
func (l *load) pace(ctx context.Context) {
	begin := l.now()
	for n := int64(0); ; n++ {
		due := begin + time.Duration(n*int64(time.Second)/int64(l.o.Rate))
		if wait := due - l.now(); wait > 0 && sleep(ctx, wait) != nil || ctx.Err() != nil {
			return
		}
		l.senders[n%int64(len(l.senders))].send(due)
		if l.stopped.Load() {
			return
		}
	}
}

type sample struct {
	at                time.Duration
	acked, delivered  int64
	ownCPU, serverCPU time.Duration
}

func (l *load) sample() (s sample, err error) {
	s = sample{at: l.now(), acked: l.answered.Load() - l.refusals.Load(), delivered: l.delivered.Load()}
	if s.ownCPU, err = cpuTime(0); err != nil && l.o.PID == 0 {
		return s, nil // no /proc here, and nobody asked
	}
	if l.o.PID != 0 {
		s.serverCPU, err = cpuTime(l.o.PID)
	}
	return s, err
}

// drain waits until everything sent is answered and received, or patience ends.
func (l *load) drain(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, l.o.Drain)
	defer cancel()
	for {
		stored := l.answered.Load() - l.refusals.Load()
		if l.answered.Load() >= l.sent.Load() && l.echoes.Load() >= stored && l.delivered.Load() >= stored*int64(l.receivers) {
			return
		}
		if sleep(ctx, 5*time.Millisecond) != nil {
			return
		}
	}
}

// evaluate adds up what the clients saw, after their loops ended.
func (l *load) evaluate() *Violations {
	total := new(Violations)
	for _, c := range l.clients {
		v := &c.counts
		total.EarlyEchoes += v.EarlyEchoes
		total.BadAnswers += v.BadAnswers
		total.Disconnected += v.Disconnected
		total.Refused += int64(len(c.refused))
		for number := uint32(1); number <= c.sent; number++ {
			if !c.acks.has(uint64(number)) {
				total.Unanswered++
			}
		}
		inSenderOrder := int64(0)
		for _, sender := range l.sendersTo(c) {
			inbox := c.inboxes[sender.index]
			if inbox == nil {
				inbox = new(stream)
			}
			total.Doubled += inbox.doubled
			inSenderOrder += inbox.reordered
			for number := uint64(1); number <= uint64(sender.sent); number++ {
				_, refused := sender.refused[uint32(number)]
				got := inbox.has(number)
				switch {
				case refused && got:
					total.Leaked++
				case !refused && !got && sender.acks.has(number):
					total.Lost++
				}
			}
		}
		inLogOrder, repeated := int64(0), int64(0)
		for _, log := range c.logs {
			inLogOrder += log.reordered
			repeated += log.doubled
			total.SeqMissing += int64(len(log.missing))
		}
		for _, inbox := range c.inboxes {
			repeated -= inbox.doubled // the same message again, with its seq
		}
		total.Reordered += max(inLogOrder, inSenderOrder)
		total.SeqRepeated += max(repeated, 0)
	}
	return total
}

// sendersTo lists whose messages a client should get, its own included.
func (l *load) sendersTo(c *client) []*client {
	if l.o.Work == Group {
		return l.senders
	}
	return []*client{c, l.clients[c.index^1]}
}

func (l *load) closeAll() {
	l.closing.Store(true)
	for _, c := range l.clients {
		if c != nil {
			_ = c.conn.Close()
		}
	}
}

// keepAlive sends every connection the SDK's heartbeat until ctx ends.
func keepAlive(ctx context.Context, clients []*client) {
	for sleep(ctx, pingEvery) == nil {
		for _, c := range clients {
			// A failed ping is a dead connection, which its readLoop reports.
			_ = c.conn.WriteControl(websocket.PingMessage, []byte("ping"+c.userID), time.Now().Add(pingPatience))
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
