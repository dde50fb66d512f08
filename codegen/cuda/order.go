package cuda

import "slices"

// orderLaunches fills in what each launch of a phase waits for: those before it
// that write what it reads or writes, or read what it writes.
func orderLaunches(launches []Launch) {
	before := make([]set, len(launches)) // all that must be over before each
	for i := range launches {
		before[i] = make(set, (len(launches)+63)/64)
		for j := i - 1; j >= 0; j-- {
			if before[i].has(j) || !launches[i].conflicts(&launches[j]) {
				continue
			}
			launches[i].After = append(launches[i].After, j)
			before[i].add(j)
			before[i].addAll(before[j])
		}
		// From the last to the first, none was found that a later one waits for.
		slices.Reverse(launches[i].After)
	}
}

// conflicts reports whether two launches touch the same memory, and one writes.
func (l *Launch) conflicts(m *Launch) bool {
	for _, a := range l.Args {
		for _, b := range m.Args {
			if (a.Written || b.Written) && a.Offset < b.Offset+b.Bytes && b.Offset < a.Offset+a.Bytes {
				return true
			}
		}
	}
	return false
}

// set is a set of small numbers.
type set []uint64

func (s set) has(n int) bool { return s[n/64]>>(n%64)&1 != 0 }
func (s set) add(n int)      { s[n/64] |= 1 << (n % 64) }
func (s set) addAll(t set) {
	for i := range t {
		s[i] |= t[i]
	}
}
