package config

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/parley-im/parley/internal/cron"
)

// check looks at the values together. It runs after everything has been read,
// so that one run reports all there is to say.
func (l *loader) check() {
	l.checkSecret()
	l.checkLogin()
	l.checkPorts()
	l.checkReplaced()
	l.checkPush()
	l.checkObject()
	l.checkEdge()
	l.checkOperations()
	l.checkCron()
	l.checkWebhooks()
}

func (l *loader) checkSecret() {
	v, given := l.given("share", "secret")
	value := l.draft.Share.Secret
	switch {
	case value == "" && l.dir == "":
		// One is generated on first start.
	case value == "" && l.broken["share"]:
		// What the unreadable file says is not known.
	case value == "":
		name, found := l.names["share"]
		p := Problem{File: "share.yml", Path: "secret", Severity: Error}
		if !found {
			p.Message = "the file is missing in " + l.dir + " and IMENV_SHARE_SECRET is not set; without a secret the server does not start"
		} else {
			p.File, p.Message = name, "secret is empty and IMENV_SHARE_SECRET is not set; without a secret the server does not start"
			if v != nil {
				p.Line, p.Col = v.line, v.col
			}
		}
		l.add(p)
	case value == shippedSecret && given:
		severity := Warning
		if l.draft.Strict {
			severity = Error
		}
		l.at(v, severity, "UNSAFE: secret is still the default that OpenIM ships; anybody can make administrator tokens with it. Change it here and in the business server")
	case given && !v.env && !v.node.quoted && looksNumeric(value):
		l.at(v, Warning, "secret is not quoted and looks like a number; it is used exactly as written. Put it in quotes so that other programs read the same")
	}
}

// looksNumeric finds texts that YAML readers may turn into another text.
func looksNumeric(s string) bool {
	if _, ok := parseBool(s); ok {
		return true
	}
	if _, err := strconv.ParseFloat(s, 64); err == nil {
		return strings.HasPrefix(s, "0") || strings.ContainsAny(s, "eE.xX_+")
	}
	_, err := strconv.ParseInt(s, 0, 64)
	return err == nil
}

var loginPolicies = []int{0, 1, 4, 5}

func (l *loader) checkLogin() {
	for _, place := range [][2]string{
		{"share", "multiLogin.policy"}, {"share", "multiLoginPolicy"}, {"openim-msggateway", "multiLoginPolicy"},
	} {
		v, ok := l.given(place[0], place[1])
		if !ok {
			continue
		}
		n, isNumber := parseInt(strings.TrimSpace(v.node.text))
		if isNumber && !slices.Contains(loginPolicies, int(n)) {
			l.atValue(v, Error, "%s: expected 0, 1, 4 or 5, got '%d'", place[1], n)
		}
	}
}

func (l *loader) checkPorts() {
	api, gateway := l.draft.API, l.draft.Gateway
	for _, list := range []struct {
		file, path string
		ports      []int
	}{
		{"openim-api", "api.ports", api.Ports},
		{"openim-msggateway", "longConnSvr.ports", gateway.Ports},
	} {
		v, ok := l.given(list.file, list.path)
		if !ok {
			continue
		}
		for i, port := range list.ports {
			if port != 0 && slices.Contains(list.ports[:i], port) {
				l.at(v, Error, "%s has port %d twice", list.path, port)
			}
		}
	}
	for _, port := range api.Ports {
		if port == 0 || !slices.Contains(gateway.Ports, port) {
			continue
		}
		p := Problem{Severity: Error, Message: fmt.Sprintf("port %d is used by api.ports and by longConnSvr.ports", port)}
		for _, place := range [][2]string{{"openim-api", "api.ports"}, {"openim-msggateway", "longConnSvr.ports"}} {
			if v, ok := l.given(place[0], place[1]); ok {
				p.File, p.Line, p.Col, p.Path = v.file, v.line, v.col, v.leaf.path
			}
		}
		l.add(p)
	}
}

