package plan

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
)

// The text chart has at most this many rows, columns and letters.
const (
	chartRows    = 32
	chartColumns = 96
	chartLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
)

// Draw writes the arena as a text chart: steps from left to right, bytes from
// bottom to top. Each cell shows the buffer that takes most of it: a letter for
// the largest, listed below, "=" for what lives across steps, "." for the
// others and a blank where nothing is live. The error is the writer's.
func (p *Plan) Draw(w io.Writer) error {
	steps := max(len(p.Graph.Nodes), 1)
	columns := min(steps, chartColumns)
	rows := min(max(p.Size/Alignment, 1), chartRows)
	largest := p.largestTransient(len(chartLetters))
	letters := map[int]byte{} // by position in p.Buffers
	for i, at := range largest {
		letters[at] = chartLetters[i]
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s: %s, %d steps\n", p.Graph.Name, p.Graph.Phase, Bytes(p.Size), len(p.Graph.Nodes))
	for row := rows - 1; row >= 0; row-- {
		lo, hi := p.Size*row/rows, p.Size*(row+1)/rows
		fmt.Fprintf(&b, "%10s |", Bytes(lo))
		for column := range columns {
			from := steps * column / columns
			to := max(steps*(column+1)/columns, from+1) - 1
			b.WriteByte(p.cell(lo, hi, from, to, letters))
		}
		b.WriteString("|\n")
	}
	for i, at := range largest {
		buffer := p.Buffers[at]
		fmt.Fprintf(&b, "%c  %s at %d, steps %s: %s\n", chartLetters[i], Bytes(buffer.Bytes), buffer.Offset, p.steps(buffer), names(buffer.Values))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// largestTransient lists the positions in p.Buffers of the largest buffers that
// do not live across steps.
func (p *Plan) largestTransient(count int) []int {
	var list []int
	for i, b := range p.Buffers {
		if !b.Persistent {
			list = append(list, i)
		}
	}
	slices.SortStableFunc(list, func(i, j int) int { return cmp.Compare(p.Buffers[j].Bytes, p.Buffers[i].Bytes) })
	return list[:min(count, len(list))]
}

// cell is the mark for bytes lo to hi during steps from to to.
func (p *Plan) cell(lo, hi, from, to int, letters map[int]byte) byte {
	mark, most := byte(' '), 0
	for i, b := range p.Buffers {
		bytes := min(hi, b.Offset+b.Bytes) - max(lo, b.Offset)
		duration := min(to, b.End) - max(from, b.Start) + 1
		if bytes <= 0 || duration <= 0 || bytes*duration <= most {
			continue
		}
		most = bytes * duration
		switch letter, ok := letters[i]; {
		case b.Persistent:
			mark = '='
		case ok:
			mark = letter
		default:
			mark = '.'
		}
	}
	return mark
}
