package view

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"famebench/datasets"
	"famebench/internal/aggregate"
)

// Suite lists the sections of a suite for a terminal or a document.
func Suite(s *aggregate.Suite, m Medium) []Section {
	var out []Section
	if s.Hypothesis != "" {
		out = append(out, hypothesis(s.Hypothesis))
	}
	if len(s.Datasets) > 0 {
		out = append(out, Data(s.Datasets))
	}
	for k := range s.Tables {
		t := &s.Tables[k]
		out = append(out, Comparison(t, s.Axes, m))
		if m == Terminal {
			continue
		}
		for _, sec := range []Section{Heads(t), Groups(t, m), Complexity(t)} {
			if len(sec.Tables) > 0 {
				out = append(out, sec)
			}
		}
	}
	out = append(out, publishedByData(s, m)...)
	if len(s.Equality) > 0 {
		out = append(out, Equality(s))
	}
	out = append(out, Interactions(s)...)
	if s.Pairs != nil {
		out = append(out, Pairs(s.Pairs))
	}
	if len(s.Claims) > 0 {
		out = append(out, claims(s.Claims)...)
	}
	if len(s.Contrasts) > 0 {
		out = append(out, Contrasts(s))
	}
	if len(s.Notes) > 0 {
		out = append(out, Section{Title: "Runs that are in no table", Notes: s.Notes})
	}
	return out
}

// filled is a table, unless it has no rows.
func filled(t Table) []Table {
	if len(t.Rows) == 0 {
		return nil
	}
	return []Table{t}
}

// hypothesis shows what was expected before the runs.
func hypothesis(text string) Section {
	return Section{Title: "Hypothesis, before the runs", Notes: []string{text}}
}

// Data shows the statistics of data sets. As in the other sections, there is no table
// without rows.
func Data(stats []datasets.Stats) Section {
	// The millions of ML-20M fit into 100 columns too.
	t := Table{Columns: Columns("<data set", "users", "items", "interactions", "density\n%", "avg\nlength", "<tie\nrule", "tied\n%", "tied\ntests", "leak\n%")}
	for _, d := range stats {
		timed := Texts(none, none, none, none)
		if d.Timed {
			tied, leak := d.TestCases()
			timed = []Cell{{Text: d.Ties}, fixed(100*d.TiedShare, 1), count(float64(tied)), fixed(100*leak, 1)}
		}
		t.Add(append([]Cell{{Text: d.Name, Link: fmt.Sprintf("datasets/%s-%.8s.json", d.Name, d.Fingerprint)},
			count(float64(d.Users)), count(float64(d.Items)), count(float64(d.Interactions)), fixed(100*d.Density, 3), fixed(d.AvgLength, 1)}, timed...)...)
	}
	t.About = []string{
		"tied: interactions that have the same time as another interaction of the same user; tied tests: test cases whose item has the time of the item before it (or, if the split has later ones, after it); tie rule: how such interactions are ordered",
		"leak: share of the training interactions that are later than the median test interaction",
		"–: the source has no exact times",
	}
	return Section{Title: "Data", Tables: filled(t)}
}

// Comparison shows the test metrics of a table's rows under both seen-item rules, and the
// tests against the baseline; on the page, also training and cost.
func Comparison(t *aggregate.Table, axes []string, m Medium) Section {
	s := Section{Title: t.Dataset, Notes: slices.Concat(t.Notes, beyondNotes(t)),
		About: fmt.Sprintf("%s, full ranking of %s items, %s split", testCases(t), Thousands(t.Items), t.Protocol)}
	for _, r := range t.Rows {
		for _, run := range r.Runs {
			s.Runs = append(s.Runs, run.ID)
		}
	}
	if m != Page {
		axes = nil // the labels have them
	}
	for _, rule := range aggregate.SeenItemRules {
		s.Tables = append(s.Tables, s.metrics(t, axes, rule, m))
	}
	if m == Page {
		s.training(t, axes)
		return s
	}
	tested := marks(t)
	s.Marks = tested
	if hasOracle(t) && t.Columns == nil {
		s.Marks = strings.TrimPrefix(tested+"; "+ofOracleMeans, "; ") + "; " + strings.Join(aggregate.References, " and ") + " are references: not ranked, not tested"
		if m == Terminal {
			s.Tables = append(s.Tables, ofOracle(t))
		}
	}
	if tested != "" || t.Columns == nil {
		s.Tables = append(s.Tables, filled(tests(t))...)
	}
	return s
}

