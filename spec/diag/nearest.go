package diag

import "strings"

// longestWord bounds the words that Nearest compares: a name longer than this
// is no typing slip, and the comparison takes time with the square of it.
const longestWord = 64

// Nearest gives the candidate that word was probably meant to be, or "" where
// none is plausible. It allows one slip for every three letters, at most
// three: a letter missing, added, changed, or two neighbours swapped. Case
// does not count. Of equally near candidates the first wins.
func Nearest(word string, candidates []string) string {
	if len(word) > longestWord {
		return ""
	}
	typed := strings.ToLower(word)
	best, limit := "", min(len(word)/3, 3)
	for _, candidate := range candidates {
		if candidate == word || abs(len(candidate)-len(word)) > limit {
			continue
		}
		if d := slips(typed, strings.ToLower(candidate)); d <= limit {
			best, limit = candidate, d-1
		}
	}
	return best
}

// slips is the edit distance with swaps of neighbours (optimal string
// alignment): the least number of single slips that turn a into b.
func slips(a, b string) int {
	before := make([]int, len(b)+1) // two rows up
	above := make([]int, len(b)+1)
	row := make([]int, len(b)+1)
	for j := range above {
		above[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			changed := above[j-1]
			if a[i-1] != b[j-1] {
				changed++
			}
			row[j] = min(changed, above[j]+1, row[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, above, row = above, row, before
	}
	return above[len(b)]
}

func abs(n int) int {
	if n < 0 {
		return -n
	}
	return n
}
