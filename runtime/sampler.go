package runtime

// sampler says which samples make each batch. The samples of epoch 0, epoch 1
// and so on form one endless stream, each epoch in an order of its own when
// shuffled, and batch b is the stream's part from b*batch on: a batch runs
// across an epoch's edge rather than being short. What a batch holds depends on
// the seed and its number only, so a resumed run needs no stored cursor.
type sampler struct {
	n       int // samples in the set
	batch   int
	shuffle bool
	seed    int32

	epoch int // whose order is held
	order []int32
}

func newSampler(n, batch int, shuffle bool, seed int32) *sampler {
	return &sampler{n: n, batch: batch, shuffle: shuffle, seed: seed, epoch: -1, order: make([]int32, n)}
}

// indices writes the samples of a batch into chosen.
func (s *sampler) indices(batch int, chosen []int32) {
	for i := range s.batch {
		position := batch*s.batch + i
		if epoch := position / s.n; epoch != s.epoch {
			s.arrange(epoch)
		}
		chosen[i] = s.order[position%s.n]
	}
}

// arrange puts the samples in an epoch's order, by Fisher and Yates' shuffle.
func (s *sampler) arrange(epoch int) {
	s.epoch = epoch
	for i := range s.order {
		s.order[i] = int32(i)
	}
	if !s.shuffle {
		return
	}
	key := randomKey(s.seed, "shuffle", uint64(epoch))
	for i := s.n - 1; i > 0; i-- {
		j := below(random64(key, uint64(i)), i+1)
		s.order[i], s.order[j] = s.order[j], s.order[i]
	}
}
