package metrics

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// Emit hands over the present value of a figure, with its labels in order.
type Emit func(f *Figure, value float64, labels ...string)

// Read asks a part of the server for its figures. It is called when somebody
// looks, by one goroutine at a time.
type Read func(emit Emit)

// From adds figures that are asked for. Call it before anybody looks.
func (m *Metrics) From(reads ...Read) {
	m.state.mu.Lock()
	defer m.state.mu.Unlock()
	m.state.reads = append(m.state.reads, reads...)
}

// state is a prometheus.Collector of what parts say when asked.
type state struct {
	mu    sync.Mutex // held while they are asked: two scrapes at a time cost no more than one after the other
	reads []Read
}

func newState() *state { return &state{} }

// Describe implements prometheus.Collector.
func (s *state) Describe(out chan<- *prometheus.Desc) {
	for _, f := range figures {
		if f.kind.read() {
			out <- f.desc
		}
	}
}

// Collect implements prometheus.Collector.
func (s *state) Collect(out chan<- prometheus.Metric) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, read := range s.reads {
		read(func(f *Figure, value float64, labels ...string) {
			m, err := prometheus.NewConstMetric(f.desc, f.kind.valueType(), value, labels...)
			if err != nil { // labels that do not fit their figure
				m = prometheus.NewInvalidMetric(f.desc, err)
			}
			out <- m
		})
	}
}
