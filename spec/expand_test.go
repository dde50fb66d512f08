package spec

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"netc/spec/diag"
)

// listing writes a net one layer a line, without places.
func listing(n *Net) string {
	var b strings.Builder
	fmt.Fprintf(&b, "net %s %s\n", n.Name, n.Phase)
	for _, in := range n.Inputs {
		fmt.Fprintf(&b, "%s = input %v %s\n", in.Name, in.Shape, in.DType)
	}
	for _, l := range n.Layers {
		fmt.Fprintf(&b, "%s = %s(%s)%s\n", refs(l.Tops), l.Type, refs(l.Bottoms), fieldListing(l.Fields))
		if len(l.Tops) == 0 || l.Name != l.Tops[0].Name {
			fmt.Fprintf(&b, "  but its name is %s\n", l.Name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(n.Aliases)) {
		fmt.Fprintf(&b, "%s -> %s\n", name, n.Aliases[name])
	}
	return b.String()
}

func refs(list []Ref) string {
	var names []string
	for _, r := range list {
		names = append(names, r.Name)
	}
	return strings.Join(names, " ")
}

func fieldListing(list []*Field) string {
	if list == nil {
		return ""
	}
	var parts []string
	for _, f := range list {
		parts = append(parts, f.Name+"="+valueListing(f.Value))
	}
	return " {" + strings.Join(parts, " ") + "}"
}

func valueListing(v Value) string {
	switch v.Kind {
	case Number:
		if v.IsInt {
			return fmt.Sprintf("%d", int64(v.Num))
		}
		return fmt.Sprintf("%gf", v.Num)
	case Bool:
		return fmt.Sprint(v.Bool)
	case Word:
		return v.Text + fieldListing(v.Fields)
	case String:
		return fmt.Sprintf("%q", v.Text)
	case Block:
		return fieldListing(v.Fields)
	}
	var parts []string
	for _, item := range v.Items {
		parts = append(parts, valueListing(item))
	}
	return "[" + strings.Join(parts, " ") + "]"
}

// inMemory reads files from a map.
func inMemory(files map[string]string) ReadFile {
	return func(path string) ([]byte, error) {
		if text, ok := files[path]; ok {
			return []byte(text), nil
		}
		return nil, fs.ErrNotExist
	}
}

// mustExpand expands a text that has no mistakes.
func mustExpand(t *testing.T, read ReadFile, path string, sel Selection) *Net {
	t.Helper()
	file, found := LoadFrom(read, path)
	net, more := Expand(file, sel)
	if found = append(found, more...); len(found) > 0 {
		var b strings.Builder
		diag.Render(&b, found, file.Sources())
		t.Fatalf("unexpected messages:\n%s", b.String())
	}
	return net
}

func TestExpand(t *testing.T) {
	const unit = `
block unit(x, n, stride = 1, out = 2*n) {
  conv = Convolution(x) { num_output: out stride: stride }
  relu = ReLU(conv)
  return relu
}
`
	cases := []struct {
		name   string
		source string
		sel    Selection
		want   string
	}{
		{
			"fields", `
const n = 3
data = input [n, 2*n - 1, 7/2] i32
a, b = Slice(data) { int: (n + 1)*2%5 - -1  float: -(0.5)  small: .5  big: 1e3  yes: true  word: max  word: n
  list: [1, n, x, [2.5]]  filler: gaussian { std: 0.1 }  block { inner: "q\"\\\n" } empty: {} }
`, Selection{Phase: "train"}, `net f train
data = input [3 5 3] i32
a b = Slice(data) {int=4 float=-0.5f small=0.5f big=1000f yes=true word=max word=3 list=[1 3 x [2.5f]] filler=gaussian {std=0.1f} block= {inner="q\"\\\n"} empty=}
`,
		},
		{
			"guards choose by phase and stage", `
data = input [1] @train
data = input [2] @test
a = ReLU(data) @test
b = ReLU(data) @!test
c = ReLU(data) @deploy
d = ReLU(data) @!deploy
e = ReLU(data) @deploy @!fast
f = ReLU(data) @deploy @!slow
g = ReLU(f) @test @deploy
`, Selection{Phase: "train", Stages: []string{"deploy", "fast"}}, `net f train
data = input [1] f32
b = ReLU(data)
c = ReLU(data)
f = ReLU(data)
`,
		},
		{
			"a block names its layers after the result", unit + `
data = input [1]
u = unit(data, 4)
v = unit(u, stride: 3, n: 5)
w = ReLU(v.conv)
`, Selection{Phase: "test"}, `net f test
data = input [1] f32
u.conv = Convolution(data) {num_output=8 stride=1}
u.relu = ReLU(u.conv)
v.conv = Convolution(u.relu) {num_output=10 stride=3}
v.relu = ReLU(v.conv)
w = ReLU(v.conv)
u -> u.relu
v -> v.relu
`,
		},
		{
			"blocks in blocks, several results, results that are inputs", unit + `
block outer(x, n) {
  left = unit(x, n)
  const half = n/2
  right = inner(left, half)
  return right, x
}
block inner(x, n) {
  only = Power(x) { scale: n }
  return only
}
data = input [1]
p, q = outer(data, 7)
r = Eltwise(p, q, p.left.conv, p.right)
`, Selection{Phase: "test"}, `net f test
data = input [1] f32
p.left.conv = Convolution(data) {num_output=14 stride=1}
p.left.relu = ReLU(p.left.conv)
p.right.only = Power(p.left.relu) {scale=3}
r = Eltwise(p.right.only data p.left.conv p.right.only)
p -> p.right.only
p.left -> p.left.relu
p.right -> p.right.only
q -> data
`,
		},
		{
			"repeat carries names from outside and numbers all others", unit + `
data = input [1]
x = data
repeat i = 1..2 {
  c = ReLU(x) { of: i }
  x = unit(c, i)
  x2 = ReLU(x)
}
y = Eltwise(x, x.1, c.1, x.1.conv)
repeat none = 1..0 { x = ReLU(x) }
`, Selection{Phase: "test"}, `net f test
data = input [1] f32
c.1 = ReLU(data) {of=1}
x.1.conv = Convolution(c.1) {num_output=2 stride=1}
x.1.relu = ReLU(x.1.conv)
x2.1 = ReLU(x.1.relu)
c.2 = ReLU(x.1.relu) {of=2}
x.2.conv = Convolution(c.2) {num_output=4 stride=1}
x.2.relu = ReLU(x.2.conv)
x2.2 = ReLU(x.2.relu)
y = Eltwise(x.2.relu x.1.relu c.1 x.1.conv)
x -> x.2.relu
x.1 -> x.1.relu
x.2 -> x.2.relu
`,
		},
		{
			"repeats in repeats and in blocks", `
block stack(x, n) {
  repeat i = n..n + 1 {
    y = ReLU(x)
    repeat j = 5..6 {
      y = Power(y) { scale: i*j }
      x = ReLU(y)
    }
  }
  return x
}
data = input [1]
s = stack(data, 1)
`, Selection{Phase: "test"}, `net f test
data = input [1] f32
s.y.1 = ReLU(data)
s.y.1.5 = Power(s.y.1) {scale=5}
s.x.1.5 = ReLU(s.y.1.5)
s.y.1.6 = Power(s.y.1.5) {scale=6}
s.x.1.6 = ReLU(s.y.1.6)
s.y.2 = ReLU(s.x.1.6)
s.y.2.5 = Power(s.y.2) {scale=10}
s.x.2.5 = ReLU(s.y.2.5)
s.y.2.6 = Power(s.y.2.5) {scale=12}
s.x.2.6 = ReLU(s.y.2.6)
s -> s.x.2.6
s.x -> s.x.2.6
`,
		},
		{
			"a removed assignment in a repeat leaves the name", `
data = input [1]
x = ReLU(data)
repeat i = 1..1 {
  x = Dropout(x) @train
}
y = ReLU(x)
`, Selection{Phase: "test"}, `net f test
data = input [1] f32
x = ReLU(data)
y = ReLU(x)
`,
		},
		{
			"quoted names", `
"data" = input [1]
"conv1/7x7" = ReLU(data)
"input" = ReLU("conv1/7x7")
z = "input"
`, Selection{Phase: "test"}, `net f test
data = input [1] f32
conv1/7x7 = ReLU(data)
input = ReLU(conv1/7x7)
z -> input
`,
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			net := mustExpand(t, inMemory(map[string]string{"f.net": c.source}), "f.net", c.sel)
			if got := listing(net); got != c.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, c.want)
			}
		})
	}
}

