package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/parley-im/parley/internal/im"
)

// sqliteWriter owns the writing connection. It takes what has queued up, runs
// it as one transaction, commits once, and answers everybody: group commit.
// Its caches change only with a commit.
type sqliteWriter struct {
	engine *sqliteEngine
	conn   *sqliteConn
	queue  chan *writeRequest

	mu      sync.RWMutex // held for reading while sending to queue
	stopped bool

	written    atomic.Int64 // bytes since the last checkpoint, roughly
	restartLog atomic.Bool

	// Owned by run.
	logs map[im.ConversationID]logState
}

// writeRequest is one caller's work: an append or a function.
type writeRequest struct {
	ctx    context.Context
	append *Append
	fn     func(*Tx) error
	done   chan error
}

// logState is what the writer knows of a log.
type logState struct {
	id     int64
	max    im.Seq
	time   im.Millis // of the last message
	opened bool      // the conversation rows of its participants exist
}

const (
	writeQueue = 1024 // callers beyond it wait
	batchLimit = 512
	// logCache bounds the writer's memory of logs; a full one starts over and is
	// read again from the tables.
	logCache = 1 << 19
	// rowOverhead estimates the pages a row dirties beside its data.
	rowOverhead = 200
)

const dedupMillis = im.Millis(DedupWindow / 1e6)

func convID(s string) im.ConversationID { return im.ConversationID(s) }

func newSQLiteWriter(e *sqliteEngine, c *sqliteConn) *sqliteWriter {
	return &sqliteWriter{engine: e, conn: c, queue: make(chan *writeRequest, writeQueue), logs: make(map[im.ConversationID]logState)}
}

// stop lets the writer finish what is queued; it reports false if it was
// stopped before.
func (w *sqliteWriter) stop() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stopped {
		return false
	}
	w.stopped = true
	close(w.queue)
	return true
}

func (w *sqliteWriter) submit(r *writeRequest) error {
	r.done = make(chan error, 1)
	w.mu.RLock()
	if w.stopped {
		w.mu.RUnlock()
		return ErrClosed
	}
	select {
	case w.queue <- r:
		w.mu.RUnlock()
	case <-r.ctx.Done():
		w.mu.RUnlock()
		return r.ctx.Err()
	}
	return <-r.done
}

func (e *sqliteEngine) write(ctx context.Context, fn func(*Tx) error) error {
	return e.writer.submit(&writeRequest{ctx: ctx, fn: fn})
}

func (e *sqliteEngine) append(ctx context.Context, a *Append) error {
	return e.writer.submit(&writeRequest{ctx: ctx, append: a})
}

// run is the writer's goroutine.
func (w *sqliteWriter) run() {
	batch := make([]*writeRequest, 0, batchLimit)
	for first := range w.queue {
		batch = queued(append(batch[:0], first), w.queue)
		w.serve(batch)
		if w.restartLog.CompareAndSwap(true, false) {
			// Readers on the old log make this a no-op; the next checkpoint asks again.
			if _, err := w.conn.conn.ExecContext(context.Background(), "PRAGMA wal_checkpoint(RESTART)"); err != nil {
				w.engine.store.log.Warn("log restart failed", "error", err)
			}
		}
	}
}

// queued adds to a batch what waits in the queue right now, up to the batch's
// capacity.
func queued(batch []*writeRequest, queue <-chan *writeRequest) []*writeRequest {
	for len(batch) < cap(batch) {
		select {
		case r, ok := <-queue:
			if !ok {
				return batch
			}
			batch = append(batch, r)
		default:
			return batch
		}
	}
	return batch
}

// serve commits a batch and answers every request in it.
func (w *sqliteWriter) serve(batch []*writeRequest) {
	alive := batch[:0]
	for _, r := range batch {
		if err := r.ctx.Err(); err != nil {
			r.done <- err
			continue
		}
		alive = append(alive, r)
	}
	if len(alive) == 0 {
		return
	}
	if w.commit(alive) {
		return
	}
	// Something brought the whole transaction down. Each alone, the innocent pass.
	if len(alive) == 1 {
		return
	}
	for _, r := range alive {
		w.commit([]*writeRequest{r})
	}
}

// group is one transaction of the writer: its requests' outcomes and the cache
// changes that wait for the commit.
type group struct {
	tx      *Tx
	logs    map[im.ConversationID]logState
	sent    []*Append // stored, in order
	results []error
	bytes   int64
	reads   map[readKey]im.Seq
	readLog []readKey
}

type readKey struct {
	user string
	log  int64
}

