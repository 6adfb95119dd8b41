package store_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
)

// BenchmarkAppend is the durable write path: 400-byte messages of many senders,
// each waiting for his commit before the next.
func BenchmarkAppend(b *testing.B) {
	for _, senders := range []int{1, 16, 256} {
		b.Run(fmt.Sprintf("sqlite/senders=%d", senders), func(b *testing.B) {
			s, err := store.Open(context.Background(), store.Options{Dir: b.TempDir()})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			content := []byte(`{"content":"` + strings.Repeat("x", 350) + `"}`)
			var n atomic.Int64
			b.SetParallelism((senders + 1) / 2)
			b.ReportAllocs()
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					i := n.Add(1)
					m := message(fmt.Sprintf("u%d", i%1000), fmt.Sprintf("v%d", i%1000), im.NewMessageID())
					m.Content = content
					if err := s.Append(context.Background(), &store.Append{Message: m, Dedup: true, Owners: single(m)}); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}
