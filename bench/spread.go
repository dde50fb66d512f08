package main

import "slices"

// spread is where measurements of one thing lie.
type spread struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

// spreadOf gives the median, least and greatest of some values; all are 0 where
// there is no value.
func spreadOf(values []float64) spread {
	if len(values) == 0 {
		return spread{}
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	s := spread{Median: sorted[middle], Min: sorted[0], Max: sorted[len(sorted)-1]}
	if len(sorted)%2 == 0 {
		s.Median = (sorted[middle-1] + sorted[middle]) / 2
	}
	return s
}

// ratioOf is how many times as long the peer takes as netc: the spread of the
// ratios within each round, so that a disturbance of a round weighs on both
// sides. Rounds that only one of them took part in do not count.
func ratioOf(peer, netc []float64) spread {
	var ratios []float64
	for round := range min(len(peer), len(netc)) {
		ratios = append(ratios, peer[round]/netc[round])
	}
	return spreadOf(ratios)
}
