// Package aggregate turns the records of a suite into what is shown of it:
// means and deviations over seeds, the best baseline, tests against it, curves,
// published numbers beside ours. It formats nothing; package report formats and
// computes nothing. A Suite is plain data, so package suite keeps it in a file
// (results/summaries/SUITE.json) and makes it again only if a record behind it, the plan
// or this code has changed.
package aggregate

import (
	"famebench/datasets"
	"famebench/internal/record"
)

// Suite is all that is shown of a suite.
type Suite struct {
	Name    string `json:"name"`
	Summary string `json:"summary"`
	// Hypothesis was written before the runs; "": there is none.
	Hypothesis string           `json:"hypothesis,omitempty"`
	Axes       []string         `json:"axes,omitempty"` // settings that a sweep varies, as "heads" or "train.learning_rate"
	Datasets   []datasets.Stats `json:"datasets"`
	Tables     []Table          `json:"tables"` // one per data set, in the suite's order
	Checks     []Check          `json:"checks,omitempty"`
	Claims     []Claim          `json:"claims,omitempty"`
	Contrasts  []Contrast       `json:"contrasts,omitempty"`
	// EqualWithin is the margin of Equality in percent; 0: the suite does not ask.
	EqualWithin float64    `json:"equal_within,omitempty"`
	Equality    []Equality `json:"equality,omitempty"`
	// Interactions are those that the suite asks for, by model and seen-item rule.
	Interactions []Interaction `json:"interactions,omitempty"`
	// Pairs are the comparisons of two rows that the suite asks for, by data set and pair.
	Pairs *Comparison `json:"pairs,omitempty"`
	Notes []string    `json:"notes,omitempty"` // about the suite as a whole: missing, failed and stale runs

	Trials []record.Trial `json:"trials,omitempty"` // of a search, which has nothing else
}

// Table compares the models on one data set.
type Table struct {
	Dataset  string   `json:"dataset"`
	Protocol string   `json:"protocol"`
	Users    int      `json:"users"`             // with test cases
	Cases    int      `json:"cases,omitempty"`   // test cases, if a user has several; 0: each user has one
	Average  string   `json:"average,omitempty"` // what metrics are averaged over: "" for test cases, ByUser
	Items    int      `json:"items"`
	Baseline string   `json:"baseline,omitempty"` // label of the row that the others are tested against: the baseline that is best on validation, unless BaselineNamed
	Proposed string   `json:"proposed,omitempty"` // label of the proposal (no baseline) that is best on validation
	Rows     []Row    `json:"rows"`
	Notes    []string `json:"notes"`

	// BaselineNamed says that the suite names the model of the baseline.
	BaselineNamed bool `json:"baseline_named,omitempty"`

	Breakdowns []Breakdown `json:"breakdowns,omitempty"`
	Complexity *Complexity `json:"complexity,omitempty"`

	// Columns are those of the comparison that are shown, see Suite.Show; nil: as Shown(nil).
	Columns []string `json:"-"`

	// Pictures show held-out items before and after the heads that were initialised from
	// texts, in the first seed of the row PicturesOf.
	Pictures   []record.Picture `json:"pictures,omitempty"`
	PicturesOf string           `json:"pictures_of,omitempty"`
}

// WhyBaseline says, after its name, why the baseline is the baseline.
func (t *Table) WhyBaseline() string {
	if t.BaselineNamed {
		return "the baseline that the suite names"
	}
	return "the baseline that is best on validation"
}

// Row is a model with one setting of everything but the seed.
type Row struct {
	Model     string         `json:"model"`
	Label     string         `json:"label"`        // unique in the table: the model, and its place on the axes
	At        map[string]any `json:"at,omitempty"` // its value on each axis of the suite that it has
	Baseline  bool           `json:"baseline"`     // what the papers' proposals (FAME and its variants) are compared with
	NonNeural bool           `json:"floor"`        // nothing is trained
	Valid     Cell           `json:"valid"`        // best validation NDCG@10, seen items removed; N is 0 for non-neural baselines
	Removed   Rule           `json:"removed"`
	Kept      Rule           `json:"kept"`
	Curve     []CurvePoint   `json:"curve,omitempty"`  // of validation, over seeds
	Warm      bool           `json:"warm,omitempty"`   // begins with the weights of a trained model
	Source    string         `json:"source,omitempty"` // label of that model's row; "": it is not in the table
	Cost      Cost           `json:"cost"`
	Heads     []Head         `json:"heads,omitempty"`    // that were initialised from texts, in their order
	Imported  []ImportedList `json:"imported,omitempty"` // the lists of another program that the row is made from; it then has no runs
	Notes     []string       `json:"notes"`              // footnotes of the row
	Runs      []Run          `json:"runs"`
	// Reference says that the model knows how the data were generated. It is not ranked among
	// the others, nor tested against the baseline.
	Reference bool `json:"reference,omitempty"`
}

// ImportedList is a file of another program's lists.
type ImportedList struct {
	ID     string `json:"id"` // of the imported record
	File   string `json:"file"`
	SHA256 string `json:"file_sha256"`
	Rule   string `json:"rule"`
	Seed   int64  `json:"seed"`
	Length int    `json:"length"`
}

