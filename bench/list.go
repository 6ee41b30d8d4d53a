package main

import (
	"bytes"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"famebench/datasets"
	"famebench/internal/escape"
	"famebench/internal/plan"
	"famebench/internal/registry"
)

// listing is what -list shows.
type listing struct {
	Suites   []plan.Suite    `json:"suites"`
	Models   []listedModel   `json:"models"`
	Datasets []listedDataset `json:"datasets"`
}

type listedModel struct {
	Name     string   `json:"name"`
	Summary  string   `json:"summary"`
	Base     string   `json:"variant_of,omitempty"` // whose settings it has
	Settings []string `json:"settings"`
}

type listedDataset struct {
	Name         string `json:"name"`
	Format       string `json:"format"`
	Path         string `json:"path,omitempty"`
	Texts        string `json:"item_metadata,omitempty"`
	Users        int    `json:"users,omitempty"` // counts of embedded sets only: others must be read whole
	Items        int    `json:"items,omitempty"`
	Interactions int    `json:"interactions,omitempty"`
}

func (b *bench) list() error {
	l := listing{Suites: b.config.Suites()}
	for _, e := range registry.Models {
		l.Models = append(l.Models, listedModel{e.Name, e.Summary, e.Base, e.Settings()})
	}
	for _, name := range b.config.Datasets() {
		d, err := b.listDataset(name)
		if err != nil {
			return usageError{err}
		}
		l.Datasets = append(l.Datasets, d)
	}
	if b.json {
		return b.writeJSON(l)
	}
	w := tabwriter.NewWriter(b.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "Suites (bench -suite NAME)")
	for _, s := range l.Suites {
		fmt.Fprintf(w, "  %s\t%s\n", s.Name, escape.Line(s.Summary))
		fmt.Fprintf(w, "  \t%s on %s, %s\n", strings.Join(s.Models, ", "), strings.Join(s.Datasets, ", "), seedText(s.Seeds))
	}
	fmt.Fprintln(w, "\nModels (-models A,B)")
	for _, m := range l.Models {
		fmt.Fprintf(w, "  %s\t%s\n", m.Name, m.Summary)
		switch {
		case m.Base != "":
			fmt.Fprintf(w, "  \tvariant of %s, with its settings\n", m.Base)
		case len(m.Settings) > 0:
			fmt.Fprintf(w, "  \tsettings: %s\n", strings.Join(m.Settings, ", "))
		}
	}
	fmt.Fprintln(w, "\nData sets (-datasets A,B)")
	for _, d := range l.Datasets {
		text := d.Format + ", fetched by scripts/fetch-data.sh"
		if d.Path != "" {
			text = fmt.Sprintf("%s, read from %s", d.Format, escape.Line(d.Path))
		}
		if d.Users > 0 {
			text = fmt.Sprintf("embedded, %d users, %d items, %d interactions", d.Users, d.Items, d.Interactions)
			if d.Texts != "" {
				text += ", texts read from " + escape.Line(d.Texts)
			}
		}
		fmt.Fprintf(w, "  %s\t%s\n", d.Name, text)
	}
	return w.Flush()
}

func (b *bench) listDataset(name string) (listedDataset, error) {
	c, err := b.config.Dataset(name)
	if err != nil {
		return listedDataset{}, err
	}
	full, err := c.Resolve()
	if err != nil {
		return listedDataset{}, err
	}
	d := listedDataset{Name: name, Format: full.Format, Path: c.Path, Texts: c.Items}
	if full.Format == "embedded" {
		c.Items = "" // may be a file that is yet to be fetched
		data, err := datasets.Open(c, b.config.Root)
		if err != nil {
			return d, err
		}
		st := data.Stats()
		d.Users, d.Items, d.Interactions = st.Users, st.Items, st.Interactions
	}
	return d, nil
}

func seedText(seeds []int64) string {
	if len(seeds) == 1 {
		return fmt.Sprintf("seed %d", seeds[0])
	}
	return "seeds " + strings.Trim(strings.ReplaceAll(fmt.Sprint(seeds), " ", ", "), "[]")
}

// plannedRun is a run as -dry-run shows it.
type plannedRun struct {
	ID      string  `json:"id"`
	At      string  `json:"at,omitempty"`
	Dataset string  `json:"dataset"`
	Model   string  `json:"model"`
	Seed    int64   `json:"seed"`
	Device  string  `json:"device"`
	Threads int     `json:"threads"`
	State   string  `json:"state"`
	Comment string  `json:"comment,omitempty"`
	Seconds float64 `json:"expected_s,omitempty"` // by the records of earlier runs
}

func (b *bench) dryRun(todo *plan.Plan) error {
	runs := []plannedRun{}
	counts := map[string]int{}
	left, err := b.remaining(todo)
	if err != nil {
		return err
	}
	for i, r := range todo.Runs {
		st := plan.State{Status: plan.StateToRun}
		if todo.Suite.Kind != plan.KindCost {
			var err error
			if st, err = r.State(b.store); err != nil {
				return err
			}
		}
		s := r.Job.Spec
		counts[st.Status]++
		runs = append(runs, plannedRun{r.ID, r.At, s.Dataset.Name, s.Model, s.Seed, s.Device, r.Job.Threads, st.Status, st.Comment, left.each[i].Seconds()})
	}
	if b.json {
		return b.writeJSON(struct {
			Suite   string       `json:"suite"`
			Out     string       `json:"out"`
			Runs    []plannedRun `json:"runs"`
			Skipped []plan.Skip  `json:"skipped,omitempty"`
		}{todo.Suite.Name, b.store.Dir, runs, todo.Skipped})
	}
	var text bytes.Buffer
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	for _, r := range runs {
		state := r.State
		if r.Comment != "" {
			state += " (" + r.Comment + ")"
		}
		expected := ""
		if r.Seconds > 0 {
			expected = "about " + time.Duration(r.Seconds*float64(time.Second)).Round(time.Second).String()
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", r.ID, escape.Line(r.At), escape.Line(state), expected)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for line := range strings.Lines(text.String()) {
		fmt.Fprintln(b.stdout, strings.TrimRight(line, " \n"))
	}
	fmt.Fprintf(b.stdout, "suite %s: %d runs, %d done already; device %s, threads %d; results in %s\n",
		todo.Suite.Name, len(runs), counts[plan.StateDone], b.device, todo.Threads, escape.Line(b.store.Dir))
	if left.runs > 0 && todo.Suite.Kind != plan.KindCost {
		fmt.Fprintln(b.stdout, left)
	}
	return nil
}
