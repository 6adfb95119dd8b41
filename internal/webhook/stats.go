package webhook

// BreakerState says whether an endpoint, or one callback of it, is called now.
type BreakerState struct {
	Endpoint, Callback string // Callback is "" for the endpoint itself
	State              string // StateOK, StateDown or StatePaused
}

// Breakers lists the endpoints in order of their names, each followed by those of
// its callbacks that ever failed by themselves or are paused. Unlike States it
// asks no database.
func (e *Engine) Breakers() []BreakerState {
	p := e.plan.Load()
	var list []BreakerState
	for _, name := range p.names() {
		ep := p.endpoints[name]
		for _, key := range ep.known("") {
			list = append(list, BreakerState{name, key, ep.stateOf(key)})
		}
	}
	return list
}

func (e *endpoint) stateOf(key string) string {
	if _, paused := e.pausedFor(key); paused {
		return StatePaused
	}
	b := e.breaker
	if key != "" {
		b = e.of(key, false)
	}
	if b != nil && b.view().open {
		return StateDown
	}
	return StateOK
}

// Queue is how full one of the engine's queues is.
type Queue struct {
	Name         string
	Length, Room int
}

// Queues lists those that hold work in memory.
func (e *Engine) Queues() []Queue {
	copies := Queue{Name: "webhook_shadow"}
	for _, ep := range e.plan.Load().endpoints {
		if ep.copies != nil {
			copies.Length += len(ep.copies.waiting)
			copies.Room += cap(ep.copies.waiting)
		}
	}
	return []Queue{
		{"webhook_alerts", len(e.alerts.queue), cap(e.alerts.queue)},
		{"webhook_log", len(e.calls.rows), cap(e.calls.rows)},
		copies,
	}
}
