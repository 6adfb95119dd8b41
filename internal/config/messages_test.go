package config

import (
	"testing"
)

// Every form of message has a case with its place.
func TestErrors(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		files map[string]string
		place string
		parts []string
	}{
		{
			"extra nesting",
			map[string]string{"webhooks.yml": "# old form\n\ncallback:\n  url: http://127.0.0.1:1/x\n  beforeSendSingleMsg:\n    enable: true\n"},
			"webhooks.yml:3:1: ",
			[]string{
				"'callback' is not a webhook; keys must be at the top level: remove this line and un-indent its contents",
				"move everything out of 'callback:'",
			},
		},
		{
			"nesting under webhooks",
			map[string]string{"webhooks.yml": "webhooks:\n  afterUserOnline: {enable: true}\n"},
			"webhooks.yml:1:1: ",
			[]string{"'webhooks' is not a webhook; keys must be at the top level"},
		},
		{
			"nesting under config",
			map[string]string{"webhooks.yml": "config:\n  afterUserOnline: {enable: true}\n"},
			"webhooks.yml:1:1: ",
			[]string{"'config' is not a webhook; keys must be at the top level"},
		},
		{
			"nesting of names from 3.6",
			map[string]string{"webhooks.yml": "callback:\n  userOnline: {enable: true}\n"},
			"webhooks.yml:1:1: ",
			[]string{"keys must be at the top level"},
		},
		{
			"nesting in another file",
			map[string]string{"log.yml": "config:\n  isStdout: true\n"},
			"log.yml:1:1: ",
			[]string{"'config' is not a known key; keys must be at the top level"},
		},
		{
			"misspelling",
			map[string]string{"webhooks.yml": "url: http://127.0.0.1:1/x\nbeforeSendSingelMsg:\n  enable: true\n"},
			"webhooks.yml:2:1: ",
			[]string{"unknown key 'beforeSendSingelMsg' (did you mean 'beforeSendSingleMsg'?)"},
		},
		{
			"misspelled option",
			map[string]string{"webhooks.yml": "beforeSendSingleMsg:\n  failContinue: true\n"},
			"webhooks.yml:2:3: ",
			[]string{"beforeSendSingleMsg.failContinue (did you mean 'failedContinue'?)"},
		},
		{
			"enabled for enable",
			map[string]string{"webhooks.yml": "afterUserOnline:\n    enabled: true\n"},
			"webhooks.yml:2:5: ",
			[]string{"unknown key afterUserOnline.enabled (did you mean 'enable'?)"},
		},
		{
			"name cut short",
			map[string]string{"webhooks.yml": "afterKickGroup:\n  enable: true\n"},
			"webhooks.yml:1:1: ",
			[]string{"'afterKickGroup' (did you mean 'afterKickGroupMember'?)"},
		},
		{
			"command used as key",
			map[string]string{"webhooks.yml": "callbackBeforeSendSingleMsgCommand:\n  enable: true\n"},
			"webhooks.yml:1:1: ",
			[]string{"'callbackBeforeSendSingleMsgCommand' is a command, the key is 'beforeSendSingleMsg'"},
		},
		{
			"documented command used as key",
			map[string]string{"webhooks.yml": "callbackAfterRevokeMsgCommand: {}\n"},
			"webhooks.yml:1:1: ",
			[]string{"is a command, the key is 'afterRevokeMsg'"},
		},
		{
			"name of 3.6",
			map[string]string{"webhooks.yml": "url:\nuserOnline:\n  enable: true\n"},
			"webhooks.yml:2:1: ",
			[]string{"'userOnline' was renamed to 'afterUserOnline' in 3.7"},
		},
		{
			"name of 3.6 that is gone",
			map[string]string{"webhooks.yml": "setMessageReactionExtensions:\n  enable: true\n"},
			"webhooks.yml:1:1: ",
			[]string{"'setMessageReactionExtensions' no longer exists"},
		},
		{
			"wrong type",
			map[string]string{"webhooks.yml": "afterUserOnline:\n  timeout: abc\n"},
			"webhooks.yml:2:12: ",
			[]string{"afterUserOnline.timeout: expected whole seconds, got 'abc'"},
		},
		{
			"wrong boolean",
			map[string]string{"webhooks.yml": "afterUserOnline:\n  enable: maybe\n"},
			"webhooks.yml:2:11: ",
			[]string{"afterUserOnline.enable: expected true or false, got 'maybe'"},
		},
		{
			"section for a value",
			map[string]string{"webhooks.yml": "url:\n  host: x\n"},
			"webhooks.yml:2:",
			[]string{"url: expected a text, got 'a section'"},
		},
		{
			"value for a section",
			map[string]string{"webhooks.yml": "afterUserOnline: true\n"},
			"webhooks.yml:1:1: ",
			[]string{"afterUserOnline: expected a section with keys of its own, got 'true'"},
		},
		{
			"wrong content type",
			map[string]string{"webhooks.yml": "beforeMsgModify:\n  deniedTypes:\n  - 101\n  - 300-200\n"},
			"webhooks.yml:4:5: ",
			[]string{"beforeMsgModify.deniedTypes: expected a list of content types", "got '300-200'"},
		},
		{
			"scheme",
			map[string]string{"webhooks.yml": "url: webhook://127.0.0.1:10008/callbackExample\nafterUserOnline:\n  enable: true\n"},
			"webhooks.yml:1:6: ",
			[]string{"url 'webhook://127.0.0.1:10008/callbackExample': only http and https are supported"},
		},
		{
			"placeholder",
			map[string]string{"webhooks.yml": "url: http://h/:command\n"},
			"webhooks.yml:1:6: ",
			[]string{"url 'http://h/:command': leave out ':command', the server appends the command"},
		},
		{
			"placeholder in braces",
			map[string]string{"webhooks.yml": "url: \"http://h/webhook/{cmd}\"\n"},
			"webhooks.yml:1:6: ",
			[]string{"leave out '{cmd}', the server appends the command"},
		},
		{
			"star",
			map[string]string{"webhooks.yml": "url: http://h/webhook/*\n"},
			"webhooks.yml:1:6: ",
			[]string{"leave out '*'"},
		},
		{
			"command in the URL",
			map[string]string{"webhooks.yml": "url: http://h/callbackBeforeSendSingleMsgCommand\n"},
			"webhooks.yml:1:6: ",
			[]string{"leave out 'callbackBeforeSendSingleMsgCommand', the server appends the command"},
		},
		{
			"fragment",
			map[string]string{"webhooks.yml": "url: http://h/x#y\n"},
			"webhooks.yml:1:6: ",
			[]string{"a fragment"},
		},
		{
			"no host",
			map[string]string{"webhooks.yml": "url: 127.0.0.1:8080/x\n"},
			"webhooks.yml:1:6: ",
			[]string{"expected a full URL"},
		},
		{
			"empty url",
			map[string]string{"webhooks.yml": "url:\nafterUserOnline:\n  enable: true\n"},
			"webhooks.yml:1:1: ",
			[]string{"afterUserOnline is enabled but url is empty"},
		},
		{
			"missing url",
			map[string]string{"webhooks.yml": "afterUserOnline:\n  enable: true\n"},
			"webhooks.yml:2:3: ",
			[]string{"afterUserOnline is enabled but url is empty"},
		},
		{
			"own url of a callback",
			map[string]string{"webhooks.yml": "afterUserOnline:\n  enable: true\n  url: ftp://h/x\n"},
			"webhooks.yml:3:8: ",
			[]string{"afterUserOnline.url 'ftp://h/x': only http and https are supported"},
		},
		{
			"common option in a callback",
			map[string]string{"webhooks.yml": "afterUserOnline:\n  maxConcurrency: 3\n"},
			"webhooks.yml:2:3: ",
			[]string{"'maxConcurrency' can only be set at the top level of webhooks.yml"},
		},
		{
			"command with a slash",
			map[string]string{"webhooks.yml": "afterUserOnline:\n  command: a/b\n"},
			"webhooks.yml:2:12: ",
			[]string{"expected one path segment"},
		},
		{
			"signature algorithm",
			map[string]string{"webhooks.yml": "signature:\n  algorithm: RSA-SHA256\n"},
			"webhooks.yml:2:14: ",
			[]string{"expected one of HMAC-SHA1, HMAC-SHA256, HMAC-SHA512, got 'RSA-SHA256'"},
		},
		{
			"key given twice",
			map[string]string{"webhooks.yml": "afterUserOnline:\n  timeout: 3\nAFTERuserOnline:\n  timeout: 4\n"},
			"webhooks.yml:3:1: ",
			[]string{"key 'AFTERuserOnline' is given twice, first in line 1"},
		},
		{
			"tab",
			map[string]string{"webhooks.yml": "afterUserOnline:\n\tenable: true\n"},
			"webhooks.yml:2:1: ",
			[]string{"a tab is used for indentation"},
		},
		{
			"bad YAML",
			map[string]string{"webhooks.yml": "url: 'http://h/x\n"},
			"webhooks.yml:1:6: ",
			[]string{"invalid YAML"},
		},
		{
			"a list at the top",
			map[string]string{"webhooks.yml": "- url\n"},
			"webhooks.yml:1:1: ",
			[]string{"expected keys with values"},
		},
		{
			"unknown key in share.yml",
			map[string]string{"share.yml": "secret: x\nsomething: 1\n"},
			"share.yml:2:1: ",
			[]string{"unknown key 'something'"},
		},
		{
			"a secret that is no key",
			map[string]string{"webhooks.yml": "secret: hush\n"},
			"webhooks.yml:1:9: ",
			[]string{"secret: expected whsec_"},
		},
		{
			"a slip in an endpoint",
			map[string]string{"webhooks.yml": "endpoints:\n  - name: audit\n    rat: 5\n    pull: true\n    events: [after*]\n"},
			"webhooks.yml:3:5: ",
			[]string{"unknown key endpoints[0].rat (did you mean 'rate'?)"},
		},
		{
			"an event nobody sends",
			map[string]string{"webhooks.yml": "endpoints:\n  - {name: audit, pull: true, events: [afterSendSingelMsg]}\n"},
			"webhooks.yml:2:31: ",
			[]string{"no callback matches 'afterSendSingelMsg' (did you mean 'afterSendSingleMsg'?)"},
		},
		{
			"a before-callback for an endpoint that is only told",
			map[string]string{"webhooks.yml": "endpoints:\n  - {name: audit, pull: true, events: [before*]}\n"},
			"webhooks.yml:2:31: ",
			[]string{"'before*' covers before-callbacks only"},
		},
		{
			"endpoints of one name",
			map[string]string{"webhooks.yml": "endpoints:\n  - {name: a, pull: true, events: [after*]}\n  - {name: a, pull: true, events: [after*]}\n"},
			"webhooks.yml:3:6: ",
			[]string{"'a' is the name of another endpoint"},
		},
		{
			"an endpoint's secret that is no key",
			map[string]string{"webhooks.yml": "endpoints:\n  - {name: a, pull: true, events: [after*], secret: hush}\n"},
			"webhooks.yml:2:45: ",
			[]string{"endpoints[0].secret: expected whsec_"},
		},
		{
			"an endpoint's placeholder",
			map[string]string{"webhooks.yml": "endpoints:\n  - {name: a, events: [after*], url: 'http://h/:command'}\n"},
			"webhooks.yml:2:33: ",
			[]string{"leave out ':command'"},
		},
		{
			"slip in another file",
			map[string]string{"log.yml": "isStdot: true\n"},
			"log.yml:1:1: ",
			[]string{"unknown key 'isStdot' (did you mean 'isStdout'?)"},
		},
		{
			"slip in a file without effect",
			map[string]string{"redis.yml": "adress: [a]\n"},
			"redis.yml:1:1: ",
			[]string{"(did you mean 'address'?)"},
		},
		{
			"unknown key in parley.yml",
			map[string]string{"parley.yml": "storage:\n  mysql:\n    url: x\n"},
			"parley.yml:2:3: ",
			[]string{"unknown key storage.mysql"},
		},
		{
			"login policy",
			map[string]string{"share.yml": "secret: x\nmultiLogin:\n  policy: 2\n"},
			"share.yml:3:11: ",
			[]string{"multiLogin.policy: expected 0, 1, 4 or 5, got '2'"},
		},
		{
			"old login policy",
			map[string]string{"openim-msggateway.yml": "multiLoginPolicy: 7\n"},
			"openim-msggateway.yml:1:19: ",
			[]string{"multiLoginPolicy: expected 0, 1, 4 or 5, got '7'"},
		},
		{
			"port",
			map[string]string{"openim-api.yml": "api:\n  ports: [10002, 70000]\n"},
			"openim-api.yml:2:18: ",
			[]string{"api.ports: expected a list of port numbers from 0 to 65535, got '70000'"},
		},
		{
			"no port",
			map[string]string{"openim-api.yml": "api:\n  ports: []\n"},
			"openim-api.yml:2:10: ",
			[]string{"expected at least one port"},
		},
		{
			"one port for two",
			map[string]string{"openim-api.yml": "api:\n  ports: [10001]\n"},
			"openim-api.yml:2:3: ",
			[]string{"port 10001 is used by api.ports and by longConnSvr.ports"},
		},
		{
			"log level",
			map[string]string{"log.yml": "remainLogLevel: 9\n"},
			"log.yml:1:17: ",
			[]string{"remainLogLevel: expected a whole number from 0 to 6, got '9'"},
		},
		{
			"push vendor",
			map[string]string{"openim-push.yml": "enable: apns\n"},
			"openim-push.yml:1:9: ",
			[]string{"enable: expected one of getui, fcm, jpush, got 'apns'"},
		},
		{
			"object store",
			map[string]string{"openim-rpc-third.yml": "object:\n  enable: cos\n"},
			"openim-rpc-third.yml:2:11: ",
			[]string{"object store 'cos' has no address, bucket, access key, secret"},
		},
		{
			"object store that does not exist",
			map[string]string{"openim-rpc-third.yml": "object:\n  enable: ftp\n"},
			"openim-rpc-third.yml:2:11: ",
			[]string{"enable: expected one of minio, cos, oss, kodo, aws, got 'ftp'"},
		},
		{
			"address of links",
			map[string]string{"parley.yml": "object:\n  publicURL: im.example.com\n"},
			"parley.yml:2:14: ",
			[]string{"object.publicURL: expected an address such as https://im.example.com/api"},
		},
		{
			"schedule",
			map[string]string{"openim-crontask.yml": "cronExecuteTime: daily\n"},
			"openim-crontask.yml:1:18: ",
			[]string{"expected five fields"},
		},
		{
			"missing share.yml",
			map[string]string{"share.yml": ""},
			"share.yml: ",
			[]string{"missing", "IMENV_SHARE_SECRET"},
		},
		{
			"empty secret",
			map[string]string{"share.yml": "imAdminUserID: [a]\nsecret:\n"},
			"share.yml:2:1: ",
			[]string{"secret is empty"},
		},
		{
			"both extensions",
			map[string]string{"webhooks.yml": "", "webhooks.yaml": ""},
			"webhooks.yml: ",
			[]string{"both webhooks.yml and webhooks.yaml exist"},
		},
		{
			"both extensions of the secret",
			map[string]string{"share.yaml": "secret: y\n"},
			"share.yml: ",
			[]string{"both share.yml and share.yaml exist"},
		},
		{
			"unreadable secret",
			map[string]string{"share.yml": "secret: 'x\n"},
			"share.yml:1:9: ",
			[]string{"invalid YAML"},
		},
		{
			"configuration of 3.6",
			map[string]string{"config.yaml": "mysql:\n  address: [x]\ncallback:\n  url: x\n  userOnline:\n    enable: true\n"},
			"config.yaml:3:1: ",
			[]string{"OpenIM 3.6 or older", "userOnline -> afterUserOnline"},
		},
		{
			"shipped secret in strict mode",
			map[string]string{"share.yml": "secret: openIM123\n", "parley.yml": "strict: true\n"},
			"share.yml:1:1: ",
			[]string{"secret is still the default that OpenIM ships"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			lines := errorsOf(t, Options{Dir: write(t, tt.files)})
			expectLine(t, lines, tt.place, tt.parts...)
			if len(lines) != 1 {
				t.Errorf("%d errors, want one: %q", len(lines), lines)
			}
		})
	}
}

