package wire

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

func appendJSONRequest(dst []byte, r *Request) []byte {
	dst = append(dst, `{"reqIdentifier":`...)
	dst = strconv.AppendInt(dst, int64(r.ReqIdentifier), 10)
	dst = append(dst, `,"token":`...)
	dst = appendJSONString(dst, r.Token)
	dst = append(dst, `,"sendID":`...)
	dst = appendJSONString(dst, r.SendID)
	dst = append(dst, `,"operationID":`...)
	dst = appendJSONString(dst, r.OperationID)
	dst = append(dst, `,"msgIncr":`...)
	dst = appendJSONString(dst, r.MsgIncr)
	dst = append(dst, `,"data":`...)
	dst = appendJSONBytes(dst, r.Data)
	return append(dst, '}')
}

func appendJSONResponse(dst []byte, r *Response) []byte {
	// Enough unless there is much to escape.
	dst = slices.Grow(dst, 128+len(r.MsgIncr)+len(r.OperationID)+len(r.ErrMsg)+base64.StdEncoding.EncodedLen(len(r.Data)))
	dst = append(dst, `{"reqIdentifier":`...)
	dst = strconv.AppendInt(dst, int64(r.ReqIdentifier), 10)
	dst = append(dst, `,"msgIncr":`...)
	dst = appendJSONString(dst, r.MsgIncr)
	dst = append(dst, `,"operationID":`...)
	dst = appendJSONString(dst, r.OperationID)
	dst = append(dst, `,"errCode":`...)
	dst = strconv.AppendInt(dst, int64(r.ErrCode), 10)
	dst = append(dst, `,"errMsg":`...)
	dst = appendJSONString(dst, r.ErrMsg)
	dst = append(dst, `,"data":`...)
	dst = appendJSONBytes(dst, r.Data)
	return append(dst, '}')
}

func appendJSONBytes(dst, b []byte) []byte {
	if b == nil {
		return append(dst, "null"...)
	}
	dst = append(dst, '"')
	dst = base64.StdEncoding.AppendEncode(dst, b)
	return append(dst, '"')
}

// appendJSONString appends s as encoding/json does, HTML characters escaped and
// invalid UTF-8 replaced.
func appendJSONString(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if jsonPlain[c] {
				i++
				continue
			}
			dst = append(dst, s[start:i]...)
			switch c {
			case '"', '\\':
				dst = append(dst, '\\', c)
			case '\b':
				dst = append(dst, `\b`...)
			case '\f':
				dst = append(dst, `\f`...)
			case '\n':
				dst = append(dst, `\n`...)
			case '\r':
				dst = append(dst, `\r`...)
			case '\t':
				dst = append(dst, `\t`...)
			default:
				dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&0xf])
			}
			i++
			start = i
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			dst = append(dst, s[start:i]...)
			dst = append(dst, `\ufffd`...)
			start = i + size
		case r == '\u2028' || r == '\u2029': // line ends to JavaScript, not to JSON
			dst = append(dst, s[start:i]...)
			dst = append(dst, `\u202`...)
			dst = append(dst, hex[r&0xf])
			start = i + size
		}
		i += size
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

// jsonPlain tells which ASCII characters stand for themselves in a string.
var jsonPlain = func() (plain [utf8.RuneSelf]bool) {
	for c := range plain {
		plain[c] = c >= ' ' && !strings.ContainsRune(`"\<>&`, rune(c))
	}
	return plain
}()

// Decoding has two ways. What clients really send, an object with the exact
// keys and strings without escapes, is read directly. Anything else, valid or
// not, is left to encoding/json, which thereby defines the meaning.

func decodeJSONRequest(b []byte, r *Request) error {
	in := *r
	s := jsonScanner{b: b}
	in.ReqIdentifier, in.Data = 0, nil
	var token, sendID, operationID, msgIncr []byte
	s.object(func(key []byte) {
		switch string(key) {
		case "reqIdentifier":
			in.ReqIdentifier = s.int32()
		case "token":
			token = s.text()
		case "sendID":
			sendID = s.text()
		case "operationID":
			operationID = s.text()
		case "msgIncr":
			msgIncr = s.text()
		case "data":
			in.Data = s.base64()
		default:
			s.odd = true
		}
	})
	if !s.odd {
		in.Token = keep(in.Token, token)
		in.SendID = keep(in.SendID, sendID)
		in.OperationID = keep(in.OperationID, operationID)
		in.MsgIncr = keep(in.MsgIncr, msgIncr)
		*r = in
		return nil
	}
	*r = Request{}
	if err := json.Unmarshal(b, r); err != nil {
		return fmt.Errorf("json request: %w: %s", ErrMalformed, err.Error())
	}
	return nil
}

