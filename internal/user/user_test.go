package user_test

import (
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/message"
	"github.com/parley-im/parley/internal/store"
	"github.com/parley-im/parley/internal/store/storetest"
	"github.com/parley-im/parley/internal/user"
)

func TestMain(m *testing.M) { storetest.Main(m) }

func TestEnsureAdmins(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		users := newUsers(open(store.Options{}))
		for _, nickname := range []string{"first", "first", "second"} { // a start, a restart, a changed configuration
			if err := users.EnsureAdmins(t.Context(), []im.User{{UserID: "imAdmin", Nickname: nickname}}); err != nil {
				t.Fatal(err)
			}
			got, err := users.Users(t.Context(), []string{"imAdmin"})
			if err != nil || len(got) != 1 || got[0].Nickname != nickname || got[0].AppLevel != im.LevelAdmin || got[0].CreatedAt == 0 {
				t.Errorf("%s: %+v, %v", nickname, got, err)
			}
		}
	})
}

func TestRegister(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		users := newUsers(open(store.Options{}))
		if err := users.Register(t.Context(), []im.User{{UserID: "taken", Nickname: "n"}}); err != nil {
			t.Fatal(err)
		}
		fresh := im.User{UserID: "fresh", Nickname: "n"}
		for name, c := range map[string]struct {
			second im.User
			want   error
		}{
			"taken":             {im.User{UserID: "taken", Nickname: "n"}, im.ErrRegistered},
			"twice":             {fresh, im.ErrArgs},
			"no id":             {im.User{Nickname: "n"}, im.ErrArgs},
			"no name":           {im.User{UserID: "x"}, im.ErrArgs},
			"a colon":           {im.User{UserID: "a:b", Nickname: "n"}, im.ErrArgs},
			"too long":          {im.User{UserID: strings.Repeat("x", im.MaxIDLength+1), Nickname: "n"}, im.ErrArgs},
			"an unknown option": {im.User{UserID: "x", Nickname: "n", RecvOpt: 3}, im.ErrArgs},
		} {
			if err := users.Register(t.Context(), []im.User{fresh, c.second}); !errors.Is(err, c.want) {
				t.Errorf("%s: %v, want %v", name, err, c.want)
			}
		}
		got, err := users.Registered(t.Context(), []string{"taken", "fresh", "x"})
		if err != nil || !got[0] || got[1] || got[2] {
			t.Errorf("registered %v, %v", got, err)
		}
	})
}

func newUsers(s *store.Store) *user.Service {
	out := &outbox{told: map[string]int{}}
	return user.New(s, message.New(s, nil, out, out, message.Options{}), im.NoHooks{}, slog.New(slog.DiscardHandler))
}
