package auth_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/parley-im/parley/internal/auth"
	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
	"github.com/parley-im/parley/internal/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

const secret = "the secret"

// newService returns a service on a fresh store with an administrator, the
// users alice and bob and a notification account.
func newService(t *testing.T, open storetest.Open, c *storetest.Clock, policy, perPlatform int) *auth.Service {
	t.Helper()
	s := open(store.Options{Now: c.Now})
	if err := s.Write(t.Context(), func(tx *store.Tx) error {
		for id, level := range map[string]int32{"imAdmin": 2, "alice": 0, "bob": 0, "news": 3} {
			if err := tx.InsertUser(im.User{UserID: id, AppLevel: level}); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return auth.New(s, auth.Options{
		Secret: []byte(secret), Expire: 90 * 24 * time.Hour, Admins: []string{"imAdmin", "ghost"},
		Policy: policy, MaxPerPlatform: perPlatform, Now: c.Now,
	})
}

func userToken(t *testing.T, s *auth.Service, userID string, p im.Platform) string {
	t.Helper()
	token, life, err := s.UserToken(t.Context(), userID, p)
	if err != nil {
		t.Fatalf("token of %s on %s: %v", userID, p, err)
	}
	if life != 90*24*time.Hour {
		t.Fatalf("life %v", life)
	}
	return token
}

func TestVerify(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		c := storetest.NewClock()
		s := newService(t, open, c, auth.PolicyPerPlatform, 0)
		good := userToken(t, s, "alice", im.PlatformIOS)
		signed := func(key any, method jwt.SigningMethod, exp time.Time) string {
			t.Helper()
			token, err := jwt.NewWithClaims(method, jwt.MapClaims{"UserID": "alice", "PlatformID": 1, "exp": exp.Unix()}).SignedString(key)
			if err != nil {
				t.Fatal(err)
			}
			return token
		}
		later := c.Now().Add(time.Hour)

		claims, err := s.Verify(t.Context(), good)
		if err != nil || claims.UserID != "alice" || claims.Platform != im.PlatformIOS || !claims.ExpiresAt.Equal(c.Now().Add(90*24*time.Hour)) {
			t.Fatalf("claims %+v, %v", claims, err)
		}
		for name, test := range map[string]struct {
			token string
			want  error
		}{
			"empty":            {"", im.ErrTokenMalformed},
			"garbage":          {"a.b.c", im.ErrTokenMalformed},
			"expired":          {signed([]byte(secret), jwt.SigningMethodHS256, c.Now().Add(-time.Second)), im.ErrTokenExpired},
			"foreign key":      {signed([]byte("other"), jwt.SigningMethodHS256, later), im.ErrTokenUnknown},
			"other algorithm":  {signed([]byte(secret), jwt.SigningMethodHS512, later), im.ErrTokenUnknown},
			"no algorithm":     {signed(jwt.UnsafeAllowNoneSignatureType, jwt.SigningMethodNone, later), im.ErrTokenUnknown},
			"altered":          {good[:len(good)-2] + "xx", im.ErrTokenUnknown},
			"not issued by us": {signed([]byte(secret), jwt.SigningMethodHS256, later), im.ErrTokenNotExist},
		} {
			if _, err := s.Verify(t.Context(), test.token); !errors.Is(err, test.want) {
				t.Errorf("%s: %v, want %v", name, err, test.want)
			}
		}

		t.Run("forced out at once, although the token was checked before", func(t *testing.T) {
			other := userToken(t, s, "alice", im.PlatformWeb)
			for _, token := range []string{good, other} {
				if _, err := s.Verify(t.Context(), token); err != nil {
					t.Fatal(err)
				}
			}
			if err := s.ForceLogout(t.Context(), "alice", im.PlatformIOS); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Verify(t.Context(), good); !errors.Is(err, im.ErrTokenKicked) {
				t.Errorf("kicked token: %v", err)
			}
			if _, err := s.Verify(t.Context(), other); err != nil {
				t.Errorf("the other platform: %v", err)
			}
		})
		t.Run("a kicked token is forgotten with the next login", func(t *testing.T) {
			c.Pass(time.Second)
			userToken(t, s, "alice", im.PlatformWindows)
			if _, err := s.Verify(t.Context(), good); !errors.Is(err, im.ErrTokenNotExist) {
				t.Errorf("%v", err)
			}
		})
		t.Run("a checked token expires too", func(t *testing.T) {
			token := userToken(t, s, "bob", im.PlatformIOS)
			c.Pass(90*24*time.Hour - time.Second)
			if _, err := s.Verify(t.Context(), token); err != nil {
				t.Fatal(err)
			}
			c.Pass(2 * time.Second)
			if _, err := s.Verify(t.Context(), token); !errors.Is(err, im.ErrTokenExpired) {
				t.Errorf("%v", err)
			}
		})
	})
}

func TestAdminToken(t *testing.T) {
	c := storetest.NewClock()
	s := newService(t, storetest.SQLite(t), c, auth.PolicyPerPlatform, 0)
	first, _, err := s.AdminToken(t.Context(), secret, "imAdmin")
	if err != nil {
		t.Fatal(err)
	}
	if again, _, err := s.AdminToken(t.Context(), secret, "imAdmin"); err != nil || again != first {
		t.Fatalf("within one second another token: %v", err)
	}
	c.Pass(time.Minute)
	second, _, err := s.AdminToken(t.Context(), secret, "imAdmin")
	if err != nil || second == first {
		t.Fatalf("second token: %v", err)
	}
	c.Pass(5*time.Minute - time.Second)
	for _, token := range []string{first, second} {
		if _, err := s.Verify(t.Context(), token); err != nil {
			t.Fatalf("within the grace: %v", err)
		}
	}
	c.Pass(2 * time.Second)
	if _, err := s.Verify(t.Context(), first); !errors.Is(err, im.ErrTokenNotExist) {
		t.Errorf("after the grace: %v", err)
	}
	if _, err := s.Verify(t.Context(), second); err != nil {
		t.Errorf("the newest: %v", err)
	}

	for name, test := range map[string]struct {
		secret, userID string
		want           error
	}{
		"wrong secret":            {"guess", "imAdmin", im.ErrNoPermission},
		"empty secret":            {"", "imAdmin", im.ErrNoPermission},
		"no administrator":        {secret, "alice", im.ErrArgs},
		"administrator not there": {secret, "ghost", im.ErrNotFound},
	} {
		if _, _, err := s.AdminToken(t.Context(), test.secret, test.userID); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
}

func TestUserTokenRefused(t *testing.T) {
	s := newService(t, storetest.SQLite(t), storetest.NewClock(), auth.PolicyPerPlatform, 0)
	for name, test := range map[string]struct {
		userID   string
		platform im.Platform
		want     error
	}{
		"admin platform":       {"alice", im.PlatformAdmin, im.ErrNoPermission},
		"of an administrator":  {"imAdmin", im.PlatformIOS, im.ErrNoPermission},
		"unknown user":         {"nobody", im.PlatformIOS, im.ErrNotFound},
		"notification account": {"news", im.PlatformIOS, im.ErrArgs},
		"no user":              {"", im.PlatformIOS, im.ErrArgs},
		"no platform":          {"alice", 0, im.ErrArgs},
		"unknown platform":     {"alice", 13, im.ErrArgs},
	} {
		if _, _, err := s.UserToken(t.Context(), test.userID, test.platform); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
	odd := newService(t, storetest.SQLite(t), storetest.NewClock(), 7, 0)
	if _, _, err := odd.UserToken(t.Context(), "alice", im.PlatformIOS); err == nil {
		t.Error("an unknown policy issued a token")
	}
}

// The platforms of the tables below, in order of issue; the last is the new one.
const (
	ios     = im.PlatformIOS
	android = im.PlatformAndroid
	windows = im.PlatformWindows
	osx     = im.PlatformOSX
	web     = im.PlatformWeb
	ipad    = im.PlatformIPad
	apad    = im.PlatformAndroidPad
)

func TestPolicyAtIssue(t *testing.T) {
	for name, test := range map[string]struct {
		policy, perPlatform int
		issued              []im.Platform
		valid               []int // which of them still work at the end
	}{
		"0 keeps everything":                {0, 30, []im.Platform{ios, ios, web, ios}, []int{0, 1, 2, 3}},
		"0 keeps the newest of a platform":  {0, 2, []im.Platform{ios, web, ios, ios}, []int{1, 2, 3}},
		"1 keeps one per platform":          {1, 0, []im.Platform{ios, android, web, ios}, []int{1, 2, 3}},
		"4 keeps one per class":             {4, 0, []im.Platform{ios, windows, ipad, web, android}, []int{1, 2, 3, 4}},
		"4 counts pads as one class":        {4, 0, []im.Platform{ipad, web, apad}, []int{1, 2}},
		"5 PC leaves PCs alone":             {5, 0, []im.Platform{windows, osx, ios, windows}, []int{0, 1, 2, 3}},
		"5 a phone ends the web":            {5, 0, []im.Platform{windows, web, ios}, []int{0, 2}},
		"5 the web ends a pad, not the PCs": {5, 0, []im.Platform{ipad, osx, windows, web}, []int{1, 2, 3}},
	} {
		t.Run(name, func(t *testing.T) {
			c := storetest.NewClock()
			s := newService(t, storetest.SQLite(t), c, test.policy, test.perPlatform)
			var tokens []string
			for _, p := range test.issued {
				c.Pass(time.Second)
				tokens = append(tokens, userToken(t, s, "alice", p))
			}
			var valid []int
			for i, token := range tokens {
				_, err := s.Verify(t.Context(), token)
				switch {
				case err == nil:
					valid = append(valid, i)
				case !errors.Is(err, im.ErrTokenKicked) && !errors.Is(err, im.ErrTokenNotExist):
					t.Errorf("token %d: %v", i, err)
				}
			}
			if !slices.Equal(valid, test.valid) {
				t.Errorf("valid %v, want %v", valid, test.valid)
			}
		})
	}
	t.Run("two logins within a second share a token", func(t *testing.T) {
		s := newService(t, storetest.SQLite(t), storetest.NewClock(), auth.PolicyPerPlatform, 0)
		if a, b := userToken(t, s, "alice", ios), userToken(t, s, "alice", ios); a != b {
			t.Error("two tokens")
		}
	})
	t.Run("other users are left alone", func(t *testing.T) {
		c := storetest.NewClock()
		s := newService(t, storetest.SQLite(t), c, auth.PolicyPerPlatform, 0)
		bob := userToken(t, s, "bob", ios)
		c.Pass(time.Second)
		userToken(t, s, "alice", ios)
		if _, err := s.Verify(t.Context(), bob); err != nil {
			t.Error(err)
		}
	})
}

func TestDisplace(t *testing.T) {
	for name, test := range map[string]struct {
		policy    int
		connects  im.Platform
		platforms []im.Platform
		valid     []im.Platform // of ios, android, windows, osx, web, ipad, besides the new one
	}{
		"0 nobody":            {0, ios, nil, []im.Platform{ios, android, windows, osx, web, ipad}},
		"1 the platform":      {1, ios, []im.Platform{ios}, []im.Platform{android, windows, osx, web, ipad}},
		"4 the class":         {4, ios, []im.Platform{ios, android}, []im.Platform{windows, osx, web, ipad}},
		"4 a class of one":    {4, web, []im.Platform{web}, []im.Platform{ios, android, windows, osx, ipad}},
		"5 a PC nobody":       {5, osx, nil, []im.Platform{ios, android, windows, osx, web, ipad}},
		"5 others all but PC": {5, web, []im.Platform{ios, android, web, 6, apad, ipad, 11, 12}, []im.Platform{windows, osx}},
		"admins nobody":       {1, im.PlatformAdmin, nil, []im.Platform{ios, android, windows, osx, web, ipad}},
	} {
		t.Run(name, func(t *testing.T) {
			c := storetest.NewClock()
			open := storetest.SQLite(t)
			issuer := newService(t, open, c, auth.PolicyNoKick, 30)
			tokens := map[im.Platform]string{}
			for _, p := range []im.Platform{ios, android, windows, osx, web, ipad} {
				tokens[p] = userToken(t, issuer, "alice", p)
			}
			c.Pass(time.Second)
			var own string
			if test.connects != im.PlatformAdmin {
				own = userToken(t, issuer, "alice", test.connects)
			}
			s := issuer.WithPolicy(test.policy)
			for _, token := range tokens { // fill the cache
				if _, err := s.Verify(t.Context(), token); err != nil {
					t.Fatal(err)
				}
			}
			platforms, err := s.Displace(t.Context(), "alice", test.connects, own)
			if err != nil || !slices.Equal(platforms, test.platforms) {
				t.Fatalf("kick %v, %v; want %v", platforms, err, test.platforms)
			}
			for p, token := range tokens {
				_, err := s.Verify(t.Context(), token)
				if want := slices.Contains(test.valid, p); want != (err == nil) || (err != nil && !errors.Is(err, im.ErrTokenKicked)) {
					t.Errorf("%s: %v, want valid %v", p, err, want)
				}
			}
			if own != "" {
				if _, err := s.Verify(t.Context(), own); err != nil {
					t.Errorf("the connecting token: %v", err)
				}
			}
		})
	}
}

// A connection that began with a good token, but was slower than the login that
// ended it, must not end that login.
func TestDisplaceByAnEndedToken(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		c := storetest.NewClock()
		s := newService(t, open, c, auth.PolicyPerPlatform, 0)
		slow := userToken(t, s, "alice", ios)
		if _, err := s.Verify(t.Context(), slow); err != nil {
			t.Fatal(err)
		}
		c.Pass(time.Second)
		fast := userToken(t, s, "alice", ios)
		if _, err := s.Displace(t.Context(), "alice", ios, slow); !errors.Is(err, im.ErrTokenKicked) {
			t.Errorf("displace: %v", err)
		}
		if _, err := s.Verify(t.Context(), fast); err != nil {
			t.Errorf("the newer login: %v", err)
		}
	})
}

// Two logins at the same time must not both miss the other.
func TestLoginsAtOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		c := storetest.NewClock()
		s := newService(t, open, c, auth.PolicyPerPlatform, 0)
		const logins = 8
		tokens := make([]string, logins)
		var wg sync.WaitGroup
		for i := range logins {
			c.Pass(time.Second)
			wg.Go(func() {
				token, _, err := s.UserToken(context.Background(), "alice", ios)
				if err != nil {
					t.Error(err)
				}
				tokens[i] = token
			})
		}
		wg.Wait()
		valid := map[string]bool{}
		for _, token := range tokens {
			if _, err := s.Verify(t.Context(), token); err == nil {
				valid[token] = true
			}
		}
		if len(valid) != 1 {
			t.Errorf("%d valid tokens on one platform, want 1", len(valid))
		}
	})
}
