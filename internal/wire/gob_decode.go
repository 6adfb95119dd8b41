package wire

import (
	"bytes"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
)

func decodeGobRequest(b []byte, r *Request) error {
	var f gobFrame
	if err := requestSchema.decode(b, &f); err != nil {
		return fmt.Errorf("gob request: %w", err)
	}
	id, err := narrow(f.ints[0])
	if err != nil {
		return fmt.Errorf("gob request: reqIdentifier: %w", err)
	}
	r.ReqIdentifier = id
	r.Token = keep(r.Token, f.texts[0])
	r.SendID = keep(r.SendID, f.texts[1])
	r.OperationID = keep(r.OperationID, f.texts[2])
	r.MsgIncr = keep(r.MsgIncr, f.texts[3])
	r.Data = f.data
	return nil
}

func decodeGobResponse(b []byte, r *Response) error {
	var f gobFrame
	if err := responseSchema.decode(b, &f); err != nil {
		return fmt.Errorf("gob response: %w", err)
	}
	id, err := narrow(f.ints[0])
	if err != nil {
		return fmt.Errorf("gob response: reqIdentifier: %w", err)
	}
	code, err := narrow(f.ints[1])
	if err != nil {
		return fmt.Errorf("gob response: errCode: %w", err)
	}
	r.ReqIdentifier = id
	r.MsgIncr = keep(r.MsgIncr, f.texts[0])
	r.OperationID = keep(r.OperationID, f.texts[1])
	r.ErrCode = code
	r.ErrMsg = keep(r.ErrMsg, f.texts[2])
	r.Data = f.data
	return nil
}

// decode reads one frame: definitions, then one value, and nothing after it.
func (s *gobSchema) decode(b []byte, f *gobFrame) error {
	p := s.plans.find(b)
	if p == nil {
		return s.decodeUnseen(b, f)
	}
	id, r := gobValue(b[len(p.prefix):])
	if id != p.typeID {
		return s.decodeUnseen(b, f) // more definitions follow those of the plan, or garbage
	}
	return p.decode(&r, f)
}

func (s *gobSchema) decodeUnseen(b []byte, f *gobFrame) error {
	p, err := s.newPlan(b)
	if err != nil {
		return err
	}
	id, r := gobValue(b[len(p.prefix):])
	if id != p.typeID {
		return fmt.Errorf("%w: bytes after the value", ErrMalformed)
	}
	if err := p.decode(&r, f); err != nil {
		return err
	}
	s.plans.add(p) // only now: a frame that is refused leaves no trace
	return nil
}

// gobValue opens the value message that must fill b. The id is 0, which is
// nobody's, when it does not.
func gobValue(b []byte) (int64, gobReader) {
	r := gobReader{b: b}
	body := r.bytes()
	if r.bad || len(r.b) != 0 {
		return 0, gobReader{}
	}
	r.b = body
	id := r.int()
	return id, r
}

// gobPlan says what to do with each field of a peer's envelope, found once per
// distinct definition.
type gobPlan struct {
	prefix []byte // the messages that define the type
	typeID int64
	fields []gobStep
	types  gobTypes // for skipping; nil when nothing is skipped but built-in types
}

type gobStep struct {
	known bool
	kind  gobKind // or the id of a defined type, when not known
	slot  int
}

func (s *gobSchema) newPlan(b []byte) (*gobPlan, error) {
	types, prefix, id, err := readGobTypes(b)
	if err != nil {
		return nil, err
	}
	envelope := types[id]
	if envelope == nil || envelope.form != gobStructForm {
		return nil, fmt.Errorf("%w: the value is not of a struct type", ErrMalformed)
	}
	p := &gobPlan{prefix: bytes.Clone(prefix), typeID: id}
	matched := false
	for _, field := range envelope.fields {
		step := gobStep{kind: gobKind(field.typeID)}
		i := slices.IndexFunc(s.fields, func(f gobField) bool { return f.name == string(field.name) })
		if i >= 0 {
			if s.fields[i].kind != gobKind(field.typeID) {
				return nil, fmt.Errorf("%w: field %s has another type", ErrMalformed, s.fields[i].name)
			}
			step.known, step.slot = true, s.fields[i].slot
			matched = true
		} else if field.typeID >= gobFirstUserType {
			p.types = types
		}
		p.fields = append(p.fields, step)
	}
	if !matched {
		return nil, fmt.Errorf("%w: no field of the envelope", ErrMalformed)
	}
	for _, t := range p.types { // names alias the caller's bytes, and are not needed to skip
		for i := range t.fields {
			t.fields[i].name = nil
		}
	}
	return p, nil
}

func (p *gobPlan) decode(r *gobReader, f *gobFrame) error {
	field := -1
	for {
		delta := r.uint()
		if delta == 0 {
			break
		}
		if delta >= uint64(len(p.fields)-field) {
			return fmt.Errorf("%w: field number out of range", ErrMalformed)
		}
		field += int(delta)
		step := &p.fields[field]
		if !step.known {
			p.types.skip(r, int64(step.kind), 0)
			continue
		}
		switch step.kind {
		case gobInt:
			f.ints[step.slot] = r.int()
		case gobString:
			f.texts[step.slot] = r.bytes()
		default: // gobBytes: there is no other kind in a schema
			f.data = r.bytes()
		}
	}
	if r.bad {
		return fmt.Errorf("%w: value cut short", ErrMalformed)
	}
	if len(r.b) != 0 {
		return fmt.Errorf("%w: bytes after the value", ErrMalformed)
	}
	if len(f.data) == 0 {
		f.data = nil
	}
	return nil
}

// gobPlans remembers the definitions seen last. Type ids depend on what else
// a client program encodes, so every client build has its own definition, but
// there are few builds. Readers take no lock.
type gobPlans struct {
	known atomic.Pointer[[]*gobPlan]

	mu   sync.Mutex // serialises add
	next int        // guarded by mu: the one to replace
}

const (
	gobPlansKept     = 8
	gobPlanMaxPrefix = 1 << 10 // larger definitions are legal, and parsed each time
)

func (c *gobPlans) find(b []byte) *gobPlan {
	known := c.known.Load()
	if known == nil {
		return nil
	}
	for _, p := range *known {
		if bytes.HasPrefix(b, p.prefix) {
			return p
		}
	}
	return nil
}

func (c *gobPlans) add(p *gobPlan) {
	if len(p.prefix) > gobPlanMaxPrefix {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	var plans []*gobPlan
	if known := c.known.Load(); known != nil {
		plans = slices.Clone(*known)
	}
	if slices.ContainsFunc(plans, func(q *gobPlan) bool { return bytes.Equal(p.prefix, q.prefix) }) {
		return
	}
	if len(plans) < gobPlansKept {
		plans = append(plans, p)
	} else {
		plans[c.next] = p
		c.next = (c.next + 1) % gobPlansKept
	}
	c.known.Store(&plans)
}
