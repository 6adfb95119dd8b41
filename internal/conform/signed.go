package conform

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/parley-im/parley/hooks/signature"
)

// signatureChecks ask whether somebody else could speak to the handler in the
// server's name.
var signatureChecks = []check{
	{
		name:   "forged",
		rule:   "a request signed with another key is refused",
		why:    "whoever can reach the handler can tell it anything",
		mend:   "verify webhook-signature before anything else and answer 401 when no entry matches",
		needs:  []string{answered},
		signed: true,
		run: func(ctx context.Context, p *player) finding {
			other, err := signature.Parse(signature.New())
			if err != nil {
				return fail("", err.Error())
			}
			return p.eachMustBeRefused(ctx, "signed with another key", func(c call) call {
				c.at = time.Now()
				c.signature = other.Sign(c.id, c.at, c.body)
				return c
			})
		},
	},
	{
		name:   "unsigned",
		rule:   "a request without signature headers is refused",
		why:    "leaving the headers out must not be a way around the signature",
		mend:   "answer 401 when webhook-id, webhook-timestamp or webhook-signature is missing",
		needs:  []string{"forged"},
		signed: true,
		run: func(ctx context.Context, p *player) finding {
			f := p.eachMustBeRefused(ctx, "without the three headers", func(c call) call {
				c.id = ""
				return c
			})
			if f.outcome == Failed {
				return f
			}
			return p.eachMustBeRefused(ctx, "without webhook-signature", func(c call) call {
				c.unsigned = true
				return c
			})
		},
	},
	{
		name:   "signature-whole",
		rule:   "the whole signature is compared",
		why:    "a signature of which a part is enough can be guessed",
		mend:   "compare all bytes of the decoded signature: hmac.Equal, MessageDigest.isEqual, timingSafeEqual, compare_digest, hash_equals",
		needs:  []string{"forged"},
		signed: true,
		run:    signatureWhole,
	},
	{
		name:   "signature-constant-time",
		rule:   "comparing takes the same time wherever the difference is",
		why:    "time that grows with the bytes guessed right gives the signature away; only gross differences can be seen through a network",
		mend:   "compare with hmac.Equal, MessageDigest.isEqual, timingSafeEqual, compare_digest or hash_equals",
		needs:  []string{"signature-whole"},
		signed: true,
		run:    signatureConstantTime,
	},
	{
		name:   "body-signed",
		rule:   "a request whose body was changed is refused",
		why:    "somebody on the way could change what the server says",
		mend:   "verify the bytes of the body as they came, of every request, repeated ones included; parse them afterwards",
		needs:  []string{"forged"},
		signed: true,
		run:    bodySigned,
	},
	{
		name:   "timestamp-old",
		rule:   "a request of 10 minutes ago is refused",
		why:    "a recorded request could be played again at any time",
		mend:   "refuse when webhook-timestamp is more than 5 minutes from now",
		needs:  []string{"forged"},
		signed: true,
		run:    refusesDated("signed, 10 minutes old", -10*time.Minute),
	},
	{
		name:   "timestamp-ahead",
		rule:   "a request from the future is refused",
		why:    "it could be played again until then",
		mend:   "refuse when webhook-timestamp is more than 5 minutes from now, in both directions",
		needs:  []string{"timestamp-old"},
		signed: true,
		run:    refusesDated("signed, 10 minutes ahead", 10*time.Minute),
	},
	{
		name:   "timestamp-recent",
		rule:   "a request of a few minutes ago is accepted",
		why:    "clocks differ",
		mend:   "accept up to 5 minutes in both directions",
		needs:  []string{answered},
		signed: true,
		run: func(ctx context.Context, p *player) finding {
			for _, away := range []time.Duration{-3 * time.Minute, 3 * time.Minute} {
				c := p.before(harmlessText)
				c.at = time.Now().Add(away)
				if e := p.play(ctx, c); e.refused() {
					return fail(fmt.Sprintf("beforeSendSingleMsg, signed, %s from now", away), e.String())
				}
			}
			return pass()
		},
	},
	{
		name:   "rotation",
		rule:   "one matching signature of several is enough",
		why:    "while a secret is being replaced the server signs with both keys; schemes the handler does not know may stand beside",
		mend:   "split webhook-signature at spaces, pass over what does not begin with v1, and accept when any entry matches",
		needs:  []string{answered},
		signed: true,
		run: func(ctx context.Context, p *player) finding {
			other, err := signature.Parse(signature.New())
			if err != nil {
				return fail("", err.Error())
			}
			c := p.before(harmlessText)
			c.at = time.Now()
			right := p.sign(c.id, c.at, c.body)
			c.signature = "v9,AAAA " + other.Sign(c.id, c.at, c.body) + " " + right
			e := p.play(ctx, c)
			return passIf(!e.refused(), "beforeSendSingleMsg, with an unknown, a wrong and the right signature", e)
		},
	},
}

// refusesDated plays requests with a good signature whose time is some way off.
func refusesDated(how string, away time.Duration) func(context.Context, *player) finding {
	return func(ctx context.Context, p *player) finding {
		return p.eachMustBeRefused(ctx, how, func(c call) call {
			c.at = time.Now().Add(away)
			return c
		})
	}
}

