package plan

import (
	"slices"

	"famebench/internal/conf"
)

// seedsOfTable is the table of a suite with the seeds of some data sets.
const seedsOfTable = "seeds_of"

// seeds are the seeds of a model on a data set.
func (s Suite) seeds(dataset, model string) []int64 {
	if own, ok := s.SeedsOfModels[dataset][model]; ok {
		return own
	}
	if own, ok := s.SeedsOf[dataset]; ok {
		return own
	}
	return s.Seeds
}

// readSeedsOf reads [suites.S.seeds_of] of every layer. The seeds of a stronger layer replace the
// more special ones of weaker layers too.
func (c *Config) readSeedsOf(s *Suite) error {
	for _, layer := range c.layers() {
		suite, err := layer.Sub("suites", s.Name)
		if err != nil {
			return err
		}
		if slices.Contains(suite.Keys(), "seeds") {
			s.SeedsOf, s.SeedsOfModels = nil, nil
		}
		n, err := layer.Sub("suites", s.Name, seedsOfTable)
		if err != nil {
			return err
		}
		for _, dataset := range n.Keys() {
			node := n.Table[dataset]
			if !slices.Contains(s.Datasets, dataset) {
				return node.Errorf("the suite has no data set %q%s", dataset, conf.Hint(dataset, s.Datasets))
			}
			if s.Kind == KindTune || s.Kind == KindCost {
				return node.Errorf("suites of kind %q use their first seed only: set seeds", s.Kind)
			}
			if node.Table != nil {
				if err := readSeedsOfModels(s, node, dataset); err != nil {
					return err
				}
				continue
			}
			seeds, err := seedList(node)
			if err != nil {
				return err
			}
			if s.SeedsOf == nil {
				s.SeedsOf = map[string][]int64{}
			}
			s.SeedsOf[dataset] = seeds
			delete(s.SeedsOfModels, dataset)
		}
	}
	return nil
}

// readSeedsOfModels reads [suites.S.seeds_of.D].
func readSeedsOfModels(s *Suite, n *conf.Node, dataset string) error {
	for _, model := range n.Keys() {
		node := n.Table[model]
		if !slices.Contains(s.Models, model) {
			return node.Errorf("the suite has no model %q%s", model, conf.Hint(model, s.Models))
		}
		seeds, err := seedList(node)
		if err != nil {
			return err
		}
		if s.SeedsOfModels == nil {
			s.SeedsOfModels = map[string]map[string][]int64{}
		}
		if s.SeedsOfModels[dataset] == nil {
			s.SeedsOfModels[dataset] = map[string][]int64{}
		}
		s.SeedsOfModels[dataset][model] = seeds
	}
	return nil
}

// seedList decodes a list of seeds.
func seedList(n *conf.Node) ([]int64, error) {
	var own struct {
		Seeds []int64 `toml:"seeds"`
	}
	list := conf.NewTable(n.Where)
	list.Table["seeds"] = n
	if err := conf.Decode(list, &own); err != nil {
		return nil, err
	}
	return own.Seeds, checkSeeds(n, own.Seeds)
}

// checkSeeds makes sure that there are seeds, each one once.
func checkSeeds(n *conf.Node, seeds []int64) error {
	if len(seeds) == 0 {
		return n.Errorf("the suite has no seed: it would run nothing")
	}
	if len(seeds) > conf.MostValues {
		return n.Errorf("expected at most %d seeds, got %d", conf.MostValues, len(seeds))
	}
	seen := map[int64]bool{} // a list may be long
	for _, s := range seeds {
		if s < 0 {
			return n.Errorf("expected seeds of 0 or more, got %d", s)
		}
		if seen[s] {
			return n.Errorf("seed %d is listed twice", s)
		}
		seen[s] = true
	}
	return nil
}

// checkOneSeed makes sure that each trial of a search is one run.
func (s Suite) checkOneSeed(n *conf.Node) error {
	if s.Kind == KindTune && len(s.Seeds) > 1 {
		return n.Errorf("expected one seed, because a search has one run for each trial, got %d", len(s.Seeds))
	}
	return nil
}
