package report

import (
	"fmt"
	"io"

	"famebench/datasets"
)

// A line break in a title keeps the table within 100 columns, with the millions
// of ML-20M in it too.
var datasetTitles = []string{"data set", "users", "items", "interactions", "density\n%", "avg\nlength", "tie\nrule", "tied\n%", "tied\ntests", "leak\n%"}

// WriteDatasets renders the statistics of data sets for a terminal.
func WriteDatasets(w io.Writer, stats []datasets.Stats) error {
	fmt.Fprintln(w)
	return writeTable(w, datasetTitles, datasetRows(stats))
}

// MarkdownDatasets renders the statistics of data sets as Markdown.
func MarkdownDatasets(w io.Writer, stats []datasets.Stats) {
	fmt.Fprint(w, "## Data\n\n")
	markdownTable(w, datasetTitles, datasetRows(stats))
	fmt.Fprint(w, `- tied: interactions whose user has another one at the same second; tied tests: users whose
  test item shares its second with the one before it; tie rule: what orders those.
- leak: share of leave-one-out's training interactions later than the median test interaction.
- –: the source has no times.

`)
}

func datasetRows(stats []datasets.Stats) [][]string {
	var rows [][]string
	for _, s := range stats {
		rule, tied, tests, leak := "–", "–", "–", "–"
		if s.Timed {
			rule, tied, tests, leak = s.Ties, percent(s.TiedShare), thousands(s.TiedTestUsers), percent(s.Leak)
		}
		rows = append(rows, []string{s.Name, thousands(s.Users), thousands(s.Items), thousands(s.Interactions),
			fmt.Sprintf("%.3f", 100*s.Density), fmt.Sprintf("%.1f", s.AvgLength), rule, tied, tests, leak})
	}
	return rows
}
