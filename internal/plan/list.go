package plan

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"famebench/datasets"
	"famebench/internal/escape"
)

// Listing is what can be run: suites, models and data sets.
type Listing struct {
	Suites   []Suite         `json:"suites"`
	Models   []ListedModel   `json:"models"`
	Datasets []ListedDataset `json:"datasets"`
}

// ListedModel is a model of a listing.
type ListedModel struct {
	Name     string   `json:"name"`
	Summary  string   `json:"summary"`
	Base     string   `json:"variant_of,omitempty"` // whose settings it has
	Settings []string `json:"settings"`
}

// ListedDataset is a data set of a listing.
type ListedDataset struct {
	Name         string `json:"name"`
	Format       string `json:"format"`
	Path         string `json:"path,omitempty"`
	Texts        string `json:"item_metadata,omitempty"`
	Users        int    `json:"users,omitempty"` // counts of embedded sets only: others must be read whole
	Items        int    `json:"items,omitempty"`
	Interactions int    `json:"interactions,omitempty"`
}

// List lists what the configuration has.
func (c *Config) List() (Listing, error) {
	l := Listing{Suites: c.suites}
	for _, e := range c.registry {
		l.Models = append(l.Models, ListedModel{e.Name, e.Summary, cmp.Or(e.Via, e.Base), e.Settings()})
	}
	for _, name := range c.Datasets() {
		d, err := c.listDataset(name)
		if err != nil {
			return l, err
		}
		l.Datasets = append(l.Datasets, d)
	}
	return l, nil
}

func (c *Config) listDataset(name string) (ListedDataset, error) {
	dc, err := c.Dataset(name)
	if err != nil {
		return ListedDataset{}, err
	}
	full, err := dc.Resolve()
	if err != nil {
		return ListedDataset{}, err
	}
	d := ListedDataset{Name: name, Format: full.Format, Path: cmp.Or(dc.Path, dc.Train), Texts: dc.Items}
	if full.Format == "embedded" {
		dc.Items = "" // may be a file that is yet to be fetched
		data, err := datasets.Open(dc, c.Root)
		if err != nil {
			return d, err
		}
		st := data.Stats()
		d.Users, d.Items, d.Interactions = st.Users, st.Items, st.Interactions
	}
	return d, nil
}

// Write writes a listing for people.
func (l Listing) Write(to io.Writer) error {
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "Suites (bench -suite NAME)")
	for _, s := range l.Suites {
		fmt.Fprintf(w, "  %s\t%s\n", s.Name, escape.Line(s.Summary))
		fmt.Fprintf(w, "  \t%s on %s, %s\n", strings.Join(s.Models, ", "), strings.Join(s.Datasets, ", "), s.seedText())
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
		fmt.Fprintf(w, "  %s\t%s\n", d.Name, d.text())
	}
	return w.Flush()
}

// text says where a data set comes from.
func (d ListedDataset) text() string {
	switch {
	case d.Users > 0:
		text := fmt.Sprintf("embedded, %d users, %d items, %d interactions", d.Users, d.Items, d.Interactions)
		if d.Texts != "" {
			text += ", texts read from " + escape.Line(d.Texts)
		}
		return text
	case d.Format == "facets":
		return "facets, generated"
	case d.Path != "":
		return fmt.Sprintf("%s, read from %s", d.Format, escape.Line(d.Path))
	}
	return d.Format + ", fetched by scripts/fetch-data.sh"
}

// seedText names the seeds, and those of data sets and models that have others.
func (s Suite) seedText() string {
	text := seedText(s.Seeds)
	for _, dataset := range s.Datasets {
		if own, ok := s.SeedsOf[dataset]; ok {
			text += fmt.Sprintf("; %s: %s", dataset, seedText(own))
		}
		for _, model := range s.Models {
			if own, ok := s.SeedsOfModels[dataset][model]; ok {
				text += fmt.Sprintf("; %s on %s: %s", model, dataset, seedText(own))
			}
		}
	}
	return text
}

func seedText(seeds []int64) string {
	if len(seeds) == 1 {
		return fmt.Sprintf("seed %d", seeds[0])
	}
	return "seeds " + strings.Trim(strings.ReplaceAll(fmt.Sprint(seeds), " ", ", "), "[]")
}
