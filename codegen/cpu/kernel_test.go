package cpu_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
	"testing"

	"netc/codegen/cpu"
	"netc/compiler/schedule"
	"netc/ir"
	"netc/ir/example"
	"netc/ir/loop"
	"netc/ir/op"
)

func noDoc([]*ir.Value) []string { return nil }

// parsed reads a kernel as the only function of a file.
func parsed(t *testing.T, k *cpu.Kernel) *ast.FuncDecl {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "kernel.go", "package kernels\n\n"+k.Text, parser.ParseComments)
	if err != nil {
		t.Fatalf("%v\n%s", err, k.Text)
	}
	f, ok := file.Decls[0].(*ast.FuncDecl)
	if len(file.Decls) != 1 || !ok {
		t.Fatalf("%d declarations\n%s", len(file.Decls), k.Text)
	}
	return f
}

// TestKernelsParse prints every operator's examples, plain and tiled: each is
// one Go function of the expected parameters, and the same text every time.
func TestKernelsParse(t *testing.T) {
	for number, e := range example.All() {
		x := e.Instance(t, uint64(number))
		for kind, choose := range map[string]func(*loop.Nest) loop.Schedule{"plain": schedule.Plain, "tiled": schedule.Tiled} {
			print := func() []*cpu.Kernel {
				nests, err := op.Nests(x.Node)
				if err != nil {
					t.Fatal(err)
				}
				var list []*cpu.Kernel
				for _, n := range nests {
					list = append(list, cpu.Print("kernel", loop.Lower(n, choose(n)), noDoc))
				}
				return list
			}
			again := print()
			for i, k := range print() {
				f := parsed(t, k)
				count := 0
				for _, p := range f.Type.Params.List {
					count += len(p.Names)
				}
				if f.Name.Name != "kernel" || count != len(k.Args)+2 {
					t.Errorf("%s %s: %d parameters for %d tensors\n%s", kind, e.Op.Mnemonic(), count, len(k.Args), k.Text)
				}
				if uses := strings.Contains(k.Text, "math."); uses != k.Math {
					t.Errorf("%s %s: uses package math: %v, says %v", kind, e.Op.Mnemonic(), uses, k.Math)
				}
				if again[i].Text != k.Text {
					t.Errorf("%s %s prints differently the second time\n%s\n%s", kind, e.Op.Mnemonic(), k.Text, again[i].Text)
				}
			}
		}
	}
}

// namedNest is a nest over tensors and scalars of a given name.
func namedNest(name string) (*loop.Nest, []*ir.Value) {
	g := ir.New("g", "test")
	a, b := g.AddInput(name, ir.Float(4, 3)), g.AddInput(name, ir.Int(3))
	out := g.AddState(name, ir.Float(4), ir.ParamInfo{})
	row, column := loop.Axis(name, 4), loop.Axis(name, 3)
	sum, scalar := &loop.Var{Name: name}, &loop.Var{Name: name}
	load := loop.At(a, loop.R(row), loop.R(column))
	return &loop.Nest{Axes: []*loop.Var{row}, Body: []loop.Stmt{
		&loop.Let{Var: scalar, Of: loop.Choose(loop.Compare(loop.Less, loop.At(a, loop.R(row), loop.I(0)), loop.N(0)), loop.N(1), loop.Apply("exp", loop.N(2)))},
		&loop.Reduce{Var: sum, Kind: loop.Sum, Axes: []*loop.Var{column}, Of: loop.Times(load, loop.Floating(loop.At(b, loop.R(column))))},
		&loop.Store{Value: out, Index: []*loop.Expr{loop.R(row)}, Of: loop.Larger(loop.R(sum), loop.R(scalar))},
	}}, []*ir.Value{out, a, b}
}

