package gateway

import "github.com/parley-im/parley/internal/im"

// Connected counts the connections by platform. It costs nothing.
func (h *Hub) Connected() map[im.Platform]int64 {
	out := make(map[im.Platform]int64)
	for p := range h.counts {
		if n := h.counts[p].Load(); n > 0 {
			out[im.Platform(p)] = n
		}
	}
	return out
}

// Stats is what waits at the connections of a server, all of them together.
type Stats struct {
	Users  int64 // with connections
	Frames int   // to clients
	Bytes  int   // of their content
	Sends  int   // of clients, behind earlier ones
	// Closed counts the connections that ended since the start, by reason.
	Closed map[string]int64
}

// MaxConns is how many connections this node takes.
func (s *Server) MaxConns() int { return s.options.MaxConns }

// Stats looks at every connection.
func (s *Server) Stats() Stats {
	out := Stats{Users: s.hub.online.Load(), Closed: make(map[string]int64, len(s.closed))}
	for why := range s.closed {
		out.Closed[closeReasons[why].label] = s.closed[why].Load()
	}
	for _, c := range s.hub.all() {
		c.mu.Lock()
		out.Frames += len(c.out)
		out.Bytes += c.waiting
		out.Sends += len(c.sends)
		c.mu.Unlock()
	}
	return out
}
