package train

import (
	"context"
	"math/rand/v2"
	"testing"

	"famebench/baselines"
	"famebench/datasets"
	"famebench/internal/rank"
	"famebench/internal/torch"
	"famebench/models"
)

// BenchmarkRanking ranks as many users as Amazon Beauty has, with histories about as long,
// among as many items, with an untrained SASRec on two threads.
func BenchmarkRanking(b *testing.B) {
	const items = 12101
	rng := rand.New(rand.NewPCG(1, 1))
	cases := make([]datasets.Case, 22363)
	for i := range cases {
		cases[i] = datasets.Case{User: int32(i), Target: 1 + rng.Int32N(items)}
		for range 4 + int(rng.ExpFloat64()*4) { // 8 on average
			cases[i].History = append(cases[i].History, 1+rng.Int32N(items))
		}
	}
	err := torch.RunTeam(torch.Config{Threads: 2, Seed: 1}, func(team *torch.Team) error {
		m, err := NewReplicas(team, func(rt *torch.Runtime) (models.Model, error) {
			return baselines.NewSASRec(rt, baselines.SASRecDefaults(), Defaults().ItemLoss(), items, 50)
		})
		if err != nil {
			return err
		}
		for _, top := range []bool{false, true} {
			b.Run(map[bool]string{false: "validation", true: "test"}[top], func(b *testing.B) {
				for b.Loop() {
					if _, err := rank.Evaluate(context.Background(), NewScorer(m, items, 50), cases, items, rank.Options{Coverage: top}); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(len(cases)*b.N)/b.Elapsed().Seconds(), "users/s")
			})
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
}
