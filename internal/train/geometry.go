package train

import (
	"math"
	"math/rand/v2"
	"slices"

	"famebench/datasets"
	"famebench/internal/torch"
	"famebench/models"
)

// Geometry says how user vectors lie on the unit sphere (Wang and Isola 2020,
// arXiv 2005.10242), which the papers on contrastive recommenders plot. It is
// measured on the same users of the validation part for every model and seed.
type Geometry struct {
	// Alignment is the mean distance between the vectors of two histories that are
	// followed by the same item. 0 is best, 2 the farthest.
	Alignment float64
	// Uniformity is log mean exp(−2·distance²) over all pairs of users. 0 is one
	// point for all; lower is more even. (DuoRec's plots leave out the square.)
	Uniformity float64
}

// probeUsers is the number of validation users on which Geometry is measured.
const probeUsers = 2048

// probe holds the histories on which Geometry is measured.
type probe struct {
	users  []datasets.Case
	pairs  []datasets.Case // pairs[i] belongs to users[paired[i]]: another user's history with the same target
	paired []int
	maxLen int
}

// newProbe draws the users, and for each a training prefix of another user that is
// followed by the same item, where there is one. It does not depend on the run's
// seed.
func newProbe(s *datasets.Split, maxLen int) *probe {
	r := rand.New(rand.NewPCG(2048, 1))
	p := &probe{maxLen: maxLen}
	for _, i := range r.Perm(len(s.Valid))[:min(probeUsers, len(s.Valid))] {
		p.users = append(p.users, s.Valid[i])
	}
	type place struct{ user, at int32 }
	places := make([][]place, s.Data.NumItems+1) // by item: where it follows something in training
	for u, seq := range s.Train {
		for at := 1; at < len(seq); at++ {
			places[seq[at]] = append(places[seq[at]], place{int32(u), int32(at)})
		}
	}
	for i, c := range p.users {
		others := slices.DeleteFunc(slices.Clone(places[c.Target]), func(p place) bool { return p.user == c.User })
		if len(others) == 0 {
			continue
		}
		o := others[r.IntN(len(others))]
		p.pairs = append(p.pairs, datasets.Case{User: o.user, History: s.Train[o.user][:o.at], Target: c.Target})
		p.paired = append(p.paired, i)
	}
	return p
}

// measure encodes the probe. A value for which there are no two histories stays 0.
func (p *probe) measure(r *Replicas) (Geometry, error) {
	var g Geometry
	err := r.team.Each(func(k int, rt *torch.Runtime) error {
		if k > 0 { // some ms on one member
			return nil
		}
		rt.Scope(func() {
			rt.NoGrad(func() {
				users := p.encode(rt, r.models[0], p.users) // [n, d]
				n := len(p.users)
				cosines := users.MatMul(users.Transpose()).HostFloats() // [n, n]
				var sum float64
				for i := range n {
					for _, c := range cosines[i*n+i+1 : (i+1)*n] {
						sum += math.Exp(-4 * (1 - float64(c))) // distance² = 2·(1 − cosine)
					}
				}
				if n > 1 {
					g.Uniformity = math.Log(sum / float64(n*(n-1)/2))
				}
				if len(p.pairs) == 0 {
					return
				}
				index := make([]int64, len(p.paired))
				for i, at := range p.paired {
					index[i] = int64(at)
				}
				// All in one batch, unlike the users: in blocks the last digits of CORE's
				// recorded alignment would change. Use encode when Version next goes up.
				others := r.models[0].Users(HistoryBatch(p.pairs, p.maxLen)).Normalize() // [m, d]
				products := users.Rows(rt.Ints(index)).Mul(others).Sum(1).HostFloats()   // [m]
				sum = 0
				for _, c := range products {
					sum += math.Sqrt(max(0, 2*(1-float64(c))))
				}
				g.Alignment = sum / float64(len(products))
			})
		})
		return nil
	})
	return g, err
}

// encode gives the user vectors of cases, each of length 1, some at a time: all in
// one batch would take more memory than training.
func (p *probe) encode(rt *torch.Runtime, m models.Model, cases []datasets.Case) torch.Tensor {
	var blocks []torch.Tensor
	for block := range slices.Chunk(cases, 256) {
		rt.Scope(func() {
			blocks = append(blocks, rt.Keep(m.Users(HistoryBatch(block, p.maxLen)).Normalize())) // [256, d]
		})
	}
	return rt.Concat(0, blocks...)
}
