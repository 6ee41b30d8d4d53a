package datasets

import (
	"bytes"
	"fmt"
	"slices"
)

// sequenceLines joins the lines of the files of a given split that have a sequence and a
// target each, as RecBole writes them. The case of a line has exactly the line's sequence
// as its history.
//
// A line that continues the lines before it, as in the files of a leave-one-out split,
// adds its target to their sequence. So does a training line that is longer by several
// items, and a training line that training has already, such as a shorter one that
// augmentation made, adds nothing: training learns from every position of a sequence. Nor does
// the history of a training line that was cut to a maximum length, with which its user's
// sequence ends: only the target is new. Any other line begins a sequence of its own, which has
// its user's id too.
type sequenceLines struct {
	lg       *interactions
	chains   []*chain
	prefixes map[prefix]int32 // number of the first chain that begins like this
	latest   map[int32]int32  // by user: number of the chain that a training line was added to last
	overlaps map[[2]part]int
	apart    int // chains of users who had one already
	lines    int // for training
	short    int // of them, those that begin like the line of another user next to them
	last     []int32
	lastUser int32
	hashes   []uint64
}

// chain is a sequence and the parts of its items.
type chain struct {
	user  int32 // number of its own in the interactions
	items []int32
	parts []part
	hash  uint64
}

// prefix names the first n items of a chain of a user. The hash may be that of others too.
type prefix struct {
	user int32
	n    int32
	hash uint64
}

func newSequenceLines(lg *interactions) *sequenceLines {
	return &sequenceLines{lg: lg, prefixes: map[prefix]int32{}, latest: map[int32]int32{}, overlaps: map[[2]part]int{}, lastUser: -1}
}

// readSequences reads one file of a given split.
func readSequences(t *table, c Config, lg *interactions) error {
	columns := recboleColumns(c.Columns, t)
	list := columns.Item + "_list"
	if err := t.require([]column{{"columns.user", columns.User}, {"columns.item", columns.Item}, {"columns.item", list}}); err != nil {
		return err
	}
	for _, k := range []struct {
		key string
		set bool
	}{
		{"min_rating", c.MinRating != 0}, {"max_users", c.MaxUsers > 0}, {"ties", c.Ties != formats[c.Format].ties},
		{"columns.time", c.Columns.Time != ""}, {"columns.rating", c.Columns.Rating != ""},
	} {
		if k.set {
			return t.errorf("%s is set, but the lines have sequences (%s), which are complete and in order; remove it", k.key, list)
		}
	}
	if lg.sequences == nil {
		lg.sequences = newSequenceLines(lg)
	}
	user, item, items := t.place(columns.User), t.place(columns.Item), t.place(list)
	var line []int32
	return t.each(func(f [][]byte) error {
		if len(f[user]) == 0 || len(f[item]) == 0 {
			return t.errorf("the line has no user or no item id")
		}
		line = line[:0]
		for _, name := range append(bytes.Fields(f[items]), f[item]) {
			v, known := lg.items.index(name)
			if !known {
				if err := checkID("item", name); err != nil {
					return t.errorf("%v", err)
				}
			}
			line = append(line, v)
		}
		u, known := lg.users.index(f[user])
		if !known {
			if err := checkID("user", f[user]); err != nil {
				return t.errorf("%v", err)
			}
		}
		lg.sequences.add(u, !known, line)
		return nil
	})
}

// add adds a line of the current part: a history and, last, its target.
func (s *sequenceLines) add(user int32, isNew bool, line []int32) {
	p, n := s.lg.part, len(line)
	if p == trainPart {
		s.compare(user, line)
	}
	s.hashes = append(s.hashes[:0], 0)
	for i, v := range line {
		s.hashes = append(s.hashes, longer(s.hashes[i], v))
	}
	if c := s.find(user, line, n); c != nil {
		switch is := c.parts[n-1]; {
		case p == trainPart && is == trainPart:
			return
		case is != contextPart && is != p:
			s.overlaps[[2]part{p, is}]++
		}
	}
	if p == trainPart && s.continueCut(user, line) {
		return
	}
	shortest := n - 1
	if p == trainPart {
		shortest = 1
	}
	for k := n - 1; k >= max(shortest, 1); k-- {
		i, ok := s.prefixes[prefix{user, int32(k), s.hashes[k]}]
		if ok && slices.Equal(s.chains[i].items, line[:k]) {
			s.extend(i, user, line[k:], p, p)
			return
		}
	}
	own := user
	if !isNew {
		s.apart++
		own = int32(len(s.lg.users.names)) // a second number with the same name
		s.lg.users.names = append(s.lg.users.names, s.lg.users.names[user])
	}
	s.chains = append(s.chains, &chain{user: own})
	before := contextPart
	if p == trainPart {
		before = trainPart
	}
	s.extend(int32(len(s.chains)-1), user, line, before, p)
}

