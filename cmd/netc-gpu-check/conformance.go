package main

import (
	"context"
	"slices"
	"strings"

	"netc/codegen/cuda/conformance"
	"netc/ir"
	"netc/runtime"
)

// suiteResult is what a suite came to.
type suiteResult struct {
	name      string
	operators []operatorResult
	sameBits  bool // of a second run
}

// operatorResult sums the cases of one operator.
type operatorResult struct {
	name   string
	cases  int
	worst  float64 // relative to the largest result
	bound  float64
	faults []string
}

// conformance runs the operators' kernels on the GPU and compares them with the
// reference.
func (r *report) conformance(ctx context.Context) error {
	s, err := conformance.Operators()
	if err != nil {
		return err
	}
	suites := []*conformance.Suite{s}
	for _, precision := range conformance.Precisions {
		if s, err = conformance.TensorCores(precision); err != nil {
			return err
		}
		suites = append(suites, s)
	}
	for n, s := range suites {
		if err := r.runSuite(s, n == 0); err != nil {
			r.broken(s.Name, err)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

// runSuite runs one, and measures the device where that is asked for.
func (r *report) runSuite(s *conformance.Suite, measure bool) error {
	d, err := openDevice(s)
	if err != nil {
		return err
	}
	result, peaks, err := d.check(measure)
	if closeErr := d.executor.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	if peaks != nil {
		r.peaks = peaks
	}
	r.suite(result)
	return nil
}

// check runs a suite twice, and measures the device where that is asked for.
func (d *device) check(measure bool) (*suiteResult, *runtime.DevicePeaks, error) {
	first, err := d.run()
	if err != nil {
		return nil, nil, err
	}
	second, err := d.run()
	if err != nil {
		return nil, nil, err
	}
	result := &suiteResult{name: d.suite.Name, sameBits: slices.EqualFunc(first, second, slices.Equal)}
	bits := map[*ir.Value][]uint32{}
	for i, v := range d.suite.Unit.Phase("test").Graph.Outputs {
		bits[v] = first[i]
	}
	for i := range d.suite.Cases {
		c := &d.suite.Cases[i]
		name, _, _ := strings.Cut(c.Node, " ")
		at := slices.IndexFunc(result.operators, func(o operatorResult) bool { return o.name == name })
		if at < 0 {
			at = len(result.operators)
			result.operators = append(result.operators, operatorResult{name: name, bound: c.Bound})
		}
		o := &result.operators[at]
		worst, err := d.suite.Check(c, numbers(c.Value, bits[c.Value]))
		o.cases++
		o.worst = max(o.worst, worst)
		if err != nil {
			o.faults = append(o.faults, err.Error())
		}
	}
	if !measure {
		return result, nil, nil
	}
	peaks, err := d.executor.Peaks()
	return result, &peaks, err
}
