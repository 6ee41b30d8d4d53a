package view

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"famebench/internal/aggregate"
)

// VerdictsMean explains the verdicts on claims.
var VerdictsMean = []string{
	"reproduced: the gain over the best of the claim's baselines on validation is at least the lowest claimed gain, and the model is significantly better in " + aggregate.Tested + "; every baseline that the claim is about, and every planned one, has records",
	"excluded: the upper end of the gain's 95 % interval (bootstrap over users and seeds) lies below the lowest claimed gain",
	fmt.Sprintf("undecided: neither, or fewer than %d seeds of the model or the baseline", aggregate.FewSeeds),
	"not claimed: the paper does not use the data set",
	"a claim has the verdict that all of the paper's data sets and both seen-item rules share, and is otherwise undecided",
}

// claims shows the claims of the papers: a section with all verdicts, and one for each claim.
func claims(all []aggregate.Claim) []Section {
	s := Section{Title: "Claims of the papers"}
	verdicts := Table{Columns: Columns("<claim", "<verdict"), About: VerdictsMean}
	for _, c := range all {
		verdicts.Add(Cell{Text: c.Text, Footnotes: []int{s.footnote(c.Paper)}}, Cell{Text: c.Verdict})
	}
	s.Tables = filled(verdicts)
	out := []Section{s}
	for _, c := range all {
		if len(c.Found) > 0 {
			out = append(out, parts(c))
		}
	}
	return out
}

// parts shows a claim's parts and the gains over its controls.
func parts(c aggregate.Claim) Section {
	s := Section{Title: "Claim", About: c.Text}
	t := Table{Caption: fmt.Sprintf("%s: gain in %s; claimed: %s to %s %%", c.Model, c.Metric, Percent(c.Low), Percent(c.High)),
		Columns: Columns("<data\nset", "<seen\nitems", "<over", "gain\n%", "95 %\ninterval, %", "seeds", "<ahead", "<signif.\nbetter", "<verdict")}
	controls := slices.ContainsFunc(c.Found, func(e aggregate.ClaimEvidence) bool {
		return e.Tuning != nil || e.Lacks != nil || slices.ContainsFunc(e.Controls, func(k aggregate.Control) bool { return k.Label != "" })
	})
	for _, e := range c.Found {
		data := Cell{Text: e.Dataset}
		if e.Label == "" {
			t.Add(append([]Cell{data}, Texts(e.Rule, none, none, none, none, none, none, e.Verdict)...)...)
			continue
		}
		if e.Label != c.Model {
			data.Footnotes = []int{s.footnote("the row " + e.Label)}
		}
		better := "no"
		if e.Significant {
			better = "yes"
		}
		than := Cell{Text: cmp.Or(e.Baseline, none)}
		if e.TableBaseline != "" {
			than.Footnotes = []int{s.footnote("significance is that over " + e.TableBaseline + ", the baseline of the table, which is none of the claim's")}
		}
		t.Add(slices.Concat([]Cell{data, {Text: e.Rule}, than}, Texts(Gain(e.Gain), interval(e.GainLow, e.GainHigh), strconv.Itoa(e.Seeds), ahead(e), better, e.Verdict))...)
		switch text := Controls(e); {
		case text == "":
		case controls:
			s.Notes = append(s.Notes, fmt.Sprintf("%s, seen items %s: %s", e.Dataset, e.Rule, text))
		default: // the same text for all parts
			s.Notes = []string{text}
		}
	}
	t.About = []string{"ahead: whose side of 0 the whole interval lies on; –: too few seeds to say; signif. better: in " + aggregate.Tested + "; seeds: of the model or the baseline, whichever has fewer"}
	s.Tables = []Table{t}
	return s
}

// Who is ahead.
const (
	modelAhead    = "model"
	baselineAhead = "baseline"
	noneAhead     = "neither"
)

// Contrasts shows whether models gain more where papers say so.
func Contrasts(s *aggregate.Suite) Section {
	out := Section{}
	t := Table{Columns: Columns("<claim", "<data\nset", "<seen\nitems", "gain\n%", "gain at\n0, %", "difference\npoints", "95 %\ninterval", "seeds", "<verdict")}
	for _, c := range s.Contrasts {
		for _, e := range c.Found {
			claim := Cell{Text: c.Text, Footnotes: []int{out.footnote(fmt.Sprintf("%s; gain of %s over %s in %s, with %s = %g and with 0; all parts: %s", c.Paper, c.Model, c.Over, c.Metric, c.Axis, c.At, c.Verdict))}}
			cells := Texts(e.Dataset, e.Rule, none, none, none, none, none, e.Verdict)
			if d := e.Difference; d.Seeds > 0 {
				between := none
				if d.Seeds > 1 {
					between = Percent(d.Low) + " to " + Percent(d.High)
				}
				cells = slices.Concat(Texts(e.Dataset, e.Rule), []Cell{percent(&e.Gain), percent(&e.GainAtZero), percent(&d.Mean)}, Texts(between), []Cell{count(float64(d.Seeds))}, Texts(e.Verdict))
			}
			t.Add(append([]Cell{claim}, cells...)...)
		}
	}
	t.About = []string{
		fmt.Sprintf("difference: of the two gains, paired by seed, with its 95 %% interval (Student's t over the seeds); reproduced: the interval lies above 0; excluded: below 0; undecided: neither, or fewer than %d seeds", aggregate.FewSeeds),
	}
	out.Title, out.Tables = "Where do texts help most?", filled(t)
	return out
}

