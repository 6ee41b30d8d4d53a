package aggregate

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"famebench/internal/record"
)

// Older says which data sets of a plan are shown from records of older versions of the
// code. After a version was raised, a table stays as it is until its models have been run
// again, and no table mixes versions.
type Older map[string]older // by data set

// older are the versions that the records of a data set have.
type older struct {
	code
	pretrain int                 // of all models that are initialised from texts; 0 if none has records
	versions map[string]versions // by model
	note     string
}

// versions are those of one model's records.
type versions struct {
	record.Versions
	pretrain int // 0: not initialised from texts
}

func versionsOf(s record.Spec) versions {
	v := versions{Versions: s.Versions}
	if s.Init != nil {
		v.pretrain = s.Init.Version
	}
	return v
}

// newer compares two models' versions in the order in which tables are chosen by them.
func (v versions) newer(w versions) int {
	return cmp.Or(cmp.Compare(v.Train, w.Train), cmp.Compare(v.Rank, w.Rank), cmp.Compare(v.pretrain, w.pretrain), cmp.Compare(v.Model, w.Model))
}

// OlderVersions finds the data sets for which older records cover planned runs that no
// record of the plan's versions covers.
func OlderVersions(planned []Planned, stored []*record.Record) (Older, error) {
	place := map[string]int{} // in the plan, by what a record of any version shares with it
	for i, p := range planned {
		key, err := ofAnyVersion(p.Spec).RunKey()
		if err != nil {
			return nil, err
		}
		place[key] = i
	}
	sets := map[string]*coverage{}
	for _, r := range stored {
		key, err := ofAnyVersion(r.Result.Spec).RunKey()
		if err != nil {
			return nil, err
		}
		i, ok := place[key]
		if !ok {
			continue
		}
		name := planned[i].Spec.Dataset.Name
		if sets[name] == nil {
			sets[name] = newCoverage()
		}
		sets[name].add(i, planned[i].Spec, r.Result.Spec)
	}
	out := Older{}
	for name, c := range sets {
		ours := map[int]record.Spec{}
		for i, p := range planned {
			if p.Spec.Dataset.Name == name {
				ours[i] = p.Spec
			}
		}
		if o, ok := c.choose(ours); ok {
			out[name] = o
		}
	}
	return out, nil
}

func ofAnyVersion(s record.Spec) record.Spec {
	return withVersions(s, func(string, versions) versions { return versions{} })
}

// Show gives a planned run the versions of the records that are shown. A model that has no
// record of the older code is missing there: its newer records belong to no table with the others.
func (o Older) Show(s record.Spec) record.Spec {
	shown, ok := o[s.Dataset.Name]
	if !ok {
		return s
	}
	return withVersions(s, func(model string, now versions) versions {
		if v, ok := shown.versions[model]; ok {
			return v
		}
		if now.Rank = shown.rank; now.Train > 0 {
			now.Train = shown.train
		}
		if now.pretrain > 0 && shown.pretrain > 0 {
			now.pretrain = shown.pretrain
		}
		return now
	})
}

// withVersions gives a spec and its source other versions, by model and present ones.
func withVersions(s record.Spec, of func(model string, now versions) versions) record.Spec {
	v := of(s.Model, versionsOf(s))
	s.Versions = v.Versions
	if s.Init != nil {
		initial := *s.Init
		initial.Version = v.pretrain
		s.Init = &initial
	}
	if source, ok := s.OfSource(); ok {
		s.Source = withVersions(source, of).AsSource()
	}
	return s
}

// Notes has the line of each table that says which versions made it.
func (o Older) Notes() map[string]string {
	out := map[string]string{}
	for name, s := range o {
		out[name] = s.note
	}
	return out
}

// code names the versions that all trained models of a table share. Models that are not
// trained have no training version.
type code struct{ train, rank int }

// coverage says which planned runs of a data set have records, by version.
type coverage struct {
	current map[int]bool // of the plan's versions
	by      map[cover]runSet
	floors  []covered // of models that are not trained, which go with any training version
}

// cover is what may be shown of a model: its records of some versions, in a table of a code.
type cover struct {
	code    code
	model   string
	version versions
}

// runSet is a set of planned runs.
type runSet map[int]bool

// covered is a record of a planned run.
type covered struct {
	run     int
	model   string
	version versions
}

func newCoverage() *coverage {
	return &coverage{current: map[int]bool{}, by: map[cover]runSet{}}
}