// commit runs the requests as one transaction. It reports false, having
// answered nobody, if more than one request ran and the transaction failed as
// a whole.
func (w *sqliteWriter) commit(requests []*writeRequest) bool {
	g := &group{
		tx:      &Tx{ctx: context.Background(), q: w.conn, store: w.engine.store, writing: true},
		logs:    make(map[im.ConversationID]logState),
		results: make([]error, len(requests)),
		reads:   make(map[readKey]im.Seq),
	}
	began := time.Now()
	// Forgetting too much is harmless, so it need not wait for the commit.
	g.tx.reopen = func(c im.ConversationID) { delete(w.logs, c); delete(g.logs, c) }
	err := w.begin()
	if err == nil {
		err = w.runGroup(g, requests)
	}
	if err == nil {
		_, err = w.conn.ExecContext(context.Background(), "COMMIT")
		err = g.tx.dialect.wrap(err)
	}
	if err != nil {
		_, _ = w.conn.ExecContext(context.Background(), "ROLLBACK") // fails if the engine rolled back by itself
		if len(requests) > 1 {
			return false
		}
		requests[0].done <- fmt.Errorf("commit: %w", err)
		return true
	}
	w.engine.store.commits(len(requests), time.Since(began))
	w.publish(g)
	for i, r := range requests {
		r.done <- g.results[i]
	}
	return true
}

func (w *sqliteWriter) begin() error {
	_, err := w.conn.ExecContext(context.Background(), "BEGIN IMMEDIATE")
	return dialect{}.wrap(err)
}

// publish makes a committed group visible: caches first, then everybody who
// waited for the commit, in order.
func (w *sqliteWriter) publish(g *group) {
	if len(w.logs)+len(g.logs) > logCache {
		clear(w.logs)
	}
	maps.Copy(w.logs, g.logs)
	now := w.engine.store.Now()
	for _, a := range g.sent {
		if a.Dedup && !a.Unstored {
			m := a.Message
			w.engine.recent.add(m.SendID, m.ConversationID, m.ClientMsgID, now)
		}
	}
	w.written.Add(g.bytes)
	g.tx.committed()
	for _, a := range g.sent {
		if a.Committed != nil {
			a.Committed(a.Message)
		}
	}
}

// groupError marks a failure after which the transaction as a whole is void.
type groupError struct{ error }

func (e groupError) Unwrap() error { return e.error }

// runGroup runs the requests and collects their outcomes. An error it returns
// voids the transaction.
func (w *sqliteWriter) runGroup(g *group, requests []*writeRequest) error {
	for i, r := range requests {
		var err error
		if r.append != nil {
			err = w.appendAll(g, r.append)
		} else {
			err = w.callOne(g, r.fn)
		}
		if fatal, ok := errors.AsType[groupError](err); ok {
			return fatal.error
		}
		g.results[i] = err
		g.tx.reportRows()
	}
	for _, k := range g.readLog {
		if _, err := g.tx.exec(advanceRead, k.user, k.log, g.reads[k]); err != nil {
			return fmt.Errorf("read position: %w", err)
		}
	}
	return nil
}

// callOne runs a function in a savepoint, so that what it wrote is undone if it
// fails.
func (w *sqliteWriter) callOne(g *group, fn func(*Tx) error) error {
	if _, err := w.conn.ExecContext(g.tx.ctx, "SAVEPOINT request"); err != nil {
		return groupError{g.tx.dialect.wrap(err)}
	}
	mark := g.tx.mark()
	err := protect(fn, g.tx)
	if errors.Is(err, ErrDiskFull) || errors.Is(err, ErrCorrupt) {
		return groupError{err}
	}
	if err != nil {
		g.tx.rewind(mark)
		if _, endErr := w.conn.ExecContext(g.tx.ctx, "ROLLBACK TO request"); endErr != nil {
			return groupError{g.tx.dialect.wrap(endErr)}
		}
	} else {
		g.bytes += 4 * rowOverhead
	}
	if _, endErr := w.conn.ExecContext(g.tx.ctx, "RELEASE request"); endErr != nil {
		return groupError{g.tx.dialect.wrap(endErr)}
	}
	return err
}

const advanceRead = `INSERT INTO read_position (user_id, log, seq) VALUES ($1, $2, $3)
	ON CONFLICT (user_id, log) DO UPDATE SET seq = excluded.seq WHERE read_position.seq < excluded.seq`

// appendAll accepts a message and those that follow it.
func (w *sqliteWriter) appendAll(g *group, a *Append) error {
	if err := w.appendOne(g, a); err != nil {
		return err
	}
	for _, next := range a.Then {
		if err := w.appendOne(g, next); err != nil {
			return groupError{err}
		}
	}
	return nil
}

