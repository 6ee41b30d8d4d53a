package datasets

import (
	"html"
	"slices"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// label is a brand, category or genre of a delimited file as one spelling of it:
// composed letters, single blanks, no HTML entities, no invisible characters, and
// nothing for a missing value. Otherwise one brand would be two labels, and all items
// without a brand would have the brand "nan" in common.
func label(s string) string {
	s = invisible.Replace(norm.NFC.String(html.UnescapeString(s)))
	s = strings.Join(strings.Fields(s), " ")
	if slices.Contains(missing, s) {
		return ""
	}
	return s
}

func labels(list []string) []string {
	for i := range list {
		list[i] = label(list[i])
	}
	return slices.DeleteFunc(list, isEmpty)
}

// invisible are characters that web pages leave in names, to allow a line break or by
// accident.
var invisible = strings.NewReplacer("\u200b", "", "\ufeff", "", "\u00ad", "")
