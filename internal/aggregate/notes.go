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
		if from := r.Measured.Source; from != nil && from.Differ {
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
		notes = append(notes, fmt.Sprintf("stopped at the epoch budget of %d, not by patience%s", epochs, share(atBudget, n)))
	}
	switch {
	case spec.NonNeural: // it is deterministic, so one seed is enough
	case n == 1:
		notes = append(notes, "1 seed only")
	case n < FewSeeds:
		notes = append(notes, fmt.Sprintf("%d seeds only", n))
	}
	if differ > 0 {
		notes = append(notes, "begins with weights that were trained again and differ from those of the recorded source"+share(differ, n))
	}
	if dirty > 0 {
		notes = append(notes, "run with uncommitted changes"+share(dirty, n))
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
	return []string{"run before the code of the model changed" + share(other, len(g.records))}
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

func share(part, of int) string {
	if of == 1 {
		return ""
	}
	return fmt.Sprintf(" (%d of %d seeds)", part, of)
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
	mixed := []struct {
		what   string
		value  func(*record.Record) string
		values []string
	}{
		{"devices", func(r *record.Record) string { return r.Result.Spec.Device }, nil},
		{"thread counts", func(r *record.Record) string { return fmt.Sprint(r.Measured.Threads) }, nil},
		{"versions of libtorch", func(r *record.Record) string { return r.Measured.Libtorch }, nil},
		{"processors", func(r *record.Record) string { return r.Measured.CPU }, nil},
	}
	var warnings, environment []string
	for _, r := range records {
		for i := range mixed {
			mixed[i].values = appendNew(mixed[i].values, mixed[i].value(r))
		}
		for _, set := range r.Measured.Environment {
			environment = appendNew(environment, set)
		}
		for _, w := range r.Measured.Warnings {
			warnings = appendNew(warnings, w)
		}
	}
	for _, m := range mixed {
		if len(m.values) > 1 {
			notes = append(notes, fmt.Sprintf("records with different %s: %s", m.what, strings.Join(m.values, ", ")))
		}
	}
	if environment != nil {
		notes = append(notes, "environment variables that change rounding were set: "+strings.Join(environment, ", "))
	}
	return append(notes, warnings...)
}

func appendNew(list []string, s string) []string {
	if s == "" || slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}

func short(commit string) string { return commit[:min(len(commit), 8)] }
