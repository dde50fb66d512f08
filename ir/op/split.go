package op

import (
	"slices"
	"strconv"

	"netc/ir"
	"netc/ir/loop"
)

func init() { ir.Register(func() ir.Op { return &Split{} }) }

// Split cuts a tensor along Axis into consecutive pieces of the given Sizes,
// one result each; it is Caffe's Slice.
type Split struct {
	Axis  int   `ir:"axis,1"`
	Sizes []int `ir:"sizes"`
}

// Mnemonic is "split".
func (*Split) Mnemonic() string { return "split" }

// ResultNames numbers the pieces.
func (o *Split) ResultNames() []string {
	names := make([]string, len(o.Sizes))
	for i := range names {
		names[i] = strconv.Itoa(i)
	}
	return names
}

// Infer wants Sizes that add up to the extent of Axis.
func (o *Split) Infer(in []ir.Type) ([]ir.Type, error) {
	if err := needOperands(in, 1); err != nil {
		return nil, err
	}
	if err := checkAxis(o.Axis, 0, in[0]); err != nil {
		return nil, err
	}
	if len(o.Sizes) == 0 {
		return nil, ir.Misfit("slice_point", "at least one piece is needed")
	}
	total := 0
	out := make([]ir.Type, len(o.Sizes))
	for i, size := range o.Sizes {
		if size < 1 || size > in[0].Shape[o.Axis]-total {
			return nil, ir.Misfit("slice_point", "axis %d of %s cannot be cut into %v", o.Axis, in[0], o.Sizes)
		}
		total += size
		shape := slices.Clone(in[0].Shape)
		shape[o.Axis] = size
		out[i] = ir.Type{DType: in[0].DType, Shape: shape}
	}
	if total != in[0].Shape[o.Axis] {
		return nil, ir.Misfit("slice_point", "pieces %v cover %d of the %d elements along axis %d", o.Sizes, total, in[0].Shape[o.Axis], o.Axis)
	}
	return out, nil
}

// Grad puts the pieces' gradients behind each other; a piece that the loss does
// not depend on counts as zero.
func (o *Split) Grad(b *Builder, n *ir.Node, d []*ir.Value) []*ir.Value {
	pieces := make([]*ir.Value, len(n.Out))
	any := false
	for _, v := range d {
		any = any || v != nil
	}
	if !any {
		return []*ir.Value{nil}
	}
	for i, v := range n.Out {
		if pieces[i] = d[i]; d[i] == nil {
			pieces[i] = b.Grad(v, &Constant{Shape: slices.Clone(v.Type.Shape)})
		}
	}
	return []*ir.Value{b.Grad(n.In[0], &Concat{Axis: o.Axis}, pieces...)}
}

// Loops copies each piece by a nest of its own.
func (o *Split) Loops(n *ir.Node) []*loop.Nest {
	var nests []*loop.Nest
	start := 0
	for i, v := range n.Out {
		nests = append(nests, copyPiece(n.In[0], v, v.Type.Shape, o.Axis, start, 0))
		start += o.Sizes[i]
	}
	return nests
}