// TestHostileNames: whatever tensors, axes and scalars are called, a kernel
// parses, shadows nothing that it uses, and has nothing of the name but
// identifiers made from it.
func TestHostileNames(t *testing.T) {
	for _, name := range []string{
		"runtime", "math", "task", "lo", "hi", "kernel", "float32", "float64", "int32", "uint32", "int", "bool", "true", "false", "nil", "len", "max", "min",
		"type", "range", "x\ny", "*/", "`\"", "} func init() {", "", "1", "é", "i", "sum", "w", "At", "chosen", "v",
	} {
		nest, values := namedNest(name)
		for kind, s := range map[string]loop.Schedule{"plain": schedule.Plain(nest), "tiled": schedule.Tiled(nest)} {
			k := cpu.Print("kernel", loop.Lower(nest, s), noDoc)
			f := parsed(t, k)
			if len(k.Args) != len(values) {
				t.Fatalf("%q: %d tensors\n%s", name, len(k.Args), k.Text)
			}
			// No declaration takes a name with a meaning of its own.
			for _, declared := range declarations(f) {
				switch declared {
				case "math", "runtime", "float32", "float64", "int32", "uint32", "int", "bool", "true", "false", "len", "max", "min":
					t.Errorf("%s %q: %s is declared\n%s", kind, name, declared, k.Text)
				}
			}
			if strings.Contains(k.Text, "é") || strings.Contains(k.Text, "*/") || strings.Contains(k.Text, "init") && !strings.Contains(k.Text, "funcInit") {
				t.Errorf("%s %q is in the text\n%s", kind, name, k.Text)
			}
		}
	}
}

// declarations lists the names that a function declares.
func declarations(f *ast.FuncDecl) []string {
	var list []string
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Field:
			for _, name := range n.Names {
				list = append(list, name.Name)
			}
		case *ast.AssignStmt:
			for _, left := range n.Lhs {
				if id, ok := left.(*ast.Ident); ok && n.Tok == token.DEFINE {
					list = append(list, id.Name)
				}
			}
		case *ast.ValueSpec:
			for _, name := range n.Names {
				list = append(list, name.Name)
			}
		case *ast.RangeStmt:
			if id, ok := n.Key.(*ast.Ident); ok {
				list = append(list, id.Name)
			}
		}
		return true
	})
	return list
}

// TestDocIsComment: each line of the doc, of any content, stays a comment.
func TestDocIsComment(t *testing.T) {
	nest, _ := namedNest("a")
	for _, line := range []string{"", "*/ func evil() {}", "}", "{", "x\nfunc evil() {}", "x\r\nfunc evil() {}", "\u2028func evil() {}", "//go:build ignore", "+build ignore", "\t+build ignore", "go:noinline", "%d %s"} {
		k := cpu.Print("kernel", loop.Lower(nest, schedule.Plain(nest)), func([]*ir.Value) []string { return []string{"kernel computes.", line, "End."} })
		f := parsed(t, k)
		if f.Doc == nil || !strings.Contains(f.Doc.Text(), "End.") {
			t.Errorf("%q ends the doc comment\n%s", line, k.Text)
		}
	}
}

func TestComment(t *testing.T) {
	for line, want := range map[string]string{
		"plain\tgröße":           "plain\tgröße",
		"a\nb\r\x00\u2028\ufeff": "a_b____",
		"\xff":                   "\ufffd",
		"+build ignore":          "_build ignore",
		"\t +build ignore":       "\t _build ignore",
		"a +build ignore":        "a +build ignore",
	} {
		if got := cpu.Comment(line); got != want {
			t.Errorf("%q becomes %q, not %q", line, got, want)
		}
	}
}

// TestConstants: numbers that float32 cannot hold still compile.
func TestConstants(t *testing.T) {
	out := ir.New("g", "test").AddState("out", ir.Float(1), ir.ParamInfo{})
	for _, x := range []float64{0, -0.5, 1e300, -1e300, 1e-300, 3.4028235e38} {
		nest := &loop.Nest{Body: []loop.Stmt{&loop.Store{Value: out, Index: []*loop.Expr{loop.I(0)}, Of: loop.N(x)}}}
		k := cpu.Print("kernel", loop.Lower(nest, loop.Schedule{}), noDoc)
		parsed(t, k)
		if strings.Contains(k.Text, "e+300") {
			t.Errorf("%v does not fit a float32\n%s", x, k.Text)
		}
	}
	for _, x := range []*loop.Expr{loop.N(1 / zero), loop.N(-1 / zero)} {
		nest := &loop.Nest{Body: []loop.Stmt{&loop.Store{Value: out, Index: []*loop.Expr{loop.I(0)}, Of: x}}}
		if k := cpu.Print("kernel", loop.Lower(nest, loop.Schedule{}), noDoc); !k.Math || !strings.Contains(k.Text, "math.Inf") {
			t.Errorf("%s prints as\n%s", fmt.Sprint(x.Num), k.Text)
		}
	}
}

var zero float64
