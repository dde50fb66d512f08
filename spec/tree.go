package spec

import "netc/spec/diag"

// File is the syntax tree of one .net file.
type File struct {
	Name   string // as the user wrote it, and as positions show it
	Source []byte
	Bracket[*Statement]
	// Imports holds the imported files by the path between the quotes. Load
	// fills it; a file that could not be read is absent.
	Imports map[string]*File
}

// Comment is one comment with its #, without blanks at its end.
type Comment struct {
	Text  string
	Blank bool // an empty line stands before it
}

// Trivia is what the formatter must keep around a statement, field, argument
// or element, and nobody else looks at.
type Trivia struct {
	Before []Comment // on lines of their own
	Blank  bool      // an empty line stands before it, after the comments
	After  *Comment  // on the line where it ends
	at     extent
}

// Inside is the same for a pair of brackets.
type Inside struct {
	First *Comment  // on the line of the opening bracket
	Last  []Comment // between the last item and the closing bracket
	at    extent
}

// extent says where something stands in the file: bytes [start, end), lines and
// columns from 1.
type extent struct{ start, end, startLine, startColumn, endLine int }

// Bracket is a list of items between brackets, or the statements of a file.
type Bracket[T item] struct {
	Inside
	Items []T
}

// Statement is one statement. Node says which.
type Statement struct {
	Trivia
	Span diag.Span // its first line
	Node Node
}

// Node is *NetName, *Import, *Const, *Assign, *BlockDef, *Repeat, *Return or *Broken.
type Node interface {
	brackets() []bracket
}

// NetName is "net LeNet".
type NetName struct{ Name Name }

// Import is `import "inception.net"`.
type Import struct {
	Path     string
	PathSpan diag.Span
}

// Const is "const width = 20".
type Const struct {
	Name  Name
	Value *Expr
}

// Assign is "targets = …": an input, a call of a layer or block, or another
// name for a tensor. Exactly one of Input, Call and Alias is set.
type Assign struct {
	Targets []Name
	Input   *InputType
	Call    *Call
	Alias   *Name
	Guards  []Guard
}

// InputType is "input [1, 28, 28] f32". DType is nil where it is not written.
type InputType struct {
	Span  diag.Span
	Shape *Bracket[*Element]
	DType *Name
}

// Call is "Convolution(data) { num_output: 20 }". Fields is nil where there
// are no braces.
type Call struct {
	Callee Name
	Args   *Bracket[*Arg]
	Fields *Bracket[*FieldItem]
}

// Guard is "@train" or "@!fast".
type Guard struct {
	Word    string
	Negated bool
	Span    diag.Span // with the @
}

// BlockDef is "block unit(x, n, stride = 1) { … }".
type BlockDef struct {
	Name   Name
	Params *Bracket[*Param]
	Body   *Bracket[*Statement]
}

// Param is a block's parameter. Default is nil where it must be given.
type Param struct {
	Trivia
	Name    Name
	Default *Expr
}

// Repeat is "repeat i = 1..3 { … }", bounds included.
type Repeat struct {
	Variable    Name
	First, Last *Expr
	Body        *Bracket[*Statement]
}

// Return is "return a, b".
type Return struct{ Results []Name }

// Broken stands for a statement that did not parse. The names it would have
// defined are kept, so that their uses are not reported as unknown.
type Broken struct {
	Targets []Name
	IsBlock bool
	Body    *Bracket[*Statement] // of a block or repeat whose head is broken, nil where it has none
}

// Name is a name where it is written.
type Name struct {
	Text   string
	Quoted bool
	Span   diag.Span
}

// Arg is an argument of a call; Label is nil for one given by position.
type Arg struct {
	Trivia
	Label *Name
	Value *Expr
	Span  diag.Span
}

// FieldItem is "name: value" or "name { … }".
type FieldItem struct {
	Trivia
	Name  Name
	Value *ValueExpr
}

// ValueExpr is a field's value as written. Exactly one of Expr, List and
// Fields is set, except that Fields may follow an Expr that is a word:
// gaussian { std: 0.01 }.
type ValueExpr struct {
	Span   diag.Span
	Expr   *Expr
	List   *Bracket[*Element]
	Fields *Bracket[*FieldItem]
}

// Element is an item of a list or of an input's shape.
type Element struct {
	Trivia
	Value *ValueExpr
}

// ExprKind tells what an Expr is.
type ExprKind int

// The kinds of Expr, and the members each of them uses.
const (
	IntExpr    ExprKind = iota // Text: digits
	FloatExpr                  // Text: as written
	BoolExpr                   // Text: true or false
	NameExpr                   // Text: a name or a word
	StringExpr                 // Text: the string without its quotes
	SignExpr                   // Text: + or -; X
	ParenExpr                  // X
	BinaryExpr                 // Text: one of + - * / %; X and Y
)

// Expr is an expression: a literal, a name, or integer arithmetic over them.
type Expr struct {
	Kind ExprKind
	Span diag.Span
	Text string
	X, Y *Expr
}

// bracket and item let the formatter walk the tree without knowing its nodes.
type bracket interface {
	inside() *Inside
	count() int
	item(i int) item
}

type item interface {
	trivia() *Trivia
	brackets() []bracket // in source order
}

func (b *Bracket[T]) inside() *Inside { return &b.Inside }
func (b *Bracket[T]) count() int      { return len(b.Items) }
func (b *Bracket[T]) item(i int) item { return b.Items[i] }

func (t *Trivia) trivia() *Trivia { return t }

func (s *Statement) brackets() []bracket { return s.Node.brackets() }
func (e *Element) brackets() []bracket   { return e.Value.brackets() }
func (f *FieldItem) brackets() []bracket { return f.Value.brackets() }
func (*Arg) brackets() []bracket         { return nil }
func (*Param) brackets() []bracket       { return nil }

func (*NetName) brackets() []bracket    { return nil }
func (*Import) brackets() []bracket     { return nil }
func (*Const) brackets() []bracket      { return nil }
func (*Return) brackets() []bracket     { return nil }
func (*Broken) brackets() []bracket     { return nil }
func (b *BlockDef) brackets() []bracket { return []bracket{b.Params, b.Body} }
func (r *Repeat) brackets() []bracket   { return []bracket{r.Body} }

func (a *Assign) brackets() []bracket {
	switch {
	case a.Input != nil:
		return []bracket{a.Input.Shape}
	case a.Call != nil && a.Call.Fields != nil:
		return []bracket{a.Call.Args, a.Call.Fields}
	case a.Call != nil:
		return []bracket{a.Call.Args}
	}
	return nil
}

func (v *ValueExpr) brackets() []bracket {
	switch {
	case v.List != nil:
		return []bracket{v.List}
	case v.Fields != nil:
		return []bracket{v.Fields}
	}
	return nil
}
