package config

import (
	"slices"
	"strings"
)

// distance counts the single-character edits between a and b, a swap of
// neighbours being one, without regard to letter case.
func distance(a, b string) int {
	x, y := []rune(strings.ToLower(a)), []rune(strings.ToLower(b))
	if len(x) > 200 || len(y) > 200 {
		return max(len(x), len(y))
	}
	before, prev, cur := make([]int, len(y)+1), make([]int, len(y)+1), make([]int, len(y)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := range x {
		cur[0] = i + 1
		for j := range y {
			cost := 1
			if x[i] == y[j] {
				cost = 0
			}
			cur[j+1] = min(prev[j+1]+1, cur[j]+1, prev[j]+cost)
			if i > 0 && j > 0 && x[i] == y[j-1] && x[i-1] == y[j] {
				cur[j+1] = min(cur[j+1], before[j-1]+1)
			}
		}
		before, prev, cur = prev, cur, before
	}
	return prev[len(y)]
}

// nearest picks the name an operator most likely meant, or "". A name that was
// cut short or continued counts as close.
func nearest(name string, names []string) string {
	best, bestScore := "", max(3, len(name)/3+1)
	for _, candidate := range slices.Sorted(slices.Values(names)) {
		score := distance(name, candidate)
		short, long := strings.ToLower(name), strings.ToLower(candidate)
		if len(short) > len(long) {
			short, long = long, short
		}
		if len(short) >= 5 && strings.HasPrefix(long, short) {
			score = min(score, 2)
		}
		if score < bestScore && score < len(candidate)-1 {
			best, bestScore = candidate, score
		}
	}
	return best
}

// typo reports whether name is so close to a known one that it can only be a
// slip. A two-letter name is not within two edits of another two-letter name.
func typo(name string, names []string) bool {
	return slices.ContainsFunc(names, func(known string) bool {
		d := distance(name, known)
		return d <= 2 && d < len(known)-1
	})
}
