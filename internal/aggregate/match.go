package aggregate

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"famebench/internal/record"
)

// Stale is a record about the same data set, model, settings and seed as a planned
// run, but of other data or another version of the code. It enters no table.
type Stale struct {
	ID     string
	Reason string
}

// Match finds, among stored records, those of planned runs, whatever device and
// thread count they were made with, in the order of the plan; and the stale ones. Ids of
// older versions depend on the number of threads, so a run may have several records on
// one device. Then the newest is found, and one without a thread count in its id first.
func Match(planned []Planned, stored []*record.Record) (found []*record.Record, stale []Stale, err error) {
	place := map[string]int{} // of a run in the plan
	like := map[string]int{}  // the same, by what a stale record shares with it
	for i, p := range planned {
		key, err := p.Spec.RunKey()
		if err != nil {
			return nil, nil, err
		}
		place[key] = i
		loose, err := unversioned(p.Spec).RunKey()
		if err != nil {
			return nil, nil, err
		}
		like[loose] = i
	}
	var candidates []*record.Record
	at, runOf := map[string]int{}, map[string]string{} // place in the plan, and run and device, by id
	byRun := map[string]*record.Record{}               // the record of each run on each device
	for _, r := range stored {
		key, err := r.Result.Spec.RunKey()
		if err != nil {
			return nil, nil, err
		}
		if i, ok := place[key]; ok {
			run := key + r.Result.Spec.Device
			if other := byRun[run]; other == nil || preferred(r, other) {
				byRun[run] = r
			}
			candidates, at[r.ID], runOf[r.ID] = append(candidates, r), i, run
			continue
		}
		loose, err := unversioned(r.Result.Spec).RunKey()
		if err != nil {
			return nil, nil, err
		}
		if i, ok := like[loose]; ok {
			stale = append(stale, Stale{r.ID, difference(r.Result.Spec, planned[i].Spec)})
		}
	}
	for _, r := range candidates {
		if byRun[runOf[r.ID]] == r {
			found = append(found, r)
		} else {
			stale = append(stale, Stale{r.ID, "there is a record of the same run with another number of threads"})
		}
	}
	slices.SortStableFunc(found, func(a, b *record.Record) int { return at[a.ID] - at[b.ID] })
	return found, stale, nil
}

// Newest leaves one record of each run on each device, the one that Match would find.
func Newest(stored []*record.Record) ([]*record.Record, error) {
	byRun := map[string]int{}
	var out []*record.Record
	for _, r := range stored {
		key, err := r.Result.Spec.RunKey()
		if err != nil {
			return nil, err
		}
		key += r.Result.Spec.Device
		i, ok := byRun[key]
		switch {
		case !ok:
			byRun[key] = len(out)
			out = append(out, r)
		case preferred(r, out[i]):
			out[i] = r
		}
	}
	return out, nil
}

// preferred says which of two records of a run is used.
func preferred(r, other *record.Record) bool {
	if old := other.Result.Spec.Threads > 0; old != (r.Result.Spec.Threads > 0) {
		return old
	}
	return r.Measured.Started.After(other.Measured.Started)
}

func unversioned(s record.Spec) record.Spec {
	s.Dataset.Fingerprint, s.Dataset.Split, s.Versions = "", "", record.Versions{}
	if s.Init != nil {
		s.Init = &record.Init{Settings: s.Init.Settings}
	}
	if source, ok := s.OfSource(); ok {
		s.Source = unversioned(source).AsSource()
	}
	return s
}

