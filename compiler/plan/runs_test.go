package plan

import "testing"

// TestRunsKeepWhatTheyShare: weights that one kernel of a run reads are not
// overwritten before the run's last kernel, so that samples can pass through it
// one by one. What does not keep to samples ends the run; plain Go has none.
func TestRunsKeepWhatTheyShare(t *testing.T) {
	const lanes = `graph g train
input x : f32[16,16/16,8,8]
param w : f32[16,16,1,1]
w.lanes = relayout w {lanes: 1} : f32[16/16,16,1,1]
a = conv x, w.lanes : f32[16,16/16,8,8]
mean, squares = moments a : f32[16,16], f32[16,16]
all, spread = merge_moments mean, squares {of: 64} : f32[16], f32[16]
b = relu a : f32[16,16/16,8,8]
w.next = neg w : f32[16,16,1,1]
output b, all, spread
write w = w.next
`
	g := parse(t, lanes)
	p := planned(t, g)
	last := 2 // the moments
	if end := p.Lifetimes[g.Lookup("w.lanes")].End; end != last {
		t.Errorf("the weights live to step %d, want %d", end, last)
	}
	w, mean := g.Lookup("w.lanes"), g.Lookup("mean")
	if a, b := p.Offsets[w], p.Offsets[mean]; a < b+mean.Type.Bytes() && b < a+w.Type.Bytes() {
		t.Error("the means overwrite weights that the next sample reads")
	}
	const rows = `graph g train
input x : f32[16,16,8,8]
param w : f32[16,16,1,1]
v = neg w : f32[16,16,1,1]
a = conv x, v : f32[16,16,8,8]
mean, squares = moments a : f32[16,16], f32[16,16]
w.next = neg w : f32[16,16,1,1]
output a, mean, squares
write w = w.next
`
	g = parse(t, rows)
	if end := planned(t, g).Lifetimes[g.Lookup("v")].End; end != 1 {
		t.Errorf("without vector kernels the weights live to step %d, want 1", end)
	}
}
