package message

import (
	"context"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
)

// maxOperationID bounds the trace ids that are remembered.
const maxOperationID = 256

// NoteSent remembers for a day that a client action sent its message.
func (s *Service) NoteSent(ctx context.Context, operationID string) error {
	if operationID == "" || len(operationID) > maxOperationID {
		return nil
	}
	return s.store.Write(ctx, func(tx *store.Tx) error { return tx.PutSendStatus(operationID, im.StatusSent) })
}

// SendStatus tells what became of the message of a client action: a status of
// messages, or 0 if nothing is known.
func (s *Service) SendStatus(ctx context.Context, operationID string) (status int32, err error) {
	err = s.store.Read(ctx, func(tx *store.Tx) (err error) {
		status, err = tx.SendStatus(operationID)
		return err
	})
	return status, err
}
