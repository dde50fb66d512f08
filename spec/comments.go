package spec

import (
	"slices"
	"strings"

	"github.com/alecthomas/participle/v2/lexer"
)

// attachComments gives every comment, and every empty line, to the part of the
// tree that it belongs to: a comment on the line where an item ends belongs to
// that item, one on the line of an opening bracket to the bracket, any other
// to the item that follows it. A comment in the middle of an item, where the
// formatter has no line for it, moves in front of the item.
func attachComments(file *File, text scanned) {
	a := attacher{blankBefore: blankLines(text)}
	file.at = extent{start: -1, end: len(file.Source) + 1}
	a.blanks(file)
	var list []placed
	for _, t := range text.comments {
		list = append(list, placed{
			Comment: Comment{Text: strings.TrimRight(t.Value, " \t\r"), Blank: a.blankBefore[t.Pos.Offset]},
			offset:  t.Pos.Offset, line: t.Pos.Line,
		})
	}
	a.attach(file, list)
}

// placed is a comment and where it stands.
type placed struct {
	Comment
	offset, line int
}

type attacher struct{ blankBefore map[int]bool } // by offset in the file

// blankLines finds the tokens and comments with an empty line before them.
func blankLines(text scanned) map[int]bool {
	all := slices.Concat(text.tokens, text.comments)
	slices.SortFunc(all, func(a, b lexer.Token) int { return a.Pos.Offset - b.Pos.Offset })
	blank := map[int]bool{}
	for i, t := range all {
		if i > 0 && t.Pos.Line > all[i-1].Pos.Line+1 {
			blank[t.Pos.Offset] = true
		}
	}
	return blank
}

func (a *attacher) blanks(b bracket) {
	for i := range b.count() {
		it := b.item(i)
		it.trivia().Blank = a.blankBefore[it.trivia().at.start]
		for _, inner := range it.brackets() {
			a.blanks(inner)
		}
	}
}

// attach hands out comments that lie inside b, in source order.
func (a *attacher) attach(b bracket, comments []placed) {
	next := 0 // the first item that ends after the comment
	for len(comments) > 0 {
		c := comments[0]
		for next < b.count() && b.item(next).trivia().at.end <= c.offset {
			next++
		}
		if next < b.count() && b.item(next).trivia().at.start < c.offset {
			it := b.item(next)
			n := countBefore(comments, it.trivia().at.end)
			a.attachWithin(it, comments[:n])
			comments = comments[n:]
			continue
		}
		comments = comments[1:]
		switch in := b.inside(); {
		case next > 0 && b.item(next-1).trivia().at.endLine == c.line:
			b.item(next - 1).trivia().After = &c.Comment
		case next == 0 && in.at.startLine == c.line:
			in.First = &c.Comment
		case next < b.count():
			before := &b.item(next).trivia().Before
			*before = append(*before, c.Comment)
		default:
			in.Last = append(in.Last, c.Comment)
		}
	}
}

// attachWithin hands out comments that lie between the ends of one item.
func (a *attacher) attachWithin(it item, comments []placed) {
	for _, inner := range it.brackets() {
		at := inner.inside().at
		for len(comments) > 0 && comments[0].offset < at.start {
			it.trivia().Before = append(it.trivia().Before, comments[0].Comment)
			comments = comments[1:]
		}
		n := countBefore(comments, at.end)
		a.attach(inner, comments[:n])
		comments = comments[n:]
	}
	for _, c := range comments {
		it.trivia().Before = append(it.trivia().Before, c.Comment)
	}
}

func countBefore(comments []placed, offset int) int {
	n := 0
	for n < len(comments) && comments[n].offset < offset {
		n++
	}
	return n
}