func decodeJSONResponse(b []byte, r *Response) error {
	in := *r
	s := jsonScanner{b: b}
	in.ReqIdentifier, in.ErrCode, in.Data = 0, 0, nil
	var msgIncr, operationID, errMsg []byte
	s.object(func(key []byte) {
		switch string(key) {
		case "reqIdentifier":
			in.ReqIdentifier = s.int32()
		case "msgIncr":
			msgIncr = s.text()
		case "operationID":
			operationID = s.text()
		case "errCode":
			in.ErrCode = s.int32()
		case "errMsg":
			errMsg = s.text()
		case "data":
			in.Data = s.base64()
		default:
			s.odd = true
		}
	})
	if !s.odd {
		in.MsgIncr = keep(in.MsgIncr, msgIncr)
		in.OperationID = keep(in.OperationID, operationID)
		in.ErrMsg = keep(in.ErrMsg, errMsg)
		*r = in
		return nil
	}
	*r = Response{}
	if err := json.Unmarshal(b, r); err != nil {
		return fmt.Errorf("json response: %w: %s", ErrMalformed, err.Error())
	}
	return nil
}

// jsonScanner reads the plain subset of JSON. odd is set on leaving it; what
// was read by then is to be thrown away.
type jsonScanner struct {
	b   []byte
	odd bool
}

// object reads the whole input as one object without nesting and calls value
// at each value.
func (s *jsonScanner) object(value func(key []byte)) {
	s.expect('{')
	for !s.odd {
		key := s.text()
		s.expect(':')
		if s.odd {
			return
		}
		s.space()
		value(key)
		s.space()
		if len(s.b) > 0 && s.b[0] == ',' {
			s.b = s.b[1:]
			continue
		}
		s.expect('}')
		s.space()
		s.odd = s.odd || len(s.b) != 0
		return
	}
}

func (s *jsonScanner) space() {
	for len(s.b) > 0 && (s.b[0] == ' ' || s.b[0] == '\n' || s.b[0] == '\t' || s.b[0] == '\r') {
		s.b = s.b[1:]
	}
}

func (s *jsonScanner) expect(c byte) {
	s.space()
	if len(s.b) == 0 || s.b[0] != c {
		s.odd = true
		return
	}
	s.b = s.b[1:]
}

// text reads a string without escapes.
func (s *jsonScanner) text() []byte {
	s.expect('"')
	if s.odd {
		return nil
	}
	ascii := true
	for i, c := range s.b {
		switch {
		case c == '"':
			text := s.b[:i]
			s.b = s.b[i+1:]
			s.odd = !ascii && !utf8.Valid(text)
			return text
		case c == '\\' || c < ' ':
			s.odd = true
			return nil
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	s.odd = true
	return nil
}

// int32 reads up to nine digits, which always fit.
func (s *jsonScanner) int32() int32 {
	i, v := 0, int32(0)
	for ; i < len(s.b) && i < 9 && s.b[i] >= '0' && s.b[i] <= '9'; i++ {
		v = v*10 + int32(s.b[i]-'0')
	}
	if i == 0 || i > 1 && s.b[0] == '0' {
		s.odd = true
	}
	s.b = s.b[i:] // a tenth digit, sign, point or exponent is not the comma object looks for
	return v
}

func (s *jsonScanner) base64() []byte {
	if bytes.HasPrefix(s.b, []byte("null")) {
		s.b = s.b[len("null"):]
		return nil
	}
	s.expect('"')
	end := bytes.IndexByte(s.b, '"')
	if s.odd || end < 0 {
		s.odd = true
		return nil
	}
	text := s.b[:end]
	s.b = s.b[end+1:]
	data := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
	n, err := base64.StdEncoding.Decode(data, text)
	// The decoder passes over line breaks, which a JSON string cannot hold.
	s.odd = err != nil || base64.StdEncoding.EncodedLen(n) != len(text)
	return data[:n]
}
