package push

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/outbox"
	"github.com/parley-im/parley/internal/store"
)

// Endpoint is the first part of the names of this package's outbox lanes.
const Endpoint = "@push"

const (
	page = 500 // members of a group worked on at a time
	// stale is the age at which nobody wants to hear of a message any more.
	stale = 24 * time.Hour
	// repeats of what a vendor could not take, and the pause before the first of
	// them; each further one waits twice as long.
	maxRepeats = 8
	firstPause = 5 * time.Second
	// undecided is the pause while a callback is asked.
	undecided = 500 * time.Millisecond
)

// Hooks ask the business server before a push; webhook implements them.
type Hooks interface {
	Wants(kind im.QuestionKind) bool
	Ask(ctx context.Context, q im.Question) error
}

// Options configure a Service.
type Options struct {
	// Vendor reaches everybody, Apple, if set, iPhones and iPads by their tokens.
	// Without either nobody is pushed to, but Hooks are asked all the same:
	// business servers push themselves from there.
	Vendor, Apple Provider
	Hooks         Hooks
	// Reached reports whether a message has reached a device of the user that
	// makes a push needless.
	Reached func(userID string) bool
	// Decided, if set, reports whether a message was shown to who is there, or
	// refused to be, and whether it may be pushed. Until then its push waits.
	Decided func(clientMsgID string) (decided, may bool)
	// Counted, if set, is told what became of every target of a vendor.
	Counted func(vendor string, o Outcome)
	// Sound and Badge are the defaults of openim-push.yml's iosPush.
	Sound  string
	Badge  bool
	Logger *slog.Logger
}

// Service pushes. It is the store.Recorder of im.MessageToPush and delivers the
// outbox rows it makes of it. It is safe for concurrent use.
type Service struct {
	store *store.Store
	o     Options
}

// New returns a service; Use must be called before it delivers.
func New(o Options) *Service {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Counted == nil {
		o.Counted = func(string, Outcome) {}
	}
	return &Service{o: o}
}

// Vendors are the names of those that are configured.
func (s *Service) Vendors() (names []string) {
	for _, p := range []Provider{s.o.Vendor, s.o.Apple} {
		if p != nil {
			names = append(names, p.Name())
		}
	}
	return names
}

// Use gives the service its store, which is opened with it as recorder.
func (s *Service) Use(st *store.Store) { s.store = st }

// job is the body of an outbox row.
type job struct {
	Conversation im.ConversationID `json:"conversation,omitempty"`
	Seq          im.Seq            `json:"seq,omitempty"`
	Message      *im.Message       `json:"message,omitempty"` // if it has no seq to read it by
	OperationID  string            `json:"operationID"`
	After        int64             `json:"after,omitempty"` // place in the group
	// Of a repeat: whom, with what, and from when on.
	Users   []string     `json:"users,omitempty"`
	Push    *im.PushInfo `json:"push,omitempty"`
	Repeats int          `json:"repeats,omitempty"`
	Due     im.Millis    `json:"due,omitempty"`
}

// Kind implements im.Event: what is left of a job is recorded like its start.
func (job) Kind() im.EventKind { return im.EventMessageToPush }

// Enabled implements store.Recorder.
func (s *Service) Enabled(kind im.EventKind) bool {
	return kind == im.EventMessageToPush && (s.o.Vendor != nil || s.o.Apple != nil || s.o.Hooks != nil && s.o.Hooks.Wants(im.AskPushOffline))
}

// Render implements store.Recorder.
func (s *Service) Render(e im.Event) []store.OutboxEvent {
	var j job
	var m *im.Message
	switch e := e.(type) {
	case im.MessageToPush:
		m = e.Message
		if m.SessionType == im.SingleChat && m.SendID == m.RecvID {
			return nil
		}
		j = job{Conversation: m.ConversationID, Seq: m.Seq, OperationID: e.OperationID}
		if m.Seq == 0 {
			j.Message = m
		}
	case job:
		j = e
	default:
		return nil
	}
	body, err := json.Marshal(j)
	if err != nil {
		s.o.Logger.Error("push not recorded", "conversation", j.Conversation, "error", err)
		return nil
	}
	lane := string(j.Conversation)
	if j.Repeats > 0 {
		lane += "/" + uuid.NewString() // keeps nobody waiting
	}
	row := store.OutboxEvent{
		Lane: Endpoint + "/" + lane, EventID: uuid.Must(uuid.NewV7()).String(), Callback: "offlinePush", OperationID: j.OperationID,
		Subject: string(j.Conversation), Body: body, CreatedAt: im.MillisOf(time.Now()),
	}
	if m != nil {
		row.ClientMsgID, row.ServerMsgID = m.ClientMsgID, m.ServerMsgID
	}
	return []store.OutboxEvent{row}
}

