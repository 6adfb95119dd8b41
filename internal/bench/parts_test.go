package bench

import (
	"bytes"
	"compress/gzip"
	"encoding/gob"
	"errors"
	"io"
	"math"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/openimsdk/protocol/msg"
	"github.com/openimsdk/protocol/sdkws"
	"google.golang.org/protobuf/proto"

	"github.com/parley-im/parley/internal/wire"
)

var ownPID = os.Getpid()

func TestSendFrame(t *testing.T) {
	m := &sdkws.MsgData{SendID: "u1", RecvID: "u2", SessionType: 1, ContentType: 101, Content: bytes.Repeat([]byte("text "), 40), Status: 1}
	f, err := newSendFrame("a.long.token", m)
	if err != nil {
		t.Fatal(err)
	}
	var buf []byte
	for n, created := range map[uint32]time.Time{1: time.UnixMilli(1753000000123), 2: time.UnixMilli(1 << 36), math.MaxUint32: time.UnixMilli(1<<42 - 1)} {
		id := messageID{sender: 7, number: n, due: time.Duration(n) * time.Millisecond}
		frame := f.with(id, created)

		// As a server of the reference implementation reads it.
		r, err := gzip.NewReader(bytes.NewReader(frame))
		if err != nil {
			t.Fatal(err)
		}
		plain, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		var q wire.Request
		if err := gob.NewDecoder(bytes.NewReader(plain)).Decode(&q); err != nil {
			t.Fatal(err)
		}
		if buf, err = wire.Decompress(buf[:0], frame, 1<<20); err != nil || !bytes.Equal(buf, plain) {
			t.Errorf("message %d: our decoder differs: %v", n, err)
		}
		var got sdkws.MsgData
		if err := proto.Unmarshal(q.Data, &got); err != nil {
			t.Fatal(err)
		}
		if q.ReqIdentifier != 1003 || q.Token != "a.long.token" || q.SendID != "u1" || q.MsgIncr != got.ClientMsgID || q.OperationID != got.ClientMsgID {
			t.Errorf("message %d: %+v", n, q)
		}
		if back, ok := parseMessageID(got.ClientMsgID); !ok || back != id {
			t.Errorf("message %d: id %q", n, got.ClientMsgID)
		}
		if got.CreateTime != created.UnixMilli() {
			t.Errorf("message %d: created %d, want %d", n, got.CreateTime, created.UnixMilli())
		}
		got.ClientMsgID, got.CreateTime = "", 0
		if !proto.Equal(&got, m) {
			t.Errorf("message %d: %v", n, &got)
		}
	}
	if n := testing.AllocsPerRun(100, func() { f.with(messageID{1, 2, 3}, time.UnixMilli(1753000000123)) }); n != 0 {
		t.Errorf("%v allocations per frame", n)
	}
}

func TestParseMessageID(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "x", "0123456789abcdef0123456789abcde", "0123456789abcdef0123456789abcdeg", "0123456789abcdef0123456789abcdef0"} {
		if id, ok := parseMessageID(text); ok {
			t.Errorf("%q: got %v", text, id)
		}
	}
}

