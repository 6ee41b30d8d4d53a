package main

import (
	"fmt"
	"io"
	"slices"

	"famebench/internal/aggregate"
	"famebench/internal/conf"
)

// formatNames are the values of -format.
var formatNames = []string{"text", "markdown", "latex", "csv", "json"}

// checkFormat checks -format and -metrics. -format json is -json.
func (o *options) checkFormat(metrics string) error {
	if !slices.Contains(formatNames, o.format) {
		return fmt.Errorf("-format: unknown format %q%s", o.format, conf.Hint(o.format, formatNames))
	}
	if o.json && o.given["format"] && o.format != "json" {
		return fmt.Errorf("-json and -format %s exclude each other", o.format)
	}
	o.json = o.json || o.format == "json"
	if o.analyse && !o.json && o.format != "text" {
		return fmt.Errorf("-format %s does not show what -analyse finds: expected text or json", o.format)
	}
	if !o.given["metrics"] {
		return nil
	}
	if o.json {
		return fmt.Errorf("-metrics: JSON has all metrics: leave it out")
	}
	o.metrics = splitList(metrics)
	if _, err := aggregate.Shown(o.metrics); err != nil {
		return fmt.Errorf("-metrics: %w", err)
	}
	return nil
}

// tables writes tables in each format but JSON.
type tables struct {
	text            func(io.Writer) error
	markdown, latex func(io.Writer)
	csv             func() []byte
}

// writeTables writes tables to stdout in the format that was asked for.
func (b *bench) writeTables(t tables) error {
	switch b.format {
	case "markdown":
		t.markdown(b.stdout) // stdout keeps its error for the end
	case "latex":
		t.latex(b.stdout)
	case "csv":
		_, _ = b.stdout.Write(t.csv())
	default:
		return t.text(b.stdout)
	}
	return nil
}

// csvMetrics are the metrics of a CSV on stdout: those of the chosen columns, or all.
func csvMetrics(columns []string) []string {
	if columns == nil {
		return slices.Concat(aggregate.Columns, aggregate.Beyond)
	}
	metrics, _ := aggregate.Shown(columns) // they were checked
	if slices.Contains(metrics, aggregate.GainColumn) && !slices.Contains(metrics, aggregate.Tested) {
		metrics = append(slices.Clone(metrics), aggregate.Tested) // whose lines have the gain
	}
	return slices.DeleteFunc(metrics, func(name string) bool { return name == aggregate.GainColumn })
}
