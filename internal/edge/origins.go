package edge

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
)

// Origins says from which web pages browsers may call. The nil *Origins and the
// zero Origins allow all: apps live anywhere, and it is the token that decides.
type Origins struct {
	list atomic.Pointer[OriginList]
}

// origin is scheme://host, or scheme://*.domain for every host below it.
type origin struct {
	prefix string // with wildcard: scheme://
	suffix string // with wildcard: .domain
	wild   bool
}

// NewOrigins returns Origins that allow what is in list, or all if it is empty.
func NewOrigins(list []string) (*Origins, error) {
	o := &Origins{}
	parsed, err := ParseOrigins(list)
	if err != nil {
		return nil, err
	}
	o.Allow(parsed)
	return o, nil
}

// OriginList is a list of origins that was checked.
type OriginList []origin

// ParseOrigins reads origins such as https://app.example.com,
// https://*.example.com, or null.
func ParseOrigins(list []string) (OriginList, error) {
	var out OriginList
	for _, s := range list {
		word := strings.ToLower(strings.TrimSuffix(s, "/"))
		if word == "null" || word == "file://" {
			out = append(out, origin{prefix: word})
			continue
		}
		u, err := url.Parse(strings.Replace(word, "://*.", "://", 1))
		if err != nil || u.Scheme == "" || u.Host == "" || u.Path != "" || u.RawQuery != "" || u.User != nil || strings.Contains(u.Host, "*") {
			return nil, fmt.Errorf("%q is no origin such as https://app.example.com or https://*.example.com", s)
		}
		if scheme, domain, wild := strings.Cut(word, "://*."); wild {
			out = append(out, origin{prefix: scheme + "://", suffix: "." + domain, wild: true})
		} else {
			out = append(out, origin{prefix: word})
		}
	}
	return out, nil
}

// Allow replaces the list; an empty one allows all.
func (o *Origins) Allow(list OriginList) { o.list.Store(&list) }

// Any reports whether all origins are allowed.
func (o *Origins) Any() bool {
	if o == nil {
		return true
	}
	list := o.list.Load()
	return list == nil || len(*list) == 0
}

// Allowed reports whether the page that made the request may. Requests that say
// of no page are not a browser's.
func (o *Origins) Allowed(r *http.Request) bool {
	from := r.Header.Get("Origin")
	if from == "" || o.Any() {
		return true
	}
	from = strings.ToLower(from)
	for _, allowed := range *o.list.Load() {
		if allowed.matches(from) {
			return true
		}
	}
	return false
}

func (o origin) matches(from string) bool {
	if !o.wild {
		return from == o.prefix
	}
	host, ok := strings.CutPrefix(from, o.prefix)
	return ok && len(host) > len(o.suffix) && strings.HasSuffix(host, o.suffix)
}
