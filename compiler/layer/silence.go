package layer

// Silence reads tensors so that they are not results of the net.
var Silence = define("Silence", about{
	summary: "reads tensors that nothing else reads, so that the net does not report them",
	formula: "computes nothing",
	shape:   "the result, where one is written, is no tensor of its own: it stands for the first input",
	example: `x    = input [10]
a, b = Slice(x)
gone = Silence(b)
`,
}, wiring{1, many, 0, 1}, lowerSilence)

func lowerSilence(c *Context, _ *noFields) {
	for _, top := range c.layer.Tops {
		c.low.read[top.Name] = true
	}
	c.Out(c.Any(0))
}
