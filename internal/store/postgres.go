package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"hash/maphash"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"github.com/parley-im/parley/internal/im"
)

// postgresEngine is PostgreSQL: appends go through a few committers, each
// taking what has queued up for its share of the conversations as one batch;
// other writes are plain transactions. Rows are locked in sorted order and
// conflicts (40001, 40P01) are run again.
//
// Only the common subset is used: no LISTEN/NOTIFY, no advisory locks.
type postgresEngine struct {
	store      *Store
	lock       *os.File // of the data directory, nil without one
	pool       *pgxpool.Pool
	db         *sql.DB
	seed       maphash.Seed
	committers []*committer
	closing    context.CancelFunc
	running    sync.WaitGroup

	mu      sync.RWMutex
	stopped bool
}

// retryLimit bounds how often a conflicting transaction is run again.
const retryLimit = 20

func openPostgres(ctx context.Context, s *Store, o Options) (_ engine, err error) {
	cfg, err := pgxpool.ParseConfig(o.PostgresURL)
	if err != nil {
		return nil, fmt.Errorf("storage.postgres.url: %w", err)
	}
	if o.Committers == 0 {
		o.Committers = 4
	}
	cfg.MaxConns = max(cfg.MaxConns, int32(o.Committers)+8)
	if cfg.ConnConfig.ConnectTimeout == 0 {
		cfg.ConnConfig.ConnectTimeout = 10 * time.Second
	}
	// The data directory belongs to one server here too: it holds the secret and
	// the control socket.
	var lock *os.File
	if o.Dir != "" {
		if err := os.MkdirAll(o.Dir, 0o700); err != nil {
			return nil, fmt.Errorf("data directory: %w", err)
		}
		if lock, err = lockDirectory(o.Dir); err != nil {
			return nil, err
		}
	}
	defer func() {
		if err != nil && lock != nil {
			_ = lock.Close()
		}
	}()
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	if err = pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	e := &postgresEngine{store: s, lock: lock, pool: pool, db: stdlib.OpenDBFromPool(pool), seed: maphash.MakeSeed()}
	if err = migrate(ctx, e.db, goose.DialectPostgres, "postgres"); err != nil {
		_ = e.db.Close()
		pool.Close()
		return nil, fmt.Errorf("schema: %w", err)
	}
	for range o.Committers {
		c := &committer{engine: e, queue: make(chan *writeRequest, writeQueue/o.Committers)}
		e.committers = append(e.committers, c)
		e.running.Go(c.run)
	}
	run, stop := context.WithCancel(context.Background())
	e.closing = stop
	e.running.Go(func() { e.forgetOldSends(run) })
	return e, nil
}

func (e *postgresEngine) close() error {
	e.mu.Lock()
	if e.stopped {
		e.mu.Unlock()
		return nil
	}
	e.stopped = true
	for _, c := range e.committers {
		close(c.queue)
	}
	e.mu.Unlock()
	e.closing()
	e.running.Wait()
	err := e.db.Close()
	e.pool.Close()
	if e.lock != nil {
		err = errors.Join(err, e.lock.Close())
	}
	return err
}

const (
	forgetEvery = 10 * time.Minute
	forgetRows  = 5000 // in one transaction
)

