package runtime

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// scheduleText writes the turns of a prepared schedule: a line a launch, with
// "|" where threads wait before it and the tasks of each thread.
func scheduleText(s *schedule) string {
	var text strings.Builder
	for i := range s.launches {
		mark := " "
		if s.turns[0][i].barrier {
			mark = "|"
		}
		text.WriteString(mark)
		for thread := range s.turns {
			t := s.turns[thread][i]
			fmt.Fprintf(&text, " %d-%d", t.lo, t.hi)
		}
		text.WriteString("\n")
	}
	return text.String()
}

func TestPrepare(t *testing.T) {
	plain := func(tasks int) Launch { return Launch{Tasks: tasks} }
	grouped := func(tasks, groups int, joins bool) Launch {
		return Launch{Tasks: tasks, Groups: groups, Joins: joins}
	}
	for _, c := range []struct {
		name     string
		threads  int
		launches []Launch
		sharers  int
		want     string
	}{
		{"one thread", 1, []Launch{plain(5), grouped(4, 4, true), plain(1)}, 1, "  0-5\n  0-4\n  0-1\n"},
		{"tasks", 2, []Launch{plain(5), plain(8), plain(1), plain(0)}, 2, "  0-2 2-5\n| 0-4 4-8\n| 0-1 0-0\n  0-0 0-0\n"},
		{"fewer tasks than threads", 3, []Launch{plain(2), plain(1)}, 2, "  0-1 1-2 0-0\n| 0-1 0-0 0-0\n"},
		{"the first thread alone", 2, []Launch{plain(1), plain(1), plain(4), plain(1), plain(1), plain(2)}, 2,
			"  0-1 0-0\n  0-1 0-0\n| 0-2 2-4\n| 0-1 0-0\n  0-1 0-0\n| 0-1 1-2\n"},
		{"nothing shared", 4, []Launch{plain(1), plain(1)}, 1, "  0-1 0-0 0-0 0-0\n  0-1 0-0 0-0 0-0\n"},
		{"groups", 2, []Launch{grouped(8, 4, false), grouped(4, 4, true), grouped(12, 4, true), plain(3)}, 2,
			"  0-4 4-8\n  0-2 2-4\n  0-6 6-12\n| 0-1 1-3\n"},
		{"groups that are uneven", 2, []Launch{grouped(30, 3, false), grouped(60, 3, true)}, 2, "  0-15 15-30\n| 0-30 30-60\n"},
		{"tasks that are no more even than groups", 2, []Launch{grouped(3, 3, false), grouped(3, 3, true)}, 2, "  0-1 1-3\n  0-1 1-3\n"},
		{"other groups", 2, []Launch{grouped(4, 4, false), grouped(8, 2, true), grouped(8, 2, true)}, 2, "  0-2 2-4\n| 0-4 4-8\n  0-4 4-8\n"},
		{"a launch that does not join", 2, []Launch{grouped(4, 2, false), grouped(4, 2, true), grouped(4, 2, false), grouped(4, 2, true)}, 2,
			"  0-2 2-4\n  0-2 2-4\n| 0-2 2-4\n  0-2 2-4\n"},
		{"joins what has no groups", 2, []Launch{plain(4), grouped(4, 2, true)}, 2, "  0-2 2-4\n| 0-2 2-4\n"},
		{"groups that do not divide the tasks", 2, []Launch{grouped(4, 2, false), grouped(5, 2, true)}, 2, "  0-2 2-4\n| 0-2 2-5\n"},
		{"one group", 2, []Launch{grouped(4, 1, false), grouped(4, 1, true)}, 2, "  0-2 2-4\n| 0-2 2-4\n"},
	} {
		s := prepare(c.launches, c.threads)
		if got := scheduleText(s); got != c.want || s.sharers != c.sharers {
			t.Errorf("%s: %d sharers\n%swant %d\n%s", c.name, s.sharers, got, c.sharers, c.want)
		}
	}
	// A launch of little work does not keep the heavy ones from their groups.
	run := []Launch{{Tasks: 4, Groups: 4, MultiplyAdds: 1000}, {Tasks: 400, Groups: 4, Joins: true, MultiplyAdds: 10}}
	if s := prepare(run, 3); s.turns[0][1].barrier {
		t.Error("the heavy launch is no more even by tasks, but its run is split by tasks")
	}
	run[1].MultiplyAdds = 10000
	if s := prepare(run, 3); !s.turns[0][1].barrier {
		t.Error("the heavy launch is more even by tasks, but its run is split by groups")
	}
}

// randomLaunches makes launches with and without groups.
func randomLaunches(r *rand.Rand, n int) []Launch {
	launches := make([]Launch, n)
	groups := 0
	for i := range launches {
		l := &launches[i]
		if r.IntN(3) == 0 {
			groups = []int{0, 1, 2, 4, 6}[r.IntN(5)]
		}
		if groups == 0 {
			l.Tasks = r.IntN(9)
			continue
		}
		l.Groups, l.Tasks, l.Joins = groups, groups*(1+r.IntN(4)), r.IntN(3) > 0
	}
	return launches
}

// TestPrepareIsSafe checks prepared schedules by what they promise: every task
// has one thread, and whatever runs without a barrier after another launch is
// computed by the thread that computed what it may depend on.
func TestPrepareIsSafe(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		launches, threads := randomLaunches(r, 1+r.IntN(8)), 1+r.IntN(5)
		s := prepare(launches, threads)
		owner := func(launch, task int) int {
			found := -1
			for thread := range threads {
				if own := s.turns[thread][launch]; own.lo <= task && task < own.hi {
					if found >= 0 {
						t.Fatalf("task %d of launch %d has two threads:\n%s", task, launch, scheduleText(s))
					}
					found = thread
				}
			}
			if found < 0 || found >= s.sharers {
				t.Fatalf("task %d of launch %d has thread %d of %d:\n%s", task, launch, found, s.sharers, scheduleText(s))
			}
			return found
		}
		run := 0 // the first launch of the run that i is in
		for i := range launches {
			if l := &launches[i]; i > 0 && !(l.Joins && l.Groups > 0 && l.Groups == launches[run].Groups) {
				run = i
			}
			for thread := range threads {
				if s.turns[thread][i].barrier != s.turns[0][i].barrier {
					t.Fatalf("the threads do not agree on the barriers:\n%s", scheduleText(s))
				}
			}
			for task := range launches[i].Tasks {
				own := owner(i, task)
				for before := i; before > 0 && !s.turns[0][before].barrier; before-- {
					for other := range launches[before-1].Tasks {
						independent := before-1 >= run && other*launches[i].Groups/launches[before-1].Tasks != task*launches[i].Groups/launches[i].Tasks
						if owner(before-1, other) != own && !independent {
							t.Fatalf("%d threads: launch %d does not wait for task %d of launch %d:\n%s", threads, i, other, before-1, scheduleText(s))
						}
					}
				}
			}
		}
		for i := range launches {
			one := s.alone(i)
			for thread := range threads {
				if own, whole := one.turns[thread][0], s.turns[thread][i]; own.lo != whole.lo || own.hi != whole.hi || own.barrier {
					t.Fatalf("launch %d alone: %+v, in the schedule %+v", i, own, whole)
				}
				if own := one.turns[thread][0]; own.lo < own.hi && thread >= one.sharers {
					t.Fatalf("launch %d alone has %d sharers, but thread %d has tasks", i, one.sharers, thread)
				}
			}
		}
	}
}
