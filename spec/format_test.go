package spec

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"netc/spec/diag"
)

func TestFormat(t *testing.T) {
	cases := []struct{ name, source, want string }{
		{"empty", "", ""},
		{"only comments", "\n\n# a  \n\n\n# b", "# a\n\n# b\n"},
		{
			"equals signs and braces stand in columns",
			"a=ReLU(x){slope:1}\nlong=Convolution(a){n:2}@train\nb = c\n",
			"a    = ReLU(x)        { slope: 1 }\nlong = Convolution(a) { n: 2 } @train\nb    = c\n",
		},
		{
			"an empty line, a comment and another kind of statement end a column",
			"a = b\n\nlong = c\n# why\nd = e\nconst abc = 1\nconst d=2\n",
			"a = b\n\nlong = c\n# why\nd = e\nconst abc = 1\nconst d   = 2\n",
		},
		{
			"a much longer name starts a new column",
			"a = b\nverylongname = c\nshort = d\n",
			"a = b\nverylongname = c\nshort = d\n",
		},
		{
			"fields of neighbours with the same fields stand in columns",
			"a = F(x) { n: 100 m: 1 }\nr = ReLU(a)\nb = F(r) { n: 1, m: 20; }\nc = F(b) { k: 1 m: 2 }\n",
			"a = F(x) { n: 100  m: 1 }\nr = ReLU(a)\nb = F(r) { n: 1    m: 20 }\nc = F(b) { k: 1  m: 2 }\n",
		},
		{
			"expressions show what binds tighter",
			"const a = 1+2 * (3 -4)/ -5 % 6- - 7\nrepeat i=1 .. a + 1{\n}\n",
			"const a = 1 + 2*(3 - 4)/-5%6 - -7\nrepeat i = 1..a+1 {\n}\n",
		},
		{
			"long field lists have a field a line",
			"a = Convolution(x) { number: 1 weight_filler: gaussian { std: 0.01 } param { name: \"shared\" lr_mult: 1 } last: 2 }\n",
			"a = Convolution(x) {\n  number: 1\n  weight_filler: gaussian { std: 0.01 }\n  param { name: \"shared\" lr_mult: 1 }\n  last: 2\n}\n",
		},
		{
			"long lists fill lines",
			"a = F(x) { p: [" + strings.Repeat("1000, ", 20) + "1] }\n",
			"a = F(x) {\n  p: [\n    " + strings.Repeat("1000, ", 15) + "1000,\n    1000, 1000, 1000, 1000, 1,\n  ]\n}\n",
		},
		{
			"long arguments have lines of their own",
			"a = f(" + strings.Repeat("argument, ", 10) + "n: 1)\n",
			"a = f(\n" + strings.Repeat("  argument,\n", 10) + "  n: 1,\n)\n",
		},
		{
			"comments stay with what they speak of",
			"a = F(x) { # open\n # first\n n: 1 # one\n\n m: 2\n # last\n} # end\n",
			"a = F(x) {  # open\n  # first\n  n: 1  # one\n\n  m: 2\n  # last\n}  # end\n",
		},
		{
			"comments inside round and square brackets",
			"a = F(x, # why\n y # z\n) { p: [1, # one\n 2] }\nblock f(x # in\n, n = 1) { return x\n# done\n}\n",
			"a = F(\n  x,  # why\n  y,  # z\n) {\n  p: [\n    1,  # one\n    2,\n  ]\n}\nblock f(\n  x,  # in\n  n = 1,\n) {\n  return x\n  # done\n}\n",
		},
		{
			"a comment in the middle of a statement moves above it",
			"b = ReLU(x) # guard\n  @train\nc = ReLU(x) {  a: # value\n 1 }\n",
			"# guard\nb = ReLU(x) @train\nc = ReLU(x) {\n  # value\n  a: 1\n}\n",
		},
		{
			"neighbouring comments stand in a column",
			"a = b # 1\nccc = d # 2\ne = f\ng = h # 3\n",
			"a   = b  # 1\nccc = d  # 2\ne   = f\ng   = h  # 3\n",
		},
		{
			"guards, types and quoted names",
			"\"a b\" , c = F( \"a b\" )   @ train @ ! fast\nd=input[ 1,2 ]i32 @test\nimport   \"x\\\\y\"\n",
			"\"a b\", c = F(\"a b\") @train @!fast\nd = input [1, 2] i32 @test\nimport \"x\\\\y\"\n",
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, found := Format("f.net", []byte(c.source))
			if found.Errors() > 0 {
				t.Fatalf("does not parse: %v", found)
			}
			if string(got) != c.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, c.want)
			}
			checkFormat(t, []byte(c.source))
		})
	}
}

func TestFormatLeavesMistakesAlone(t *testing.T) {
	if text, found := Format("f.net", []byte("a = (\n")); text != nil || found.Errors() != 1 {
		t.Errorf("got %q and %v", text, found)
	}
}

// The layout of LeNet is the one that the design shows.
func TestFormatOfLeNet(t *testing.T) {
	source, err := os.ReadFile("testdata/nets/lenet.net")
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := Format("lenet.net", source); !bytes.Equal(got, source) {
		t.Errorf("got:\n%s", got)
	}
}

func TestFormatOfAllFiles(t *testing.T) {
	nets, _ := filepath.Glob("testdata/nets/*.net")
	mistaken, _ := filepath.Glob("testdata/errors/*.net")
	formatted := 0
	for _, path := range slices.Concat(nets, mistaken) {
		for _, source := range splitCases(t, path) {
			if checkFormat(t, []byte(source)) {
				formatted++
			}
		}
	}
	if formatted < 10 {
		t.Errorf("only %d texts parse", formatted)
	}
}

// checkFormat holds the formatter to its promises on one text, and reports
// whether the text parses: formatting twice equals once, every comment stays,
// and the net does not change.
func checkFormat(t *testing.T, source []byte) bool {
	t.Helper()
	once, found := Format("f.net", source)
	if found.Errors() > 0 {
		return false
	}
	twice, found := Format("f.net", once)
	if !bytes.Equal(once, twice) {
		t.Errorf("formatting again changes\n%s\ninto\n%s(%v)\nsource:\n%s", once, twice, found, source)
		return true
	}
	before, after := commentsOf(source), commentsOf(once)
	slices.Sort(before) // a comment in the middle of a statement moves above it
	slices.Sort(after)
	if !slices.Equal(before, after) {
		t.Errorf("comments changed from %q to %q\nsource:\n%s", before, after, source)
	}
	if a, b := expandedText(source), expandedText(once); a != b {
		t.Errorf("the net changed from\n%s\nto\n%s\nsource:\n%s\nformatted:\n%s", a, b, source, once)
	}
	return true
}

func commentsOf(source []byte) []string {
	var found diag.List
	var list []string
	for _, c := range scan("f.net", source, &found).comments {
		list = append(list, strings.TrimRight(c.Value, " \t\r"))
	}
	return list
}

// expandedText is the net of a text, and the messages without their places.
func expandedText(source []byte) string {
	file, _ := Parse("f.net", source)
	net, found := expandWithin(limits{layers: 1000, steps: 5000}, file, Selection{Phase: "train"})
	var messages []string
	for _, d := range found {
		messages = append(messages, d.Code+" "+d.Message)
	}
	slices.Sort(messages)
	return listing(net) + strings.Join(slices.Compact(messages), "\n")
}
