package edge_test

import (
	"testing"
	"time"

	"github.com/parley-im/parley/internal/edge"
)

// machine is a shedder with a clock and a CPU that tests set.
type machine struct {
	*clock
	*edge.Shedder
	cpu int
}

// newMachine sheds load above 300 per mille, and looks at 100 seconds in tenths.
func newMachine() *machine {
	m := &machine{clock: newClock()}
	m.Shedder = edge.NewShedder(edge.ShedderOptions{
		Window: 100 * time.Second, Buckets: 1000, Threshold: 300, Now: m.now, CPU: func() int { return m.cpu },
	})
	return m
}

// begin begins n things at most and returns those that were let in.
func (m *machine) begin(n int) (began []time.Time) {
	for range n {
		at, ok := m.Enter()
		if !ok {
			break
		}
		began = append(began, at)
	}
	return began
}

func (m *machine) end(began []time.Time) {
	for _, at := range began {
		m.Leave(at)
	}
}

// busy lets the CPU be used for 6 seconds: 460 per mille on average.
func (m *machine) busy() {
	m.cpu = 1000
	m.pass(6 * time.Second)
}

func TestShedder(t *testing.T) {
	t.Parallel()
	t.Run("an idle CPU takes everything", func(t *testing.T) {
		t.Parallel()
		m := newMachine()
		m.end(m.begin(1))
		m.cpu = 299
		m.pass(time.Minute)
		if got := len(m.begin(100)); got != 100 {
			t.Errorf("%d were let in", got)
		}
	})
	t.Run("a busy CPU takes what it has shown to do", func(t *testing.T) {
		t.Parallel()
		m := newMachine()
		// Ten are done in a tenth of a second, in 0.2 seconds each: 20 are under way.
		first := m.begin(10)
		m.pass(100 * time.Millisecond)
		second := m.begin(10)
		m.pass(100 * time.Millisecond)
		m.end(first)
		m.pass(100 * time.Millisecond)
		m.end(second)
		m.busy()
		if got := m.Limit(); got != 20 {
			t.Fatalf("limit %d, want 20", got)
		}
		under := m.begin(100)
		if len(under) != 20 {
			t.Fatalf("%d are under way, want 20", len(under))
		}
		if got := m.Refused(); got != 1 {
			t.Errorf("counted as refused: %d", got)
		}
		m.end(under[:1])
		if got := len(m.begin(2)); got != 1 {
			t.Errorf("after one was done %d were let in, want 1", got)
		}

		// The average falls slowly, and load is shed for a second beyond that.
		m.cpu = 0
		for _, step := range []struct {
			wait time.Duration
			in   int
			what string
		}{
			{4 * time.Second, 0, "while the average is above the threshold"},
			{600 * time.Millisecond, 0, "right after it"},
			{600 * time.Millisecond, 100, "a second after the last refusal"},
		} {
			m.pass(step.wait)
			if got := len(m.begin(100)); got != step.in {
				t.Errorf("%s %d were let in, want %d", step.what, got, step.in)
			}
		}
	})
	t.Run("without a past nothing is known", func(t *testing.T) {
		t.Parallel()
		m := newMachine()
		m.end(m.begin(1))
		m.pass(101 * time.Second) // longer than the window
		m.busy()
		if got := len(m.begin(100)); got != 100 || m.Limit() != 0 {
			t.Errorf("%d were let in, limit %d", got, m.Limit())
		}
	})
	t.Run("none", func(t *testing.T) {
		t.Parallel()
		var none *edge.Shedder
		at, ok := none.Enter()
		none.Leave(at)
		if !ok || none.Limit() != 0 || none.Refused() != 0 {
			t.Error("a missing shedder refuses")
		}
	})
}

// TestProcessCPU: a process that computes is seen to.
func TestProcessCPU(t *testing.T) {
	t.Parallel()
	cpu := edge.ProcessCPU()
	n := 0
	for at := time.Now(); time.Since(at) < 20*time.Millisecond; {
		n++
	}
	if got := cpu(); got <= 0 {
		t.Errorf("%d per mille after %d turns", got, n)
	}
}
