package edge

// Remembered is how many addresses the handshakes of a limiter keep.
func (l *Limiter) Remembered() int { return l.handshakes.size() }