// testCases says how many test cases a table has, of how many users, and what its metrics are
// averaged over if that makes a difference.
func testCases(t *aggregate.Table) string {
	switch {
	case t.Cases == 0:
		return Thousands(t.Users) + " test users"
	case t.Users == 0:
		return Thousands(t.Cases) + " test cases"
	case t.Average == aggregate.ByUser:
		return fmt.Sprintf("%s test cases of %s users (metrics: mean over users of the mean over their cases)", Thousands(t.Cases), Thousands(t.Users))
	}
	return fmt.Sprintf("%s test cases of %s users (metrics: mean over cases)", Thousands(t.Cases), Thousands(t.Users))
}

// begin begins a row of a comparison: its label, with footnotes, and its places on the axes.
func (s *Section) begin(t *aggregate.Table, i int, axes []string) Row {
	r := &t.Rows[i]
	label := Cell{Text: r.Label}
	for _, note := range r.Notes {
		label.Footnotes = append(label.Footnotes, s.footnote(note))
	}
	cells := []Cell{label}
	for _, axis := range axes {
		c := Cell{Text: none}
		if v := r.At[axis]; v != nil {
			c.Text = fmt.Sprint(v)
			switch v.(type) {
			case string, bool:
			default:
				c.Sort = c.Text
			}
		}
		cells = append(cells, c)
	}
	return Row{Index: i, Chosen: r.Label == t.Baseline, Cells: cells}
}

// labelColumns are those of begin.
func labelColumns(axes []string) []Column {
	out := Columns("<model")
	for _, axis := range axes {
		out = append(out, Column{Title: axis, Text: true})
	}
	return out
}

func (s *Section) metrics(t *aggregate.Table, axes []string, rule string, m Medium) Table {
	out := Table{Caption: "Test, seen items " + rule, Rule: rule, Columns: labelColumns(axes), Ranked: len(t.Rows) > 1}
	columns := shown(t, m)
	for _, name := range columns {
		out.Columns = append(out.Columns, column(t, name))
	}
	// On the terminal the share of the oracle has a table of its own, because lines are short.
	oracle := hasOracle(t) && (m == Page || m != Terminal && t.Columns == nil)
	if oracle {
		out.Columns = append(out.Columns, Column{Title: "of\noracle %", Long: "of oracle, %", Hint: ofOracleMeans})
	}
	for i := range t.Rows {
		r := &t.Rows[i]
		own, row := r.Under(rule), s.begin(t, i, axes)
		for _, name := range columns {
			cell := metric(name, own)
			if name == aggregate.GainColumn {
				cell = gain(own, row.Chosen, m)
			}
			if name == markedColumn(columns, m) && own.Test != nil && !row.Chosen {
				cell.Mark = mark(own.Test)
			}
			row.Cells = append(row.Cells, cell)
		}
		if oracle {
			row.Cells = append(row.Cells, share(own.OfOracle))
		}
		out.Rows = append(out.Rows, row)
		if r.Label == t.Proposed && t.Baseline != "" {
			out.Foot = append(Texts(fmt.Sprintf("%s over %s, %%", t.Proposed, t.Baseline)), make([]Cell, len(axes))...)
			for _, name := range columns {
				cell := percent(own.Metric(name).Gain)
				if name == aggregate.GainColumn {
					cell = Cell{}
				}
				out.Foot = append(out.Foot, cell)
			}
			out.Foot = append(out.Foot, make([]Cell, len(out.Columns)-len(out.Foot))...)
		}
	}
	return out
}

func mark(t *aggregate.Test) string {
	if t.Significant {
		return "†"
	}
	return ""
}