func TestExpandKeepsPlaces(t *testing.T) {
	source := "block f(x) {\n  y = ReLU(x) { a: 10 }\n  return y\n}\ndata = input [1]\nu =  f(data)\n"
	net := mustExpand(t, inMemory(map[string]string{"f.net": source}), "f.net", Selection{Phase: "test"})
	l := net.Layers[0]
	at := func(line, column, length int) diag.Span {
		return diag.Span{Pos: diag.Pos{File: "f.net", Line: line, Column: column}, Length: length}
	}
	checks := []struct {
		what      string
		got, want any
	}{
		{"layer", l.Span, at(2, 3, 21)},
		{"type", l.TypeSpan, at(2, 7, 4)},
		{"bottom", l.Bottoms[0].Span, at(2, 12, 1)},
		{"top", l.Tops[0].Span, at(2, 3, 1)},
		{"field", l.Fields[0].Span, at(2, 17, 1)},
		{"value", l.Fields[0].Value.Span, at(2, 20, 2)},
		{"call", l.Calls[0], at(6, 6, 1).Pos},
		{"input", net.Inputs[0].Span, at(5, 1, 4)},
	}
	for _, c := range checks {
		if c.got != c.want {
			t.Errorf("%s: got %v, want %v", c.what, c.got, c.want)
		}
	}
}

