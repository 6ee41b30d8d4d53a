package pretrain

import (
	"strings"
	"testing"

	"famebench/datasets"
	"famebench/internal/bert"
)

func TestTexts(t *testing.T) {
	m := &datasets.Metadata{
		Title:       []string{"", "Soap", "", "Brush", "Hair & Body\nWash", "  "},
		Brand:       []string{"", "Acme", "L'Or", "", "", ""},
		Categories:  [][]string{nil, {"Beauty", "Bath"}, nil, {"Beauty", " "}, nil, {""}},
		Description: []string{"", "Long  text.", "", "", "", ""},
		Year:        []int32{0, 1999, 0, 0, 0, 0},
	}
	short := TextDefaults()
	short.MaxWords = 2
	for name, c := range map[string]struct {
		config TextConfig
		want   []string // items 1 to 5
	}{
		"default":   {TextDefaults(), []string{"Soap. Acme. Beauty, Bath", "L'Or", "Brush. Beauty", "Hair & Body Wash", ""}},
		"two words": {short, []string{"Soap. Acme.", "L'Or", "Brush. Beauty", "Hair &", ""}},
		"words around fields": {
			TextConfig{Template: "Item: {title}. Brand: {brand}."},
			[]string{"Item: Soap. Brand: Acme.", "Brand: L'Or.", "Item: Brush.", "Item: Hair & Body Wash.", ""},
		},
		"brackets":                      {TextConfig{Template: "{brand} - {title} ({year})"}, []string{"Acme - Soap (1999)", "L'Or", "Brush", "Hair & Body Wash", ""}},
		"brackets first":                {TextConfig{Template: "[{year}] {title} ({brand}), {categories}!"}, []string{"[1999] Soap (Acme), Beauty, Bath!", "(L'Or)!", "Brush, Beauty!", "Hair & Body Wash!", ""}},
		"description":                   {TextConfig{Template: "{description}"}, []string{"Long text.", "", "", "", ""}},
		"a field that the source lacks": {TextConfig{Template: "{genres}; {brand}"}, []string{"Acme", "L'Or", "", "", ""}},
		"a field twice":                 {TextConfig{Template: "{brand} {brand}"}, []string{"Acme Acme", "L'Or L'Or", "", "", ""}},
	} {
		got, err := c.config.Texts(m, 5)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if len(got) != 6 || got[0] != "" {
			t.Errorf("%s: %d texts, padding %q", name, len(got), got[0])
			continue
		}
		for i, want := range c.want {
			if got[i+1] != want {
				t.Errorf("%s: item %d: %q, want %q", name, i+1, got[i+1], want)
			}
		}
	}
}

func TestTextErrors(t *testing.T) {
	titled := &datasets.Metadata{Title: []string{"", "x"}}
	for _, c := range []struct {
		config TextConfig
		m      *datasets.Metadata
		want   string
	}{
		{TextConfig{Template: "{titel}"}, titled, `unknown field {titel}; known: title, brand, categories, description, genres, year`},
		{TextConfig{Template: "{title"}, titled, "a { without its }"},
		{TextConfig{Template: "{title {brand}"}, titled, "a { without its }"},
		{TextConfig{Template: "title}"}, titled, "a } without a {"},
		{TextConfig{Template: "{}"}, titled, "unknown field {}"},
		{TextConfig{Template: "title"}, titled, "no field"},
		{TextConfig{Template: ""}, titled, "no field"},
		{TextConfig{Template: "{title}", MaxWords: -1}, titled, "max_words = -1"},
		{TextConfig{Template: "{brand}, {year}"}, titled, "the metadata has no brand, year"},
		{TextDefaults(), &datasets.Metadata{}, "no item has a text"},
	} {
		if _, err := c.config.Texts(c.m, 1); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("template %q: error %v, want %q", c.config.Template, err, c.want)
		}
	}
}

// These hashes are those of the committed records. If metadata are read
// differently, the records no longer belong to their data.
func TestBeautyIsAsRecorded(t *testing.T) {
	d, err := datasets.Open(datasets.Config{Name: "amazon-beauty"}, "")
	if err != nil {
		t.Fatal(err)
	}
	m, err := d.Metadata()
	if err != nil {
		t.Fatal(err)
	}
	texts, err := TextDefaults().Texts(m, d.NumItems)
	if err != nil {
		t.Fatal(err)
	}
	if got := bert.TextsHash(texts); got != "9da50ec5f46c37d2507bbec423915f74972aad4cfb8fe92e8d04ccff5388b689" {
		t.Errorf("texts %s", got)
	}
	if got := FacetsHash(m.Facets()); got != "cd512273c07e88daee8bb17ffdfdc493fd99f1d3bb5af7c4d8d760f5b83962a8" || m.Warnings != nil {
		t.Errorf("facets %s, warnings %q", got, m.Warnings)
	}
}
