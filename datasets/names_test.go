package datasets

import (
	"fmt"
	"strings"
	"testing"
)

// columnOf reads a column of values and writes paths as a/b and items as a,b.
func columnOf(c *listColumn, values ...string) (got string, warnings []string, err error) {
	for i, v := range values {
		if err := c.add(int32(i), i+2, v); err != nil {
			return "", nil, err
		}
	}
	var out []string
	warnings = c.finish(func(_ int32, paths [][]string) {
		var texts []string
		for _, p := range paths {
			texts = append(texts, strings.Join(p, "/"))
		}
		out = append(out, strings.Join(texts, " + "))
	})
	return strings.Join(out, ", "), warnings, nil
}

// Lists as Python's str and repr, json.dumps, numpy and hand-made exports write them.
func TestNames(t *testing.T) {
	for in, want := range map[string]string{
		`Home|Kitchen|Pots`:                             "Home/Kitchen/Pots",
		` Home | Kitchen|Pots `:                         "Home/Kitchen/Pots",
		"Home\u00a0|\u00a0Kitchen\u00a0 and  Bath":      "Home/Kitchen and Bath",
		`['Home', 'Kitchen', 'Pots']`:                   "Home/Kitchen/Pots",
		`["Home", "Kitchen", "Pots"]`:                   "Home/Kitchen/Pots",
		`['Clothing, Shoes & Jewelry', "Women's"]`:      "Clothing, Shoes & Jewelry/Women's",
		`['Women\'s', 'caf\xe9', u'\u20ac']`:            "Women's/café/€",
		`['A|B', 'C']`:                                  "A|B/C",
		`('Home', 'Kitchen')`:                           "Home/Kitchen",
		`('Home',)`:                                     "Home",
		`['Home' 'Pots, Pans']`:                         "Home/Pots, Pans", // numpy
		`array(['Home', 'Pots'], dtype=object)`:         "Home/Pots",
		`'Clothing, Shoes & Jewelry', 'Women', 'Shoes'`: "Clothing, Shoes & Jewelry/Women/Shoes",
		`"Clothing, Shoes & Jewelry","Women's"`:         "Clothing, Shoes & Jewelry/Women's",
		`'Clothing, Shoes & Jewelry'|'Women'`:           "Clothing, Shoes & Jewelry/Women",
		`'Women's', 'Men's'`:                            "Women's/Men's",
		`"27"" Monitors", "TV"`:                         `27" Monitors/TV`,
		`'Home'`:                                        "Home",
		`"['Home', 'Pots']"`:                            "Home/Pots", // text of a list, as JSON
		`["Home", "Pots", ]`:                            "Home/Pots",
		`[['Home', 'Pots'], ['Garden']]`:                "Home/Pots + Garden",
		`[Home, Kitchen & Dining]`:                      "Home/Kitchen & Dining",
		`{Home,"Pots, Pans"}`:                           "Home/Pots, Pans", // PostgreSQL
		`[18, 27]`:                                      "18/27",
		`['Home', nan, 'Pots', None]`:                   "Home//Pots/",
		`|Home|Kitchen|`:                                "Home/Kitchen/",
		`Home||Pots`:                                    "Home//Pots",
		`[]`:                                            "",
		`['']`:                                          "",
		`[nan]`:                                         "",
		`nan`:                                           "",
		`None`:                                          "",
		` NULL `:                                        "",
		`<NA>`:                                          "",
		`(no genres listed)`:                            "",
		`Clothing, Shoes & Jewelry`:                     "Clothing, Shoes & Jewelry",
		`[Sale] Shoes`:                                  "[Sale] Shoes",
		`(500) Days`:                                    "(500) Days",
		`'Til Tuesday`:                                  "'Til Tuesday",
		`"Weird Al" Yankovic`:                           `"Weird Al" Yankovic`,
		`Children's`:                                    "Children's",
		`'60s|Rock 'n' Roll`:                            "'60s/Rock 'n' Roll",
		`[["Home & Kitchen", "Arts, Crafts \u0026 Sewing"]]`: "Home & Kitchen/Arts, Crafts & Sewing",
	} {
		got, _, err := columnOf(&listColumn{what: "categories", sep: "|"}, in)
		if err != nil || got != want {
			t.Errorf("%s: %q, %v; want %q", in, got, err, want)
		}
	}
	for in, want := range map[string]string{
		`['Home', 'Kit`:                              "the line ends where",
		`["Home", "Kitchen"`:                         `"," or ']'`,
		`['Home', Kitchen]`:                          "expected a name",
		`[{'id': 16, 'name': 'Animation'}]`:          `"," or '}'`,
		`{"Brand": "Acme"}`:                          `"," or '}'`,
		`[['Home', 'Pots'], 'Garden']`:               "names or lists of names",
		`[Home, Kitchen`:                             "does not end",
		`['A', 'B'] and more`:                        "the end",
		`set(['A', 'B']`:                             "does not end",
		strings.Repeat("[", 200) + "'a'":             "deep",
		`['Home', ... 'Pots']`:                       "expected a",
		"[\"a\", \"b\xff\"" + strings.Repeat(`x`, 9): `"," or ']'`,
	} {
		if got, _, err := columnOf(&listColumn{what: "categories", sep: "|"}, in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %q, %v; want %s", in, got, err, want)
		} else if strings.Contains(err.Error(), "\xff") {
			t.Errorf("%q: raw bytes in %q", in, err)
		}
	}
}

