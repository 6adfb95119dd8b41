package message

import (
	"context"
	"slices"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
)

// asksChats reports whether the business server may have to be asked about rows
// of conversations that come with the message.
func (s *Service) asksChats(p posting) bool {
	return len(p.owners) > 0 && !p.Unstored && s.hooks != nil && s.hooks.Wants(im.AskOpenChat)
}

// askChats asks about the rows that the message would make, the sender's first,
// and leaves out of p those that are refused. That refuses nothing else: the
// message is stored, and with the next one the question is put again.
func (s *Service) askChats(ctx context.Context, m *im.Message, p *posting, before bool) (asked, refused bool, err error) {
	var there []bool
	if err := s.store.Read(ctx, func(tx *store.Tx) error {
		there = there[:0]
		for _, row := range p.owners {
			_, found, err := tx.Conversation(row.OwnerID, row.ConversationID)
			if err != nil {
				return err
			}
			there = append(there, found)
		}
		return nil
	}); err != nil {
		return before, false, err
	}
	order := make([]int, 0, 2)
	for i, row := range p.owners {
		switch {
		case there[i]:
		case row.OwnerID == m.SendID:
			order = slices.Insert(order, 0, i)
		default:
			order = append(order, i)
		}
	}
	rows := slices.Clone(p.owners)
	var out []int
	for _, i := range order {
		q := im.MayOpenChat{Row: rows[i]}
		if s.hooks.Ask(ctx, &q) != nil {
			out = append(out, i)
			continue
		}
		rows[i] = q.Row
	}
	p.owners = p.owners[:0:0]
	for i, row := range rows {
		if !slices.Contains(out, i) {
			p.owners = append(p.owners, row)
		}
	}
	return before || len(order) > 0, len(out) > 0, nil
}
