package datasets

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// metadataOf opens a csv log of items a, b and c with the text of a metadata file,
// whose header names the keys of item_columns.
func metadataOf(t *testing.T, items string) (*Dataset, *Metadata, error) {
	t.Helper()
	c := Config{Name: "test", Format: "csv", Path: "log.csv", Items: "items.csv", Columns: Columns{User: "u", Item: "i"}}
	header, _, _ := strings.Cut(items, "\n")
	for _, name := range strings.Split(header, ",") {
		switch name {
		case "item":
			c.ItemColumns.Item = name
		case "title":
			c.ItemColumns.Title = name
		case "brand":
			c.ItemColumns.Brand = name
		case "categories":
			c.ItemColumns.Categories = name
		case "genres":
			c.ItemColumns.Genres = name
		case "year":
			c.ItemColumns.Year = name
		}
	}
	d, err := Open(c, writeFiles(t, map[string]string{"log.csv": "u,i\nx,a\nx,b\nx,c\n", "items.csv": items}))
	if err != nil {
		t.Fatal(err)
	}
	m, err := d.Metadata()
	return d, m, err
}

// Lines of one item complete each other; a missing field erases nothing.
func TestMergedLines(t *testing.T) {
	for _, tt := range []struct {
		name, items, want, warning string
	}{
		{"completing", "item,title,brand,year\na,One,,\na,,Acme,\na,nan,,1980\na,,None,\n",
			"1 title=One brand=Acme year=1980\n2 title= brand= year=0\n3 title= brand= year=0\nmissing 2", ""},
		{"repeated", "item,title,categories\na,One,Home|Pots\na,One ,\"['Home', 'Pots']\"\nb,,[]\n",
			"1 title=One cats=[Home Pots]\n2 title= cats=[]\n3 title= cats=[]\nmissing 1", ""},
		{"contradicting", "item,title,genres,year\na,One,War,1980\na,Two,Drama|War,1980\nb,B,,\na,Three,,1990\n",
			"1 title=One genres=[War] year=1980\n2 title=B genres=[] year=0\n3 title= genres=[] year=0\nmissing 1",
			`the metadata has several values for 1 items, such as "One" and "Two" for "a"; the first counts`},
		{"dates", "item,year\na,1980-05-01\nb,80\nc,nan\nb,May\n", "1 year=1980\n2 year=0\n3 year=0\nmissing 0",
			`2 items have a year or date, such as "80", in which no year of four digits was found`},
	} {
		d, m, err := metadataOf(t, tt.items)
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		if got := describeMeta(d, m); got != tt.want {
			t.Errorf("%s:\n%s\nwant\n%s", tt.name, got, tt.want)
		}
		if got := strings.Join(m.Warnings, "; "); got != tt.warning {
			t.Errorf("%s: warnings %q, want %q", tt.name, got, tt.warning)
		}
	}
}

// A metadata file without any of the items is the wrong one.
func TestForeignMetadata(t *testing.T) {
	_, _, err := metadataOf(t, "item,title\n0a,One\nd,Two\n")
	if want := `items.csv (first id there "0a", in the log "a")`; err == nil || !strings.Contains(err.Error(), "none of the 3 items of the log is in ") || !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %s", err, want)
	}
	if _, _, err = metadataOf(t, "item,title\n"); err == nil || !strings.Contains(err.Error(), "items.csv: the file holds no items") {
		t.Error(err)
	}
	if _, m, err := metadataOf(t, "item,title\n a ,One\n\u00a0b,Two\n"); err != nil || m.Missing != 1 || m.Title[2] != "Two" {
		t.Errorf("blanks around ids: %+v, %v", m, err)
	}
	for _, files := range []map[string]string{
		{"reviews_X_5.json": review2014, "meta_X.json": "{'asin': 'A01', 'title': 'x'}\n"},
		{"sequences.txt": "1 1 2\n", "items.tsv": "item_id\tasin\n1\tB01\n2\tB02\n", "meta_X.json": "{'asin': '1', 'title': 'x'}\n"},
	} {
		c := Config{Name: "test", Format: "amazon", Path: "."}
		if files["sequences.txt"] != "" {
			c.Format, c.Items = "s3rec", "meta_X.json"
		}
		d, err := Open(c, writeFiles(t, files))
		if err != nil {
			t.Fatal(err)
		}
		if _, err = d.Metadata(); err == nil || !strings.Contains(err.Error(), "items of the log is in ") || !strings.Contains(err.Error(), `in the log "B01"`) {
			t.Errorf("%s: %v", c.Format, err)
		}
	}
}

const (
	review2014 = `{"reviewerID": "U", "asin": "B01", "helpful": [0, 0], "overall": 5.0, "unixReviewTime": 1391040000}` + "\n"
	review2018 = `{"overall": 5.0, "verified": true, "reviewerID": "U", "asin": "B01", "style": {"Size:": " L"}, "unixReviewTime": 1523059200}` + "\n"
	review2023 = `{"rating": 5.0, "title": "x", "images": [], "asin": "B9", "parent_asin": "B01", "user_id": "U", "timestamp": 1588687728923, "verified_purchase": true}` + "\n"

	item2014 = `{'asin': 'B01', 'title': 'A &amp; B', 'brand': 'Acme ', 'description': 'Fine <b>text</b>', 'categories': [['Beauty', 'Hair Care', 'Oil'], ['Other']]}` + "\n"
	item2018 = `{"category": ["Beauty", "Hair Care", "Oil"], "description": ["Fine <b>text</b>", ""], "title": "A &amp; B", "also_buy": [], "brand": "Acme", "rank": "1 in Beauty", "main_cat": "x", "asin": "B01", "details": {"Brand": null}}` + "\n"
	item2023 = `{"main_category": "All Beauty", "title": "A & B", "average_rating": 4.5, "features": ["f"], "description": ["Fine <b>text</b>"], "price": null, "images": [{"thumb": "x"}], "store": "Acme", "categories": ["Beauty", "Hair Care", "Oil"], "details": {"Brand": "ACME Inc", "Is": {"a": 1}}, "parent_asin": "B01"}` + "\n"
)

