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
	"famebench/internal/facets"
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
	// with its default values; nil for non-neural baselines.
	Defaults any
	// Base names the model of which this one is a variant. Its settings and training
	// settings also apply to the variant, weaker than the variant's own. Fix sets
	// the values that define the variant; no configuration changes these.
	Base string
	// Via names the variant of Base of which this one is a variant in turn. Its settings apply
	// too, stronger than Base's. "": none.
	Via string
	Fix func(config any)
	// Text: the item table is initialised from the items' texts, as InitConfig
	// says; FromTexts reads only their vectors. FixInit sets the values that define the entry.
	Text    bool
	FixInit func(*pretrain.InitConfig)
	// InitFrom names the model whose trained weights define the variant: its runs begin with
	// them. Models without it begin with random weights, or as models.M.init_from says.
	InitFrom string
	// Objectives are the ways in which the model can be trained, its default first;
	// none for non-neural baselines.
	Objectives []string
	// Exactly one of the three is set. Neural gets a copy of Defaults with the
	// run's settings, and FromTexts the vectors of the items' texts [V+1, s], all 0 for an item
	// without a text. It is a non-neural baseline too.
	Neural    func(rt *torch.Runtime, config any, t train.Config, numItems int) (models.Model, error)
	NonNeural func(*datasets.Split) (rank.Scorer, error)
	FromTexts func(s *datasets.Split, vectors []float32) (rank.Scorer, error)
	// KnowsWorld says that a non-neural baseline knows the process that generated its data. Other
	// models know the sequences only, which other processes can generate as well.
	KnowsWorld bool
}

// Models that other entries are variants of.
var (
	sasrecEntry = Entry{Name: "sasrec", Summary: "causal transformer (Kang and McAuley 2018)", Version: 2,
		Defaults: baselines.SASRecDefaults(), Objectives: []string{train.AllPositions, train.Prefix}, Neural: Constructor(baselines.NewSASRec)}
	duorecEntry = Entry{Name: "duorec", Summary: "SASRec with a contrast between views of sequences (Qiu et al. 2022)", Version: 1,
		Defaults: baselines.DuoRecDefaults(), Objectives: []string{train.Prefix}, Neural: Constructor(baselines.NewDuoRec)}
	fameEntry = fame("fame", "facet-aware heads of experts (Liu et al. 2024), initialised so that it learns", nil)
)

