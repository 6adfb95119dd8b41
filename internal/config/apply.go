package config

import (
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// draft is a Config in the making, with the values that need more than a copy.
type draft struct {
	*Config
	lenient      bool
	adminIDs     []string
	adminNames   []string
	legacyAdmins []string
	maxFrame     int
	objectStore  string
	// externalStore and stores: which object store is meant, and all that are described.
	externalStore bool
	stores        map[string]*S3

	// Map entries are not addressable, so they are worked on here.
	callbacks     map[string]*Callback
	notifications map[string]*Notification
}

// shippedLogs suits only OpenIM's own build tree.
const shippedLogs = "../../../../logs/"

func siblingLogs(dir string) string { return filepath.Join(dir, "..", "logs") }

// shippedSecret is known to everybody who has read OpenIM's files.
const shippedSecret = "openIM123"

func newDraft(dir string) *draft {
	d := &draft{
		Config:      Default(),
		adminIDs:    []string{"imAdmin"},
		adminNames:  []string{"superAdmin"},
		maxFrame:    4096,
		objectStore: "minio",
		stores: map[string]*S3{
			"minio": {Bucket: "openim", Endpoint: "localhost:10005"},
			"cos":   {BucketInHost: true}, "oss": {BucketInHost: true}, "kodo": {}, "aws": {BucketInHost: true},
		},
		callbacks: make(map[string]*Callback), notifications: make(map[string]*Notification),
	}
	if d.Dir = dir; dir != "" {
		d.Log.Level, d.Log.Stdout, d.Log.StorageLocation = 6, false, siblingLogs(dir)
	}
	for name, c := range d.Webhooks.Callbacks {
		d.callbacks[name] = &c
	}
	// "" stands for "as the registry says" until the values are complete.
	for _, c := range d.callbacks {
		c.Command = ""
	}
	for event, n := range d.Notification {
		d.notifications[event] = &n
	}
	return d
}

func (d *draft) callback(name string) *Callback          { return d.callbacks[name] }
func (d *draft) notification(event string) *Notification { return d.notifications[event] }

// apply moves the given values into the draft: names of older releases first,
// so that today's win.
func (l *loader) apply() {
	for _, f := range slices.Backward(files()) {
		l.applyFile(f, true)
	}
	for _, f := range files() {
		l.applyFile(f, false)
	}
}

func (l *loader) applyFile(f *file, legacy bool) {
	for _, lf := range f.all {
		if (lf.key.verdict == Legacy) != legacy || lf.key.bind == nil {
			continue
		}
		if v, ok := l.givenLeaf(lf); ok {
			l.applyValue(v)
		}
	}
}

func (l *loader) applyValue(v *value) {
	k := v.leaf.key
	if k.kind == endpointList {
		l.applyEndpoints(v)
		return
	}
	dst := k.bind(l.draft)
	before := format(dst, k.kind)
	if err := assign(dst, k.kind, v.node); err != nil {
		at := *v
		if !v.env && err.at.line > 0 {
			at.line, at.col = err.at.line, err.at.col
		}
		l.at(&at, Error, "%s: %s, got '%s'", v.leaf.path, err, mask(v.leaf.path, err.at.String()))
		return
	}
	l.checkRange(v, dst, before)
}

// checkRange compares a value with the bounds of its key.
func (l *loader) checkRange(v *value, dst any, before string) {
	k, path := v.leaf.key, v.leaf.path
	if len(k.oneOf) > 0 {
		p := dst.(*string)
		i := slices.IndexFunc(k.oneOf, func(word string) bool { return strings.EqualFold(word, strings.TrimSpace(*p)) })
		if i < 0 {
			words := slices.DeleteFunc(slices.Clone(k.oneOf), func(word string) bool { return word == "" })
			l.atValue(v, Error, "%s: expected one of %s, got '%s'", path, strings.Join(words, ", "), mask(path, *p))
			return
		}
		*p = k.oneOf[i]
		return
	}
	var n int64
	switch p := dst.(type) {
	case *int:
		n = int64(*p)
	case *int64:
		n = *p
	case *time.Duration:
		n = int64(*p)
		switch k.kind {
		case seconds:
			n /= int64(time.Second)
		case hours:
			n /= int64(time.Hour)
		case days:
			n /= int64(day)
		}
	case *[]int:
		if len(*p) == 0 {
			l.atValue(v, Error, "%s: expected at least one port", path)
		}
		return
	default:
		return
	}
	switch {
	case k.positive && n <= 0:
		l.atValue(v, Warning, "%s %d is not a limit; %s is used", path, n, withUnit(before, k.kind))
		_ = assign(dst, k.kind, &node{kind: scalarNode, text: before}) // before came from format
	case k.lo != k.hi && (n < k.lo || n > k.hi):
		l.atValue(v, Error, "%s: expected %s from %d to %d, got '%d'", path, k.kind.expected(), k.lo, k.hi, n)
	}
}

// atValue is at with the place of the value instead of its key.
func (l *loader) atValue(v *value, s Severity, format string, args ...any) {
	at := *v
	if !v.env && v.node.line > 0 {
		at.line, at.col = v.node.line, v.node.col
	}
	l.at(&at, s, format, args...)
}

func withUnit(text string, k kind) string {
	switch k {
	case seconds:
		return text + " s"
	case hours:
		return text + " h"
	case days:
		return text + " days"
	default:
		return text
	}
}

// finish derives what no single key decides.
func (l *loader) finish() {
	d := l.draft
	if l.opts.DataDir != "" {
		d.DataDir = l.opts.DataDir
	}
	d.Gateway.MaxFrameBytes = max(d.maxFrame, minFrameBytes)
	d.Share.Admins = l.admins()
	if d.Log.StorageLocation == shippedLogs && l.dir != "" {
		d.Log.StorageLocation = siblingLogs(l.dir)
	}
	l.objects()
	d.API.Ports = l.pick("openim-api", "api.ports", d.API.Ports)
	d.Gateway.Ports = l.pick("openim-msggateway", "longConnSvr.ports", d.Gateway.Ports)
	for event, n := range d.notifications {
		d.Notification[event] = *n
	}
	for name, c := range d.callbacks {
		d.Webhooks.Callbacks[name] = l.callback(name, *c)
	}
}

// objects chooses the file store. Each provider says in its own way where a
// bucket is.
func (l *loader) objects() {
	d := l.draft
	d.Object.PublicURL = strings.TrimRight(d.Object.PublicURL, "/")
	d.Object.Dir = d.stores["minio"].Bucket
	name := d.objectStore
	s := d.stores[name]
	if s == nil || (name == "minio" && !d.externalStore) {
		return
	}
	s.Store = name
	switch name {
	case "minio":
		if strings.Contains(s.PublicEndpoint, "external_ip") {
			s.PublicEndpoint = ""
		}
	case "aws":
		if s.Endpoint == "" && s.Region != "" {
			s.Endpoint = "https://s3." + s.Region + ".amazonaws.com"
		}
	case "cos":
		if scheme, host, ok := strings.Cut(s.Endpoint, "://"); ok {
			s.Bucket, host, _ = strings.Cut(host, ".")
			s.Endpoint = scheme + "://" + host
			if parts := strings.Split(host, "."); len(parts) > 1 {
				s.Region = parts[1]
			}
		}
	case "oss":
		scheme, host, _ := strings.Cut(withScheme(s.Endpoint), "://")
		s.Region, _, _ = strings.Cut(host, ".")
		if strings.HasPrefix(host, "oss-") {
			s.Endpoint = scheme + "://s3." + host
		}
	}
	s.Endpoint, s.PublicEndpoint = withScheme(s.Endpoint), withScheme(s.PublicEndpoint)
	if at, err := url.Parse(s.Endpoint); err == nil && net.ParseIP(at.Hostname()) != nil {
		s.BucketInHost = false // there is no host name to put it into
	}
	d.Object.S3 = s
}

// withScheme completes an address that is only a host.
func withScheme(address string) string {
	if address == "" || strings.Contains(address, "://") {
		return address
	}
	return "http://" + address
}

// pick narrows a port list to the one of this instance.
func (l *loader) pick(file, path string, list []int) []int {
	switch i := l.opts.Index; {
	case i == 0:
		return list
	case i > 0 && i < len(list):
		return list[i : i+1]
	default:
		l.add(Problem{
			File: file + ".yml", Path: path, Severity: Error,
			Message: fmt.Sprintf("%s has %d entries, so there is no instance %d", path, len(list), i),
		})
		return list
	}
}

// admins pairs ids with nicknames and joins the list of older releases.
func (l *loader) admins() []Admin {
	d := l.draft
	current, hasCurrent := l.given("share", "imAdminUser.userIDs")
	legacy, hasLegacy := l.given("share", "imAdminUserID")
	ids, names := d.adminIDs, d.adminNames
	if hasLegacy && !hasCurrent {
		ids = nil
	}
	var admins []Admin
	seen := func(userID string) bool {
		return slices.ContainsFunc(admins, func(a Admin) bool { return a.UserID == userID })
	}
	for i, userID := range ids {
		if userID == "" || seen(userID) {
			continue
		}
		a := Admin{UserID: userID, Nickname: userID}
		if i < len(names) && names[i] != "" && (hasNames(l) || userID == "imAdmin") {
			a.Nickname = names[i]
		}
		admins = append(admins, a)
	}
	for _, userID := range d.legacyAdmins {
		if userID == "" || seen(userID) {
			continue
		}
		a := Admin{UserID: userID, Nickname: userID}
		if userID == "imAdmin" && !hasCurrent {
			a.Nickname = "superAdmin"
		}
		admins = append(admins, a)
	}
	if hasCurrent && hasLegacy && !sameSet(d.adminIDs, d.legacyAdmins) {
		l.at(legacy, Warning, "imAdminUserID and imAdminUser.userIDs (%s) differ; the users of both are administrators", current.source())
	}
	if v, ok := l.given("share", "imAdminUser.nicknames"); ok && len(names) > len(ids) {
		l.at(v, Warning, "imAdminUser.nicknames has %d entries for %d user ids; the last ones are not used", len(names), len(ids))
	}
	return admins
}

// hasNames tells given nicknames from the default one, which is imAdmin's.
func hasNames(l *loader) bool {
	_, ok := l.given("share", "imAdminUser.nicknames")
	return ok
}

func sameSet(a, b []string) bool {
	x, y := slices.Clone(a), slices.Clone(b)
	slices.Sort(x)
	slices.Sort(y)
	return slices.Equal(slices.Compact(x), slices.Compact(y))
}
