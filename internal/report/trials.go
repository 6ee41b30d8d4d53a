package report

import (
	"fmt"
	"io"

	"famebench/internal/experiment"
)

var trialTitles = []string{"data set", "model", "tried", "short", "to the end", "epochs", ""}

// WriteTrials renders the trials of a search for a terminal.
func WriteTrials(w io.Writer, trials []experiment.Trial) error {
	fmt.Fprint(w, "\nValidation NDCG@10, seen items removed\n")
	return writeTable(w, trialTitles, trialRows(trials), 1, 2)
}

// MarkdownTrials renders the trials of a search as Markdown.
func MarkdownTrials(w io.Writer, trials []experiment.Trial) {
	fmt.Fprint(w, "Validation NDCG@10, seen items removed; the test items were not ranked.\n\n")
	markdownTable(w, append(trialTitles[:len(trialTitles)-1:len(trialTitles)-1], "chosen"), trialRows(trials))
}

func trialRows(trials []experiment.Trial) [][]string {
	var rows [][]string
	for _, t := range trials {
		row := []string{t.Dataset, t.Model, t.At, decimals(t.Short), "", "", ""}
		if t.At == "" {
			row[2] = "as configured"
		}
		if t.FullID != "" {
			row[4], row[5] = decimals(t.Full), fmt.Sprint(t.Epochs)
		}
		if t.Chosen {
			row[6] = "chosen"
		}
		rows = append(rows, row)
	}
	return rows
}
