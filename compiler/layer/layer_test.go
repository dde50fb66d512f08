package layer_test

import (
	"slices"
	"strings"
	"testing"

	"netc/compiler/layer"
	"netc/ir"
	"netc/spec"
	"netc/spec/diag"
)

// TestLeNet checks the names, shapes and parameters that others rely on.
func TestLeNet(t *testing.T) {
	const source = `net LeNet

data  = input [1, 28, 28]
label = input [] i32

conv1 = Convolution(data)   { num_output: 20  kernel_size: 5  weight_filler: xavier }
pool1 = Pooling(conv1)      { pool: max  kernel_size: 2  stride: 2 }
conv2 = Convolution(pool1)  { num_output: 50  kernel_size: 5  weight_filler: xavier }
pool2 = Pooling(conv2)      { pool: max  kernel_size: 2  stride: 2 }
ip1   = InnerProduct(pool2) { num_output: 500  weight_filler: xavier }
relu1 = ReLU(ip1)
ip2   = InnerProduct(relu1) { num_output: 10   weight_filler: xavier }
loss  = SoftmaxWithLoss(ip2, label)
accuracy = Accuracy(ip2, label) @test
`
	shapes := map[string]string{
		"data": "f32[64,1,28,28]", "label": "i32[64]",
		"conv1": "f32[64,20,24,24]", "pool1": "f32[64,20,12,12]", "pool1.argmax": "u8[64,20,12,12]",
		"conv2": "f32[64,50,8,8]", "pool2": "f32[64,50,4,4]",
		"ip1": "f32[64,500]", "relu1": "f32[64,500]", "ip2": "f32[64,10]",
		"loss": "f32[]", "loss.prob": "f32[64,10]",
		"conv1.weight": "f32[20,1,5,5]", "conv1.bias": "f32[20]",
		"conv2.weight": "f32[50,20,5,5]", "ip1.weight": "f32[500,800]", "ip2.bias": "f32[10]",
	}
	for phase, outputs := range map[string][]string{"train": {"loss"}, "test": {"loss", "accuracy"}} {
		lowered := lower(t, "lenet.net", source, layer.Options{Phase: phase, Batch: 64})
		g := lowered.Graph
		for name, want := range shapes {
			if v := g.Lookup(name); v == nil || v.Type.String() != want {
				t.Errorf("%s: %s is %v, want %s", phase, name, v, want)
			}
		}
		if got := names(g.Outputs); !slices.Equal(got, outputs) {
			t.Errorf("%s: outputs %v, want %v", phase, got, outputs)
		}
		if g.Loss != g.Lookup("loss") {
			t.Errorf("%s: the loss is %v", phase, g.Loss)
		}
		count := 0
		for _, p := range g.Params {
			count += p.Type.Shape.Count()
		}
		if count != 431080 { // Caffe's LeNet has as many
			t.Errorf("%s: %d parameters, want 431080", phase, count)
		}
		info := lowered.Layers[0]
		if info.Name != "conv1" || info.Type != "Convolution" || info.Pos.Line != 6 || info.Outputs[0] != g.Lookup("conv1") ||
			!slices.Equal(names(info.Params), []string{"conv1.weight", "conv1.bias"}) {
			t.Errorf("%s: the first layer is %+v", phase, info)
		}
	}
}

func names(values []*ir.Value) []string {
	var list []string
	for _, v := range values {
		list = append(list, v.Name)
	}
	return list
}

// TestSharedParameters checks that parameters with one name are one value, and
// that a multiplier may be written at any of its uses.
func TestSharedParameters(t *testing.T) {
	lowered := lower(t, "shared.net", `net shared
x = input [4, 3, 3]
a = Convolution(x) { num_output: 2 kernel_size: 1 param { name: "w" } param { name: "b" lr_mult: 2 } }
b = Convolution(x) { num_output: 2 kernel_size: 1 param { name: "w" lr_mult: 0.5 } param { name: "b" } }
c = Reshape(x) { shape: [0, 4, -1] }
d = InnerProduct(x) { num_output: 2 axis: 3 param { lr_mult: 0 } }
e = Convolution(x) { num_output: 4 kernel_size: [2, 1] group: 4 bias_term: false param { name: w share_mode: permissive } }
`, layer.Options{Phase: "train", Batch: batch})
	g := lowered.Graph
	if got, want := names(g.Params), []string{"a.weight", "a.bias", "d.weight", "d.bias"}; !slices.Equal(got, want) {
		t.Fatalf("parameters %v, want %v", got, want)
	}
	for i, want := range []float64{0.5, 2, 0, 1} {
		if got := g.Params[i].Param.LrMult; got != want {
			t.Errorf("lr_mult of %s is %g, want %g", g.Params[i].Name, got, want)
		}
	}
	if got := names(lowered.Layers[1].Params); !slices.Equal(got, []string{"a.weight", "a.bias"}) {
		t.Errorf("b's parameters are %v", got)
	}
	if weight := g.Lookup("e").Def.In[1]; weight.Type.String() != "f32[4,1,2,1]" || weight.Def.In[0] != g.Params[0] {
		t.Errorf("e's weight is %s %s, want a reshape of a.weight", weight.Name, weight.Type)
	}
}

