package aggregate

import (
	"encoding/json"
	"math"
	"slices"
	"strings"

	"famebench/internal/conf"
	"famebench/internal/record"
)

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

	datasets []string // that the paper uses
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

// contrast is a table [contrasts.NAME] of published.toml: a claim that a model gains more over
// another one at a value of an axis than at 0, where the setting changes nothing.
type contrast struct {
	Paper    string   `toml:"paper"`
	Text     string   `toml:"text"`
	Model    string   `toml:"model"`
	Over     string   `toml:"over"`
	Metric   string   `toml:"metric"`
	Datasets []string `toml:"datasets"` // that the paper uses
	Axis     string   `toml:"axis"`     // a setting of pre-training, as "pretrain.max_words"
	At       float64  `toml:"at"`
}

func (p *Published) addContrast(n *conf.Node) error {
	var c contrast
	if err := conf.Decode(n, &c); err != nil {
		return err
	}
	for _, key := range []struct{ name, value string }{{"paper", c.Paper}, {"text", c.Text}, {"model", c.Model}, {"over", c.Over}, {"metric", c.Metric}, {"axis", c.Axis}} {
		if key.value == "" {
			return n.Errorf("%s is missing", key.name)
		}
	}
	switch {
	case !slices.Contains(Columns, c.Metric):
		return n.Table["metric"].Errorf("unknown metric %q%s", c.Metric, conf.Hint(c.Metric, Columns))
	case c.Over == c.Model:
		return n.Table["over"].Errorf("%s is the model of the claim: expected another model", c.Over)
	case !strings.HasPrefix(c.Axis, "pretrain."):
		return n.Table["axis"].Errorf("expected a setting of pre-training, such as pretrain.max_words, got %q", c.Axis)
	case !(c.At > 0) || math.IsInf(c.At, 0):
		return n.Errorf("at = %v: expected a value of the axis above 0, where the gain is claimed to be larger than at 0", c.At)
	}
	p.contrasted = append(p.contrasted, Contrast{Paper: c.Paper, Text: c.Text, Model: c.Model, Over: c.Over, Metric: c.Metric, Axis: c.Axis, At: c.At, datasets: c.Datasets})
	return p.checkDatasets(n, c.Datasets)
}

// contrasts judges the contrasts whose value on the axis the suite plans, on each of the paper's
// data sets, split as theirs, and under each seen-item rule. Other data sets whose version is known
// have parts without a verdict, as for claims.
func (p *Published) contrasts(in Input, tables []Table, groups [][]*group) (out []Contrast) {
	for _, c := range p.contrasted {
		var seen, verdicts []string
		for _, r := range in.Planned {
			key := dataKey(r.Spec)
			if r.Spec.Model != c.Model || !c.plans(r.Spec) || slices.Contains(seen, key) || cold(r.Spec) || !splitAsPapers(r.Spec) {
				continue
			}
			i := tableOf(groups, key)
			if !p.knows(r.Spec.Dataset.Name, i, tables) {
				continue
			}
			seen = append(seen, key)
			for _, rule := range SeenItemRules {
				part := ContrastEvidence{Dataset: r.Spec.Dataset.Name, Rule: rule, Verdict: NotRun}
				if i >= 0 {
					c.judge(&part, groups[i])
				}
				if !slices.Contains(c.datasets, part.Dataset) {
					if part.Verdict == NotRun {
						continue
					}
					part.Verdict = NotClaimed
				}
				c.Found = append(c.Found, part)
			}
		}
		if len(seen) == 0 {
			continue
		}
		for _, name := range in.missingOf(c.datasets) {
			for _, rule := range SeenItemRules {
				c.Found = append(c.Found, ContrastEvidence{Dataset: name, Rule: rule, Verdict: NotRun})
			}
		}
		for _, part := range c.Found {
			verdicts = append(verdicts, part.Verdict)
		}
		c.Verdict = overall(verdicts)
		out = append(out, c)
	}
	return out
}

// plans reports whether a run has the contrast's value on the axis.
func (c Contrast) plans(s record.Spec) bool {
	if s.Init == nil {
		return false
	}
	var v float64
	text := s.Init.Settings[strings.TrimPrefix(c.Axis, "pretrain.")]
	return text != nil && json.Unmarshal(text, &v) == nil && v == c.At
}

// judge fills in a part from the rows of its data set.
func (c Contrast) judge(part *ContrastEvidence, rows []*group) {
	at, zero := c.pair(rows)
	if at == nil || zero == nil {
		return
	}
	over := standing(onDevice(rows, at), c.Over)
	if over == nil {
		return
	}
	part.Label, part.Than, part.Verdict = at.Label, zero.Label, Undecided
	var gains, gainsAtZero, differences []float64
	for _, x := range paired(at, zero) {
		for _, y := range paired(at, over) {
			if x[0] != y[0] {
				continue
			}
			value := func(r *Run) float64 {
				if part.Rule == "kept" {
					return r.Kept[c.Metric]
				}
				return r.Removed[c.Metric]
			}
			base := value(&over.Runs[y[1]])
			if base == 0 { // nothing is a percentage of that
				return
			}
			a, b := 100*(value(&at.Runs[x[0]])/base-1), 100*(value(&zero.Runs[x[1]])/base-1)
			gains, gainsAtZero, differences = append(gains, a), append(gainsAtZero, b), append(differences, a-b)
		}
	}
	part.Gain, part.GainAtZero, part.Difference = mean(gains), mean(gainsAtZero), newSeedMean(differences)
	switch d := part.Difference; {
	case d.Seeds < FewSeeds:
	case d.Low > 0 && part.Gain > 0: // a smaller loss is no gain
		part.Verdict = Reproduced
	case d.High < 0:
		part.Verdict = Excluded
	}
}

// pair finds two rows of the model that differ on the axis only: one has the contrast's value,
// the other 0.
func (c Contrast) pair(rows []*group) (at, zero *group) {
	value := func(g *group) (float64, bool) {
		var v float64
		text := setting(g.records[0], c.Axis)
		if text == nil || json.Unmarshal(text, &v) != nil {
			return 0, false
		}
		return v, true
	}
	// without is a row's key but for the axis.
	without := func(g *group) string {
		s := g.records[0].Result.Spec
		initial := *s.Init
		initial.Settings = record.Settings{}
		for key, text := range s.Init.Settings {
			if "pretrain."+key != c.Axis {
				initial.Settings[key] = text
			}
		}
		initial.Texts = "" // what the setting changes
		s.Init = &initial
		key, err := rowKey(s)
		if err != nil {
			return ""
		}
		return key
	}
	for _, g := range rows {
		if v, ok := value(g); g.Model != c.Model || g.records[0].Result.Spec.Init == nil || !ok || v != c.At {
			continue
		}
		for _, h := range rows {
			if v, ok := value(h); h.Model == c.Model && h.records[0].Result.Spec.Init != nil && ok && v == 0 && without(h) == without(g) {
				return g, h
			}
		}
	}
	return nil, nil
}
