package bench

// stream checks numbers that should arrive as first, first+1, first+2 and so on.
type stream struct {
	started   bool
	next      uint64
	missing   map[uint64]struct{} // below next, not seen; nil when none ever was
	doubled   int64
	reordered int64
}

// streamMaxMissing bounds the memory for a server that loses nearly everything
// or invents numbers.
const streamMaxMissing = 1 << 20

// startingAt makes first the number to begin with; otherwise whatever comes
// first is.
func (s *stream) startingAt(first uint64) {
	s.started, s.next = true, first
}

// add reports whether n is new.
func (s *stream) add(n uint64) bool {
	if !s.started {
		s.startingAt(n)
	}
	switch {
	case n == s.next:
		s.next++
		return true
	case n > s.next:
		if n-s.next > streamMaxMissing-uint64(len(s.missing)) {
			s.reordered++
			return false
		}
		if s.missing == nil {
			s.missing = make(map[uint64]struct{})
		}
		for ; s.next < n; s.next++ {
			s.missing[s.next] = struct{}{}
		}
		s.next++
		return true
	}
	if _, ok := s.missing[n]; ok {
		delete(s.missing, n)
		s.reordered++
		return true
	}
	s.doubled++
	return false
}

func (s *stream) has(n uint64) bool {
	if n >= s.next {
		return false
	}
	_, missing := s.missing[n]
	return !missing
}