// SeenItemRules are the names of the two seen-item rules, in the order of tables.
var SeenItemRules = []string{"removed", "kept"}

// Under returns the row's test metrics under a seen-item rule.
func (r *Row) Under(rule string) *Rule {
	if rule == "kept" {
		return &r.Kept
	}
	return &r.Removed
}

// Rule holds a row's test metrics under one seen-item rule.
type Rule struct {
	Metrics map[string]Cell `json:"metrics"`          // by name, such as "NDCG@10"
	Beyond  map[string]Cell `json:"beyond,omitempty"` // metrics beyond accuracy, over the seeds whose records have them
	Test    *Test           `json:"test,omitempty"`   // of NDCG@10 against the baseline; nil for the baseline itself
	// OfOracle is NDCG@10 in percent of the oracle's, an upper bound; nil if the table has
	// no oracle.
	OfOracle *Cell `json:"of_oracle,omitempty"`
}

// Metric is a metric of the row, of accuracy or beyond it; N is 0 if no record has it.
func (r *Rule) Metric(name string) Cell {
	if c, ok := r.Metrics[name]; ok {
		return c
	}
	return r.Beyond[name]
}

// Cell is a metric over the seeds of a row.
type Cell struct {
	Mean   float64 `json:"mean"`
	SD     float64 `json:"sd"`               // sample standard deviation; 0 for one seed
	N      int     `json:"n"`                // seeds
	Best   bool    `json:"best,omitempty"`   // the highest mean of its column
	Second bool    `json:"second,omitempty"` // the second highest
	// Gain is over the table's baseline in percent of it. It is nil without a baseline and
	// where the baseline has 0: nothing is a percentage of that.
	Gain *float64 `json:"gain,omitempty"`
}

// Test compares the row with the table's baseline: per-user NDCG@10, averaged
// over seeds, users paired. If users have several test cases, the value of a user is the sum
// over them, scaled so that the mean over users is the metric.
type Test struct {
	Difference  float64 `json:"difference"` // mean of row - baseline
	Low         float64 `json:"low"`        // 95 % bootstrap interval over users and seeds
	High        float64 `json:"high"`
	P           float64 `json:"p"`      // Wilcoxon signed-rank, two-sided; exact for few users
	PHolm       float64 `json:"p_holm"` // corrected for all models of the table under this rule
	Significant bool    `json:"significant"`
	// FewSeeds says that there is no verdict, Significant being false, because the row or the
	// baseline has fewer than FewSeeds seeds.
	FewSeeds bool `json:"few_seeds,omitempty"`
	// GainLow and GainHigh are the bounds of the gain in percent of the baseline, whose mean varies
	// over the draws, too. They are nil where the baseline has 0 in one of them.
	GainLow  *float64 `json:"gain_low,omitempty"`
	GainHigh *float64 `json:"gain_high,omitempty"`
}

// SeedMean is a mean over seeds with its 95 % interval by Student's t; Low and High are Mean
// itself for fewer than two seeds.
type SeedMean struct {
	Seeds int     `json:"seeds"`
	Mean  float64 `json:"mean"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

// CurvePoint is an epoch of a row's training, over the seeds that reached it.
type CurvePoint struct {
	Epoch      int  `json:"epoch"`
	Loss       Cell `json:"loss"`
	Valid      Cell `json:"valid"` // NDCG@10, seen items removed
	Alignment  Cell `json:"alignment"`
	Uniformity Cell `json:"uniformity"`
}

// Cost is what a row's runs took, mean over seeds, on the machines named by its
// runs.
type Cost struct {
	Parameters       int64   `json:"parameters"`
	TrainSeconds     float64 `json:"train_seconds"`
	TargetsPerSecond float64 `json:"targets_per_s"`
	PeakRSSMB        float64 `json:"peak_rss_mb"`
	Epochs           float64 `json:"epochs"`
}

// Run is where a number comes from.
type Run struct {
	ID        string             `json:"id"`
	Seed      int64              `json:"seed"`
	SHA256    string             `json:"result_sha256"`
	Commit    string             `json:"commit"`
	Dirty     bool               `json:"dirty,omitempty"`
	Status    string             `json:"status"` // why training stopped
	Epochs    int                `json:"epochs"`
	BestEpoch int                `json:"best_epoch"`
	Host      string             `json:"host"`
	CPU       string             `json:"cpu"` // or the GPU that computed
	Device    string             `json:"device"`
	Threads   int                `json:"threads"`
	Libtorch  string             `json:"libtorch"`
	Go        string             `json:"go"`
	Versions  record.Versions    `json:"versions"`           // of the code, as the spec has them
	Settings  map[string]any     `json:"settings,omitempty"` // not at the default, as "heads" or "train.epochs"
	Removed   map[string]float64 `json:"removed"`            // its own test metrics
	Kept      map[string]float64 `json:"kept"`
	Valid     float64            `json:"valid,omitempty"` // as Row.Valid
	Cost      Cost               `json:"cost"`            // as Row.Cost
}