// TestNames checks that the source's names win over those that are made up, and
// that aliases and kept tensors are found.
func TestNames(t *testing.T) {
	const source = `net names
x = input [4, 3, 3]
block conv(x) {
  a = Convolution(x) { num_output: 2 kernel_size: 1 }
  b = ReLU(a)
  return b
}
y = conv(x)
z = Dropout(y)
end = ReLU(z)
`
	net := expand(t, "names.net", source, "test")
	// A layer from a Caffe file may have any name, also one that an operator of
	// another layer would get.
	net.Layers[1].Tops[0].Name = "y.a.conv"
	net.Layers[2].Bottoms[0].Name = "y.a.conv"
	net.Aliases["y"] = "y.a.conv"
	options := layer.Options{Phase: "test", Batch: batch, Keep: []string{"y", "z", "y.a", "y.a.weight", "x"}}
	lowered, found := layer.Lower(net, options)
	if len(found) > 0 {
		t.Fatal(found)
	}
	g := lowered.Graph
	if got := lowered.Tensors["y.a.conv"].Def.Op.Mnemonic(); got != "relu" {
		t.Errorf("y.a.conv is a %s, want the layer's relu", got)
	}
	if g.Lookup("y.a.conv_2") == nil {
		t.Errorf("the convolution without bias is not y.a.conv_2:\n%s", g)
	}
	if got, want := names(g.Outputs), []string{"end", "y.a.conv", "z", "y.a"}; !slices.Equal(got, want) {
		t.Errorf("outputs %v, want %v", got, want)
	}
	if err := g.Verify(); err != nil {
		t.Error(err)
	}

	options.Keep = []string{"ned"}
	if _, found = layer.Lower(net, options); found.Errors() != 1 || !strings.Contains(found[0].Help, `"end"`) {
		t.Errorf("an unknown tensor to keep gives %v", found)
	}
}

// TestLossWeights checks what the total is made of.
func TestLossWeights(t *testing.T) {
	tests := []struct{ net, loss, outputs string }{
		{"y = ReLU(x)", "", "y"},
		{"y = EuclideanLoss(x, x)", "y", "y"},
		{"y = EuclideanLoss(x, x) { loss_weight: 0 }", "", "y"},
		{"y = EuclideanLoss(x, x) { loss_weight: 0.5 }", "y.weighted", "y"},
		{"y = ReLU(x) { loss_weight: 1 }", "y.sum", "y"},
		{"y = EuclideanLoss(x, x)\nz = EuclideanLoss(x, x)", "total_loss", "y z"},
		{"y, z = Slice(x) { loss_weight: [0, 2] }\nw = ReLU(z)", "z.weighted", "y w"},
	}
	for _, test := range tests {
		g := lower(t, "loss.net", "net loss\nx = input [4]\n"+test.net+"\n", layer.Options{Phase: "train", Batch: batch}).Graph
		loss := ""
		if g.Loss != nil {
			loss = g.Loss.Name
		}
		if loss != test.loss || strings.Join(names(g.Outputs), " ") != test.outputs {
			t.Errorf("%s: loss %q, outputs %v; want %q, %s", test.net, loss, names(g.Outputs), test.loss, test.outputs)
		}
	}
}

// TestPropagateDown checks that a gradient is cut in training only.
func TestPropagateDown(t *testing.T) {
	const source = `net cut
x = input [4]
y = ReLU(x)
z = EuclideanLoss(y, x) { propagate_down: [false, true] }
`
	for phase, want := range map[string]string{"train": "detach", "test": "relu"} {
		g := lower(t, "cut.net", source, layer.Options{Phase: phase, Batch: batch}).Graph
		if got := g.Lookup("z.sub").Def.In[0].Def.Op.Mnemonic(); got != want {
			t.Errorf("%s: the distance is taken from a %s, want %s", phase, got, want)
		}
	}
}

// TestNetsFromElsewhere checks mistakes that the language finds before, but a
// net built by other means can have.
func TestNetsFromElsewhere(t *testing.T) {
	at := func(line int) diag.Span {
		return diag.Span{Pos: diag.Pos{File: "other.prototxt", Line: line, Column: 1}, Length: 1}
	}
	net := &spec.Net{Name: "other", Inputs: []*spec.Input{{Name: "data", DType: "f32", Shape: []int{1 << 30, 1 << 30, 1 << 30}, Span: at(1)}}}
	net.Layers = []*spec.Layer{
		{Name: "a", Type: "ReLU", Bottoms: []spec.Ref{{Name: "dada", Span: at(2)}}, Tops: []spec.Ref{{Name: "a", Span: at(2)}}},
		{Name: "b", Type: "ReLU", Bottoms: []spec.Ref{{Name: "data", Span: at(3)}}, Tops: []spec.Ref{{Name: "b", Span: at(3)}}},
		{Name: "c", Type: "ReLU", Bottoms: []spec.Ref{{Name: "b", Span: at(4)}}, Tops: []spec.Ref{{Name: "c", Span: at(4)}}},
	}
	_, found := layer.Lower(net, layer.Options{Phase: "train", Batch: batch})
	var got []string
	for _, d := range found {
		got = append(got, describe(d))
	}
	want := []string{
		"error: the input f32[4,1073741824,1073741824,1073741824] would have more than 2147483647 elements",
		`error: there is no tensor "dada" here; help: did you mean "data"?`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	if _, found = layer.Lower(net, layer.Options{Phase: "train"}); found.Errors() != 1 {
		t.Errorf("a batch of 0 gives %v", found)
	}
}
