package aggregate

import (
	"fmt"
	"slices"
	"strings"

	"famebench/internal/record"
)

// notes says what a reader must know about a row; shown are the settings that are
// already in its label.
func (g *group) notes(shown []string) []string {
	spec, n := g.records[0].Result.Spec, len(g.records)
	notes := []string{}
	if text := settingsText(spec, shown); text != "" {
		notes = append(notes, "non-default settings: "+text)
	}
	if text := sourceText(spec.Source); text != "" {
		notes = append(notes, "begins with the weights of a trained "+text)
	}
	var atBudget, epochs, dirty, differ int
	var commits, threads, still []string
	for _, r := range g.records {
		for _, name := range r.Result.Still {
			still = appendNew(still, name)
		}
		if r.Result.Status == record.Epochs {
			atBudget, epochs = atBudget+1, r.Result.Epochs
		}
		if r.Measured.Dirty {
			dirty++
		}
		if otherSource(r) {
			differ++
		}
		commits = appendNew(commits, short(r.Measured.Commit))
		threads = appendNew(threads, fmt.Sprint(r.Measured.Threads))
	}
	if still != nil {
		notes = append(notes, "parameters that training did not change: "+list(still))
	}
	notes = append(notes, unlabelled(g.records[0].Result.Pretrain)...)
	if atBudget > 0 {
		notes = append(notes, fmt.Sprintf("stopped at the epoch budget of %d, not by patience%s", epochs, share(atBudget, n, "seeds")))
	}
	switch {
	case spec.NonNeural: // it is deterministic, so one seed is enough
	case n == 1:
		notes = append(notes, "1 seed only")
	case n < FewSeeds:
		notes = append(notes, fmt.Sprintf("%d seeds only", n))
	}
	if differ > 0 {
		notes = append(notes, trainedAgain+share(differ, n, "seeds"))
	}
	if dirty > 0 {
		notes = append(notes, "run with uncommitted changes"+share(dirty, n, "seeds"))
	}
	if len(threads) > 1 {
		notes = append(notes, "seeds of different thread counts: "+strings.Join(threads, ", "))
	}
	if len(commits) > 1 {
		notes = append(notes, "seeds from different commits: "+strings.Join(commits, ", "))
	}
	return notes
}

// sourceText names the source of a run with its settings that are not at their default; ""
// without a source.
func sourceText(s *record.Source) string {
	if s == nil {
		return ""
	}
	text := s.Model
	if settings := settingsText(record.Spec{Params: s.Params, Train: s.Train, Init: s.Init}, nil); settings != "" {
		text += " (" + settings + ")"
	}
	if more := sourceText(s.Source); more != "" {
		text += ", which begins with that of " + more
	}
	return text
}

// OtherCode reports whether a record names code that is neither the running program's nor code
// with the same numbers.
func (in Input) OtherCode(r *record.Record) bool {
	made := r.Measured.Code
	return made != "" && !slices.Contains(in.Code[r.Result.Spec.Model], made)
}

// codeNotes says which records of a row were not made by the running program's code, or by
// code with the same numbers.
func (in Input) codeNotes(g *group) []string {
	other := 0
	for _, r := range g.records {
		if in.OtherCode(r) {
			other++
		}
	}
	if other == 0 {
		return nil
	}
	return []string{"run before the code of the model changed" + share(other, len(g.records), "seeds")}
}

// sourceNotes says which records of a row began with weights that their source no longer has,
// because it was recorded again since. Another row with this source may have begun with the new ones.
func (in Input) sourceNotes(g *group) []string {
	old := 0
	for _, r := range g.records {
		from := r.Measured.Source
		if from != nil && !from.Differ && slices.ContainsFunc(in.Records, func(s *record.Record) bool { return s.ID == from.ID && from.DiffersFrom(s) }) {
			old++
		}
	}
	if old == 0 {
		return nil
	}
	return []string{"began with other weights than its source has now, which was trained again since" + share(old, len(g.records), "seeds")}
}

// unlabelled says how many items pre-training knew little about. The note is shown
// however few they are: rows with the same note share one footnote.
func unlabelled(p *record.Pretrain) (notes []string) {
	if p == nil || p.WithoutText == p.Items { // random initialisation reads no texts
		return nil
	}
	if p.WithoutText > 0 {
		notes = append(notes, fmt.Sprintf("%d of %d items have no text", p.WithoutText, p.Items))
	}
	if p.WithoutLabels > 0 {
		notes = append(notes, fmt.Sprintf("%d of %d items have a text, but no label to learn from", p.WithoutLabels, p.Items))
	}
	return notes
}

// trainedAgain is the note on runs of which otherSource is true.
const trainedAgain = "begins with weights that were trained again and differ from those of the recorded source"

// otherSource reports whether a run began with other weights than those of its source's record.
func otherSource(r *record.Record) bool {
	from := r.Measured.Source
	return from != nil && from.Differ
}

// share says how many of some things a note is about.
func share(part, of int, things string) string {
	if of == 1 {
		return ""
	}
	return fmt.Sprintf(" (%d of %d %s)", part, of, things)
}

