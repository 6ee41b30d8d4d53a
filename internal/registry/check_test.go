package registry

import (
	"slices"
	"strings"
	"testing"

	"famebench/internal/example"
	"famebench/internal/torch"
	"famebench/internal/train"
	"famebench/models"
)

// Entries that would give runs of different code the same id are refused.
func TestCheck(t *testing.T) {
	if err := Check(Models); err != nil {
		t.Fatal(err)
	}
	for want, e := range map[string]Entry{
		`a model with the name "sasrec"`: {Name: "sasrec", Version: 1},
		`a model with the name ""`:       {Version: 1},
		`model "mine" has version 0`:     {Name: "mine"},
	} {
		if err := Check(append(slices.Clone(Models), e)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// Parameters that are not those that Params returns would keep their initial values.
func TestConstructorWithOtherParameters(t *testing.T) {
	for name, sets := range map[string]int{"none": 0, "two": 2} {
		build := Constructor(func(rt *torch.Runtime, c *example.FISMConfig, loss models.ItemLoss, items, maxLen int) (*example.FISM, error) {
			for range sets {
				rt.NewParams()
			}
			return &example.FISM{}, nil
		})
		err := torch.Run(torch.Config{Threads: 1}, func(rt *torch.Runtime) error {
			_, err := build(rt, example.FISMDefaults(), train.Defaults(), 3)
			return err
		})
		if err == nil || !strings.Contains(err.Error(), "expected one rt.NewParams()") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
