package datasets

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// tieKeys returns the keys that order interactions of equal time under a tie
// rule. The rule matters: if many times are equal, as in Amazon's data, whose
// times are days, an order that models can learn from the item ids alone raises
// their scores.
func tieKeys(rule string, lg *interactions) func(user int, item int32) uint64 {
	switch rule {
	case "hash":
		users, items := hashes(lg.users.names), hashes(lg.items.names)
		return func(u int, v int32) uint64 { return mix(users[u] + 3*items[v]) }
	case "item":
		rank := ranks(lg.items.names)
		return func(_ int, v int32) uint64 { return uint64(rank[v]) }
	}
	return func(int, int32) uint64 { return 0 } // file order
}

// hashes returns the 64-bit FNV-1a hash of each name, mixed.
func hashes(names []string) []uint64 {
	hs := make([]uint64, len(names))
	for i, name := range names {
		h := uint64(14695981039346656037)
		for j := range len(name) {
			h = (h ^ uint64(name[j])) * 1099511628211
		}
		hs[i] = mix(h)
	}
	return hs
}

// mix is the finaliser of SplitMix64: every input bit changes half of the output.
func mix(h uint64) uint64 {
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}

// ranks returns the position of each id in ascending order.
func ranks(ids []string) []int32 {
	order := make([]int32, len(ids))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int { return compareIDs(ids[a], ids[b]) })
	rank := make([]int32, len(ids))
	for r, i := range order {
		rank[i] = int32(r)
	}
	return rank
}

// compareIDs orders decimal numbers by value and before all other ids, which
// are ordered by their bytes.
func compareIDs(a, b string) int {
	x, okX := decimal(a)
	y, okY := decimal(b)
	switch {
	case okX && okY:
		return cmp.Or(cmp.Compare(len(x), len(y)), cmp.Compare(x, y), cmp.Compare(a, b))
	case okX:
		return -1
	case okY:
		return 1
	}
	return cmp.Compare(a, b)
}

// decimal strips the leading zeros of a decimal number of any length.
func decimal(id string) (string, bool) {
	for i := range len(id) {
		if id[i] < '0' || id[i] > '9' {
			return "", false
		}
	}
	return strings.TrimLeft(id, "0"), id != ""
}

// orderWarning warns of a file that orders interactions by item id: those of equal time, which is
// the rule "item" under another name, or without times all of them.
func orderWarning(d *Dataset) []string {
	const enough, share = 100, 0.95
	if d.Times != nil && d.Config.Ties != "file" || d.Generated() {
		return nil
	}
	rank := ranks(d.ItemIDs)
	pairs, ascending := 0, 0
	for u, seq := range d.Seqs {
		for i := 1; i < len(seq); i++ {
			if d.Times != nil && d.Times[u][i] != d.Times[u][i-1] || seq[i] == seq[i-1] {
				continue
			}
			pairs++
			if rank[seq[i-1]] < rank[seq[i]] {
				ascending++
			}
		}
	}
	ordered, direction := ascending, "ascending"
	if 2*ascending < pairs {
		ordered, direction = pairs-ascending, "descending"
	}
	if pairs < enough || float64(ordered) < share*float64(pairs) {
		return nil
	}
	text := fmt.Sprintf("%s: the file orders %d of %d tied neighbours by %s item id, which inflates results; set ties = \"hash\"", d.Name, ordered, pairs, direction)
	if d.Times == nil {
		text = fmt.Sprintf("%s: %d of %d neighbours in the sequences are in the %s order of their item ids, as in a file that is sorted by item. Models learn such an order, which inflates results; set columns.time, or order the file by time", d.Name, ordered, pairs, direction)
	}
	return []string{text}
}