// difference says why a record is stale.
func difference(old, now record.Spec) string {
	var out []string
	version := func(of string, was, is int) {
		if was != is {
			out = append(out, fmt.Sprintf("%s version %d, now %d", of, was, is))
		}
	}
	version("model", old.Versions.Model, now.Versions.Model)
	version("training", old.Versions.Train, now.Versions.Train)
	version("ranking", old.Versions.Rank, now.Versions.Rank)
	differ := func(what, was, is string) {
		if was != is {
			out = append(out, fmt.Sprintf("%s %.8s, now %.8s", what, cmp.Or(was, "unknown"), cmp.Or(is, "unknown")))
		}
	}
	differ("data", old.Dataset.Fingerprint, now.Dataset.Fingerprint)
	differ("time split", old.Dataset.Split, now.Dataset.Split)
	if old.Init != nil && now.Init != nil {
		version("pre-training", old.Init.Version, now.Init.Version)
		differ("texts", old.Init.Texts, now.Init.Texts)
		differ("labels", old.Init.Facets, now.Init.Facets)
		differ("encoder", old.Init.Encoder, now.Init.Encoder)
	}
	if len(out) == 0 { // only what its source was made from
		return "its source is of other code or data"
	}
	return strings.Join(out, "; ")
}

// mostNamed is how many things of a kind a note names one by one.
const mostNamed = 10

// notes tells what of the suite is not in its tables.
func (in Input) notes() []string {
	var notes []string
	has := map[string]bool{}
	for _, r := range in.Records {
		key, err := r.Result.Spec.RunKey()
		if err == nil {
			has[key] = true
		}
		if r.Result.Status == record.Time {
			notes = append(notes, r.ID+" is left out: its time limit stopped it")
		}
	}
	several := map[string]map[string]bool{} // by model and data set: the settings of its rows
	begun := map[string]bool{}              // data sets of which there are records
	var missing []Planned
	for _, p := range in.Planned {
		if key, err := p.Spec.RunKey(); err == nil && has[key] {
			begun[p.Spec.Dataset.Name] = true
		} else if err == nil {
			missing = append(missing, p)
		}
		what, text := rowName(p.Spec), settingsText(p.Spec, nil)
		if several[what] == nil {
			several[what] = map[string]bool{}
		}
		several[what][text] = true
	}
	var named, failed, order []string
	seeds := map[string][]string{} // by what lacks them
	for _, p := range missing {
		what := rowName(p.Spec)
		if text := settingsText(p.Spec, nil); text != "" && len(several[what]) > 1 {
			what += " with " + text
		}
		seed := fmt.Sprint(p.Spec.Seed)
		if p.Failure != "" {
			failed = append(failed, fmt.Sprintf("failed: %s, seed %s: %s", what, seed, p.Failure))
		}
		if !begun[p.Spec.Dataset.Name] {
			named = appendNew(named, "all on "+p.Spec.Dataset.Name)
			continue
		}
		if seeds[what] == nil {
			order = append(order, what)
		}
		seeds[what] = append(seeds[what], seed)
	}
	if missing != nil {
		for _, what := range order {
			word := "seed"
			if len(seeds[what]) > 1 {
				word = "seeds"
			}
			named = append(named, fmt.Sprintf("%s (%s %s)", what, word, strings.Join(seeds[what], ", ")))
		}
		notes = append(notes, fmt.Sprintf("missing: %d of %d runs: %s", len(missing), len(in.Planned), list(named)))
	}
	notes = append(notes, failed...)
	for _, text := range in.Skipped {
		notes = append(notes, "skipped: "+text)
	}
	reasons, byReason := []string{}, map[string][]string{}
	for _, s := range in.Stale {
		reasons = appendNew(reasons, s.Reason)
		byReason[s.Reason] = append(byReason[s.Reason], s.ID)
	}
	for _, reason := range reasons {
		notes = append(notes, fmt.Sprintf("stale, in no table (%s): %s", reason, list(byReason[reason])))
	}
	return notes
}

func rowName(s record.Spec) string { return fmt.Sprintf("%s on %s", s.Model, s.Dataset.Name) }

func list(names []string) string {
	if more := len(names) - mostNamed; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:mostNamed], ", "), more)
	}
	return strings.Join(names, ", ")
}
