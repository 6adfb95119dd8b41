package message

import (
	"encoding/json"
	"slices"

	"github.com/parley-im/parley/internal/im"
)

// markQuotes notes on messages that quote others which of those were revoked:
// the quote must not go on showing them (websocket-and-messages 7.5).
func (p *puller) markQuotes(c im.ConversationID, msgs []*im.Message) error {
	quoting := map[im.Seq][]quoteOf{}
	for _, m := range msgs {
		if q, ok := quoteIn(m); ok {
			quoting[q.Seq] = append(quoting[q.Seq], quoteOf{m, q.ClientMsgID})
		}
	}
	if len(quoting) == 0 {
		return nil
	}
	seqs := make([]im.Seq, 0, len(quoting))
	for q := range quoting {
		seqs = append(seqs, q)
	}
	slices.Sort(seqs)
	for part := range slices.Chunk(seqs, readStep) {
		quoted, err := p.tx.MessagesBySeq(c, part)
		if err != nil {
			return err
		}
		for _, m := range quoted {
			if m.Revoked == nil {
				continue
			}
			for _, q := range quoting[m.Seq] {
				// A quote forwarded from elsewhere has a seq of that place.
				if q.clientMsgID == m.ClientMsgID {
					q.by.RevokedQuote = m
				}
			}
		}
	}
	return nil
}

// quoteOf is a message that quotes another.
type quoteOf struct {
	by          *im.Message
	clientMsgID string
}

// quoted is what a quote says of the message it shows.
type quoted struct {
	Seq         im.Seq
	ClientMsgID string
}

func quoteIn(m *im.Message) (q quoted, ok bool) {
	if m.ContentType != im.ContentQuote && m.ContentType != im.ContentAtText || m.Revoked != nil {
		return q, false
	}
	var elem struct{ QuoteMessage *quoted }
	if err := json.Unmarshal(m.Content, &elem); err != nil || elem.QuoteMessage == nil {
		return q, false // content is the clients' affair
	}
	return *elem.QuoteMessage, elem.QuoteMessage.Seq > 0
}
