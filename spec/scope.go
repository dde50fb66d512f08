package spec

import (
	"maps"
	"slices"
	"strings"

	"netc/spec/diag"
)

// meaning is what a name stands for in one scope.
type meaning struct {
	kind   meaningKind
	value  int64     // integer
	tensor string    // tensor: its full name
	guard  Guard     // removed: what removed it
	at     diag.Span // where it got this meaning
	// isParam: a block's parameter, which has a name outside already.
	isParam bool
}

type meaningKind int

const (
	// isUnknown is the outcome of a mistake that was reported. Whatever is made
	// from it is unknown too, so that one mistake gives one message.
	isUnknown meaningKind = iota
	isInteger
	isTensor
	isRemoved
)

var unknown = meaning{kind: isUnknown}

// scope holds the names of one body: the file's statements, one call of a
// block, or one iteration of a repeat.
type scope struct {
	names  map[string]meaning
	around *scope              // of an iteration: the body that the repeat stands in
	file   *fileScope          // the constants and blocks it sees
	isFile bool                // the statements of the net's own file
	ended  map[string]diag.Pos // names local to a repeat that is over
	body   []*Statement
	prefix string // of full names: the calls of blocks that led here, "u.conv."
	suffix string // of full names: the iterations that led here, ".2"
	// carried holds the names of outer bodies that this iteration assigned.
	carried map[string]diag.Span
}

func (s *scope) fullName(name string) string { return s.prefix + name + s.suffix }

// find gives the meaning of a name and the scope that holds it.
func (s *scope) find(name string) (meaning, *scope) {
	for in := s; in != nil; in = in.around {
		if m, ok := in.names[name]; ok {
			return m, in
		}
	}
	return unknown, nil
}

// visible lists the names that could have been meant, sorted.
func (s *scope) visible() []string {
	var list []string
	for in := s; in != nil; in = in.around {
		list = slices.AppendSeq(list, maps.Keys(in.names))
	}
	list = slices.AppendSeq(list, maps.Keys(s.file.consts))
	slices.Sort(list)
	return list
}

// lookup gives the meaning of a name that is used at a place, and reports one
// that has none or that a guard removed.
func (e *expander) lookup(in *scope, name string, at diag.Span) meaning {
	m, ok := e.meaningOf(in, name, at)
	if !ok {
		e.reportUnknown(in, name, at)
	}
	if m.kind == isRemoved {
		if e.lenient == 0 {
			d := e.errorf(codeRemoved, at, "%q is removed here by its guard %s", name, m.guard)
			d.Note(m.at.Pos, "%s is defined with %s", name, m.guard)
			d.Helpf("give the layer that uses it the guard %s too", m.guard)
		}
		return unknown
	}
	return m
}

// meaningOf is lookup for a name that may have no meaning.
func (e *expander) meaningOf(in *scope, name string, at diag.Span) (meaning, bool) {
	if m, holder := in.find(name); holder != nil {
		return m, true
	}
	if c, ok := in.file.consts[name]; ok {
		if in.topmost().isFile && c.file == in.file.file {
			e.errorf(codeEarly, at, "%q is used before it is defined", name).Note(c.at.Pos, "it is defined here")
			return unknown, true
		}
		if !c.isKnown {
			return unknown, true
		}
		return meaning{kind: isInteger, value: c.value, at: c.at}, true
	}
	if head, _, isDotted := strings.Cut(name, "."); isDotted {
		if full, ok := e.resolve(in.prefix + name); ok {
			return meaning{kind: isTensor, tensor: full, at: at}, true
		}
		if m, holder := in.find(head); holder != nil && (m.kind == isRemoved || m.kind == isUnknown || e.dry) {
			if e.dry {
				m = unknown // no full names are made there
			}
			return m, true
		}
	}
	return unknown, false
}

// topmost is the scope of the file or of the block's call around s.
func (s *scope) topmost() *scope {
	for s.around != nil {
		s = s.around
	}
	return s
}