// checkReplaced finds names of older releases that say something else than the
// key that wins over them.
func (l *loader) checkReplaced() {
	winner := make(map[string]*value)
	for _, f := range files() {
		for _, lf := range f.all {
			if v, ok := l.givenLeaf(lf); ok && lf.key.replacedBy == "" {
				winner[f.fileName()+": "+lf.path] = v
			}
		}
	}
	for _, f := range files() {
		for _, lf := range f.all {
			target := lf.key.replacedBy
			v, ok := l.givenLeaf(lf)
			if !ok || target == "" {
				continue
			}
			first, taken := winner[target]
			switch {
			case !taken:
				winner[target] = v
			case first.leaf.file == f && first.leaf.key.replacedBy != "":
				// Two old names that became one: neither is today's.
			case strings.TrimSpace(first.node.String()) != strings.TrimSpace(v.node.String()):
				l.at(v, Warning, "%s is '%s', but %s in %s is '%s' and is used",
					lf.path, v.shown(), first.leaf.path, first.source(), first.shown())
			}
		}
	}
}

// checkPush turns off the vendor that older files name without credentials.
func (l *loader) checkPush() {
	push := &l.draft.Push
	if v, ok := l.given("parley", "push.apns.keyFile"); ok && push.APNs.KeyFile != "" && (push.APNs.KeyID == "" || push.APNs.TeamID == "" || push.APNs.Topic == "") {
		l.at(v, Error, "push.apns needs keyFile, keyID, teamID and topic")
	}
	v, ok := l.given("openim-push", "enable")
	if !ok || push.Vendor == "" {
		return
	}
	if push.Vendor == "getui" && push.GeTui.AppKey == "" && push.GeTui.MasterSecret == "" {
		push.Vendor = ""
		l.at(v, Hint, "getui is chosen but has no credentials, so there is no vendor push")
		return
	}
	var missing string
	switch push.Vendor {
	case "getui":
		switch {
		case push.GeTui.AppKey == "":
			missing = "geTui.appKey"
		case push.GeTui.MasterSecret == "":
			missing = "geTui.masterSecret"
		case strings.Contains(push.GeTui.PushURL, "$appId"):
			missing = "the app id, in place of $appId in geTui.pushUrl"
		}
	case "fcm":
		if push.FCM.FilePath == "" && push.FCM.AuthURL == "" {
			missing = "fcm.filePath or fcm.authURL"
		}
	case "jpush":
		switch {
		case push.JPush.AppKey == "":
			missing = "jpush.appKey"
		case push.JPush.MasterSecret == "":
			missing = "jpush.masterSecret"
		}
	}
	if missing != "" {
		l.at(v, Error, "push vendor '%s' lacks %s", push.Vendor, missing)
	}
}

func (l *loader) checkObject() {
	d := l.draft
	if v, ok := l.given("parley", "object.publicURL"); ok && d.Object.PublicURL != "" {
		if u, err := url.Parse(d.Object.PublicURL); err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
			l.atValue(v, Error, "object.publicURL: expected an address such as https://im.example.com/api, got '%s'", v.shown())
		}
	}
	s := d.Object.S3
	if s == nil {
		return
	}
	v, ok := l.given("openim-rpc-third", "object.enable")
	if !ok {
		v, ok = l.given("parley", "object.external")
	}
	if !ok {
		return
	}
	var missing []string
	for _, needed := range []struct{ what, value string }{
		{"address", s.Endpoint}, {"bucket", s.Bucket}, {"access key", s.AccessKey}, {"secret", s.SecretKey},
	} {
		if needed.value == "" {
			missing = append(missing, needed.what)
		}
	}
	if len(missing) > 0 {
		l.atValue(v, Error, "object store '%s' has no %s", s.Store, strings.Join(missing, ", "))
	}
}

func (l *loader) checkCron() {
	for _, path := range []string{"cronExecuteTime", "chatRecordsClearTime", "msgDestructTime"} {
		v, ok := l.given("openim-crontask", path)
		if !ok {
			continue
		}
		if _, err := cron.Parse(v.node.text); err != nil {
			l.atValue(v, Error, "%s: %s", path, err)
		}
	}
}
