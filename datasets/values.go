package datasets

import (
	"html"
	"regexp"
	"strconv"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// Values of metadata come from many sources: pandas, Python's str, JSON libraries,
// people. The functions here find their meaning.

// tidy gives a value one spelling. It drops the blanks around it and characters without
// width, replaces each run of blanks inside by one, resolves HTML entities, and
// composes accents: " Acme\u00a0 Ltd" and "Acme Ltd" are one brand, and so are
// "AT&amp;T" and "AT&T".
func tidy(s string) string {
	if strings.Contains(s, "&") {
		s = entity.ReplaceAllStringFunc(s, html.UnescapeString)
	}
	s = norm.NFC.String(invisible.Replace(s))
	return strings.Join(strings.Fields(s), " ")
}

// entity matches HTML entities that end in a semicolon; without one, "B&copy"
// may be a name.
var entity = regexp.MustCompile(`&(#[0-9]+|#[xX][0-9a-fA-F]+|[A-Za-z][A-Za-z0-9]*);`)

// invisible removes byte order marks, zero-width blanks and soft hyphens.
var invisible = strings.NewReplacer("\ufeff", "", "\u200b", "", "\u00ad", "")

// missingTexts are the texts that pandas.read_csv reads as a missing value, and NaT,
// which pandas writes for a missing time.
var missingTexts = map[string]bool{
	"": true, "#N/A": true, "#N/A N/A": true, "#NA": true, "-1.#IND": true, "-1.#QNAN": true, "-NaN": true, "-nan": true,
	"1.#IND": true, "1.#QNAN": true, "<NA>": true, "N/A": true, "NA": true, "NULL": true, "NaN": true, "NaT": true,
	"None": true, "n/a": true, "nan": true, "null": true,
}

// known returns the tidy text, "" for a missing one.
func known(s string) string {
	if s = tidy(s); missingTexts[s] {
		return ""
	}
	return s
}

// value returns the known text. If the text is written as a list, as descriptions
// are, it joins the texts in the list.
func value(s string) string {
	s = known(s)
	if strings.HasPrefix(s, "[") {
		if paths, _, err := readLiteral(s); err == nil {
			if text := joinTexts(paths...); text == "" || opensQuote(s[1:]) {
				return text
			}
		}
	}
	return s
}

// joinTexts joins the texts of lists, without the missing ones.
func joinTexts(lists ...[]string) string {
	var out []string
	for _, list := range lists {
		for _, s := range list {
			if s != "" {
				out = append(out, s)
			}
		}
	}
	return strings.Join(out, " ")
}

// compactDate is a date such as 19800501.
var compactDate = regexp.MustCompile(`^[0-9]{4}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])$`)

// parseYear finds the year in a number such as 1980.0 or in a date such as
// 1980-05-01, 01-Jan-1980 or May 1980. A year has four digits: one of two digits
// could belong to several centuries.
func parseYear(s string) (int32, bool) {
	if compactDate.MatchString(s) {
		s = s[:4]
	}
	if v, ok := parseNumber([]byte(s)); ok {
		return int32(max(0, min(v, 3000))), v >= 1000 && v < 3000
	}
	for _, digits := range strings.FieldsFunc(s, func(r rune) bool { return r < '0' || r > '9' }) {
		if year, err := strconv.Atoi(digits); err == nil && len(digits) == 4 && year >= 1000 && year < 3000 {
			return int32(year), true
		}
	}
	return 0, false
}
