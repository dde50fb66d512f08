package spec

import (
	"sync"

	"github.com/alecthomas/participle/v2"
	"github.com/alecthomas/participle/v2/lexer"
)

// The grammar of one statement. A block or repeat ends at its opening brace:
// the parser reads the statements of the body one by one, so that a mistake in
// one of them does not hide the others. Every choice is made by the next token
// alone. Tokens, where a struct has it, is filled with all tokens of the
// production; the tree's positions come from there. "(?! ',' ')' )" lets a comma
// stand before the closing bracket: a comma that was consumed would demand an
// item.

type statementGrammar struct {
	Net    *nameGrammar   `parser:"  'net':Keyword @@"`
	Import *lexer.Token   `parser:"| 'import':Keyword @String"`
	Const  *constGrammar  `parser:"| @@"`
	Block  *blockGrammar  `parser:"| @@"`
	Repeat *repeatGrammar `parser:"| @@"`
	Return []*nameGrammar `parser:"| 'return':Keyword @@ ( ',' @@ )*"`
	Assign *assignGrammar `parser:"| @@"`
}

type nameGrammar struct {
	Token lexer.Token `parser:"@( Ident | String )"`
}

type constGrammar struct {
	Name  *nameGrammar `parser:"'const':Keyword @@"`
	Value *exprGrammar `parser:"'=' @@"`
}

type blockGrammar struct {
	Name   *nameGrammar  `parser:"'block':Keyword @@"`
	Params *paramsSyntax `parser:"@@"`
	Open   lexer.Token   `parser:"@'{'"`
}

type paramsSyntax struct {
	Tokens []lexer.Token
	Params []*paramGrammar `parser:"'(' ( @@ ( (?! ',' ')' ) ',' @@ )* ','? )? ')'"`
}

type paramGrammar struct {
	Tokens  []lexer.Token
	Name    *nameGrammar `parser:"@@"`
	Default *exprGrammar `parser:"( '=' @@ )?"`
}

type repeatGrammar struct {
	Variable *nameGrammar `parser:"'repeat':Keyword @@"`
	First    *exprGrammar `parser:"'=' @@"`
	Last     *exprGrammar `parser:"'..' @@"`
	Open     lexer.Token  `parser:"@'{'"`
}

type assignGrammar struct {
	Targets []*nameGrammar  `parser:"@@ ( ',' @@ )* '='"`
	Input   *inputGrammar   `parser:"( @@"`
	Use     *useGrammar     `parser:"| @@ )"`
	Guards  []*guardGrammar `parser:"@@*"`
}

type inputGrammar struct {
	Keyword lexer.Token  `parser:"@'input':Keyword"`
	Shape   *listGrammar `parser:"@@"`
	DType   *nameGrammar `parser:"@@?"`
}

type useGrammar struct {
	Name   *nameGrammar   `parser:"@@"`
	Args   *argsGrammar   `parser:"( @@"`
	Fields *fieldsGrammar `parser:"  @@? )?"`
}

type argsGrammar struct {
	Tokens []lexer.Token
	Args   []*argGrammar `parser:"'(' ( @@ ( (?! ',' ')' ) ',' @@ )* ','? )? ')'"`
}

// argGrammar reads "value" and "label: value": only the colon tells them apart.
type argGrammar struct {
	Tokens []lexer.Token
	First  *exprGrammar `parser:"@@"`
	Second *exprGrammar `parser:"( ':' @@ )?"`
}

type guardGrammar struct {
	Tokens  []lexer.Token
	Negated bool        `parser:"'@' @'!'?"`
	Word    lexer.Token `parser:"@( Ident | Keyword )"`
}

type fieldsGrammar struct {
	Tokens []lexer.Token
	Fields []*fieldGrammar `parser:"'{' ( @@ ( ',' | ';' )? )* '}'"`
}

type fieldGrammar struct {
	Tokens []lexer.Token
	Name   lexer.Token    `parser:"@( Ident | Keyword )"`
	Value  *valueGrammar  `parser:"( ':' @@"`
	Fields *fieldsGrammar `parser:"| @@ )"`
}

type valueGrammar struct {
	Tokens []lexer.Token
	List   *listGrammar   `parser:"  @@"`
	Block  *fieldsGrammar `parser:"| @@"`
	Expr   *exprGrammar   `parser:"| @@"`
	Fields *fieldsGrammar `parser:"  @@?"`
}

type listGrammar struct {
	Tokens []lexer.Token
	Items  []*valueGrammar `parser:"'[' ( @@ ( (?! ',' ']' ) ',' @@ )* ','? )? ']'"`
}

type exprGrammar struct {
	Tokens []lexer.Token
	First  *termGrammar   `parser:"@@"`
	Rest   []*sumOperator `parser:"@@*"`
}

type sumOperator struct {
	Operator lexer.Token  `parser:"@( '+' | '-' )"`
	Term     *termGrammar `parser:"@@"`
}

type termGrammar struct {
	First *factorGrammar     `parser:"@@"`
	Rest  []*productOperator `parser:"@@*"`
}

type productOperator struct {
	Operator lexer.Token    `parser:"@( '*' | '/' | '%' )"`
	Factor   *factorGrammar `parser:"@@"`
}

type factorGrammar struct {
	Tokens  []lexer.Token
	Signs   []*signGrammar `parser:"@@*"`
	Literal *lexer.Token   `parser:"( @( Int | Float | String | Ident | Keyword )"`
	Paren   *exprGrammar   `parser:"| '(' @@ ')' )"`
}

type signGrammar struct {
	Token lexer.Token `parser:"@( '+' | '-' )"`
}

// statementParser builds the parser once. A token that was consumed commits
// the choice (lookahead 0): with more, an error would be reported where the
// choice began instead of where the mistake is.
var statementParser = sync.OnceValue(func() *participle.Parser[statementGrammar] {
	return participle.MustBuild[statementGrammar](
		participle.Lexer(definition{}),
		participle.UseLookahead(0),
	)
})