// filters are the settings that change the contents of a data set.
var filters = []string{"min_rating", "duplicates", "k_core", "max_users", "ties", "cold_items", "cold_validation", "cold_seed"}

// tableNotes warns if the records of a table differ in what may change numbers. Commits
// are not compared: the versions in the ids already say that the code that decides numbers
// is the same. Within a row, where nothing should differ, notes lists them.
func tableNotes(records []*record.Record) []string {
	notes := []string{}
	var filtered []string
	config := records[0].Result.Spec.Dataset.Config
	for _, key := range filters {
		if v, ok := config[key]; ok {
			filtered = append(filtered, fmt.Sprintf("%s = %s", key, plain(v)))
		}
	}
	if filtered != nil {
		notes = append(notes, "data settings: "+strings.Join(filtered, ", "))
	}
	return append(notes, recordNotes(records, func([]*record.Record) string { return "" })...)
}

// recordNotes warns if records differ in what may change numbers, or were made under circumstances
// that may. share says how many some of the records are, after what they have.
func recordNotes(records []*record.Record, share func([]*record.Record) string) (notes []string) {
	mixed := []struct {
		what  string
		value func(*record.Record) string
		found found
	}{
		{what: "devices", value: func(r *record.Record) string { return r.Result.Spec.Device }},
		{what: "thread counts", value: func(r *record.Record) string { return fmt.Sprint(r.Measured.Threads) }},
		{what: "versions of libtorch", value: func(r *record.Record) string { return r.Measured.Libtorch }},
		{what: "processors", value: func(r *record.Record) string { return r.Measured.Processor() }},
	}
	var warnings, environment found
	for _, r := range records {
		for i := range mixed {
			mixed[i].found.add(mixed[i].value(r), r)
		}
		for _, set := range r.Measured.Environment {
			environment.add(set, r)
		}
		for _, w := range r.Measured.Warnings {
			warnings.add(w, r)
		}
	}
	for _, m := range mixed {
		if len(m.found.values) > 1 {
			notes = append(notes, fmt.Sprintf("records with different %s: %s", m.what, strings.Join(m.found.texts(share), ", ")))
		}
	}
	if environment.values != nil {
		notes = append(notes, "environment variables that change rounding were set: "+strings.Join(environment.texts(share), ", "))
	}
	return append(notes, warnings.texts(share)...)
}

// found has the different values that records have of something, and the records of each.
type found struct {
	values []string
	of     map[string][]*record.Record
}

func (f *found) add(value string, r *record.Record) {
	if value == "" { // unknown
		return
	}
	if f.of == nil {
		f.of = map[string][]*record.Record{}
	}
	f.values = appendNew(f.values, value)
	f.of[value] = append(f.of[value], r)
}

func (f *found) texts(share func([]*record.Record) string) (out []string) {
	for _, v := range f.values {
		out = append(out, v+share(f.of[v]))
	}
	return out
}

// TrialNotes say of the trials of a search what a comparison says of its rows and records. They
// are about all rungs, because each of them decides. read reads a record.
func TrialNotes(trials []record.Trial, read func(id string) (*record.Record, error)) (notes []string, err error) {
	var datasets []string
	of := map[string][]trial{}
	for _, t := range trials {
		one := trial{model: t.Model}
		for _, rung := range t.Rungs {
			r, err := read(rung.ID)
			if err != nil {
				return nil, err
			}
			one.records = append(one.records, r)
		}
		datasets = appendNew(datasets, t.Dataset)
		of[t.Dataset] = append(of[t.Dataset], one)
	}
	for _, name := range datasets {
		for _, text := range trialNotes(of[name]) {
			notes = append(notes, name+": "+strings.TrimPrefix(text, name+": ")) // warnings begin with it
		}
	}
	return notes, nil
}

// trial has the records of a trial's rungs.
type trial struct {
	model   string
	records []*record.Record
}

// trialNotes are those of the trials on one data set.
func trialNotes(trials []trial) (notes []string) {
	var models []string
	var records []*record.Record
	of, differ := map[string]int{}, map[string]int{} // numbers of trials, by model
	for _, t := range trials {
		models, records = appendNew(models, t.model), append(records, t.records...)
		of[t.model]++
		if slices.ContainsFunc(t.records, otherSource) {
			differ[t.model]++
		}
	}
	for _, model := range models {
		if differ[model] > 0 {
			notes = append(notes, model+" "+trainedAgain+share(differ[model], of[model], "trials"))
		}
	}
	return append(notes, recordNotes(records, func(some []*record.Record) string {
		n := 0
		for _, t := range trials {
			if slices.ContainsFunc(t.records, func(r *record.Record) bool { return slices.Contains(some, r) }) {
				n++
			}
		}
		return share(n, len(trials), "trials")
	})...)
}

func appendNew(list []string, s string) []string {
	if s == "" || slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}

func short(commit string) string { return commit[:min(len(commit), 8)] }
