package config

import (
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/parley-im/parley/internal/webhook/registry"
)

// callback completes one entry: base URL, command, and where values come from.
func (l *loader) callback(name string, c Callback) Callback {
	for _, option := range callbackOptions {
		if v, ok := l.given(webhooksFile, name+"."+option); ok {
			c.Sources[option] = v.source()
		}
	}
	if c.URL == "" {
		c.URL = l.draft.Webhooks.URL
		if v, ok := l.given(webhooksFile, "url"); ok {
			c.Sources["url"] = v.source()
		}
	}
	if c.Command == "" {
		r, _ := registry.Lookup(name)
		c.Command = r.Command
	}
	return c
}

func (l *loader) checkWebhooks() {
	w := &l.draft.Webhooks
	anyEnabled := false
	for _, r := range registry.All() {
		c := w.Callbacks[r.Key]
		anyEnabled = anyEnabled || c.Enable
		l.checkCallback(r, c)
	}
	l.checkBases()
	l.checkEndpoints()
	l.checkSigning(anyEnabled)
	l.checkNotYet()
	if v, ok := l.given(webhooksFile, "insecureSkipVerify"); ok && w.InsecureSkipVerify {
		l.at(v, Warning, "insecureSkipVerify is on: whoever is on the way can read and change what is sent to handlers")
	}
}

// checkNotYet warns about settings of webhooks.yml that have no effect yet.
func (l *loader) checkNotYet() {
	for _, lf := range schemaOf(webhooksFile).all {
		if v, ok := l.givenLeaf(lf); ok && lf.key.notYet != "" && l.changed(v) {
			l.at(v, Warning, "%s has no effect: %s", lf.path, lf.key.notYet)
		}
	}
}

// quietFailedContinue are after-callbacks under which OpenIM's own file has a
// failedContinue that nobody reads.
var quietFailedContinue = []string{"afterCreateSingleChatConversations", "afterCreateGroupChatConversations"}

func (l *loader) checkCallback(r registry.Callback, c Callback) {
	option := func(name string) (*value, bool) { return l.given(webhooksFile, r.Key+"."+name) }

	if v, ok := option("failedContinue"); ok && r.Kind == registry.After && !slices.Contains(quietFailedContinue, r.Key) {
		l.at(v, Warning, "%s.failedContinue has no effect on an after-callback", r.Key)
	}
	filters := []struct {
		name   string
		obeyed bool
		set    bool
	}{
		{"attentionIds", r.Filters.Attention, len(c.AttentionIDs) > 0},
		{"allowedTypes", r.Filters.Types, len(c.AllowedTypes) > 0},
		{"deniedTypes", r.Filters.Types, len(c.DeniedTypes) > 0},
	}
	for _, f := range filters {
		if v, ok := option(f.name); ok && f.set && !f.obeyed {
			l.at(v, Warning, "%s has no effect on %s", f.name, r.Key)
		}
	}
	if v, ok := option("deniedTypes"); ok {
		for _, allowed := range c.AllowedTypes {
			for _, denied := range c.DeniedTypes {
				if from, to := max(allowed.From, denied.From), min(allowed.To, denied.To); from <= to {
					l.at(v, Warning, "%s: type %s is in allowedTypes and in deniedTypes; it is denied", r.Key, TypeRange{from, to})
				}
			}
		}
	}
	if v, ok := option("command"); ok && strings.ContainsAny(c.Command, "/?# ") {
		l.atValue(v, Error, "%s.command: expected one path segment, got '%s'", r.Key, c.Command)
	}
	l.checkTimeout(r, c)
	if c.Enable {
		l.checkUse(r, c)
	}
}

func (l *loader) checkTimeout(r registry.Callback, c Callback) {
	v, ok := l.given(webhooksFile, r.Key+".timeout")
	if !ok {
		return
	}
	n := int64(c.Timeout / time.Second)
	switch {
	case n > 60 && n%1000 == 0:
		l.at(v, Warning, "%s: timeout %d is in seconds (%s); did you mean %d?", r.Key, n, minutes(c.Timeout), n/1000)
	case n > 60:
		l.at(v, Warning, "%s: timeout %d is in seconds (%s)", r.Key, n, minutes(c.Timeout))
	case r.Kind == registry.Before && c.Timeout > l.draft.Webhooks.BeforeDeadline:
		l.at(v, Warning, "%s: timeout %d s is above beforeDeadline, the %s that all before-callbacks of one operation share; clients give up after 10 s",
			r.Key, n, shortDuration(l.draft.Webhooks.BeforeDeadline))
	}
}

