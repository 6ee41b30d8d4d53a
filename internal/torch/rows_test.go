package torch

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// lookups is what one step reads of a table, and the gradient that it gives to each entry.
type lookups struct {
	ids   []int64
	grads []float32 // [n, d]
}

// someLookups reads few rows of a large table, some of them twice, some rarely, and each
// time the last one. Row 7 is read in the first step and after 200 others.
func someLookups(steps, d int) []lookups {
	r := rand.New(rand.NewPCG(1, 2))
	out := make([]lookups, steps)
	for s := range out {
		for range 9 {
			out[s].ids = append(out[s].ids, 10+int64(r.ExpFloat64()*10))
		}
		out[s].ids = append(out[s].ids, SparseFrom)
		if s == 0 || s == 200 {
			out[s].ids = append(out[s].ids, 7)
		}
		for range len(out[s].ids) * d {
			out[s].grads = append(out[s].grads, float32(r.NormFloat64()*1e-3))
		}
	}
	return out
}

// textbook is Adam (Kingma and Ba 2015, algorithm 1) on all rows, in float64.
func textbook(begin []float32, all []lookups, d int, lr float64) []float64 {
	p, m, v := make([]float64, len(begin)), make([]float64, len(begin)), make([]float64, len(begin))
	for i, x := range begin {
		p[i] = float64(x)
	}
	for s, l := range all {
		g := map[int64]float64{}
		for i, id := range l.ids {
			for c := range d {
				g[id*int64(d)+int64(c)] += float64(l.grads[i*d+c])
			}
		}
		for i := range p {
			m[i] = beta1*m[i] + (1-beta1)*g[int64(i)]
			v[i] = beta2*v[i] + (1-beta2)*g[int64(i)]*g[int64(i)]
			mean, variance := m[i]/(1-math.Pow(beta1, float64(s+1))), v[i]/(1-math.Pow(beta2, float64(s+1)))
			p[i] -= lr * mean / (math.Sqrt(variance) + adamEps)
		}
	}
	return p
}

// largeTable is a table that is just large enough to be lazy.
func largeTable(rt *Runtime, d int64) *Params {
	p := rt.NewParams()
	if d == 0 {
		p.Normal("table", .02, SparseFrom+1)
	} else {
		p.Normal("table", .02, SparseFrom+1, d)
	}
	return p
}

// learn makes a step with the gradients of l, on all members of a team.
func learn(team *Team, params []*Params, a *Adam, l lookups) error {
	members := team.Size()
	shares := make([]float64, members)
	for k := range shares {
		shares[k] = 1 / float64(k+1)
	}
	err := team.Each(func(k int, rt *Runtime) error {
		rt.Scope(func() {
			params[k].ZeroGrad()
			table := params[k].Get("table")
			ids, grads := []int64{}, []float32{}
			d := len(l.grads) / len(l.ids)
			for i := k; i < len(l.ids); i += members { // each takes some
				ids, grads = append(ids, l.ids[i]), append(grads, l.grads[i*d:(i+1)*d]...)
			}
			rows := table.Rows(rt.Ints(ids))
			rows.Mul(rt.Floats(grads, rows.Shape()...)).Mean().Scale(float64(len(grads) * members)).Backward()
		})
		return nil
	})
	if err != nil {
		return err
	}
	u := a.Prepare(params, shares)
	return team.Each(func(k int, rt *Runtime) error {
		u.Part(k, members)
		return nil
	})
}

