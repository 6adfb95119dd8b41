package edge

import (
	"math"
	"sync"
	"time"
)

// ShedderOptions configure a Shedder.
type ShedderOptions struct {
	Window    time.Duration // of the past that is looked at
	Buckets   int           // its parts
	Threshold int           // CPU use, per mille, above which load is shed
	Now       func() time.Time
	// CPU is the use since its last call, per mille of what there is.
	CPU func() int
}

const (
	// cpuEvery is how often the CPU is looked at; of each look a twentieth goes
	// into the average.
	cpuEvery = 500 * time.Millisecond
	cpuKeep  = 0.95
	// shedFor is how long load is shed beyond the last time that it had to be.
	shedFor = time.Second
)

// Shedder refuses work while the CPU is busy and more is under way than what the
// machine has lately shown to get done: the most that was finished in one part of
// the window, times the least it took on average. Work that is begun beyond that
// only waits, and makes all other work wait. The nil *Shedder refuses nothing.
type Shedder struct {
	o    ShedderOptions
	part time.Duration // of the window

	mu       sync.Mutex
	inFlight int
	cpu      float64 // average, per mille
	lookedAt time.Time
	shedAt   time.Time // when load had to be shed; zero if not lately
	past     []finished
	limit    int // at limitAt
	limitAt  int64
	refused  int64
}

// finished is what was done in one part of the window.
type finished struct {
	part  int64 // since the epoch
	count int
	took  time.Duration // together
}

// NewShedder returns a Shedder.
func NewShedder(o ShedderOptions) *Shedder {
	o.Buckets = max(o.Buckets, 1)
	part := max(o.Window/time.Duration(o.Buckets), time.Millisecond)
	return &Shedder{o: o, part: part, past: make([]finished, o.Buckets), lookedAt: o.Now()}
}

// Enter asks for work to begin. If it may, Leave must follow with what Enter
// returned.
func (s *Shedder) Enter() (began time.Time, ok bool) {
	if s == nil {
		return time.Time{}, true
	}
	now := s.o.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.look(now)
	if s.overloaded(now) {
		s.refused++
		return now, false
	}
	s.inFlight++
	return now, true
}

// Leave says that the work is done.
func (s *Shedder) Leave(began time.Time) {
	if s == nil {
		return
	}
	now := s.o.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inFlight--
	part := s.partOf(now)
	f := &s.past[part%int64(len(s.past))]
	if f.part != part {
		*f = finished{part: part}
	}
	f.count++
	f.took += now.Sub(began)
}

// Limit is how much work may be under way while the CPU is busy; 0 if too
// little is known to say.
func (s *Shedder) Limit() int {
	if s == nil {
		return 0
	}
	now := s.o.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.most(now)
}

// Refused is how often work was refused.
func (s *Shedder) Refused() int64 {
	if s == nil {
		return 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refused
}

func (s *Shedder) partOf(t time.Time) int64 { return t.UnixNano() / int64(s.part) }

// look keeps the average of the CPU use up to date.
func (s *Shedder) look(now time.Time) {
	since := now.Sub(s.lookedAt)
	if since < cpuEvery {
		return
	}
	keep := math.Pow(cpuKeep, float64(since)/float64(cpuEvery))
	s.cpu = s.cpu*keep + float64(s.o.CPU())*(1-keep)
	s.lookedAt = now
}

func (s *Shedder) overloaded(now time.Time) bool {
	busy := s.cpu > float64(s.o.Threshold)
	if !busy && (s.shedAt.IsZero() || now.Sub(s.shedAt) > shedFor) {
		s.shedAt = time.Time{}
		return false
	}
	most := s.most(now)
	if most == 0 || s.inFlight < max(most, 2) {
		return false
	}
	if busy {
		s.shedAt = now
	}
	return true
}

// most looks at the parts of the window that are over.
func (s *Shedder) most(now time.Time) int {
	current := s.partOf(now)
	if s.limitAt == current {
		return s.limit
	}
	count, least := 0, time.Duration(math.MaxInt64)
	for _, f := range s.past {
		if f.count > 0 && f.part < current && f.part > current-int64(len(s.past)) {
			count = max(count, f.count)
			least = min(least, f.took/time.Duration(f.count))
		}
	}
	s.limit, s.limitAt = 0, current
	if count > 0 {
		least = max(least, time.Millisecond)
		s.limit = max(1, int(math.Ceil(float64(count)*float64(least)/float64(s.part))))
	}
	return s.limit
}
