package baselines

import (
	"encoding/json"
	"fmt"
	"math"
	"testing"

	"famebench/internal/oracle"
	"famebench/internal/torch"
	"famebench/models"
)

type duoRecInputs struct {
	Seq     [][]int64 `json:"item_seq"`
	Len     []int64   `json:"item_seq_len"`
	Target  []int64
	Same    [][]int64 `json:"sem_aug"`
	SameLen []int64   `json:"sem_aug_len"`
}

func (in duoRecInputs) batch() *models.Batch {
	b := ragged(in.Seq, in.Len, in.Target)
	b.SameTarget = ragged(in.Same, in.SameLen, nil)
	return b
}

func duoRecOracle(t *testing.T) func(rt *torch.Runtime, c oracle.Case, cfg oracleConfig) (*DuoRec, error) {
	return func(rt *torch.Runtime, c oracle.Case, cfg oracleConfig) (*DuoRec, error) {
		config := DuoRecDefaults()
		var own struct {
			Lambda    float64 `json:"lmd"`
			LambdaSem float64 `json:"lmd_sem"`
			Tau       float64
			Sim       string
			Contrast  string
		}
		c.Decode(t, &own, nil, nil)
		config.TransformerConfig = cfg.transformer()
		config.UnsupervisedWeight, config.SupervisedWeight, config.Temperature = own.Lambda, own.LambdaSem, own.Tau
		config.Similarity, config.Contrast = own.Sim, own.Contrast
		return NewDuoRec(rt, config, oracleLoss, cfg.Items-1, cfg.MaxLen)
	}
}

func TestOracleDuoRec(t *testing.T) {
	eachOracle(t, []string{"duorec"}, duoRecOracle(t), func(t *testing.T, rt *torch.Runtime, c oracle.Case, cfg oracleConfig, m *DuoRec) {
		var in duoRecInputs
		var want struct {
			Last     [][]float64 `json:"seq_output"`
			Same     [][]float64 `json:"sem_aug_output"`
			Scores   [][]float64
			Total    map[string]float64
			Variants []struct {
				Sim string
				Tau float64
				Un  float64 `json:"nce_un"`
				Su  float64 `json:"nce_su"`
			} `json:"nce_variants"`
		}
		c.Decode(t, nil, &in, &want)
		b := in.batch()
		z, same := m.Users(b), m.Users(b.SameTarget)
		oracle.Near(t, "seq_output", z.HostFloats(), oracle.Flatten(want.Last), 1e-5)
		oracle.Near(t, "sem_aug_output", same.HostFloats(), oracle.Flatten(want.Same), 1e-5)
		checkScores(t, "scores", m, z, want.Scores)

		// Without dropout a equals z, so us_x equals su.
		for mode, file := range map[string]string{
			"us_x": "grads.safetensors", "su": "grads.safetensors", "us": "grads_us.safetensors", "un": "grads_un.safetensors",
		} {
			m.config.Contrast = mode
			checkLoss(t, c, m, b, want.Total[mode], file)
		}

		n := len(in.Seq)
		pairs := func(x torch.Tensor) float64 { return m.infoNCE(x, span(0, n), span(n, 2*n)).Item() }
		for _, v := range want.Variants {
			m.config.Similarity, m.config.Temperature = v.Sim, v.Tau
			oracle.Near(t, fmt.Sprintf("InfoNCE, %s/%v", v.Sim, v.Tau),
				[]float32{float32(pairs(rt.Concat(0, z, z))), float32(pairs(rt.Concat(0, z, same)))}, []float64{v.Un, v.Su}, 1e-5)
		}
		var contrast struct {
			InfoNCE struct {
				Left  [][]float64 `json:"z_i"`
				Right [][]float64 `json:"z_j"`
				Cases []struct {
					Sim   string
					Tau   float64
					Loss  float64
					Left  [][]float64 `json:"grad_z_i"`
					Right [][]float64 `json:"grad_z_j"`
				}
			} `json:"info_nce"`
		}
		if err := json.Unmarshal(c.Body, &contrast); err != nil {
			t.Fatal(err)
		}
		x := contrast.InfoNCE
		var values []float32
		for _, v := range append(oracle.Flatten(x.Left), oracle.Flatten(x.Right)...) {
			values = append(values, float32(v))
		}
		n, d := len(x.Left), len(x.Left[0])
		p := rt.NewParams()
		views := p.Fill("views", 0, int64(2*n), int64(d))
		views.CopyFrom(values)
		for _, v := range x.Cases {
			m.config.Similarity, m.config.Temperature = v.Sim, v.Tau
			p.ZeroGrad()
			loss := m.infoNCE(views, span(0, n), span(n, 2*n))
			if got := loss.Item(); !(math.Abs(got-v.Loss) <= 1e-5) {
				t.Errorf("InfoNCE %s/%v: %v, want %v", v.Sim, v.Tau, got, v.Loss)
			}
			loss.Backward()
			oracle.NearGradient(t, fmt.Sprintf("gradient of the views, %s/%v", v.Sim, v.Tau), p.Grad("views"), append(oracle.Flatten(v.Left), oracle.Flatten(v.Right)...))
		}
	})
}