func minutes(d time.Duration) string { return fmt.Sprintf("%d min", int(d.Minutes())) }

// checkUse has hints about callbacks that are on.
func (l *loader) checkUse(r registry.Callback, c Callback) {
	v, ok := l.given(webhooksFile, r.Key+".enable")
	if !ok {
		return
	}
	if r.LegacyOf != "" && !l.draft.Webhooks.Callbacks[r.LegacyOf].Enable {
		l.at(v, Hint, "%s is enabled without %s; current clients use the endpoint that fires only %s", r.Key, r.LegacyOf, r.LegacyOf)
		l.problems[len(l.problems)-1].Kind = LegacyKey
	}
	if r.Key == "beforeMsgModify" && len(c.AllowedTypes) == 0 && len(c.DeniedTypes) == 0 {
		l.at(v, Hint, "beforeMsgModify is called for all message types, not only text as up to 3.8.3; restrict it with 'allowedTypes: [101]'")
	}
	if r.Kind == registry.Before && r.Group == "conversation" && !c.FailedContinue {
		l.at(v, Warning, "%s: with failedContinue false an unreachable handler suppresses new conversations", r.Key)
	}
}

// baseURL is a place in webhooks.yml that has a URL.
type baseURL struct {
	path    string
	raw     string
	enabled bool // something is sent there
}

func (l *loader) checkBases() {
	w := &l.draft.Webhooks
	common := baseURL{path: "url", raw: w.URL}
	var own []baseURL
	missing := ""
	for _, r := range registry.All() {
		c := w.Callbacks[r.Key]
		path := r.Key + ".url"
		if _, ok := l.given(webhooksFile, path); ok && l.draft.callback(r.Key).URL != "" {
			own = append(own, baseURL{path: path, raw: c.URL, enabled: c.Enable})
			continue
		}
		common.enabled = common.enabled || c.Enable
		if c.Enable && c.URL == "" && missing == "" {
			missing = r.Key
		}
	}
	if missing != "" && !l.broken[webhooksFile] {
		p := Problem{File: l.webhooksName(), Path: "url", Severity: Error}
		p.Message = fmt.Sprintf("%s is enabled but url is empty", missing)
		if v, ok := l.values[leafID(webhooksFile, "url")]; ok {
			l.at(v, Error, "%s", p.Message)
		} else {
			if v, ok := l.given(webhooksFile, missing+".enable"); ok && !v.env {
				p.Line, p.Col = v.line, v.col
			}
			l.add(p)
		}
	}
	for _, b := range append([]baseURL{common}, own...) {
		l.checkBase(b)
	}
	for _, path := range []string{"alert.url", "alertURL"} {
		if v, ok := l.given(webhooksFile, path); ok && w.Alert.URL != "" {
			l.checkURL(v, v.node, baseURL{path: path, raw: w.Alert.URL, enabled: true}, w.Alert.Secret != "")
		}
	}
}

func (l *loader) webhooksName() string {
	if name, ok := l.names[webhooksFile]; ok {
		return name
	}
	return webhooksFile + ".yml"
}

var (
	commandSuffix = regexp.MustCompile(`(?i)/(callback\w*Command)/?$`)
	placeholder   = regexp.MustCompile(`(?i):command|\{cmd\}|\{command\}|\*`)
)

func (l *loader) checkBase(b baseURL) {
	v, ok := l.given(webhooksFile, b.path)
	if !ok || b.raw == "" {
		return
	}
	l.checkURL(v, v.node, b, l.draft.Webhooks.Secret != "")
}

