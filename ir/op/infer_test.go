package op_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"netc/ir"
	"netc/ir/op"
)

// TestMisfits checks that a wrong attribute or operand is refused and blamed.
func TestMisfits(t *testing.T) {
	image := ir.Float(2, 3, 6, 6)
	pool := func(kernel, stride, pad int) *op.MaxPool {
		return &op.MaxPool{Kernel: []int{kernel, kernel}, Stride: []int{stride, stride}, Pad: []int{pad, pad}}
	}
	for _, x := range []struct {
		op      ir.Op
		in      []ir.Type
		field   string // blamed, or
		operand int    // blamed where field is empty; -1: nothing is
		says    string
	}{
		{pool(0, 1, 0), one(image), "kernel_size", 0, "at least 1"},
		{pool(2, 0, 0), one(image), "stride", 0, "at least 1"},
		{pool(2, 1, -1), one(image), "pad", 0, "negative"},
		{pool(2, 1, 2), one(image), "pad", 0, "pad 2 must be smaller than the window 2"},
		{pool(8, 1, 0), one(image), "kernel_size", 0, "window 8x8 is larger than the padded input 6x6"},
		{pool(1, 2, 0), one(image), "stride", 0, "behind the input of extent 6"},
		{pool(math.MaxInt, 1, 0), one(image), "kernel_size", 0, "at most"},
		{pool(2, 2, 0), one(ir.Float(2, 3)), "", 0, "needs images [N, C, H, W], not f32[2,3]"},
		{pool(2, 2, 0), one(ir.Int(2, 3, 6, 6)), "", 0, "must be f32"},
		{&op.MaxPool{}, one(image), "", -1, "two entries"},
		{&op.MaxPoolGrad{Kernel: []int{2, 2}, Stride: []int{2, 2}, Pad: []int{0, 0}, Size: []int{6, 6}}, one(ir.Float(2, 3, 3, 3), ir.Float(2, 3, 3, 3)), "", 1, "argmax must be u8[2,3,3,3]"},
		{&op.AvgPoolGrad{Kernel: []int{2, 2}, Stride: []int{2, 2}, Pad: []int{0, 0}, Size: []int{6, 6}}, one(ir.Float(2, 3, 2, 3)), "", 0, "gives [2,3,3,3]"},
		{&op.Conv{Stride: []int{1, 1}, Pad: []int{0, 0}, Dilation: []int{math.MaxInt, 1}, Group: 1}, one(image, ir.Float(2, 3, 2, 2)), "", -1, "at most"},
		{&op.LRN{Size: 4}, one(image), "local_size", 0, "odd"},
		{&op.LRN{Size: 5}, one(ir.Float(2, 3)), "", 0, "images"},
		{&op.Broadcast{Shape: []int{2, 0}}, one(ir.Float()), "shape", 0, "at least 1"},
		{&op.Broadcast{Shape: []int{2, 3}, Axes: []int{2}}, one(ir.Float(3)), "axis", 0, "no axis 2"},
		{&op.Broadcast{Shape: []int{2, 3}, Axes: []int{1, 0}}, one(ir.Float(3, 2)), "axis", 0, "increasing"},
		{&op.Broadcast{Shape: []int{2, 3}, Axes: []int{0}}, one(ir.Float(3)), "", 0, "axis 0 of f32[3] cannot become axis 0 of [2,3]"},
		{&op.Broadcast{Shape: []int{2, 3}}, one(ir.Float(3)), "", 0, "needs 1 axes"},
		{&op.Sum{Axes: []int{2}}, one(ir.Float(2, 3)), "axis", 0, "no axis 2"},
		{&op.Sum{}, one(ir.Int(2)), "", 0, "f32"},
		{&op.Reshape{Shape: []int{5}}, one(ir.Float(2, 3)), "shape", 0, "f32[2,3] has 6 elements, the shape [5] has 5"},
		{&op.Transpose{Perm: []int{0, 0}}, one(ir.Float(2, 3)), "order", 0, "once"},
		{&op.Transpose{Perm: []int{0}}, one(ir.Float(2, 3)), "order", 0, "2 axes"},
		{&op.Concat{Axis: 2}, one(ir.Float(2, 3)), "axis", 0, "no axis 2"},
		{&op.Concat{Axis: 1}, one(ir.Float(2, 3), ir.Float(3, 3)), "", 1, "axis 0 must be equal"},
		{&op.Concat{Axis: 1}, one(ir.Float(2, 3), ir.Int(2, 3)), "", 1, "only axis 1 may differ"},
		{&op.Concat{}, nil, "", -1, "needs an operand"},
		{&op.Split{Axis: 1}, one(ir.Float(2, 3)), "slice_point", 0, "at least one"},
		{&op.Split{Axis: 1, Sizes: []int{2, 2}}, one(ir.Float(2, 3)), "slice_point", 0, "cannot be cut"},
		{&op.Split{Axis: 1, Sizes: []int{1, 1}}, one(ir.Float(2, 3)), "slice_point", 0, "cover 2 of the 3"},
		{&op.ToFloat{}, one(ir.Float(2)), "", 0, "i32"},
		{&op.OneHot{Classes: 3}, one(ir.Float(2)), "", 0, "i32"},
		{&op.OneHot{}, one(ir.Int(2)), "input_dim", 0, "at least one class"},
		{&op.MatMul{}, one(ir.Float(2, 3), ir.Float(4, 5)), "", 1, "inner extents differ: 3 of f32[2,3], 4 of f32[4,5]"},
		{&op.MatMul{}, one(ir.Float(2, 3), ir.Float(3)), "", 1, "matrices"},
		{&op.BatchNorm{}, one(ir.Float(2)), "", 0, "channels"},
		{&op.BatchNorm{Eps: math.NaN()}, one(image), "eps", 0, "negative"},
		{&op.ConvGradWeight{Stride: []int{1, 1}, Pad: []int{0, 0}, Dilation: []int{1, 1}, Group: 1, Kernel: []int{1, 1}, Parts: 4}, one(image, image), "parts", 0, "in 4 parts"},
		{&op.Moments{}, one(ir.Float(2, 3)), "", 0, "behind samples and channels"},
		{&op.MergeMoments{Of: 2}, one(ir.Float(2, 3), ir.Float(3, 3)), "", 1, "must be equal"},
		{&op.MergeMoments{}, one(ir.Float(2, 3), ir.Float(2, 3)), "", 0, "at least one element"},
		{&op.Normalize{}, one(image, ir.Float(6), ir.Float(3)), "", 1, "must be f32[3]"},
		{&op.Softmax{Axis: -1}, one(ir.Float(2)), "axis", 0, "no axis -1"},
		{&op.SoftmaxLoss{Axis: 1, Normalization: "valid"}, one(ir.Float(2, 3), ir.Float(2)), "", 1, "labels must be i32"},
		{&op.SoftmaxLoss{Axis: 1, Normalization: "valid"}, one(ir.Float(2, 3), ir.Int(3)), "", 1, "need labels i32[2], not i32[3]"},
		{&op.SoftmaxLoss{Axis: 1, Normalization: "sum"}, one(ir.Float(2, 3), ir.Int(2)), "normalization", 0, "sum"},
		{&op.SoftmaxLossGrad{Axis: 1}, one(ir.Float(2, 3), ir.Int(2), ir.Float(1)), "", 2, "f32[]"},
		{&op.CountLabels{}, one(ir.Float(2)), "", 0, "i32"},
		{&op.Accuracy{Axis: 1}, one(ir.Float(2, 3), ir.Int(2)), "top_k", 0, "at least 1"},
		{&op.Dropout{Ratio: 1}, one(ir.Float(2), ir.Int(), ir.Int()), "dropout_ratio", 0, "[0, 1)"},
		{&op.Dropout{Stream: -1}, one(ir.Float(2), ir.Int(), ir.Int()), "stream", 0, "32-bit"},
		{&op.Dropout{}, one(ir.Float(2), ir.Float(), ir.Int()), "", 1, "the seed must be i32[]"},
	} {
		_, err := x.op.Infer(x.in)
		if err == nil {
			t.Errorf("%s %s of %v is accepted", x.op.Mnemonic(), ir.Attributes(x.op), x.in)
			continue
		}
		if !strings.Contains(err.Error(), x.says) {
			t.Errorf("%s: %q does not say %q", x.op.Mnemonic(), err, x.says)
		}
		var fit *ir.FitError
		blames := errors.As(err, &fit)
		switch {
		case x.field != "" && (!blames || fit.Field != x.field):
			t.Errorf("%s: %q does not blame the field %s", x.op.Mnemonic(), err, x.field)
		case x.field == "" && x.operand >= 0 && (!blames || fit.Operand != x.operand):
			t.Errorf("%s: %q does not blame operand %d", x.op.Mnemonic(), err, x.operand)
		}
	}
}

