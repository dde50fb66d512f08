package main

import (
	"fmt"
	"strings"
)

// diffContext is how many equal lines stand around a change.
const diffContext = 3

// edit is one line of a comparison: ' ' in both texts, '-' only in the old one,
// '+' only in the new one.
type edit struct {
	mark byte
	line string
}

// unifiedDiff compares two texts line by line in the format of "diff -u"; equal
// texts give "".
func unifiedDiff(name, before, after string) string {
	edits := compareLines(lines(before), lines(after))
	var b strings.Builder
	oldLine, newLine := 1, 1 // of edits[i]
	for i := 0; i < len(edits); {
		if edits[i].mark == ' ' {
			i, oldLine, newLine = i+1, oldLine+1, newLine+1
			continue
		}
		first := max(i-diffContext, 0)
		last := hunkEnd(edits, i)
		if b.Len() == 0 {
			fmt.Fprintf(&b, "--- %s\n+++ %s\n", name, name)
		}
		oldLine, newLine = oldLine-(i-first), newLine-(i-first)
		oldCount, newCount := count(edits[first:last])
		fmt.Fprintf(&b, "@@ -%s +%s @@\n", lineRange(oldLine, oldCount), lineRange(newLine, newCount))
		for _, e := range edits[first:last] {
			fmt.Fprintf(&b, "%c%s", e.mark, e.line)
			if !strings.HasSuffix(e.line, "\n") {
				b.WriteString("\n\\ No newline at end of file\n")
			}
		}
		i, oldLine, newLine = last, oldLine+oldCount, newLine+newCount
	}
	return b.String()
}

// lines splits a text; the lines keep their ends.
func lines(text string) []string {
	var list []string
	for line := range strings.Lines(text) {
		list = append(list, line)
	}
	return list
}

// hunkEnd is where the hunk that starts with the change at i ends: after the
// context of its last change. Changes share a hunk where their contexts meet.
func hunkEnd(edits []edit, i int) int {
	last := i + 1
	for at := i; at < len(edits) && at-last <= 2*diffContext; at++ {
		if edits[at].mark != ' ' {
			last = at + 1
		}
	}
	return min(last+diffContext, len(edits))
}

// count gives the lines of each text in some edits.
func count(edits []edit) (before, after int) {
	for _, e := range edits {
		if e.mark != '+' {
			before++
		}
		if e.mark != '-' {
			after++
		}
	}
	return before, after
}

// lineRange is a hunk's place in one text; a range of no lines names the line
// before it.
func lineRange(first, count int) string {
	switch count {
	case 0:
		return fmt.Sprintf("%d,0", first-1)
	case 1:
		return fmt.Sprint(first)
	}
	return fmt.Sprintf("%d,%d", first, count)
}

// compareLines finds the shortest edit from one list of lines to another, after
// E. Myers, "An O(ND) Difference Algorithm and Its Variations" (1986).
func compareLines(before, after []string) []edit {
	n, m := len(before), len(after)
	// furthest[k+n+m] is how far along before the best path on diagonal k has
	// come; trail keeps it for each number of edits.
	furthest := make([]int, 2*(n+m)+2)
	var trail [][]int
	for edits := 0; ; edits++ {
		trail = append(trail, append([]int(nil), furthest...))
		for k := -edits; k <= edits; k += 2 {
			x := step(furthest, k, edits, n+m)
			for x < n && x-k < m && before[x] == after[x-k] {
				x++
			}
			furthest[k+n+m] = x
			if x >= n && x-k >= m {
				return backtrack(before, after, trail)
			}
		}
	}
}

// step is where one more edit leads on diagonal k: down from diagonal k+1, or
// right from k-1, whichever comes further. The first step stays at 0.
func step(furthest []int, k, edits, middle int) int {
	switch {
	case edits == 0:
		return 0
	case k == -edits || k != edits && furthest[k-1+middle] < furthest[k+1+middle]:
		return furthest[k+1+middle]
	}
	return furthest[k-1+middle] + 1
}

// backtrack reads the edits off the trail, from the end to the start.
func backtrack(before, after []string, trail [][]int) []edit {
	middle := len(before) + len(after)
	x, y := len(before), len(after)
	var reversed []edit
	for edits := len(trail) - 1; edits >= 0; edits-- {
		k := x - y
		startX := step(trail[edits], k, edits, middle)
		for x > startX {
			x, y = x-1, y-1
			reversed = append(reversed, edit{' ', before[x]})
		}
		if edits == 0 {
			break
		}
		if k == -edits || k != edits && trail[edits][k-1+middle] < trail[edits][k+1+middle] {
			y--
			reversed = append(reversed, edit{'+', after[y]})
		} else {
			x--
			reversed = append(reversed, edit{'-', before[x]})
		}
	}
	list := make([]edit, len(reversed))
	for i, e := range reversed {
		list[len(list)-1-i] = e
	}
	return list
}