func span(from, to int) []int64 {
	var out []int64
	for i := from; i < to; i++ {
		out = append(out, int64(i))
	}
	return out
}

type duoRecOutcome struct {
	loss  float64
	grads map[string][]float64
}

// duoRecTeam returns the loss and the gradient of an oracle's batch that a team
// shares.
func duoRecTeam(t *testing.T, c oracle.Case, mode string, size int) duoRecOutcome {
	t.Helper()
	var cfg oracleConfig
	var in duoRecInputs
	c.Decode(t, &cfg, &in, nil)
	o := duoRecOutcome{grads: map[string][]float64{}}
	err := torch.RunTeam(torch.Config{Threads: size, Seed: 1}, func(team *torch.Team) error {
		replicas := make([]*DuoRec, size)
		err := team.InTurn(func(k int, rt *torch.Runtime) (err error) {
			replicas[k], err = duoRecOracle(t)(rt, c, cfg)
			if err == nil {
				replicas[k].config.Contrast = mode
			}
			return err
		})
		if err != nil {
			return err
		}
		if err := replicas[0].Params().Load(c.Tensors(t, "weights.safetensors")); err != nil {
			return err
		}
		losses := make([]float64, size)
		rows := make([]float64, size)
		err = team.Each(func(k int, rt *torch.Runtime) error {
			part := duoRecInputs{}
			for i := k; i < len(in.Seq); i += size {
				part.Seq, part.Len, part.Target = append(part.Seq, in.Seq[i]), append(part.Len, in.Len[i]), append(part.Target, in.Target[i])
				part.Same, part.SameLen = append(part.Same, in.Same[i]), append(part.SameLen, in.SameLen[i])
			}
			replicas[k].Params().ZeroGrad()
			rows[k] = float64(len(part.Seq))
			if len(part.Seq) == 0 { // this member has nothing to do, the others continue
				return nil
			}
			rt.Scope(func() {
				l := replicas[k].Loss(part.batch())
				losses[k] = l.Item()
				l.Backward()
			})
			return nil
		})
		if err != nil {
			return err
		}
		for k, m := range replicas {
			share := rows[k] / float64(len(in.Seq))
			o.loss += share * losses[k]
			for _, name := range m.Params().Names() {
				sum := o.grads[name]
				for i, g := range m.Params().Grad(name) {
					if len(sum) <= i {
						sum = append(sum, 0)
					}
					sum[i] += share * float64(g)
				}
				o.grads[name] = sum
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// The negatives are those of the whole batch, however many members share it. So
// a team's loss and gradient are those of a single member.
func TestDuoRecTeams(t *testing.T) {
	c := oracle.Cases(t, func(n string) bool { return n == "duorec" })[0]
	var cfg oracleConfig
	var in duoRecInputs
	c.Decode(t, &cfg, &in, nil)
	if len(in.batch().Lengths) < 3 {
		t.Fatal("the case is too small")
	}
	for _, mode := range duoRecModes {
		want := duoRecTeam(t, c, mode, 1)
		for _, size := range []int{2, 3, 7} {
			got := duoRecTeam(t, c, mode, size)
			if !(math.Abs(got.loss-want.loss) <= 1e-5) {
				t.Errorf("%s, %d members: loss %v, one member %v", mode, size, got.loss, want.loss)
			}
			for name, w := range want.grads {
				var g []float32
				for _, x := range got.grads[name] {
					g = append(g, float32(x))
				}
				oracle.NearGradient(t, fmt.Sprintf("%s, %d members: gradient of %s", mode, size, name), g, w)
			}
		}
	}
}
