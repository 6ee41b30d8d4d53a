package train

import (
	"math/rand/v2"
	"slices"

	"famebench/models"
)

// sample is a piece of one user's training sequence: items start…end−1 are the
// input, and each position from first on predicts the item after it.
type sample struct {
	user              int32
	start, end, first int32
}

func (s sample) inputs() int  { return int(s.end - s.start) }
func (s sample) targets() int { return int(s.end - s.first) }

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
			out = append(out, sample{int32(u), int32(start), int32(end), int32(scored)})
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
			out = append(out, sample{int32(u), int32(max(0, end-maxLen)), int32(end), int32(end - 1)})
		}
	}
	return out
}

// bucketBatches is the number of batches whose samples are sorted by length
// together: long enough that a batch has samples of about one length and little
// padding, short enough that an epoch's batches differ from the last one's.
const bucketBatches = 20

// epochBatches shuffles the samples and cuts them into batches of at most
// targets targets (one sample may have more), each of similar lengths, in
// random order. The result depends on r alone.
func epochBatches(samples []sample, targets int, r *rand.Rand) [][]sample {
	order := slices.Clone(samples)
	r.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	var batches [][]sample
	for len(order) > 0 {
		n, sum := 0, 0
		for n < len(order) && sum < targets*bucketBatches {
			sum += order[n].targets()
			n++
		}
		bucket := order[:n]
		order = order[n:]
		slices.SortStableFunc(bucket, func(a, b sample) int { return a.inputs() - b.inputs() })
		for len(bucket) > 0 {
			n, sum := 1, bucket[0].targets()
			for n < len(bucket) && sum+bucket[n].targets() <= targets {
				sum += bucket[n].targets()
				n++
			}
			batches = append(batches, bucket[:n])
			bucket = bucket[n:]
		}
	}
	r.Shuffle(len(batches), func(i, j int) { batches[i], batches[j] = batches[j], batches[i] })
	return batches
}

// share is member k's part of a batch: every members-th sample. A batch is in
// order of length, so the parts have about the same numbers of rows and targets
// and the same padding. It may be empty.
func share(batch []sample, k, members int) []sample {
	var part []sample
	for i := k; i < len(batch); i += members {
		part = append(part, batch[i])
	}
	return part
}

// makeBatch lays samples out as a model reads them.
func makeBatch(seqs [][]int32, samples []sample) *models.Batch {
	b := &models.Batch{Rows: len(samples)}
	n := 0
	for _, s := range samples {
		b.Len = max(b.Len, s.inputs())
		n += s.targets()
	}
	b.Items = make([]int64, b.Rows*b.Len)
	b.Lengths = make([]int64, b.Rows)
	b.Position = make([]int64, 0, n)
	b.Target = make([]int64, 0, n)
	for row, s := range samples {
		seq := seqs[s.user]
		for i := s.start; i < s.end; i++ {
			flat := int64(row*b.Len) + int64(i-s.start)
			b.Items[flat] = int64(seq[i])
			if i >= s.first {
				b.Position = append(b.Position, flat)
				b.Target = append(b.Target, int64(seq[i+1]))
			}
		}
		b.Lengths[row] = int64(s.inputs())
	}
	return b
}

// addNegatives draws k items for each target, uniform over the catalogue
// without the target itself.
func addNegatives(b *models.Batch, k, items int, r *rand.Rand) {
	b.Negatives = make([]int64, 0, len(b.Target)*k)
	for _, t := range b.Target {
		for range k {
			v := r.Int64N(int64(items)-1) + 1
			if v >= t {
				v++
			}
			b.Negatives = append(b.Negatives, v)
		}
	}
}
