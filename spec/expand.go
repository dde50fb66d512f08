package spec

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"netc/spec/diag"
)

// maxCalls bounds blocks that call blocks.
const maxCalls = 100

// limits bound what a file may grow into: nested repeats reach any number with
// a few lines.
type limits struct {
	layers int
	// steps are the statements, iterations and values that an expansion
	// visits, most of which may make no layer.
	steps int
}

// usualLimits are far above real nets, which have hundreds of layers.
var usualLimits = limits{layers: 100_000, steps: 500_000}

// Expand evaluates a file for one selection: imports, constants, blocks and
// repeats disappear, and guards choose the layers. The list holds every mistake
// that the syntax does not show; the net is complete only if it has no errors.
// A file whose syntax has errors may be expanded to find its other mistakes:
// names from its broken statements are taken as known.
func Expand(file *File, sel Selection) (*Net, diag.List) {
	return expandWithin(usualLimits, file, sel)
}

func expandWithin(most limits, file *File, sel Selection) (*Net, diag.List) {
	e := &expander{
		most:    most,
		sel:     sel,
		net:     &Net{Name: netName(file), Phase: sel.Phase, Aliases: map[string]string{}},
		seen:    map[messageKey]bool{},
		files:   map[*File]*fileScope{},
		tensors: map[string]diag.Span{},
		aliases: map[string]diag.Span{},
	}
	if !slices.Contains(phases, sel.Phase) {
		e.errorf(codeGuard, diag.Span{}, "the phase %q is neither train nor test", sel.Phase)
		return e.net, e.found
	}
	fs := e.collect(file)
	e.main = &scope{names: map[string]meaning{}, file: fs, isFile: true, body: file.Items}
	for _, s := range file.Items {
		if node, ok := s.Node.(*NetName); ok {
			e.net.Span = node.Name.Span
		}
	}
	e.run(e.main)
	e.finish(e.main)
	e.checkUncalled(fs)
	e.found.Sort()
	return e.net, e.found
}

// netName is the name that the file gives, or the file's own.
func netName(file *File) string {
	for _, s := range file.Items {
		if node, ok := s.Node.(*NetName); ok {
			return node.Name.Text
		}
	}
	base := filepath.Base(file.Name)
	return strings.TrimSuffix(base, filepath.Ext(base))
}

// messageKey is what makes a mistake the same mistake.
type messageKey struct {
	code    string
	at      diag.Span
	message string
}

type expander struct {
	most  limits
	sel   Selection
	net   *Net
	found diag.List
	seen  map[messageKey]bool // of the messages in found
	files map[*File]*fileScope
	main  *scope

	tensors map[string]diag.Span // full names in the net, and where each is defined
	aliases map[string]diag.Span // the names of net.Aliases, likewise

	calls   []diag.Pos // of the blocks being expanded, outermost first
	active  []*block   // the blocks being expanded
	steps   int
	stopped bool // the expansion is too large
	lenient int  // inside a removed statement: its names may be removed too
	dry     bool // checks a block that nobody calls: makes no layers
}

// maxMessages ends an expansion: nobody reads on, and a mistake inside nested
// repeats comes back in another form each time.
const maxMessages = 1000

// errorf reports a mistake. Inside a block it notes the calls that led there.
// The same mistake is reported once, however often its statement is expanded.
func (e *expander) errorf(code string, at diag.Span, format string, args ...any) *diag.Diagnostic {
	d := &diag.Diagnostic{Code: code, Span: at, Message: fmt.Sprintf(format, args...)}
	key := messageKey{code, at, d.Message}
	if e.seen[key] {
		return d // the notes that follow go nowhere
	}
	e.seen[key] = true
	e.stopped = e.stopped || len(e.found) >= maxMessages
	e.found.Add(*d)
	d = &e.found[len(e.found)-1]
	const shown = 3 // the innermost calls say enough
	for i := len(e.calls) - 1; i >= max(0, len(e.calls)-shown); i-- {
		called := e.active[len(e.active)-len(e.calls)+i]
		d.Note(e.calls[i], "%s is called here", called.node.Name.Text)
	}
	return d
}

// step counts work. It is false once there has been too much of it.
func (e *expander) step(at diag.Span) bool {
	if e.steps++; e.steps > e.most.steps && !e.stopped {
		e.stop(at)
	}
	return !e.stopped
}

func (e *expander) stop(at diag.Span) {
	e.stopped = true
	e.errorf(codeTooLarge, at, "the net grows beyond %d layers or %d steps here", e.most.layers, e.most.steps).
		Helpf("look at the bounds of the repeats")
}

