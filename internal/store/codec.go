package store

import (
	"errors"
	"fmt"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/parley-im/parley/internal/im"
)

// A stored message is a sequence of tagged fields in protobuf's encoding:
// compact, quick, and open to new fields. Ids, seq and send time have columns
// of their own where queries need them; the rest lives here only.
const (
	fieldServerMsgID protowire.Number = iota + 1
	fieldSendID
	fieldRecvID
	fieldGroupID
	fieldPlatform
	fieldNickname
	fieldFaceURL
	fieldSession
	fieldFrom
	fieldContentType
	fieldContent
	fieldCreateTime
	fieldStatus
	fieldOptionOn
	fieldOptionOff
	fieldPush
	fieldAt
	fieldAttached
	fieldEx
	fieldRevoked
)

const (
	revokerID protowire.Number = iota + 1
	revokerNickname
	revokerRole
	revokedAt
)

const (
	pushTitle protowire.Number = iota + 1
	pushDesc
	pushEx
	pushSound
	pushBadge
	pushSignal
)

func appendText(b []byte, n protowire.Number, s string) []byte {
	if s == "" {
		return b
	}
	return protowire.AppendString(protowire.AppendTag(b, n, protowire.BytesType), s)
}

func appendNumber(b []byte, n protowire.Number, v int64) []byte {
	if v == 0 {
		return b
	}
	return protowire.AppendVarint(protowire.AppendTag(b, n, protowire.VarintType), uint64(v))
}

// encodeMessage appends the stored form of m, without what has columns.
func encodeMessage(b []byte, m *im.Message) []byte {
	b = appendText(b, fieldServerMsgID, m.ServerMsgID)
	b = appendText(b, fieldSendID, m.SendID)
	b = appendText(b, fieldRecvID, m.RecvID)
	b = appendText(b, fieldGroupID, m.GroupID)
	b = appendNumber(b, fieldPlatform, int64(m.SenderPlatform))
	b = appendText(b, fieldNickname, m.SenderNickname)
	b = appendText(b, fieldFaceURL, m.SenderFaceURL)
	b = appendNumber(b, fieldSession, int64(m.SessionType))
	b = appendNumber(b, fieldFrom, int64(m.MsgFrom))
	b = appendNumber(b, fieldContentType, int64(m.ContentType))
	if len(m.Content) > 0 {
		b = protowire.AppendBytes(protowire.AppendTag(b, fieldContent, protowire.BytesType), m.Content)
	}
	b = appendNumber(b, fieldCreateTime, int64(m.CreateTime))
	b = appendNumber(b, fieldStatus, int64(m.Status))
	if len(m.Options) > 0 {
		keys := make([]string, 0, len(m.Options))
		for k := range m.Options {
			keys = append(keys, k)
		}
		slices.Sort(keys) // the same message always has the same bytes
		for _, k := range keys {
			field := fieldOptionOff
			if m.Options[k] {
				field = fieldOptionOn
			}
			b = protowire.AppendString(protowire.AppendTag(b, field, protowire.BytesType), k)
		}
	}
	if p := m.Push; p != nil {
		var sub []byte
		sub = appendText(sub, pushTitle, p.Title)
		sub = appendText(sub, pushDesc, p.Desc)
		sub = appendText(sub, pushEx, p.Ex)
		sub = appendText(sub, pushSound, p.IOSPushSound)
		sub = appendNumber(sub, pushBadge, int64(boolInt(p.IOSBadgeCount)))
		sub = appendText(sub, pushSignal, p.SignalInfo)
		b = protowire.AppendBytes(protowire.AppendTag(b, fieldPush, protowire.BytesType), sub)
	}
	for _, id := range m.AtUserIDs {
		b = protowire.AppendString(protowire.AppendTag(b, fieldAt, protowire.BytesType), id)
	}
	b = appendText(b, fieldAttached, m.AttachedInfo)
	b = appendText(b, fieldEx, m.Ex)
	if r := m.Revoked; r != nil {
		var sub []byte
		sub = appendText(sub, revokerID, r.RevokerID)
		sub = appendText(sub, revokerNickname, r.Nickname)
		sub = appendNumber(sub, revokerRole, int64(r.Role))
		sub = appendNumber(sub, revokedAt, int64(r.At))
		b = protowire.AppendBytes(protowire.AppendTag(b, fieldRevoked, protowire.BytesType), sub)
	}
	return b
}

