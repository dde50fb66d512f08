package runtime

import "unsafe"

// schedule is a list of launches prepared for a number of threads: who computes
// which tasks, and where the threads wait for each other. Threads only follow
// it, so that a step divides nothing and allocates nothing.
type schedule struct {
	launches []Launch // what it was prepared from
	threads  int      // that it was prepared for
	sharers  int      // threads that have anything to compute
	turns    [][]turn // by thread: its part of each launch
}

// turn is one thread's part of one launch. Exactly one of body and code is set.
type turn struct {
	body    func(lo, hi int)
	code    func(args *unsafe.Pointer, scratch unsafe.Pointer, task int)
	args    *unsafe.Pointer
	lo, hi  int  // the tasks; none where lo is hi
	barrier bool // before them, all sharers wait for each other

	// The first turn of a run that is split by groups says how many turns the
	// run has, and how many groups are the thread's: each group passes through
	// all of the run's kernels before the next one, while it is in the caches.
	run, groups int
}

// split says how the tasks of a launch go to the threads.
type split struct {
	groups  bool // whole groups rather than any tasks
	run     int  // the launches of the run by groups that begins here, or 0
	barrier bool // before the launch
}

// slack is by how much more time the slowest thread may need when threads
// compute whole groups than when they share tasks: about what the waiting
// costs that this saves.
const slack = 1.03

// prepare works out a schedule for a number of threads.
func prepare(launches []Launch, threads int) *schedule {
	s := &schedule{launches: launches, threads: threads, sharers: 1, turns: make([][]turn, threads)}
	for i, how := range splits(launches, threads) {
		for thread := range threads {
			t := newTurn(&launches[i])
			t.barrier = how.barrier
			t.lo, t.hi = how.share(&launches[i], thread, threads)
			if how.run > 1 {
				t.run, t.groups = how.run, (t.hi-t.lo)/how.size(&launches[i])
			}
			if t.lo < t.hi {
				s.sharers = max(s.sharers, thread+1)
			}
			s.turns[thread] = append(s.turns[thread], t)
		}
	}
	return s
}

func newTurn(l *Launch) turn {
	t := turn{body: l.Run}
	if l.Run == nil {
		t.code = l.Code
		t.args = unsafe.SliceData(l.Args)
	}
	return t
}

// share gives the contiguous tasks of one thread. With fewer tasks than threads
// the first threads have one each.
func (how split) share(l *Launch, thread, threads int) (lo, hi int) {
	pieces := how.pieces(l)
	sharers := min(pieces, threads)
	if thread >= sharers {
		return 0, 0
	}
	size := how.size(l)
	return pieces * thread / sharers * size, pieces * (thread + 1) / sharers * size
}

// size is the number of tasks in each of the pieces.
func (how split) size(l *Launch) int { return l.Tasks / max(how.pieces(l), 1) }

// pieces is the number of parts that a launch is split into at most.
func (how split) pieces(l *Launch) int {
	if how.groups {
		return l.Groups
	}
	return l.Tasks
}

// splits decides on every launch. Launches run one after the other, each
// waiting for all tasks of the one before it, with two exceptions: those of a
// run that is split by groups, and those that the first thread computes alone.
func splits(launches []Launch, threads int) []split {
	list := make([]split, len(launches))
	for first := 0; first < len(launches); {
		end := runEnd(launches, first)
		groups := end-first > 1 && groupsPay(launches[first:end], threads)
		for i := first; i < end; i++ {
			list[i] = split{groups: groups, barrier: !groups || i == first}
		}
		if groups {
			list[first].run = end - first
		}
		first = end
	}
	first := true // the first thread alone has computed all since the last barrier
	for i := range launches {
		alone := threads == 1 || list[i].pieces(&launches[i]) <= 1
		if i == 0 || first && alone {
			list[i].barrier = false
		}
		first = (first || list[i].barrier) && alone
	}
	return list
}

// runEnd is one past the last launch of the run that starts at first.
func runEnd(launches []Launch, first int) int {
	end := first + 1
	for end < len(launches) && launches[end].Joins && hasGroups(&launches[end]) && hasGroups(&launches[first]) && launches[end].Groups == launches[first].Groups {
		end++
	}
	return end
}

func hasGroups(l *Launch) bool { return l.Groups > 0 && l.Tasks%l.Groups == 0 }

// groupsPay compares the time that the slowest thread needs with whole groups
// and with single tasks, as multiples of an even share.
func groupsPay(run []Launch, threads int) bool {
	work, byTasks := 0.0, 0.0
	for i := range run {
		one := launchWork(&run[i])
		work += one
		byTasks += one * unevenness(run[i].Tasks, threads)
	}
	return unevenness(run[0].Groups, threads)*work <= byTasks*slack
}

// launchWork weighs launches of one schedule against each other.
func launchWork(l *Launch) float64 {
	return float64(max(2*l.MultiplyAdds+l.Operations, l.Bytes, 1))
}

// unevenness is the largest share of pieces over the mean share.
func unevenness(pieces, threads int) float64 {
	largest := (pieces + threads - 1) / threads
	return float64(largest*threads) / float64(max(pieces, 1))
}

// alone is the schedule of one launch with the shares that it has in s.
func (s *schedule) alone(launch int) *schedule {
	one := &schedule{launches: s.launches[launch : launch+1], threads: s.threads, sharers: 1, turns: make([][]turn, s.threads)}
	for thread := range one.turns {
		t := s.turns[thread][launch]
		t.barrier, t.run = false, 0
		if t.lo < t.hi {
			one.sharers = thread + 1
		}
		one.turns[thread] = []turn{t}
	}
	return one
}

// isFor tells whether s was prepared from these launches for these threads.
func (s *schedule) isFor(launches []Launch, threads int) bool {
	return s != nil && s.threads == threads && len(s.launches) == len(launches) && unsafe.SliceData(s.launches) == unsafe.SliceData(launches)
}