// appendOne gives the message its seq and inserts it. It needs no savepoint:
// whatever can refuse the message comes before its first write, and a write
// that fails voids the group, whose members are then run alone.
func (w *sqliteWriter) appendOne(g *group, a *Append) error {
	m := a.Message
	m.Seq = 0
	if a.Dedup && !a.Unstored {
		found, err := w.duplicate(g, m)
		if err != nil {
			return err
		}
		if found != nil {
			a.Duplicate = found
			return ErrDuplicateSend
		}
	}
	if a.Check != nil {
		mark := g.tx.mark()
		if err := protect(a.Check, g.tx); err != nil {
			g.tx.rewind(mark)
			if _, refused := errors.AsType[*im.Error](err); refused {
				return err
			}
			return groupError{err}
		}
	}
	if a.Skip {
		return nil
	}
	if !a.Unstored {
		if err := w.insert(g, a); err != nil {
			return groupError{err}
		}
	}
	if a.Placed != nil {
		log, err := w.log(g, m.ConversationID)
		if err == nil {
			err = a.placed(g.tx, log.max)
		}
		if err != nil {
			return groupError{err}
		}
	}
	if a.Sent {
		if err := g.tx.Record(im.MessageSent{Message: m, OperationID: a.OperationID}); err != nil {
			return groupError{fmt.Errorf("record message: %w", err)}
		}
	}
	if g.tx.Wanted(im.EventMessageToPush) && m.Options.On(im.OptionOfflinePush) {
		if err := g.tx.Record(im.MessageToPush{Message: m, OperationID: a.OperationID}); err != nil {
			return groupError{fmt.Errorf("record push: %w", err)}
		}
	}
	g.sent = append(g.sent, a)
	return nil
}

// insert stores the message as the next of its log.
func (w *sqliteWriter) insert(g *group, a *Append) error {
	m := a.Message
	log, err := w.log(g, m.ConversationID)
	if err != nil {
		return err
	}
	if a.opens() && !log.opened {
		if err := g.tx.openConversations(a); err != nil {
			return err
		}
		if !a.Incomplete {
			if _, err := g.tx.exec(`UPDATE log SET opened = 1 WHERE id = $1`, log.id); err != nil {
				return err
			}
			log.opened = true
		}
	}
	log.max++
	m.Seq = log.max
	followSendTime(m, log.time)
	log.time = m.SendTime
	data := encodeMessage(nil, m)
	if _, err := g.tx.exec(`INSERT INTO message (log, seq, client_id, send_time, data) VALUES ($1, $2, $3, $4, $5)`,
		log.id, m.Seq, m.ClientMsgID, m.SendTime, data); err != nil {
		return fmt.Errorf("insert message: %w", err)
	}
	g.bytes += int64(len(data)) + rowOverhead
	if !m.ConversationID.IsNotification() {
		g.read(readKey{m.SendID, log.id}, m.Seq)
	}
	g.logs[m.ConversationID] = log
	return nil
}

// read notes how far a sender has read; the group writes the last of each.
func (g *group) read(k readKey, seq im.Seq) {
	if _, ok := g.reads[k]; !ok {
		g.readLog = append(g.readLog, k)
	}
	g.reads[k] = seq
}

// duplicate looks for an earlier send, first among those of this group.
func (w *sqliteWriter) duplicate(g *group, m *im.Message) (*im.Message, error) {
	for _, a := range g.sent {
		if a.Dedup && a.Message.ConversationID == m.ConversationID && isSameSend(a.Message, m) {
			return a.Message, nil
		}
	}
	if !w.engine.recent.mayHold(m.SendID, m.ConversationID, m.ClientMsgID) {
		return nil, nil
	}
	return g.tx.findSend(m)
}

// log returns the state of a conversation's log, creating it if need be.
func (w *sqliteWriter) log(g *group, c im.ConversationID) (logState, error) {
	if l, ok := g.logs[c]; ok {
		return l, nil
	}
	if l, ok := w.logs[c]; ok {
		return l, nil
	}
	var l logState
	found, err := g.tx.queryRow(`SELECT l.id, l.opened, `+g.tx.dialect.maxSeq()+`, `+g.tx.dialect.maxTime()+` FROM log l WHERE l.conversation_id = $1`,
		[]any{c}, &l.id, &l.opened, &l.max, &l.time)
	if err != nil || found {
		return l, err
	}
	if _, err = g.tx.queryRow(`INSERT INTO log (conversation_id) VALUES ($1) RETURNING id`, []any{c}, &l.id); err != nil {
		return l, fmt.Errorf("create log: %w", err)
	}
	return l, nil
}