// tests shows what is behind the marks.
func tests(t *aggregate.Table) Table {
	out := Table{Caption: fmt.Sprintf("%s against %s", aggregate.Tested, t.Baseline), Columns: labelColumns(nil)}
	for _, rule := range aggregate.SeenItemRules {
		out.Columns = append(out.Columns, Columns(rule+"\ndiff.", rule+"\ninterval", rule+"\np")...)
	}
	for i := range t.Rows {
		cells, any := Texts(t.Rows[i].Label), false
		for _, rule := range aggregate.SeenItemRules {
			test := t.Rows[i].Under(rule).Test
			if test == nil {
				cells = append(cells, Texts(none, none, none)...)
				continue
			}
			any = true
			cells = append(cells, Cell{Text: Difference(test.Difference), Mark: mark(test)},
				Cell{Text: Difference(test.Low) + " to " + Difference(test.High)}, Cell{Text: Probability(test.PHolm)})
		}
		if any {
			out.Add(cells...)
		}
	}
	out.About = []string{"difference: of the users' " + aggregate.Tested + ", averaged over seeds; interval: 95 %, bootstrap over users and seeds, 10,000 draws; p: Wilcoxon's signed-rank test, two-sided, after Holm's correction for all models of the table"}
	return out
}

// training shows validation and cost of the rows that were trained.
func (s *Section) training(t *aggregate.Table, axes []string) {
	out := Table{Caption: "Validation and cost", Rule: "training", Columns: append(labelColumns(axes),
		Column{Title: "validation " + aggregate.Tested, Key: "valid", Hint: "of the best epoch, seen items removed"},
		Column{Title: "parameters", Key: "parameters"},
		Column{Title: "training, s", Key: "train_seconds", Hint: "until training stopped, validation included"},
		Column{Title: "targets/s", Key: "targets_per_s", Hint: "predicted items per second of training, validation excluded"},
		Column{Title: "peak memory, MB", Key: "peak_rss_mb", Hint: "highest memory use of the process"},
		Column{Title: "epochs", Key: "epochs"})}
	for i := range t.Rows {
		if t.Rows[i].NonNeural || t.Rows[i].Imported != nil {
			continue
		}
		row, c := s.begin(t, i, axes), t.Rows[i].Cost
		epochs := sortable(c.Epochs, 1)
		row.Cells = append(row.Cells, mean(t.Rows[i].Valid), count(float64(c.Parameters)), count(c.TrainSeconds), count(c.TargetsPerSecond),
			count(c.PeakRSSMB), Cell{Text: epochs, Sort: epochs})
		out.Rows = append(out.Rows, row)
	}
	s.Tables = append(s.Tables, filled(out)...)
}

// Heads shows how well heads that were initialised from texts tell labels apart.
func Heads(t *aggregate.Table) Section {
	s := Section{Title: "What pre-training learned on held-out items of " + t.Dataset}
	out := Table{Columns: Columns("<model", "head", "<facet", "<learned from", "labels", "purity by\nchance", "purity,\ntext", "purity,\nhead", "alignment,\ntext", "alignment,\nhead", "uniformity,\ntext", "uniformity,\nhead")}
	for _, r := range t.Rows {
		for h, head := range r.Heads {
			cells := append(Texts(r.Label, strconv.Itoa(h+1), cmp.Or(head.Facet, none), head.Learned), count(head.Labels))
			for _, c := range head.Cells() {
				cell := Cell{Text: none}
				if c.N > 0 {
					cell = fixed(c.Mean, 3)
				}
				cells = append(cells, cell)
			}
			out.Add(cells...)
		}
	}
	for i, hint := range []string{"labels that more than one item has", "share of random items that have a label in common",
		"share of the 10 nearest by text vector that have a label in common", "share of the 10 nearest by the head's vector that have a label in common",
		"mean distance of items with a label in common; lower is nearer", "", "log mean exp(−2 distance²) over all pairs; lower is more even"} {
		out.Columns[4+i].Hint = hint
	}
	out.About = []string{
		"on held-out items, which pre-training never saw; means over seeds; text: of the text vectors; head: of the vectors that the head computes from them",
		"labels: those that more than one item has; purity: share of the ten nearest items that have a label of the facet in common; by chance: the same for random items",
		"alignment: mean distance of items with a label in common; uniformity: log of the mean of exp(-2 d d) over the distances d of all pairs; lower is more even",
	}
	s.Tables = filled(out)
	return s
}

