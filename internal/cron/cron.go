// Package cron reads schedules in the five fields of crontab: minute, hour, day
// of the month, month, day of the week. It knows nothing of the server; the
// configuration checks its schedules with it.
package cron

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"
	"time"
)

// Schedule says when something is due.
type Schedule struct {
	minutes, hours, days, months, weekdays uint64 // bit sets
	anyDay, anyWeekday                     bool   // the field was *
	every                                  time.Duration
}

// field is one of the five, with the values it may have.
type field struct {
	name      string
	low, high int
	names     []string // of the values from low on
}

var fields = []field{
	{"minute", 0, 59, nil},
	{"hour", 0, 23, nil},
	{"day of the month", 1, 31, nil},
	{"month", 1, 12, []string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}},
	{"day of the week", 0, 7, []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}},
}

var shorthands = map[string]string{
	"@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0",
	"@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
}

// Parse reads a schedule: five fields of *, numbers, names, ranges, lists and
// steps; or @daily and the like; or "@every 1h30m".
func Parse(text string) (Schedule, error) {
	text = strings.TrimSpace(text)
	if d, ok := strings.CutPrefix(text, "@every "); ok {
		every, err := time.ParseDuration(strings.TrimSpace(d))
		if err != nil || every < time.Second {
			return Schedule{}, fmt.Errorf("'%s' is not @every with a duration of a second or more", text)
		}
		return Schedule{every: every}, nil
	}
	if full, ok := shorthands[strings.ToLower(text)]; ok {
		text = full
	}
	parts := strings.Fields(text)
	if len(parts) != len(fields) {
		return Schedule{}, fmt.Errorf("expected five fields such as '0 2 * * *', got '%s'", text)
	}
	var sets [5]uint64
	for i, f := range fields {
		set, err := f.parse(parts[i])
		if err != nil {
			return Schedule{}, err
		}
		sets[i] = set
	}
	const sunday = 1<<0 | 1<<7
	if sets[4]&sunday != 0 {
		sets[4] |= sunday
	}
	s := Schedule{
		minutes: sets[0], hours: sets[1], days: sets[2], months: sets[3], weekdays: sets[4],
		anyDay: isAny(parts[2]), anyWeekday: isAny(parts[4]),
	}
	if s.Next(time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		return Schedule{}, fmt.Errorf("'%s' is never due", text)
	}
	return s, nil
}

func isAny(text string) bool { return strings.HasPrefix(text, "*") || strings.HasPrefix(text, "?") }

// parse reads a list of values, ranges and steps.
func (f field) parse(text string) (set uint64, err error) {
	for part := range strings.SplitSeq(text, ",") {
		span, stepText, stepped := strings.Cut(part, "/")
		step := 1
		if stepped {
			if step, err = strconv.Atoi(stepText); err != nil || step < 1 {
				return 0, fmt.Errorf("%s: '%s' is not a step", f.name, stepText)
			}
		}
		low, high := f.low, f.high
		if span != "*" && span != "?" {
			from, to, ranged := strings.Cut(span, "-")
			if low, err = f.value(from); err != nil {
				return 0, err
			}
			switch {
			case ranged:
				if high, err = f.value(to); err != nil {
					return 0, err
				}
			case !stepped:
				high = low
			}
		}
		if low > high {
			return 0, fmt.Errorf("%s: '%s' ends before it begins", f.name, span)
		}
		for v := low; v <= high; v += step {
			set |= 1 << v
		}
	}
	return set, nil
}

func (f field) value(text string) (int, error) {
	for i, name := range f.names {
		if strings.EqualFold(text, name) {
			return f.low + i, nil
		}
	}
	v, err := strconv.Atoi(text)
	if err != nil || v < f.low || v > f.high {
		return 0, fmt.Errorf("%s: '%s' is not in %d-%d", f.name, text, f.low, f.high)
	}
	return v, nil
}

// horizon bounds the search: every possible day comes within the years between
// two leap days.
const horizon = 9

// Next returns the first time after t that the schedule is due, in t's place,
// and the zero Time if it never is. A time that a change of the clock leaves out
// is due when the clock has moved on.
func (s Schedule) Next(t time.Time) time.Time {
	if s.every > 0 {
		return t.Add(s.every)
	}
	for day := startOfDay(t, 0); day.Year() <= t.Year()+horizon; day = startOfDay(day, 1) {
		if !s.dueOn(day) {
			continue
		}
		for hour := range bitsOf(s.hours) {
			for minute := range bitsOf(s.minutes) {
				at := time.Date(day.Year(), day.Month(), day.Day(), hour, minute, 0, 0, t.Location())
				if at.After(t) {
					return at
				}
			}
		}
	}
	return time.Time{}
}

func startOfDay(t time.Time, days int) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day()+days, 0, 0, 0, 0, t.Location())
}

// dueOn follows crontab: if both days are restricted, either is enough.
func (s Schedule) dueOn(day time.Time) bool {
	if s.months>>int(day.Month())&1 == 0 {
		return false
	}
	inMonth := s.days>>day.Day()&1 == 1
	inWeek := s.weekdays>>int(day.Weekday())&1 == 1
	if s.anyDay || s.anyWeekday {
		return inMonth && inWeek
	}
	return inMonth || inWeek
}

// bitsOf yields the values of a set, ascending.
func bitsOf(set uint64) func(yield func(int) bool) {
	return func(yield func(int) bool) {
		for ; set != 0; set &= set - 1 {
			if !yield(bits.TrailingZeros64(set)) {
				return
			}
		}
	}
}