// withTables calls f with a large table on all members.
func withTables(t *testing.T, threads int, d int64, f func(team *Team, params []*Params) error) {
	t.Helper()
	err := RunTeam(Config{Threads: threads, Seed: 5}, func(team *Team) error {
		params := make([]*Params, team.Size())
		err := team.InTurn(func(k int, rt *Runtime) error {
			params[k] = largeTable(rt, d)
			return nil
		})
		if err != nil {
			return err
		}
		return f(team, params)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Adam on the rows that are read is Adam on all of them.
func TestLazyAdam(t *testing.T) {
	const steps, lr = 240, 1e-2
	for _, d := range []int{0, 1, 20} { // a vector, a column, more than one register
		width := max(1, d)
		all := someLookups(steps, width)
		for _, threads := range []int{1, 3} {
			t.Run(fmt.Sprintf("width=%d/threads=%d", d, threads), func(t *testing.T) {
				withTables(t, threads, int64(d), func(team *Team, params []*Params) error {
					a := NewAdam(params[0], lr, 0)
					begin := params[0].Get("table").HostFloats()
					for _, l := range all {
						if err := learn(team, params, a, l); err != nil {
							return err
						}
					}
					if !a.lazy[0] {
						t.Error("all rows were updated in each step")
					}
					if a.last[0].int32s()[7] != 201 {
						t.Errorf("row 7 is at step %d, expected 201", a.last[0].int32s()[7])
					}
					a.Settle(0, 2)
					a.Settle(1, 2)
					got := params[0].Get("table").HostFloats()
					few := 200 * width // of the rows: the last one is compared below
					want := textbook(begin[:few], dropLast(all, width), width, lr)
					last := textbook(begin[SparseFrom*width:], onlyLast(all, width), width, lr)
					sameFloats(t, "rows", got[:few], want)
					sameFloats(t, "last row", got[SparseFrom*width:], last)
					if !slices.Equal(got[few:SparseFrom*width], begin[few:SparseFrom*width]) {
						t.Error("rows that were never read have moved")
					}
					return nil
				})
			})
		}
	}
}

func sameFloats(t *testing.T, what string, got []float32, want []float64) {
	t.Helper()
	for i := range want {
		if math.Abs(float64(got[i])-want[i]) > 2e-6 { // the parameters move by about 1
			t.Fatalf("%s: element %d is %v, expected %v", what, i, got[i], want[i])
		}
	}
}

// dropLast leaves out the last row, onlyLast all others; that row becomes row 0.
func dropLast(all []lookups, d int) []lookups {
	return filter(all, d, func(id int64) (int64, bool) { return id, id < SparseFrom })
}

func onlyLast(all []lookups, d int) []lookups {
	return filter(all, d, func(id int64) (int64, bool) { return 0, id == SparseFrom })
}

func filter(all []lookups, d int, keep func(int64) (int64, bool)) []lookups {
	out := make([]lookups, len(all))
	for s, l := range all {
		for i, id := range l.ids {
			if id, ok := keep(id); ok {
				out[s].ids = append(out[s].ids, id)
				out[s].grads = append(out[s].grads, l.grads[i*d:(i+1)*d]...)
			}
		}
	}
	return out
}

// A restored optimiser goes on to the same bits, without the rows having been settled.
func TestLazyAdamIsRestored(t *testing.T) {
	all := someLookups(60, 4)
	run := func(stop int) (table []float32) {
		withTables(t, 2, 4, func(team *Team, params []*Params) error {
			a := NewAdam(params[0], 1e-2, 0)
			for s, l := range all {
				if s == stop {
					saved, state := params[0].Tensors(), a.State()
					a = NewAdam(params[0], 1e-2, 0)
					if err := params[0].Load(saved); err != nil {
						return err
					}
					if err := a.Load(state); err != nil {
						return err
					}
				}
				if err := learn(team, params, a, l); err != nil {
					return err
				}
			}
			a.Settle(0, 1)
			table = params[0].Get("table").HostFloats()
			return nil
		})
		return table
	}
	want := run(-1)
	for _, stop := range []int{1, 30, 59} {
		if !slices.Equal(run(stop), want) {
			t.Errorf("restored after %d steps: the table differs", stop)
		}
	}
}

// What is read as a whole has a dense gradient: that table is updated as a whole. A table
// that is read both ways in turn would be out of date, which is an error.
func TestTablesReadAsAWhole(t *testing.T) {
	step := func(p *Params, a *Adam, whole bool) {
		p.rt.Scope(func() {
			p.ZeroGrad()
			table := p.Get("table")
			loss := table.Embedding(p.rt.Ints([]int64{3, 3, 5, 0})).Mean()
			if whole {
				loss = loss.Add(table.Mean())
			}
			loss.Backward()
			g := p.Grad("table")
			want := float32(2. / 8)
			if whole {
				want += 1. / (2 * (SparseFrom + 1))
			}
			if near := math.Abs(float64(g[6]-want)) < 1e-7; !near || !whole && g[0] != 0 {
				t.Errorf("gradients of rows 3 and 0 are %v and %v", g[6], g[0])
			}
			update(a)
		})
	}
	for _, decay := range []float64{0, .1} {
		withTables(t, 1, 2, func(_ *Team, params []*Params) error {
			a := NewAdam(params[0], 1e-3, decay)
			step(params[0], a, decay == 0)
			if step(params[0], a, false); a.lazy[0] {
				t.Errorf("decay %v: the table is lazy", decay)
			}
			return nil
		})
	}
	err := RunTeam(Config{Threads: 1}, func(team *Team) error {
		p := largeTable(team.Leader(), 2)
		a := NewAdam(p, 1e-3, 0)
		step(p, a, false)
		step(p, a, true)
		return nil
	})
	if err == nil || !strings.Contains(err.Error(), "reads a table as a whole") {
		t.Errorf("error %v", err)
	}
}

// RowScores is a lookup and a product, in values and gradients, of small tables, large ones
// and those whose rows are out of date.
func TestRowScores(t *testing.T) {
	const d, steps = 20, 4
	ids := []int64{3, 3, 5, 0, 9, 3, 1, 2}
	type result struct{ scores, users, table []float32 }
	for _, rows := range []int64{30, SparseFrom + 1} {
		run := func(f func(rt *Runtime, u, table Tensor) Tensor) (out []result) {
			err := RunTeam(Config{Threads: 1, Seed: 5}, func(team *Team) error {
				rt := team.Leader()
				p := rt.NewParams()
				u, table := p.Normal("users", 1, 2, d), p.Normal("table", 1, rows, d)
				a := NewAdam(p, 1e-2, 0)
				for s := range steps {
					rt.Scope(func() {
						p.ZeroGrad()
						if s == 1 { // an update that leaves the other rows behind
							table.Rows(rt.Ints([]int64{7})).Mean().Backward()
							update(a)
							return
						}
						scores := f(rt, u, table)
						scores.Mul(scores).Mean().Backward()
						out = append(out, result{scores.HostFloats(), p.Grad("users"), p.Grad("table")})
						update(a)
					})
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			return out
		}
		want := run(func(rt *Runtime, u, table Tensor) Tensor {
			return table.Rows(rt.Ints(ids)).Reshape(2, 4, d).MatMul(u.Reshape(2, d, 1)).Reshape(2, 4)
		})
		got := run(func(rt *Runtime, u, table Tensor) Tensor { return u.RowScores(table, rt.Ints(ids, 2, 4)) })
		for s, w := range want {
			for _, c := range []struct {
				name      string
				got, want []float32
			}{{"scores", got[s].scores, w.scores}, {"gradient of the users", got[s].users, w.users}, {"gradient of the table", got[s].table, w.table}} {
				if len(c.got) != len(c.want) {
					t.Fatalf("%d rows, %s: got %d numbers, expected %d", rows, c.name, len(c.got), len(c.want))
				}
				for i, x := range c.want {
					if math.Abs(float64(c.got[i]-x)) > 1e-5 {
						t.Fatalf("%d rows, step %d, %s: element %d is %v, expected %v", rows, s, c.name, i, c.got[i], x)
					}
				}
			}
		}
	}
}

func TestRowScoresRefusesOtherShapes(t *testing.T) {
	for name, f := range map[string]func(rt *Runtime){
		"row 30 of 30":         func(rt *Runtime) { rt.Zeros(2, 4).RowScores(rt.Zeros(30, 4), rt.Ints([]int64{0, 30}, 2, 1)) },
		"row -1 of 30":         func(rt *Runtime) { rt.Zeros(2, 4).RowScores(rt.Zeros(30, 4), rt.Ints([]int64{0, -1}, 2, 1)) },
		"should be [n, d] and": func(rt *Runtime) { rt.Zeros(2, 4).RowScores(rt.Zeros(30, 5), rt.Ints([]int64{0, 1}, 2, 1)) },
		"should be [2, k]":     func(rt *Runtime) { rt.Zeros(2, 4).RowScores(rt.Zeros(30, 4), rt.Ints([]int64{0, 1, 2}, 3, 1)) },
	} {
		err := Run(Config{}, func(rt *Runtime) error {
			f(rt)
			return nil
		})
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("error %v, expected one with %q", err, name)
		}
	}
}