// Deliver works on one row (outbox.Handler).
func (s *Service) Deliver(ctx context.Context, e *store.OutboxEvent, _ int) outbox.Result {
	var j job
	if err := json.Unmarshal(e.Body, &j); err != nil {
		return outbox.Result{Verdict: outbox.Dead, Reason: "not a push: " + err.Error()}
	}
	now := s.store.Now()
	if wait := j.Due - now; wait > 0 {
		return outbox.Result{Verdict: outbox.Held, After: time.Duration(wait) * time.Millisecond}
	}
	m, err := s.message(ctx, &j)
	if err != nil {
		return outbox.Result{Verdict: outbox.Retrying, Reason: err.Error()}
	}
	if m == nil || now-m.SendTime > im.Millis(stale.Milliseconds()) {
		return outbox.Result{Verdict: outbox.Delivered}
	}
	if s.o.Decided != nil && j.After == 0 && j.Repeats == 0 {
		switch decided, may := s.o.Decided(m.ClientMsgID); {
		case !decided:
			return outbox.Result{Verdict: outbox.Held, After: undecided}
		case !may:
			return outbox.Result{Verdict: outbox.Delivered}
		}
	}
	candidates, next, err := s.candidates(ctx, &j, m)
	if err != nil {
		return outbox.Result{Verdict: outbox.Retrying, Reason: err.Error()}
	}
	users := slices.DeleteFunc(candidates, func(c store.PushCandidate) bool { return s.spared(m, c) != "" })
	var left *job
	if len(users) > 0 {
		if left, err = s.push(ctx, &j, m, users); err != nil {
			return outbox.Result{Verdict: outbox.Retrying, Reason: err.Error()}
		}
	}
	if err := s.goOn(ctx, j, next, left); err != nil {
		return outbox.Result{Verdict: outbox.Retrying, Reason: err.Error()}
	}
	return outbox.Result{Verdict: outbox.Delivered}
}

// goOn records what is left of a job: the next page of the group, and whom a
// vendor could not take.
func (s *Service) goOn(ctx context.Context, j job, next int64, left *job) error {
	if next == 0 && left == nil {
		return nil
	}
	return s.store.Write(ctx, func(tx *store.Tx) error {
		if next != 0 {
			more := j
			more.After = next
			if err := tx.Record(more); err != nil {
				return err
			}
		}
		if left != nil {
			return tx.Record(*left)
		}
		return nil
	})
}

// message is what is pushed; nil if it is gone or was revoked meanwhile.
func (s *Service) message(ctx context.Context, j *job) (m *im.Message, err error) {
	if j.Message != nil {
		return j.Message, nil
	}
	err = s.store.Read(ctx, func(tx *store.Tx) error {
		found, err := tx.MessagesBySeq(j.Conversation, []im.Seq{j.Seq})
		if len(found) == 1 && found[0].Revoked == nil {
			m = found[0]
		}
		return err
	})
	return m, err
}

// candidates are the next of those the message is for.
func (s *Service) candidates(ctx context.Context, j *job, m *im.Message) (page_ []store.PushCandidate, next int64, err error) {
	err = s.store.Read(ctx, func(tx *store.Tx) error {
		switch {
		case j.Users != nil:
			page_, err = tx.PushCandidates(j.Conversation, j.Users)
		case m.SessionType == im.GroupChat:
			page_, next, err = tx.GroupPushCandidates(m.GroupID, j.Conversation, j.After, page)
		default:
			page_, err = tx.PushCandidates(j.Conversation, []string{m.RecvID})
		}
		return err
	})
	return page_, next, err
}

// spared says why somebody is not pushed to, "" if he is.
func (s *Service) spared(m *im.Message, c store.PushCandidate) string {
	switch {
	case c.UserID == m.SendID:
		return "the sender"
	case c.GlobalOpt != im.RecvNotify:
		return "wants no push at all"
	case c.RecvOpt != im.RecvNotify:
		return "wants no push from this conversation"
	case m.Seq > 0 && c.ReadSeq >= m.Seq:
		return "has read it"
	case s.o.Reached != nil && s.o.Reached(c.UserID):
		return "is there"
	}
	return ""
}

