// Package config turns an OpenIM configuration directory, parley.yml and the
// environment into one Config.
//
// One schema describes every key of every recognised file. Reading files,
// checking names, environment variables, the start-up report and docs/config.md
// are all driven by it, so a key is described once. Nothing is dropped in
// silence: an unknown name is an error that names the nearest known one, and a
// known key without effect is listed with the reason. All problems of all files
// are reported together.
//
// The package reads files and nothing else. It opens no port, starts nothing,
// writes nothing, and does not know who uses the values.
package config

import (
	"time"

	"github.com/parley-im/parley/internal/webhook/registry"
)

// Config is everything an operator can set.
type Config struct {
	Dir     string // configuration directory, "" when there is none
	DataDir string // where the server keeps its own data
	Strict  bool   // refuse unsafe settings and private handler addresses

	Share        Share
	API          API
	Gateway      Gateway
	Auth         Auth
	Message      Message
	Group        Group
	Log          Log
	Notification map[string]Notification // by event, every known event present
	Webhooks     Webhooks
	Storage      Storage
	Metrics      Metrics
	Push         Push
	Object       Object
	Cron         Cron
	Limits       Limits
	Edge         Edge
	Operations   Operations
	Traces       Traces
	TLS          TLS
	Console      Console
}

// Share is what the server has in common with the business server.
type Share struct {
	Secret     string // "" means: generate one and keep it in DataDir
	Admins     []Admin
	MultiLogin MultiLogin
}

// Admin is a system administrator.
type Admin struct {
	UserID   string
	Nickname string
}

// MultiLogin says how many sessions a user may have.
type MultiLogin struct {
	Policy       int // 0 no kicking, 1 one per platform, 4 one per device class, 5 PC and one other
	MaxNumOneEnd int // tokens per platform, policy 0 only
}

// API configures the HTTP API.
type API struct {
	ListenIP         string
	Ports            []int // listened on, all of them
	CompressionLevel int   // 0 default, 1 best, 2 speed, -1 off
	MaxBodyBytes     int64
	GrafanaURL       string
	RateLimit        RateLimit
}

// Gateway configures the WebSocket listener.
type Gateway struct {
	ListenIP         string
	Ports            []int // listened on, all of them
	MaxConns         int
	MaxFrameBytes    int // never below 51200, whatever the file says
	HandshakeTimeout time.Duration
	RateLimit        RateLimit
}

// RateLimit sheds load by CPU use.
type RateLimit struct {
	Enable       bool
	Window       time.Duration
	Bucket       int
	CPUThreshold int // per mille
}

// Auth configures tokens.
type Auth struct {
	TokenExpire time.Duration
}

// Message configures sending.
type Message struct {
	FriendVerify bool // single messages need friendship
}

// Group configures groups.
type Group struct {
	EnableHistoryForNewMembers bool
}

// Log configures where logs go.
type Log struct {
	Level               int // 0 fatal, 1 panic, 2 error, 3 warn, 4 info, 5 debug, 6 debug with SQL
	Stdout              bool
	JSON                bool
	Simplify            bool   // shorten long values
	StorageLocation     string // directory of log files, "" for none
	RotationTime        time.Duration
	RemainRotationCount int
}

// Notification configures one event.
type Notification struct {
	IsSendMsg   bool // show it as a chat message
	OfflinePush OfflinePush
}

// OfflinePush is the vendor push of a notification.
type OfflinePush struct {
	Enable bool
	Title  string
	Desc   string
	Ext    string
}

// Storage chooses and tunes the database.
type Storage struct {
	Postgres Postgres
	SQLite   SQLite
}

// Postgres is used when URL is set, SQLite otherwise.
type Postgres struct {
	URL string
}

// SQLite tunes the embedded database.
type SQLite struct {
	Synchronous string // FULL or NORMAL
	MmapSize    int64  // bytes, 0 for none
}

// Metrics configures the metrics endpoint.
type Metrics struct {
	Enable bool
}

// Traces says where operations are followed to.
type Traces struct {
	Endpoint string // OTLP/HTTP collector, "" for none or that of the environment
	Percent  int    // of the operations
}

// Operations is for who runs the server.
type Operations struct {
	MetricsFrom []string // networks that may read metrics, beside this machine
	Pprof       string   // address, "" for none
	MinFreeDisk int64    // bytes, 0 for no check
	StopDelay   time.Duration
}

// Push configures vendor push.
type Push struct {
	Vendor               string // getui, fcm, jpush or "" for none
	GeTui                GeTui
	FCM                  FCM
	JPush                JPush
	IOS                  IOSPush
	APNs                 APNs
	MaxConcurrentWorkers int
}

// GeTui holds the credentials of getui.com.
type GeTui struct {
	PushURL, MasterSecret, AppKey, Intent, ChannelID, ChannelName string
}

// FCM locates the service account of Firebase Cloud Messaging.
type FCM struct {
	FilePath, AuthURL string
	URL               string // in place of Google's
}

// JPush holds the credentials of jiguang.cn.
type JPush struct {
	AppKey, MasterSecret, PushURL, PushIntent string
}

