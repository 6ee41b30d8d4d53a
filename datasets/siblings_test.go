package datasets

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// Inputs that once broke the readers. The right values were written by hand.

var threeColumns = Config{Name: "test", Format: "csv", Path: "log.csv", Columns: Columns{User: "user", Item: "item", Time: "time"}}

func sequenceOf(t *testing.T, c Config, files map[string]string) []string {
	t.Helper()
	d, err := Open(c, writeFiles(t, files))
	if err != nil {
		t.Fatal(err)
	}
	var items []string
	for _, v := range d.Seqs[0] {
		items = append(items, d.ItemIDs[v])
	}
	return items
}

// A metadata file in Latin-1 gives a warning, as a log does: the encoding is not
// certain.
func TestEncodingOfMetadataWarns(t *testing.T) {
	c := threeColumns
	c.Items, c.ItemColumns = "items.csv", ItemColumns{Item: "item", Title: "title"}
	d, err := Open(c, writeFiles(t, map[string]string{
		"log.csv": "user,item,time\nu,a,1\nu,b,2\nu,c,3\n", "items.csv": "item,title\na,Caf\xe9\nb,Th\xe9\nc,x\n",
	}))
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Warnings) > 0 {
		t.Errorf("the log is ASCII, got %q", d.Warnings)
	}
	m, err := d.Metadata()
	if err != nil {
		t.Fatal(err)
	}
	if m.Title[1] != "Café" || m.Title[2] != "Thé" {
		t.Errorf("titles %q", m.Title)
	}
	if len(m.Warnings) != 1 || !strings.Contains(m.Warnings[0], "items.csv is not UTF-8 and is read as Windows-1252") {
		t.Errorf("warnings %q, expected one about the encoding", m.Warnings)
	}
}

// RFC 3339 allows lower case, and logs of web servers have GMT.
func TestSpellingsOfUTC(t *testing.T) {
	for _, times := range [][3]string{
		{"2020-09-13t12:26:42z", "2020-09-13t12:26:43.5z", "2020-09-13t12:26:41z"},
		{"2020-09-13 12:26:42 GMT", "2020-09-13 12:26:43 GMT", "2020-09-13 12:26:41 GMT"},
		{"2020-09-13 12:26:42 GMT", "2020-09-13T14:26:43+02:00", "2020-09-13 12:26:41 UTC"},
		{"2014-12-06 02", "2014-12-06 20", "2014-12-05 23"}, // Tianchi's logs have hours only
		{"2014-12-06T02Z", "2014-12-06T00-05:00", "2014-12-06T02+01"},
	} {
		log := fmt.Sprintf("user,item,time\nu,a,%s\nu,b,%s\nu,c,%s\n", times[0], times[1], times[2])
		if got, want := sequenceOf(t, threeColumns, map[string]string{"log.csv": log}), []string{"c", "a", "b"}; !slices.Equal(got, want) {
			t.Errorf("%q: %q, expected %q", times, got, want)
		}
	}
}

// RecBole files have a column of ratings that may be empty. It changes nothing
// unless a threshold is set.
func TestMissingRatings(t *testing.T) {
	files := map[string]string{"a.inter": "user_id:token\titem_id:token\trating:float\ttimestamp:float\nu\ta\t\t2\nu\tb\t3\t3\nu\tc\t\t1\n"}
	c := Config{Name: "test", Format: "recbole", Path: "a.inter"}
	if got, want := sequenceOf(t, c, files), []string{"c", "a", "b"}; !slices.Equal(got, want) {
		t.Errorf("%q, expected %q", got, want)
	}
	c.MinRating = 2
	_, err := Open(c, writeFiles(t, files))
	if err == nil || !strings.Contains(err.Error(), `a.inter:2: rating "" is not a number`) {
		t.Errorf("with a threshold: %v", err)
	}
}