// push asks the business server and hands the message to the vendors. What they
// could not take is returned as a job of its own.
func (s *Service) push(ctx context.Context, j *job, m *im.Message, candidates []store.PushCandidate) (*job, error) {
	users := make([]string, len(candidates))
	for i, c := range candidates {
		users[i] = c.UserID
	}
	info := j.Push
	if j.Repeats == 0 {
		q := &im.MayPush{Message: m, UserIDs: users, Push: m.Push}
		if s.o.Hooks != nil && s.o.Hooks.Wants(im.AskPushOffline) {
			if err := s.o.Hooks.Ask(im.WithOperation(ctx, j.OperationID), q); err != nil {
				s.o.Logger.InfoContext(ctx, "offline push refused by the business server", "message", m.ClientMsgID, "users", len(users), "reason", err)
				return nil, nil
			}
			if err := s.meanwhile(ctx, j, m, candidates, q); err != nil {
				return nil, err
			}
		}
		users, info = q.UserIDs, q.Push
	}
	if len(users) == 0 || s.o.Vendor == nil && s.o.Apple == nil {
		return nil, nil
	}
	results, err := s.send(ctx, s.notification(m, info), users, j.Repeats == 0 && s.counts(info))
	if err != nil {
		return nil, err
	}
	return s.settle(ctx, j, info, results)
}

// meanwhile takes those out of an answer who have read the message, or came to a
// device of theirs, while the business server was asked. Whom it has added is its
// own choice.
func (s *Service) meanwhile(ctx context.Context, j *job, m *im.Message, asked []store.PushCandidate, q *im.MayPush) error {
	ids := make([]string, len(asked))
	for i, c := range asked {
		ids[i] = c.UserID
	}
	var now []store.PushCandidate
	if err := s.store.Read(ctx, func(tx *store.Tx) (err error) {
		now, err = tx.PushCandidates(j.Conversation, ids)
		return err
	}); err != nil {
		return err
	}
	spared := make(map[string]bool, len(now))
	for _, c := range now {
		spared[c.UserID] = s.spared(m, c) != ""
	}
	q.UserIDs = slices.DeleteFunc(q.UserIDs, func(userID string) bool { return spared[userID] })
	return nil
}

