package datasets

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// files writes a log that has each item once, in order, and the metadata. The first
// file is the log. Items lose the fields that the format does not have.
func (w metadataWriter) files(format string, all []facts) (files map[string]string, c Config) {
	var log, items string
	lines := w.lines(all)
	switch format {
	case "csv", "csv bars", "tsv":
		log, items, c = w.csvFiles(format, all, lines)
	case "recbole", "recbole bars", "recbole commas":
		log, items, c = w.recboleFiles(format, all, lines)
	case "2014", "2018", "2023", "s3rec":
		log, items, c = w.amazonFiles(format, all, lines)
	default:
		log, items, c = w.movieFiles(format, all, lines)
	}
	return map[string]string{c.Path: log, c.Items: items}, c
}

// logOf has a line for each item.
func logOf(all []facts, line string) (log string) {
	for _, f := range all {
		log += fmt.Sprintf(line, f.id)
	}
	return log
}

// csvText is a CSV file with these rows.
func csvText(rows [][]string) string {
	var b bytes.Buffer
	table := csv.NewWriter(&b)
	table.WriteAll(rows)
	return b.String()
}

func (w metadataWriter) csvFiles(format string, all, lines []facts) (log, items string, c Config) {
	header := []string{"item_id", "title", "brand", "categories", "description", "genres", "year"}
	c = Config{Format: "csv", Path: "log", Items: "items", Separator: ",", Columns: Columns{User: "user", Item: "item"},
		ItemColumns: ItemColumns{"item_id", "title", "brand", "categories", "description", "genres", "year"}}
	sep := ""
	if format == "csv bars" {
		sep = "|"
	}
	rows := [][]string{header}
	for _, f := range lines {
		rows = append(rows, w.fields(f, sep))
	}
	if format != "tsv" {
		return "user,item\n" + logOf(all, "u,%s\n"), csvText(rows), c
	}
	c.Separator = "\t"
	for _, row := range rows { // fields of one have no quotes around them
		items += strings.Join(row, "\t") + "\n"
	}
	return "user\titem\n" + logOf(all, "u\t%s\n"), items, c
}

func (w metadataWriter) recboleFiles(format string, all, lines []facts) (log, items string, c Config) {
	items = "item_id:token\ttitle:token_seq\tbrand:token\tcategories:token_seq\tdescription:token_seq\tgenres:token_seq\tyear:float\n"
	sep := map[string]string{"recbole bars": "|", "recbole commas": ", "}[format]
	if sep != "" { // a line that makes the separator clear
		lines = append(lines, facts{id: all[0].id, path: []string{"Shown", "Here"}, genres: []string{"Shown", "Here"}})
		all[0].path, all[0].genres = []string{"Shown", "Here"}, []string{"Shown", "Here"}
		for i := range lines {
			if lines[i].id == all[0].id {
				lines[i].path, lines[i].genres = all[0].path, all[0].genres
			}
		}
	}
	for _, f := range lines {
		items += strings.Join(w.fields(f, sep), "\t") + "\n"
	}
	return "user_id:token\titem_id:token\n" + logOf(all, "u\t%s\n"), items, Config{Format: "recbole", Path: "log.inter", Items: "items"}
}

func (w metadataWriter) amazonFiles(format string, all, lines []facts) (log, items string, c Config) {
	c = Config{Format: "amazon", Path: "log", Items: "items", Ties: "file"}
	review := `{"reviewerID": "U", "asin": "%s", "overall": 5.0, "unixReviewTime": 1}` + "\n"
	if format == "2023" {
		review = `{"user_id": "U", "asin": "x", "parent_asin": "%s", "rating": 5.0, "timestamp": 1000}` + "\n"
	}
	release := format
	if format == "s3rec" {
		c, release, review = Config{Format: "s3rec", Path: "log", Items: "items"}, pick(w, "2014", "2018", "2023"), " %s"
		log = "1"
	}
	for _, f := range lines {
		items += w.amazon(f, release)
	}
	return log + logOf(all, review), items, c
}

func (w metadataWriter) movieFiles(format string, all, lines []facts) (log, items string, c Config) {
	switch format {
	case "20m":
		rows := [][]string{{"movieId", "title", "genres"}}
		for _, f := range lines {
			rows = append(rows, []string{f.id, w.titleAndYear(f), w.movieGenres(f)})
		}
		return "userId,movieId,rating,timestamp\n" + logOf(all, "1,%s,3,1\n"), csvText(rows), Config{Format: "movielens-20m", Path: "log", Items: "items", Ties: "file"}
	case "1m":
		for _, f := range lines {
			items += latin1(f.id + "::" + w.titleAndYear(f) + "::" + w.movieGenres(f) + "\n")
		}
		return logOf(all, "1::%s::3::1\n"), items, Config{Format: "movielens-1m", Path: "log", Items: "items"}
	}
	for i := range all { // genres are flags
		all[i].genres = nil
	}
	for _, f := range lines {
		fields := []string{f.id, w.titleAndYear(f), "01-Jan-1990", "", "http://x"}
		for range movieGenres {
			fields = append(fields, "0")
		}
		at, _ := strconv.Atoi(f.id)
		if f.genres != nil {
			all[at-1].genres = []string{"Drama", "War"}
			fields[5+slices.Index(movieGenres, "Drama")], fields[5+slices.Index(movieGenres, "War")] = "1", "1"
		}
		items += latin1(strings.Join(fields, "|") + "\n")
	}
	return logOf(all, "1\t%s\t3\t1\n"), items, Config{Format: "movielens-100k", Path: "log", Items: "items"}
}
