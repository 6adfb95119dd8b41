package wire

import (
	"bytes"
	stdgzip "compress/gzip"
	"encoding/gob"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/openimsdk/protocol/sdkws"
	"google.golang.org/protobuf/proto"
)

// pushOf renders a push of n messages with 100-byte texts, about 300 bytes for one.
func pushOf(tb testing.TB, n int) *Response {
	tb.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	pull := &sdkws.PullMsgs{}
	for i := range n {
		text := make([]byte, 100)
		for j := range text {
			text[j] = "etaoin shrdlucmfwypvbgkjqxz,.ETAOIN0123456789"[rng.IntN(45)]
		}
		pull.Msgs = append(pull.Msgs, &sdkws.MsgData{
			SendID: "1234567890", RecvID: "9876543210", ClientMsgID: fmt.Sprintf("%032x", rng.Uint64()), ServerMsgID: fmt.Sprintf("%032x", rng.Uint64()),
			SenderPlatformID: 2, SenderNickname: "Nickname", SessionType: 1, MsgFrom: 100, ContentType: 101,
			Content: fmt.Appendf(nil, `{"content":"%s"}`, text), Seq: int64(i + 1), SendTime: 1753000000000 + int64(i), CreateTime: 1753000000000, Status: 2,
		})
	}
	data, err := proto.Marshal(&sdkws.PushMessages{Msgs: map[string]*sdkws.PullMsgs{"si_1234567890_9876543210": pull}})
	if err != nil {
		tb.Fatal(err)
	}
	return &Response{ReqIdentifier: 2001, OperationID: "a1b2c3d4e5f60718293a4b5c6d7e8f90", Data: data}
}

func requestOf(tb testing.TB) *Request {
	tb.Helper()
	return &Request{ReqIdentifier: 1003, SendID: "1234567890", OperationID: "a1b2c3d4e5f60718293a4b5c6d7e8f90", MsgIncr: "1234567890_17530000001", Data: pushOf(tb, 1).Data, Token: string(bytes.Repeat([]byte("t"), 200))}
}

func BenchmarkAppendResponse(b *testing.B) {
	r := pushOf(b, 1)
	for _, form := range []Form{Gob, JSON} {
		b.Run(form.String(), func(b *testing.B) {
			b.ReportAllocs()
			var buf []byte
			for b.Loop() {
				buf = form.AppendResponse(buf[:0], r)
			}
		})
	}
	b.Run("encoding-gob", func(b *testing.B) {
		b.ReportAllocs()
		var buf bytes.Buffer
		for b.Loop() {
			buf.Reset()
			_ = gob.NewEncoder(&buf).Encode(r)
		}
	})
	b.Run("encoding-json", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = json.Marshal(r)
		}
	})
}

func BenchmarkAppendRequest(b *testing.B) {
	r := requestOf(b)
	for _, form := range []Form{Gob, JSON} {
		b.Run(form.String(), func(b *testing.B) {
			b.ReportAllocs()
			var buf []byte
			for b.Loop() {
				buf = form.AppendRequest(buf[:0], r)
			}
		})
	}
}

func BenchmarkDecodeRequest(b *testing.B) {
	for _, form := range []Form{Gob, JSON} {
		frame := form.AppendRequest(nil, requestOf(b))
		b.Run(form.String(), func(b *testing.B) {
			b.ReportAllocs()
			var r Request
			for b.Loop() {
				_ = form.DecodeRequest(frame, &r)
				r.MsgIncr = "" // new with every frame
				r.OperationID = ""
			}
		})
	}
	b.Run("gob-unseen-type", func(b *testing.B) {
		frame := Gob.AppendRequest(nil, requestOf(b))
		b.ReportAllocs()
		var f gobFrame
		for b.Loop() {
			p, _ := requestSchema.newPlan(frame)
			_, r := gobValue(frame[len(p.prefix):])
			_ = p.decode(&r, &f)
		}
	})
	b.Run("encoding-gob", func(b *testing.B) {
		frame := Gob.AppendRequest(nil, requestOf(b))
		b.ReportAllocs()
		for b.Loop() {
			var r Request
			_ = gob.NewDecoder(bytes.NewReader(frame)).Decode(&r)
		}
	})
	b.Run("encoding-json", func(b *testing.B) {
		frame := JSON.AppendRequest(nil, requestOf(b))
		b.ReportAllocs()
		for b.Loop() {
			var r Request
			_ = json.Unmarshal(frame, &r)
		}
	})
}

func BenchmarkDecodeResponse(b *testing.B) {
	for _, form := range []Form{Gob, JSON} {
		frame := form.AppendResponse(nil, pushOf(b, 1))
		b.Run(form.String(), func(b *testing.B) {
			b.ReportAllocs()
			var r Response
			for b.Loop() {
				_ = form.DecodeResponse(frame, &r)
			}
		})
	}
}

func BenchmarkGzip(b *testing.B) {
	for _, n := range []int{1, 40} {
		src := Gob.AppendResponse(nil, pushOf(b, n))
		deflated := stdCompress(b, src, stdgzip.DefaultCompression) // as the SDK sends
		b.Run(fmt.Sprintf("compress/%d", len(src)), func(b *testing.B) {
			b.ReportAllocs()
			var buf []byte
			for b.Loop() {
				buf = Compress(buf[:0], src)
			}
			b.ReportMetric(float64(len(buf))/float64(len(src)), "ratio")
		})
		b.Run(fmt.Sprintf("stdlib-compress/%d", len(src)), func(b *testing.B) {
			b.ReportAllocs()
			var buf bytes.Buffer
			w := stdgzip.NewWriter(&buf)
			for b.Loop() {
				buf.Reset()
				w.Reset(&buf)
				_, _ = w.Write(src)
				_ = w.Close()
			}
			b.ReportMetric(float64(buf.Len())/float64(len(src)), "ratio")
		})
		b.Run(fmt.Sprintf("decompress/%d", len(src)), func(b *testing.B) {
			b.ReportAllocs()
			var buf []byte
			for b.Loop() {
				buf, _ = Decompress(buf[:0], deflated, 1<<20)
			}
		})
		b.Run(fmt.Sprintf("stdlib-decompress/%d", len(src)), func(b *testing.B) {
			b.ReportAllocs()
			var in bytes.Reader
			r := new(stdgzip.Reader)
			for b.Loop() {
				in.Reset(deflated)
				_ = r.Reset(&in)
				_, _ = io.ReadAll(r)
			}
		})
	}
}
