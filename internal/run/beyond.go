package run

import (
	"fmt"
	"slices"

	"famebench/datasets"
	"famebench/internal/rank"
	"famebench/internal/record"
)

// WriteBeyond stores the metrics beyond accuracy of a run's lists of ten items. warn is called
// if the items' labels cannot be read; then the lists' diversity is left out.
func WriteBeyond(store record.Store, r *record.Record, split *datasets.Split, got *rank.Result, warn func(string)) error {
	var facets []datasets.Facet
	meta, err := split.Data.Metadata()
	if err == nil {
		facets = slices.DeleteFunc(meta.Facets(), func(f datasets.Facet) bool {
			return f.Name == "brand" || f.Name == "decade" // they do not say what kind of thing an item is
		})
	} else {
		warn(fmt.Sprintf("there will be no Diversity@10: %v", err))
	}
	c := rank.NewCatalogue(split, facets)
	b := &record.Beyond{ID: r.ID, RanksSHA256: r.Result.RanksSHA256, Labels: []string{}, HistoryPopularity: c.HistoryPopularity(split.Test),
		Kept: record.Metrics(c.Beyond(got.TenKept)), Removed: record.Metrics(c.Beyond(got.TenRemoved))}
	for _, f := range facets {
		b.Labels = append(b.Labels, f.Name)
	}
	b.Kept[rank.Coverage], b.Removed[rank.Coverage] = got.Kept[rank.Coverage], got.Removed[rank.Coverage]
	return store.WriteBeyond(b)
}
