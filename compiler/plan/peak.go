package plan

import "netc/ir"

// Peak gives the most bytes that a graph's own values take at one step, in the
// order of its nodes, and the sum of the bytes over all steps: how much, and
// for how long. Inputs, parameters and states, which no order changes, are not
// counted. The error says what makes the graph malformed.
func Peak(g *ir.Graph, nests Nests) (bytes, total int, err error) {
	l, err := analyse(g, nests)
	if err != nil {
		return 0, 0, err
	}
	var blocks []block
	for _, c := range l.classes {
		if c.persistent != nil {
			continue
		}
		b := block{size: rounded(c.bytes), start: c.start, end: c.end}
		blocks = append(blocks, b)
		total += b.size * (b.end - b.start + 1)
	}
	bytes, _ = peakOf(blocks)
	return bytes, total, nil
}