// reportUnknown explains a name without a meaning.
func (e *expander) reportUnknown(in *scope, name string, at diag.Span) {
	for s := in; s != nil; s = s.around {
		if later := definitionIn(s.body, name); later != nil {
			if later.Line < at.Line {
				return // the definition was mistaken, and reported
			}
			e.errorf(codeEarly, at, "%q is used before it is defined", name).Note(later.Pos, "it is defined here")
			return
		}
	}
	if in.file.incomplete {
		return // it may come from the import that could not be read
	}
	d := e.errorf(codeUnknown, at, "unknown name %q", name)
	for s := in; s != nil; s = s.around {
		if over, ok := s.ended[name]; ok {
			d.Note(over, "%s is defined anew in each iteration of this repeat and ends with it", name)
			d.Helpf("define %s before the repeat too: then it carries from one iteration to the next and out", name)
			return
		}
	}
	if near := diag.Nearest(name, in.visible()); near != "" {
		d.Helpf("did you mean %q?", near)
	} else if in.file.blocks[name] != nil {
		d.Helpf("%s is a block: call it with its arguments, %s(…)", name, name)
	} else if _, outside := e.main.find(name); outside != nil && in.topmost() != e.main {
		d.Helpf("a block sees its parameters and constants only: add %s to the parameters", name)
	} else if isCapitalised(name) {
		d.Helpf("a layer is made by giving it inputs: %s(…)", name)
	}
}

// definitionIn finds where a body defines a name, or nil.
func definitionIn(body []*Statement, name string) *diag.Span {
	for _, s := range body {
		var targets []Name
		switch node := s.Node.(type) {
		case *Assign:
			targets = node.Targets
		case *Const:
			targets = []Name{node.Name}
		}
		for i := range targets {
			if targets[i].Text == name {
				return &targets[i].Span
			}
		}
	}
	return nil
}

// resolve follows a full name, or an alias, to the tensor.
func (e *expander) resolve(full string) (string, bool) {
	if _, ok := e.tensors[full]; ok {
		return full, true
	}
	tensor, ok := e.net.Aliases[full]
	return tensor, ok
}

// define gives a name a meaning. In a repeat, a name of an outer body that is
// assigned inside is carried: it changes its meaning there.
func (e *expander) define(in *scope, name Name, m meaning) {
	m.at = name.Span
	if !e.mayDefine(name) {
		return
	}
	old, holder := in.find(name.Text)
	switch {
	case holder == nil:
		in.names[name.Text] = m
	case m.kind == isRemoved:
		// What stays selected keeps its meaning.
	case old.kind == isRemoved || old.kind == isUnknown:
		holder.names[name.Text] = m
	case holder == in:
		e.errorf(codeTwice, name.Span, "%q is already defined", name.Text).
			Note(old.at.Pos, "it was defined here").
			Helpf("each name is defined once: choose another one")
	case old.kind == isInteger || m.kind == isInteger:
		e.errorf(codeTwice, name.Span, "%q is already defined as %s", name.Text, old.noun()).
			Note(old.at.Pos, "it was defined here")
	default:
		if first, twice := in.carried[name.Text]; twice {
			e.errorf(codeTwice, name.Span, "%q is assigned twice in one iteration", name.Text).
				Note(first.Pos, "it was assigned here").
				Helpf("give the first result another name")
		}
		in.carried[name.Text] = name.Span
		holder.names[name.Text] = m
	}
}

// mayDefine reports whether a name can be given to something.
func (e *expander) mayDefine(name Name) bool {
	if !name.Quoted && strings.Contains(name.Text, ".") {
		e.errorf(codeReserved, name.Span, "a name that is defined has no dots").
			Helpf("dots lead to the inner layers of blocks and repeats")
		return false
	}
	if name.Text == "" {
		e.errorf(codeReserved, name.Span, "a name cannot be empty")
		return false
	}
	return true
}

func (m meaning) noun() string {
	switch m.kind {
	case isInteger:
		return "an integer"
	case isTensor:
		return "a tensor"
	}
	return "something else"
}

func isCapitalised(name string) bool { return name != "" && name[0] >= 'A' && name[0] <= 'Z' }
