package plan

import (
	"fmt"
	"html"
	"io"
	"strings"
	"unicode/utf8"
)

// Sizes of the drawing in pixels.
const (
	svgWidth    = 1200
	svgHeight   = 800
	svgMargin   = 40
	svgText     = 11 // height of a label
	svgLetter   = 6  // about the width of one letter of it
	svgLeastBox = 0.5
)

// SVG writes the arena as a drawing: a rectangle for each value, as wide as its
// lifetime and as high as its bytes, with its name where it fits and on hover.
// What lives across steps is grey. The error is the writer's.
func (p *Plan) SVG(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="%d">`+"\n",
		svgWidth+2*svgMargin, svgHeight+2*svgMargin, svgText)
	title := fmt.Sprintf("%s %s: arena %s, lower bound %s, %d steps",
		p.Graph.Name, p.Graph.Phase, Bytes(p.Size), Bytes(p.LowerBound), len(p.Graph.Nodes))
	fmt.Fprintf(&b, `<title>%s</title>`+"\n", escape(title))
	fmt.Fprintf(&b, `<text x="%d" y="%d">%s</text>`+"\n", svgMargin, svgMargin-svgText, escape(title))
	fmt.Fprintf(&b, `<rect x="%d" y="%d" width="%d" height="%d" fill="none" stroke="#888"/>`+"\n", svgMargin, svgMargin, svgWidth, svgHeight)
	for i, buffer := range p.Buffers {
		last := Lifetime{Start: -2}
		for _, v := range buffer.Values {
			life := p.Lifetimes[v]
			if life == last {
				continue // a reshape of the value before it
			}
			last = life
			fill := fmt.Sprintf("hsl(%d,60%%,75%%)", i*47%360) // neighbours differ
			if buffer.Persistent {
				fill = "#ddd"
			}
			p.box(&b, v.Name, buffer.Offset, v.Type.Bytes(), life, fill)
		}
	}
	b.WriteString("</svg>\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// box draws one value.
func (p *Plan) box(b *strings.Builder, name string, offset, bytes int, life Lifetime, fill string) {
	steps := float64(max(len(p.Graph.Nodes), 1))
	size := float64(max(p.Size, 1))
	from := float64(max(life.Start, 0))
	to := min(float64(life.End+1), steps)
	x := svgMargin + svgWidth*from/steps
	width := max(svgWidth*(to-from)/steps, svgLeastBox)
	height := max(svgHeight*float64(bytes)/size, svgLeastBox)
	y := svgMargin + svgHeight*(1-float64(offset)/size) - height
	fmt.Fprintf(b, `<g><title>%s: %s at %d, steps %d to %d</title>`, escape(name), Bytes(bytes), offset, int(from), max(int(to)-1, int(from)))
	fmt.Fprintf(b, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s" stroke="#444" stroke-width="0.3"/>`, x, y, width, height, fill)
	if height >= svgText && width >= float64(svgLetter*utf8.RuneCountInString(name)) {
		fmt.Fprintf(b, `<text x="%.1f" y="%.1f">%s</text>`, x+2, y+height/2+svgText/3, escape(name))
	}
	b.WriteString("</g>\n")
}

// escape makes text safe inside XML; what XML cannot hold becomes "?".
func escape(text string) string {
	return html.EscapeString(strings.Map(func(r rune) rune {
		if r == utf8.RuneError || r < ' ' || r == 0xFFFE || r == 0xFFFF {
			return '?'
		}
		return r
	}, text))
}
