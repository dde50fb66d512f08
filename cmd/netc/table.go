package main

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// table is text in aligned columns, two blanks apart.
type table [][]string

func (t *table) row(cells ...string) { *t = append(*t, cells) }

func (t *table) rows() int { return len(*t) }

// print writes the table. align has a letter for each column: "l" for left, "r"
// for right. A row with fewer cells ends early.
func (t *table) print(w io.Writer, align string) {
	widths := make([]int, len(align))
	for _, row := range *t {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range *t {
		var line strings.Builder
		for i, cell := range row {
			if i > 0 {
				line.WriteString("  ")
			}
			blanks := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if align[i] == 'r' {
				line.WriteString(blanks + cell)
			} else {
				line.WriteString(cell + blanks)
			}
		}
		fmt.Fprintln(w, strings.TrimRight(line.String(), " "))
	}
}