var errBadRow = errors.New("stored message is damaged")

// eachField calls text or number for every field of b.
func eachField(b []byte, text func(protowire.Number, []byte), number func(protowire.Number, int64)) error {
	for len(b) > 0 {
		n, typ, size := protowire.ConsumeTag(b)
		if size < 0 {
			return fmt.Errorf("%w: %w", errBadRow, protowire.ParseError(size))
		}
		b = b[size:]
		switch typ {
		case protowire.VarintType:
			v, size := protowire.ConsumeVarint(b)
			if size < 0 {
				return fmt.Errorf("%w: %w", errBadRow, protowire.ParseError(size))
			}
			number(n, int64(v))
			b = b[size:]
		case protowire.BytesType:
			v, size := protowire.ConsumeBytes(b)
			if size < 0 {
				return fmt.Errorf("%w: %w", errBadRow, protowire.ParseError(size))
			}
			text(n, v)
			b = b[size:]
		default:
			return fmt.Errorf("%w: field type %d", errBadRow, typ)
		}
	}
	return nil
}

// decodeMessage fills m from its stored form. m keeps no reference to b.
func decodeMessage(b []byte, m *im.Message) error {
	return eachField(b, func(n protowire.Number, v []byte) {
		switch n {
		case fieldServerMsgID:
			m.ServerMsgID = string(v)
		case fieldSendID:
			m.SendID = string(v)
		case fieldRecvID:
			m.RecvID = string(v)
		case fieldGroupID:
			m.GroupID = string(v)
		case fieldNickname:
			m.SenderNickname = string(v)
		case fieldFaceURL:
			m.SenderFaceURL = string(v)
		case fieldContent:
			m.Content = slices.Clone(v)
		case fieldOptionOn, fieldOptionOff:
			if m.Options == nil {
				m.Options = im.Options{}
			}
			m.Options[string(v)] = n == fieldOptionOn
		case fieldPush:
			m.Push = decodePush(v)
		case fieldAt:
			m.AtUserIDs = append(m.AtUserIDs, string(v))
		case fieldAttached:
			m.AttachedInfo = string(v)
		case fieldEx:
			m.Ex = string(v)
		case fieldRevoked:
			m.Revoked = decodeRevocation(v)
		}
	}, func(n protowire.Number, v int64) {
		switch n {
		case fieldPlatform:
			m.SenderPlatform = int32(v)
		case fieldSession:
			m.SessionType = im.SessionType(v)
		case fieldFrom:
			m.MsgFrom = int32(v)
		case fieldContentType:
			m.ContentType = im.ContentType(v)
		case fieldCreateTime:
			m.CreateTime = im.Millis(v)
		case fieldStatus:
			m.Status = int32(v)
		}
	})
}

func decodePush(b []byte) *im.PushInfo {
	p := &im.PushInfo{}
	_ = eachField(b, func(n protowire.Number, v []byte) { // the outer field was whole; its inner ones were written by us
		switch n {
		case pushTitle:
			p.Title = string(v)
		case pushDesc:
			p.Desc = string(v)
		case pushEx:
			p.Ex = string(v)
		case pushSound:
			p.IOSPushSound = string(v)
		case pushSignal:
			p.SignalInfo = string(v)
		}
	}, func(n protowire.Number, v int64) {
		if n == pushBadge {
			p.IOSBadgeCount = v != 0
		}
	})
	return p
}

func decodeRevocation(b []byte) *im.Revocation {
	r := &im.Revocation{}
	_ = eachField(b, func(n protowire.Number, v []byte) { // as in decodePush
		switch n {
		case revokerID:
			r.RevokerID = string(v)
		case revokerNickname:
			r.Nickname = string(v)
		}
	}, func(n protowire.Number, v int64) {
		switch n {
		case revokerRole:
			r.Role = int32(v)
		case revokedAt:
			r.At = im.Millis(v)
		}
	})
	return r
}
