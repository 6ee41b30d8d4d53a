package aggregate

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"famebench/datasets"
	"famebench/internal/conf"
	"famebench/internal/record"
	"famebench/internal/stats"
)

// Claim is a sentence of a paper and what the records say of it.
type Claim struct {
	Paper   string  `json:"paper"`
	Text    string  `json:"text"`
	Model   string  `json:"model"`
	Metric  string  `json:"metric"`
	Low     float64 `json:"low"` // claimed gain over the best baseline, percent
	High    float64 `json:"high"`
	Verdict string  `json:"verdict"` // that of all parts but those on data sets of which nothing is claimed, or "undecided" if they differ
	// Found are the parts, one for each data set and seen-item rule that the suite asks for.
	Found []ClaimEvidence `json:"found,omitempty"`
}

// ClaimEvidence is a claim's part on one data set under one seen-item rule.
type ClaimEvidence struct {
	Dataset  string `json:"dataset"`
	Rule     string `json:"rule"`
	Verdict  string `json:"verdict"`            // "reproduced", "excluded", "undecided", "not claimed" or "not run"
	Label    string `json:"label,omitempty"`    // row of the claim's model; "": not run
	Baseline string `json:"baseline,omitempty"` // the row, of the models that the claim is about, that is best on validation
	// TableBaseline is Table.Baseline if that is another row, such as a control: Significant is about it.
	TableBaseline string `json:"table_baseline,omitempty"`
	// Gain is that over the baseline in the claim's metric, in percent, with its 95 % bootstrap
	// interval over users and seeds. It is nil where Cell.Gain is.
	Gain     *float64 `json:"gain,omitempty"`
	GainLow  *float64 `json:"gain_low,omitempty"`
	GainHigh *float64 `json:"gain_high,omitempty"`
	// Lacks are models of baselines without records, without which nothing is reproduced: the
	// verdict is only for them undecided.
	Lacks       []string `json:"lacks,omitempty"`
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

// claim is a table [claims.NAME] of published.toml.
type claim struct {
	Paper     string            `toml:"paper"`
	Text      string            `toml:"text"`
	Model     string            `toml:"model"`
	Metric    string            `toml:"metric"`
	Low       float64           `toml:"low"`
	High      float64           `toml:"high"`
	Datasets  []string          `toml:"datasets"`  // that the paper uses
	Baselines []string          `toml:"baselines"` // models, the best of which the claim is about
	Controls  map[string]string `toml:"controls"`  // by model: what it shares with the claim's model
}

// claimed is a claim before the records are read.
type claimed struct {
	Claim
	datasets  []string
	baselines []string
	controls  []Control
	at        *conf.Node // its table in the file
}

func (p *Published) addClaim(n *conf.Node) error {
	var c claim
	if err := conf.Decode(n, &c); err != nil {
		return err
	}
	for _, key := range []struct{ name, value string }{{"paper", c.Paper}, {"text", c.Text}, {"model", c.Model}, {"metric", c.Metric}} {
		if key.value == "" {
			return n.Errorf("%s is missing", key.name)
		}
	}
	if !slices.Contains(Columns, c.Metric) {
		return n.Table["metric"].Errorf("unknown metric %q%s", c.Metric, conf.Hint(c.Metric, Columns))
	}
	if caseValue(c.Metric) == nil {
		return n.Table["metric"].Errorf("%s is of all users at once: expected a metric of single users, such as HR@20, because a claim needs an interval", c.Metric)
	}
	if !(c.Low > 0 && c.Low <= c.High) || math.IsInf(c.High, 0) {
		return n.Errorf("low = %v, high = %v: expected gains in percent above 0, low not above high", c.Low, c.High)
	}
	if err := p.checkDatasets(n, c.Datasets); err != nil {
		return err
	}
	if len(c.Baselines) == 0 {
		return n.Errorf("baselines is missing: expected the models the best of which the claim is about, such as [\"sasrec\", \"duorec\"]")
	}
	if slices.Contains(c.Baselines, c.Model) {
		return n.Table["baselines"].Errorf("%s is the model of the claim: expected other models as its baselines", c.Model)
	}
	out := claimed{at: n, datasets: c.Datasets, baselines: c.Baselines, Claim: Claim{Paper: c.Paper, Text: c.Text, Model: c.Model, Metric: c.Metric, Low: c.Low, High: c.High}}
	for _, model := range n.Table["controls"].Keys() {
		at, shares := n.Table["controls"].Table[model], c.Controls[model]
		if model == c.Model {
			return at.Errorf("%s is the model of the claim: expected another model as its control", model)
		}
		if strings.TrimSpace(shares) == "" {
			return at.Errorf("expected what %s shares with %s, such as \"warm start\", got an empty text", model, c.Model)
		}
		out.controls = append(out.controls, Control{Model: model, Shares: shares})
	}
	p.claimed = append(p.claimed, out)
	return nil
}

// checkDatasets makes sure that the data sets of a claim are named, and that their sizes are known.
func (p *Published) checkDatasets(n *conf.Node, names []string) error {
	if len(names) == 0 {
		return n.Errorf("datasets is missing: expected the data sets that the paper uses, such as [\"beauty\", \"toys\"]")
	}
	for _, name := range names {
		if _, ok := p.sizes[name]; !ok {
			known := slices.Sorted(maps.Keys(p.sizes))
			return n.Table["datasets"].Errorf("there is no [data.%s] with its numbers of users and items%s", name, conf.Hint(name, known))
		}
	}
	return nil
}

// CheckModels makes sure that the baselines and controls of claims are models: with a misspelt name
// a claim would never be reproduced, and a control be shown as not run for ever.
func (p *Published) CheckModels(models []string) error {
	if p == nil {
		return nil
	}
	var errs []error
	for _, c := range p.claimed {
		for _, name := range c.baselines {
			if !slices.Contains(models, name) {
				errs = append(errs, c.at.Table["baselines"].Errorf("unknown model %q%s", name, conf.Hint(name, models)))
			}
		}
		for _, k := range c.controls {
			if !slices.Contains(models, k.Model) {
				errs = append(errs, c.at.Table["controls"].Table[k.Model].Errorf("unknown model %q%s", k.Model, conf.Hint(k.Model, models)))
			}
		}
	}
	return errors.Join(errs...)
}

// Verdicts on a claim and on its parts.
const (
	Reproduced = "reproduced"
	Excluded   = "excluded"
	Undecided  = "undecided"
	NotClaimed = "not claimed" // the paper says nothing of the data set
	NotRun     = "not run"
)

// claims judges the papers' claims whose model the suite has. Each of the paper's data sets that
// the suite asks for has a part for each seen-item rule, whether it was run, or is here, or not.
// Other data sets whose version is known have parts without a verdict. Other splits than the
// papers', and generated data, say nothing about the papers.
func (p *Published) claims(in Input, tables []Table, groups [][]*group) ([]Claim, error) {
	var out []Claim
	for _, c := range p.claimed {
		asked := false
		var seen []string
		for _, r := range in.Planned {
			if r.Spec.Model != c.Model || !splitAsPapers(r.Spec) {
				continue
			}
			key := dataKey(r.Spec)
			i := tableOf(groups, key)
			if !cold(r.Spec) && !p.knows(r.Spec.Dataset.Name, i, tables) {
				continue
			}
			asked = true
			if cold(r.Spec) || slices.Contains(seen, key) {
				continue
			}
			seen = append(seen, key)
			for _, rule := range SeenItemRules {
				part := ClaimEvidence{Verdict: NotRun}
				if i >= 0 {
					var err error
					if part, err = c.part(groups[i], tables[i].Baseline, rule); err != nil {
						return nil, err
					}
				}
				claimed := slices.Contains(c.datasets, r.Spec.Dataset.Name)
				if part.Verdict == Reproduced && claimed {
					var err error
					if part.Lacks, err = c.lacks(in.Planned, in.Proposals, key, groups[i]); err != nil {
						return nil, err
					}
					if part.Lacks != nil {
						part.Verdict = Undecided
					}
				}
				part.Dataset, part.Rule = r.Spec.Dataset.Name, rule
				if !claimed {
					if part.Verdict == NotRun {
						continue
					}
					part.Verdict = NotClaimed
				}
				if part.Label != "" {
					part.Tuning = tuningOf(in.Tuning[part.Dataset], groups[i], part.Label, part.Baseline)
				}
				c.Found = append(c.Found, part)
			}
		}
		if asked {
			for _, name := range in.missingOf(c.datasets) {
				for _, rule := range SeenItemRules {
					c.Found = append(c.Found, ClaimEvidence{Dataset: name, Rule: rule, Verdict: NotRun})
				}
			}
			var verdicts []string
			for _, part := range c.Found {
				verdicts = append(verdicts, part.Verdict)
			}
			c.Verdict = overall(verdicts)
			out = append(out, c.Claim)
		}
	}
	return out, nil
}

// missingOf are those of a paper's data sets that the suite asks for and that are not here.
func (in Input) missingOf(names []string) []string {
	return slices.DeleteFunc(slices.Clone(in.MissingData), func(name string) bool { return !slices.Contains(names, name) })
}

// tuningOf is what the searches gained for the models of some rows.
func tuningOf(tuning []Tuning, rows []*group, labels ...string) (out []Tuning) {
	for _, label := range labels {
		for _, g := range rows {
			i := slices.IndexFunc(tuning, func(t Tuning) bool { return t.Model == g.Model })
			if g.Label == label && i >= 0 {
				out = append(out, tuning[i])
			}
		}
	}
	return out
}

// splitAsPapers reports whether a run is of real data, split as the papers do.
func splitAsPapers(s record.Spec) bool { return !generated(s) && s.Protocol == datasets.LeaveOneOut }

// tableOf is the place of the table of some data and split, -1 if nothing was run.
func tableOf(groups [][]*group, key string) int {
	return slices.IndexFunc(groups, func(g []*group) bool { return dataKey(g[0].records[0].Result.Spec) == key })
}

// knows reports whether a data set is our version of one that papers use. table is its place
// among tables, -1 if nothing was run: then the name decides.
func (p *Published) knows(name string, table int, tables []Table) bool {
	s, ok := p.sizes[name]
	return ok && (table < 0 || s == size{tables[table].Users, tables[table].Items})
}

// lacks names the baselines without records on a data set, on any device: models of the claim
// that no row is of, and planned rows. Any of them may be the best one, so nothing that is better
// than the others reproduces a claim about the best. A suite of SASRec and FAME says nothing of
// DuoRec.
func (c claimed) lacks(planned []Planned, proposals []string, data string, rows []*group) (models []string, err error) {
	for _, name := range c.baselines {
		if !slices.ContainsFunc(rows, func(g *group) bool { return g.Model == name }) {
			models = append(models, name)
		}
	}
	for _, p := range planned {
		if dataKey(p.Spec) != data || p.Spec.NonNeural || slices.Contains(proposals, p.Spec.Model) {
			continue
		}
		key, err := keyOfAnyDevice(p.Spec)
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(rows, func(g *group) bool { return g.anyDevice == key }) {
			models = appendNew(models, p.Spec.Model)
		}
	}
	return models, nil
}

// baseline is the row that a claim's model is compared with: that of the table if the claim is about
// its model, else the one that is best on validation of those that it is about, so that neither a
// control nor a model that the paper does not know decides; "" if there is none.
func (c claimed) baseline(rows []*group, table string) string {
	about := slices.DeleteFunc(slices.Clone(rows), func(g *group) bool { return !slices.Contains(c.baselines, g.Model) })
	if slices.ContainsFunc(about, func(g *group) bool { return g.Label == table }) {
		return table
	}
	return bestOnValidation(about, true)
}

// part compares the claim's model, on one data set and under one seen-item rule, with the
// baseline and with the claim's controls. table is the baseline of its table.
func (c claimed) part(rows []*group, table, rule string) (ClaimEvidence, error) {
	own := standing(rows, c.Model)
	if own == nil {
		return ClaimEvidence{Verdict: NotRun}, nil
	}
	over, err := gainsOver(rows, own, rule, c.Metric)
	if err != nil {
		return ClaimEvidence{}, err
	}
	test := own.Under(rule).Test
	baseline := c.baseline(rows, table)
	e := ClaimEvidence{Label: own.Label, Baseline: baseline, Significant: test != nil && test.Significant && test.Difference > 0}
	if baseline != table {
		e.TableBaseline = table
	}
	if i := slices.IndexFunc(rows, func(g *group) bool { return g.Label == baseline }); i >= 0 {
		e.Seeds = min(len(own.records), len(rows[i].records))
		e.Gain, e.GainLow, e.GainHigh = over[i].mean, over[i].low, over[i].high
	}
	if e.Seeds >= FewSeeds && e.GainLow != nil {
		switch {
		case *e.GainLow > 0:
			e.Ahead = own.Label
		case *e.GainHigh < 0:
			e.Ahead = baseline
		}
	}
	e.Verdict = e.judge(c.Low)
	for _, control := range c.controls {
		if g := controlRow(rows, own, control.Model); g != nil {
			i := slices.Index(rows, g)
			control.Label, control.Seeds = g.Label, min(len(own.records), len(g.records))
			control.Gain, control.GainLow, control.GainHigh = over[i].mean, over[i].low, over[i].high
			if g.Source != own.Source && g.Source != "" && own.Source != "" && g.sourceModel() == own.sourceModel() {
				control.Shares += fmt.Sprintf("; but %s begins with %s, and %s with %s", own.Label, own.Source, g.Label, g.Source)
			}
		}
		e.Controls = append(e.Controls, control)
	}
	return e, nil
}

// sourceModel is the model whose weights a row begins with; "" if it begins with none.
func (g *group) sourceModel() string {
	if s := g.records[0].Result.Spec.Source; s != nil {
		return s.Model
	}
	return ""
}

// controlRow finds the row of a control. If the claim's model begins with the weights of a row of
// that model, it is this one, otherwise the one that stands for the model.
func controlRow(rows []*group, own *group, model string) *group {
	for _, g := range rows {
		if g.Model == model && g.Label == own.Source {
			return g
		}
	}
	return standing(onDevice(rows, own), model)
}

// judge gives the verdict on a part. With fewer than FewSeeds seeds of model or baseline it
// is open, whatever the gain: the interval then says nothing about other seeds. So it is
// without a baseline, or with one that has 0, over which a gain is undefined.
func (e ClaimEvidence) judge(low float64) string {
	switch {
	case e.Seeds < FewSeeds || e.Gain == nil:
		return Undecided
	case e.Significant && *e.Gain >= low:
		return Reproduced
	case e.GainHigh != nil && *e.GainHigh < low:
		return Excluded
	}
	return Undecided
}

// overall is the verdict of all parts if they agree. The papers claim a gain on each of their data
// sets and do not report their seen-item rule, so anything else decides nothing.
func overall(parts []string) string {
	verdict := ""
	for _, v := range parts {
		switch {
		case v == NotClaimed:
		case verdict != "" && v != verdict:
			return Undecided
		default:
			verdict = v
		}
	}
	if verdict == "" && len(parts) > 0 {
		return NotClaimed
	}
	return cmp.Or(verdict, NotRun)
}

// gainOver is a gain in percent with its 95 % interval. All are nil over a row that has 0;
// the interval is also nil if there are too few users for one.
type gainOver struct{ mean, low, high *float64 }

// gainsOver gives the gains of a row over each row of its table in a metric. The draws are
// those of the table's tests, so intervals of NDCG@10 are those of the table.
func gainsOver(rows []*group, own *group, rule, metric string) ([]gainOver, error) {
	values := make([][][]float64, len(rows))
	for i, g := range rows {
		for _, ranks := range g.ranks(rule) {
			values[i] = append(values[i], g.units.drawn(metric, ranks))
		}
	}
	var intervals []stats.Interval // of the other row against this one
	if len(values[0][0]) > 1 && !own.units.unknown {
		var err error
		if intervals, err = stats.Bootstrap(values, likeSeeds(rows), slices.Index(rows, own), draws, drawSeed); err != nil {
			return nil, err
		}
	}
	out := make([]gainOver, len(rows))
	for i, g := range rows {
		mean := g.Under(rule).Metrics[metric].Mean
		if mean <= 0 {
			continue
		}
		out[i].mean = new(100 * (own.Under(rule).Metrics[metric].Mean/mean - 1))
		// A gain of the other row is g, so that of this one is 1/(1+g) − 1. It has no interval if the
		// other row has a mean of 0 in a draw.
		if intervals != nil && intervals[i].GainLo > -1 {
			out[i].low, out[i].high = new(100*(1/(1+intervals[i].GainHi)-1)), new(100*(1/(1+intervals[i].GainLo)-1))
		}
	}
	return out, nil
}