// checkURL judges a URL whose place is n.
func (l *loader) checkURL(v *value, n *node, b baseURL, signed bool) {
	shown := redactURL(b.raw)
	wrong := func(format string, args ...any) {
		l.atNode(v, n, Error, "%s '%s': %s", b.path, shown, fmt.Sprintf(format, args...))
		l.problems[len(l.problems)-1].Kind = Base
	}
	u, err := url.Parse(b.raw)
	scheme, _, hasScheme := strings.Cut(b.raw, "://")
	switch {
	case hasScheme && scheme != "" && !strings.EqualFold(scheme, "http") && !strings.EqualFold(scheme, "https"):
		// Shipped by 3.7.0 and 3.8.0, so it matters only once it would be used.
		if b.enabled {
			wrong("only http and https are supported")
		}
		return
	case placeholder.MatchString(b.raw):
		wrong("leave out '%s', the server appends the command", placeholder.FindString(b.raw))
		return
	case commandSuffix.MatchString(strings.SplitN(b.raw, "?", 2)[0]):
		wrong("leave out '%s', the server appends the command", commandSuffix.FindStringSubmatch(strings.SplitN(b.raw, "?", 2)[0])[1])
		return
	case err != nil || u.Scheme == "" || u.Hostname() == "":
		wrong("expected a full URL such as http://host:port/path; only http and https are supported")
		return
	case strings.Contains(b.raw, "#"):
		wrong("a fragment ('#') cannot be sent")
		return
	}
	if b.enabled && strings.EqualFold(u.Scheme, "http") && public(u.Hostname()) && !signed {
		l.at(v, Warning, "%s '%s' is plain http to a public address and requests are not signed: use https", b.path, shown)
	}
}

// privateSuffixes end names that no public resolver knows.
var privateSuffixes = []string{
	".local", ".localhost", ".internal", ".lan", ".home.arpa", ".svc", ".test", ".intranet", ".corp", ".private",
}

// public guesses whether a host is reached over the internet. Names without a
// dot are those of containers and services next door.
func public(host string) bool {
	if ip, err := netip.ParseAddr(host); err == nil {
		ip = ip.Unmap()
		return ip.IsGlobalUnicast() && !ip.IsPrivate() && !netip.MustParsePrefix("100.64.0.0/10").Contains(ip)
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if !strings.Contains(host, ".") {
		return false
	}
	return !slices.ContainsFunc(privateSuffixes, func(suffix string) bool { return strings.HasSuffix(host, suffix) })
}

var signatureAlgorithms = []string{"HMAC-SHA1", "HMAC-SHA256", "HMAC-SHA512"}

func (l *loader) checkSigning(anyEnabled bool) {
	w := &l.draft.Webhooks
	for _, s := range []struct{ path, text string }{
		{"secret", w.Secret}, {"previousSecret", w.PreviousSecret}, {"alert.secret", w.Alert.Secret},
	} {
		if v, ok := l.given(webhooksFile, s.path); ok {
			l.checkKeyText(v, v.node, s.path, s.text)
		}
	}
	if v, ok := l.given(webhooksFile, "verify.callback"); ok && w.Verify.Callback != "" {
		if _, known := registry.Lookup(w.Verify.Callback); !known {
			l.atValue(v, Error, "verify.callback: no callback has the key '%s'", w.Verify.Callback)
		}
	}
	if v, ok := l.given(webhooksFile, "previousSecret"); ok && w.PreviousSecret != "" && w.Secret == "" {
		l.at(v, Warning, "previousSecret has no effect without secret")
	}
	v, ok := l.given(webhooksFile, "signature.algorithm")
	if !ok || strings.TrimSpace(w.Signature.Algorithm) == "" {
		return
	}
	i := slices.IndexFunc(signatureAlgorithms, func(a string) bool { return strings.EqualFold(a, strings.TrimSpace(w.Signature.Algorithm)) })
	if i < 0 {
		l.atValue(v, Error, "signature.algorithm: expected one of %s, got '%s'", strings.Join(signatureAlgorithms, ", "), w.Signature.Algorithm)
		return
	}
	w.Signature.Algorithm = signatureAlgorithms[i]
	for _, need := range []struct{ path, value string }{
		{"signature.secret", w.Signature.Secret},
		{"signature.signatureHeader", w.Signature.SignatureHeader},
		{"signature.nonceHeader", w.Signature.NonceHeader},
	} {
		if need.value == "" {
			l.at(v, Error, "signature.algorithm is set but %s is empty", need.path)
		}
	}
	if anyEnabled {
		l.at(v, Warning, "signature signs a random nonce and does not protect the body; prefer 'secret', which signs the whole request")
	}
}
