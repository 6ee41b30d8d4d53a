package torch

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
)

// A team's gradients blend to their mean, and its members see the leader's
// parameters change.
func TestTeam(t *testing.T) {
	err := RunTeam(Config{Threads: 3, Seed: 1}, func(team *Team) error {
		params := make([]*Params, team.Size())
		if team.Size() != 3 {
			t.Errorf("%d members, want 3", team.Size())
		}
		err := team.InTurn(func(k int, rt *Runtime) error {
			params[k] = rt.NewParams()
			params[k].Normal("x", 1, 4)
			return nil
		})
		if err != nil {
			return err
		}
		x := params[0].Get("x")
		x.CopyFrom([]float32{1, 2, 3, 4})
		if got := params[2].Get("x").HostFloats(); !slices.Equal(got, []float32{1, 2, 3, 4}) {
			t.Errorf("a member sees %v", got)
		}
		for range 2 { // the second time with gradients to drop
			err = team.Each(func(k int, rt *Runtime) error {
				params[k].ZeroGrad()
				rt.Scope(func() {
					v := params[k].Get("x")
					v.Mul(v).Sum(0).Scale(float64(k + 1)).Backward() // 2(k+1)·x
				})
				return nil
			})
			if err != nil {
				return err
			}
		}
		u := NewAdam(params[0], 1, 0).Prepare(params, []float64{1, .5, .25})
		if err := team.Each(func(k int, rt *Runtime) error { u.Part(k, team.Size()); return nil }); err != nil {
			return err
		}
		if got := params[0].Grad("x"); !slices.Equal(got, []float32{3.75, 7.5, 11.25, 15}) {
			t.Errorf("gradient %v, want 2·(¾·(½·1+½·2)+¼·3)·x", got)
		}
		for i, got := range x.HostFloats() { // the first step of Adam is lr·sign(gradient)
			if want := float64(i + 1 - 1); math.Abs(float64(got)-want) > 1e-5 {
				t.Errorf("x[%d] = %v after the step, want %v", i, got, want)
			}
		}
		err = team.Each(func(k int, rt *Runtime) error {
			if k == 1 {
				rt.Zeros(2).MatMul(rt.Zeros(3))
			}
			return nil
		})
		var failed *Error
		if !errors.As(err, &failed) || failed.Op != "dot" && failed.Op != "matmul" {
			t.Errorf("a member's failure came as %v", err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestTeamPanicReachesCaller(t *testing.T) {
	defer func() {
		if p := recover(); p == nil || !strings.Contains(fmt.Sprint(p), "a bug") {
			t.Errorf("recovered %v", p)
		}
	}()
	_ = RunTeam(Config{Threads: 2}, func(team *Team) error {
		return team.Each(func(k int, rt *Runtime) error {
			if k == 1 {
				panic("a bug")
			}
			return nil
		})
	})
}
