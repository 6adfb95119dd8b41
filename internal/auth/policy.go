package auth

import (
	"fmt"
	"slices"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
)

// lostByIssue returns which of a user's other live tokens end when one for
// platform p is issued. live is newest first, and of tokens that may not stay
// together the newest stays.
func (s *Service) lostByIssue(p im.Platform, live []store.Token) ([]store.Token, error) {
	rules := s.rules.Load()
	switch rules.Policy {
	case PolicyNoKick:
		return surplus(live, max(rules.MaxPerPlatform, 1), p), nil
	case PolicyPerPlatform:
		return onePer(live, p, im.Platform.String), nil
	case PolicyPerClass:
		return onePer(live, p, func(p im.Platform) string { return string(p.Class()) }), nil
	case PolicyPCAndOther:
		return oneBesidePC(live, p), nil
	default:
		return nil, fmt.Errorf("login policy %d is not one of 0, 1, 4, 5", rules.Policy)
	}
}

// surplus keeps limit tokens on each platform, counting the new one on p.
func surplus(live []store.Token, limit int, p im.Platform) []store.Token {
	kept := map[im.Platform]int{p: 1}
	var lost []store.Token
	for _, t := range live {
		if kept[t.Platform] >= limit {
			lost = append(lost, t)
			continue
		}
		kept[t.Platform]++
	}
	return lost
}

// onePer keeps one token of each group; the new one takes the place in p's.
func onePer(live []store.Token, p im.Platform, group func(im.Platform) string) []store.Token {
	taken := map[string]bool{group(p): true}
	var lost []store.Token
	for _, t := range live {
		g := group(t.Platform)
		if taken[g] {
			lost = append(lost, t)
		}
		taken[g] = true
	}
	return lost
}

// oneBesidePC leaves PCs alone and keeps one token of all others: the new one,
// or beside a new PC an Android before any other.
func oneBesidePC(live []store.Token, p im.Platform) []store.Token {
	var others []store.Token
	for _, t := range live {
		if t.Platform.Class() != im.ClassPC {
			others = append(others, t)
		}
	}
	if p.Class() != im.ClassPC || len(others) == 0 {
		return others
	}
	stays := max(slices.IndexFunc(others, func(t store.Token) bool { return t.Platform == im.PlatformAndroid }), 0)
	return slices.Delete(others, stays, stays+1)
}

// displaced returns the platforms whose connections with another token end
// when p connects. Administrators' connections displace nobody.
func (s *Service) displaced(p im.Platform) []im.Platform {
	if p == im.PlatformAdmin {
		return nil
	}
	switch s.rules.Load().Policy {
	case PolicyPerPlatform:
		return []im.Platform{p}
	case PolicyPerClass:
		return platformsWhere(func(o im.Platform) bool { return o.Class() == p.Class() })
	case PolicyPCAndOther:
		if p.Class() == im.ClassPC {
			return nil
		}
		return platformsWhere(func(o im.Platform) bool { return o.Class() != im.ClassPC && o != im.PlatformAdmin })
	default:
		return nil
	}
}

func platformsWhere(match func(im.Platform) bool) []im.Platform {
	var found []im.Platform
	for p := im.PlatformIOS; p.Valid(); p++ {
		if match(p) {
			found = append(found, p)
		}
	}
	return found
}
