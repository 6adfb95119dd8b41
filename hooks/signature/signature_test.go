package signature_test

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/parley-im/parley/hooks/signature"
)

// Published vectors; the second line of C is the previous key of a rotation.
const (
	secretA  = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	secretB  = "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg=="
	publicB  = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4="
	currentC = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
	formerC  = "whsec_ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8="

	idA, bodyA = "msg_p5jXN8AQM9LWM0D4loKWxJek", `{"test": 2432232314}`
	sigA       = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
	sigB       = "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg=="

	idC   = "msg_2v1dQ8Zk0000000000000001"
	bodyC = `{"type":"message.single.after_send","timestamp":"2025-01-02T03:04:05.678Z","data":{"conversationID":"si_alice_bob","seq":42,"serverMsgID":"srv-1","clientMsgID":"cli-1"}}`
	sigC  = "v1,59sGcvsrZ/1kUJwvZuT1TWmx8D8Vfw1iyVsVJPQl/5I= v1,Na4iomJ68B4wEczC+OQmc0oTXU3AlNC9B8hk2OLRuQU="
	badC  = "v1,eGKouP35NtoxOaglvaSrVdFcBJiscTtwEbwYGuw9meE=" // made with the text of the key
)

var (
	atA = time.Unix(1614265330, 0)
	atC = time.Unix(1735787045, 0)
)

func key(t testing.TB, text string) signature.Key {
	t.Helper()
	k, err := signature.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestSignMatchesPublishedVectors(t *testing.T) {
	t.Parallel()
	if got := key(t, secretA).Sign(idA, atA, []byte(bodyA)); got != sigA {
		t.Errorf("A: %s", got)
	}
	if got := key(t, secretB).Sign(idA, atA, []byte(bodyA)); got != sigB {
		t.Errorf("B: %s", got)
	}
	if got := signature.SignAll(idC, atC, []byte(bodyC), key(t, currentC), key(t, formerC)); got != sigC {
		t.Errorf("C: %s", got)
	}
	if got := key(t, secretB).Public(); got != publicB {
		t.Errorf("public half of B: %s", got)
	}
	if k := key(t, publicB); k.CanSign() || k.Sign(idA, atA, nil) != "" {
		t.Error("a public key signs")
	}
}

func header(id string, at time.Time, sig string) http.Header {
	h := http.Header{}
	h.Set(signature.HeaderID, id)
	h.Set(signature.HeaderTimestamp, strconv.FormatInt(at.Unix(), 10))
	h.Set(signature.HeaderSignature, sig)
	return h
}

func TestVerify(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		header http.Header
		body   string
		now    time.Time
		keys   []string
		want   error
	}{
		{"A", header(idA, atA, sigA), bodyA, atA, []string{secretA}, nil},
		{"B with the key pair", header(idA, atA, sigB), bodyA, atA, []string{secretB}, nil},
		{"B with the public key", header(idA, atA, sigB), bodyA, atA, []string{publicB}, nil},
		{"C with the current key", header(idC, atC, sigC), bodyC, atC, []string{currentC}, nil},
		{"C with the previous key", header(idC, atC, sigC), bodyC, atC, []string{formerC}, nil},
		{"C signed with the undecoded key", header(idC, atC, badC), bodyC, atC, []string{currentC, formerC}, signature.ErrNoMatch},
		{"several headers", http.Header{
			signature.HeaderID: {idA}, signature.HeaderTimestamp: {"1614265330"}, signature.HeaderSignature: {"v1,AAAA", sigA},
		}, bodyA, atA, []string{secretA}, nil},
		{"unknown version beside", header(idA, atA, "v9,AAAA "+sigA), bodyA, atA, []string{secretA}, nil},
		{"unknown version alone", header(idA, atA, "v9"+sigA[2:]), bodyA, atA, []string{secretA}, signature.ErrNoMatch},
		{"another key", header(idA, atA, sigA), bodyA, atA, []string{currentC}, signature.ErrNoMatch},
		{"kinds are not mixed", header(idA, atA, sigA), bodyA, atA, []string{secretB}, signature.ErrNoMatch},
		{"changed body", header(idA, atA, sigA), bodyA + " ", atA, []string{secretA}, signature.ErrNoMatch},
		{"changed id", header(idA+"x", atA, sigA), bodyA, atA, []string{secretA}, signature.ErrNoMatch},
		{"a prefix of the signature", header(idA, atA, "v1,g0hM"), bodyA, atA, []string{secretA}, signature.ErrNoMatch},
		{"5 minutes old", header(idA, atA, sigA), bodyA, atA.Add(5 * time.Minute), []string{secretA}, nil},
		{"more than 5 minutes old", header(idA, atA, sigA), bodyA, atA.Add(5*time.Minute + time.Second), []string{secretA}, signature.ErrTimestamp},
		{"more than 5 minutes ahead", header(idA, atA, sigA), bodyA, atA.Add(-5*time.Minute - time.Second), []string{secretA}, signature.ErrTimestamp},
		{"odd timestamp", http.Header{
			signature.HeaderID: {idA}, signature.HeaderTimestamp: {"1614265330.5"}, signature.HeaderSignature: {sigA},
		}, bodyA, atA, []string{secretA}, signature.ErrNoHeaders},
		{"no headers", http.Header{}, bodyA, atA, []string{secretA}, signature.ErrNoHeaders},
		{"no keys", header(idA, atA, sigA), bodyA, atA, nil, signature.ErrNoKeys},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var keys []signature.Key
			for _, k := range c.keys {
				keys = append(keys, key(t, k))
			}
			if err := signature.Verify(c.header, []byte(c.body), c.now, keys...); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

// Whatever half of a rotation a verifier is in, it accepts what is sent.
func TestRotationNeverFailsVerification(t *testing.T) {
	t.Parallel()
	former, current := key(t, formerC), key(t, currentC)
	for step, signing := range [][]signature.Key{{former}, {former, current}, {current, former}, {current}} {
		for at, verifying := range [][]signature.Key{{former}, {former, current}, {current}} {
			if step == 0 && at == 2 || step == 3 && at == 0 {
				continue // one side is ahead of the overlap
			}
			h := http.Header{}
			signature.Set(h, idC, atC, []byte(bodyC), signing...)
			if err := signature.Verify(h, []byte(bodyC), atC, verifying...); err != nil {
				t.Errorf("signing step %d, verifying step %d: %v", step, at, err)
			}
		}
	}
}

func TestParseRefusesWithoutShowing(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "topsecret", "whsec_", "whsec_dG9wc2VjcmV0", "whsec_$$$$topsecret", "whsk_dG9wc2VjcmV0", "whpk_dG9wc2VjcmV0",
		"whsec_" + strings.Repeat("dG9w", 22), "whsk_" + strings.Repeat("dG9w", 21) + "dA==",
	} {
		_, err := signature.Parse(text)
		if err == nil {
			t.Errorf("%q was taken", text)
			continue
		}
		if strings.Contains(err.Error(), "topsecret") || strings.Contains(err.Error(), "dG9w") {
			t.Errorf("the error shows the text: %v", err)
		}
	}
	k := key(t, secretA)
	for _, shown := range []string{fmt.Sprint(k), fmt.Sprintf("%+v", k), fmt.Sprintf("%#v", k), k.LogValue().String()} {
		if shown != "[webhook key]" {
			t.Errorf("a key shows as %q", shown)
		}
	}
}

func TestNewSecretsDiffer(t *testing.T) {
	t.Parallel()
	a, b := signature.New(), signature.New()
	if a == b {
		t.Error("two secrets are equal")
	}
	key(t, a)
	key(t, b)
}
