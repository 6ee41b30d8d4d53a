// Package train fits a neural model to the training sequences of a split and
// stops by validation. It is one plain loop: cut the sequences into samples,
// batch them at random, step, and after each epoch rank the validation cases;
// keep the best weights; write a checkpoint from which a killed run goes on to
// the same result, bit for bit.
//
// A training step is counted in targets (items to be predicted), not in
// sequences, so that a batch of 256 means the same whether a sample is a whole
// sequence or a prefix of one.
package train

import (
	"fmt"
	"math"
	"slices"
	"time"

	"famebench/internal/record"
	"famebench/models"
)

// Version is raised by hand when a change here moves a trained model's numbers.
// It is part of every run's id.
const Version = 3

// Objectives: how training sequences become samples.
const (
	// AllPositions scores every position of a sequence in one pass. For a
	// causal encoder with right padding that is the loss over all prefixes of
	// the sequence at a fraction of the work.
	AllPositions = "all-positions"
	// Prefix makes one sample of each prefix, as RecBole and its forks do. A Contrastive
	// model may ask for all prefixes of a sequence at once; batches then count sequences.
	Prefix = "prefix"
	// Cloze masks some items of a sequence, chosen again in every epoch, and predicts
	// them from the rest.
	Cloze = "cloze"
)

var objectives = []string{AllPositions, Prefix, Cloze}

// Precisions of the operands of matrix products in training. Sums, and everything else,
// are float32.
const (
	Float32  = "float32"
	BFloat16 = "bfloat16"
)

var precisions = []string{Float32, BFloat16}

// Config is the [train] section of a configuration.
type Config struct {
	Objective       string  `toml:"objective" json:"objective"`               // "all-positions", "prefix" or "cloze"
	Loss            string  `toml:"loss" json:"loss"`                         // one of models.LossKinds
	Negatives       int     `toml:"negatives" json:"negatives"`               // sampled negatives per target (gbce, sampled-softmax)
	Calibration     float64 `toml:"calibration" json:"calibration"`           // gbce's t, 0 to 1
	MaskRatio       float64 `toml:"mask_ratio" json:"mask_ratio"`             // share of a sequence's items that are hidden (cloze)
	MaskLast        float64 `toml:"mask_last" json:"mask_last"`               // share of sequences of which only the last item is (cloze)
	MaskPrefix      bool    `toml:"mask_prefix" json:"mask_prefix"`           // whether that item is the last of a random prefix, not of the whole sequence or window (cloze)
	BatchTargets    int     `toml:"batch_targets" json:"batch_targets"`       // targets of a step
	Epochs          int     `toml:"epochs" json:"epochs"`                     // budget
	Patience        int     `toml:"patience" json:"patience"`                 // evaluations without a better validation NDCG@10 before stopping
	PatienceAfter   int     `toml:"patience_after" json:"patience_after"`     // epochs whose evaluations do not count for Patience
	EvalEvery       int     `toml:"eval_every" json:"eval_every"`             // epochs between evaluations
	LearningRate    float64 `toml:"learning_rate" json:"learning_rate"`       // Adam's
	WeightDecay     float64 `toml:"weight_decay" json:"weight_decay"`         // Adam's L2
	Precision       string  `toml:"precision" json:"precision"`               // "float32" or "bfloat16": operands of the products of the dense layers and of the loss "ce"
	ItemScale       float64 `toml:"item_scale" json:"item_scale"`             // the item table at the start, as a multiple of what the model draws; applied before Fit
	MaxLen          int     `toml:"max_len" json:"max_len"`                   // L: most items of a model input
	Stride          int     `toml:"stride" json:"stride"`                     // step between the windows of a longer history; where it is not set, half of MaxLen
	TimeLimit       float64 `toml:"time_limit" json:"time_limit"`             // seconds of training; 0 none
	CheckpointEvery float64 `toml:"checkpoint_every" json:"checkpoint_every"` // seconds between checkpoints within an epoch; no result depends on it
}

// Defaults are the settings of a run that names none.
func Defaults() Config {
	return Config{
		Objective:       AllPositions,
		Loss:            "ce",
		Negatives:       256,
		Calibration:     .75,
		MaskRatio:       .2,
		MaskLast:        .5,
		MaskPrefix:      true,
		BatchTargets:    512,
		Epochs:          200,
		Patience:        10,
		EvalEvery:       1,
		LearningRate:    1e-3,
		Precision:       Float32,
		ItemScale:       1,
		MaxLen:          50,
		Stride:          25,
		CheckpointEvery: 60,
	}
}

// FollowMaxLen sets what follows MaxLen where it is not set: windows that overlap by
// half, as with the defaults.
func (c *Config) FollowMaxLen() { c.Stride = max(1, c.MaxLen/2) }

