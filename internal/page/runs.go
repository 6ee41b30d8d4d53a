package page

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"famebench/internal/aggregate"
	"famebench/internal/view"
)

// data is where the page's numbers come from; page.js shows it.
type data struct {
	Results string             `json:"results"` // the way to the results folder
	Suites  []dataSuite        `json:"suites"`
	Runs    map[string]dataRun `json:"runs"`
}

type dataSuite struct {
	Name   string      `json:"name"`
	Tables []dataTable `json:"tables"`
}

type dataTable struct {
	Dataset  string    `json:"dataset"`
	Baseline string    `json:"baseline"`
	Rows     []dataRow `json:"rows"`
}

type dataRow struct {
	Label string   `json:"label"`
	Runs  []string `json:"runs"` // ids
	// Averaged are the metrics of these runs where they are not averaged over cases, as in Runs of
	// data, but as the table says.
	Averaged []dataMetrics `json:"averaged,omitempty"`
	// Imported are the lists of another program, of a row without runs.
	Imported []aggregate.ImportedList `json:"imported,omitempty"`
	Removed  *dataTest                `json:"removed,omitempty"`
	Kept     *dataTest                `json:"kept,omitempty"`
}

// dataMetrics are a run's test metrics.
type dataMetrics struct {
	Removed map[string]rounded `json:"removed"`
	Kept    map[string]rounded `json:"kept"`
}

// dataTest is an aggregate.Test as it is read.
type dataTest struct {
	Difference string `json:"difference"`
	Interval   string `json:"interval"`
	P          string `json:"p"`
	PHolm      string `json:"p_holm"`
	Verdict    string `json:"verdict"`
}

type dataRun struct {
	Seed     int64    `json:"seed"`
	SHA256   string   `json:"sha256"`
	Commit   string   `json:"commit"`
	Dirty    bool     `json:"dirty,omitempty"`
	Stopped  string   `json:"stopped"`
	Machine  string   `json:"machine"`
	Code     string   `json:"code"` // versions
	Settings []string `json:"settings,omitempty"`
	dataMetrics
	Training map[string]rounded `json:"training,omitempty"`
}

// rounded is a number with eight significant digits: the record has them all.
type rounded float64

// MarshalJSON writes it.
func (r rounded) MarshalJSON() ([]byte, error) {
	if math.IsNaN(float64(r)) || math.IsInf(float64(r), 0) {
		return []byte("null"), nil
	}
	return strconv.AppendFloat(nil, float64(r), 'g', 8, 64), nil
}

func newData(suites []*aggregate.Suite) data {
	d := data{Suites: []dataSuite{}, Runs: map[string]dataRun{}}
	for _, s := range suites {
		ds := dataSuite{Name: s.Name, Tables: []dataTable{}}
		for _, t := range s.Tables {
			dt := dataTable{Dataset: t.Dataset, Baseline: t.Baseline, Rows: []dataRow{}}
			for _, r := range t.Rows {
				row := dataRow{Label: r.Label, Runs: []string{}, Imported: r.Imported, Removed: newDataTest(r.Removed.Test), Kept: newDataTest(r.Kept.Test)}
				for _, run := range r.Runs {
					row.Runs = append(row.Runs, run.ID)
					of := newDataRun(run)
					if t.Average != "" {
						row.Averaged = append(row.Averaged, of.dataMetrics)
						of.dataMetrics = d.Runs[run.ID].dataMetrics // of another suite's table, if it has the run
					}
					d.Runs[run.ID] = of
				}
				dt.Rows = append(dt.Rows, row)
			}
			ds.Tables = append(ds.Tables, dt)
		}
		d.Suites = append(d.Suites, ds)
	}
	return d
}

func newDataTest(t *aggregate.Test) *dataTest {
	if t == nil {
		return nil
	}
	points := func(v float64) string { return view.Minus(view.Difference(v)) }
	verdict := "not significant"
	switch {
	case t.FewSeeds:
		verdict = fmt.Sprintf("undecided, with fewer than %d seeds of a model", aggregate.FewSeeds)
	case t.Significant:
		verdict = "significant"
	}
	return &dataTest{points(t.Difference), points(t.Low) + " to " + points(t.High), fmt.Sprintf("%.2g", t.P), fmt.Sprintf("%.2g", t.PHolm), verdict}
}

// stopped says in words why training ended.
var stopped = map[string]string{
	"patience": "validation no longer improved",
	"epochs":   "epoch budget used up",
	"time":     "time limit",
	"done":     "nothing to train",
}

func newDataRun(r aggregate.Run) dataRun {
	out := dataRun{Seed: r.Seed, SHA256: r.SHA256, Commit: r.Commit, Dirty: r.Dirty, Stopped: r.Status,
		dataMetrics: dataMetrics{shorten(r.Removed), shorten(r.Kept)}}
	if text, ok := stopped[r.Status]; ok {
		out.Stopped = text
	}
	if r.Epochs > 0 {
		out.Stopped += fmt.Sprintf("; best epoch %d of %d", r.BestEpoch, r.Epochs)
	}
	parts := []string{r.Host, r.CPU, r.Device, r.ThreadsText()}
	out.Machine = strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), ", ")
	var code []string
	for _, v := range [][2]string{{"libtorch", r.Libtorch}, {"Go", strings.TrimPrefix(r.Go, "go")}, {"model code", strconv.Itoa(r.Versions.Model)},
		{"training code", strconv.Itoa(r.Versions.Train)}, {"ranking code", strconv.Itoa(r.Versions.Rank)}} {
		if v[1] != "" && v[1] != "0" {
			code = append(code, v[0]+" "+v[1])
		}
	}
	out.Code = strings.Join(code, ", ")
	for k, v := range r.Settings {
		out.Settings = append(out.Settings, fmt.Sprintf("%s = %v", k, v))
	}
	slices.Sort(out.Settings)
	if c := r.Cost; c != (aggregate.Cost{}) || r.Valid != 0 {
		out.Training = map[string]rounded{"valid": rounded(r.Valid), "parameters": rounded(c.Parameters), "train_seconds": rounded(c.TrainSeconds),
			"targets_per_s": rounded(c.TargetsPerSecond), "peak_rss_mb": rounded(c.PeakRSSMB), "epochs": rounded(r.Epochs)}
	}
	return out
}

func shorten(m map[string]float64) map[string]rounded {
	out := make(map[string]rounded, len(m))
	for k, v := range m {
		out[k] = rounded(v)
	}
	return out
}
