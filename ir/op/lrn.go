package op

import (
	"netc/ir"
	"netc/ir/loop"
)

func init() {
	ir.Register(func() ir.Op { return &LRN{} })
	ir.Register(func() ir.Op { return &LRNGrad{} })
}

// LRN is local response normalisation across channels of images [N, C, H, W]:
//
//	out = in * scale^-beta
//	scale[n,c,y,x] = k + alpha/size * sum of in[n,i,y,x]^2 over the size channels i around c
//
// Channels beyond the first and last count as zero. Source: Krizhevsky,
// Sutskever and Hinton, "ImageNet Classification with Deep Convolutional Neural
// Networks" (2012), §3.3, with alpha divided by the size as Caffe does.
type LRN struct {
	Size  int     `ir:"size,5"` // odd
	Alpha float64 `ir:"alpha,1"`
	Beta  float64 `ir:"beta,0.75"`
	K     float64 `ir:"k,1"`
}

// Mnemonic is "lrn".
func (*LRN) Mnemonic() string { return "lrn" }

// Infer gives the operand's type.
func (o *LRN) Infer(in []ir.Type) ([]ir.Type, error) {
	if err := needOperands(in, 1); err != nil {
		return nil, err
	}
	return o.infer(in)
}

func (o *LRN) infer(in []ir.Type) ([]ir.Type, error) {
	out, err := sameShapes(in)
	if err != nil {
		return nil, err
	}
	if len(in[0].Shape) != 4 {
		return nil, ir.MisfitOperand(0, "LRN needs images [N, C, H, W], not %s", in[0])
	}
	if o.Size < 1 || o.Size%2 == 0 {
		return nil, ir.Misfit("local_size", "local_size must be odd, not %d", o.Size)
	}
	return out, nil
}

// Grad needs the operand only; the scale is computed again.
func (o *LRN) Grad(b *Builder, n *ir.Node, d []*ir.Value) []*ir.Value {
	return []*ir.Value{b.Grad(n.In[0], &LRNGrad{Size: o.Size, Alpha: o.Alpha, Beta: o.Beta, K: o.K}, n.In[0], d[0])}
}

// Loops sums squares over the channels around each element.
func (o *LRN) Loops(n *ir.Node) []*loop.Nest {
	x, out := n.In[0], n.Out[0]
	axes := axesOf(out)
	index := loop.Refs(axes...)
	squares := o.squares("i", x, index, index[1], 0)
	return []*loop.Nest{{Axes: axes, Body: []loop.Stmt{
		squares,
		&loop.Store{Value: out, Index: index, Of: loop.Times(loop.At(x, index...), power(o.scale(squares), -o.Beta))},
	}}}
}

// squares sums the squares of the channels around channel-shift at the pixel
// of index.
func (o *LRN) squares(axis string, x *ir.Value, index []*loop.Expr, channel *loop.Expr, shift int) *loop.Reduce {
	i := loop.Axis(axis, o.Size)
	at, within := o.neighbour(x, index, loop.Plus(channel, loop.R(i)), shift)
	return &loop.Reduce{Var: scalar("squares_" + axis), Kind: loop.Sum, Axes: []*loop.Var{i}, Within: within,
		Of: loop.Times(loop.At(x, at...), loop.At(x, at...))}
}

// neighbour is the index of the channel sum-shift-size/2 at the pixel of
// index, and the range that it must be in.
func (o *LRN) neighbour(x *ir.Value, index []*loop.Expr, sum *loop.Expr, shift int) ([]*loop.Expr, []loop.Range) {
	channel := loop.Minus(sum, loop.I(shift+o.Size/2))
	at := []*loop.Expr{index[0], channel, index[2], index[3]}
	if o.Size == 1 && shift == 0 {
		return at, nil
	}
	return at, []loop.Range{{Index: channel, Extent: x.Type.Shape[1]}}
}

// scale is k + alpha/size * squares.
func (o *LRN) scale(squares *loop.Reduce) *loop.Expr {
	return loop.Plus(loop.Times(loop.N(o.Alpha/float64(o.Size)), loop.R(squares.Var)), loop.N(o.K))
}

// power is base^exponent for a positive base. Exponents in quarters from -1 to
// 0, which all published networks use, need square roots only.
func power(base *loop.Expr, exponent float64) *loop.Expr {
	root := func(e *loop.Expr) *loop.Expr { return loop.Apply("sqrt", e) }
	switch exponent {
	case 0:
		return loop.N(1)
	case -0.25:
		return loop.Over(loop.N(1), root(root(base)))
	case -0.5:
		return loop.Over(loop.N(1), root(base))
	case -0.75:
		return loop.Over(loop.N(1), loop.Times(root(base), root(root(base))))
	case -1:
		return loop.Over(loop.N(1), base)
	}
	return loop.Apply("pow", base, loop.N(exponent))
}

// LRNGrad is the gradient of LRN: operands x and dy, both [N, C, H, W], give
//
//	dx[c] = dy[c] * scale[c]^-beta - 2*alpha*beta/size * x[c] * sum over i around c of dy[i] * x[i] * scale[i]^-beta / scale[i]
//
// at each pixel, with LRN's scale computed again from x.
type LRNGrad struct {
	Size  int     `ir:"size,5"`
	Alpha float64 `ir:"alpha,1"`
	Beta  float64 `ir:"beta,0.75"`
	K     float64 `ir:"k,1"`

	gradientOnly
}

// Mnemonic is "lrn_grad".
func (*LRNGrad) Mnemonic() string { return "lrn_grad" }

func (o *LRNGrad) forward() *LRN { return &LRN{Size: o.Size, Alpha: o.Alpha, Beta: o.Beta, K: o.K} }

// Infer gives the operands' type.
func (o *LRNGrad) Infer(in []ir.Type) ([]ir.Type, error) {
	if err := needOperands(in, 2); err != nil {
		return nil, err
	}
	return o.forward().infer(in)
}

// Loops sums over the channels around each element, and for each of them over
// the channels around it.
func (o *LRNGrad) Loops(n *ir.Node) []*loop.Nest {
	x, dy, out := n.In[0], n.In[1], n.Out[0]
	f := o.forward()
	axes := axesOf(out)
	index := loop.Refs(axes...)

	i := loop.Axis("i", o.Size)
	sum := loop.Plus(index[1], loop.R(i))
	at, within := f.neighbour(x, index, sum, 0)
	around := f.squares("j", x, index, sum, o.Size/2)
	aroundScale, cross := scalar("scale_i"), scalar("cross")

	own := f.squares("k", x, index, index[1], 0)
	ownScale := scalar("scale")
	direct := loop.Times(loop.At(dy, index...), power(loop.R(ownScale), -o.Beta))
	shared := loop.Times(loop.Times(loop.N(2*o.Alpha*o.Beta/float64(o.Size)), loop.At(x, index...)), loop.R(cross))
	return []*loop.Nest{{Axes: axes, Body: []loop.Stmt{
		own,
		&loop.Let{Var: ownScale, Of: f.scale(own)},
		&loop.Reduce{
			Var: cross, Kind: loop.Sum, Axes: []*loop.Var{i}, Within: within,
			Body: []loop.Stmt{around, &loop.Let{Var: aroundScale, Of: f.scale(around)}},
			Of: loop.Over(loop.Times(loop.Times(loop.At(dy, at...), loop.At(x, at...)), power(loop.R(aroundScale), -o.Beta)),
				loop.R(aroundScale)),
		},
		&loop.Store{Value: out, Index: index, Of: loop.Minus(direct, shared)},
	}}}
}
