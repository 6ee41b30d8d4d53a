package run

import (
	"fmt"
	"slices"

	"famebench/datasets"
	"famebench/internal/rank"
	"famebench/internal/record"
	"famebench/pretrain"
)

// WriteBeyond stores the metrics beyond accuracy of a run's lists of ten items. warn is called
// if the items' labels cannot be read; then the lists' diversity is left out.
func WriteBeyond(store record.Store, r *record.Record, split *datasets.Split, got *rank.Result, warn func(string)) error {
	facets, err := kinds(split)
	if err != nil {
		warn(fmt.Sprintf("there will be no Diversity@10: %v", err))
	}
	c := rank.NewCatalogue(split, facets)
	b := labelled(facets)
	b.ID, b.RanksSHA256, b.HistoryPopularity = r.ID, r.Result.RanksSHA256, c.HistoryPopularity(split.Test)
	b.Kept, b.Removed = record.Metrics(c.Beyond(got.TenKept)), record.Metrics(c.Beyond(got.TenRemoved))
	b.Kept[rank.Coverage], b.Removed[rank.Coverage] = got.Kept[rank.Coverage], got.Removed[rank.Coverage]
	return store.WriteBeyond(b)
}

// OtherLabels reports whether metrics beyond accuracy were computed when the items had other
// labels than they have now.
func OtherLabels(b *record.Beyond, split *datasets.Split) bool {
	facets, err := kinds(split)
	return err == nil && !labelled(facets).SameLabels(b)
}

// kinds are the facets that say what kind of thing an item is.
func kinds(split *datasets.Split) ([]datasets.Facet, error) {
	meta, err := split.Data.Metadata()
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(meta.Facets(), func(f datasets.Facet) bool { return f.Name == "brand" || f.Name == "decade" }), nil
}

// labelled are metrics, to be filled in, of items with these labels.
func labelled(facets []datasets.Facet) *record.Beyond {
	b := &record.Beyond{Labels: []string{}, LabelsSHA256: pretrain.FacetsHash(facets)}
	for _, f := range facets {
		b.Labels = append(b.Labels, f.Name)
	}
	return b
}
