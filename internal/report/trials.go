package report

import (
	"fmt"
	"io"
	"slices"
	"strconv"

	"famebench/internal/aggregate"
	"famebench/internal/escape"
	"famebench/internal/record"
)

// WriteTrials renders the trials of a search for a terminal.
func WriteTrials(w io.Writer, trials []record.Trial) error {
	return writeSections(w, []section{trialSection(trials)})
}

// MarkdownTrials renders the trials of a search as Markdown.
func MarkdownTrials(w io.Writer, suite, summary string, trials []record.Trial) {
	fmt.Fprintf(w, "# Suite %s\n\n%s\n\n", escape.Markdown(suite), escape.Paragraph(summary))
	markdownSections(w, []section{trialSection(trials)})
}

// LatexTrials renders the trials of a search as LaTeX.
func LatexTrials(w io.Writer, suite string, trials []record.Trial) {
	latexSections(w, suite, []section{trialSection(trials)})
}

func trialSection(trials []record.Trial) section {
	sh := sheet{head: []string{"data set", "model", "tried", "short", "to the\nend", "epochs", "choice"}, left: []int{1, 2}}
	short := slices.ContainsFunc(trials, record.Trial.HasShort)
	if !short { // every trial was trained to the end
		sh.head = slices.Delete(sh.head, 3, 4)
	}
	for _, t := range trials {
		row := plain(t.Dataset, t.Model, t.At, "", "", "", "")
		if t.HasShort() {
			row[3].text = decimals(t.Short)
		}
		if t.At == "" {
			row[2].text = "as configured"
		}
		if t.FullID != "" {
			row[4].text, row[5].text = decimals(t.Full), strconv.Itoa(t.Epochs)
		}
		if t.Chosen {
			row[6].text = "chosen"
		}
		if !short {
			row = slices.Delete(row, 3, 4)
		}
		sh.rows = append(sh.rows, row)
	}
	return section{title: "Validation " + aggregate.Tested + ", seen items removed; the test items were not ranked", sheets: []sheet{sh}}
}

// TrialsCSV has a line for each trial.
func TrialsCSV(trials []record.Trial) []byte {
	lines := [][]string{{"dataset", "model", "tried", "short", "full", "epochs", "chosen"}}
	for _, t := range trials {
		short, full, epochs := "", "", ""
		if t.HasShort() {
			short = number64(t.Short)
		}
		if t.FullID != "" {
			full, epochs = number64(t.Full), strconv.Itoa(t.Epochs)
		}
		lines = append(lines, []string{t.Dataset, t.Model, t.At, short, full, epochs, strconv.FormatBool(t.Chosen)})
	}
	return csvText(lines)
}