// TestInferNeverPanics gives every operator operands and attributes that do not
// belong to it. What it accepts anyway must also run, within its tensors.
func TestInferNeverPanics(t *testing.T) {
	each(t, 400, func(t *testing.T, x trial, r *rand.Rand) {
		in := slices.Clone(x.in)
		for range between(r, 1, 3) {
			switch r.IntN(4) {
			case 0:
				in = append(in, anyType(r))
			case 1:
				if len(in) > 0 {
					in = in[:len(in)-1]
				}
			case 2:
				if len(in) > 0 {
					in[r.IntN(len(in))] = anyType(r)
				}
			case 3:
				disturb(r, x.op)
			}
		}
		out, err := x.op.Infer(in)
		if err != nil {
			return
		}
		work := 1
		for _, v := range slices.Concat(in, out) {
			for _, d := range v.Shape {
				if d < 1 {
					t.Fatalf("%s %s of %v gives %v", x.op.Mnemonic(), ir.Attributes(x.op), in, out)
				}
				if work *= min(d, 1e6); work > 1e5 {
					return
				}
			}
		}
		if windowCount(x.op) > 100 {
			return // runs for long
		}
		g, _, e := build(t, trial{op: x.op, in: in}, r)
		e.run(g.Nodes) // panics on an index outside a tensor
	})
}