// APNs reaches Apple's devices without a vendor between, if it has a key.
type APNs struct {
	KeyFile, KeyID, TeamID, Topic string
	URL                           string // in place of Apple's
}

// IOSPush has the defaults of pushes to iOS.
type IOSPush struct {
	PushSound  string
	BadgeCount bool
	Production bool
}

// Object configures the file store.
type Object struct {
	Dir        string // name of the directory of the built-in store, inside DataDir
	PublicURL  string // the API's address in links, "" for the one that was called
	MaxSize    int64  // bytes of one file
	UserQuota  int64  // bytes of one user's files, 0 for no limit
	TotalQuota int64  // bytes of everybody's files, 0 for no limit
	// S3 is used instead of the built-in store when it is not nil.
	S3 *S3
}

// S3 is a bucket of an object store.
type S3 struct {
	Store                              string // its name in openim-rpc-third.yml
	Endpoint, PublicEndpoint           string // URLs: this server's way and the clients'
	Region, Bucket                     string
	AccessKey, SecretKey, SessionToken string
	BucketInHost                       bool
	PublicRead                         bool
}

// Cron configures scheduled clean-up.
type Cron struct {
	Schedule          string // five fields, local time
	RetainChatRecords time.Duration
	FileExpire        time.Duration // 0 or less keeps files for ever
	DeleteObjectTypes []string
}

// Console configures the operator's page.
type Console struct {
	Enable         bool
	Listen         string        // an address of its own, "" for the API's
	SessionLife    time.Duration // of a login
	ContentReaders []string      // administrators who may see message content; "*" for all
}

// Limits bounds what one user may do.
type Limits struct {
	SendsPerSecond int // 0 means no limit
	SendBurst      int
}

// TLS encrypts both ports when it has files.
type TLS struct {
	CertFile, KeyFile string // PEM; relative to Dir
	MinVersion        string // "1.2" or "1.3"
}

// Edge says what is in front of the ports. All of it may change in a running
// server.
type Edge struct {
	TrustedProxies []string // addresses and networks
	AllowedOrigins []string // of web pages; none for all
	Limits         EdgeLimits
}

// EdgeLimits bound what one address and one user may ask for; 0 is no limit.
type EdgeLimits struct {
	ConnectionsPerAddress, ConnectionsPerUser int
	HandshakesPerAddress                      int // a second
	RequestsPerAddress, RequestsPerUser       int // a second
	FailuresPerAddress                        int // a minute
	FramesPerConnection                       int // a second
	ExemptAddresses                           []string
}

// Webhooks is webhooks.yml.
type Webhooks struct {
	URL string
	// BeforeDeadline is shared by all before-calls of one client operation.
	BeforeDeadline time.Duration
	// StrictActionCode lets failedContinue decide about an answer whose
	// actionCode is not 0 and whose nextCode is not 1. Without it such an
	// answer approves.
	StrictActionCode bool
	Callbacks        map[string]Callback // by key, every key of the registry present

	Secret             string // signs requests when set
	PreviousSecret     string // also signed with, while secrets are rotated
	MaxConcurrency     int    // before-calls in flight per callback
	Retry              Retry
	Breaker            Breaker
	Alert              Alert
	Concurrency        int // lanes of after-callbacks in work per endpoint
	Rate               int // attempts per second and endpoint, 0 for no limit
	Endpoints          []Endpoint
	Verify             Verify
	Outbox             Outbox
	DeadLetters        Kept
	DeliveryLog        Kept
	PullLog            PullLog
	CommandInQuery     bool // send ?command=, as releases up to 3.4 did
	InsecureSkipVerify bool
	Signature          Signature
}

// Retry spaces the attempts of an after-event.
type Retry struct {
	Initial     time.Duration
	Max         time.Duration
	GiveUpAfter time.Duration
}

// Breaker decides when an endpoint counts as down.
type Breaker struct {
	Failures int           // consecutive failures that open it
	Rate     int           // percent of at least 20 calls that open it too, 0 for none
	Window   time.Duration // over which the failure rate is taken
	Probe    time.Duration // between attempts while open
}

// Alert is where the operator is told of endpoints that fail and come back.
type Alert struct {
	URL    string // "" for none
	Secret string
}

// Verify checks endpoints before traffic needs them.
type Verify struct {
	Every    time.Duration // 0 is off
	Callback string        // called with a test body; "" opens a connection only
}

// Outbox bounds what waits.
type Outbox struct {
	MaxBytes int64 // per endpoint
}

// Kept bounds a list that is looked at later.
type Kept struct {
	Keep time.Duration
	Rows int64
}

// PullLog bounds the log of each endpoint that fetches.
type PullLog struct {
	Keep     time.Duration
	MaxBytes int64
}

// Signature is the scheme of OpenIM's commercial edition, which signs a nonce
// and not the body.
type Signature struct {
	Algorithm       string // HMAC-SHA1, HMAC-SHA256, HMAC-SHA512 or "" for none
	SignatureHeader string
	NonceHeader     string
	Secret          string
}

