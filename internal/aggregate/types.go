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
	Notes        []string      `json:"notes,omitempty"` // about the suite as a whole: missing, failed and stale runs

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
	// OfOracle is NDCG@10 in percent of the oracle's, the best attainable; nil if the table has
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
	// GainLow and GainHigh are the interval in percent of the baseline. Like Cell.Gain
	// they are nil where the baseline has 0.
	GainLow  *float64 `json:"gain_low,omitempty"`
	GainHigh *float64 `json:"gain_high,omitempty"`
}

// Breakdown shows the rows of a table on groups of its test cases.
type Breakdown struct {
	By     string         `json:"by"`     // ByTarget or ByHistory
	Groups []UserGroup    `json:"groups"` // every test case is in one
	Rows   []BreakdownRow `json:"rows"`   // as Table.Rows
}

// UserGroup is some of a table's test cases, and so of its users if each has one.
type UserGroup struct {
	Label string `json:"label"` // what they have of Breakdown.By, as "1-5"
	Users int    `json:"users"` // cases; 0: the data has none such
}

// BreakdownRow is a row on each group, by metric (BreakdownColumns).
type BreakdownRow struct {
	Label   string                `json:"label"` // as Row.Label
	Removed []map[string]Estimate `json:"removed"`
	Kept    []map[string]Estimate `json:"kept"`
}

// Under returns the row's estimates under a seen-item rule, by group.
func (r *BreakdownRow) Under(rule string) []map[string]Estimate {
	if rule == "kept" {
		return r.Kept
	}
	return r.Removed
}

// Estimate is the mean of a metric over a group's users and a row's seeds.
type Estimate struct {
	Mean float64 `json:"mean"`
	SD   float64 `json:"sd"`   // of the seeds' means; 0 for one seed
	N    int     `json:"n"`    // seeds; 0: nobody is in the group
	Low  float64 `json:"low"`  // 95 % bootstrap interval over users and seeds;
	High float64 `json:"high"` // Mean itself where a group is one user
}

// Complexity shows how much more a model gains from a higher value of an axis, such as more
// experts, for users with varied histories than for others.
type Complexity struct {
	Facet     string     `json:"facet"`             // of the labels
	Without   int        `json:"without,omitempty"` // users without a labelled item in their history, who are in no group
	Divisions []Division `json:"divisions"`
}

// Division is a way to divide the users into thirds by the entropy of the labels in their histories,
// and what rows gain in each third.
type Division struct {
	// EqualLength: by the place of a user among those whose histories have as many items, so that the
	// thirds hardly differ in length.
	EqualLength bool        `json:"equal_length,omitempty"`
	Groups      []UserGroup `json:"groups"`
	// Lengths are the mean number of items before the target in each group, 0 without users; nil if
	// the lengths are not stored.
	Lengths []float64       `json:"lengths,omitempty"`
	Rows    []ComplexityRow `json:"rows"`
}

// ComplexityRow compares a row with the one of its model at the lowest value of the axis, on the
// seeds that both have on one device.
type ComplexityRow struct {
	Model   string     `json:"model"`
	Label   string     `json:"label"` // as Row.Label
	Than    string     `json:"than"`  // label of the row that it is compared with
	Seeds   int        `json:"seeds"` // that both have; 0: no gains
	Removed GroupGains `json:"removed"`
	Kept    GroupGains `json:"kept"`
}

// Under returns the row's gains under a seen-item rule.
func (r *ComplexityRow) Under(rule string) *GroupGains {
	if rule == "kept" {
		return &r.Kept
	}
	return &r.Removed
}

// GroupGains are differences in NDCG@10.
type GroupGains struct {
	// Groups are as Division.Groups; nil for fewer than two users, and for all if it is unknown
	// which test cases are of one user.
	Groups []*GroupGain `json:"groups"`
	// Trend is the difference in the last group minus that in the first one.
	Trend SeedMean `json:"trend"`
}