// Models lists every model. Adding one is a line here and a file in
// baselines or models.
var Models = []Entry{
	{Name: "popularity", Summary: "non-neural baseline: how often the item occurs in the training data", Version: 1, NonNeural: baselines.NewPopularity},
	{Name: "markov", Summary: "non-neural baseline: how often the item followed the user's last one, then popularity", Version: 1, NonNeural: baselines.NewMarkov},
	{Name: "oracle", Summary: "non-neural baseline: the true probabilities of generated data, which no model can rank better", Version: 1, NonNeural: facets.NewOracle, KnowsWorld: true},
	{Name: "labels-known", Summary: "non-neural baseline: estimates a user's preferences in generated data from the labels in the history", Version: 1, NonNeural: facets.NewLabelsKnown, KnowsWorld: true},
	{Name: "text-knn", Summary: "non-neural baseline: how similar the item's text is to the texts of the user's latest items", Version: 1, FromTexts: baselines.NewTextKNN,
		Text: true, FixInit: func(s *pretrain.InitConfig) { s.Config.Init = pretrain.InitTexts }},
	sasrecEntry,
	{Name: "bert4rec", Summary: "bidirectional transformer that fills in masked items (Sun et al. 2019)", Version: 1,
		Defaults: baselines.BERT4RecDefaults(), Objectives: []string{train.Cloze}, Neural: Constructor(baselines.NewBERT4Rec)},
	{Name: "core", Summary: "weighted average of the session's own item embeddings (Hou et al. 2022)", Version: 1,
		Defaults: baselines.COREDefaults(), Objectives: []string{train.AllPositions, train.Prefix}, Neural: Constructor(baselines.NewCORE)},
	duorecEntry,
	fameEntry,
	atVersion(2, fame("fame-plain", "FAME as the paper writes it: no residual around the experts, facets initialised from N(0, .02)",
		func(c *models.FAMEConfig) { c.Residual, c.FacetInit = false, models.FacetsNormal })), // 2: no dropout without a residual
	fame("fame-no-moe", "FAME with one expert per head", func(c *models.FAMEConfig) { c.Experts = 1 }),
	fame("fame-average-gate", "FAME with equal weights of the heads", func(c *models.FAMEConfig) { c.Gate = models.GateAverage }),
	fame("fame-static-gate", "FAME with learned weights of the heads that are the same for every user", func(c *models.FAMEConfig) { c.Gate = models.GateStatic }),
	atVersion(2, fame("fame-concat", "FAME without facets: the heads are concatenated and projected once", func(c *models.FAMEConfig) { c.Gate = models.GateConcat })), // 2: initialised as the identity
	fame("fame-top1-gate", "FAME in which only the head with the highest weight scores", func(c *models.FAMEConfig) { c.Gate = models.GateTop1 }),
	fromText(fameEntry, "fame-plus", "FAME with an item table that is initialised from the items' texts, one facet per head (arXiv 2601.12301)", nil),
	via("fame-plus", fromText(fameEntry, "fame-plus-random", "FAME+ without texts: only the scale of its initialisation", func(s *pretrain.InitConfig) { s.Config.Init = pretrain.InitRandom })),
	via("fame-plus", fromText(fameEntry, "fame-plus-pca", "FAME that is initialised from the principal components of the texts", func(s *pretrain.InitConfig) { s.Config.Init = pretrain.InitPCA })),
	via("fame-plus", fromText(fameEntry, "fame-plus-one-facet", "FAME+ without facets: one contrast for all labels", func(s *pretrain.InitConfig) { s.Config.Init = pretrain.InitOneFacet })),
	via("fame-plus", fromText(fameEntry, "fame-plus-frozen", "FAME+ with an item table that keeps its initial values", func(s *pretrain.InitConfig) { s.Frozen = true })),
	fromText(sasrecEntry, "sasrec-plus", "SASRec with FAME+'s initialisation", asManyHeads),
	from("sasrec", fame("fame-warm", "FAME that begins with a trained SASRec, without the residual connection", noResidual)),
	via("fame-warm", from("sasrec", fame("fame-warm-residual", "FAME that begins with a trained SASRec, with the residual connection", func(c *models.FAMEConfig) { c.Residual = true }))),
	via("fame-warm", from("sasrec", fame("fame-plain-warm", "fame-plain that begins with a trained SASRec", func(c *models.FAMEConfig) { c.Residual, c.FacetInit = false, models.FacetsNormal }))),
	via("fame-warm", from("sasrec", fame("fame-warm-no-moe", "fame-warm with one expert per head", func(c *models.FAMEConfig) { noResidual(c); c.Experts = 1 }))),
	via("fame-warm", from("sasrec", fame("fame-warm-average-gate", "fame-warm with equal weights of the heads", func(c *models.FAMEConfig) { noResidual(c); c.Gate = models.GateAverage }))),
	via("fame-warm", from("sasrec", fame("fame-warm-static-gate", "fame-warm with learned weights of the heads that are the same for every user", func(c *models.FAMEConfig) { noResidual(c); c.Gate = models.GateStatic }))),
	via("fame-plus", from("sasrec-plus", fame("fame-plus-warm", "FAME that begins with a trained sasrec-plus, without the residual connection", noResidual))),
	variant(fameEntry, "fame-long", "control: FAME with as many epochs as fame-warm and its source have together"),
	from("sasrec", variant(sasrecEntry, "sasrec-continued", "control: SASRec that begins with a trained SASRec")),
	from("sasrec", variant(duorecEntry, "duorec-warm", "control: DuoRec that begins with a trained SASRec")),
}

// noResidual is the paper's form of the last layer. It learns slowly from random weights, but
// not after a trained SASRec.
func noResidual(c *models.FAMEConfig) { c.Residual = false }

// variant returns a variant of a model that differs in its configured settings only.
func variant(base Entry, name, summary string) Entry {
	base.Base, base.Name, base.Summary = base.Name, name, summary
	return base
}

// via makes an entry a variant of another variant of its base.
func via(name string, e Entry) Entry {
	e.Via = name
	return e
}

// from returns a variant that begins with the trained weights of another model.
func from(source string, e Entry) Entry {
	e.InitFrom = source
	return e
}

// asManyHeads gives an initialisation as many heads as FAME's, if no other number
// is set, because the attention heads of a model without facets have nothing to do
// with facets.
func asManyHeads(s *pretrain.InitConfig) {
	if s.Heads == 0 {
		s.Heads = models.FAMEDefaults().Heads
	}
}