func TestMisleadingFirstLines(t *testing.T) {
	for text, want := range map[string]string{
		"sep=,\nuser,item,time\nu,a,1\n":               `log.csv:1: the line "sep=," is for spreadsheets only; remove it`,
		"sep=;\nuser;item;time\nu;a;1\n":               `log.csv:1: the line "sep=;" is for spreadsheets only; remove it`,
		"# made by hand\nuser,item,time\nu,a,1\n":      `log.csv:1: no column "user" for columns.user; the header has # made by hand`,
		"404: Not Found":                               `log.csv:1: no column "user" for columns.user; the header has 404: Not Found`,
		"user item time\nu a 1\n":                      `one field, without ",", but with " "; set separator = " "`,
		"user,item,time\nu,\"a \\\"x\\\"\",1\n":        `log.csv:2: expected "," after a quoted field, got "x\\\"\",1"; a quote inside a field is written "", not \"`,
		"user,item,time\nu,a,1\nUSER,Item,TIME\nu,b,2": "log.csv:3: the line repeats the header",
	} {
		_, err := Open(threeColumns, writeFiles(t, map[string]string{"log.csv": text}))
		if err == nil || !strings.HasSuffix(err.Error(), want) && !strings.Contains(err.Error(), want+";") {
			t.Errorf("%q: %v, expected %q", text, err, want)
		}
	}
	// In a file without times nothing else would reveal it.
	c := threeColumns
	c.Columns.Time = ""
	_, err := Open(c, writeFiles(t, map[string]string{"log.csv": "user,item\nu,a\nUSER,ITEM\nu,b\n"}))
	if err == nil || !strings.Contains(err.Error(), "log.csv:3: the line repeats the header") {
		t.Error(err)
	}
}

// Ids that look the same in every editor.
func TestInvisibleCharactersInIDs(t *testing.T) {
	for _, twin := range []string{"a\u200b", "a\u202e", "\u2066a", "a\u00ad"} {
		d, err := Open(threeColumns, writeFiles(t, map[string]string{"log.csv": "user,item,time\nu," + twin + ",1\nu,a,2\nu,b,3\n"}))
		if err != nil {
			t.Fatal(err)
		}
		if len(d.Warnings) != 1 || !strings.Contains(d.Warnings[0], "1 item ids differ from another one only in") {
			t.Errorf("%q: %q", twin, d.Warnings)
		}
	}
}

// The message about files that do not fit shows similar ids, which are searched
// among many, possibly long ones. Comparing all of them took more than a minute.
func TestMismatchOfLongIDsIsQuick(t *testing.T) {
	var log strings.Builder
	log.WriteString("user,item,time\n")
	for i := range 5000 {
		fmt.Fprintf(&log, "u,%s%d,%d\n", strings.Repeat("a", 1000), i, i)
	}
	c := threeColumns
	c.Items, c.ItemColumns = "items.csv", ItemColumns{Item: "item", Title: "title"}
	d, err := Open(c, writeFiles(t, map[string]string{"log.csv": log.String(), "items.csv": "item,title\n" + strings.Repeat("x", 100_000) + ",T\n"}))
	if err != nil {
		t.Fatal(err)
	}
	failed := make(chan error, 1)
	go func() { _, err := d.Metadata(); failed <- err }()
	select {
	case err := <-failed:
		if err == nil || !strings.Contains(err.Error(), "none of the 5000 items of the log is in") {
			t.Error(err)
		}
	case <-time.After(time.Minute): // 5e11 steps would take many
		t.Fatal("no answer within a minute")
	}
}

// A path that no system can open is not printed in full.
func TestEndlessPath(t *testing.T) {
	c := threeColumns
	c.Path = strings.Repeat("a/", 100_000)
	_, err := Open(c, t.TempDir())
	if err == nil || err.Error() != "datasets: test: path has 200000 bytes; expected the path of a file" {
		t.Errorf("%.200v", err)
	}
}