// forgetOldSends keeps recent_send to about a day.
func (e *postgresEngine) forgetOldSends(ctx context.Context) {
	tick := time.NewTicker(forgetEvery)
	defer tick.Stop()
	for {
		if err := e.forgetSends(ctx); err != nil && ctx.Err() == nil {
			e.store.log.WarnContext(ctx, "old sends not forgotten", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (e *postgresEngine) forgetSends(ctx context.Context) error {
	for ctx.Err() == nil {
		var n int64
		err := e.retry(func() error {
			return e.transact(1, func(tx *Tx) (err error) {
				n, err = tx.exec(`DELETE FROM recent_send WHERE (log, client_id, sender_id) IN
					(SELECT log, client_id, sender_id FROM recent_send WHERE send_time < $1 LIMIT $2)`, e.store.Now()-dedupMillis, forgetRows)
				return err
			})
		})
		if err != nil || n < forgetRows {
			return err
		}
	}
	return nil
}

func (e *postgresEngine) tx(q querier, writing bool) *Tx {
	return &Tx{ctx: context.Background(), q: q, store: e.store, dialect: dialect{postgres: true}, writing: writing}
}

func (e *postgresEngine) read(ctx context.Context, fn func(*Tx) error) error {
	t, err := e.db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return fmt.Errorf("begin read: %w", err)
	}
	defer t.Rollback() //nolint:errcheck // nothing to lose
	tx := e.tx(t, false)
	tx.ctx = ctx
	return protect(fn, tx)
}

func (e *postgresEngine) write(ctx context.Context, fn func(*Tx) error) error {
	e.mu.RLock()
	stopped := e.stopped
	e.mu.RUnlock()
	if stopped {
		return ErrClosed
	}
	return e.retry(func() error {
		return e.transact(1, func(tx *Tx) error { return protect(fn, tx) })
	})
}

// retry runs f again after conflicts, waiting a little longer each time.
func (e *postgresEngine) retry(f func() error) error {
	for attempt := 1; ; attempt++ {
		err := f()
		if !errors.Is(err, errRetry) || attempt == retryLimit {
			return err
		}
		pause := time.NewTimer(time.Duration(rand.Int64N(int64(min(attempt, 10)) * int64(2*time.Millisecond))))
		<-pause.C
	}
}

// errOutcome: the connection was lost during a commit, and it is not known
// whether that took place.
var errOutcome = errors.New("outcome not known")

// transact runs f, the work of some requests, in one transaction and publishes it
// after the commit.
func (e *postgresEngine) transact(requests int, f func(*Tx) error) error {
	began := time.Now()
	t, err := e.db.BeginTx(context.Background(), nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer t.Rollback() //nolint:errcheck // after a commit it does nothing
	tx := e.tx(t, true)
	if err := f(tx); err != nil {
		return err
	}
	if err := t.Commit(); err != nil {
		if _, answered := errors.AsType[*pgconn.PgError](err); !answered {
			err = fmt.Errorf("%w: %w", errOutcome, err)
			tx.uncertain()
		}
		return fmt.Errorf("commit: %w", tx.dialect.wrap(err))
	}
	e.store.commits(requests, time.Since(began))
	tx.committed()
	tx.reportRows()
	return nil
}

func (e *postgresEngine) append(ctx context.Context, a *Append) error {
	r := &writeRequest{ctx: ctx, append: a, done: make(chan error, 1)}
	c := e.committers[maphash.String(e.seed, string(a.Message.ConversationID))%uint64(len(e.committers))]
	e.mu.RLock()
	if e.stopped {
		e.mu.RUnlock()
		return ErrClosed
	}
	select {
	case c.queue <- r:
		e.mu.RUnlock()
	case <-ctx.Done():
		e.mu.RUnlock()
		return ctx.Err()
	}
	return <-r.done
}

// committer appends for its share of the conversations.
type committer struct {
	engine *postgresEngine
	queue  chan *writeRequest
}

const postgresBatch = 256

func (c *committer) run() {
	batch := make([]*writeRequest, 0, postgresBatch)
	for first := range c.queue {
		batch = queued(append(batch[:0], first), c.queue)
		c.serve(batch)
	}
}

func (c *committer) serve(batch []*writeRequest) {
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
	results, err := c.commit(alive)
	if lost := errors.Is(err, errOutcome); lost || err != nil && len(alive) > 1 {
		for _, r := range alive {
			r.done <- c.again(r, lost)
		}
		return
	}
	for i, r := range alive {
		if err != nil {
			r.done <- err
			continue
		}
		r.done <- results[i]
	}
}

// again runs a request of a failed batch alone. If the batch's outcome is not
// known, the message may be stored already.
func (c *committer) again(r *writeRequest, lost bool) error {
	if lost {
		if stored, err := c.areStored(r.append); err != nil {
			return err
		} else if stored {
			c.engine.store.wakeOutbox()
			for _, a := range r.append.all() {
				if a.Committed != nil && !a.Skip {
					a.Committed(a.Message)
				}
			}
			return nil
		}
	}
	results, err := c.commit([]*writeRequest{r})
	if err != nil {
		return err
	}
	return results[0]
}

// areStored looks for the messages of a request that have a row. They were
// stored together or not at all.
func (c *committer) areStored(a *Append) (found bool, err error) {
	for _, a := range a.all() {
		if a.Skip || a.Unstored {
			continue
		}
		if found, err = c.isStored(a); err != nil || !found {
			return found, err
		}
	}
	return found, nil
}

// isStored looks for the message among the last of its log, and gives it what
// is stored of it.
func (c *committer) isStored(a *Append) (found bool, err error) {
	m := a.Message
	err = c.engine.read(context.Background(), func(tx *Tx) error {
		rows, err := queryAll(tx, storedFields, `SELECT m.seq, m.client_id, m.send_time, m.data FROM log l JOIN message m ON m.log = l.id
			WHERE l.conversation_id = $1 ORDER BY m.seq DESC LIMIT $2`, m.ConversationID, 4*postgresBatch)
		if err != nil {
			return err
		}
		for _, row := range rows {
			stored, err := row.message(m.ConversationID)
			if err != nil {
				return err
			}
			if stored.ServerMsgID == m.ServerMsgID {
				found, m.Seq, m.SendTime = true, stored.Seq, stored.SendTime
			}
		}
		return nil
	})
	return found, err
}

// commit runs a batch as one transaction; the results are valid if it
// committed.
func (c *committer) commit(batch []*writeRequest) (results []error, err error) {
	var sent []*Append
	err = c.engine.retry(func() error {
		results, sent = make([]error, len(batch)), nil
		return c.engine.transact(len(batch), func(tx *Tx) error {
			b := &postgresBatchState{tx: tx, logs: make(map[im.ConversationID]*postgresLog)}
			err := b.run(batch, results)
			sent = b.sent
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	for _, a := range sent {
		if a.Committed != nil {
			a.Committed(a.Message)
		}
	}
	return results, nil
}

type postgresLog struct {
	id      int64
	max     im.Seq
	maxTime im.Millis
	opened  bool
	created bool // by this batch
	changed bool
}

// postgresBatchState is one batch on its way into the tables.
type postgresBatchState struct {
	tx   *Tx
	logs map[im.ConversationID]*postgresLog
	sent []*Append
}

func (b *postgresBatchState) run(batch []*writeRequest, results []error) error {
	if err := b.lockLogs(batch); err != nil {
		return err
	}
	repeated, err := b.repeats(batch)
	if err != nil {
		return err
	}
	var outbox []OutboxEvent
	for i, r := range batch {
		if results[i], err = b.place(r.append, repeated[i]); err != nil {
			return err
		}
		if results[i] != nil {
			continue
		}
		for _, next := range r.append.Then {
			refused, err := b.place(next, 0)
			if err := cmp.Or(err, refused); err != nil {
				return err
			}
		}
		for _, a := range r.append.all() {
			if a.Skip {
				continue
			}
			b.sent = append(b.sent, a)
			if a.Sent && b.tx.store.recorder.Enabled(im.EventMessageSent) {
				outbox = append(outbox, b.tx.store.recorder.Render(im.MessageSent{Message: a.Message, OperationID: a.OperationID})...)
			}
			if a.Message.Options.On(im.OptionOfflinePush) && b.tx.store.recorder.Enabled(im.EventMessageToPush) {
				outbox = append(outbox, b.tx.store.recorder.Render(im.MessageToPush{Message: a.Message, OperationID: a.OperationID})...)
			}
		}
	}
	if err := b.insert(); err != nil {
		return err
	}
	if err := b.dropUnused(); err != nil {
		return err
	}
	if len(outbox) == 0 {
		return nil
	}
	b.tx.outbox = true
	return b.tx.insertOutbox(outbox)
}

// lockLogs creates and locks the logs of the batch in sorted order.
func (b *postgresBatchState) lockLogs(batch []*writeRequest) error {
	var ids []string
	for _, r := range batch {
		for _, a := range r.append.all() {
			if !a.Unstored || a.Placed != nil {
				ids = append(ids, string(a.Message.ConversationID))
			}
		}
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	if len(ids) == 0 {
		return nil
	}
	if err := b.readLogs(ids, false); err != nil {
		return err
	}
	if len(b.logs) == len(ids) {
		return nil
	}
	if _, err := b.tx.exec(`INSERT INTO log (conversation_id) SELECT c FROM unnest($1::text[]) AS t (c) ON CONFLICT DO NOTHING`, ids); err != nil {
		return fmt.Errorf("create logs: %w", err)
	}
	return b.readLogs(ids, true)
}

func (b *postgresBatchState) readLogs(ids []string, created bool) error {
	type row struct {
		conversationID im.ConversationID
		log            postgresLog
	}
	rows, err := queryAll(b.tx, func(r *row) []any {
		return []any{&r.conversationID, &r.log.id, &r.log.max, &r.log.maxTime, (*flag)(&r.log.opened)}
	}, `SELECT conversation_id, id, max_seq, max_time, opened FROM log WHERE conversation_id = ANY($1) ORDER BY conversation_id FOR UPDATE`, ids)
	if err != nil {
		return fmt.Errorf("lock logs: %w", err)
	}
	for _, r := range rows {
		if b.logs[r.conversationID] == nil {
			r.log.created = created
			b.logs[r.conversationID] = &r.log
		}
	}
	return nil
}

// repeats finds, for each request that asks, the seq of the message it
// repeats, or 0.
func (b *postgresBatchState) repeats(batch []*writeRequest) ([]im.Seq, error) {
	repeated := make([]im.Seq, len(batch))
	var (
		at, logs        []int64
		clients, sender []string
	)
	for i, r := range batch {
		if a := r.append; a.Dedup && !a.Unstored {
			at = append(at, int64(i))
			logs = append(logs, b.logs[a.Message.ConversationID].id)
			clients = append(clients, a.Message.ClientMsgID)
			sender = append(sender, a.Message.SendID)
		}
	}
	if len(at) == 0 {
		return repeated, nil
	}
	type hit struct {
		at  int
		seq im.Seq
	}
	hits, err := queryAll(b.tx, func(h *hit) []any { return []any{&h.at, &h.seq} },
		`SELECT q.at, r.seq FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[]) AS q (at, log, client_id, sender_id)
		JOIN recent_send r ON r.log = q.log AND r.client_id = q.client_id AND r.sender_id = q.sender_id
		WHERE r.send_time >= $5`, at, logs, clients, sender, b.tx.store.Now()-dedupMillis)
	if err != nil {
		return nil, fmt.Errorf("look for repeated sends: %w", err)
	}
	for _, h := range hits {
		repeated[h.at] = h.seq
	}
	return repeated, nil
}

// place checks one request and gives its message a seq. The first error is the
// request's own; the second voids the batch.
func (b *postgresBatchState) place(a *Append, repeated im.Seq) (refused, err error) {
	m := a.Message
	m.Seq = 0
	if a.Dedup && !a.Unstored {
		for _, earlier := range b.sent {
			if earlier.Dedup && earlier.Message.ConversationID == m.ConversationID && isSameSend(earlier.Message, m) {
				a.Duplicate = earlier.Message
				return ErrDuplicateSend, nil
			}
		}
		if repeated != 0 {
			first, err := b.tx.MessagesBySeq(m.ConversationID, []im.Seq{repeated})
			if err != nil {
				return nil, err
			}
			if len(first) == 1 {
				a.Duplicate = first[0]
				return ErrDuplicateSend, nil
			}
		}
	}
	if a.Check != nil {
		if err := protect(a.Check, b.tx); err != nil {
			if _, ok := errors.AsType[*im.Error](err); ok {
				return err, nil
			}
			return nil, err // a failed statement has voided the transaction
		}
	}
	if a.Skip {
		return nil, nil
	}
	log := b.logs[m.ConversationID]
	if a.Unstored {
		if a.Placed != nil && log != nil {
			return nil, a.placed(b.tx, log.max)
		}
		return nil, nil
	}
	if log == nil {
		return nil, fmt.Errorf("append to %s: its log was not locked", m.ConversationID)
	}
	if a.opens() && !log.opened {
		if err := b.tx.openConversations(a); err != nil {
			return nil, err
		}
		log.opened = !a.Incomplete
	}
	log.max++
	followSendTime(m, log.maxTime)
	log.maxTime = m.SendTime
	log.changed = true
	m.Seq = log.max
	if a.Placed != nil {
		return nil, a.placed(b.tx, log.max)
	}
	return nil, nil
}

// insert writes the placed messages and what goes with them, one statement per
// table.
func (b *postgresBatchState) insert() error {
	var (
		logs, seqs, times []int64
		clients           []string
		data              [][]byte
		dedup             = make(map[[3]any]int)
		reads             = make(map[readKey]im.Seq)
	)
	var dLog, dSeq, dTime []int64
	var dClient, dSender []string
	for _, a := range b.sent {
		if a.Unstored {
			continue
		}
		m, log := a.Message, b.logs[a.Message.ConversationID]
		logs, seqs, times = append(logs, log.id), append(seqs, int64(m.Seq)), append(times, int64(m.SendTime))
		clients, data = append(clients, m.ClientMsgID), append(data, encodeMessage(nil, m))
		if !m.ConversationID.IsNotification() {
			reads[readKey{m.SendID, log.id}] = m.Seq
		}
		if key := [3]any{log.id, m.ClientMsgID, m.SendID}; a.Dedup {
			if _, twice := dedup[key]; !twice {
				dedup[key] = 1
				dLog, dSeq, dTime = append(dLog, log.id), append(dSeq, int64(m.Seq)), append(dTime, int64(m.SendTime))
				dClient, dSender = append(dClient, m.ClientMsgID), append(dSender, m.SendID)
			}
		}
	}
	if len(logs) == 0 {
		return nil
	}
	tx := b.tx
	if _, err := tx.exec(`INSERT INTO message (log, seq, client_id, send_time, data)
		SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::bigint[], $5::bytea[])`, logs, seqs, clients, times, data); err != nil {
		return fmt.Errorf("insert messages: %w", err)
	}
	if len(dLog) > 0 {
		if _, err := tx.exec(`INSERT INTO recent_send (log, client_id, sender_id, seq, send_time)
			SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bigint[], $5::bigint[])
			ON CONFLICT (log, client_id, sender_id) DO UPDATE SET seq = excluded.seq, send_time = excluded.send_time`,
			dLog, dClient, dSender, dSeq, dTime); err != nil {
			return fmt.Errorf("insert recent sends: %w", err)
		}
	}
	if err := b.updateLogs(); err != nil {
		return err
	}
	return b.advanceReads(reads)
}

// dropUnused removes the logs that were created for messages that were refused.
func (b *postgresBatchState) dropUnused() error {
	var ids []int64
	for _, l := range b.logs {
		if l.created && !l.changed {
			ids = append(ids, l.id)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	_, err := b.tx.exec(`DELETE FROM log WHERE id = ANY($1) AND max_seq = 0`, ids)
	return err
}

func (b *postgresBatchState) updateLogs() error {
	var ids, maxSeqs, maxTimes []int64
	var opened []int64
	for _, l := range b.logs {
		if l.changed {
			ids, maxSeqs, maxTimes = append(ids, l.id), append(maxSeqs, int64(l.max)), append(maxTimes, int64(l.maxTime))
			opened = append(opened, int64(boolInt(l.opened)))
		}
	}
	if _, err := b.tx.exec(`UPDATE log SET max_seq = q.max_seq, max_time = q.max_time, opened = q.opened
		FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[]) AS q (id, max_seq, max_time, opened) WHERE log.id = q.id`,
		ids, maxSeqs, maxTimes, opened); err != nil {
		return fmt.Errorf("advance seqs: %w", err)
	}
	return nil
}

func (b *postgresBatchState) advanceReads(reads map[readKey]im.Seq) error {
	keys := make([]readKey, 0, len(reads))
	for k := range reads {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b readKey) int {
		return cmp.Or(cmp.Compare(a.user, b.user), cmp.Compare(a.log, b.log))
	})
	users, logs, seqs := make([]string, len(keys)), make([]int64, len(keys)), make([]int64, len(keys))
	for i, k := range keys {
		users[i], logs[i], seqs[i] = k.user, k.log, int64(reads[k])
	}
	if len(keys) == 0 {
		return nil
	}
	if _, err := b.tx.exec(`INSERT INTO read_position (user_id, log, seq) SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[])
		ON CONFLICT (user_id, log) DO UPDATE SET seq = excluded.seq WHERE read_position.seq < excluded.seq`, users, logs, seqs); err != nil {
		return fmt.Errorf("read positions: %w", err)
	}
	return nil
}

// flag scans a 0/1 column into a bool.
type flag bool

// Scan implements sql.Scanner.
func (f *flag) Scan(v any) error {
	n, ok := v.(int64)
	if !ok {
		return fmt.Errorf("flag: unexpected %T", v)
	}
	*f = n != 0
	return nil
}
