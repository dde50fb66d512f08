package runtime

import (
	"slices"
	"time"
)

// peaks measures what a pool's threads can do at most, so that times of kernels
// can be judged by it: multiplications and additions of numbers that stay in
// registers, copying memory that fits no cache, and starting a kernel that does
// nothing. Each is the best of all measurements so far, because whatever else
// runs on the machine only makes them slower.
type peaks struct {
	pool       *Pool
	processors int // tasks that run side by side: the pool's threads
	loop       arithmeticPeak
	arithmetic float64 // operations a second
	memory     float64 // bytes a second, those read and those written
	launch     time.Duration

	launches [launchTries]time.Duration // the tries of one measurement
	rounds   int                        // of one try of the arithmetic loop
	results  []float32                  // of each thread, so that the loop has a use
	from, to []byte
	multiply func(lo, hi int)
	copy     func(lo, hi int)
	nothing  func(lo, hi int)
}

// arithmeticPeak is a loop that computes as fast as an instruction set can.
type arithmeticPeak struct {
	what string // the text after "peak" in a report
	// lanes is the number of sums in one register, chains the number of such
	// registers that run carries through sum = sum*factor + term.
	lanes int
	run   func(rounds int, factor, term float32) float32
}

// arithmeticPeakOf is the loop for an instruction set.
func arithmeticPeakOf(isa string) arithmeticPeak {
	if loop, exists := vectorPeaks[isa]; exists {
		return loop
	}
	return arithmeticPeak{"multiplications and additions of float32 numbers in registers, in plain Go", 1, multiplyAdd}
}

const (
	// chains is the number of sums that the loops carry: enough to hide the
	// latency of a multiplication and an addition, few enough for registers.
	chains = 12
	// multiplyRounds makes one try of the arithmetic loop last some tenths of a
	// millisecond: longer than starting the threads takes, and short enough that
	// some of multiplyTries find every thread's core free.
	multiplyRounds = 1 << 17
	multiplyTries  = 16
	// launchTries is how many starts of a kernel their median is taken from.
	launchTries = 101
	// copiedBytes is the size of the array that is copied, several times that of
	// a processor's last cache.
	copiedBytes = 128 << 20
	// cacheLineFloats keeps the results of two threads off one cache line.
	cacheLineFloats = 16
)

// newPeaks allocates what measuring needs, so that measuring allocates nothing.
// The arithmetic is that of an instruction set which this processor runs.
func newPeaks(pool *Pool, isa string, rounds, bytes int) *peaks {
	p := &peaks{pool: pool, processors: pool.Threads(), loop: arithmeticPeakOf(isa), rounds: rounds, results: make([]float32, cacheLineFloats*pool.Threads()), from: make([]byte, bytes), to: make([]byte, bytes)}
	p.multiply = func(lo, hi int) {
		for thread := lo; thread < hi; thread++ {
			p.results[cacheLineFloats*thread] = p.loop.run(p.rounds, 0.5, float32(thread+1))
		}
	}
	p.copy = func(lo, hi int) {
		share := len(p.from) / p.pool.Threads()
		copy(p.to[lo*share:hi*share], p.from[lo*share:hi*share])
	}
	p.nothing = func(lo, hi int) {}
	return p
}

// measure measures all of them once more.
func (p *peaks) measure() {
	threads := p.pool.Threads()
	operations := 2 * chains * p.loop.lanes * p.rounds * threads
	for range multiplyTries {
		begin := time.Now()
		p.pool.Run(threads, p.multiply)
		p.arithmetic = max(p.arithmetic, float64(operations)/time.Since(begin).Seconds())
	}
	for n := range p.launches {
		begin := time.Now()
		p.pool.Run(threads, p.nothing)
		p.launches[n] = time.Since(begin)
	}
	slices.Sort(p.launches[:])
	if launch := medianOf(p.launches[:]); p.launch == 0 || launch < p.launch {
		p.launch = launch
	}
	begin := time.Now()
	p.pool.Run(threads, p.copy)
	bytes := 2 * (len(p.from) / threads * threads)
	p.memory = max(p.memory, float64(bytes)/time.Since(begin).Seconds())
}

// multiplyAdd carries independent sums x = x*factor + term and returns their
// total. A factor below one keeps them from growing; they start apart, because
// the compiler computes equal sums once.
func multiplyAdd(rounds int, factor, term float32) float32 {
	var a, b, c, d, e, f, g, h, i, j, k, l float32 = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12
	for range rounds {
		a = a*factor + term
		b = b*factor + term
		c = c*factor + term
		d = d*factor + term
		e = e*factor + term
		f = f*factor + term
		g = g*factor + term
		h = h*factor + term
		i = i*factor + term
		j = j*factor + term
		k = k*factor + term
		l = l*factor + term
	}
	return a + b + c + d + e + f + g + h + i + j + k + l
}
