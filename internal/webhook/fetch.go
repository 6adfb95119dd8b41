package webhook

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"time"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
)

// Bounds of fetching.
const (
	fetchers    = 128              // that wait at a time
	fetchBytes  = 4 << 20          // of bodies in one answer, but for the last
	fetchPage   = 100              // read at a time
	longestWait = 55 * time.Second // for the next event
	otherNodes  = 2 * time.Second  // how late events recorded by another node may be seen
)

// FetchRequest asks for the events of an endpoint that fetches.
type FetchRequest struct {
	Endpoint string
	After    int64         // a cursor; below 0 for the oldest that is kept
	Limit    int           // default 100, at most 1000
	Wait     time.Duration // for the first event if there is none, at most 55 s
}

// Fetch returns the events after a cursor in the order in which they are
// delivered to endpoints with a URL, lane by lane, with the range of what is kept.
// store.ErrCursorTooOld means that some of them were forgotten.
func (e *Engine) Fetch(ctx context.Context, q FetchRequest) ([]store.PulledEvent, store.PullRange, error) {
	s := e.store.Load()
	ep := e.plan.Load().endpoints[q.Endpoint]
	if s == nil || ep == nil || !ep.pull {
		return nil, store.PullRange{}, im.ErrNotFound.With("no endpoint %q fetches events", q.Endpoint)
	}
	if q.Limit <= 0 {
		q.Limit = fetchPage
	}
	q.Limit = min(q.Limit, 1000)
	if q.Wait > 0 {
		if e.fetching.Add(1) > fetchers {
			e.fetching.Add(-1)
			return nil, store.PullRange{}, im.ErrTooManyRequests.With("%d requests wait for events already", fetchers)
		}
		defer e.fetching.Add(-1)
	}
	until := e.o.Now().Add(min(q.Wait, longestWait))
	for {
		next := s.Pulled() // before reading, so that nothing slips between
		events, r, err := e.read(ctx, s, q)
		left := until.Sub(e.o.Now())
		if err != nil || len(events) > 0 || left <= 0 {
			return events, r, err
		}
		fired, stop := e.clock.Timer(min(left, otherNodes))
		select {
		case <-next:
		case <-fired:
		case <-ctx.Done():
			stop()
			return nil, r, ctx.Err()
		case <-e.fetchEnd:
			stop()
			return nil, r, nil
		}
		stop()
	}
}

func (e *Engine) read(ctx context.Context, s *store.Store, q FetchRequest) (events []store.PulledEvent, r store.PullRange, err error) {
	err = s.Read(ctx, func(tx *store.Tx) error {
		after, bytes := q.After, 0
		if after < 0 {
			var err error
			if r, err = tx.PullRange(q.Endpoint); err != nil {
				return err
			}
			after = r.Floor
		}
		for len(events) < q.Limit && bytes < fetchBytes {
			var page []store.PulledEvent
			var err error
			size := min(fetchPage, q.Limit-len(events))
			if page, r, err = tx.PullEvents(q.Endpoint, after, size); err != nil {
				return err
			}
			for i := range page {
				after = page[i].Cursor
				bytes += len(page[i].Body)
			}
			events = append(events, page...)
			if len(page) < size {
				break
			}
		}
		return nil
	})
	return events, r, err
}

// StopFetching answers everybody who waits for events, because the server stops.
func (e *Engine) StopFetching() { e.fetchOnce.Do(func() { close(e.fetchEnd) }) }

// Fetcher finds the endpoint that somebody with a secret may fetch from: the one
// named, or with "" any. Secrets are compared in constant time.
func (e *Engine) Fetcher(name, secret string) (endpoint string, ok bool) {
	given := sha256.Sum256([]byte(secret))
	for _, ep := range e.plan.Load().endpoints {
		if !ep.pull || name != "" && name != ep.name {
			continue
		}
		for _, t := range ep.tokens {
			if subtle.ConstantTimeCompare(t[:], given[:]) == 1 {
				endpoint, ok = ep.name, true
			}
		}
	}
	return endpoint, ok
}

// OnlyFetcher is the one endpoint that fetches, if there is but one.
func (e *Engine) OnlyFetcher() (name string, ok bool) {
	for _, ep := range e.plan.Load().endpoints {
		if ep.pull && name != "" {
			return "", false
		}
		if ep.pull {
			name = ep.name
		}
	}
	return name, name != ""
}
