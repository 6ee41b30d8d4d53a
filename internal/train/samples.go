package train

import (
	"math/rand/v2"
	"slices"

	"famebench/internal/torch"
	"famebench/models"
)

// sample is a piece of one user's training sequence: items start…end−1 are the
// input. Each position from first on predicts the item after it; in a Cloze
// sample, the positions in hidden predict their own items.
type sample struct {
	user              int32
	start, end, first int32
	hidden            []int32 // Cloze only
}

func (s sample) inputs() int { return int(s.end - s.start) }

func (s sample) targets() int {
	if s.hidden != nil {
		return len(s.hidden)
	}
	return int(s.end - s.first)
}

// allPositions cuts sequences into samples of at most maxLen inputs. A longer
// one becomes windows that start every stride items; each target is scored
// once, in the window that gives it the longest context, which is the first
// that reaches it.
//
// Differs from the reference for sequences longer than maxLen only: there each
// target would have its own window of the last maxLen items.
func allPositions(seqs [][]int32, maxLen, stride int) []sample {
	var out []sample
	for u, seq := range seqs {
		inputs := len(seq) - 1 // the last item is a target only
		scored := 0            // positions that a window has scored so far
		for start := 0; scored < inputs; start += stride {
			end := min(start+maxLen, inputs)
			out = append(out, sample{user: int32(u), start: int32(start), end: int32(end), first: int32(scored)})
			scored = end
		}
	}
	return out
}

// prefixes makes a sample of each prefix, cut to its last maxLen items.
func prefixes(seqs [][]int32, maxLen int) []sample {
	var out []sample
	for u, seq := range seqs {
		for end := 1; end < len(seq); end++ {
			out = append(out, sample{user: int32(u), start: int32(max(0, end-maxLen)), end: int32(end), first: int32(end - 1)})
		}
	}
	return out
}

// windows cuts sequences into Cloze samples of at most maxLen items, before any is
// hidden. A longer one becomes windows that start every stride items; each item
// may be hidden in the first window that reaches it only. A sequence of one item
// would have nothing to predict it from.
func windows(seqs [][]int32, maxLen, stride int) []sample {
	var out []sample
	for u, seq := range seqs {
		reached := 0
		for start := 0; len(seq) > 1 && reached < len(seq); start += stride {
			end := min(start+maxLen, len(seq))
			out = append(out, sample{user: int32(u), start: int32(start), end: int32(end), first: int32(reached)})
			reached = end
		}
	}
	return out
}

// hide draws what an epoch's Cloze samples are to predict: with probability
// lastOnly one item, hidden behind a prefix of its sequence that ends there (or
// behind all of it, if prefix is false: the last item of the sequence or window), else each item with
// probability ratio. Samples in which nothing is hidden are left out. The
// result depends on r alone.
func hide(samples []sample, ratio, lastOnly float64, prefix bool, r *rand.Rand) []sample {
	var out []sample
	for _, s := range samples {
		if r.Float64() < lastOnly {
			if from := max(s.first, s.start+1); prefix && from < s.end {
				s.end = from + r.Int32N(s.end-from) + 1
			}
			s.hidden = []int32{s.end - 1}
		} else {
			for at := s.first; at < s.end; at++ {
				if r.Float64() < ratio {
					s.hidden = append(s.hidden, at)
				}
			}
		}
		if s.hidden != nil {
			out = append(out, s)
		}
	}
	return out
}

// epochBatches shuffles the samples and cuts them into batches of at most
// targets targets (one sample may have more), where size says how many a sample counts
// for. The result depends on r alone.
// Within a batch, samples are ordered by length, so that the members' shares are equal
// work.
func epochBatches(samples []sample, targets int, size func(sample) int, r *rand.Rand) [][]sample {
	order := slices.Clone(samples)
	r.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	var batches [][]sample
	for len(order) > 0 {
		n, sum := 1, size(order[0])
		for n < len(order) && sum+size(order[n]) <= targets {
			sum += size(order[n])
			n++
		}
		slices.SortStableFunc(order[:n], func(a, b sample) int { return a.inputs() - b.inputs() })
		batches = append(batches, order[:n])
		order = order[n:]
	}
	return batches
}

