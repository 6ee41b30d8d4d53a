package aggregate

import (
	"maps"
	"slices"

	"famebench/internal/record"
	"famebench/internal/stats"
)

// groupBySeed puts records together that differ in the seed alone. The thread count, which
// is in the spec of older records, does not count.
func groupBySeed(records []*record.Record) ([]*group, error) {
	var groups []*group
	byKey := map[string]*group{}
	for _, r := range records {
		key, err := rowKey(r.Result.Spec)
		if err != nil {
			return nil, err
		}
		g := byKey[key]
		if g == nil {
			g = &group{key: key}
			if g.anyDevice, err = keyOfAnyDevice(r.Result.Spec); err != nil {
				return nil, err
			}
			if g.training, err = trainingKey(r.Result.Spec); err != nil {
				return nil, err
			}
			byKey[key] = g
			groups = append(groups, g)
		}
		g.records = append(g.records, r)
	}
	return groups, nil
}

// rowKey is shared by the runs of one row.
func rowKey(s record.Spec) (string, error) {
	s.Seed, s.Threads = 0, 0
	s.Dataset.Name, s.Dataset.Config = "", nil
	b, err := record.Canonical(s)
	return string(b), err
}

// keyOfAnyDevice is shared by rows that differ in the device only.
func keyOfAnyDevice(s record.Spec) (string, error) {
	s.Device = ""
	return rowKey(s)
}

// trainingKey is shared by the rows that depend on the same trainings: it is that of the first in
// the chain of runs that a row's runs begin with.
func trainingKey(s record.Spec) (string, error) {
	for from, ok := s.OfSource(); ok; from, ok = s.OfSource() {
		s = from
	}
	return rowKey(s.AsTrained())
}

// device is that of a row's records.
func (g *group) device() string { return g.records[0].Result.Spec.Device }

// findSources names the row whose weights each row begins with.
func findSources(groups []*group) error {
	for _, g := range groups {
		spec, ok := g.records[0].Result.Spec.OfSource()
		if !ok {
			continue
		}
		key, err := rowKey(spec)
		if err != nil {
			return err
		}
		g.Warm = true
		if i := slices.IndexFunc(groups, func(h *group) bool { return h.key == key }); i >= 0 {
			g.Source = groups[i].Label
		}
	}
	return nil
}

// setStands says which rows of one data set stand for their models. If the suite runs a model with
// its configured settings, this row does, and no other: a row of an axis may be an ablation, such as
// one with wrong labels, and which one is best on validation is then no choice of the model's.
func (in Input) setStands(groups []*group) error {
	configured, models := map[string]bool{}, map[string]bool{}
	for _, p := range in.Planned {
		if !p.Configured || dataKey(p.Spec) != dataKey(groups[0].records[0].Result.Spec) {
			continue
		}
		key, err := keyOfAnyDevice(p.Spec)
		if err != nil {
			return err
		}
		configured[key], models[p.Spec.Model] = true, true
	}
	for _, g := range groups {
		g.stands = configured[g.anyDevice] || !models[g.Model]
	}
	return nil
}

// fill computes a row from its records, but for what depends on other rows.
func (g *group) fill(axes, proposals []string) {
	spec := g.records[0].Result.Spec
	g.Model, g.NonNeural, g.Baseline = spec.Model, spec.NonNeural, !slices.Contains(proposals, spec.Model)
	g.Reference = slices.Contains(References, spec.Model)
	for _, axis := range axes {
		name, ok := settingOf(axis, spec.Model)
		if text := setting(g.records[0], name); ok && text != nil {
			if g.At == nil {
				g.At = map[string]any{}
			}
			g.At[axis] = value(text)
		}
	}
	g.Removed.Metrics, g.Kept.Metrics = map[string]Cell{}, map[string]Cell{}
	for _, metric := range Columns {
		g.Removed.Metrics[metric] = g.over(func(r *record.Record) float64 { return r.Result.Test.Removed[metric] })
		g.Kept.Metrics[metric] = g.over(func(r *record.Record) float64 { return r.Result.Test.Kept[metric] })
	}
	var valid []float64
	for _, r := range g.records {
		if v, ok := validation(r); ok {
			valid = append(valid, v)
		}
	}
	g.Valid = newCell(valid)
	g.Curve = g.curve()
	g.Cost = g.cost()
	g.Heads = g.heads()
	for _, r := range g.records {
		g.Runs = append(g.Runs, newRun(r))
	}
}

// validation gives the value of the epoch whose weights were ranked; floors have none.
func validation(r *record.Record) (float64, bool) {
	v, ok := r.Result.BestValidation()[Tested]
	return v, ok
}

// curve has a point for every epoch that a seed reached, over the seeds that did.
// Where none was evaluated, validation and geometry have N = 0.
func (g *group) curve() []CurvePoint {
	points := map[int][]record.Point{} // by epoch
	for _, r := range g.records {
		for _, p := range r.Result.Curve {
			points[p.Epoch] = append(points[p.Epoch], p)
		}
	}
	var out []CurvePoint
	for _, epoch := range slices.Sorted(maps.Keys(points)) {
		var loss, valid, alignment, uniformity []float64
		for _, p := range points[epoch] {
			loss = append(loss, p.Loss)
			if v, ok := p.Valid[Tested]; ok {
				valid, alignment, uniformity = append(valid, v), append(alignment, p.Alignment), append(uniformity, p.Uniformity)
			}
		}
		out = append(out, CurvePoint{epoch, newCell(loss), newCell(valid), newCell(alignment), newCell(uniformity)})
	}
	return out
}

// over is the mean over a row's records.
func (g *group) over(of func(*record.Record) float64) Cell {
	var values []float64
	for _, r := range g.records {
		values = append(values, of(r))
	}
	return newCell(values)
}

func newCell(values []float64) Cell {
	if len(values) == 0 {
		return Cell{}
	}
	mean, sd := stats.MeanSD(values)
	return Cell{Mean: mean, SD: sd, N: len(values)}
}

func (g *group) cost() Cost {
	return Cost{
		Parameters:       g.records[0].Measured.Parameters,
		TrainSeconds:     g.over(func(r *record.Record) float64 { return r.Measured.TrainSeconds }).Mean,
		TargetsPerSecond: g.over(func(r *record.Record) float64 { return r.Measured.TargetsPerSecond }).Mean,
		PeakRSSMB:        g.over(func(r *record.Record) float64 { return r.Measured.PeakRSSMB }).Mean,
		Epochs:           g.over(func(r *record.Record) float64 { return float64(r.Result.Epochs) }).Mean,
	}
}

func newRun(r *record.Record) Run {
	spec, m := r.Result.Spec, r.Measured
	run := Run{
		ID: r.ID, Seed: spec.Seed, SHA256: r.ResultSHA256, Commit: m.Commit, Dirty: m.Dirty,
		Status: string(r.Result.Status), Epochs: r.Result.Epochs, BestEpoch: r.Result.BestEpoch,
		Host: m.Host, CPU: m.Processor(), Device: spec.Device, Threads: m.Threads, Libtorch: m.Libtorch, Go: m.Go, Versions: spec.Versions,
		Removed: r.Result.Test.Removed, Kept: r.Result.Test.Kept,
		Cost: (&group{records: []*record.Record{r}}).cost(),
	}
	run.Valid, _ = validation(r)
	for _, part := range parts(spec) {
		for key, text := range part.settings {
			if run.Settings == nil {
				run.Settings = map[string]any{}
			}
			run.Settings[part.prefix+key] = value(text)
		}
	}
	return run
}
