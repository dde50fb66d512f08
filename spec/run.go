package spec

import (
	"netc/spec/diag"
)

// Run is the run file (TOML) of a net: how it is fed, trained and judged. The
// keys are those of the toml tags; min, above and below bound a number (or each
// number of a list), and words lists what a text may be. Names, meanings and
// defaults of the solver's keys are Caffe's.
type Run struct {
	File   string // "" for the defaults alone
	Source []byte

	Data   RunData   `toml:"data"`
	Train  RunTrain  `toml:"train"`
	Test   RunTest   `toml:"test"`
	Solver RunSolver `toml:"solver"`
	Device RunDevice `toml:"device"`
	// Expect is the table [expect], in the file's order.
	Expect []Expectation
}

// RunData names the data set and how an image becomes numbers: crop, then
// (pixel - mean) * scale, then mirror.
type RunData struct {
	Source    string    `toml:"source"`            // a known name such as mnist, a folder or a file
	Otherwise string    `toml:"otherwise"`         // used where Source is a known name that this machine does not have
	Scale     float64   `toml:"scale"`             // factor after the mean is taken away
	MeanValue []float64 `toml:"mean_value"`        // one number, or a list of one a channel
	CropSize  int       `toml:"crop_size" min:"0"` // side of the square cut out; 0 does not crop
	Mirror    bool      `toml:"mirror"`            // flips half of the images
	Shuffle   bool      `toml:"shuffle"`           // a new order of the training data each epoch
}

// RunTrain says how long to train, and how often to speak and to save.
type RunTrain struct {
	Batch      int      `toml:"batch" min:"1"`      // samples a step
	Iterations int      `toml:"iterations" min:"0"` // parameter updates; 0 where Epochs says it
	Epochs     int      `toml:"epochs" min:"0"`     // passes over the training data
	Display    int      `toml:"display" min:"0"`    // iterations between progress lines; 0 for none
	Snapshot   int      `toml:"snapshot" min:"0"`   // iterations between checkpoints; 0 saves at the end only
	Stages     []string `toml:"stages"`             // guard words that hold while training
}

// RunTest says when to test, and on how much data.
type RunTest struct {
	Batch      int      `toml:"batch" min:"1"`      // samples a step
	Interval   int      `toml:"interval" min:"0"`   // training iterations between tests; 0 tests at the end only
	Iterations int      `toml:"iterations" min:"0"` // batches a test; 0 means the whole test set
	Stages     []string `toml:"stages"`             // guard words that hold while testing
}

// RunSolver chooses the update rule and the learning-rate policy.
type RunSolver struct {
	Type           string  `toml:"type" words:"SGD Nesterov AdaGrad RMSProp AdaDelta Adam AdamW"`
	Rate           float64 `toml:"lr" above:"0"` // Caffe's base_lr
	Policy         string  `toml:"lr_policy" words:"fixed step exp inv multistep poly sigmoid"`
	Gamma          float64 `toml:"gamma"`                        // step, exp, inv, multistep, sigmoid
	Power          float64 `toml:"power"`                        // inv, poly
	StepSize       int     `toml:"stepsize" min:"1"`             // step, sigmoid: iterations
	StepValues     []int   `toml:"stepvalue" min:"1"`            // multistep: rising iterations
	Momentum       float64 `toml:"momentum" min:"0" below:"1"`   // Adam's beta1, AdaDelta's decay
	Momentum2      float64 `toml:"momentum2" min:"0" below:"1"`  // Adam's beta2
	RMSDecay       float64 `toml:"rms_decay" min:"0" below:"1"`  // RMSProp
	Delta          float64 `toml:"delta" min:"0"`                // keeps divisions finite
	WeightDecay    float64 `toml:"weight_decay" min:"0"`         // factor of the regularization term
	Regularization string  `toml:"regularization" words:"L2 L1"` // Caffe's regularization_type
	ClipGradients  float64 `toml:"clip_gradients" min:"0"`       // greatest L2 norm of all gradients; 0 does not clip
	Accumulate     int     `toml:"iter_size" min:"1"`            // batches a parameter update
}

// RunDevice says how a GPU computes; the processor always uses float32.
type RunDevice struct {
	// Precision of the operands of matrix products and convolutions. tf32 (10 bits
	// of mantissa) and bf16 (7 bits) use tensor cores; sums are float32 in all.
	Precision string `toml:"precision" words:"float32 tf32 bf16"`
}

// Expectation is one line of [expect]: test.accuracy = ">= 0.99".
type Expectation struct {
	Key      string // of the result, such as "test.accuracy"
	Want     string // as written: ">= 0.99"
	Operator string // >=, <=, >, < or ==
	Bound    float64
	Span     diag.Span
}

// DefaultRun is an empty run file.
func DefaultRun() *Run {
	return &Run{
		Data:  RunData{Scale: 1, Shuffle: true},
		Train: RunTrain{Batch: 64, Display: 100},
		Test:  RunTest{Batch: 100},
		Solver: RunSolver{
			Type: "SGD", Rate: 0.01, Policy: "fixed", Momentum2: 0.999, RMSDecay: 0.99,
			Delta: 1e-8, Regularization: "L2", Accumulate: 1,
		},
		Device: RunDevice{Precision: "float32"},
	}
}

// Sources gives the run file's text, for diag.Render.
func (r *Run) Sources() diag.Sources { return diag.Sources{r.File: r.Source} }
