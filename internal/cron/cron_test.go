package cron_test

import (
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/parley-im/parley/internal/cron"
)

const layout = "2006-01-02 15:04:05"

func TestNext(t *testing.T) {
	for _, c := range []struct{ schedule, from, want string }{
		{"0 2 * * *", "2026-03-01 01:59:59", "2026-03-01 02:00:00"},
		{"0 2 * * *", "2026-03-01 02:00:00", "2026-03-02 02:00:00"},
		{"0 2 * * *", "2026-12-31 02:00:01", "2027-01-01 02:00:00"},
		{"*/15 * * * *", "2026-03-01 00:50:00", "2026-03-01 01:00:00"},
		{"5/20 * * * *", "2026-03-01 00:26:00", "2026-03-01 00:45:00"},
		{"30 8-10,22 * * *", "2026-03-01 10:31:00", "2026-03-01 22:30:00"},
		{"0 0 29 2 *", "2024-03-01 00:00:00", "2028-02-29 00:00:00"},
		{"0 0 29 2 *", "2096-03-01 00:00:00", "2104-02-29 00:00:00"},
		{"0 0 * * mon", "2026-03-01 00:00:00", "2026-03-02 00:00:00"},
		{"0 0 * * 7", "2026-03-02 00:00:00", "2026-03-08 00:00:00"},
		{"0 0 * Feb-mar Sun", "2026-12-01 00:00:00", "2027-02-07 00:00:00"},
		{"0 0 13 * 5", "2026-03-01 00:00:00", "2026-03-06 00:00:00"},
		{"0 0 13 * 5", "2026-03-07 00:00:00", "2026-03-13 00:00:00"},
		{"0 0 1 * ?", "2026-03-01 00:00:00", "2026-04-01 00:00:00"},
		{"@daily", "2026-03-01 00:00:00", "2026-03-02 00:00:00"},
		{"@Hourly", "2026-03-01 00:10:00", "2026-03-01 01:00:00"},
		{"@every 90m", "2026-03-01 00:10:30", "2026-03-01 01:40:30"},
	} {
		s, err := cron.Parse(c.schedule)
		if err != nil {
			t.Errorf("%s: %v", c.schedule, err)
			continue
		}
		from, err := time.Parse(layout, c.from)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Next(from).Format(layout); got != c.want {
			t.Errorf("%s after %s: %s, want %s", c.schedule, c.from, got, c.want)
		}
	}
}

// Two o'clock does not exist on the day clocks go forward.
func TestNextWhenTheClockChanges(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	s, err := cron.Parse("0 2 * * *")
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 3, 28, 12, 0, 0, 0, berlin)
	for range 3 {
		next := s.Next(at)
		if d := next.Sub(at); d <= 0 || d > 26*time.Hour {
			t.Errorf("after %s comes %s", at, next)
		}
		at = next
	}
	if at.Day() != 31 {
		t.Errorf("a day was left out or came twice: %s", at)
	}
}

func TestParseRefuses(t *testing.T) {
	for _, text := range []string{
		"", "0 2 * *", "0 2 * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 * ", "* * * * 8", "5-1 * * * *",
		"*/0 * * * *", "a * * * *", "1,,2 * * * *", "0 0 30 2 *", "@sometimes", "@every", "@every 0s", "@every x", "-1 * * * *",
	} {
		if _, err := cron.Parse(text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}
