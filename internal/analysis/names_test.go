package analysis

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"famebench/datasets"
	"famebench/internal/tinytest/basic"
	"famebench/internal/torch"
	"famebench/models"
)

// preferences analyses an untrained model of a data set, and returns the labels that the
// heads prefer, by facet.
func preferences(t *testing.T, c datasets.Config, root string) (labels map[string][]string, unnamed []string) {
	t.Helper()
	s := basic.Split(t, c, root)
	meta, err := s.Data.Metadata()
	if err != nil {
		t.Fatal(err)
	}
	labels = map[string][]string{}
	config := models.FAMEDefaults()
	config.Layers, config.Hidden, config.Heads, config.Experts = 1, 8, 2, 2
	err = torch.Run(torch.Config{Seed: 1}, func(rt *torch.Runtime) error {
		m, err := models.NewFAME(rt, config, models.ItemLoss{Kind: "ce"}, s.Data.NumItems, 8)
		if err != nil {
			return err
		}
		a, err := Of(rt, m, s, meta.Facets(), 8)
		if err != nil {
			return err
		}
		for _, f := range a.Facets {
			if f.Unnamed {
				unnamed = append(unnamed, f.Name)
			}
			for _, head := range f.Heads {
				for _, p := range head.Prefers {
					labels[f.Name] = append(labels[f.Name], p.Label)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return labels, unnamed
}

// Toys has names of categories and ids of brands; Beauty has ids only, which an analysis
// says.
func TestNamesOfCategories(t *testing.T) {
	toys, unnamed := preferences(t, datasets.Config{Name: "amazon-toys", MaxUsers: 150}, "")
	if !slices.Equal(unnamed, []string{"brand"}) {
		t.Errorf("Toys: no names of %q, expected brand", unnamed)
	}
	for _, facet := range []string{"category 2", "category 3"} {
		if len(toys[facet]) == 0 {
			t.Errorf("Toys: the heads prefer no %s", facet)
		}
		for _, label := range toys[facet] {
			if strings.HasPrefix(label, "#") {
				t.Errorf("Toys: %s has the label %q", facet, label)
			}
		}
	}
	for _, label := range toys["brand"] {
		if !strings.HasPrefix(label, "#") {
			t.Errorf("Toys: brand %q, expected an id", label)
		}
	}
	beauty, unnamed := preferences(t, datasets.Config{Name: "amazon-beauty", MaxUsers: 150}, "")
	if len(beauty) < 3 || len(unnamed) != len(beauty) {
		t.Errorf("Beauty: no names of %q of %d facets, expected all", unnamed, len(beauty))
	}
}

// MovieLens 1M, in a folder of the same form: its genres have names, and titles give the
// decades.
func TestNamesOfGenres(t *testing.T) {
	genres := []string{"Animation", "Children's", "Drama", "Film-Noir"}
	var ratings, movies strings.Builder
	for v := 1; v <= 40; v++ {
		fmt.Fprintf(&movies, "%d::Film %d (%d)::%s|%s\n", v, v, 1950+v, genres[v%4], genres[v/2%4])
	}
	for u := 1; u <= 30; u++ {
		for i := range 8 {
			fmt.Fprintf(&ratings, "%d::%d::5::%d\n", u, 1+(7*u+i*i)%40, 1000*u+i)
		}
	}
	dir := t.TempDir()
	for name, text := range map[string]string{"ratings.dat": ratings.String(), "movies.dat": movies.String()} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	labels, unnamed := preferences(t, datasets.Config{Name: "films", Format: "movielens-1m", Path: "."}, dir)
	if unnamed != nil || len(labels["genre"]) == 0 || len(labels["decade"]) == 0 {
		t.Fatalf("labels %q, no names of %q", labels, unnamed)
	}
	for _, label := range labels["genre"] {
		if !slices.Contains(genres, label) {
			t.Errorf("genre %q", label)
		}
	}
	for _, label := range labels["decade"] {
		if !strings.HasSuffix(label, "0s") {
			t.Errorf("decade %q", label)
		}
	}
}
