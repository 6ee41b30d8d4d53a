package datasets

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// idCheck looks at the ids of a delimited file. An id is any text, so a user or
// item that some program wrote in two ways, or many that it wrote in one, would
// change every number without an error: data frames turn a column of whole numbers
// with a gap into floating-point numbers, spreadsheets round long numbers, and both
// have words for a missing value.
type idCheck struct{ users, items checkedIDs }

type checkedIDs struct {
	kind   string
	of     *interner
	done   int               // names of the interner that were looked at
	padded map[string]string // numbers with leading zeros, by what is left without
}

func newIDCheck(lg *interactions) *idCheck {
	return &idCheck{checkedIDs{"user", &lg.users, 0, map[string]string{}}, checkedIDs{"item", &lg.items, 0, map[string]string{}}}
}

// line looks at the ids that the current line of t is the first to have.
func (c *idCheck) line(t *table) error {
	for _, ids := range []*checkedIDs{&c.users, &c.items} {
		for ; ids.done < len(ids.of.names); ids.done++ {
			if err := ids.check(ids.of.names[ids.done], t.quoted); err != nil {
				return t.errorf("%v", err)
			}
		}
	}
	return nil
}

// missing are the words that data frames, databases and spreadsheets write for an
// id that is not known. All interactions with one would count as one user's, or as
// those of one item.
var missing = []string{"nan", "NaN", "NAN", "None", "NULL", "null", "NaT", "<NA>", "NA", "N/A", "n/a", "#N/A", "undefined"}

// rounded is a whole number as spreadsheets and C print one that is too long for them.
var rounded = regexp.MustCompile(`^[0-9](\.[0-9]+)?[eE]\+[0-9]+$`)

func (c *checkedIDs) check(id string, quoted bool) error {
	trimmed := strings.TrimLeft(id, " \t")
	switch {
	case slices.Contains(missing, id):
		return fmt.Errorf("%s id %q is a missing value, expected an id; leave such lines out, or write another id if it is one", c.kind, id)
	case rounded.MatchString(id):
		return fmt.Errorf("%s id %s is a rounded number, which several ids can share; export the ids as text", c.kind, id)
	case quoted && len(trimmed) > 1 && trimmed[0] == '"' && strings.HasSuffix(trimmed, `"`):
		return fmt.Errorf("%s id %s has quotes in it; expected no blank between the separator and a quoted field", c.kind, excerpt([]byte(id)))
	}
	for _, other := range otherSpellings(id) {
		if _, both := c.of.ids[other]; both {
			return fmt.Errorf("%s ids %s and %s are both in the file, expected one spelling of a number; export the ids as text", c.kind, other, id)
		}
	}
	if other := c.lostZeros(id); other != "" {
		return fmt.Errorf("%s ids %s and %s are both in the file: a part of it lost leading zeros; export the ids as text", c.kind, other, id)
	}
	return nil
}

// lostZeros gives an earlier id that is the same number as id but for leading zeros.
func (c *checkedIDs) lostZeros(id string) string {
	short, ok := decimal(id)
	if !ok || len(short) < zerosMatter {
		return ""
	}
	if other := c.padded[short]; other != "" {
		return other
	}
	if len(short) < len(id) {
		c.padded[short] = id
		if _, both := c.of.ids[short]; both {
			return short
		}
	}
	return ""
}

// zerosMatter is the length from which two numbers that differ in leading zeros are
// one product code rather than two names such as 7 and 007.
const zerosMatter = 5

// otherSpellings are those of a whole number that went through a floating-point
// column, or of what it was before.
func otherSpellings(id string) []string {
	if whole, ok := strings.CutSuffix(id, ".0"); ok && isNumber(whole) {
		return []string{whole}
	}
	if isNumber(id) {
		return []string{id + ".0"}
	}
	return nil
}

// isNumber tells whether s is a whole number in decimal digits.
func isNumber(s string) bool {
	_, ok := decimal(s)
	return ok
}

// timeColumns are the columns of a log whose names say that they hold times.
func timeColumns(names []string) []string {
	var out []string
	for _, name := range names {
		s := strings.ToLower(name)
		if strings.HasPrefix(s, "time") || strings.HasSuffix(s, "time") || strings.HasSuffix(s, "timestamp") ||
			s == "date" || strings.HasSuffix(s, "_date") || s == "ts" {
			out = append(out, name)
		}
	}
	return out
}

// orderWarning warns of a log that has times which nobody asked for: its order is
// then that of the lines, which need not be the order of events.
func orderWarning(c Config, t *table) []string {
	unused := timeColumns(t.names)
	if len(unused) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("%s: interactions stand in the order of the lines: columns.time is not set, though the file has the column %q", c.Name, unused[0])}
}