// Callback is the effective configuration of one callback.
type Callback struct {
	Key            string
	Command        string
	Enable         bool
	Timeout        time.Duration
	FailedContinue bool
	URL            string // base: the callback's own, or that of webhooks.yml
	AttentionIDs   []string
	AllowedTypes   []TypeRange
	DeniedTypes    []TypeRange
	// Sources maps each option of webhooks.yml to where its value comes from:
	// "webhooks.yml:12", "env IMENV_WEBHOOKS_URL" or "default".
	Sources map[string]string
}

// TypeRange is a range of content types, both ends included.
type TypeRange struct {
	From, To int32
}

// Contains reports whether contentType lies in the range.
func (r TypeRange) Contains(contentType int32) bool {
	return r.From <= contentType && contentType <= r.To
}

// defaultTimeout is used when webhooks.yml has none. OpenIM's own zero value
// would mean no limit.
const defaultTimeout = 5 * time.Second

// minFrameBytes is what OpenIM enforces whatever its file says. Its shipped
// value of 4096 would break working clients if it were obeyed.
const minFrameBytes = 51200

// Default is the configuration of a server without a configuration directory.
func Default() *Config {
	limit := RateLimit{Window: 20 * time.Second, Bucket: 500, CPUThreshold: 850}
	c := &Config{
		DataDir: "./parley-data",
		Share: Share{
			Admins:     []Admin{{UserID: "imAdmin", Nickname: "superAdmin"}},
			MultiLogin: MultiLogin{Policy: 1, MaxNumOneEnd: 30},
		},
		API: API{
			ListenIP: "0.0.0.0", Ports: []int{10002}, MaxBodyBytes: 8 << 20,
			GrafanaURL: "http://127.0.0.1:13000/", RateLimit: limit,
		},
		Gateway: Gateway{
			ListenIP: "0.0.0.0", Ports: []int{10001}, MaxConns: 100000,
			MaxFrameBytes: minFrameBytes, HandshakeTimeout: 10 * time.Second, RateLimit: limit,
		},
		Auth:  Auth{TokenExpire: 90 * day},
		Group: Group{EnableHistoryForNewMembers: true},
		Log: Log{
			Level: 4, Stdout: true, Simplify: true,
			RotationTime: 24 * time.Hour, RemainRotationCount: 2,
		},
		Notification: defaultNotifications(),
		Webhooks: Webhooks{
			BeforeDeadline:   8 * time.Second,
			StrictActionCode: true,
			Callbacks:        make(map[string]Callback),
			MaxConcurrency:   256,
			Retry:            Retry{Initial: time.Second, Max: 5 * time.Minute, GiveUpAfter: day},
			Breaker:          Breaker{Failures: 10, Rate: 50, Window: 30 * time.Second, Probe: 10 * time.Second},
			Concurrency:      256,
			Outbox:           Outbox{MaxBytes: 10 << 30},
			DeadLetters:      Kept{Keep: 30 * day, Rows: 1_000_000},
			DeliveryLog:      Kept{Keep: 7 * day, Rows: 500_000},
			PullLog:          PullLog{Keep: 7 * day, MaxBytes: 1 << 30},
		},
		Storage:    Storage{SQLite: SQLite{Synchronous: "FULL"}},
		Metrics:    Metrics{Enable: true},
		Operations: Operations{MinFreeDisk: 64 << 20},
		Traces:     Traces{Percent: 100},
		Push: Push{
			GeTui:                GeTui{PushURL: "https://restapi.getui.com/v2/$appId"},
			IOS:                  IOSPush{PushSound: "xxx", BadgeCount: true},
			MaxConcurrentWorkers: 3,
		},
		Object:  Object{Dir: "openim", MaxSize: 10 << 30},
		Limits:  Limits{SendBurst: 20},
		Edge:    Edge{Limits: EdgeLimits{ConnectionsPerUser: 100, RequestsPerUser: 200, FailuresPerAddress: 120}},
		TLS:     TLS{MinVersion: "1.2"},
		Console: Console{Enable: true, SessionLife: 12 * time.Hour, ContentReaders: []string{"*"}},
		Cron: Cron{
			Schedule: "0 2 * * *", RetainChatRecords: 365 * day, FileExpire: 180 * day,
			DeleteObjectTypes: []string{"msg-picture", "msg-file", "msg-voice", "msg-video", "msg-video-snapshot", "sdklog"},
		},
	}
	for _, r := range registry.All() {
		sources := make(map[string]string, len(callbackOptions))
		for _, option := range callbackOptions {
			sources[option] = sourceDefault
		}
		c.Webhooks.Callbacks[r.Key] = Callback{
			Key: r.Key, Command: r.Command, Timeout: defaultTimeout, Sources: sources,
		}
	}
	return c
}

const (
	day           = 24 * time.Hour
	sourceDefault = "default"
)

// callbackOptions are the keys below each callback of webhooks.yml.
var callbackOptions = []string{
	"enable", "timeout", "failedContinue", "url", "command", "attentionIds", "allowedTypes", "deniedTypes",
}