func TestWarnings(t *testing.T) {
	t.Parallel()
	const url = "url: http://127.0.0.1:1/x\n"
	tests := []struct {
		name  string
		files map[string]string
		place string
		parts []string
	}{
		{
			"suspicious unit",
			map[string]string{"webhooks.yml": "afterUserOnline:\n  timeout: 5000\n"},
			"warning: webhooks.yml:2:3: ",
			[]string{"timeout 5000 is in seconds (83 min); did you mean 5?"},
		},
		{
			"no limit",
			map[string]string{"webhooks.yml": "afterUserOnline:\n  timeout: 0\n"},
			"warning: webhooks.yml:2:12: ",
			[]string{"timeout 0 is not a limit; 5 s is used"},
		},
		{
			"above the deadline",
			map[string]string{"webhooks.yml": "beforeCreateGroup:\n  timeout: 9\n"},
			"warning: webhooks.yml:2:3: ",
			[]string{"timeout 9 s is above beforeDeadline", "8s"},
		},
		{
			"option on the wrong kind",
			map[string]string{"webhooks.yml": "afterCreateGroup:\n  failedContinue: true\n"},
			"warning: webhooks.yml:2:3: ",
			[]string{"afterCreateGroup.failedContinue has no effect on an after-callback"},
		},
		{
			"filter on a callback that has none",
			map[string]string{"webhooks.yml": "beforeCreateGroup:\n  attentionIds: [a]\n"},
			"warning: webhooks.yml:2:3: ",
			[]string{"attentionIds has no effect on beforeCreateGroup"},
		},
		{
			"contradiction",
			map[string]string{"webhooks.yml": "beforeMsgModify:\n  allowedTypes: [101-105]\n  deniedTypes: [104-110]\n"},
			"warning: webhooks.yml:3:3: ",
			[]string{"type 104-105 is in allowedTypes and in deniedTypes"},
		},
		{
			"dead configuration",
			map[string]string{"webhooks.yml": url + "beforeSetGroupInfo:\n  enable: true\n"},
			"hint: webhooks.yml:3:3: ",
			[]string{"beforeSetGroupInfo is enabled without beforeSetGroupInfoEx"},
		},
		{
			"dead profile configuration",
			map[string]string{"webhooks.yml": url + "beforeUpdateUserInfo:\n  enable: true\n"},
			"hint: webhooks.yml:3:3: ",
			[]string{"without beforeUpdateUserInfoEx"},
		},
		{
			"unsafe secret",
			map[string]string{"share.yml": "secret: openIM123\n"},
			"warning: share.yml:1:1: ",
			[]string{"UNSAFE", "default that OpenIM ships"},
		},
		{
			"plain http to the internet",
			map[string]string{"webhooks.yml": "url: http://biz.example.com/x\nafterUserOnline:\n  enable: true\n"},
			"warning: webhooks.yml:1:1: ",
			[]string{"plain http to a public address"},
		},
		{
			"TLS not verified",
			map[string]string{"webhooks.yml": "url: https://biz.example.com/x\ninsecureSkipVerify: true\nretry:\n  max: 5m\n"},
			"warning: webhooks.yml:2:1: ",
			[]string{"insecureSkipVerify is on"},
		},
		{
			"all message types",
			map[string]string{"webhooks.yml": url + "beforeMsgModify:\n  enable: true\n"},
			"hint: webhooks.yml:3:3: ",
			[]string{"allowedTypes: [101]"},
		},
		{
			"conversations suppressed",
			map[string]string{"webhooks.yml": url + "beforeCreateGroupChatConversations:\n  enable: true\n"},
			"warning: webhooks.yml:3:3: ",
			[]string{"failedContinue false"},
		},
		{
			"file name",
			map[string]string{"webhook.yml": url},
			"warning: webhook.yml: ",
			[]string{"file not recognised (did you mean 'webhooks.yml'?)"},
		},
		{
			"unknown key far from any other",
			map[string]string{"log.yml": "colour: true\n"},
			"warning: log.yml:1:1: ",
			[]string{"unknown key 'colour'"},
		},
		{
			"key on the wrong level",
			map[string]string{"openim-api.yml": "ports: [10002]\n"},
			"warning: openim-api.yml:1:1: ",
			[]string{"(did you mean 'api.ports'?)"},
		},
		{
			"bad YAML in a file without effect",
			map[string]string{"kafka.yml": "address: [a\n"},
			"warning: kafka.yml:1:10: ",
			[]string{"invalid YAML"},
		},
		{
			"configuration of 3.6 beside today's",
			map[string]string{"config.yaml": "callback:\n  url: x\n", "webhooks.yml": url},
			"warning: config.yaml:1:1: ",
			[]string{"OpenIM 3.6 or older"},
		},
		{
			"two lists of administrators",
			map[string]string{"share.yml": "secret: x\nimAdminUserID: [a]\nimAdminUser:\n  userIDs: [b]\n"},
			"warning: share.yml:2:1: ",
			[]string{"differ", "both are administrators"},
		},
		{
			"secret that looks like a number",
			map[string]string{"share.yml": "secret: 0123\n"},
			"warning: share.yml:1:1: ",
			[]string{"not quoted"},
		},
		{
			"push without credentials",
			map[string]string{"openim-push.yml": "enable: geTui\n"},
			"hint: openim-push.yml:1:1: ",
			[]string{"no credentials"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, r := mustLoad(t, Options{Dir: write(t, tt.files)})
			expectLine(t, warnings(r), tt.place, tt.parts...)
			if len(r.Problems) != 1 {
				t.Errorf("%d findings, want one: %q", len(r.Problems), warnings(r))
			}
		})
	}
}

