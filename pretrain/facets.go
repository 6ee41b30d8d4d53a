package pretrain

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"famebench/datasets"
	"famebench/internal/bert"
)

// Choose returns the facets with these names, in their order: head 1 learns the
// first. Without names it returns all facets.
func Choose(facets []datasets.Facet, names []string) ([]datasets.Facet, error) {
	if len(names) == 0 {
		return facets, nil
	}
	var out []datasets.Facet
	for _, name := range names {
		at := slices.IndexFunc(facets, func(f datasets.Facet) bool { return f.Name == name })
		if at < 0 {
			var known []string
			for _, f := range facets {
				known = append(known, fmt.Sprintf("%q", f.Name))
			}
			if known == nil {
				return nil, fmt.Errorf("pretrain: no facet %q: the metadata has none", name)
			}
			return nil, fmt.Errorf("pretrain: no facet %q; the metadata has %s", name, strings.Join(known, ", "))
		}
		out = append(out, facets[at])
	}
	return out, nil
}

// FacetsHash is the SHA-256 of what the heads learn: the facets' names and, for each
// item, the names of its labels.
func FacetsHash(facets []datasets.Facet) string {
	h := sha256.New()
	for _, f := range facets {
		var names []string
		for _, labels := range f.Labels {
			for _, l := range labels {
				names = append(names, f.Values[l])
			}
			names = append(names, "") // no label is empty
		}
		io.WriteString(h, bert.TextsHash(append([]string{f.Name}, names...)))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// merge is the union of facets: items have a label in common if they have one in
// any facet.
func merge(facets []datasets.Facet) datasets.Facet {
	out := datasets.Facet{Name: "any facet", Labels: make([][]int32, len(facets[0].Labels))}
	for _, f := range facets {
		first := int32(len(out.Values))
		for v, labels := range f.Labels {
			for _, l := range labels {
				out.Labels[v] = append(out.Labels[v], first+l)
			}
		}
		out.Values = append(out.Values, f.Values...)
	}
	return out
}

// shuffle exchanges the labels of a share of the items, chosen at random: each
// of them gets the labels of the next, and the last those of the first. Others
// keep theirs.
func shuffle(labels [][]int32, items []int32, share float64, r *rand.Rand) [][]int32 {
	out := slices.Clone(labels)
	ring := draw(items, share, r)
	for i, v := range ring {
		out[v] = labels[ring[(i+1)%len(ring)]]
	}
	return out
}

// draw returns a random share of the items, rounded to a whole number of them, in
// random order.
func draw(items []int32, share float64, r *rand.Rand) []int32 {
	out := slices.Clone(items)
	r.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out[:int(math.Round(share*float64(len(out))))]
}
