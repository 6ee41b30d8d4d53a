package pretrain

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"famebench/datasets"
	"famebench/internal/bert"
	"famebench/internal/conf"
	"famebench/internal/record"
)

// InitConfig is the [pretrain] section of a configuration: how the item table of
// a model such as fame-plus is initialised from the items' texts.
type InitConfig struct {
	Config
	TextConfig
	Heads     int      `toml:"heads" json:"heads"`                     // that are trained, each for an equal part of a row; 0: as many as the model has
	Facets    []string `toml:"facets" json:"facets"`                   // learned by the heads, the first by head 1; none: all that the metadata has
	Pooling   string   `toml:"pooling" json:"pooling"`                 // of a text's token states: "mean", "cls" or "max"; "": what the encoder's folder asks for
	Normalise bool     `toml:"-" json:"normalise"`                     // text vectors are normalised: if the folder asks for it and Pooling is not set
	MaxTokens int      `toml:"max_tokens" json:"max_tokens"`           // of a text; 0: as many as the encoder takes
	Untrained string   `toml:"untrained_items" json:"untrained_items"` // rows of items that never occur in training: one of untrainedRules
	Frozen    bool     `toml:"frozen" json:"frozen"`                   // the item table keeps its initial values
	Encoder   string   `toml:"encoder" json:"-"`                       // folder of the text encoder; "": where scripts/fetch-encoder.sh puts it. Its fingerprint is part of the id
}

// InitDefaults are the settings of a configuration that sets none.
func InitDefaults() InitConfig {
	return InitConfig{Config: Defaults(), TextConfig: TextDefaults(), Facets: []string{}, MaxTokens: 128, Untrained: AsTrained}
}

// SpecInit are the settings of a spec that names none. A spec always says how texts
// are pooled. It leaves out the mean, because older specs did not name it.
func SpecInit() InitConfig {
	s := InitDefaults()
	s.Pooling = string(bert.MeanPooling)
	return s
}

// Validate checks the settings together.
func (s InitConfig) Validate() error {
	return errors.Join(s.Config.Validate(), s.TextConfig.Validate(), s.validate())
}

// validate checks the settings that InitConfig adds to those of the texts and of the
// contrast.
func (s InitConfig) validate() error {
	switch {
	case !slices.Contains(untrainedRules, s.Untrained):
		return fmt.Errorf("untrained_items = %q, expected one of %q", s.Untrained, untrainedRules)
	case s.Pooling != "" && !slices.Contains(bert.Poolings, bert.Pooling(s.Pooling)):
		return fmt.Errorf(`pooling = %q, expected one of %q, or "" for what the encoder's folder asks for`, s.Pooling, bert.Poolings)
	case s.MaxTokens != 0 && s.MaxTokens < bert.MinTokens:
		return fmt.Errorf("max_tokens = %d, expected at least %d, or 0 for as many as the encoder takes", s.MaxTokens, bert.MinTokens)
	case s.Heads < 0:
		return fmt.Errorf("heads = %d, expected at least 1, or 0 for as many as the model has", s.Heads)
	}
	for i, name := range s.Facets {
		if !datasets.IsFacetName(name) {
			return fmt.Errorf("facets: no facet %q%s", name, conf.Hint(name, datasets.FacetNames()))
		}
		if slices.Contains(s.Facets[:i], name) {
			return fmt.Errorf("facets: %q is listed twice", name)
		}
	}
	return nil
}

// Settings returns the settings that a spec names.
func (s InitConfig) Settings() (record.Settings, error) { return s.changed(false) }

// Idle returns the settings that are not the defaults, and make no difference with the others.
func (s InitConfig) Idle() (record.Settings, error) { return s.changed(true) }

// changed are the settings that are not the defaults, of those that Ignores names or of the others.
func (s InitConfig) changed(ignored bool) (record.Settings, error) {
	defaults := SpecInit()
	diff, err := record.Diff(&defaults, &s)
	maps.DeleteFunc(diff, func(key string, _ json.RawMessage) bool { return s.Ignores(key) != ignored })
	return diff, err
}