func TestEachPushed(t *testing.T) {
	t.Parallel()
	data, err := proto.Marshal(&sdkws.PushMessages{
		Msgs: map[string]*sdkws.PullMsgs{
			"si_a_b": {Msgs: []*sdkws.MsgData{{ClientMsgID: "1", Seq: 1, SendID: "a", Content: []byte("x")}, {ClientMsgID: "2", Seq: 300}}, IsEnd: true, EndSeq: 9},
			"sg_g":   {Msgs: []*sdkws.MsgData{{ClientMsgID: "3", Options: map[string]bool{"history": false}}}},
			"si_x_y": {},
		},
		NotificationMsgs: map[string]*sdkws.PullMsgs{"n_a": {Msgs: []*sdkws.MsgData{{ClientMsgID: "4", Seq: 4}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	type seen struct {
		conversationID, clientMsgID string
		seq                         uint64
	}
	var got []seen
	collect := func(p pushed) { got = append(got, seen{string(p.conversationID), string(p.clientMsgID), p.seq}) }
	if err := eachPushed(data, collect); err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(got, func(a, b seen) int { return bytes.Compare([]byte(a.clientMsgID), []byte(b.clientMsgID)) })
	if want := []seen{{"si_a_b", "1", 1}, {"si_a_b", "2", 300}, {"sg_g", "3", 0}}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	for n := range data {
		_ = eachPushed(data[:n], func(pushed) {}) // some prefixes are whole; none may panic
	}
	if err := eachPushed([]byte("\xff\xff\xff"), collect); !errors.Is(err, errProtobuf) {
		t.Errorf("garbage: got %v", err)
	}

	ack, err := proto.Marshal(&msg.SendMsgResp{ServerMsgID: "s", ClientMsgID: "c", SendTime: 5})
	if err != nil {
		t.Fatal(err)
	}
	if serverMsgID, clientMsgID, err := ackIDs(ack); err != nil || string(serverMsgID) != "s" || string(clientMsgID) != "c" {
		t.Errorf("ack: got %q, %q, %v", serverMsgID, clientMsgID, err)
	}
}

func TestStream(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		numbers                     []uint64
		fresh                       int
		missing, doubled, reordered int
	}{
		"in order":     {[]uint64{1, 2, 3, 4}, 4, 0, 0, 0},
		"one missing":  {[]uint64{1, 2, 4}, 3, 1, 0, 0},
		"first gone":   {[]uint64{3, 4}, 2, 2, 0, 0},
		"doubled":      {[]uint64{1, 2, 2, 1, 3}, 3, 0, 2, 0},
		"swapped":      {[]uint64{1, 3, 2, 4}, 4, 0, 0, 1},
		"late doubled": {[]uint64{1, 3, 2, 2}, 3, 0, 1, 1},
		"zero":         {[]uint64{0, 1}, 1, 0, 1, 0},
		"absurd":       {[]uint64{1, math.MaxUint64, 2}, 2, 0, 0, 1},
	} {
		var s stream
		s.startingAt(1)
		fresh := 0
		for _, n := range test.numbers {
			if s.add(n) {
				fresh++
			}
		}
		if fresh != test.fresh || len(s.missing) != test.missing || int(s.doubled) != test.doubled || int(s.reordered) != test.reordered {
			t.Errorf("%s: fresh %d, %+v", name, fresh, s)
		}
	}
	var free stream
	if !free.add(17) || !free.add(18) || !free.has(18) || free.has(19) {
		t.Errorf("a stream that begins anywhere: %+v", free)
	}
}

func TestHistogram(t *testing.T) {
	t.Parallel()
	for _, v := range []int64{0, 1, 63, 64, 127, 128, 129, 1000, 999_999, 1e9, 3e12, math.MaxInt64} {
		end := upperEnd(bucketOf(v))
		if end < v || float64(end-v) > float64(v)/60 {
			t.Errorf("%d falls into a bucket that ends at %d", v, end)
		}
		if v > 0 && bucketOf(v) < bucketOf(v-1) {
			t.Errorf("%d falls below %d", v, v-1)
		}
	}
	h := new(histogram)
	if h.percentiles() != nil {
		t.Error("percentiles of nothing")
	}
	for i := range 1000 {
		h.add(time.Duration(i+1) * time.Millisecond)
	}
	p := h.percentiles()
	for name, c := range map[string][2]float64{"p50": {p.P50, 500}, "p90": {p.P90, 900}, "p99": {p.P99, 990}, "max": {p.Max, 1000}} {
		if math.Abs(c[0]-c[1]) > c[1]*0.02 {
			t.Errorf("%s: got %v, want %v", name, c[0], c[1])
		}
	}
}

func TestProcess(t *testing.T) {
	t.Parallel()
	if rss, err := residentBytes(ownPID); err != nil || rss < 1<<20 {
		t.Errorf("memory: got %d, %v", rss, err)
	}
	if _, err := cpuTime(ownPID); err != nil {
		t.Errorf("CPU time: %v", err)
	}
	const none = 1 << 30 // above any process id
	if _, err := residentBytes(none); err == nil {
		t.Error("memory of no process")
	}
	if _, err := cpuTime(none); err == nil {
		t.Error("CPU time of no process")
	}
}

func BenchmarkSendFrame(b *testing.B) {
	f, err := newSendFrame("token", &sdkws.MsgData{SendID: "u1", RecvID: "u2", Content: bytes.Repeat([]byte("x"), 114)})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		f.with(messageID{1, 2, 3}, time.UnixMilli(1753000000123))
	}
}
