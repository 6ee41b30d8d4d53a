// Package registry lists the models: one line for each, with its name, defaults,
// version and constructor.
package registry

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"

	"famebench/baselines"
	"famebench/datasets"
	"famebench/internal/conf"
	"famebench/internal/rank"
	"famebench/internal/record"
	"famebench/internal/torch"
	"famebench/internal/train"
	"famebench/models"
	"famebench/pretrain"
)

// Entry is a model as the command knows it.
type Entry struct {
	Name    string
	Summary string // one line for -list
	Version int    // raised by hand when a change of the code moves the model's numbers
	// Defaults points to the model's configuration struct (toml and json tags)
	// with its default values; nil for floors.
	Defaults any
	// Base names the model of which this one is a variant: its settings and training
	// settings hold here too, weaker than the variant's own. Fix sets what makes the
	// variant; no configuration changes that.
	Base string
	Fix  func(config any)
	// Text: the item table starts from the items' texts, as StartConfig says;
	// FixStart sets what makes the entry.
	Text     bool
	FixStart func(*pretrain.StartConfig)
	// Objectives are the ways of training that the model can do, its default first;
	// none for floors.
	Objectives []string
	// Exactly one of the two. Neural gets a copy of Defaults with the run's
	// settings in it.
	Neural func(rt *torch.Runtime, config any, t train.Config, numItems int) (models.Model, error)
	Floor  func(*datasets.Split) (rank.Scorer, error)
}

// Models of which others are made.
var (
	sasrecEntry = Entry{Name: "sasrec", Summary: "causal transformer (Kang and McAuley 2018)", Version: 2,
		Defaults: baselines.SASRecDefaults(), Objectives: []string{train.AllPositions, train.Prefix}, Neural: Constructor(baselines.NewSASRec)}
	fameEntry = fame("fame", "facet-aware heads of experts (Liu et al. 2024), with the start that lets it learn", nil)
)

// Models lists every model. Adding one is a line here and a file in
// baselines or models.
var Models = []Entry{
	{Name: "popularity", Summary: "floor: training count of an item", Version: 1, Floor: baselines.NewPopularity},
	{Name: "markov", Summary: "floor: how often an item followed the last one, then popularity", Version: 1, Floor: baselines.NewMarkov},
	sasrecEntry,
	{Name: "bert4rec", Summary: "bidirectional transformer that fills in hidden items (Sun et al. 2019)", Version: 1,
		Defaults: baselines.BERT4RecDefaults(), Objectives: []string{train.Cloze}, Neural: Constructor(baselines.NewBERT4Rec)},
	{Name: "core", Summary: "weighted mean of the session's own item embeddings (Hou et al. 2022)", Version: 1,
		Defaults: baselines.COREDefaults(), Objectives: []string{train.AllPositions, train.Prefix}, Neural: Constructor(baselines.NewCORE)},
	{Name: "duorec", Summary: "SASRec with contrast between views of sequences (Qiu et al. 2022)", Version: 1,
		Defaults: baselines.DuoRecDefaults(), Objectives: []string{train.Prefix}, Neural: Constructor(baselines.NewDuoRec)},
	fameEntry,
	fame("fame-plain", "exactly as the paper writes it: no residual around the experts, facets from N(0, .02)",
		func(c *models.FAMEConfig) { c.Residual, c.FacetStart = false, models.FacetsNormal }),
	fame("fame-no-moe", "one query a head", func(c *models.FAMEConfig) { c.Experts = 1 }),
	fame("fame-average-gate", "the heads' scores weigh the same", func(c *models.FAMEConfig) { c.Gate = models.GateAverage }),
	fame("fame-static-gate", "the heads' weights are the same for every user", func(c *models.FAMEConfig) { c.Gate = models.GateStatic }),
	atVersion(2, fame("fame-concat", "no facets: the heads side by side, one projection", func(c *models.FAMEConfig) { c.Gate = models.GateConcat })), // 2: starts at the identity
	fame("fame-top1-gate", "the head with the highest weight scores alone", func(c *models.FAMEConfig) { c.Gate = models.GateTop1 }),
	fromText(fameEntry, "fame-plus", "FAME whose item table starts from the items' texts, a facet a head (arXiv 2601.12301)", nil),
	fromText(fameEntry, "fame-plus-random", "FAME+ without texts: what the scale of the start alone does", func(s *pretrain.StartConfig) { s.Config.Start = pretrain.StartRandom }),
	fromText(fameEntry, "fame-plus-pca", "FAME that starts from the texts' principal components", func(s *pretrain.StartConfig) { s.Config.Start = pretrain.StartPCA }),
	fromText(fameEntry, "fame-plus-one-facet", "FAME+ whose heads all learn the same labels", func(s *pretrain.StartConfig) { s.Config.Start = pretrain.StartOneFacet }),
	fromText(fameEntry, "fame-plus-frozen", "FAME+ whose item table stays as it starts", func(s *pretrain.StartConfig) { s.Frozen = true }),
	fromText(sasrecEntry, "sasrec-plus", "SASRec with FAME+'s start: is it FAME or the text?", asManyHeads),
}