func (c *coverage) add(i int, planned, recorded record.Spec) {
	r := covered{i, recorded.Model, versionsOf(recorded)}
	if r.version == versionsOf(planned) {
		c.current[i] = true
	}
	if recorded.NonNeural {
		c.floors = append(c.floors, r)
		return
	}
	c.put(code{r.version.Train, r.version.Rank}, r)
}

func (c *coverage) put(k code, r covered) {
	key := cover{k, r.model, r.version}
	if c.by[key] == nil {
		c.by[key] = runSet{}
	}
	c.by[key][r.run] = true
}

// codes lists those that a table may show, the newest first.
func (c *coverage) codes() []code {
	all := map[code]bool{}
	for k := range c.by {
		all[k.code] = true
	}
	return slices.SortedFunc(maps.Keys(all), func(a, b code) int {
		return cmp.Or(cmp.Compare(b.train, a.train), cmp.Compare(b.rank, a.rank))
	})
}

// choose returns the older versions that are shown; not ok if they are the plan's.
func (c *coverage) choose(planned map[int]record.Spec) (o older, ok bool) {
	codes := c.codes()
	if codes == nil { // nothing is trained: the ranking version alone decides
		for _, f := range c.floors {
			c.put(code{0, f.version.Rank}, f)
		}
		codes = c.codes()
	}
	for _, k := range codes {
		for _, f := range c.floors {
			if f.version.Rank == k.rank {
				c.put(k, f)
			}
		}
	}
	most := 0
	for _, k := range codes { // most models, then most runs: no row disappears while a suite is run again
		for _, pretrain := range c.pretrained(k) {
			covered, shown := 0, c.widest(k, pretrain)
			for model, v := range shown {
				covered += len(c.by[cover{k, model, v}])
			}
			if n := len(o.versions); len(shown) > n || len(shown) == n && covered > most {
				most, o = covered, older{code: k, pretrain: pretrain, versions: shown}
			}
		}
	}
	whole := true // the plan's versions cover all that any version covers
	for _, runs := range c.by {
		for i := range runs {
			whole = whole && c.current[i]
		}
	}
	if whole {
		return older{}, false
	}
	o.note = c.note(planned, o.versions)
	return o, o.note != ""
}

// pretrained lists the versions of pre-training that the records of a code have, the newest
// first; 0 if there are none.
func (c *coverage) pretrained(of code) []int {
	all := map[int]bool{}
	for k := range c.by {
		if k.code == of && k.version.pretrain > 0 {
			all[k.version.pretrain] = true
		}
	}
	if len(all) == 0 {
		return []int{0}
	}
	return slices.SortedFunc(maps.Keys(all), func(a, b int) int { return cmp.Compare(b, a) })
}

// widest returns, by model, the versions that cover most runs in a table of a code and a version
// of pre-training, the newest of several.
func (c *coverage) widest(of code, pretrain int) map[string]versions {
	best := map[string]versions{}
	for k, runs := range c.by {
		if k.code != of || k.version.pretrain > 0 && k.version.pretrain != pretrain {
			continue
		}
		v, ok := best[k.model]
		n := len(c.by[cover{of, k.model, v}])
		if !ok || len(runs) > n || len(runs) == n && k.version.newer(v) > 0 {
			best[k.model] = k.version
		}
	}
	return best
}

// note names the versions that differ from the plan's; "" if none does: the plan's cover most
// runs, though not all that older ones cover.
func (c *coverage) note(planned map[int]record.Spec, shown map[string]versions) string {
	var differ []string
	runs, again := 0, 0
	for _, i := range slices.Sorted(maps.Keys(planned)) {
		spec := planned[i]
		runs++
		if c.current[i] {
			again++
		}
		was, ok := shown[spec.Model]
		if !ok {
			continue
		}
		now := versionsOf(spec)
		for _, part := range []struct {
			of      string
			was, is int
		}{{"training", was.Train, now.Train}, {"ranking", was.Rank, now.Rank}, {"pre-training", was.pretrain, now.pretrain}, {spec.Model, was.Model, now.Model}} {
			if part.was != part.is {
				differ = appendNew(differ, fmt.Sprintf("%s version %d, now %d", part.of, part.was, part.is))
			}
		}
	}
	if differ == nil {
		return ""
	}
	return fmt.Sprintf("made by older code (%s); the table stays as it is until its suite has been run again: %d of %d runs so far",
		strings.Join(differ, "; "), again, runs)
}