// settle deletes tokens that are gone and collects whom to try again.
func (s *Service) settle(ctx context.Context, j *job, info *im.PushInfo, results []Result) (*job, error) {
	again := *j
	again.Users, again.Push, again.After = nil, info, 0
	if info == nil {
		again.Push = &im.PushInfo{}
	}
	var wait time.Duration
	var gone []store.PushToken
	counts := map[Outcome]int{}
	for _, r := range results {
		counts[r.Outcome]++
		switch r.Outcome {
		case Later:
			wait = max(wait, r.After)
			if !slices.Contains(again.Users, r.Target.UserID) {
				again.Users = append(again.Users, r.Target.UserID)
			}
		case Gone:
			gone = append(gone, store.PushToken{UserID: r.Target.UserID, Platform: r.Target.Platform, Token: r.Target.Token})
		case Refused:
			s.o.Logger.WarnContext(ctx, "push refused by the vendor", "user", r.Target.UserID, "reason", r.Reason)
		}
	}
	if len(gone) > 0 {
		err := s.store.Write(ctx, func(tx *store.Tx) error {
			for _, t := range gone {
				if err := tx.DeletePushToken(t); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	s.o.Logger.InfoContext(ctx, "offline push", "conversation", j.Conversation, "seq", j.Seq, "accepted", counts[Accepted], "gone", counts[Gone],
		"refused", counts[Refused], "later", counts[Later])
	if len(again.Users) == 0 {
		return nil, nil
	}
	if again.Repeats++; again.Repeats > maxRepeats {
		s.o.Logger.WarnContext(ctx, "offline push given up", "conversation", j.Conversation, "seq", j.Seq, "users", len(again.Users))
		return nil, nil
	}
	wait = max(wait, firstPause<<(again.Repeats-1))
	again.Due = s.store.Now() + im.Millis(wait.Milliseconds())
	return &again, nil
}

// send hands a notification to the vendors of some users.
func (s *Service) send(ctx context.Context, n Notification, users []string, count bool) ([]Result, error) {
	var tokens []store.PushToken
	var badges map[string]int64
	err := s.store.Read(ctx, func(tx *store.Tx) (err error) {
		if tokens, err = tx.PushTokens(users, s.store.Now()); err != nil {
			return err
		}
		badges, err = tx.AppBadges(users)
		return err
	})
	if err == nil && count {
		err = s.store.Write(ctx, func(tx *store.Tx) (err error) {
			badges, err = tx.CountAppBadges(users)
			return err
		})
	}
	if err != nil {
		return nil, err
	}
	badge := func(userID string) int64 { return max(badges[userID], 1) }
	var apple, vendor []Target
	for _, t := range tokens {
		target := Target{UserID: t.UserID, Platform: t.Platform, Token: t.Token, Badge: badge(t.UserID)}
		switch {
		case s.o.Apple != nil && (t.Platform == im.PlatformIOS || t.Platform == im.PlatformIPad):
			apple = append(apple, target)
		case s.o.Vendor != nil && s.o.Vendor.Tokens():
			vendor = append(vendor, target)
		}
	}
	if s.o.Vendor != nil && !s.o.Vendor.Tokens() {
		for _, userID := range users {
			vendor = append(vendor, Target{UserID: userID, Badge: badge(userID)})
		}
	}
	return append(s.inBatches(ctx, s.o.Vendor, n, vendor), s.inBatches(ctx, s.o.Apple, n, apple)...), nil
}

func (s *Service) inBatches(ctx context.Context, p Provider, n Notification, targets []Target) (results []Result) {
	for len(targets) > 0 {
		b := targets[:min(len(targets), p.Batch())]
		targets = targets[len(b):]
		results = append(results, p.Push(ctx, n, b)...)
	}
	for _, r := range results {
		s.o.Counted(p.Name(), r.Outcome)
	}
	return results
}

// counts reports whether a push raises the number on the app's icon.
func (s *Service) counts(info *im.PushInfo) bool {
	if info != nil {
		return info.IOSBadgeCount
	}
	return s.o.Badge
}

// Titles of messages whose sender gave none (websocket-and-messages 11.3).
var titles = map[im.ContentType]string{
	im.ContentText: "[TEXT]", im.ContentPicture: "[PICTURE]", im.ContentVoice: "[VOICE]", im.ContentVideo: "[VIDEO]", im.ContentFile: "[File]",
	im.ContentAtText: "[@TEXT]",
}

func (s *Service) notification(m *im.Message, info *im.PushInfo) Notification {
	n := Notification{ClientMsgID: m.ClientMsgID, Sound: s.o.Sound}
	if info != nil {
		n.Title, n.Desc, n.Ex = info.Title, info.Desc, info.Ex
		if info.IOSPushSound != "" {
			n.Sound = info.IOSPushSound
		}
	}
	if n.Title == "" {
		if n.Title = titles[m.ContentType]; n.Title == "" {
			n.Title = "[NEWMSG]"
		}
	}
	if n.Desc == "" {
		n.Desc = n.Title
	}
	return n
}

// Test pushes a notification to a user's devices, wherever he is, and says what
// became of each. With dry nothing is sent.
func (s *Service) Test(ctx context.Context, userID string, n Notification, dry bool) ([]Result, error) {
	if s.o.Vendor == nil && s.o.Apple == nil {
		return nil, im.ErrArgs.With("no push vendor is configured: set enable in openim-push.yml, or push.apns in parley.yml")
	}
	t := *s
	if dry {
		t.o.Vendor, t.o.Apple = withhold(s.o.Vendor), withhold(s.o.Apple)
		t.o.Counted = func(string, Outcome) {}
	}
	results, err := t.send(ctx, n, []string{userID}, false)
	if err == nil && len(results) == 0 {
		err = im.ErrNotFound.With("%s has no device with a push token", userID)
	}
	return results, err
}

// withheld says what a vendor would be asked.
type withheld struct{ Provider }

func withhold(p Provider) Provider {
	if p == nil {
		return nil
	}
	return withheld{p}
}

// Push implements Provider.
func (w withheld) Push(_ context.Context, _ Notification, targets []Target) []Result {
	return All(targets, Accepted, fmt.Sprintf("would go to %s", w.Name()), 0)
}

var _ store.Recorder = (*Service)(nil)
