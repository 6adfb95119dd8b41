package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// kind is the type of a key's value. It decides what is accepted, how it is
// converted, and what an error says was expected.
type kind uint8

const (
	anyValue kind = iota // accepted unread, for keys without effect
	section
	boolean
	integer
	text
	texts
	ports
	seconds
	hours
	days
	duration
	types
	endpointList
)

// expected completes "expected …" in an error.
func (k kind) expected() string {
	switch k {
	case boolean:
		return "true or false"
	case integer:
		return "a whole number"
	case text:
		return "a text"
	case texts:
		return "a list of texts"
	case ports:
		return "a list of port numbers from 0 to 65535"
	case seconds:
		return "whole seconds"
	case hours:
		return "whole hours"
	case days:
		return "whole days"
	case duration:
		return "a duration such as 8s or 5m, or whole seconds"
	case types:
		return "a list of content types such as 101 or ranges such as 200-500"
	case endpointList:
		return "a list of endpoints, each with name, events and url (or pull: true)"
	case section:
		return "a section with keys of its own"
	default:
		return "a value"
	}
}

// valueError says that a value does not have the form its key needs.
type valueError struct {
	at       *node
	expected string
}

func (e *valueError) Error() string { return "expected " + e.expected }

// assign converts n and stores it in dst, which has the pointer type that k
// implies. It keeps the conversions of OpenIM's own loader: quoted numbers and
// booleans, a scalar or a comma list for a list, a number for a text.
func assign(dst any, k kind, n *node) *valueError {
	wrong := &valueError{at: n, expected: k.expected()}
	switch k {
	case texts, ports, types:
		return assignList(dst, k, n)
	}
	if n.kind != scalarNode {
		return wrong
	}
	s := strings.TrimSpace(n.text)
	switch k {
	case text:
		*dst.(*string) = n.text
		return nil
	case boolean:
		v, ok := parseBool(s)
		if !ok {
			return wrong
		}
		*dst.(*bool) = v
		return nil
	case duration:
		d, err := time.ParseDuration(s)
		if err != nil {
			v, ok := parseInt(s)
			if !ok || v > math.MaxInt64/int64(time.Second) {
				return wrong
			}
			d = time.Duration(v) * time.Second
		}
		if d < 0 {
			return wrong
		}
		*dst.(*time.Duration) = d
		return nil
	}
	v, ok := parseInt(s)
	if !ok {
		return wrong
	}
	unit := int64(1)
	switch k {
	case seconds:
		unit = int64(time.Second)
	case hours:
		unit = int64(time.Hour)
	case days:
		unit = int64(day)
	}
	if v > math.MaxInt64/unit || v < math.MinInt64/unit {
		return wrong
	}
	switch p := dst.(type) {
	case *int:
		*p = int(v)
	case *int64:
		*p = v
	case *time.Duration:
		*p = time.Duration(v * unit)
	}
	return nil
}

func assignList(dst any, k kind, n *node) *valueError {
	items := n.items
	switch n.kind {
	case scalarNode:
		items = nil
		for part := range strings.SplitSeq(n.text, ",") {
			if part = strings.TrimSpace(part); part != "" {
				items = append(items, &node{kind: scalarNode, text: part, line: n.line, col: n.col})
			}
		}
	case listNode:
	default:
		return &valueError{at: n, expected: k.expected()}
	}
	var (
		words  []string
		ranges []TypeRange
		nums   []int
	)
	for _, item := range items {
		wrong := &valueError{at: item, expected: k.expected()}
		if item.kind != scalarNode {
			return wrong
		}
		s := strings.TrimSpace(item.text)
		switch k {
		case texts:
			words = append(words, s)
		case ports:
			v, ok := parseInt(s)
			if !ok || v < 0 || v > math.MaxUint16 {
				return wrong
			}
			nums = append(nums, int(v))
		case types:
			r, ok := parseTypeRange(s)
			if !ok {
				return wrong
			}
			ranges = append(ranges, r)
		}
	}
	switch p := dst.(type) {
	case *[]string:
		*p = words
	case *[]int:
		*p = nums
	case *[]TypeRange:
		*p = ranges
	}
	return nil
}

func parseBool(s string) (v, ok bool) {
	switch strings.ToLower(s) {
	case "true", "t", "1", "yes", "on":
		return true, true
	case "false", "f", "0", "no", "off":
		return false, true
	}
	return false, false
}

// parseInt also takes 5.0 and 1_000, which YAML counts as numbers.
func parseInt(s string) (int64, bool) {
	if v, err := strconv.ParseInt(strings.ReplaceAll(s, "_", ""), 10, 64); err == nil {
		return v, true
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || f != math.Trunc(f) || math.Abs(f) > 1<<53 {
		return 0, false
	}
	return int64(f), true
}

func parseTypeRange(s string) (TypeRange, bool) {
	from, to, isRange := strings.Cut(s, "-")
	a, ok := parseInt(strings.TrimSpace(from))
	if !ok || a < 0 || a > math.MaxInt32 {
		return TypeRange{}, false
	}
	b := a
	if isRange {
		b, ok = parseInt(strings.TrimSpace(to))
		if !ok || b < a || b > math.MaxInt32 {
			return TypeRange{}, false
		}
	}
	return TypeRange{From: int32(a), To: int32(b)}, true
}

func (r TypeRange) String() string {
	if r.From == r.To {
		return strconv.Itoa(int(r.From))
	}
	return fmt.Sprintf("%d-%d", r.From, r.To)
}

// format renders the value src points to in the unit of k, as the file would.
func format(src any, k kind) string {
	switch p := src.(type) {
	case *string:
		return *p
	case *bool:
		return strconv.FormatBool(*p)
	case *int:
		return strconv.Itoa(*p)
	case *int64:
		return strconv.FormatInt(*p, 10)
	case *[]string:
		return "[" + strings.Join(*p, ", ") + "]"
	case *[]int:
		words := make([]string, len(*p))
		for i, v := range *p {
			words[i] = strconv.Itoa(v)
		}
		return "[" + strings.Join(words, ", ") + "]"
	case *[]Endpoint:
		return formatEndpoints(*p)
	case *[]TypeRange:
		words := make([]string, len(*p))
		for i, v := range *p {
			words[i] = v.String()
		}
		return "[" + strings.Join(words, ", ") + "]"
	case *time.Duration:
		switch k {
		case seconds:
			return strconv.FormatInt(int64(*p/time.Second), 10)
		case hours:
			return strconv.FormatInt(int64(*p/time.Hour), 10)
		case days:
			return strconv.FormatInt(int64(*p/day), 10)
		default:
			return shortDuration(*p)
		}
	default:
		return ""
	}
}

// shortDuration is Duration.String without the zero units at the end.
func shortDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-2]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-2]
	}
	return s
}
