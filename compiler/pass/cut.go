package pass

import "math"

// cut is a graph with capacities whose vertices are to be divided between two
// sides, at the least sum of the capacities of the edges from the first side to
// the second.
//
// The division is found as a maximum flow, by Dinic's algorithm (E. A. Dinic,
// "Algorithm for solution of a problem of maximum flow in networks with power
// estimation", Soviet Mathematics Doklady 11, 1970). That assignments of two
// labels, with a price where neighbours differ, are such divisions: D. M. Greig,
// B. T. Porteous and A. H. Seheult, "Exact maximum a posteriori estimation for
// binary images", Journal of the Royal Statistical Society B 51, 1989.
type cut struct {
	edges [][]int // of each vertex, places in ends and left
	ends  []int   // edge i leads to ends[i], its reverse is i ^ 1
	left  []int   // capacity that no flow uses yet
	level []int
	next  []int // the edge of each vertex that is tried next
}

// The vertices that stand for the sides.
const (
	firstSide  = 0
	secondSide = 1
)

// never is a capacity that no cut is worth.
const never = math.MaxInt / 4

func newCut() *cut { return &cut{edges: make([][]int, 2)} }

// vertex adds a vertex.
func (c *cut) vertex() int {
	c.edges = append(c.edges, nil)
	return len(c.edges) - 1
}

// edge adds a cost for having one vertex on the first side and the other on
// the second.
func (c *cut) edge(from, to, cost int) {
	if cost == 0 || from == to {
		return
	}
	c.edges[from] = append(c.edges[from], len(c.ends))
	c.edges[to] = append(c.edges[to], len(c.ends)+1)
	c.ends = append(c.ends, to, from)
	c.left = append(c.left, cost, 0)
}

// divide gives the vertices of the first side: of the cheapest divisions the one
// with the fewest. It uses the capacities up.
func (c *cut) divide() []bool {
	for c.layer() {
		c.next = make([]int, len(c.edges))
		for c.push(firstSide, math.MaxInt) > 0 {
		}
	}
	first := make([]bool, len(c.edges))
	for v, level := range c.level {
		first[v] = level >= 0
	}
	return first
}

// layer measures how far each vertex is from the first side along edges with
// capacity left, and reports whether the second side can be reached.
func (c *cut) layer() bool {
	c.level = make([]int, len(c.edges))
	for v := range c.level {
		c.level[v] = -1
	}
	c.level[firstSide] = 0
	queue := []int{firstSide}
	for len(queue) > 0 {
		v := queue[0]
		queue = queue[1:]
		for _, e := range c.edges[v] {
			if to := c.ends[e]; c.left[e] > 0 && c.level[to] < 0 {
				c.level[to] = c.level[v] + 1
				queue = append(queue, to)
			}
		}
	}
	return c.level[secondSide] >= 0
}

// push sends up to so much flow from a vertex along one path to the second side.
func (c *cut) push(v, most int) int {
	if v == secondSide {
		return most
	}
	for ; c.next[v] < len(c.edges[v]); c.next[v]++ {
		e := c.edges[v][c.next[v]]
		to := c.ends[e]
		if c.left[e] == 0 || c.level[to] != c.level[v]+1 {
			continue
		}
		if sent := c.push(to, min(most, c.left[e])); sent > 0 {
			c.left[e] -= sent
			c.left[e^1] += sent
			return sent
		}
	}
	return 0
}