// fromText returns a variant whose item table is initialised from texts.
func fromText(base Entry, name, summary string, fix func(*pretrain.InitConfig)) Entry {
	base.Base, base.Name, base.Summary = base.Name, name, summary
	base.Text, base.FixInit = true, fix
	return base
}

// fameVersion is the version of FAME and of its variants without a version of their own.
const fameVersion = 1

// atVersion gives a variant a version of its own, if its numbers changed and
// its base's did not.
func atVersion(version int, e Entry) Entry {
	e.Version = version
	return e
}

// fame returns FAME or, with fix, a variant of it.
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

// Lineage returns the model's name and, before it, those of the models of which it is a variant:
// the tables of the configuration that apply to it, weaker first.
func (e Entry) Lineage() []string {
	return slices.DeleteFunc([]string{e.Base, e.Via, e.Name}, func(name string) bool { return name == "" })
}

// Constructor adapts a model's constructor, which takes the model's own
// configuration, to the registry.
func Constructor[C any, M models.Model](build func(rt *torch.Runtime, config *C, loss models.ItemLoss, items, maxLen int) (M, error)) func(*torch.Runtime, any, train.Config, int) (models.Model, error) {
	config := reflect.TypeFor[*C]()
	constructors[config] = append(constructors[config], functionName(build))
	return func(rt *torch.Runtime, config any, t train.Config, items int) (models.Model, error) {
		before := rt.ParamSets()
		m, err := build(rt, config.(*C), t.ItemLoss(), items, t.MaxLen)
		if made := rt.ParamSets() - before; err == nil && made != 1 {
			return nil, fmt.Errorf("%s: expected one rt.NewParams(), which Params returns, got %d: parameters of another one would not be trained", functionName(build), made)
		}
		return m, err
	}
}

// Check makes sure that each entry has a name of its own and a version: a run's id has both, so runs of
// different code would have the same id.
func Check(entries []Entry) error {
	seen := map[string]bool{}
	for _, e := range entries {
		switch {
		case e.Name == "" || seen[e.Name]:
			return fmt.Errorf("registry: a model with the name %q: expected a name that no other model has", e.Name)
		case e.Version < 1:
			return fmt.Errorf("registry: model %q has version %d; expected 1, or more if its code has changed", e.Name, e.Version)
		}
		seen[e.Name] = true
	}
	return nil
}

// TrainDefaults are the training settings of a run of the model that sets none.
func (e Entry) TrainDefaults() train.Config {
	t := train.Defaults()
	if len(e.Objectives) > 0 {
		t.Objective = e.Objectives[0]
	}
	return t
}

// CheckObjective makes sure that the model can be trained with the objective of
// t.
func (e Entry) CheckObjective(t train.Config) error {
	if e.Neural != nil && !slices.Contains(e.Objectives, t.Objective) {
		return fmt.Errorf("objective = %q: expected one of %q for %s; models.M.train.objective sets that of one model", t.Objective, e.Objectives, e.Name)
	}
	return nil
}

// BaseOf returns the name of the model of which name is a variant, or name
// itself.
func BaseOf(entries []Entry, name string) string {
	e, _ := Find(entries, name)
	return cmp.Or(e.Base, name)
}

// Proposed reports whether a model is the papers' proposal, FAME, or has a part of
// it: a variant, or an initialisation from texts. The others are its baselines.
func Proposed(entries []Entry, name string) bool {
	e, _ := Find(entries, name)
	return BaseOf(entries, name) == "fame" || e.Text && e.Neural != nil
}

// Find returns the entry of a model by name.
func Find(entries []Entry, name string) (Entry, bool) {
	for _, e := range entries {
		if e.Name == name {
			return e, true
		}
	}
	return Entry{}, false
}

// Names returns the names of the entries, in their order.
func Names(entries []Entry) []string {
	var out []string
	for _, e := range entries {
		out = append(out, e.Name)
	}
	return out
}

// Settings returns the names of a model's hyper-parameters.
func (e Entry) Settings() []string {
	if e.Defaults == nil {
		return nil
	}
	return conf.Names(e.Defaults)
}

// InitDefaults are the pre-training settings of a spec that names none, with the
// values that define the variant.
func (e Entry) InitDefaults() pretrain.InitConfig {
	s := pretrain.SpecInit()
	if e.FixInit != nil {
		e.FixInit(&s)
	}
	return s
}

// Versions returns the versions of this build.
func (e Entry) Versions() record.Versions {
	if e.Neural == nil {
		return record.Versions{Model: e.Version, Rank: rank.Version}
	}
	return record.Versions{Model: e.Version, Train: train.Version, Rank: rank.Version}
}
