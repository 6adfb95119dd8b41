// Package objecttest has what people try who want more of an object store than is
// theirs: names, links, keys and ranges. Tests and fuzz targets share it.
package objecttest

import (
	"fmt"
	"net/url"
	"strings"
)

// User may use the names that begin with it and a slash.
const User = "alice"

// Names are more than a thousand names that User must not be given.
func Names() (names []string) {
	prefixes := []string{
		"alice/", "alice/a/", "/", "", "bob/", "alice/../bob/", "ALICE/", "alice\\", "alice/./", "C:\\", "~/",
	}
	parts := []string{
		"..", ".", "", "\x00", "\\", "\u202e", "\r\n", "\x7f", "\xff", "..\\", "\u2066x", "\u2028", "\t", "\xc0\xae\xc0\xae", "...\\...", "\x1b[2J",
	}
	suffixes := []string{"", "/", "x", "/x", "/etc/passwd", ".png", "/..", "/.", "%2e%2e/", "\x00.png"}
	for _, prefix := range prefixes {
		for _, part := range parts {
			for _, suffix := range suffixes {
				names = append(names, prefix+part+suffix)
			}
		}
	}
	for i := range 100 {
		names = append(names, "alice/"+strings.Repeat("../", i+1)+"etc/passwd", "alice/"+strings.Repeat("x", 1020+i)+"..")
	}
	refused := names[:0]
	for _, name := range names {
		if !Allowed(name) {
			refused = append(refused, name)
		}
	}
	return refused
}

// Seeds are some of a list, for a fuzz target to begin with: it runs all of them
// before anything of its own.
func Seeds(list []string) (seeds []string) {
	for i := 0; i < len(list); i += max(1, len(list)/60) {
		seeds = append(seeds, list[i])
	}
	return seeds
}

// Allowed says by the rule of names, and not as the server does it, whether User may
// use one.
func Allowed(name string) bool {
	if len(name) > 1024 || !strings.HasPrefix(name, User+"/") || strings.ToValidUTF8(name, "") != name {
		return false
	}
	for _, r := range name {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || strings.ContainsRune("\\\u061c\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069", r) {
			return false
		}
	}
	for _, segment := range strings.Split(name, "/") {
		if segment == "" || segment == "." || segment == ".." {
			return false
		}
	}
	return true
}

// Paths are ways to write a path that leaves the folder it begins in, to get at a
// file; request targets, as they go over the wire.
func Paths(folder, file string) (targets []string) {
	ups := []string{
		"../", "..%2f", "%2e%2e/", "%2e%2e%2f", "%2E%2E%2F", ".%2e/", "%252e%252e%252f", "..%5c", "..\\", "%5c..%5c", "..;/", "..%00/", "..%0d%0a/",
		"%c0%ae%c0%ae/", "%c0%2e%c0%2e/", "%uff0e%uff0e/", "....//", "..//", "./../", "/./../", "%00/../", "x/../../", "x%2f..%2f..%2f", "..%ef%bc%8f",
		"%e2%80%ae/../", "..%c1%9c", "%ff../", "..?/", "..#/", "..%23/", "..%3f/",
	}
	for _, up := range ups {
		for _, times := range []int{1, 2, 7} {
			targets = append(targets, folder+strings.Repeat(up, times)+file)
		}
	}
	for _, root := range []string{"/", "//", "%2f", "%2F%2F", "C:/", "C:%5c", "file:///", "~/", "%7e/", "\\\\", "%5c%5chost%5c", "/proc/self/root/", "%00", "%0a", ".", "./", " "} {
		targets = append(targets, folder+root+file)
	}
	return targets
}

// Links are changed forms of a good, signed link; none of them may be taken.
func Links(good string) (links []string) {
	link, err := url.Parse(good)
	if err != nil {
		panic(err) // the server made it
	}
	q := link.Query()
	with := func(change func(url.Values)) {
		other, changed := *link, url.Values{}
		for k, v := range q {
			changed[k] = append([]string(nil), v...)
		}
		change(changed)
		other.RawQuery = changed.Encode()
		links = append(links, other.RequestURI())
	}
	signature, expires := q.Get("signature"), q.Get("expires")
	for i := range signature {
		for _, c := range "A-~" {
			if byte(c) != signature[i] {
				with(func(v url.Values) { v.Set("signature", signature[:i]+string(c)+signature[i+1:]) })
			}
		}
		with(func(v url.Values) { v.Set("signature", signature[:i]) })
		with(func(v url.Values) { v.Set("signature", signature[i+1:]) })
	}
	for i := range expires {
		for c := '0'; c <= '9'; c++ {
			if byte(c) != expires[i] {
				with(func(v url.Values) { v.Set("expires", expires[:i]+string(c)+expires[i+1:]) })
			}
		}
	}
	for _, s := range []string{
		"", "=", "==", "null", "undefined", "0", "true", signature + "=", signature + "A", " " + signature, signature + "\x00", signature + "\n",
		strings.ToUpper(signature), strings.ToLower(signature), strings.Repeat("A", 43), strings.Repeat("A", 10000), signature + signature, "%", "' OR ''='",
	} {
		if s != signature {
			with(func(v url.Values) { v.Set("signature", s) })
		}
	}
	for _, e := range []string{
		"", "0", "-1", "9999999999", "99999999999999999999", "1e12", "0x7fffffff", "+" + expires, " " + expires, expires + " ", "0" + expires, expires + ".0",
		expires + "\x00", "NaN", "Infinity", "now", "2999-01-01",
	} {
		with(func(v url.Values) { v.Set("expires", e) })
	}
	with(func(v url.Values) { v.Del("signature") })
	with(func(v url.Values) { v.Del("expires") })
	with(func(v url.Values) { v.Del("signature"); v.Del("expires") })
	with(func(v url.Values) { v.Set("SIGNATURE", signature); v.Del("signature") })
	with(func(v url.Values) { v["signature"] = []string{"A", signature} })
	with(func(v url.Values) { v["expires"] = []string{"9999999999", expires} })
	return links
}

// Ranges are odd Range headers.
func Ranges() (ranges []string) {
	ranges = []string{
		"bytes", "bytes=", "bytes=-", "bytes=--1", "bytes=-0", "bytes=0", "bytes=a-b", "bytes=0x0-0x1", "bytes=5-2", "bytes=-1-", "bytes=1-2-3", "bytes=,", "bytes=,,,",
		"bytes=99999999999999999999-", "bytes=0-99999999999999999999", "bytes=-99999999999999999999", "bytes=9223372036854775807-", "bytes=0-9223372036854775807",
		"bytes=18446744073709551615-18446744073709551616", "bytes=+0-+1", "bytes= 0 - 1 ", "BYTES=0-1", "items=0-1", "bytes:0-1", "bytes=0-1;q=1", "bytes=\x00",
		"bytes=../../etc/passwd", "bytes=-5--2", "none=0-0", "bytes=1.5-2", "bytes=0-0,-1", "bytes=0-0,0-0,0-0",
	}
	var many strings.Builder
	for i := range 500 {
		fmt.Fprintf(&many, ",%d-%d", i%5, i%5+1)
	}
	return append(ranges, "bytes="+many.String()[1:], "bytes="+strings.Repeat("0-,", 1000)+"0-")
}
