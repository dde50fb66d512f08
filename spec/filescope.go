package spec

import (
	"maps"
	"slices"

	"netc/spec/diag"
)

// fileScope is what the blocks of one file see: its constants and blocks, and
// those of the files it imports.
type fileScope struct {
	file   *File
	consts map[string]*constant
	blocks map[string]*block
	// incomplete: an import could not be read, so an unknown name may be its.
	incomplete bool
}

type constant struct {
	file    *File // where it is written
	node    *Const
	at      diag.Span
	value   int64
	isKnown bool // false after a mistake that was reported
}

type block struct {
	node     *BlockDef // nil where it did not parse
	at       diag.Span
	scope    *fileScope
	expanded bool
}

// collect reads the constants and blocks of a file and its imports, and
// reports statements that stand in the wrong place.
func (e *expander) collect(file *File) *fileScope {
	if fs, done := e.files[file]; done {
		return fs
	}
	fs := &fileScope{file: file, consts: map[string]*constant{}, blocks: map[string]*block{}}
	e.files[file] = fs
	own := &scope{file: fs, names: map[string]meaning{}}
	for _, s := range file.Items {
		if _, ok := s.Node.(*Const); ok {
			own.body = append(own.body, s)
		}
	}
	for _, s := range file.Items {
		switch node := s.Node.(type) {
		case *Import:
			e.addImport(fs, node)
		case *Const:
			c := &constant{file: file, node: node, at: node.Name.Span}
			// The constants before this one are in fs already, those after it
			// are not: its expression cannot look ahead.
			c.value, c.isKnown = e.integer(own, node.Value)
			e.addConst(fs, node.Name, c)
		case *BlockDef:
			e.addBlock(fs, node.Name, &block{node: node, at: node.Name.Span, scope: fs})
		case *Broken:
			for _, name := range node.Targets {
				if node.IsBlock {
					e.addBlock(fs, name, &block{at: name.Span, scope: fs})
				}
			}
		}
	}
	e.checkPlaces(file)
	return fs
}

func (e *expander) addImport(fs *fileScope, node *Import) {
	imported := fs.file.Imports[node.Path]
	if imported == nil {
		if fs.file.Imports == nil {
			e.errorf(codeImport, node.PathSpan, "the import was not followed: the file was read without its imports")
		}
		fs.incomplete = true
		return
	}
	from := e.collect(imported)
	fs.incomplete = fs.incomplete || from.incomplete
	for _, name := range slices.Sorted(maps.Keys(from.consts)) {
		e.addConst(fs, Name{Text: name, Span: node.PathSpan}, from.consts[name])
	}
	for _, name := range slices.Sorted(maps.Keys(from.blocks)) {
		e.addBlock(fs, Name{Text: name, Span: node.PathSpan}, from.blocks[name])
	}
}

func (e *expander) addConst(fs *fileScope, name Name, c *constant) {
	if old := fs.consts[name.Text]; old != nil && old != c {
		e.errorf(codeTwice, name.Span, "constant %q is already defined", name.Text).Note(old.at.Pos, "it was defined here")
		return
	}
	fs.consts[name.Text] = c
}

func (e *expander) addBlock(fs *fileScope, name Name, b *block) {
	if b.scope == fs {
		e.mayDefine(name)
	}
	if old := fs.blocks[name.Text]; old != nil && old != b {
		e.errorf(codeTwice, name.Span, "block %q is already defined", name.Text).Note(old.at.Pos, "it was defined here")
		return
	}
	fs.blocks[name.Text] = b
}

// checkPlaces reports statements that stand where they have no meaning.
func (e *expander) checkPlaces(file *File) {
	var named *Statement
	for _, s := range file.Items {
		switch node := s.Node.(type) {
		case *NetName:
			if named != nil {
				e.errorf(codeMisplaced, s.Span, "the net has a name already").Note(named.Span.Pos, "it is named here")
			}
			named = s
		case *Return:
			e.errorf(codeReturn, s.Span, "return stands outside of a block")
		case *BlockDef:
			e.checkBlockBody(node)
		case *Repeat:
			e.checkInner(node.Body.Items, "a repeat")
		case *Assign:
			checkGuards(node.Guards, &e.found)
		case *Broken:
			if node.Body == nil {
				continue
			}
			if items := node.Body.Items; node.IsBlock {
				e.checkInner(withoutReturn(items), "a block")
			} else {
				e.checkInner(items, "a repeat")
			}
		}
	}
}

func withoutReturn(items []*Statement) []*Statement {
	if len(items) > 0 {
		if _, ok := items[len(items)-1].Node.(*Return); ok {
			return items[:len(items)-1]
		}
	}
	return items
}

func (e *expander) checkBlockBody(node *BlockDef) {
	items := node.Body.Items
	rest := withoutReturn(items)
	isBroken := slices.ContainsFunc(items, func(s *Statement) bool { _, ok := s.Node.(*Broken); return ok })
	if len(rest) == len(items) && !isBroken {
		e.errorf(codeReturn, node.Name.Span, "block %q returns nothing", node.Name.Text).
			Helpf("end it with return and the name of its result")
	}
	e.checkInner(rest, "a block")
	seen := map[string]diag.Span{}
	for _, p := range node.Params.Items {
		e.mayDefine(p.Name)
		if first, twice := seen[p.Name.Text]; twice {
			e.errorf(codeTwice, p.Name.Span, "parameter %q is already defined", p.Name.Text).
				Note(first.Pos, "it was defined here")
		}
		seen[p.Name.Text] = p.Name.Span
	}
}

// checkInner looks at the statements of a body, a block's without its return.
func (e *expander) checkInner(items []*Statement, within string) {
	for _, s := range items {
		switch node := s.Node.(type) {
		case *NetName:
			e.errorf(codeMisplaced, s.Span, "the net's name cannot stand inside %s", within)
		case *Import:
			e.errorf(codeMisplaced, s.Span, "an import cannot stand inside %s", within).
				Helpf("imports stand at the top of the file")
		case *BlockDef:
			e.errorf(codeMisplaced, s.Span, "a block cannot be defined inside %s", within).
				Helpf("define it outside: blocks may be defined in any order")
		case *Return:
			e.errorf(codeReturn, s.Span, "return must be the last statement of a block")
		case *Repeat:
			e.checkInner(node.Body.Items, "a repeat")
		case *Assign:
			checkGuards(node.Guards, &e.found)
			if node.Input != nil {
				e.errorf(codeMisplaced, node.Input.Span, "an input cannot stand inside %s", within).
					Helpf("define the input outside and use its name")
			}
		case *Broken:
			if node.Body != nil {
				e.checkInner(withoutReturn(node.Body.Items), within)
			}
		}
	}
}
