package datasets

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// checkID refuses an id whose characters show that the file was joined, cut or
// converted wrongly.
func checkID(kind string, id []byte) error {
	for i := 0; i < len(id); {
		c, n := utf8.DecodeRune(id[i:])
		switch {
		case c == utf8.RuneError:
			return fmt.Errorf("%s id %s holds a character that was lost in a conversion (U+FFFD), so different ids may have become one", kind, excerpt(id))
		case c == '\ufeff':
			return fmt.Errorf("%s id %s holds a byte order mark: were files joined? remove it", kind, excerpt(id))
		case c == '\n' || c == '\r':
			return fmt.Errorf("%s id %s holds a line break", kind, excerpt(id))
		}
		i += n
	}
	return nil
}

// missingValues are spellings that programs use for a missing value: true if no id is
// spelled like that, false if one may be.
var missingValues = map[string]bool{"nan": true, "NaN": true, "NAN": true, "<NA>": true, "#N/A": true, "NaT": true,
	"None": true, "NULL": true, `\N`: true, "N/A": true, "n/a": true,
	"none": false, "NONE": false, "NA": false, "null": false, "Null": false, "nil": false, "undefined": false, "-": false}

// checkIDs checks the distinct ids of the users or the items. Two spellings that
// certainly mean one id are an error; probable mistakes are warnings. rows holds
// the id of each interaction.
func checkIDs(kind string, in *interner, rows []int32) (warnings []string, err error) {
	missing := map[int32]bool{}
	var names []string
	alike := 0
	var example string
	folded := make(map[string]int32, len(in.names))
	for i, name := range in.names {
		switch sure, is := missingValues[name]; {
		case sure:
			return nil, fmt.Errorf("an interaction has the %s id %q, which stands for a missing value; leave such lines out, or all of them count as one %s", kind, name, kind)
		case is:
			missing[int32(i)] = true
			names = append(names, fmt.Sprintf("%q", name))
		}
		if whole, ok := strings.CutSuffix(name, ".0"); ok && isDecimal(whole) {
			if _, both := in.ids[whole]; both {
				return nil, fmt.Errorf("%s ids %s and %s are both in the file and probably mean one %s; write whole numbers without a decimal point", kind, whole, name, kind)
			}
		}
		if scientific(name) {
			return nil, fmt.Errorf("the %s id %s is a number in scientific notation, as spreadsheets write long numbers: ids with the same first digits have become one; export the file with ids as text", kind, name)
		}
		key := fold(name)
		if first, dup := folded[key]; dup && in.names[first] == name { // sequences of one user
			continue
		} else if dup {
			if alike++; alike == 1 {
				example = fmt.Sprintf("%s and %s", printable([]byte(in.names[first])), printable([]byte(name)))
			}
		} else {
			folded[key] = int32(i)
		}
	}
	if len(missing) > 0 {
		n := 0
		for _, id := range rows {
			if missing[id] {
				n++
			}
		}
		warnings = append(warnings, fmt.Sprintf("the %s id of %d of %d interactions is %s: if the id is missing there, leave these lines out; they count as one %s", kind, n, len(rows), strings.Join(names, " or "), kind))
	}
	if alike > 0 {
		warnings = append(warnings, fmt.Sprintf("%d %s ids differ from another one only in case, blanks, leading zeros or Unicode form (%s); they count as different", alike, kind, example))
	}
	return warnings, nil
}

// fold returns the same key for ids that a reader would take for the same.
func fold(id string) string {
	if isDecimal(id) {
		return strings.TrimLeft(id[:len(id)-1], "0") + id[len(id)-1:]
	}
	ascii := true
	for i := range len(id) {
		ascii = ascii && id[i] < utf8.RuneSelf
	}
	if !ascii {
		id = norm.NFKC.String(strings.Map(visible, id))
	}
	if strings.ContainsAny(id, " \t\u00a0") {
		id = strings.Join(strings.Fields(id), " ")
	}
	return strings.ToLower(id)
}

// visible drops characters without width, which only change how a text is
// typeset.
func visible(r rune) rune {
	if unicode.Is(unicode.Cf, r) {
		return -1
	}
	return r
}

func isDecimal(s string) bool {
	_, ok := decimal(s)
	return ok
}

// scientific reports whether an id is a number such as 1.23457E+12.
func scientific(id string) bool {
	mantissa, exponent, ok := strings.Cut(id, "E+")
	if !ok {
		mantissa, exponent, ok = strings.Cut(id, "e+")
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	return ok && len(whole) == 1 && isDecimal(whole) && (fraction == "" || isDecimal(fraction)) && isDecimal(exponent)
}

// printable returns a name for a message: unchanged if it is short and plain,
// else quoted and shortened.
func printable(b []byte) string {
	if len(b) == 0 || len(b) > excerptLimit || bytes.ContainsFunc(b, func(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) }) {
		return excerpt(b)
	}
	return string(b)
}
