package rank

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"famebench/datasets"
	"famebench/internal/atomicfile"
)

// Run holds the lists that a model recommends for the test cases of a data set.
type Run struct {
	Tag   string // names the model
	Data  *datasets.Dataset
	Cases []datasets.Case
	Lists [][]int32 // of the cases, best item first
}

// Write writes the lists to path as a TREC run, which trec_eval, pytrec_eval, ranx and
// others read, in the order of the cases. A line is
//
//	query Q0 item rank score tag
//
// with the ids of the data set (see queryIDs and trecField). Evaluators sort by score, not by
// rank, and each breaks ties its own way. So the score is no model's score but the
// number of the place from the end, 1 for the last item: within a list no two are
// equal, and a whole number is the same in every format that it is read into.
//
// Progress, if not nil, is called now and then, in cases.
func (r Run) Write(ctx context.Context, path string, progress func(done, total int)) error {
	if len(r.Lists) != len(r.Cases) {
		return fmt.Errorf("rank: %s: %d lists for %d cases", path, len(r.Lists), len(r.Cases))
	}
	items := make([]string, len(r.Data.ItemIDs))
	for v, id := range r.Data.ItemIDs {
		items[v] = trecField(id)
	}
	queries := queryIDs(r.Data, r.Cases)
	end := " " + trecField(r.Tag) + "\n"
	err := atomicfile.Write(path, func(w io.Writer) error {
		var lines []byte
		for i := range r.Cases {
			if i%1024 == 0 {
				if err := ctx.Err(); err != nil {
					return err
				}
				if progress != nil {
					progress(i, len(r.Cases))
				}
			}
			user := queries[i] + " Q0 "
			lines = lines[:0]
			for j, v := range r.Lists[i] {
				lines = append(append(append(lines, user...), items[v]...), ' ')
				lines = append(strconv.AppendInt(lines, int64(j+1), 10), ' ')
				lines = append(strconv.AppendInt(lines, int64(len(r.Lists[i])-j), 10), end...)
			}
			if _, err := w.Write(lines); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("rank: %w", err)
	}
	return nil
}

// WriteQrels writes the targets of all cases to path as TREC's relevance
// judgements: lines "query 0 item 1", with the same ids as Run.Write's.
func WriteQrels(path string, d *datasets.Dataset, cases []datasets.Case) error {
	queries := queryIDs(d, cases)
	err := atomicfile.Write(path, func(w io.Writer) error {
		for i, c := range cases {
			if _, err := fmt.Fprintf(w, "%s 0 %s 1\n", queries[i], trecField(d.ItemIDs[c.Target])); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("rank: %w", err)
	}
	return nil
}

// queryIDs names the query of each case: its user. If any user has several cases, the
// number of the case, from 1, follows in all names: "user#1". Evaluators average over
// queries, so their means are those over cases.
func queryIDs(d *datasets.Dataset, cases []datasets.Case) []string {
	count := map[string]int{}
	numbers, several := make([]int, len(cases)), false
	for i, c := range cases {
		user := d.UserIDs[c.User]
		count[user]++
		numbers[i], several = count[user], several || count[user] > 1
	}
	out := make([]string, len(cases))
	for i, c := range cases {
		out[i] = trecField(d.UserIDs[c.User])
		if several {
			out[i] += "#" + strconv.Itoa(numbers[i])
		}
	}
	return out
}

// trecField is a string as one field of a line whose fields are separated by
// white space. White space of any script, control characters, characters that have no
// width or set the direction (a byte order mark among them), bytes that are not
// UTF-8, and "%" are written as in a URL, "%20" for a space, so that different ids
// stay different and url.PathUnescape gives the id back. Ids without these stand as
// they are.
func trecField(s string) string {
	plain := func(r rune, size int) bool {
		return r != '%' && !unicode.IsSpace(r) && !unicode.IsControl(r) && !unicode.Is(unicode.Cf, r) && (r != utf8.RuneError || size > 1)
	}
	var out strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if plain(r, size) {
			out.WriteString(s[i : i+size])
		} else {
			for _, b := range []byte(s[i : i+size]) {
				fmt.Fprintf(&out, "%%%02X", b)
			}
		}
		i += size
	}
	return out.String()
}