// asManyHeads makes a start that has as many heads as FAME's, if no other number is
// set: attention in a model without facets has nothing to do with them.
func asManyHeads(s *pretrain.StartConfig) {
	if s.Heads == 0 {
		s.Heads = models.FAMEDefaults().Heads
	}
}

// fromText is another model whose item table starts from texts.
func fromText(base Entry, name, summary string, fix func(*pretrain.StartConfig)) Entry {
	base.Base, base.Name, base.Summary = base.Name, name, summary
	base.Text, base.FixStart = true, fix
	return base
}

// fameVersion is that of FAME and its variants, but for those at a version of their own.
const fameVersion = 1

// atVersion is a variant whose numbers moved when its base's did not.
func atVersion(version int, e Entry) Entry {
	e.Version = version
	return e
}

// fame is FAME or, with fix, a variant of it.
func fame(name, summary string, fix func(*models.FAMEConfig)) Entry {
	c := models.FAMEDefaults()
	e := Entry{Name: name, Summary: summary, Version: fameVersion, Defaults: c,
		Objectives: []string{train.AllPositions, train.Prefix}, Neural: Constructor(models.NewFAME)}
	if fix != nil {
		fix(c)
		e.Base, e.Fix = "fame", func(config any) { fix(config.(*models.FAMEConfig)) }
	}
	return e
}

// Lineage names the model and, before it, the one of which it is a variant: the
// tables of the configuration that hold for it, weaker first.
func (e Entry) Lineage() []string {
	if e.Base == "" {
		return []string{e.Name}
	}
	return []string{e.Base, e.Name}
}

// Constructor fits a model's constructor, which takes the model's own configuration,
// to the registry.
func Constructor[C any, M models.Model](build func(rt *torch.Runtime, config *C, loss models.ItemLoss, items, maxLen int) (M, error)) func(*torch.Runtime, any, train.Config, int) (models.Model, error) {
	config := reflect.TypeFor[*C]()
	constructors[config] = append(constructors[config], functionName(build))
	return func(rt *torch.Runtime, config any, t train.Config, items int) (models.Model, error) {
		return build(rt, config.(*C), t.ItemLoss(), items, t.MaxLen)
	}
}

// TrainDefaults are the training settings of a run of the model that names none.
func (e Entry) TrainDefaults() train.Config {
	t := train.Defaults()
	if len(e.Objectives) > 0 {
		t.Objective = e.Objectives[0]
	}
	return t
}

// CheckObjective makes sure that the model can be trained as t says.
func (e Entry) CheckObjective(t train.Config) error {
	if e.Floor == nil && !slices.Contains(e.Objectives, t.Objective) {
		return fmt.Errorf("objective = %q: %s can be trained by %q only; models.M.train.objective sets that of one model", t.Objective, e.Name, e.Objectives)
	}
	return nil
}

// BaseOf names the model of which name is a variant, or name itself.
func BaseOf(entries []Entry, name string) string {
	e, _ := Find(entries, name)
	return cmp.Or(e.Base, name)
}

// Proposed tells whether a model is the papers' proposal, FAME, or has a part of it:
// a variant, or a start from texts. The others are its baselines.
func Proposed(entries []Entry, name string) bool {
	e, _ := Find(entries, name)
	return BaseOf(entries, name) == "fame" || e.Text
}

// Find returns the entry of a name.
func Find(entries []Entry, name string) (Entry, bool) {
	for _, e := range entries {
		if e.Name == name {
			return e, true
		}
	}
	return Entry{}, false
}

// Names are those of the entries, in their order.
func Names(entries []Entry) []string {
	var out []string
	for _, e := range entries {
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

// StartDefaults are the settings of a model's spec that names none, with what makes the
// variant.
func (e Entry) StartDefaults() pretrain.StartConfig {
	s := pretrain.SpecStart()
	if e.FixStart != nil {
		e.FixStart(&s)
	}
	return s
}

// Versions are those of this build.
func (e Entry) Versions() record.Versions {
	if e.Floor != nil {
		return record.Versions{Model: e.Version, Rank: rank.Version}
	}
	return record.Versions{Model: e.Version, Train: train.Version, Rank: rank.Version}
}