// GroupGain is the difference in a group of users.
type GroupGain struct {
	Than       float64 `json:"than"` // of the other row
	Difference float64 `json:"difference"`
	Low        float64 `json:"low"` // 95 % bootstrap interval over users and seeds, users paired
	High       float64 `json:"high"`
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

// Head says how well a head that was initialised from texts tells the labels of its facet
// apart on held-out items, by the text vectors (before) and by the head's vectors (after),
// see record.Quality. N is 0 where that could not be measured.
type Head struct {
	Facet      string `json:"facet,omitempty"` // as record.Head
	Learned    string `json:"learned"`
	Labels     int    `json:"labels"`
	Chance     Cell   `json:"chance"` // purity of random neighbours
	Purity     Change `json:"purity"`
	Alignment  Change `json:"alignment"`
	Uniformity Change `json:"uniformity"`
}

// Change is a measure before and after a head.
type Change struct {
	Before Cell `json:"before"`
	After  Cell `json:"after"`
}

// Cells lists the measures in the order of a table: chance, then before and after.
func (h Head) Cells() []Cell {
	return []Cell{h.Chance, h.Purity.Before, h.Purity.After, h.Alignment.Before, h.Alignment.After, h.Uniformity.Before, h.Uniformity.After}
}

// Check compares a published number with ours of the same protocol.
type Check struct {
	Dataset   string  `json:"dataset"`
	Model     string  `json:"model"`
	Metric    string  `json:"metric"`
	Rule      string  `json:"rule"` // "kept", "removed" or "unknown": then the nearer of ours is compared
	Loss      string  `json:"loss"`
	ColdItems string  `json:"cold_items"`
	Source    string  `json:"source"`
	Note      string  `json:"note,omitempty"`
	Published float64 `json:"published"`

	Ours       Cell    `json:"ours"`                // N is 0: not run
	OurRule    string  `json:"our_rule,omitempty"`  // under which it was compared
	OurLoss    string  `json:"our_loss,omitempty"`  // that it was trained with
	OurLabel   string  `json:"our_label,omitempty"` // of the row
	Percent    float64 `json:"percent"`             // ours above the published one
	Within     bool    `json:"within"`              // ±5 %
	Comparable bool    `json:"comparable"`          // the number is not known to be about other data than ours
	Same       bool    `json:"same_terms"`          // and data, protocol and loss are known to be ours, and no epoch budget ended our training
}

// Equality says whether a row has the same results as the row of its model that is planned first,
// which differs from it on an axis of the suite. The validation items decide, on seeds that both
// rows have.
type Equality struct {
	Dataset    string  `json:"dataset"`
	Label      string  `json:"label"`      // of the row
	Than       string  `json:"than"`       // label of the row that it is compared with; "": that has no records on the row's device
	Seeds      int     `json:"seeds"`      // that both have; 0 also if the other row's validation NDCG@10 is 0: the numbers then mean nothing
	Difference float64 `json:"difference"` // of validation NDCG@10, mean over seeds, in percent of the other row's mean
	Low        float64 `json:"low"`        // its 95 % interval, by Student's t over the seeds, if there are several
	High       float64 `json:"high"`
	Verdict    string  `json:"verdict"` // one of the verdicts below
	// Removed and Kept are the differences of test NDCG@10 under the two seen-item rules, in
	// percent. They decide nothing.
	Removed float64 `json:"removed"`
	Kept    float64 `json:"kept"`
}

// Verdicts on equality.
const (
	EqualResults   = "equal"     // the interval lies within the margin
	UnequalResults = "different" // it lies outside
	UndecidedEqual = "undecided" // neither, or there are too few seeds for an interval
)

// Interaction says whether the effect of an axis on a model depends on the data set, for
// instance whether the best number of experts does.
type Interaction struct {
	Axis     string `json:"axis"`
	Model    string `json:"model"`
	Rule     string `json:"rule"`                // of seen items
	OfOracle bool   `json:"of_oracle,omitempty"` // the values are Rule.OfOracle instead of NDCG@10
	Places   []any  `json:"places"`              // the values of the axis
	// Rows are the data sets, in the order of the suite.
	Rows []InteractionRow `json:"rows"`
	// Seeds is how many seeds all cells have in common. Only these are analysed.
	Seeds int `json:"seeds"`
	// Sources are those of a two-way analysis of variance with the seeds as replicates: data
	// set, axis, interaction, and residual. If there are none, Untested says why.
	Sources  []Variation `json:"sources,omitempty"`
	Untested string      `json:"untested,omitempty"`
}

// InteractionRow is a data set of an Interaction.
type InteractionRow struct {
	Dataset string `json:"dataset"`
	Cells   []Cell `json:"cells"` // by place on the axis; N is 0 where there is no record
	// Best is the place with the highest mean; nil if a cell has no record. Low and High are
	// the lowest and the highest place that is best for a seed; nil if fewer than two seeds have
	// all places.
	Best any `json:"best,omitempty"`
	Low  any `json:"low,omitempty"`
	High any `json:"high,omitempty"`
}

// Variation is a source of variation, see stats.Effect.
type Variation struct {
	Source string  `json:"source"` // ByDataset, the name of the axis, ByInteraction or Residual
	DF     int     `json:"df"`
	SS     float64 `json:"ss"`
	F      float64 `json:"f"`
	P      float64 `json:"p"`
}

// Sources of variation.
const (
	ByDataset     = "data set"
	ByInteraction = "interaction"
	Residual      = "seeds" // within cells: F and P are 0
)

// Claim is a sentence of a paper and what the records say of it.
type Claim struct {
	Paper   string  `json:"paper"`
	Text    string  `json:"text"`
	Model   string  `json:"model"`
	Metric  string  `json:"metric"`
	Low     float64 `json:"low"` // claimed gain over the best baseline, percent
	High    float64 `json:"high"`
	Verdict string  `json:"verdict"` // that of all parts, or "undecided" if they differ
	// Found are the parts, one for each data set and seen-item rule that the suite asks for.
	Found []ClaimEvidence `json:"found,omitempty"`
}

// ClaimEvidence is a claim's part on one data set under one seen-item rule.
type ClaimEvidence struct {
	Dataset  string `json:"dataset"`
	Rule     string `json:"rule"`
	Verdict  string `json:"verdict"`            // "reproduced", "excluded", "undecided" or "not run"
	Label    string `json:"label,omitempty"`    // row of the claim's model; "": not run
	Baseline string `json:"baseline,omitempty"` // as Table.Baseline
	// Gain is that over the baseline in the claim's metric, in percent, with its 95 % bootstrap
	// interval over users and seeds. It is nil where Cell.Gain is.
	Gain        *float64 `json:"gain,omitempty"`
	GainLow     *float64 `json:"gain_low,omitempty"`
	GainHigh    *float64 `json:"gain_high,omitempty"`
	Significant bool     `json:"significant"` // the model is significantly better in NDCG@10
	Seeds       int      `json:"seeds"`       // of model or baseline, whichever has fewer
	// Ahead is the label of the row whose side of 0 the interval lies on; "" if the interval
	// includes 0 or there are fewer than FewSeeds seeds.
	Ahead    string    `json:"ahead,omitempty"`
	Controls []Control `json:"controls,omitempty"`
	Tuning   []Tuning  `json:"tuning,omitempty"` // of the claim's model and the baseline, if the suite's settings were searched
}

// Tuning is what a search gained for a model: how far the chosen settings are above the configured
// ones in validation NDCG@10, both trained to the end with the search's seed.
type Tuning struct {
	Model   string  `json:"model"`
	Dataset string  `json:"dataset"` // of the search; other data sets may have its values
	Gain    float64 `json:"gain"`    // in percent
}

// Contrast is a paper's claim that a model gains more over another one where a setting has some
// value than where it is 0, such as with two words of each text (0: all).
type Contrast struct {
	Paper   string             `json:"paper"`
	Text    string             `json:"text"`
	Model   string             `json:"model"`
	Over    string             `json:"over"`
	Metric  string             `json:"metric"`
	Axis    string             `json:"axis"`
	At      float64            `json:"at"`
	Verdict string             `json:"verdict"` // that of all parts, or "undecided" if they differ
	Found   []ContrastEvidence `json:"found"`   // one for each data set and seen-item rule
}

// ContrastEvidence is a contrast's part on one data set under one seen-item rule.
type ContrastEvidence struct {
	Dataset    string  `json:"dataset"`
	Rule       string  `json:"rule"`
	Verdict    string  `json:"verdict"`         // as ClaimEvidence.Verdict
	Label      string  `json:"label,omitempty"` // row of the model at the value; "": not run
	Than       string  `json:"than,omitempty"`  // its row at 0
	Gain       float64 `json:"gain"`            // at the value, in percent, mean over seeds
	GainAtZero float64 `json:"gain_at_zero"`
	// Difference is Gain minus GainAtZero, paired by seed, in percentage points.
	Difference SeedMean `json:"difference"`
}

// Control is a row that shares something with a claim's model, such as its longer training.
// The model's gain over it is what the rest of the model contributes.
type Control struct {
	Model    string   `json:"model"`
	Shares   string   `json:"shares"`          // what it shares with the claim's model
	Label    string   `json:"label,omitempty"` // of its row; "": not run
	Gain     *float64 `json:"gain,omitempty"`  // of the claim's model over it, as ClaimEvidence.Gain
	GainLow  *float64 `json:"gain_low,omitempty"`
	GainHigh *float64 `json:"gain_high,omitempty"`
	Seeds    int      `json:"seeds,omitempty"` // of model or control, whichever has fewer
}
