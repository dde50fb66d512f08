package layer

import "netc/spec/diag"

// everyLayer holds the fields that all layers have.
type everyLayer struct {
	LossWeight    []float64     `net:"loss_weight" doc:"makes the results part of the loss: one factor for each result (loss layers: 1 for the first)"`
	Params        []paramFields `net:"param" doc:"how the layer's parameters learn; the i-th block is for the i-th parameter"`
	Freeze        bool          `net:"freeze" default:"false" doc:"the layer's parameters do not learn"`
	PropagateDown []bool        `net:"propagate_down" doc:"false for an input through which no gradient may flow; one entry for each input"`
}

// paramFields is one param block. Pointers tell what was written from what was
// not, because only written multipliers of a shared parameter can contradict.
type paramFields struct {
	Name      string   `net:"name" doc:"parameters with one name are one parameter"`
	ShareMode string   `net:"share_mode" default:"strict" words:"strict permissive" doc:"permissive lets a shared parameter be used in another shape of equal size"`
	LrMult    *float64 `net:"lr_mult" atLeast:"0" doc:"factor on the learning rate; 1 where absent, 0 freezes"`
	DecayMult *float64 `net:"decay_mult" atLeast:"0" doc:"factor on the weight decay; 1 where absent"`

	span diag.Span
}