// The same metadata in the form and with the file names of each release.
func TestAmazonReleases(t *testing.T) {
	const want = "1 title=A & B brand=Acme desc=Fine <b>text</b> cats=[Beauty Hair Care Oil]\nmissing 0"
	without := func(s, part string) string { return strings.Replace(s, part, "", 1) }
	for _, files := range []map[string]string{
		{"reviews_Beauty_5.json": review2014, "meta_Beauty.json": item2014},
		{"Beauty_5.json": review2018, "meta_Beauty.json": item2018},
		{"All_Beauty.jsonl": review2023, "meta_All_Beauty.jsonl": item2023},
		{"All_Beauty.jsonl.gz": gzipped(review2023), "meta_All_Beauty.jsonl.gz": gzipped(item2023)},
		{"All_Beauty.jsonl": review2023, "meta_All_Beauty.jsonl": strings.Replace(strings.Replace(item2023, `"Acme"`, "null", 1), "ACME Inc", "Acme", 1)},
		{"All_Beauty.jsonl": review2023, "meta_All_Beauty.jsonl": strings.Replace(without(item2023, `"store": "Acme", `), `{"Brand": "ACME Inc", "Is": {"a": 1}}`, `"{\"Brand\": \"Acme\"}"`, 1)},
		// A later line without a field, and other lines of the same item.
		{"Beauty_5.json": review2018, "meta_Beauty.json": item2018 + item2018 + `{"asin": "B01", "title": null, "brand": "", "category": [], "description": ["None"]}` + "\n"},
	} {
		d, err := Open(Config{Name: "test", Format: "amazon", Path: "."}, writeFiles(t, files))
		if err != nil {
			t.Fatal(err)
		}
		m, err := d.Metadata()
		if err != nil {
			t.Fatal(err)
		}
		if got := describeMeta(d, m); got != want || m.Warnings != nil || d.ItemIDs[1] != "B01" || d.UserIDs[0] != "U" {
			t.Errorf("%s: items %q, users %q, warnings %q", got, d.ItemIDs, d.UserIDs, m.Warnings)
		}
	}
	d, err := Open(Config{Name: "test", Format: "amazon", Path: "x.jsonl"}, writeFiles(t, map[string]string{
		"x.jsonl": strings.Replace(review2023, "B01", "B02", 1) + strings.Replace(review2023, "8923", "8922", 1)}))
	if err != nil || original(d) != "U: B01 B02" {
		t.Errorf("a millisecond between two reviews: %v", err)
	}
}

func TestAmazonMixtures(t *testing.T) {
	swap := func(s, old, new string) string { return strings.Replace(s, old, new, 1) }
	for _, tt := range []struct {
		reviews, items string
		line           int
		want           string
	}{
		{review2014 + review2023, "", 2, "belongs to the release of 2023, the lines before it to that of 2014;"},
		{review2023 + review2018, "", 2, "to that of 2023"},
		{review2014 + review2018, "", 2, "the field verified belongs to the release of 2018, the lines before it to that of 2014"},
		{swap(review2023, "user_id", "reviewerID"), "", 1, "expected one release in a file"},
		{swap(review2023, "parent_asin", "parent"), "", 1, "the review has no parent_asin; its other fields are those of the release of 2023"},
		{swap(review2023, "timestamp", "time"), "", 1, "no timestamp; its other fields are those of the release of 2023"},
		{swap(review2018, "overall", "stars"), "", 1, "no overall; its other fields are those of the release of 2018"},
		{`{"a": 1}`, "", 1, "the review has no reviewerID (releases of 2014 and 2018) and no user_id (release of 2023)"},
		{swap(review2018, `"style"`, `"asin"`), "", 1, "the field asin occurs twice"},
		{swap(review2018, `"U"`, `" "`), "", 1, "the user or item id is blank"},
		{review2018, item2018 + item2014, 2, "the field categories belongs to the release of 2014 or 2023, the lines before it to that of 2018"},
		{review2018, item2018 + item2023, 2, "to that of 2018"},
		{review2023, swap(item2023, "parent_asin", "asin"), 1, "the item has no parent_asin; its other fields are those of the release of 2023"},
	} {
		d, err := Open(Config{Name: "test", Format: "amazon", Path: "X.jsonl"}, writeFiles(t, map[string]string{"X.jsonl": tt.reviews, "meta_X.jsonl": tt.items}))
		if err == nil && tt.items != "" {
			_, err = d.Metadata()
		}
		var p *ParseError
		if !errors.As(err, &p) || p.Line != tt.line || !strings.Contains(p.Msg, tt.want) {
			t.Errorf("got  %v\nwant line %d: %s", err, tt.line, tt.want)
		}
	}
}

// If a metadata file names no brand and no category, those of the attributes are
// kept.
func TestFacetsOfAttributesRemain(t *testing.T) {
	m := &Metadata{Brand: make([]string, 4), Categories: make([][]string, 4), Attributes: [][]int32{nil, {5, 1, 2}, {1, 3}, {6, 1}}}
	var names []string
	for _, f := range m.Facets() {
		names = append(names, f.Name)
	}
	if want := []string{"brand", "category 2"}; !slices.Equal(names, want) {
		t.Errorf("%q, want %q", names, want)
	}
	m.Brand[1] = "x"
	if got := fmt.Sprint(len(m.Facets())); got != "0" {
		t.Errorf("%s facets of one brand", got)
	}
}
