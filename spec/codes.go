package spec

import "netc/spec/diag"

// The codes of the language's errors. explanations says what each one means.
const (
	codeCharacter = "N001"
	codeNumber    = "N002"
	codeString    = "N003"
	codeSyntax    = "N004"
	codeUnclosed  = "N005"
	codeTooDeep   = "N006"
	codeTooLarge  = "N007"
	codeReserved  = "N008"
	codeUnknown   = "N010"
	codeTwice     = "N011"
	codeEarly     = "N012"
	codeRemoved   = "N013"
	codeKind      = "N014"
	codeInteger   = "N015"
	codeNoBlock   = "N016"
	codeArguments = "N017"
	codeResults   = "N018"
	codeRecursion = "N019"
	codeReturn    = "N020"
	codeMisplaced = "N021"
	codeImport    = "N022"
	codeShape     = "N023"
	codeDType     = "N024"
	codeValue     = "N025"
	codeLayerCall = "N026"
	codeGuard     = "N027"
)

// The codes of the run file's errors.
const (
	codeRunRead   = "N200"
	codeRunSyntax = "N201"
	codeRunKey    = "N202"
	codeRunType   = "N203"
	codeRunRange  = "N204"
	codeRunWord   = "N205"
	codeRunNeeds  = "N206"
	codeRunExpect = "N207"
	codeRunUnused = "N208"

	// CodeSet marks a mistake in a --set flag: wrong usage, not a wrong file.
	CodeSet = "N210"
)

func init() {
	for code, text := range explanations {
		diag.Explain(code, text)
	}
}