// Gone are settings that older versions had and that made no difference to any table.
// Specs of their records may name them.
var Gone = []string{"alternate", "unescape"}

// FromSpec gives the settings of which a spec names some.
func FromSpec(named record.Settings) (InitConfig, error) {
	s := SpecInit()
	named = maps.Clone(named)
	maps.DeleteFunc(named, func(key string, _ json.RawMessage) bool { return slices.Contains(Gone, key) })
	return s, named.Apply(&s)
}

// Read returns the items' texts, and the facets that the heads learn.
func (s InitConfig) Read(data *datasets.Dataset) (texts []string, facets []datasets.Facet, err error) {
	meta, err := data.Metadata()
	if err != nil {
		return nil, nil, err
	}
	if texts, err = s.TextConfig.Texts(meta, data.NumItems); err != nil {
		return nil, nil, err
	}
	if facets, err = Choose(meta.Facets(), s.Facets); err != nil {
		return nil, nil, err
	}
	if s.Learns() && len(facets) == 0 {
		return nil, nil, fmt.Errorf("start = %q learns from labels, and the metadata has none (of brand, categories, genres or year)", s.Config.Init)
	}
	return texts, facets, nil
}

// Reads reports whether the initialisation depends on the items' texts.
func (s InitConfig) Reads() bool { return s.Config.Init != InitRandom }

// Learns reports whether the initialisation depends on the items' labels.
func (s InitConfig) Learns() bool {
	return s.Config.Init == InitContrast || s.Config.Init == InitOneFacet
}

// Ignores reports whether a setting makes no difference to the initialisation.
func (s InitConfig) Ignores(key string) bool {
	switch {
	case s.Config.Init == InitTexts:
		return !slices.Contains([]string{"start", "template", "max_words", "pooling", "normalise", "max_tokens"}, key)
	case !s.Reads():
		return !slices.Contains([]string{"start", "scale", "frozen"}, key)
	case !s.Learns():
		return slices.Contains([]string{"facets", "epochs", "batch", "temperature", "learning_rate", "head", "extra_heads", "view_dropout", "shuffled_labels"}, key)
	}
	return false
}

func (s InitConfig) FacetsHash(facets []datasets.Facet) string {
	if !s.Learns() {
		return ""
	}
	return FacetsHash(facets)
}

// Shape returns the width of a model's item table and the number of heads that
// share it.
func (s InitConfig) Shape(params any) (hidden, heads int, err error) {
	all, err := record.All(params)
	if err != nil {
		return 0, 0, err
	}
	err = errors.Join(json.Unmarshal(all["hidden"], &hidden), json.Unmarshal(all["heads"], &heads))
	if s.Heads > 0 {
		heads = s.Heads
	}
	return hidden, heads, err
}

// How the rows of items that never occur in training are used. All but the first replace them
// after training, for items with a text; docs/models.md has the equations.
const (
	// AsTrained keeps them as they are after training. They were only ever pushed
	// away as negatives, all in the same direction: away from every user.
	AsTrained = "as-trained"
	// Neighbours takes the mean of the trained rows of the ten items whose initial rows
	// are nearest.
	Neighbours = "neighbours"
	// ScaledNeighbours is Neighbours with the median norm of the trained items' rows.
	ScaledNeighbours = "scaled-neighbours"
	// Nearest takes the trained row of the item whose initial row is nearest, with the median
	// norm of the trained items' rows.
	Nearest = "nearest"
	// Projection takes the initial row, which is the projected text, with the median norm
	// of the trained items' rows.
	Projection = "projection"
	// Ridge predicts the row from the text by a ridge regression, fitted on the trained items,
	// and gives it the median norm of the trained items' rows. Its penalty is chosen
	// by the cold validation cases.
	Ridge = "ridge"
)

var untrainedRules = []string{AsTrained, Neighbours, ScaledNeighbours, Nearest, Projection, Ridge}
