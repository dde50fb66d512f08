package layer

import "netc/spec/diag"

// The codes of the errors in layers, explained below.
const (
	codeUnknownType  = "N101"
	codeUnknownField = "N102"
	codeKind         = "N103"
	codeValue        = "N104"
	codeMissing      = "N105"
	codeTwice        = "N106"
	codeArity        = "N107"
	codeMisfit       = "N108"
	codeDType        = "N109"
	codeParam        = "N110"
	codeShared       = "N111"
	codeCount        = "N112"
	codeFiller       = "N113"
	codeTooLarge     = "N114"
	codeUnknownName  = "N115"
	codeIgnored      = "N116"
	codeConflict     = "N117"
	codeReserved     = "N120" // the compiler has N118 and N119
)

func init() {
	for code, text := range map[string]string{
		codeUnknownType: `There is no layer of that type. Types are written as in Caffe.

    conv1 = Convolve(data) { num_output: 20 kernel_size: 5 }      # wrong
    conv1 = Convolution(data) { num_output: 20 kernel_size: 5 }   # right

"netc doc" lists the types.`,
		codeUnknownField: `The layer, block or filler has no field of that name.

    ip1 = InnerProduct(data) { num_ouput: 10 }    # wrong
    ip1 = InnerProduct(data) { num_output: 10 }   # right

"netc doc InnerProduct" lists the fields of a layer, "netc doc fillers" those of the fillers.`,
		codeKind: `The field holds another kind of value: an integer, a number, true or false, a word, a list or a filler.

    relu1 = ReLU(ip1) { negative_slope: max }   # wrong: a number is needed
    relu1 = ReLU(ip1) { negative_slope: 0.1 }   # right`,
		codeValue: `The value is of the right kind, but is not one of those allowed.

    drop1 = Dropout(ip1) { dropout_ratio: 1.5 }   # wrong: the ratio must be below 1
    drop1 = Dropout(ip1) { dropout_ratio: 0.5 }   # right`,
		codeMissing: `The layer cannot be built without this field.

    conv1 = Convolution(data) { num_output: 20 }                  # wrong: which window?
    conv1 = Convolution(data) { num_output: 20 kernel_size: 5 }   # right`,
		codeTwice: `The field is written twice, or in two ways that exclude each other.

    pool1 = Pooling(conv1) { kernel_size: 2 kernel_h: 3 kernel_w: 3 }   # wrong
    pool1 = Pooling(conv1) { kernel_h: 3 kernel_w: 3 }                  # right`,
		codeArity: `The layer takes another number of inputs, or gives another number of results.

    loss = SoftmaxWithLoss(ip2)          # wrong: scores and labels are needed
    loss = SoftmaxWithLoss(ip2, label)   # right`,
		codeMisfit: `The shapes of the inputs and the layer's fields do not fit together. The notes tell which layers led to that shape.

    pool1 = Pooling(conv1) { kernel_size: 13 pad: 13 }   # wrong: a window could lie in the padding alone
    pool1 = Pooling(conv1) { kernel_size: 13 pad: 6 }    # right`,
		codeDType: `An input holds the other type of number. Labels and other whole numbers are i32, everything else is f32.

    label = input []        # wrong: f32 is the default
    label = input [] i32    # right`,
		codeParam: `There are more param blocks than the layer has parameters, or a param block cannot apply. Convolution, for example, has a weight and a bias; without bias_term only the weight.

    conv1 = Convolution(data) { num_output: 20 kernel_size: 5 bias_term: false
      param { lr_mult: 1 } param { lr_mult: 2 } }   # wrong: there is no bias
    conv1 = Convolution(data) { num_output: 20 kernel_size: 5 bias_term: false
      param { lr_mult: 1 } }                        # right`,
		codeShared: `Parameters that share a name are one parameter, so they need one shape and may not contradict each other in lr_mult or decay_mult.

    a = InnerProduct(x) { num_output: 10 param { name: "w" lr_mult: 1 } }
    b = InnerProduct(y) { num_output: 10 param { name: "w" lr_mult: 2 } }   # wrong
    b = InnerProduct(y) { num_output: 10 param { name: "w" } }              # right`,
		codeCount: `A list needs one entry for each result (loss_weight, slice points) or for each input (coeff, propagate_down).

    sum = Eltwise(a, b) { coeff: [1, -1, 1] }   # wrong: there are two inputs
    sum = Eltwise(a, b) { coeff: [1, -1] }      # right`,
		codeFiller: `The filler cannot start a parameter of that shape.

    ip1 = InnerProduct(data) { num_output: 10 weight_filler: bilinear }   # wrong: bilinear fills 4-D kernels
    ip1 = InnerProduct(data) { num_output: 10 weight_filler: xavier }     # right`,
		codeTooLarge:    `A tensor would have more than 2147483647 elements, which is Caffe's limit too. Often a batch, a num_output or a stride has a digit too many.`,
		codeUnknownName: `No tensor has that name. Tensors are named after the results of layers, parameters after the layer and their role, as in conv1.weight.`,
		codeIgnored: `The field means something for other fillers only. Caffe passes over it, and so does netc, but perhaps another filler was meant.

    weight_filler: xavier { std: 0.01 }     # the spread of xavier follows from the shape
    weight_filler: gaussian { std: 0.01 }   # perhaps meant`,
		codeReserved: `Names that begin with "solver." belong to the solver: solver.rate is the learning rate, solver.seed and solver.iteration are what dropout draws from.

    "solver.rate" = input [1]   # wrong
    rate = input [1]            # right`,
		codeConflict: `Two fields contradict each other, or a field makes no sense with the layer's other fields.

    pool = Pooling(x) { global_pooling: true kernel_size: 3 }   # wrong: the window is the whole image
    pool = Pooling(x) { global_pooling: true }                  # right`,
	} {
		diag.Explain(code, text)
	}
}