// share is member k's part of a batch, every members-th sample, and the samples' places
// in the batch. A batch is in order of length, so the parts have about the same numbers
// of items and targets. A part may be empty.
func share(batch []sample, k, members int) (part []sample, places []int64) {
	for i := k; i < len(batch); i += members {
		part, places = append(part, batch[i]), append(places, int64(i))
	}
	return part, places
}

// numbers are the random numbers that a step draws for one purpose. Those for a name are
// a function of the name, so it does not matter which member of the team draws them.
type numbers struct{ seed, stream, step uint64 }

func (n numbers) of(name int64) *rand.Rand {
	return rand.New(rand.NewPCG(n.seed, torch.Hash(n.stream, n.step, uint64(name))))
}

// makeBatch lays samples out as a model reads them.
func makeBatch(seqs [][]int32, samples []sample) *models.Batch {
	b := &models.Batch{}
	for _, s := range samples {
		seq := seqs[s.user]
		first := int64(len(b.Items)) // where this sample begins
		for _, v := range seq[s.start:s.end] {
			b.Items = append(b.Items, int64(v))
		}
		b.Lengths = append(b.Lengths, int64(s.inputs()))
		if s.hidden != nil {
			for _, at := range s.hidden {
				b.Position = append(b.Position, first+int64(at-s.start))
				b.Target = append(b.Target, int64(seq[at]))
			}
			continue
		}
		for at := s.first; at < s.end; at++ {
			b.Position = append(b.Position, first+int64(at-s.start))
			b.Target = append(b.Target, int64(seq[at+1]))
		}
	}
	return b
}

// endAtRandom cuts samples of whole sequences to prefixes, each of which ends at one of
// the sample's scored positions. Every position has the same probability.
func endAtRandom(samples []sample, places []int64, random numbers) []sample {
	out := make([]sample, len(samples))
	for i, s := range samples {
		s.first += random.of(places[i]).Int32N(s.end - s.first)
		s.end = s.first + 1
		out[i] = s
	}
	return out
}

// contrasted is the index in b.Items of the last item of each prefix, of the sample of
// the same number in b.
func contrasted(b *models.Batch, prefixes []sample) []int64 {
	out, first := make([]int64, len(prefixes)), int64(0)
	for i, s := range prefixes {
		out[i] = first + int64(s.inputs()) - 1
		first += b.Lengths[i]
	}
	return out
}

// sameTarget is an index of prefixes by what they predict.
type sameTarget struct {
	samples []sample
	byItem  [][]int32 // by target: numbers in samples, ascending
}

func newSameTarget(seqs [][]int32, samples []sample, items int) *sameTarget {
	x := &sameTarget{samples, make([][]int32, items+1)}
	for i, s := range samples {
		v := seqs[s.user][s.end]
		x.byItem[v] = append(x.byItem[v], int32(i))
	}
	return x
}

// draw gives for each sample, whose place in the whole batch is known, another one with
// the same target, uniformly; the sample itself if there is no other.
func (x *sameTarget) draw(seqs [][]int32, samples []sample, places []int64, random numbers) []sample {
	out := make([]sample, len(samples))
	for i, s := range samples {
		out[i] = s
		same := x.byItem[seqs[s.user][s.end]]
		if len(same) < 2 {
			continue
		}
		// Uniform over the others: the last one takes the place of the sample itself.
		other := x.samples[same[random.of(places[i]).IntN(len(same)-1)]]
		if other.user == s.user && other.end == s.end {
			other = x.samples[same[len(same)-1]]
		}
		out[i] = other
	}
	return out
}

// addNegatives draws k items for each target, uniform over the catalogue
// without the target itself.
func addNegatives(b *models.Batch, k, items int, random numbers) {
	b.Negatives = make([]int64, 0, len(b.Target)*k)
	names := b.RowNames()
	for i, t := range b.Target {
		r := random.of(names[b.Position[i]])
		for range k {
			v := r.Int64N(int64(items)-1) + 1
			if v >= t {
				v++
			}
			b.Negatives = append(b.Negatives, v)
		}
	}
}
