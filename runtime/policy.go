package runtime

import (
	"fmt"
	"math"
)

// LearningRatePolicies are the values of SolverConfig.Policy.
var LearningRatePolicies = []string{"fixed", "step", "exp", "inv", "multistep", "poly", "sigmoid"}

// RateAt gives the learning rate of every iteration (from 0) of a run of the
// given length, by Caffe's policies:
//
//	fixed      lr
//	step       lr * gamma^floor(it/stepsize)
//	exp        lr * gamma^it
//	inv        lr * (1 + gamma*it)^-power
//	multistep  lr * gamma^k, k steps being taken by then
//	poly       lr * (1 - it/iterations)^power
//	sigmoid    lr / (1 + exp(-gamma*(it-stepsize)))
func RateAt(c SolverConfig, iterations int) (func(it int) float64, error) {
	switch c.Policy {
	case "", "fixed":
		return func(int) float64 { return c.Rate }, nil
	case "step":
		if c.StepSize <= 0 {
			return nil, fmt.Errorf("solver.stepsize is %d: the step policy needs a positive one", c.StepSize)
		}
		return func(it int) float64 { return c.Rate * math.Pow(c.Gamma, float64(it/c.StepSize)) }, nil
	case "exp":
		return func(it int) float64 { return c.Rate * math.Pow(c.Gamma, float64(it)) }, nil
	case "inv":
		return func(it int) float64 { return c.Rate * math.Pow(1+c.Gamma*float64(it), -c.Power) }, nil
	case "multistep":
		taken := stepIterations(c.StepValues)
		return func(it int) float64 {
			k := 0
			for k < len(taken) && it >= taken[k] {
				k++
			}
			return c.Rate * math.Pow(c.Gamma, float64(k))
		}, nil
	case "poly":
		return func(it int) float64 {
			left := max(0, 1-float64(it)/float64(iterations)) // a run that is extended stays at 0
			return c.Rate * math.Pow(left, c.Power)
		}, nil
	case "sigmoid":
		return func(it int) float64 { return c.Rate / (1 + math.Exp(-c.Gamma*float64(it-c.StepSize))) }, nil
	}
	return nil, fmt.Errorf("unknown solver.lr_policy %q%s", c.Policy, didYouMean(c.Policy, LearningRatePolicies))
}

// stepIterations gives the iteration of each multistep step. Caffe takes at
// most one an iteration, so step values that do not rise put a step off until
// the iteration after the one before it.
func stepIterations(stepValues []int) []int {
	taken := make([]int, len(stepValues))
	earliest := 0
	for k, value := range stepValues {
		taken[k] = max(value, earliest)
		earliest = taken[k] + 1
	}
	return taken
}
