package plan

import (
	"errors"
	"slices"

	"famebench/internal/aggregate"
	"famebench/internal/conf"
	"famebench/internal/registry"
)

// Comparison says how the tables of a suite compare its models. Only suites of the kinds
// "compare" and "ci" have such tables.
type Comparison struct {
	// Proposed are the models that are not baselines; nil: those of the papers, see
	// registry.Proposed.
	Proposed []string `toml:"proposed" json:"proposed,omitempty"`
	// Baseline is the model that the others are tested against; "": of the models that are not
	// proposed, the one that is best on validation.
	Baseline string `toml:"baseline" json:"baseline,omitempty"`
	// Columns are those of the tables, in their order; nil: the metrics that every run has, and
	// the gain. They decide nothing but what is shown, so they are no part of an Identity.
	Columns []string `toml:"columns" json:"columns,omitempty"`
}

// Proposals are those of some models that are not baselines in a suite's tables. The tables also
// have models that the suite does not list: those that its models begin with.
func (s Suite) Proposals(entries []registry.Entry, models []string) []string {
	var out []string
	for _, model := range models {
		is := slices.Contains(s.Proposed, model)
		if s.Proposed == nil {
			is = registry.Proposed(entries, model) && model != s.Baseline
		}
		if is {
			out = append(out, model)
		}
	}
	return out
}

// checkComparison checks the keys of Comparison.
func (c *Config) checkComparison(s Suite, at suitePlaces) error {
	var errs []error
	for _, key := range []string{"proposed", "baseline", "columns"} {
		if at.has(key) && (s.Kind == KindTune || s.Kind == KindCost) {
			errs = append(errs, at.of(key).Errorf("suites of kind %q compare no models: leave it out", s.Kind))
		}
	}
	if at.has("proposed") {
		errs = append(errs, c.checkMembers(at.of("proposed"), s, s.Proposed...))
		if len(s.Proposed) == 0 {
			errs = append(errs, at.of("proposed").Errorf("expected at least one model, or no such key: then FAME and the models that are initialised from texts are the proposals"))
		}
	}
	if at.has("baseline") {
		errs = append(errs, c.checkMembers(at.of("baseline"), s, s.Baseline))
		if slices.Contains(aggregate.References, s.Baseline) {
			errs = append(errs, at.of("baseline").Errorf("%s knows how the data were generated, and no model is tested against it: expected another model", s.Baseline))
		}
		if slices.Contains(s.Proposed, s.Baseline) {
			errs = append(errs, at.of("baseline").Errorf("%q is in proposed too: expected one of the two", s.Baseline))
		}
	}
	if at.has("columns") {
		if _, err := aggregate.Shown(s.Columns); err != nil {
			errs = append(errs, at.of("columns").Errorf("%v", err))
		}
	}
	return errors.Join(errs...)
}

// checkMembers makes sure that a suite has models, each named once.
func (c *Config) checkMembers(n *conf.Node, s Suite, models ...string) error {
	for i, name := range models {
		switch known := registry.Names(c.registry); {
		case !slices.Contains(known, name):
			return n.Errorf("unknown model %s%s", conf.Quote(name), conf.Hint(name, known))
		case !slices.Contains(s.Models, name):
			return n.Errorf("the suite has no model %q%s", name, conf.Hint(name, s.Models))
		case slices.Contains(models[:i], name):
			return n.Errorf("model %q is listed twice", name)
		}
	}
	return nil
}