// eachMustBeRefused plays a before-call and an after-event after what was done to
// them.
func (p *player) eachMustBeRefused(ctx context.Context, how string, change func(call) call) finding {
	for _, c := range []call{p.before(harmlessText), p.after(harmlessText)} {
		c = change(c)
		if e := p.play(ctx, c); !e.refused() {
			return fail(c.command+", "+how, e.String())
		}
	}
	return pass()
}

// keyDecoded tries what handlers take for the key: the text of the secret, with
// and without its prefix. The rest of the suite then speaks to them in their way.
func keyDecoded(ctx context.Context, p *player) finding {
	if !p.harmless.refused() {
		return pass()
	}
	secret := strings.TrimSpace(p.options.Secret)
	_, bare, _ := strings.Cut(secret, "_")
	for _, key := range []string{secret, bare} {
		p.undecoded = func(id string, at time.Time, body []byte) string {
			mac := hmac.New(sha256.New, []byte(key))
			mac.Write(slices.Concat([]byte(id+"."+strconv.FormatInt(at.Unix(), 10)+"."), body))
			return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
		}
		if e := p.play(ctx, p.before(harmlessText)); e.accepted() {
			return fail("beforeSendSingleMsg, signed with the text of the secret as key", e.String())
		}
	}
	p.undecoded = nil
	return pass() // whatever it is, it is something else
}

// signatureWhole plays signatures that are partly right.
func signatureWhole(ctx context.Context, p *player) finding {
	for _, part := range []struct {
		how  string
		make func(version, encoded string) string
	}{
		{"the first 8 characters of the signature", func(v, s string) string { return v + "," + s[:8] }},
		{"all but the last 4 characters of the signature", func(v, s string) string { return v + "," + s[:len(s)-4] }},
		{"an empty signature", func(v, _ string) string { return v + "," }},
		{"the right signature and more behind it", func(v, s string) string { return v + "," + s + "AAAA" }},
		{"the signature in another letter case", func(v, s string) string { return v + "," + strings.ToLower(s) }},
	} {
		c := p.before(harmlessText)
		c.at = time.Now()
		version, encoded, _ := strings.Cut(p.sign(c.id, c.at, c.body), ",")
		c.signature = part.make(version, encoded)
		if e := p.play(ctx, c); !e.refused() {
			return fail("beforeSendSingleMsg, "+part.how, e.String())
		}
	}
	return pass()
}

// signatureConstantTime compares the time of signatures that are wrong in the
// first byte with that of those wrong in the last. One round may be chance; three
// that say the same are not.
func signatureConstantTime(ctx context.Context, p *player) finding {
	const rounds, pairs, most, gross = 3, 25, 18, 200 * time.Microsecond
	wrongAt := func(first bool) time.Duration {
		c := p.before(harmlessText)
		c.at = time.Now()
		version, encoded, _ := strings.Cut(p.sign(c.id, c.at, c.body), ",")
		raw, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil {
			return 0
		}
		at := len(raw) - 1
		if first {
			at = 0
		}
		raw[at] ^= 0xff
		c.signature = version + "," + base64.StdEncoding.EncodeToString(raw)
		return p.play(ctx, c).duration
	}
	var median time.Duration
	for range rounds {
		var longer []time.Duration
		slower := 0
		for i := range pairs {
			var first, last time.Duration
			if i%2 == 0 {
				first, last = wrongAt(true), wrongAt(false)
			} else {
				last, first = wrongAt(false), wrongAt(true)
			}
			if last > first {
				slower++
			}
			longer = append(longer, last-first)
		}
		slices.Sort(longer)
		if median = longer[pairs/2]; slower < most || median < gross {
			return pass()
		}
	}
	return fail(fmt.Sprintf("%d wrong signatures, wrong in the first or in the last byte", 2*rounds*pairs),
		fmt.Sprintf("those wrong in the last byte took %s longer", median.Round(10*time.Microsecond)))
}

// bodySigned changes a body behind its signature: what it says, how it is
// written, and that of a request which was accepted before.
func bodySigned(ctx context.Context, p *player) finding {
	changed := func(c call, old, replacement string) call {
		c.at = time.Now()
		c.signature = p.sign(c.id, c.at, c.body)
		c.body = bytes.Replace(c.body, []byte(old), []byte(replacement), 1)
		return c
	}
	word, other := strconv.Quote("alice"), strconv.Quote("mallory")
	for _, one := range []struct {
		how  string
		call call
	}{
		{"the sender changed behind the signature", changed(p.before(harmlessText), word, other)},
		{"a space added behind the signature", changed(p.before(harmlessText), ":", ": ")},
		{"a space cut off at the end behind the signature", changed(p.before(harmlessText), "\n", "")},
	} {
		if e := p.play(ctx, one.call); !e.refused() {
			return fail("beforeSendSingleMsg, "+one.how, e.String())
		}
	}
	first := p.after(harmlessText)
	first.at = time.Now()
	p.play(ctx, first)
	if e := p.play(ctx, changed(first, word, other)); !e.refused() {
		return fail("afterSendSingleMsg accepted before, again with its headers and the sender changed", e.String())
	}
	return pass()
}