// ahead says whether the claim's model or the baseline is ahead, as far as that is known.
func ahead(e aggregate.ClaimEvidence) string {
	switch {
	case e.Seeds < aggregate.FewSeeds || e.GainLow == nil:
		return none
	case e.Ahead == "":
		return noneAhead
	case e.Ahead == e.Label:
		return modelAhead
	}
	return baselineAhead
}

// Result says which of a part's rows is ahead, and whether the model is significantly better.
func Result(e aggregate.ClaimEvidence) string {
	better := "not significantly better in " + aggregate.Tested
	if e.Significant {
		better = "significantly better in " + aggregate.Tested
	}
	switch who := ahead(e); {
	case e.Baseline == "":
		return "there is no baseline to compare with"
	case e.Seeds >= aggregate.FewSeeds && e.Gain == nil:
		return fmt.Sprintf("%s scores 0, so there is no gain", e.Baseline)
	case who == modelAhead:
		return fmt.Sprintf("%s is ahead, and %s", e.Label, better)
	case who == baselineAhead:
		return fmt.Sprintf("%s is ahead, and %s is %s", e.Baseline, e.Label, better)
	case who == noneAhead:
		return fmt.Sprintf("neither is ahead, and %s is %s", e.Label, better)
	}
	return "too few seeds to say which is ahead"
}

// Controls says in one line which baselines a part lacks, what its controls contribute, by the
// model's gain over each, and what the search for settings gained; "" if there is nothing to say.
func Controls(e aggregate.ClaimEvidence) string {
	lacks := ""
	if e.Lacks != nil {
		lacks = fmt.Sprintf("undecided for want of records of %s, which may be better than %s", strings.Join(e.Lacks, ", "), e.Baseline)
	}
	return strings.Join(slices.DeleteFunc([]string{lacks, overControls(e), tuning(e)}, func(text string) bool { return text == "" }), "; ")
}

// tuning says what the search for settings gained for the model and the baseline.
func tuning(e aggregate.ClaimEvidence) string {
	var of []string
	for _, t := range e.Tuning {
		text := fmt.Sprintf("%s %s %%", t.Model, Percent(t.Gain))
		if t.Gain == 0 { // the configured settings were chosen
			text = t.Model + " as configured"
		}
		if t.Dataset != e.Dataset {
			text += " (on " + t.Dataset + ")"
		}
		of = append(of, text)
	}
	if of == nil {
		return ""
	}
	return fmt.Sprintf("tuning, in validation %s: %s", aggregate.Tested, strings.Join(of, ", "))
}

// overControls gives the model's gain over each control.
func overControls(e aggregate.ClaimEvidence) string {
	var run, missing []string
	for _, c := range e.Controls {
		if c.Label == "" {
			missing = append(missing, c.Model)
			continue
		}
		text := fmt.Sprintf("over %s (%s): %s %%", c.Label, c.Shares, Gain(c.Gain))
		if c.GainLow != nil {
			text += fmt.Sprintf(" [%s, %s]", Percent(*c.GainLow), Percent(*c.GainHigh))
		}
		if c.Seeds < aggregate.FewSeeds {
			text += ", " + Seeds(c.Seeds)
		}
		run = append(run, text)
	}
	switch {
	case run == nil && missing == nil:
		return ""
	case run == nil:
		return "controls without a row here: " + strings.Join(missing, ", ")
	case missing != nil:
		run = append(run, "controls without a row here: "+strings.Join(missing, ", "))
	}
	return fmt.Sprintf("%s gains %s", e.Label, strings.Join(run, "; "))
}

// Seeds counts seeds.
func Seeds(n int) string {
	if n == 1 {
		return "1 seed"
	}
	return fmt.Sprintf("%d seeds", n)
}

// interval is that of a gain in percent.
func interval(low, high *float64) string {
	if low == nil || high == nil {
		return none
	}
	return Percent(*low) + " to " + Percent(*high)
}

// OnClaim is the judgement in the verdict on a claim.
func OnClaim(verdict string) Verdict {
	return cmp.Or(map[string]Verdict{aggregate.Reproduced: Good, aggregate.Excluded: Bad}[verdict], Open)
}

// EvidenceRef finds the cell of a comparison that a piece of evidence was taken from.
func EvidenceRef(s *aggregate.Suite, c aggregate.Claim, e aggregate.ClaimEvidence) *Ref {
	return ref(s, e.Dataset, e.Rule, c.Metric, func(r *aggregate.Row, _ aggregate.Cell) bool { return r.Label == e.Label })
}
