package bench

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// histogram counts durations in buckets an eighth of a per cent to 1.6 % wide,
// from any number of goroutines.
type histogram struct {
	counts [64 << histogramBits]atomic.Int64
	most   atomic.Int64
}

const histogramBits = 6 // buckets per power of two, as bits

func (h *histogram) add(d time.Duration) {
	v := max(int64(d), 0)
	h.counts[bucketOf(v)].Add(1)
	for {
		most := h.most.Load()
		if v <= most || h.most.CompareAndSwap(most, v) {
			return
		}
	}
}

func bucketOf(v int64) int {
	shift := max(bits.Len64(uint64(v))-histogramBits-1, 0)
	return shift<<histogramBits + int(v>>shift)
}

// upperEnd is the largest value in a bucket.
func upperEnd(bucket int) int64 {
	shift := max(bucket>>histogramBits-1, 0)
	return (int64(bucket-shift<<histogramBits)+1)<<shift - 1
}

// percentiles is nil when nothing was counted.
func (h *histogram) percentiles() *Percentiles {
	var total int64
	for i := range h.counts {
		total += h.counts[i].Load()
	}
	if total == 0 {
		return nil
	}
	most := h.most.Load()
	at := func(share float64) float64 {
		rank := int64(share * float64(total))
		var seen int64
		for i := range h.counts {
			if seen += h.counts[i].Load(); seen > rank {
				return millis(time.Duration(min(upperEnd(i), most)))
			}
		}
		return millis(time.Duration(most))
	}
	return &Percentiles{P50: at(0.50), P90: at(0.90), P99: at(0.99), Max: millis(time.Duration(most))}
}
