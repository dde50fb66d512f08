// Package spec is the language's front end. A .net file comes in; its syntax
// tree, its canonical layout, or the expanded Net for one phase go out. The run
// file (TOML) beside it becomes a Run. Every mistake of a file is reported in
// one go, through package diag.
//
//	Load  → File        lexer, grammar and imports
//	Expand → Net        constants, guards, blocks and repeats
//	Format → text       the one layout of a file, with its comments
//	LoadRun → Run       the run file and --set flags
//
// # The language
//
// A file is a list of statements, each on a line of its own; brackets may span
// lines, and a line that starts with { or @ continues the one before. Comments
// run from # to the end of the line.
//
//	net LeNet                              the net's name, once
//	import "parts.net"                     the blocks and constants of another file
//	const width = 20                       an integer
//	data = input [1, 28, 28] f32           a tensor from the data set, without the batch axis
//	y = Convolution(x) { num_output: 20 }  a layer: inputs in ( ), fields in { }
//	a, b = Slice(y) { axis: 1 }            a layer with several results
//	z = y                                  another name for a tensor
//	block f(x, n = 3) { … return y }       a part with parameters
//	repeat i = 1..3 { x = f(x, i) }        statements once for each i, bounds included
//
// Names are letters, digits and _; any other text is a name when it stands in
// quotes: "conv1/7x7_s2". The words net, import, const, input, block, repeat,
// return, true and false are reserved.
//
// Integers. Wherever an integer stands, + - * / % and ( ) may compute it from
// constants, block parameters and repeat variables. Division cuts off towards
// zero. Values stay within ±2^53.
//
// Fields are "name: value" or "name { … }", separated by blanks, line ends,
// commas or semicolons. A value is an integer expression, a number with a
// point, true or false, a "string", a [list], a word, or a word with fields of
// its own: gaussian { std: 0.01 }. A name that is a constant, parameter or
// repeat variable is that integer; any other name is a word, whatever tensors
// there are. A field may be given several times; what that means is the layer's
// affair.
//
// Guards follow a statement that defines tensors: @train and @test hold in that
// phase, any other @word holds where the stage is selected, @!word holds where
// the word does not. The statement stays if all of them hold. A name may be
// defined twice under guards that exclude each other, and a removed assignment
// inside a repeat leaves the name as it was.
//
// Each name is defined once, before its use; only blocks may follow their use.
//
// A callee that names a block of this file or its imports is that block. Any
// other callee that starts with a capital letter is a layer, known or not: the
// compiler judges it. A block sees its parameters, its own names, and the
// constants and blocks of the file it stands in. A parameter is a tensor or an
// integer, as the call gives it; one with a default is an integer, and its
// default may use the parameters before it.
//
// An import brings in constants and blocks, also those that the imported file
// imports itself; its other statements count for nothing. So a net can be
// imported for its blocks.
//
// # Full names
//
// The layers inside "u = f(x)" are named u.conv, u.relu and so on, after the
// first name on the left. The name u stands for the tensor that f returns. A
// name defined in a repeat gets the number of the iteration: c.1, c.2, c.3, and
// c.1.2 in a repeat inside a repeat. If it is defined before the repeat as well,
// it is carried: inside, it means the latest tensor of that name, and after the
// repeat the last one. Otherwise it ends with its iteration. Inner tensors can
// be used by their full names: ReLU(u.conv). Net.Aliases resolves the names of
// the source that no tensor has.
package spec