// Ignores reports whether a setting makes no difference with the others. Specs have it at its
// default then.
func (c Config) Ignores(key string) bool {
	switch key {
	case "negatives":
		return c.Loss != "gbce" && c.Loss != "sampled-softmax"
	case "calibration":
		return c.Loss != "gbce"
	case "mask_ratio", "mask_last", "mask_prefix":
		return c.Objective != Cloze
	}
	return false
}

// FollowItems sets what follows the number of items, V, where it is not set: a loss
// samples no more negatives than there are.
func (c *Config) FollowItems(items int) {
	if items > 1 && !c.Ignores("negatives") {
		c.Negatives = min(c.Negatives, items-1)
	}
}

// ItemLoss is the loss that the model is to compute.
func (c Config) ItemLoss() models.ItemLoss {
	return models.ItemLoss{Kind: c.Loss, Negatives: c.Negatives, Calibration: c.Calibration}
}

// Validate names the first setting that cannot be; items is V, or 0 while it is
// not known.
func (c Config) Validate(items int) error {
	bad := func(key string, got any, want string) error {
		return fmt.Errorf("train.%s = %v: expected %s", key, got, want)
	}
	switch {
	case !slices.Contains(objectives, c.Objective):
		return bad("objective", c.Objective, fmt.Sprintf("one of %q", objectives))
	case !(c.MaskRatio > 0 && c.MaskRatio <= 1):
		return bad("mask_ratio", c.MaskRatio, "more than 0, at most 1")
	case !(c.MaskLast >= 0 && c.MaskLast <= 1):
		return bad("mask_last", c.MaskLast, "0 to 1")
	case c.BatchTargets < 1:
		return bad("batch_targets", c.BatchTargets, "at least 1")
	case c.Epochs < 1:
		return bad("epochs", c.Epochs, "at least 1")
	case c.Patience < 1:
		return bad("patience", c.Patience, "at least 1")
	case c.PatienceAfter < 0:
		return bad("patience_after", c.PatienceAfter, "at least 0")
	case c.EvalEvery < 1:
		return bad("eval_every", c.EvalEvery, "at least 1")
	case !(c.LearningRate > 0 && c.LearningRate < 10):
		return bad("learning_rate", c.LearningRate, "more than 0 and below 10")
	case !(c.WeightDecay >= 0 && c.WeightDecay < 10):
		return bad("weight_decay", c.WeightDecay, "0 or more and below 10")
	case !slices.Contains(precisions, c.Precision):
		return bad("precision", fmt.Sprintf("%q", c.Precision), fmt.Sprintf("one of %q", precisions))
	case !(c.ItemScale > 0 && c.ItemScale <= 1000):
		return bad("item_scale", c.ItemScale, "more than 0, at most 1,000")
	case c.MaxLen < 1:
		return bad("max_len", c.MaxLen, "at least 1")
	case c.Stride < 1 || c.Stride > c.MaxLen:
		return bad("stride", c.Stride, fmt.Sprintf("1 to max_len (%d)", c.MaxLen))
	case !(c.TimeLimit >= 0) || math.IsInf(c.TimeLimit, 1):
		return bad("time_limit", c.TimeLimit, "0 (none) or seconds")
	case !(c.CheckpointEvery > 0) || math.IsInf(c.CheckpointEvery, 1):
		return bad("checkpoint_every", c.CheckpointEvery, "more than 0 seconds")
	}
	if items == 0 {
		items = 1 << 31
	}
	if err := c.ItemLoss().Validate(items); err != nil {
		return fmt.Errorf("train.%w", err)
	}
	return nil
}

// How training can end without a record.
const (
	StopNaN       record.Status = "nan"       // the loss was no finite number
	StopInterrupt record.Status = "interrupt" // the context was cancelled; the checkpoint goes on from there
)

// Progress is the state of a run while it trains or ranks. A value that is not known yet
// is zero.
type Progress struct {
	Epoch            int           `json:"epoch,omitempty"`  // current, from 1
	Epochs           int           `json:"epochs,omitempty"` // budget
	Step             int           `json:"step,omitempty"`   // of this epoch; when ranking: users done
	Steps            int           `json:"steps,omitempty"`
	Loss             float64       `json:"loss,omitempty"`               // mean of this epoch so far
	TargetsPerSecond float64       `json:"targets_per_second,omitempty"` // of this epoch so far
	ETA              time.Duration `json:"eta,omitempty"`                // to the end of the budget; patience may end it sooner
	Valid            float64       `json:"valid,omitempty"`              // last validation NDCG@10, seen items removed
	Best             float64       `json:"best,omitempty"`               // best validation NDCG@10
	Evaluating       bool          `json:"evaluating,omitempty"`         // ranking the validation cases
	EpochDone        bool          `json:"epoch_done,omitempty"`         // the epoch is over and evaluated; Loss and Valid are this epoch's
}
