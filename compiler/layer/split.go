package layer

// Split gives one tensor several names.
var Split = define("Split", about{
	summary: "gives one tensor several names; a tensor may be read by many layers without it",
	formula: "every result is x",
	shape:   "the input's",
	example: `x    = input [10]
a, b = Split(x)
`,
}, wiring{1, 1, 1, many}, lowerSplit)

func lowerSplit(c *Context, _ *noFields) {
	for range c.Results() {
		c.Out(c.Any(0))
	}
}