// shortestCut is the least length of a history that is taken for the cut one of a longer sequence:
// two sessions of a user hardly have that many items in common, in order.
const shortestCut = 5

// continueCut adds the target of a training line to its user's latest sequence, if that ends with
// the line's history.
func (s *sequenceLines) continueCut(user int32, line []int32) bool {
	history, target := line[:len(line)-1], line[len(line)-1:]
	i, ok := s.latest[user]
	if !ok || len(history) < shortestCut {
		return false
	}
	items := s.chains[i].items
	if len(items) <= len(history) || !slices.Equal(items[len(items)-len(history):], history) {
		return false
	}
	s.extend(i, user, target, trainPart, trainPart)
	return true
}

// longer is the hash of a sequence with one more item.
func longer(hash uint64, item int32) uint64 { return mix(hash + uint64(item) + 0x9e3779b97f4a7c15) }

// find returns the chain of a user that begins with the first n items of a line; nil for
// none.
func (s *sequenceLines) find(user int32, line []int32, n int) *chain {
	i, ok := s.prefixes[prefix{user, int32(n), s.hashes[n]}]
	if !ok || !slices.Equal(s.chains[i].items[:n], line[:n]) {
		return nil
	}
	return s.chains[i]
}

// extend adds items to a chain; the last one is in part p, those before it in part before.
func (s *sequenceLines) extend(number, user int32, items []int32, before, p part) {
	c := s.chains[number]
	for i, v := range items {
		in := before
		if i == len(items)-1 {
			in = p
		}
		c.items, c.parts, c.hash = append(c.items, v), append(c.parts, in), longer(c.hash, v)
		key := prefix{user, int32(len(c.items)), c.hash}
		if _, ok := s.prefixes[key]; !ok {
			s.prefixes[key] = number
		}
	}
	if p == trainPart {
		s.latest[user] = number
	}
}

// compare counts training lines that begin like the line before them, or it like them, if
// that is of another user.
func (s *sequenceLines) compare(user int32, line []int32) {
	s.lines++
	n := min(len(line), len(s.last))
	if s.lastUser >= 0 && user != s.lastUser && n > 1 && len(line) != len(s.last) && slices.Equal(line[:n], s.last[:n]) {
		s.short++
	}
	s.last, s.lastUser = append(s.last[:0], line...), user
}

// finish moves the sequences to the interactions.
func (s *sequenceLines) finish() {
	for _, c := range s.chains {
		for i, v := range c.items {
			s.lg.user, s.lg.item, s.lg.parts = append(s.lg.user, c.user), append(s.lg.item, v), append(s.lg.parts, c.parts[i])
		}
		s.lg.read += len(c.items)
	}
	s.chains, s.prefixes = nil, nil
}

// overlap counts the lines whose target an earlier part has too, after the same history.
func (s *sequenceLines) overlap() map[[2]part]int {
	if s == nil {
		return nil
	}
	return s.overlaps
}

// warnings are about lines that are probably not what their author means.
func (s *sequenceLines) warnings() (out []string) {
	if s == nil {
		return nil
	}
	if s.apart > 0 {
		out = append(out, fmt.Sprintf("%d lines do not continue the sequences of their user: each counts as a user of its own in the statistics, with its history", s.apart))
	}
	if s.short*20 > s.lines {
		out = append(out, fmt.Sprintf("%d of %d training lines and the line before them begin alike and have different user ids: if augmentation made the shorter ones, leave them out, since training learns from every position of a sequence", s.short, s.lines))
	}
	return out
}
