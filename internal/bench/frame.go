package bench

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"time"

	"github.com/klauspost/compress/flate"
	"github.com/openimsdk/protocol/sdkws"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/parley-im/parley/internal/wire"
)

// messageID is a clientMsgID that says all we need to check and time a message
// when it comes back: 32 hex digits, as the SDK's. It also serves as msgIncr and
// operationID of the send.
type messageID struct {
	sender uint32        // index of the client
	number uint32        // counts the sender's messages from 1
	due    time.Duration // since the beginning of the run
}

const messageIDSize = 32

func (id messageID) put(dst []byte) {
	var raw [messageIDSize / 2]byte
	binary.BigEndian.PutUint32(raw[0:], id.sender)
	binary.BigEndian.PutUint32(raw[4:], id.number)
	binary.BigEndian.PutUint64(raw[8:], uint64(id.due))
	hex.Encode(dst, raw[:])
}

func parseMessageID[T string | []byte](text T) (messageID, bool) {
	if len(text) != messageIDSize {
		return messageID{}, false
	}
	var digits [messageIDSize]byte
	copy(digits[:], text)
	var raw [messageIDSize / 2]byte
	if _, err := hex.Decode(raw[:], digits[:]); err != nil {
		return messageID{}, false
	}
	return messageID{
		sender: binary.BigEndian.Uint32(raw[0:]),
		number: binary.BigEndian.Uint32(raw[4:]),
		due:    time.Duration(binary.BigEndian.Uint64(raw[8:])),
	}, true
}

// sendFrame is a client's request 1003, encoded and deflated once. What differs
// from message to message stands together in the middle, in a stored block
// between two deflated ones, so that a frame costs us some copying and a
// checksum and the server the inflating it has with any client.
type sendFrame struct {
	frame   []byte
	block   []byte // within frame: what the stored block holds
	trailer []byte // within frame: checksum and size
	ids     [3][]byte
	created []byte

	before uint32 // checksum of what precedes the block
	after  []byte // what follows it, not deflated
}

// A time in milliseconds is a varint of six bytes from 2004 to 2109.
const createTimeSize = 6

func newSendFrame(token string, m *sdkws.MsgData) (*sendFrame, error) {
	placeholder := bytes.Repeat([]byte("?"), messageIDSize)
	rest, err := proto.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encode message: %w", err)
	}
	var data []byte
	data = protowire.AppendTag(data, msgDataClientMsgID, protowire.BytesType)
	data = protowire.AppendBytes(data, placeholder)
	data = protowire.AppendTag(data, msgDataCreateTime, protowire.VarintType)
	data = protowire.AppendVarint(data, 1<<(7*createTimeSize)-1)
	data = append(data, rest...)
	plain := wire.Gob.AppendRequest(nil, &wire.Request{
		ReqIdentifier: wire.SendMsg,
		Token:         token,
		SendID:        m.SendID,
		OperationID:   string(placeholder),
		MsgIncr:       string(placeholder),
		Data:          data,
	})
	if bytes.Count(plain, placeholder) != 3 {
		return nil, errors.New("the message holds the placeholder of its id")
	}
	begin := bytes.Index(plain, placeholder)
	end := bytes.LastIndex(plain, placeholder) + messageIDSize + protowire.SizeTag(msgDataCreateTime) + createTimeSize

	f := &sendFrame{before: crc32.ChecksumIEEE(plain[:begin]), after: plain[end:]}
	var out bytes.Buffer
	out.Write([]byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff})
	if err := deflate(&out, plain[:begin], (*flate.Writer).Flush); err != nil {
		return nil, err
	}
	out.WriteByte(0) // a stored block, not the last
	size := uint16(end - begin)
	out.Write(binary.LittleEndian.AppendUint16(nil, size))
	out.Write(binary.LittleEndian.AppendUint16(nil, ^size))
	block := out.Len()
	out.Write(plain[begin:end])
	if err := deflate(&out, plain[end:], (*flate.Writer).Close); err != nil {
		return nil, err
	}
	trailer := out.Len()
	out.Write(make([]byte, 4))
	out.Write(binary.LittleEndian.AppendUint32(nil, uint32(len(plain))))

	f.frame = out.Bytes()
	f.block = f.frame[block : block+int(size)]
	f.trailer = f.frame[trailer:]
	left := f.block
	for i := range f.ids {
		at := bytes.Index(left, placeholder)
		f.ids[i] = left[at : at+messageIDSize]
		left = left[at+messageIDSize:]
	}
	f.created = f.block[len(f.block)-createTimeSize:]
	return f, nil
}

func deflate(out *bytes.Buffer, b []byte, end func(*flate.Writer) error) error {
	w, err := flate.NewWriter(out, flate.DefaultCompression)
	if err != nil {
		return fmt.Errorf("deflate: %w", err)
	}
	if _, err := w.Write(b); err != nil {
		return fmt.Errorf("deflate: %w", err)
	}
	if err := end(w); err != nil {
		return fmt.Errorf("deflate: %w", err)
	}
	return nil
}

// with returns the frame of one message, valid until the next call.
func (f *sendFrame) with(id messageID, created time.Time) []byte {
	id.put(f.ids[0])
	copy(f.ids[1], f.ids[0])
	copy(f.ids[2], f.ids[0])
	ms := uint64(created.UnixMilli())
	for i := range f.created {
		f.created[i] = byte(ms>>(7*i)) | 0x80
	}
	f.created[createTimeSize-1] &^= 0x80
	sum := crc32.Update(f.before, crc32.IEEETable, f.block)
	sum = crc32.Update(sum, crc32.IEEETable, f.after)
	binary.LittleEndian.PutUint32(f.trailer, sum)
	return f.frame
}
