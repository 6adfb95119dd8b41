// Package delivery decides which connected devices a committed message goes
// to. It is handed messages in commit order, never blocks, and may lose a push
// to a device that is too slow: clients pull what they miss.
//
// It does not know sockets; Conns does. Other nodes will be reached through a
// bus from here.
package delivery

import "github.com/parley-im/parley/internal/im"

// Conns are the connections of this node; gateway implements it. Push must not
// block.
type Conns interface {
	Push(users im.Audience, m *im.Message, operationID string)
}

// Service hands messages to this node's connections.
type Service struct{ conns Conns }

// New returns a Service that delivers to conns.
func New(conns Conns) *Service { return &Service{conns: conns} }

// Deliver queues m on every connection of its recipients.
func (s *Service) Deliver(m *im.Message, recipients im.Audience, operationID string) {
	s.conns.Push(recipients, m, operationID)
}