func TestImports(t *testing.T) {
	files := map[string]string{
		"models/main.net":       "import \"parts/a.net\"\nimport \"parts/b.net\"\nd = input [size]\nu = f(d)\nv = g(u)\n",
		"models/parts/a.net":    "import \"base.net\"\nblock f(x) { y = Power(x) { scale: size } return y }\nmore = input [5]\n",
		"models/parts/b.net":    "import \"base.net\"\nconst size2 = size*size\nblock g(x) {\n  y = Power(x) { scale: size2 }\n  return y\n}\n",
		"models/parts/base.net": "const size = 6\n",
		"circle.net":            "import \"circle2.net\"\nd = input [1]\nx = ReLU(e)\n",
		"circle2.net":           "import \"circle.net\"\n",
		"clash.net":             "import \"models/parts/base.net\"\nconst size = 7\n",
		"wrong.net":             "import \"bad.net\"\nd = input [1]\nx = ReLU(e)\n",
		"bad.net":               "const = 3\n",
	}
	// A block on one line has its return on a line of its own, or it is a mistake.
	files["models/parts/a.net"] = strings.Replace(files["models/parts/a.net"], " return", "\nreturn", 1)

	net := mustExpand(t, inMemory(files), "models/main.net", Selection{Phase: "test"})
	want := `net main test
d = input [6] f32
u.y = Power(d) {scale=6}
v.y = Power(u.y) {scale=36}
u -> u.y
v -> v.y
`
	if got := listing(net); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}

	mistakes := []struct{ path, want string }{
		{"circle.net", `circle2.net:1:8: this import closes a circle: circle.net imports circle2.net imports circle.net`},
		{"clash.net", `clash.net:2:7: constant "size" is already defined`},
		{"wrong.net", `bad.net:1:7: expected a name after "const", but found "="
wrong.net:3:10: unknown name "e"`},
		{"missing.net", `missing.net: there is no such file`},
	}
	for _, m := range mistakes {
		file, found := LoadFrom(inMemory(files), m.path)
		_, more := Expand(file, Selection{Phase: "test"})
		found = append(found, more...)
		found.Sort()
		var lines []string
		for _, d := range found {
			lines = append(lines, fmt.Sprintf("%s: %s", d.Span.Pos, d.Message))
		}
		if got := strings.Join(lines, "\n"); got != m.want {
			t.Errorf("%s: got:\n%s\nwant:\n%s", m.path, got, m.want)
		}
	}
}

// Blocks that double at each level reach the cap on steps, not the end of time.
func TestGrowthIsBounded(t *testing.T) {
	var b strings.Builder
	b.WriteString("block b0(x) {\n y = ReLU(x)\n return y\n}\n")
	for i := range 60 {
		fmt.Fprintf(&b, "block b%d(x) {\n y = b%d(x)\n z = b%d(y)\n return z\n}\n", i+1, i, i)
	}
	b.WriteString("data = input [1]\nx = b60(data)\n")
	file, found := Parse("grow.net", []byte(b.String()))
	small := limits{layers: 100, steps: 5000}
	net, more := expandWithin(small, file, Selection{Phase: "test"})
	if len(found) != 0 || more.Errors() != 1 || more[0].Code != codeTooLarge {
		t.Errorf("got %v %v, want one error about the size", found, more)
	}
	if len(net.Layers) > small.layers {
		t.Errorf("the net has %d layers", len(net.Layers))
	}
}

func TestLongCallChain(t *testing.T) {
	var b strings.Builder
	b.WriteString("block b0(x) {\n return x\n}\n")
	for i := range maxCalls + 10 {
		fmt.Fprintf(&b, "block b%d(x) {\n y = b%d(x)\n return y\n}\n", i+1, i)
	}
	fmt.Fprintf(&b, "data = input [1]\nx = b%d(data)\n", maxCalls+10)
	file, _ := Parse("deep.net", []byte(b.String()))
	_, found := Expand(file, Selection{Phase: "test"})
	if found.Errors() != 1 || found[0].Code != codeTooDeep {
		t.Errorf("got %d errors, want one about the depth", found.Errors())
	}
}

func TestExpandRefusesOtherPhases(t *testing.T) {
	file, _ := Parse("f.net", nil)
	if _, found := Expand(file, Selection{Phase: "deploy"}); found.Errors() != 1 {
		t.Errorf("got %v, want one error", found)
	}
}

// The example nets expand from disk in both phases.
func TestExampleNets(t *testing.T) {
	for _, phase := range phases {
		net := mustExpand(t, os.ReadFile, "testdata/nets/every.net", Selection{Phase: phase, Stages: []string{"deploy"}})
		if len(net.Layers) < 20 {
			t.Errorf("%s: %d layers", phase, len(net.Layers))
		}
	}
}
