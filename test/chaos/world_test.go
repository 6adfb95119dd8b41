package chaos

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/parley-im/parley/internal/auth"
	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
	"github.com/parley-im/parley/internal/wire"
)

const (
	secret  = "crash test"
	groupID = "crew"
)

var users = []string{"anna", "ben", "carl", "dora"}

// devices are the clients: some users have two.
var devices = []struct {
	userID   string
	platform im.Platform
	form     wire.Form
}{
	{"anna", im.PlatformAndroid, wire.Gob},
	{"anna", im.PlatformWeb, wire.JSON},
	{"ben", im.PlatformIOS, wire.Gob},
	{"ben", im.PlatformWindows, wire.Gob},
	{"carl", im.PlatformWeb, wire.JSON},
	{"dora", im.PlatformAndroid, wire.Gob},
}

// seed writes users, a group of all of them and their tokens into the database
// of a server that has not started yet.
func seed(t *testing.T, o store.Options) (tokens []string) {
	t.Helper()
	db, err := store.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	now := im.MillisOf(time.Now())
	err = db.Write(t.Context(), func(tx *store.Tx) error {
		var members []im.Member
		for _, userID := range users {
			if err := tx.InsertUser(im.User{UserID: userID, Nickname: userID, AppLevel: im.LevelOrdinary, CreatedAt: now}); err != nil {
				return err
			}
			if _, err := tx.InsertConversation(im.Conversation{
				OwnerID: userID, ConversationID: im.GroupConversation(groupID), Type: im.GroupChat, GroupID: groupID,
			}); err != nil {
				return err
			}
			role := im.RoleMember
			if userID == users[0] {
				role = im.RoleOwner
			}
			members = append(members, im.Member{GroupID: groupID, UserID: userID, Role: role, JoinedAt: now})
		}
		if err := tx.InsertGroup(im.Group{
			GroupID: groupID, Name: groupID, OwnerID: users[0], CreatorID: users[0], CreatedAt: now,
			MemberCount: uint32(len(users)), Type: im.WorkingGroup, //nolint:gosec // four
		}); err != nil {
			return err
		}
		_, err := tx.InsertMembers(groupID, members)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	issuer := auth.New(db, auth.Options{Secret: []byte(secret), Expire: 24 * time.Hour, Policy: auth.PolicyPerPlatform})
	for _, d := range devices {
		token, _, err := issuer.UserToken(t.Context(), d.userID, d.platform)
		if err != nil {
			t.Fatal(err)
		}
		tokens = append(tokens, token)
	}
	return tokens
}

// newClients are the devices, each with a random sequence of its own.
func newClients(r *record, tokens []string, seed uint64) []*client {
	clients := make([]*client, len(devices))
	for i, d := range devices {
		clients[i] = &client{
			index: i, userID: d.userID, platform: d.platform, form: d.form, token: tokens[i], record: r,
			rng: rand.New(rand.NewPCG(seed, uint64(i))), known: make(map[string]int64), //nolint:gosec // an index
		}
	}
	return clients
}

// configure writes the server's configuration directory.
func configure(t *testing.T, handlerURL, postgresURL string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	// A busy machine must not make an answer late, which would be a refusal.
	webhooks := fmt.Sprintf(`url: %s
beforeDeadline: 60s
retry: {initial: 20ms, max: 200ms}
breaker: {failures: 1000000, rate: 0} # what a message gets must depend on its number alone
beforeSendSingleMsg: {enable: true, timeout: 60, failedContinue: false}
beforeSendGroupMsg: {enable: true, timeout: 60, failedContinue: true}
afterSendSingleMsg: {enable: true}
afterSendGroupMsg: {enable: true}
afterMsgSaveDB: {enable: true}
afterUserOnline: {enable: true}
afterUserOffline: {enable: true}
`, handlerURL) + endpointsYAML(handlerURL)
	files := map[string]string{
		"share.yml":    "secret: " + secret + "\n",
		"log.yml":      "remainLogLevel: 2\nisStdout: true\n", // the test's handler fails on purpose
		"webhooks.yml": webhooks,
	}
	if postgresURL != "" {
		files["parley.yml"] = fmt.Sprintf("storage:\n  postgres:\n    url: %q\n", postgresURL)
	}
	for name, text := range files {
		write(t, filepath.Join(dir, name), []byte(text))
	}
	return dir
}
