package main

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"famebench/internal/analysis"
	"famebench/internal/registry"
	"famebench/internal/report"
)

// recommend prints what a recorded run recommends for the histories of the command line.
func (b *bench) recommend() error {
	r, err := b.readRecord(b.run)
	if err != nil {
		return err
	}
	q := analysis.Request{Top: b.top, KeepSeen: b.keepSeen}
	if q.Histories, err = b.readHistories(); err != nil {
		return usageError{err}
	}
	all, err := analysis.Recommend(r, b.recordedJob(r), registry.Models, q)
	switch {
	case errors.As(err, &analysis.InputError{}):
		return usageError{fmt.Errorf("-recommend: %w", err)}
	case err != nil:
		return err
	case b.json:
		return b.writeJSON(all)
	}
	return report.WriteRecommendations(b.stdout, r.ID, all)
}

// readHistories reads the histories of -history or -histories: a line for each, with its items
// between commas. An id with a comma is in quotation marks, as in CSV.
func (b *bench) readHistories() ([]analysis.History, error) {
	if b.given["history"] {
		return parseHistories(strings.NewReader(b.history), func(int) string { return "-history" })
	}
	f, err := os.Open(b.histories)
	if err != nil {
		return nil, fmt.Errorf("-histories: %w", err)
	}
	defer f.Close()
	return parseHistories(f, func(line int) string { return fmt.Sprintf("%s:%d", b.histories, line) })
}

// byteOrderMark may begin a file that Windows wrote.
const byteOrderMark = "\ufeff"

func parseHistories(in io.Reader, where func(line int) string) ([]analysis.History, error) {
	text := bufio.NewReader(in)
	if mark, err := text.Peek(len(byteOrderMark)); err == nil && string(mark) == byteOrderMark {
		text.Discard(len(mark))
	}
	lines := csv.NewReader(text)
	lines.FieldsPerRecord, lines.TrimLeadingSpace = -1, true
	var out []analysis.History
	next := 1 // the line at which the next history is expected
	for {
		items, err := lines.Read()
		switch bad := (*csv.ParseError)(nil); {
		case err == io.EOF && out == nil:
			return nil, fmt.Errorf("%s: expected items, oldest first, between commas, got none", where(1))
		case err == io.EOF:
			return out, nil
		case errors.As(err, &bad):
			return nil, fmt.Errorf("%s: %w", where(bad.Line), bad.Err)
		case err != nil:
			return nil, fmt.Errorf("%s: %w", where(1), err)
		}
		line, _ := lines.FieldPos(0)
		if line > next { // package csv skips empty lines, and the answers would belong to others
			return nil, fmt.Errorf("%s: the line is empty: expected items, oldest first, between commas", where(next))
		}
		last, _ := lines.FieldPos(len(items) - 1)
		next = last + strings.Count(items[len(items)-1], "\n") + 1
		for i := range items {
			if items[i] = strings.TrimSpace(items[i]); items[i] == "" {
				return nil, fmt.Errorf("%s: item %d of %d is empty: expected an id", where(line), i+1, len(items))
			}
		}
		out = append(out, analysis.History{Where: where(line), Items: items})
	}
}
