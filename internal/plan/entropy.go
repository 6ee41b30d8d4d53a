package plan

import (
	"fmt"
	"math"
	"slices"

	"famebench/datasets"
	"famebench/internal/record"
)

// entropyFacets are the facets whose labels say how varied a history is; the first one that the
// data have counts. The first level of the categories has too few labels for that (8 on
// Beauty), the third so many that most items of a short history differ.
var entropyFacets = []string{"genre", "category 2"}

// addEntropy adds what a suite with by_entropy groups the users of a data set by. data is nil if it
// is known from records only.
func (p *Plan) addEntropy(info *Data, data *datasets.Dataset) (err error) {
	if !p.Suite.ByEntropy || data == nil {
		return nil
	}
	if info.entropy, err = newEntropy(data); err == nil && info.entropy == nil {
		p.Skipped = append(p.Skipped, Skip{What: info.Name, Reason: noEntropy(info.Name)})
	}
	return err
}

// newEntropy computes the entropy of the labels in each test user's training history. It is nil
// for data without such labels.
func newEntropy(data *datasets.Dataset) (*record.Entropy, error) {
	meta, err := data.Metadata()
	if err != nil {
		return nil, err
	}
	all := meta.Facets()
	for _, name := range entropyFacets {
		i := slices.IndexFunc(all, func(f datasets.Facet) bool { return f.Name == name })
		if i < 0 {
			continue
		}
		split, err := datasets.NewSplit(data, "")
		if err != nil {
			return nil, err
		}
		trained := map[string][]int32{} // by id: a user may have several sequences
		for u, seq := range split.Train {
			trained[data.UserIDs[u]] = append(trained[data.UserIDs[u]], seq...)
		}
		e := &record.Entropy{Facet: name}
		for _, c := range split.Test {
			e.Millibits = append(e.Millibits, millibits(trained[data.UserIDs[c.User]], all[i].Labels))
		}
		return e, nil
	}
	return nil, nil
}

// millibits is the entropy of the labels of a history, H = −Σ p·log2 p, in thousandths of a bit.
// An item counts 1, divided equally among its labels; one without a label does not count.
// It is −1 if none counts.
func millibits(history []int32, labels [][]int32) int32 {
	counts, total := map[int32]float64{}, 0.
	for _, v := range history {
		for _, l := range labels[v] {
			counts[l] += 1 / float64(len(labels[v]))
		}
		if len(labels[v]) > 0 {
			total++
		}
	}
	if total == 0 {
		return -1
	}
	var terms []float64 // sorted, so that the order of a map changes no bit of the sum
	for _, n := range counts {
		terms = append(terms, -n/total*math.Log2(n/total))
	}
	slices.Sort(terms)
	sum := 0.
	for _, x := range terms {
		sum += x
	}
	return int32(math.Round(1000 * sum))
}

// noEntropy says why a suite does not group the users of a data set.
func noEntropy(name string) string {
	return fmt.Sprintf("its users are not grouped by entropy: expected labels of %q or %q in the metadata; datasets.%s.items can name a file that has them", entropyFacets[0], entropyFacets[1], name)
}
