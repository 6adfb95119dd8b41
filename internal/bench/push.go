package bench

import (
	"errors"

	"google.golang.org/protobuf/encoding/protowire"
)

// Field numbers of the protocol's messages that are read without decoding the
// rest; a test compares them with the generated types.
const (
	pushMessagesMsgs protowire.Number = 1 // sdkws.PushMessages: conversation id → sdkws.PullMsgs
	mapKey           protowire.Number = 1
	mapValue         protowire.Number = 2
	pullMsgsMsgs     protowire.Number = 1 // sdkws.PullMsgs: sdkws.MsgData

	msgDataSendID      protowire.Number = 1
	msgDataClientMsgID protowire.Number = 4
	msgDataSeq         protowire.Number = 14
	msgDataCreateTime  protowire.Number = 16

	sendMsgRespServerMsgID protowire.Number = 1
	sendMsgRespClientMsgID protowire.Number = 2
)

var errProtobuf = errors.New("not the protobuf expected")

// pushed is what we look at in a pushed message; the slices alias the frame.
type pushed struct {
	conversationID []byte
	clientMsgID    []byte
	seq            uint64
}

// eachPushed calls f for every chat message of a sdkws.PushMessages.
// Notifications are passed over.
func eachPushed(data []byte, f func(pushed)) error {
	return eachField(data, func(n protowire.Number, entry []byte, _ uint64) error {
		if n != pushMessagesMsgs {
			return nil
		}
		var conversationID, pull []byte
		if err := eachField(entry, func(n protowire.Number, b []byte, _ uint64) error {
			switch n {
			case mapKey:
				conversationID = b
			case mapValue:
				pull = b
			default:
			}
			return nil
		}); err != nil {
			return err
		}
		return eachField(pull, func(n protowire.Number, message []byte, _ uint64) error {
			if n != pullMsgsMsgs {
				return nil
			}
			p := pushed{conversationID: conversationID}
			if err := eachField(message, func(n protowire.Number, b []byte, v uint64) error {
				switch n {
				case msgDataClientMsgID:
					p.clientMsgID = b
				case msgDataSeq:
					p.seq = v
				default:
				}
				return nil
			}); err != nil {
				return err
			}
			f(p)
			return nil
		})
	})
}

// ackIDs reads a msg.SendMsgResp.
func ackIDs(data []byte) (serverMsgID, clientMsgID []byte, err error) {
	err = eachField(data, func(n protowire.Number, b []byte, _ uint64) error {
		switch n {
		case sendMsgRespServerMsgID:
			serverMsgID = b
		case sendMsgRespClientMsgID:
			clientMsgID = b
		default:
		}
		return nil
	})
	return serverMsgID, clientMsgID, err
}

// eachField calls f with the bytes or the varint of every field.
func eachField(b []byte, f func(n protowire.Number, b []byte, v uint64) error) error {
	for len(b) > 0 {
		n, typ, size := protowire.ConsumeTag(b)
		if size < 0 {
			return errProtobuf
		}
		b = b[size:]
		var (
			bytes  []byte
			varint uint64
		)
		switch typ {
		case protowire.BytesType:
			bytes, size = protowire.ConsumeBytes(b)
		case protowire.VarintType:
			varint, size = protowire.ConsumeVarint(b)
		default:
			size = protowire.ConsumeFieldValue(n, typ, b)
		}
		if size < 0 {
			return errProtobuf
		}
		b = b[size:]
		if err := f(n, bytes, varint); err != nil {
			return err
		}
	}
	return nil
}