var explanations = map[string]string{
	codeCharacter: `The file holds a character that means nothing in the language. Names are made of
the letters a to z and A to Z, digits and _. Anything else, such as an accented
letter in a tensor's name, belongs into a comment or a string in double quotes.

    wrong:  größe = ReLU(data)
    right:  size = ReLU(data)`,

	codeNumber: `A word starts with a digit. Names start with a letter, and a number ends where
a blank or a bracket follows.

    wrong:  pool: 3x3
    right:  kernel_size: [3, 3]`,

	codeString: `A string is not closed on its line, or holds an escape that does not exist. The
escapes are \" \\ \n \r \t.

    wrong:  source: "data\mnist"
    right:  source: "data\\mnist"`,

	codeSyntax: `Something stands where the language expects something else; the message names
both. The usual causes are a forgotten colon or comma, = in place of : in a
field, and a call inside a call.

    wrong:  x = ReLU(Convolution(data) { num_output = 20 })
    right:  c = Convolution(data) { num_output: 20 }
            x = ReLU(c)`,

	codeUnclosed: `A bracket is open at the end of the statement. netc takes a line that looks like
a statement, and starts no further right than the open one, for the next
statement: so one forgotten brace does not hide the rest of the file.

    wrong:  conv1 = Convolution(data) { num_output: 20
            relu1 = ReLU(conv1)
    right:  conv1 = Convolution(data) { num_output: 20 }
            relu1 = ReLU(conv1)`,

	codeTooDeep: `Brackets, blocks that call blocks, or imports are nested more than a hundred
deep. No real net comes near; a program that writes .net files may.

    wrong:  const n = ((((…1…))))
    right:  const n = 1`,

	codeTooLarge: `The file, or the net that its repeats and blocks grow into, is larger than netc
handles. Nested repeats multiply: three of 1..100 make a million.

    wrong:  repeat i = 1..1000000 { x = ReLU(x) }
    right:  repeat i = 1..10 { x = ReLU(x) }`,

	codeReserved: `A name is not allowed: it is a word of the language (net, import, const, input,
block, repeat, return, true, false), is empty, or has dots, which lead to the
inner layers of blocks. Quotes make a reserved word a name.

    wrong:  input = ReLU(data)
    right:  "input" = ReLU(data)`,

	codeUnknown: `A name is used that nothing defines. Inside a block only its parameters, its own
names and constants are known, not the tensors around its calls. A name that is
defined only inside a repeat ends with each iteration.

    wrong:  block head(n) { y = InnerProduct(pool5) { num_output: n }  …
    right:  block head(x, n) { y = InnerProduct(x) { num_output: n }  …`,

	codeTwice: `A name is defined a second time. Each name means one thing; only a repeat may
assign a name from outside, once in each iteration. Two definitions under guards
that exclude each other are fine.

    wrong:  x = Convolution(data) { … }
            x = ReLU(x)
    right:  conv1 = Convolution(data) { … }
            relu1 = ReLU(conv1)`,

	codeEarly: `A name is used above its definition. Statements are read from top to bottom;
only blocks may be defined after their use.

    wrong:  y = ReLU(x)
            x = Convolution(data) { … }
    right:  x = Convolution(data) { … }
            y = ReLU(x)`,

	codeRemoved: `A layer uses a tensor that a guard removes in this phase or stage. Give both the
same guard, or take the guard away.

    wrong:  loss = SoftmaxWithLoss(ip2, label) @train
            twice = Power(loss) { scale: 2 }
    right:  loss = SoftmaxWithLoss(ip2, label) @train
            twice = Power(loss) { scale: 2 } @train`,

	codeKind: `A tensor stands where an integer is needed, or the other way round. Layers take
tensors; arithmetic, bounds and parameters with a default take integers.

    wrong:  u = unit(64, conv1)
    right:  u = unit(conv1, 64)`,

	codeInteger: `An integer expression has no value: it divides by zero, leaves the range of
±2^53, or holds something that is not an integer. There is no arithmetic on
numbers with a point.

    wrong:  const width = 1.5 * 64
    right:  const width = 3*64/2`,

	codeNoBlock: `Something is called that is no block of this file or its imports. Names that
start with a capital letter are layers; all others are blocks.

    wrong:  relu1 = relu(conv1)
    right:  relu1 = ReLU(conv1)`,

	codeArguments: `A block is called with arguments that do not fit its parameters. Arguments by
position come first, then those by name; parameters with a default may be left
out. A block takes no fields in braces.

    wrong:  u = unit(n: 32, conv1)
    right:  u = unit(conv1, n: 32)`,

	codeResults: `The number of names before the equals sign is not the number of results. An
input and an alias are one tensor; a block has as many results as its return
names.

    wrong:  a, b = unit(x)          # return y
    right:  a = unit(x)`,

	codeRecursion: `A block calls itself, directly or through others, and would never end. A chain of
equal blocks is written with repeat.

    wrong:  block deep(x) { y = ReLU(x)  z = deep(y)  return z }
    right:  repeat i = 1..5 { x = unit(x) }`,

	codeReturn: `A block must end with return and the names of its results, and return stands
nowhere else.

    wrong:  block unit(x) { y = ReLU(x) }
    right:  block unit(x) {
              y = ReLU(x)
              return y
            }`,

	codeMisplaced: `A statement stands where it has no meaning. The net's name, imports, blocks and
inputs belong to the file, not into a block or repeat, and a net has one name.

    wrong:  block unit(x) { import "parts.net" … }
    right:  import "parts.net"
            block unit(x) { … }`,

	codeImport: `A file could not be read, or imports lead in a circle. The path counts from the
folder of the file that holds the import.

    wrong:  import "models/parts.net"     # in models/net.net
    right:  import "parts.net"`,

	codeShape: `The shape of an input is wrong. It lists sizes of at least 1 without the batch
axis, and has fewer than 2^31 elements in all.

    wrong:  data = input [0, 28, 28]
    right:  data = input [1, 28, 28]`,

	codeDType: `An input has an unknown type. Inputs are f32, which need not be written, or i32
for class numbers.

    wrong:  label = input [] int
    right:  label = input [] i32`,

	codeValue: `Braces follow a value that cannot have fields. Only a word can, such as a
filler's.

    wrong:  weight_filler: 0.1 { std: 0.01 }
    right:  weight_filler: gaussian { std: 0.01 }`,

	codeLayerCall: `A layer's round brackets hold something other than its input tensors. Settings
stand in braces.

    wrong:  conv1 = Convolution(data, num_output: 20)
    right:  conv1 = Convolution(data) { num_output: 20 }`,

	codeGuard: `A guard looks misspelt. @train and @test are phases; any other word is a stage,
and a layer guarded by a stage that nobody selects is never used.

    wrong:  accuracy = Accuracy(ip2, label) @tset
    right:  accuracy = Accuracy(ip2, label) @test`,

	codeRunRead: `The run file could not be read.

    wrong:  netc train lenet.net --config lenet.tml
    right:  netc train lenet.net --config lenet.toml`,

	codeRunSyntax: `The run file is not valid TOML. Text stands in quotes, tables in square brackets.

    wrong:  source = mnist
    right:  source = "mnist"`,

	codeRunKey: `The run file has no such table or key. A key that netc did not know would
otherwise be ignored in silence.

    wrong:  [solver]
            learning_rate = 0.01
    right:  [solver]
            lr = 0.01`,

	codeRunType: `A key of the run file has a value of the wrong type.

    wrong:  batch = "64"
    right:  batch = 64`,

	codeRunRange: `A value of the run file is outside its range; the message gives the range.

    wrong:  batch = 0
    right:  batch = 64`,

	codeRunWord: `A key of the run file takes one of a few words, and this is none of them.

    wrong:  type = "Adm"
    right:  type = "Adam"`,

	codeRunNeeds: `Keys of the run file contradict each other, or a solver or policy lacks one that
it needs: step needs gamma and stepsize, multistep gamma and stepvalue, exp
gamma, inv gamma and power, poly power and an end, sigmoid gamma and stepsize.
AdaGrad and RMSProp have no momentum.

    wrong:  lr_policy = "step"
    right:  lr_policy = "step"
            gamma = 0.1
            stepsize = 1000`,

	codeRunExpect: `A line of [expect] is not a comparison: >=, <=, >, < or == and a number.

    wrong:  test.accuracy = "99%"
    right:  test.accuracy = ">= 0.99"`,

	codeRunUnused: `The run file is valid but probably not what was meant: Adam, AdamW, AdaDelta and
Nesterov read momentum, and Caffe's default for it is 0.

    wrong:  type = "Adam"
    right:  type = "Adam"
            momentum = 0.9`,

	CodeSet: `A --set flag is wrong. It has the form table.key=value, with a key of the run
file; text needs no quotes, a list stands in square brackets.

    wrong:  --set lr=0.1
    right:  --set solver.lr=0.1`,
}