// windowCount is the number of elements under a pooling or LRN window.
func windowCount(o ir.Op) int {
	switch o := o.(type) {
	case *op.MaxPool:
		return ir.Shape(o.Kernel).Count()
	case *op.AvgPool:
		return ir.Shape(o.Kernel).Count()
	case *op.MaxPoolGrad:
		return ir.Shape(o.Kernel).Count()
	case *op.AvgPoolGrad:
		return ir.Shape(o.Kernel).Count()
	case *op.LRN:
		return o.Size
	case *op.LRNGrad:
		return o.Size
	}
	return 1
}

func anyType(r *rand.Rand) ir.Type {
	return ir.Type{DType: ir.DType(r.IntN(3)), Shape: shape(r, between(r, 0, 5))}
}

// disturb sets one attribute of the operator to anything.
func disturb(r *rand.Rand, o ir.Op) {
	s := reflect.ValueOf(o).Elem()
	var fields []reflect.Value
	for i := range s.NumField() {
		if s.Type().Field(i).IsExported() {
			fields = append(fields, s.Field(i))
		}
	}
	if len(fields) == 0 {
		return
	}
	anyInt := func() int {
		if r.IntN(4) == 0 {
			return []int{math.MinInt, -1 << 31, 1<<31 - 1, 1 << 31, 1 << 62, math.MaxInt}[r.IntN(6)]
		}
		return between(r, -2, 5)
	}
	switch f := fields[r.IntN(len(fields))]; f.Kind() {
	case reflect.Int:
		f.SetInt(int64(anyInt()))
	case reflect.Float64:
		f.SetFloat([]float64{0, -1, 3, math.Inf(1), math.NaN(), math.MaxFloat64}[r.IntN(6)])
	case reflect.Bool:
		f.SetBool(!f.Bool())
	case reflect.String:
		f.SetString([]string{"", "full", "a + b", "a / (", "\x00", "z"}[r.IntN(6)])
	case reflect.Slice:
		if n := f.Len(); n > 0 && r.IntN(2) == 0 {
			list := slices.Clone(f.Interface().([]int)) // trials share lists
			list[r.IntN(n)] = anyInt()
			f.Set(reflect.ValueOf(list))
			return
		}
		list := make([]int, between(r, 0, 5))
		for i := range list {
			list[i] = anyInt()
		}
		f.Set(reflect.ValueOf(list))
	}
}
