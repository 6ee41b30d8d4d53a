package datasets

import (
	"cmp"
	"fmt"
	"slices"
)

// sequences are the interactions grouped by user: those of user u are
// items[off[u]:off[u+1]], and times likewise if there are any.
type sequences struct {
	off   []int
	items []int32
	times []int64
	parts []part // of a given split; else nil
}

// process runs the pipeline on the interactions that a reader found.
func process(c Config, lg *interactions) (*Dataset, error) {
	d := &Dataset{Name: c.Name, Config: c}
	d.Filtered.Read = lg.read
	d.Filtered.BelowRating = lg.belowRating
	d.TimeDigits, d.timeKind = lg.times.digits, lg.times.first.kind

	s := group(lg)
	lg.user, lg.item, lg.times.values = nil, nil, nil
	if s.times != nil || s.parts != nil {
		sortByTime(s, tieKeys(c.Ties, lg))
	}
	if s.times != nil {
		if c.Duplicates == "keep" {
			d.Warnings = s.repeatWarning(d.Name, len(lg.items.names))
		}
	} else {
		d.Config.Ties = "" // no times, so no ties
	}
	if c.Duplicates != "keep" {
		d.Filtered.Duplicates = s.dropDuplicates(len(lg.items.names), c.Duplicates == "last")
	}
	if c.KCore > 1 {
		d.Filtered.KCore = s.kCore(len(lg.items.names), c.KCore)
	}
	d.number(s, lg, c.MaxUsers)
	if len(d.Seqs) == 0 {
		return nil, fmt.Errorf("nothing is left of %d interactions: %d are rated below min_rating = %v, %d are removed by k_core = %d",
			d.Filtered.Read, d.Filtered.BelowRating, c.MinRating, d.Filtered.KCore, c.KCore)
	}
	return d, nil
}

// group sorts the log by user, keeping each user's interactions in file order.
func group(lg *interactions) *sequences {
	s := &sequences{off: make([]int, len(lg.users.names)+1), items: make([]int32, len(lg.item))}
	for _, u := range lg.user {
		s.off[u+1]++
	}
	for u := 1; u < len(s.off); u++ {
		s.off[u] += s.off[u-1]
	}
	if len(lg.times.values) > 0 {
		s.times = make([]int64, len(lg.times.values))
	}
	if lg.parts != nil {
		s.parts = make([]part, len(lg.parts))
	}
	next := slices.Clone(s.off)
	for i, u := range lg.user {
		p := next[u]
		next[u]++
		s.items[p] = lg.item[i]
		if s.times != nil {
			s.times[p] = lg.times.values[i]
		}
		if s.parts != nil {
			s.parts[p] = lg.parts[i]
		}
	}
	return s
}

// sortByTime orders each user's interactions by the part of a given split and then by time,
// where there are any. key breaks ties, and equal keys keep the order of the file.
func sortByTime(s *sequences, key func(user int, item int32) uint64) {
	type entry struct {
		time int64
		key  uint64
		pos  int32
		item int32
		part part
	}
	var buf []entry
	for u := range len(s.off) - 1 {
		begin, end := s.off[u], s.off[u+1]
		buf = buf[:0]
		for p := begin; p < end; p++ {
			e := entry{pos: int32(p - begin), item: s.items[p]}
			if s.times != nil {
				e.time, e.key = s.times[p], key(u, e.item)
			}
			if s.parts != nil {
				e.part = s.parts[p]
			}
			buf = append(buf, e)
		}
		slices.SortFunc(buf, func(a, b entry) int {
			if c := cmp.Compare(a.part, b.part); c != 0 {
				return c
			}
			if c := cmp.Compare(a.time, b.time); c != 0 {
				return c
			}
			if c := cmp.Compare(a.key, b.key); c != 0 {
				return c
			}
			return cmp.Compare(a.pos, b.pos)
		})
		for i, e := range buf {
			s.items[begin+i] = e.item
			if s.times != nil {
				s.times[begin+i] = e.time
			}
			if s.parts != nil {
				s.parts[begin+i] = e.part
			}
		}
	}
}

