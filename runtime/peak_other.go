//go:build !amd64

package runtime

// vectorPeaks is empty: loops in assembly exist for amd64 only.
var vectorPeaks map[string]arithmeticPeak
