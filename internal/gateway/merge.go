package gateway

import (
	"github.com/parley-im/parley/internal/wire"
)

// Messages that wait for one connection travel in one push frame, up to these
// limits, as long as they stem from one operation.
const (
	mergeMessages = 100
	mergeBytes    = 256 << 10
)

// merge returns the next frame to write and how many queued ones it stands for.
func merge(queue []frame) (frame, int) {
	first, ok := queue[0].(*push)
	if !ok {
		return queue[0], 1
	}
	n, size := 1, len(first.message.Content)
	for n < len(queue) && n < mergeMessages {
		p, ok := queue[n].(*push)
		if !ok || p.operationID != first.operationID || size+len(p.message.Content) > mergeBytes {
			break
		}
		size += len(p.message.Content)
		n++
	}
	if n == 1 {
		return first, 1
	}
	list := make([]*push, n)
	for i := range list {
		list[i] = queue[i].(*push)
	}
	return &merged{list}, n
}

// merged is several pushes in one frame.
type merged struct{ list []*push }

func (m *merged) encode(f wire.Form, gzip bool) (int, []byte) {
	return (&reply{*pushResponse(m.list)}).encode(f, gzip)
}
