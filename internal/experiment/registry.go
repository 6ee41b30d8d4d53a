package experiment

import (
	"famebench/baselines"
	"famebench/datasets"
	"famebench/internal/conf"
	"famebench/internal/rank"
	"famebench/internal/torch"
	"famebench/internal/train"
	"famebench/models"
)

// Entry is a model as the command knows it.
type Entry struct {
	Name    string
	Summary string // one line for -list
	Version int    // raised by hand when a change of the code moves the model's numbers
	// Defaults points to the model's configuration struct (toml and json tags)
	// with its default values; nil for floors.
	Defaults any
	// Exactly one of the two. Neural gets a copy of Defaults with the run's
	// settings in it.
	Neural func(rt *torch.Runtime, config any, t train.Config, numItems int) (models.Model, error)
	Floor  func(*datasets.Split) (rank.Scorer, error)
}

// Registry lists every model. Adding one is a line here and a file in
// baselines or models.
var Registry = []Entry{
	{Name: "popularity", Summary: "floor: training count of an item", Version: 1, Floor: baselines.NewPopularity},
	{Name: "markov", Summary: "floor: how often an item followed the last one, then popularity", Version: 1, Floor: baselines.NewMarkov},
	{Name: "sasrec", Summary: "causal transformer, cross-entropy over all items (Kang and McAuley 2018)", Version: 1, Defaults: baselines.SASRecDefaults(), Neural: sasrec},
}

func sasrec(rt *torch.Runtime, config any, t train.Config, numItems int) (models.Model, error) {
	return baselines.NewSASRec(rt, config.(*baselines.SASRecConfig), t.ItemLoss(), numItems, t.MaxLen)
}

// replicas builds the model on every member of a team.
func (e Entry) replicas(team *torch.Team, params any, t train.Config, numItems int) (*train.Replicas, error) {
	return train.NewReplicas(team, func(rt *torch.Runtime) (models.Model, error) {
		return e.Neural(rt, params, t, numItems)
	})
}

func find(registry []Entry, name string) (Entry, bool) {
	for _, e := range registry {
		if e.Name == name {
			return e, true
		}
	}
	return Entry{}, false
}

func names(registry []Entry) []string {
	var out []string
	for _, e := range registry {
		out = append(out, e.Name)
	}
	return out
}

// Settings names the hyper-parameters of a model.
func (e Entry) Settings() []string {
	if e.Defaults == nil {
		return nil
	}
	return conf.Names(e.Defaults)
}
