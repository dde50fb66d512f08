package cuda

import "fmt"

// The precisions of a contraction's operands, as the run file names them. All
// add in float32.
const (
	float32Precision = "float32"
	tf32Precision    = "tf32" // 10 bits of mantissa
	bf16Precision    = "bf16" // 7 bits
)

// A warp's tensor cores multiply fragments of 16 rows by fragments of 8 columns
// (mma.sync m16n8k8 and m16n8k16, NVIDIA's PTX ISA, "Matrix Fragments for
// mma.m16n8k8" and "for mma.m16n8k16": which thread holds which elements).
const (
	fragmentRows    = 16
	fragmentColumns = 8
)

// tensorShapes are tiles for tensor cores; rowsEach and columnsEach are a warp's.
var tensorShapes = []tile{
	{rows: 128, columns: 128, depth: 16, rowsEach: 64, columnsEach: 32, tensor: true},
	{rows: 64, columns: 128, depth: 16, rowsEach: 32, columnsEach: 32, tensor: true},
	{rows: 128, columns: 64, depth: 16, rowsEach: 32, columnsEach: 32, tensor: true},
	{rows: 64, columns: 64, depth: 16, rowsEach: 32, columnsEach: 32, tensor: true},
	{rows: 32, columns: 128, depth: 16, rowsEach: 32, columnsEach: 32, tensor: true},
	{rows: 32, columns: 64, depth: 16, rowsEach: 16, columnsEach: 32, tensor: true},
	{rows: 16, columns: 128, depth: 16, rowsEach: 16, columnsEach: 32, tensor: true},
	{rows: 64, columns: 32, depth: 16, rowsEach: 32, columnsEach: 16, tensor: true},
}

// multiplyFragments prints how each warp multiplies its part of the tiles.
func (p *printer) multiplyFragments(t tile, sum, rowTile, columnTile string) {
	outer := p.scope
	p.scope = outer.Child()
	k, i, j, a, b := p.scope.Take("k"), p.scope.Take("i"), p.scope.Take("j"), p.scope.Take("a"), p.scope.Take("b")
	r, c := p.scope.Take("r"), p.scope.Take("c")
	steps, function := 8, "multiplyTF32"
	if p.precision == bf16Precision {
		steps, function = 16, "multiplyBF16"
	}
	rows, columns := t.rowsEach/fragmentRows, t.columnsEach/fragmentColumns
	p.printf("#pragma unroll")
	p.printf("for (int %[1]s = 0; %[1]s < %[2]d; %[1]s += %[3]d) {", k, t.depth, steps)
	p.printf("unsigned %s[%d][4], %s[%d][2];", a, rows, b, columns)
	element := func(tile, term, place string) string { return fmt.Sprintf("%s[%s + %s][%s]", tile, k, term, place) }
	p.printf("#pragma unroll")
	p.printf("for (int %[1]s = 0; %[1]s < %[2]d; %[1]s++) {", i, rows)
	p.printf("const int %s = ty*%d + %s*%d + lane/4;", r, t.rowsEach, i, fragmentRows)
	for n := range 4 {
		place := r
		if n%2 == 1 {
			place += " + 8"
		}
		p.printf("%s[%s][%d] = %s;", a, i, n, p.fragment(func(term string) string { return element(rowTile, term, place) }, n/2))
	}
	p.printf("}")
	p.printf("#pragma unroll")
	p.printf("for (int %[1]s = 0; %[1]s < %[2]d; %[1]s++) {", j, columns)
	p.printf("const int %s = tx*%d + %s*%d + lane/4;", c, t.columnsEach, j, fragmentColumns)
	for n := range 2 {
		p.printf("%s[%s][%d] = %s;", b, j, n, p.fragment(func(term string) string { return element(columnTile, term, c) }, n))
	}
	p.printf("}")
	p.printf("#pragma unroll")
	p.printf("for (int %[1]s = 0; %[1]s < %[2]d; %[1]s++) {", i, rows)
	p.unrolled(j, columns, fmt.Sprintf("%s(%s[%s][%s], %s[%s], %s[%s]);", p.helper(function), sum, i, j, a, i, b, j))
	p.printf("}")
	p.printf("}")
	p.scope = outer
}

// fragment is the word of an operand that a thread gives to the product: the
// element of its term in the lower half of the fragment's terms or in the upper
// one, or in bf16 two neighbouring terms' elements.
func (p *printer) fragment(element func(term string) string, half int) string {
	term := "lane%4"
	if p.precision == bf16Precision {
		term += "*2"
		if half == 1 {
			term += " + 8"
		}
		return fmt.Sprintf("%s(%s, %s)", p.helper("toBF16"), element(term), element(term+" + 1"))
	}
	if half == 1 {
		term += " + 4"
	}
	return fmt.Sprintf("__float_as_uint(%s)", element(term))
}

// eachFragment prints the loops over a warp's sums that lie in the matrix.
func (p *printer) eachFragment(c *contraction, t tile, body func(sum string), sums string) {
	outer := p.scope
	p.scope = outer.Child()
	i, j, n := p.scope.Take("i"), p.scope.Take("j"), p.scope.Take("part")
	for _, l := range []struct {
		v     string
		count int
	}{{i, t.rowsEach / fragmentRows}, {j, t.columnsEach / fragmentColumns}, {n, 4}} {
		p.printf("#pragma unroll")
		p.printf("for (int %[1]s = 0; %[1]s < %[2]d; %[1]s++) {", l.v, l.count)
	}
	p.printf("const int row = blockIdx.y*%d + ty*%d + %s*%d + %s/2*8 + lane/4;", t.rows, t.rowsEach, i, fragmentRows, n)
	p.printf("const int column = blockIdx.x*%d + tx*%d + %s*%d + lane%%4*2 + %s%%2;", t.columns, t.columnsEach, j, fragmentColumns, n)
	p.printf("if (row < %d && column < %d) {", points(c.rows), points(c.columns))
	body(fmt.Sprintf("%s[%s][%s][%s]", sums, i, j, n))
	for range 4 {
		p.printf("}")
	}
	p.scope = outer
}