// run expands the statements of a body.
func (e *expander) run(in *scope) {
	for _, s := range in.body {
		if !e.step(s.Span) {
			return
		}
		switch node := s.Node.(type) {
		case *Const:
			e.constant(in, node)
		case *Repeat:
			e.repeat(in, node)
		case *Assign:
			e.assign(in, s, node)
		case *Broken:
			for _, name := range node.Targets {
				if _, holder := in.find(name.Text); holder == nil && !node.IsBlock {
					in.names[name.Text] = meaning{kind: isUnknown, at: name.Span}
				}
			}
		}
	}
}

func (e *expander) constant(in *scope, node *Const) {
	if !in.isFile {
		if value, ok := e.integer(in, node.Value); ok {
			e.define(in, node.Name, meaning{kind: isInteger, value: value})
		} else {
			e.define(in, node.Name, unknown)
		}
		return
	}
	c := in.file.consts[node.Name.Text] // evaluated by collect
	switch {
	case c == nil || c.node != node: // defined twice, which collect reported
	case c.isKnown:
		e.define(in, node.Name, meaning{kind: isInteger, value: c.value})
	default:
		e.define(in, node.Name, unknown)
	}
}

// repeat expands the body once for each value of the variable.
func (e *expander) repeat(in *scope, node *Repeat) {
	first, okFirst := e.integer(in, node.First)
	last, okLast := e.integer(in, node.Last)
	isKnown := okFirst && okLast
	if !isKnown {
		first, last = 1, 1 // once, to find the mistakes in the body
	}
	e.mayDefine(node.Variable)
	if old, holder := in.find(node.Variable.Text); holder != nil {
		e.errorf(codeTwice, node.Variable.Span, "%q is already defined", node.Variable.Text).
			Note(old.at.Pos, "it was defined here").
			Helpf("give the repeat a variable of its own")
	}
	for i := first; i <= last; i++ {
		if !e.step(node.Variable.Span) {
			return
		}
		iteration := &scope{
			names: map[string]meaning{}, around: in, file: in.file, body: node.Body.Items,
			prefix: in.prefix, suffix: in.suffix + "." + strconv.FormatInt(i, 10),
			carried: map[string]diag.Span{},
		}
		m := meaning{kind: isInteger, value: i}
		if !isKnown {
			m = unknown
		}
		m.at = node.Variable.Span
		iteration.names[node.Variable.Text] = m
		e.run(iteration)
		e.finish(iteration)
		in.end(iteration, node.Variable)
	}
}

// end remembers the names that were local to an iteration.
func (s *scope) end(iteration *scope, variable Name) {
	if s.ended == nil {
		s.ended = map[string]diag.Pos{}
	}
	for name := range iteration.names {
		s.ended[name] = variable.Span.Pos
	}
}

// finish makes the names that a body leaves behind usable from outside, where
// they stand for a tensor of another name.
func (e *expander) finish(in *scope) {
	if e.dry {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(in.names)) {
		m := in.names[name]
		full := in.fullName(name)
		if _, isOwn := e.tensors[full]; m.kind == isTensor && !m.isParam && !isOwn {
			e.net.Aliases[full] = m.tensor
			e.aliases[full] = m.at
		}
	}
}

// claim takes a full name for a tensor or an alias, and reports one that is
// taken, as happens when two repeats count through the same numbers.
func (e *expander) claim(full string, at diag.Span) bool {
	first, taken := e.tensors[full]
	if !taken {
		first, taken = e.aliases[full]
	}
	if !taken {
		return true
	}
	e.errorf(codeTwice, at, "the full name %q is already taken", full).
		Note(first.Pos, "it was given here").
		Helpf("full names end with the number of the iteration: let the second repeat count on, or use another name")
	return false
}

// checkUncalled expands the blocks of the net's own file that were not used,
// with parameters that fit everything, to find the mistakes in them.
func (e *expander) checkUncalled(fs *fileScope) {
	e.dry = true
	for _, name := range slices.Sorted(maps.Keys(fs.blocks)) {
		b := fs.blocks[name]
		if b.expanded || b.node == nil || b.scope != fs {
			continue
		}
		args := map[string]meaning{}
		for _, p := range b.node.Params.Items {
			args[p.Name.Text] = meaning{kind: isUnknown, at: p.Name.Span}
		}
		body := &scope{names: args, file: fs, body: b.node.Body.Items}
		e.active = append(e.active, b)
		e.run(body)
		e.results(body, b)
		e.active = e.active[:0]
	}
}