// testUnits is what is tested: users, or cases if a user may have several.
func testUnits(t *aggregate.Table) string {
	if t.Cases > 0 {
		return "cases"
	}
	return "users"
}

// Groups shows the tested metric on groups of users.
func Groups(t *aggregate.Table, m Medium) Section {
	who := testUnits(t)
	s := Section{Title: fmt.Sprintf("Test %s of %s by target frequency and history length", who, t.Dataset)}
	for _, b := range t.Breakdowns {
		for _, rule := range aggregate.SeenItemRules {
			out := Table{Caption: fmt.Sprintf("%s by %s, seen items %s", aggregate.Tested, b.By, rule), Columns: labelColumns(nil)}
			for _, g := range b.Groups {
				users := Thousands(g.Users)
				out.Columns = append(out.Columns, Column{Title: fmt.Sprintf("%s (%s)", g.Label, users), Long: g.Label, Hint: users + " test " + who})
			}
			for i := range b.Rows {
				cells := Texts(b.Rows[i].Label)
				for k, of := range b.Rows[i].Under(rule) {
					e, c := of[aggregate.Tested], Cell{Text: none}
					if e.N > 0 {
						c = Cell{Text: Share(e.Mean), Sort: sortable(e.Mean, 6)}
					}
					if b.Groups[k].Users > 1 {
						c.Low, c.High = Share(e.Low), Share(e.High)
					}
					cells = append(cells, c)
				}
				out.Add(cells...)
			}
			if m == Page {
				out.Foot = Texts("test " + who)
				for _, g := range b.Groups {
					out.Foot = append(out.Foot, Cell{Text: Thousands(g.Users)})
				}
			}
			s.Tables = append(s.Tables, out)
		}
	}
	s.Notes = []string{
		"columns: groups of test " + who + ", with the number of " + who + " in brackets; cells: mean over users and seeds, with its 95 % interval in brackets (bootstrap over users and seeds, 2,000 draws)",
		"if no target of a group is hit, the bootstrap cannot tell how rare a hit is, and the interval has no width; such a group is compatible with an HR@10 of up to about 3 / users (95 %, one seed)",
		"HR@10 by group, and standard deviations over seeds, are in the file that ends in .breakdown.csv",
	}
	return s
}

// Curves shows the validation metric by epoch.
func Curves(t *aggregate.Table) Section {
	s := Section{Title: "Training curves as a table"}
	out := Table{Caption: "Validation " + aggregate.Tested + " by epoch, mean ± standard deviation over the seeds that reached it", Columns: Columns("epoch")}
	at := map[int]map[int]aggregate.Cell{} // by epoch and column
	if slices.ContainsFunc(t.Rows, func(r aggregate.Row) bool { return r.Warm }) {
		out.About = []string{"models that begin with a trained one: their own epochs, without that model's"}
	}
	for _, r := range t.Rows {
		if len(r.Curve) == 0 {
			continue
		}
		for _, c := range r.Curve {
			if c.Valid.N == 0 {
				continue
			}
			if at[c.Epoch] == nil {
				at[c.Epoch] = map[int]aggregate.Cell{}
			}
			at[c.Epoch][len(out.Columns)] = c.Valid
		}
		out.Columns = append(out.Columns, Column{Title: r.Label})
	}
	for _, epoch := range slices.Sorted(maps.Keys(at)) {
		row := Row{Index: epoch, Cells: make([]Cell, len(out.Columns))}
		row.Cells[0] = number(float64(epoch), strconv.Itoa(epoch), 0)
		for i, c := range at[epoch] {
			row.Cells[i] = number(c.Mean, Share(c.Mean), 6)
			if c.N > 1 {
				row.Cells[i].Text += " ± " + Share(c.SD)
			}
		}
		out.Rows = append(out.Rows, row)
	}
	s.Tables = filled(out)
	return s
}