// A header in the middle of a file that has none, or another one.
func TestJoinedHeaders(t *testing.T) {
	noHeader := false
	numbers := Config{Name: "test", Format: "csv", Path: "log.csv", Header: &noHeader, Columns: Columns{User: "1", Item: "2"}}
	names := threeColumns
	names.Columns = Columns{User: "uid", Item: "sku"}
	for _, tc := range []struct {
		c    Config
		text string
	}{
		{numbers, "1,10\n2,11\nuser,item\n3,12\n"},
		{numbers, "u1,a10\nu2,b11\nUser_ID,Item-ID\nu3,c12\n"},
		{names, "uid,sku\nu,a\nuser_id,product_id\nu,b\n"},
	} {
		_, err := Open(tc.c, writeFiles(t, map[string]string{"log.csv": tc.text}))
		if err == nil || !strings.Contains(err.Error(), "which look like names of columns: were files with headers joined?") {
			t.Errorf("%q: %v", tc.text, err)
		}
	}
	// On their own, such words are ids like any others.
	if got := sequenceOf(t, names, map[string]string{"log.csv": "uid,sku\nuser,a\nuser,b\nv,item\n"}); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("%q", got)
	}
}

// Spellings of lists that newer versions of numpy and pandas write.
func TestListsOfOtherTypes(t *testing.T) {
	for text, want := range map[string][]string{
		"[np.str_('A, B'), np.str_('C')]":                       {"A, B", "C"},
		"[numpy.str_('A'), None]":                               {"A"},
		"[array(['A, B', 'C'], dtype=object)]":                  {"A, B", "C"},
		"[array(['A', 'B'], dtype='<U5'), array(['C'])]":        {"A", "B"},
		"np.array(['A', 'B'])":                                  {"A", "B"},
		"Index(['A, B', 'C'], dtype='object')":                  {"A, B", "C"},
		"dict_keys(['A, B'])":                                   {"A, B"},
		"list(['A', 'B'])":                                      {"A", "B"},
		"[Men's (all), Women's (all)]":                          {"Men's (all)", "Women's (all)"},
		"Shoes (men's)":                                         {"Shoes (men's)"},
		"[array([], dtype=object), array(['A'], dtype=object)]": {"A"},
	} {
		m, err := categoriesOf(t, text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
		} else if got := m.Categories[1]; !slices.Equal(got, want) {
			t.Errorf("%s: %q, expected %q", text, got, want)
		}
	}
	for _, text := range []string{
		"OrderedDict([('A', 1)])", "[Category('A'), Category('B')]", "[Category(name='A')]", "[np.str_('A]", "[array(['A']", "Series(['A'])", "[array(['A'], dtype=object]",
	} {
		if m, err := categoriesOf(t, text); err == nil {
			t.Errorf("%s: %q, expected an error", text, m.Categories[1])
		}
	}
}

func categoriesOf(t *testing.T, text string) (*Metadata, error) {
	t.Helper()
	c := threeColumns
	c.Items, c.ItemColumns = "items.csv", ItemColumns{Item: "item", Categories: "cats"}
	d, err := Open(c, writeFiles(t, map[string]string{
		"log.csv": "user,item,time\nu,a,1\nu,b,2\nu,c,3\n", "items.csv": "item,cats\na,\"" + strings.ReplaceAll(text, `"`, `""`) + "\"\n",
	}))
	if err != nil {
		t.Fatal(err)
	}
	return d.Metadata()
}

// Metadata that were once in a table have lists as text within JSON.
func TestCategoriesAsTextInJSON(t *testing.T) {
	for text, want := range map[string][]string{
		`"['X', 'Y, Z']"`:          {"X", "Y, Z"},
		`"[\"X\", \"Y &amp; Z\"]"`: {"X", "Y & Z"},
		`"X > Y"`:                  {"X > Y"},
		`""`:                       {},
		`"nan"`:                    {},
		`["X", "Y, Z"]`:            {"X", "Y, Z"},
	} {
		review := `{"user_id": "u", "parent_asin": "A", "asin": "V", "rating": 1, "timestamp": 1}`
		item := `{"parent_asin": "A", "title": "T", "categories": ` + text + `}`
		d, err := Open(Config{Name: "test", Format: "amazon", Path: "X.jsonl"}, writeFiles(t, map[string]string{"X.jsonl": review, "meta_X.jsonl": item}))
		if err != nil {
			t.Fatal(err)
		}
		m, err := d.Metadata()
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if got := m.Categories[1]; !slices.Equal(got, want) {
			t.Errorf("%s: %q, expected %q", text, got, want)
		}
	}
}
