// Package pretrain initialises the item table of a recommender from the items'
// metadata, as FAME+ does (Liu et al. 2026, arXiv 2601.12301). A frozen text
// encoder turns an item's title, brand and so on into a vector s_v. For each facet
// of the items a projection head P_h is trained with a supervised contrastive loss
// on the normalised projections: items with the same label are pulled together,
// others pushed apart. The initial row of an item is [P_1(s_v)‖…‖P_H(s_v)], so
// FAME's head h sees facet h through W_f^(h).
//
// Data flows one way: datasets.Metadata → texts (TextConfig) → vectors (package
// bert) → Train, which returns the table and a record of its training.
//
// Shapes in comments: V items, s size of a text vector, d of a row of the table, H
// heads, n items of a batch.
package pretrain

import (
	"fmt"
	"slices"
)

// Version is raised by hand when a change here changes a table's numbers.
const Version = 2

// Values of Config's settings.
const (
	InitContrast = "contrast"  // FAME+: one facet per head
	InitOneFacet = "one-facet" // the same without facets: all heads learn one set of labels, the union of all facets'
	InitPCA      = "pca"       // the text vectors' principal components, not trained
	InitRandom   = "random"    // N(0, .02·Scale), as without text
	// InitTexts makes no table: only the vectors of the texts are used. The baseline text-knn
	// has it, and no configuration can set it.
	InitTexts = "texts"

	HeadLinear = "linear" // s → d/H
	HeadMLP    = "mlp"    // s → s, GELU, s → d/H

	ExtraCycle   = "cycle"   // head h has facet h mod F
	ExtraDropout = "dropout" // heads after the F-th learn to tell items apart: an item's only positive is itself under another dropout mask
)

// Config is the part of the [pretrain] section that Train needs; InitConfig is all of it.
type Config struct {
	Init           string  `toml:"start" json:"start"`                     // of the item table: "contrast", "one-facet", "pca" or "random"; default "contrast"
	Scale          float64 `toml:"scale" json:"scale"`                     // norm of a row, as a multiple of the expected norm of a randomly initialised one; default 1
	Epochs         int     `toml:"epochs" json:"epochs"`                   // passes of each head over the items; default 20
	Batch          int     `toml:"batch" json:"batch"`                     // items of a step, n; default 512
	Temperature    float64 `toml:"temperature" json:"temperature"`         // τ, which divides the cosines; default .07
	LearningRate   float64 `toml:"learning_rate" json:"learning_rate"`     // Adam's; default .001
	Head           string  `toml:"head" json:"head"`                       // "linear" or "mlp"; default "linear"
	ExtraHeads     string  `toml:"extra_heads" json:"extra_heads"`         // what the heads beyond the number of facets learn: "cycle" or "dropout"; default "cycle"
	ViewDropout    float64 `toml:"view_dropout" json:"view_dropout"`       // share of a text vector that each view of an item lacks (extra_heads = "dropout"); default .1
	DropText       float64 `toml:"drop_text" json:"drop_text"`             // share of the items with text, chosen at random, that are treated as if they had none; default 0
	ShuffledLabels float64 `toml:"shuffled_labels" json:"shuffled_labels"` // share of a facet's training items, chosen at random, that exchange labels; default 0
}

// Defaults are the settings of a run that configures none. The paper's values
// could not be read; the temperature is that of Khosla et al., Adam's rate the
// usual one.
func Defaults() Config {
	return Config{
		Init:         InitContrast,
		Scale:        1,
		Epochs:       20,
		Batch:        512,
		Temperature:  .07,
		LearningRate: 1e-3,
		Head:         HeadLinear,
		ExtraHeads:   ExtraCycle,
		ViewDropout:  .1,
	}
}

// Validate reports the first invalid value.
func (c Config) Validate() error {
	inits, heads := []string{InitContrast, InitOneFacet, InitPCA, InitRandom}, []string{HeadLinear, HeadMLP}
	extra := []string{ExtraCycle, ExtraDropout}
	bad := func(key string, got any, want string) error {
		return fmt.Errorf("pretrain.%s = %v: expected %s", key, got, want)
	}
	switch {
	case !slices.Contains(inits, c.Init):
		return bad("start", c.Init, fmt.Sprintf("one of %q", inits))
	case !(c.Scale > 0 && c.Scale <= 1000):
		return bad("scale", c.Scale, "more than 0, at most 1,000")
	case c.Epochs < 1:
		return bad("epochs", c.Epochs, "at least 1")
	case c.Batch < 4:
		return bad("batch", c.Batch, "at least 4 items: a pair, and others to compare it with")
	case !(c.Temperature > 0 && c.Temperature <= 100):
		return bad("temperature", c.Temperature, "more than 0, at most 100")
	case !(c.LearningRate > 0 && c.LearningRate < 10):
		return bad("learning_rate", c.LearningRate, "more than 0 and below 10")
	case !slices.Contains(heads, c.Head):
		return bad("head", c.Head, fmt.Sprintf("one of %q", heads))
	case !slices.Contains(extra, c.ExtraHeads):
		return bad("extra_heads", c.ExtraHeads, fmt.Sprintf("one of %q", extra))
	case !(c.ViewDropout > 0 && c.ViewDropout < 1):
		return bad("view_dropout", c.ViewDropout, "more than 0 and below 1")
	case !(c.DropText >= 0 && c.DropText < 1):
		return bad("drop_text", c.DropText, "0 or more and below 1")
	case !(c.ShuffledLabels >= 0 && c.ShuffledLabels <= 1):
		return bad("shuffled_labels", c.ShuffledLabels, "0 to 1")
	}
	return nil
}
