package runtime

import (
	"fmt"
	"slices"
)

// checkLabels holds the values meant for an int32 input, by its place in
// Inputs, against the classes that its readers tell apart. A label outside of
// them would count as a score that does not exist.
func (p *Phase) checkLabels(input int, labels []int32) error {
	classes := 0
	if input < len(p.Classes) {
		classes = p.Classes[input]
	}
	if classes == 0 {
		return nil
	}
	for i, label := range labels {
		if (label < 0 || int(label) >= classes) && !slices.Contains(p.Ignored, label) {
			return fmt.Errorf("label %d (at index %d) is none of the %d classes 0 to %d that the network tells apart", label, i, classes, classes-1)
		}
	}
	return nil
}