// Nothing is said about what works, or about what OpenIM's own files contain.
func TestQuiet(t *testing.T) {
	t.Parallel()
	tests := map[string]map[string]string{
		"letter case":                      {"webhooks.yml": "URL: http://127.0.0.1:1/x\nBEFORESENDSINGLEMSG:\n  ENABLE: true\n"},
		"line ends and byte order mark":    {"webhooks.yml": "\ufeffurl: http://127.0.0.1:1/x\r\nafterUserOnline:\r\n  enable: true"},
		"anchors":                          {"webhooks.yml": "url: http://127.0.0.1:1/x\nafterUserOnline: &on\n  enable: true\n  timeout: 3\nafterUserOffline:\n  <<: *on\n  timeout: 4\n"},
		"unusable scheme, nothing on":      {"webhooks.yml": "url: webhook://127.0.0.1:10008/callbackExample\n"},
		"options of conversation events":   {"webhooks.yml": "afterCreateGroupChatConversations:\n  failedContinue: false\n"},
		"the default of what is not built": {"webhooks.yml": "insecureSkipVerify: false\nbreaker:\n  failures: 10\nsecret: ''\n"},
		"blank failedContinue":             {"webhooks.yml": "beforeAddBlack:\n  failedContinue:\n"},
		"empty filters":                    {"webhooks.yml": "beforeCreateGroup:\n  attentionIds: []\n  deniedTypes: []\n"},
		"http next door":                   {"webhooks.yml": "url: http://biz.default.svc:80/x\nafterUserOnline:\n  enable: true\n"},
		"https":                            {"webhooks.yml": "url: https://biz.example.com/x?tenant=1\nafterUserOnline:\n  enable: true\n"},
		"empty files":                      {"webhooks.yml": "", "log.yml": "# nothing\n", "notification.yml": "---\n"},
		"files of other programs":          {"prometheus.yml": "a: b\n", "README.md": "x", "email.tmpl": "x", "notes.txt": "x"},
		"tips that nobody reads":           {"notification.yml": "groupCancelMuted:\n  defaultTips:\n    tips: x\n"},
	}
	for name, files := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, r := mustLoad(t, Options{Dir: write(t, files)})
			if len(r.Problems) > 0 {
				t.Errorf("findings: %q", warnings(r))
			}
		})
	}
}
