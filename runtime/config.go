package runtime

// Config is the run file as compiled into a program. Zero means "not set"
// wherever a key's default is zero.
type Config struct {
	Data   DataConfig   `json:"data"`
	Train  TrainConfig  `json:"train"`
	Test   TestConfig   `json:"test"`
	Solver SolverConfig `json:"solver"`
	Expect []Expect     `json:"expect,omitempty"`
}

// DataConfig names the data set and how an image becomes numbers:
// crop, then (pixel - mean) * scale, then mirror, in Caffe's order.
type DataConfig struct {
	Source    string    `json:"source"`    // a known name such as mnist, a folder or a file
	Otherwise string    `json:"otherwise"` // taken, and said so, when Source is a known name not on this machine
	Scale     float64   `json:"scale"`
	MeanValue []float64 `json:"mean_value,omitempty"` // one, or one a channel
	CropSize  int       `json:"crop_size,omitempty"`
	Mirror    bool      `json:"mirror,omitempty"`
	Shuffle   bool      `json:"shuffle"`
}

// TrainConfig says how long to train and how often to speak and save.
type TrainConfig struct {
	Batch      int `json:"batch"`
	Iterations int `json:"iterations"` // 0 when Epochs says it
	Epochs     int `json:"epochs"`
	Display    int `json:"display"`  // iterations between plain progress lines and log lines
	Snapshot   int `json:"snapshot"` // iterations between checkpoints; 0 saves only at the end or on an interrupt
}

// TestConfig says when and on how much test data to measure.
type TestConfig struct {
	Batch      int `json:"batch"`
	Interval   int `json:"interval"`   // training iterations between tests; 0 tests only at the end
	Iterations int `json:"iterations"` // batches a test; 0 means the whole test set
}

// SolverConfig is the learning-rate policy and what the update was compiled
// with; the update itself is emitted code.
type SolverConfig struct {
	Type           string  `json:"type"`
	Rate           float64 `json:"lr"`
	Policy         string  `json:"lr_policy"` // fixed, step, exp, inv, multistep, poly, sigmoid
	Gamma          float64 `json:"gamma,omitempty"`
	Power          float64 `json:"power,omitempty"`
	StepSize       int     `json:"stepsize,omitempty"`
	StepValues     []int   `json:"stepvalue,omitempty"`
	Momentum       float64 `json:"momentum,omitempty"`
	Momentum2      float64 `json:"momentum2,omitempty"`
	RMSDecay       float64 `json:"rms_decay,omitempty"`
	Delta          float64 `json:"delta,omitempty"`
	WeightDecay    float64 `json:"weight_decay,omitempty"`
	Regularization string  `json:"regularization,omitempty"` // L2 or L1
	ClipGradients  float64 `json:"clip_gradients,omitempty"` // greatest global L2 norm; 0 does not clip
	Accumulate     int     `json:"iter_size"`                // batches a parameter update, at least 1
}

// Expect is one line of the run file's [expect]: a result's key, such as
// "test.accuracy", and a comparison, such as ">= 0.99".
type Expect struct {
	Key  string `json:"key"`
	Want string `json:"want"`
}