// A long value of quotes that are never closed is read in one pass.
func TestUnclosedQuotes(t *testing.T) {
	const n = 100_000
	list, quoted := splitNames(strings.Repeat(`'a|"b|`, n)+"c", "|")
	if len(list) != 2*n+1 || quoted != 0 || list[0] != "'a" || list[2*n] != "c" {
		t.Errorf("%d names, %d in quotes", len(list), quoted)
	}
}

// The column as a whole shows which separator it has.
func TestListColumns(t *testing.T) {
	csv := listColumn{what: "categories", sep: "|"}
	genres := listColumn{what: "genres", sep: "|"}
	seq := listColumn{what: "categories", seq: true}
	token := listColumn{what: "categories"}
	const sets, whole, blanks = "written as sets", "contain commas or other separators", "blanks separate them"
	for _, tt := range []struct {
		c       listColumn
		values  []string
		want    string
		warning string
	}{
		{csv, []string{"Home|Pots", "Garden, Outdoor"}, "Home/Pots, Garden, Outdoor", ""},
		{csv, []string{"Home, Pots", "Home, Pans"}, "Home, Pots, Home, Pans", `categories of 2 items, such as "Home, Pots", ` + whole},
		{genres, []string{"Action;Drama"}, "Action;Drama", whole},
		{csv, []string{"Home > Pots"}, "Home > Pots", whole},
		{csv, []string{"Home", "Pots"}, "Home, Pots", ""},
		{csv, []string{"{'b', 'a'}", "['c']"}, "b/a, c", "the categories of 1 items are " + sets},
		{csv, []string{"frozenset({'b', 'a'})", "set(['c', 'd'])", "set()"}, "b/a, c/d, ", "of 2 items are " + sets},
		{genres, []string{"{'b', 'a'}"}, "b/a", ""},
		{seq, []string{"Home Pots", "Garden"}, "Home/Pots, Garden", `"Home Pots" are several categories`},
		{seq, []string{"Hair Care, Soap", "Hair Care"}, "Hair Care/Soap, Hair Care", ""},
		{seq, []string{"'Hair Care'", "Skin Care"}, "Hair Care, Skin Care", ""},
		{seq, []string{"Hair Care|Soap, Bar", "Hair Care"}, "Hair Care/Soap, Bar, Hair Care", ""},
		{seq, []string{"Hair Care > Soap", "Hair Care"}, "Hair Care/Soap, Hair Care", ""},
		{seq, []string{"'Clothing, Shoes', Men", "Women"}, "Clothing, Shoes/Men, Women", ""},
		{listColumn{what: "genres", seq: true}, []string{"Science Fiction, Drama", "Science Fiction"}, "Science Fiction/Drama, Science Fiction", ""},
		{listColumn{what: "genres", seq: true}, []string{"Animation Children's Comedy"}, "Animation/Children's/Comedy", ""},
		{token, []string{"Hair Care", "Soap"}, "Hair Care, Soap", ""},
		{token, []string{"'Clothing, Shoes', 'Men'"}, "Clothing, Shoes/Men", ""},
		{token, []string{"Home, Pots"}, "Home, Pots", whole + " and are read as one name"},
	} {
		c := tt.c
		got, warnings, err := columnOf(&c, tt.values...)
		if err != nil || got != tt.want || (tt.warning == "") != (warnings == nil) || !strings.Contains(fmt.Sprint(warnings), tt.warning) {
			t.Errorf("%q: %q, %q, %v; want %q, %q", tt.values, got, warnings, err, tt.want, tt.warning)
		}
	}
}

func TestYears(t *testing.T) {
	for in, want := range map[string]int32{
		"1980": 1980, "1980.0": 1980, " 1980 ": 1980, "1980-05-01": 1980, "01-Jan-1980": 1980, "May 1980": 1980, "May 1, 1980": 1980,
		"05/01/1980": 1980, "1980/5/1": 1980, "1.5.1980": 1980, "1980-05-01 00:00:00": 1980, "1980-05-01T12:00:00+0000": 1980,
		"19800501": 1980, "(1980)": 1980, "c. 1980": 1980, "1980s": 1980, "1980–1985": 1980, "datetime.date(1980, 5, 1)": 1980,
		"1.98e+03": 1980, "Tue May  1 10:00:00 +0000 1980": 1980,
	} {
		if got, ok := parseYear(value(in)); !ok || got != want {
			t.Errorf("%q: %d, %v", in, got, ok)
		}
	}
	for _, in := range []string{"80", "01-Jan-80", "5/1/80", "0", "-1980", "315532800", "315532800000", "V", "unknown", "19801301", "12345", "9999", "0080-01-01", "Inf"} {
		if got, ok := parseYear(in); ok {
			t.Errorf("%q: year %d", in, got)
		}
	}
}

func TestValues(t *testing.T) {
	for in, want := range map[string]string{
		" Acme ": "Acme", "\u00a0Acme\u2007": "Acme", "\ufeffAcme\u200b": "Acme", "Acme\u00a0 Ltd\t Co": "Acme Ltd Co", "": "", " \t": "",
		"nan": "", "NaN": "", "None": "", "NULL": "", "null": "", "N/A": "", "<NA>": "", "NaT": "", "[]": "", "['']": "", "[nan]": "", `[""]`: "",
		"['Fine text', 'more']": "Fine text more", `["a"]`: "a", "[REC]": "[REC]", "[1408]": "[1408]", "['n Sync": "['n Sync",
		"Nano": "Nano", "none": "none", "unknown": "unknown",
	} {
		if got := value(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
