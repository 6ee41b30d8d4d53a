package datasets

import (
	"slices"
	"strings"
	"testing"
)

// Spellings of one brand that exports mix: pandas (nan), web pages (entities, no-break
// and zero-width spaces), macOS (decomposed letters).
func TestOneSpellingOfALabel(t *testing.T) {
	const items = "i,b,c\n" +
		"1,Caf\u00e9,A|B\n" + "2,Cafe\u0301,A| B \n" +
		"3,AT&amp;T,nan\n" + "4,AT&T,A|NULL\n" +
		"5,Acme\u200b,A|D&amp;E\n" + "6,Acme\u00a0,A|D&E\n" + "7, Acme  Inc,\n" + "8,Acme Inc,\n" +
		"9,nan,A|B\n" + "10,NULL,A|B\n" + "11,None,A|B\n" + "12,Nannini,A|B\n"
	c := Config{Name: "test", Format: "csv", Path: "log.csv", Items: "items.csv",
		Columns: Columns{User: "u", Item: "i"}, ItemColumns: ItemColumns{Item: "i", Brand: "b", Categories: "c"}}
	var log strings.Builder
	log.WriteString("u,i\n")
	for _, v := range strings.Fields("1 2 3 4 5 6 7 8 9 10 11 12") {
		log.WriteString("a," + v + "\n")
	}
	d, err := Open(c, writeFiles(t, map[string]string{"log.csv": log.String(), "items.csv": items}))
	if err != nil {
		t.Fatal(err)
	}
	m, err := d.Metadata()
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"", "Caf\u00e9", "Caf\u00e9", "AT&T", "AT&T", "Acme", "Acme", "Acme Inc", "Acme Inc", "", "", "", "Nannini"}
	if !slices.Equal(m.Brand, want) {
		t.Errorf("brands %q, want %q", m.Brand, want)
	}
	for _, f := range m.Facets() {
		if want := map[string]string{"brand": "Caf\u00e9,AT&T,Acme,Acme Inc,Nannini", "category 2": "B,D&E"}[f.Name]; strings.Join(f.Values, ",") != want {
			t.Errorf("%s has the labels %q, want %q", f.Name, f.Values, want)
		}
	}
}

// In ISO 8859-1, Rosé and Rosè would both become Ros and a replacement character.
func TestMetadataOfAnotherEncoding(t *testing.T) {
	c := Config{Name: "test", Format: "csv", Path: "log.csv", Items: "items.csv",
		Columns: Columns{User: "u", Item: "i"}, ItemColumns: ItemColumns{Item: "i", Brand: "b"}}
	d, err := Open(c, writeFiles(t, map[string]string{"log.csv": "u,i\na,1\n", "items.csv": "i,b\n1,Ros\xe9\n2,Ros\xe8\n"}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Metadata(); err == nil || !strings.Contains(err.Error(), `items.csv:2: "Ros\xe9" is not UTF-8`) {
		t.Errorf("error %v, want one about the encoding", err)
	}
}
