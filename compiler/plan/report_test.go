package plan

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"strings"
	"testing"

	"netc/ir"
)

const reported = `graph net train
input x : f32[1024]
param w : f32[1024]
a = mul x, w : f32[1024]
b = broadcast a {shape: [4, 1024], axes: [1]} : f32[4,1024]
s = sum b {axes: [0]} : f32[1024]
w.next = sub w, s : f32[1024]
y = mul w, s : f32[1024]
write w = w.next
output y
`

func TestReport(t *testing.T) {
	p := planned(t, parse(t, reported))
	text := p.Report()
	for _, want := range []string{
		"net train",
		"of the arena       28 KiB  1.000 of the lower bound",
		"parameters         4 KiB",
		"without reuse      40 KiB",
		"copied at the end  4 KiB   w.next to w",
		"8192    16 KiB  1-2    b",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if p.Size != 28<<10 || p.LowerBound != p.Size || p.WithoutReuse != 40<<10 || p.Ratio() != 1 {
		t.Errorf("%d bytes, bound %d, %d without reuse", p.Size, p.LowerBound, p.WithoutReuse)
	}
}

func TestBytes(t *testing.T) {
	for n, want := range map[int]string{0: "0 B", 1023: "1023 B", 1024: "1 KiB", 1536: "1.5 KiB", 722 << 20: "722 MiB", 5 << 30: "5 GiB", 3 << 40: "3 TiB"} {
		if got := Bytes(n); got != want {
			t.Errorf("%d bytes are %q, not %q", n, got, want)
		}
	}
}

func TestDraw(t *testing.T) {
	p := planned(t, parse(t, reported))
	var b strings.Builder
	if err := p.Draw(&b); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(b.String(), "\n")
	if lines[0] != "net train: 28 KiB, 5 steps" {
		t.Errorf("title %q", lines[0])
	}
	bottom := lines[chartRows]
	if bottom != "       0 B |=====|" {
		t.Errorf("the bottom row is %q, not the parameter in all steps", bottom)
	}
	if strings.Count(b.String(), "AA") != 18 { // of 32 rows for 28 KiB
		t.Errorf("the largest buffer does not fill 18 rows during steps 1 and 2:\n%s", b.String())
	}
	if !strings.Contains(b.String(), "A  16 KiB at 8192, steps 1-2: b\n") {
		t.Errorf("the largest buffer is not listed:\n%s", b.String())
	}
}

func TestSVG(t *testing.T) {
	g := parse(t, reported)
	g.Rename(g.Lookup("b"), `</text> & "b"`)
	p := planned(t, g)
	var b strings.Builder
	if err := p.SVG(&b); err != nil {
		t.Fatal(err)
	}
	decoder := xml.NewDecoder(strings.NewReader(b.String()))
	boxes, label := 0, false
	for {
		token, err := decoder.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatalf("not XML: %v\n%s", err, b.String())
		}
		switch token := token.(type) {
		case xml.StartElement:
			if token.Name.Local == "g" {
				boxes++
			}
		case xml.CharData:
			label = label || string(token) == `</text> & "b"`
		}
	}
	if want := 7; boxes != want {
		t.Errorf("%d boxes for %d values", boxes, want)
	}
	if !label {
		t.Errorf("the largest value has no label")
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("full") }

func TestDrawingsOfAnyPlan(t *testing.T) {
	graphs := []*ir.Graph{ir.New("empty", "test")}
	for seed := range int64(5) {
		graphs = append(graphs, randomGraph(rand.New(rand.NewSource(seed)), 10+20*int(seed)))
	}
	for i, g := range graphs {
		p := planned(t, g)
		for name, draw := range map[string]func(io.Writer) error{"Draw": p.Draw, "SVG": p.SVG} {
			if err := draw(io.Discard); err != nil {
				t.Errorf("graph %d: %s: %v", i, name, err)
			}
			if err := draw(brokenWriter{}); fmt.Sprint(err) != "full" {
				t.Errorf("graph %d: %s hides the writer's error: %v", i, name, err)
			}
		}
		if p.Report() == "" {
			t.Errorf("graph %d has no report", i)
		}
	}
}

// TestPeak: a and b are live at once, then s takes the place of a; the input,
// the parameter and what is stored over it are not counted.
func TestPeak(t *testing.T) {
	bytes, total, err := Peak(parse(t, `graph net train
input x : f32[1024]
param w : f32[1024]
a = mul x, w : f32[1024]
b = broadcast a {shape: [4, 1024], axes: [1]} : f32[4,1024]
s = sum b {axes: [0]} : f32[1024]
w.next = sub w, s : f32[1024]
write w = w.next
`), Composed())
	if err != nil {
		t.Fatal(err)
	}
	// Steps 0 to 3: a; a and b; b and s; s.
	if bytes != 20<<10 || total != (4+20+20+4)<<10 {
		t.Errorf("%d bytes at once, %d over all steps", bytes, total)
	}
}