// repeatWarning warns of interactions that are in the file more than once, with
// the same user, item and time. A few are normal.
func (s *sequences) repeatWarning(name string, numItems int) []string {
	repeats := 0
	last := make([]int, numItems) // position of the item's last interaction, + 1
	for u := range len(s.off) - 1 {
		for p := s.off[u]; p < s.off[u+1]; p++ {
			v := s.items[p]
			if q := last[v] - 1; q >= s.off[u] && s.times[q] == s.times[p] {
				repeats++
			}
			last[v] = p + 1
		}
	}
	if repeats*100 < len(s.items) || repeats < 2 {
		return nil
	}
	advice := "" // a given split keeps all interactions
	if s.parts == nil {
		advice = " (duplicates = \"first\" also drops what a user does with the same item later)"
	}
	return []string{fmt.Sprintf("%s: %d of %d interactions repeat another one: same user, item and time; if the file holds copies, remove them%s", name, repeats, len(s.items), advice)}
}

// retain keeps the interactions for which keep returns true, in place, and
// returns how many it dropped. keep is called once for each, in order. Nothing is dropped
// from a given split.
func (s *sequences) retain(keep func(user, pos int) bool) int {
	w := 0
	for u := range len(s.off) - 1 {
		begin, end := s.off[u], s.off[u+1]
		s.off[u] = w
		for p := begin; p < end; p++ {
			if !keep(u, p) {
				continue
			}
			s.items[w] = s.items[p]
			if s.times != nil {
				s.times[w] = s.times[p]
			}
			w++
		}
	}
	dropped := s.off[len(s.off)-1] - w
	s.off[len(s.off)-1] = w
	s.items = s.items[:w]
	if s.times != nil {
		s.times = s.times[:w]
	}
	return dropped
}

// dropDuplicates keeps the first or last interaction of each user-item pair.
func (s *sequences) dropDuplicates(numItems int, last bool) int {
	kept := make([]bool, len(s.items))
	seenBy := make([]int32, numItems) // user + 1
	for u := range len(s.off) - 1 {
		for i := range s.off[u+1] - s.off[u] {
			p := s.off[u] + i
			if last {
				p = s.off[u+1] - 1 - i
			}
			if v := s.items[p]; seenBy[v] != int32(u)+1 {
				seenBy[v] = int32(u) + 1
				kept[p] = true
			}
		}
	}
	return s.retain(func(_, p int) bool { return kept[p] })
}

// kCore drops the interactions of users and items with fewer than k, and
// repeats this until all that are left have k.
func (s *sequences) kCore(numItems, k int) int {
	total := 0
	counts := make([]int, numItems)
	for {
		clear(counts)
		for _, v := range s.items {
			counts[v]++
		}
		user, userCount := -1, 0
		dropped := s.retain(func(u, p int) bool {
			if u != user { // s.off[u] is already the new offset, p the old one
				user, userCount = u, s.off[u+1]-p
			}
			return userCount >= k && counts[s.items[p]] >= k
		})
		total += dropped
		if dropped == 0 {
			return total
		}
	}
}

// number assigns users and items their final numbers and fills the data set.
func (d *Dataset) number(s *sequences, lg *interactions, maxUsers int) {
	id := make([]int32, len(lg.items.names))
	d.ItemIDs = []string{""}
	for u := range len(s.off) - 1 {
		begin, end := s.off[u], s.off[u+1]
		if begin == end {
			continue
		}
		if maxUsers > 0 && len(d.Seqs) == maxUsers {
			d.Filtered.MaxUsers = len(s.items) - begin
			break
		}
		seq := s.items[begin:end:end]
		for i, v := range seq {
			if id[v] == 0 {
				id[v] = int32(len(d.ItemIDs))
				d.ItemIDs = append(d.ItemIDs, lg.items.names[v])
			}
			seq[i] = id[v]
		}
		d.Seqs = append(d.Seqs, seq)
		d.UserIDs = append(d.UserIDs, lg.users.names[u])
		if s.times != nil {
			d.Times = append(d.Times, s.times[begin:end:end])
		}
		if s.parts != nil {
			d.parts = append(d.parts, countParts(s.parts[begin:end]))
		}
	}
	d.NumItems = len(d.ItemIDs) - 1
}
