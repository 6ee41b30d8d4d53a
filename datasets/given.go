package datasets

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// part is the part of a given split that an interaction is in. A user's sequence is in this
// order.
type part int8

const (
	noPart      part = iota // the split is not given
	contextPart             // only in the history of a case: nobody trains on it or ranks it
	trainPart
	validPart
	testPart
)

func (p part) String() string {
	return [...]string{"no part", "histories", "training", "validation", "testing"}[p]
}

// parsePart reads the name of a part.
func parsePart(text string) part {
	switch strings.ToLower(text) {
	case "train", "training":
		return trainPart
	case "valid", "validation", "val", "dev":
		return validPart
	case "test", "testing":
		return testPart
	}
	return noPart
}

// partOfFile returns which part of a split a file is by the last word of its name that says
// so: training for shop.train.inter, and testing for train-tickets.test.inter.
func partOfFile(name string) part {
	words := strings.FieldsFunc(path.Base(name), func(r rune) bool { return strings.ContainsRune("._- ", r) })
	for _, word := range slices.Backward(words) {
		if p := parsePart(word); p != noPart {
			return p
		}
	}
	return noPart
}

// counts are how many interactions of a sequence are in each part. The parts are at the end
// of the sequence, in this order; what is before them is in histories only.
type counts struct{ train, valid, test int }

func countParts(parts []part) (n counts) {
	for _, p := range parts {
		switch p {
		case trainPart:
			n.train++
		case validPart:
			n.valid++
		case testPart:
			n.test++
		}
	}
	return n
}

// locateParts finds the files of a given split that the configuration names.
func (s *source) locateParts(c Config, root string) error {
	for i, named := range c.partFiles() {
		p := under(root, named.column)
		info, err := os.Stat(p)
		if err != nil {
			return fmt.Errorf("datasets: %s: %s: %s: %w", c.Name, named.key, p, cause(err))
		}
		if info.IsDir() {
			return fmt.Errorf("datasets: %s: %s: %s is a folder; expected a file", c.Name, named.key, p)
		}
		for _, other := range s.parts {
			if first, err := fs.Stat(other.fsys, other.name); err == nil && os.SameFile(first, info) {
				return fmt.Errorf("datasets: %s: %s: %s is the file of another part too; expected three files", c.Name, named.key, p)
			}
		}
		if i == 0 {
			s.fsys, s.dir, s.main = os.DirFS(filepath.Dir(p)), filepath.Dir(p), filepath.Base(p)
		}
		s.parts = append(s.parts, file{os.DirFS(filepath.Dir(p)), filepath.Base(p), p, s})
	}
	return nil
}

// benchmarkFiles finds RecBole's layout of a given split among the files of a folder:
// NAME.train.inter, NAME.valid.inter and NAME.test.inter. Files of which only some are parts
// are an error, since reading one of them would be a guess.
func (s *source) benchmarkFiles(names []string) error {
	byPart := map[part]string{}
	sets, wanted := map[string]bool{}, true
	for _, name := range names {
		p, set := partOfFile(name), stem(name, ".inter")
		wanted = wanted && p != noPart && byPart[p] == ""
		byPart[p] = name
		sets[strings.TrimSuffix(set, path.Ext(set))] = true
	}
	delete(byPart, noPart)
	if len(byPart) < 2 {
		return nil
	}
	if !wanted || len(byPart) < 3 || len(sets) > 1 {
		return fmt.Errorf("%s holds %s: expected NAME.train.inter, NAME.valid.inter and NAME.test.inter of one NAME and no other .inter file; name the files of a given split with train, valid and test, or one file of all interactions with path",
			s.dir, strings.Join(names, ", "))
	}
	for p := trainPart; p <= testPart; p++ {
		s.parts = append(s.parts, s.file(byPart[p]))
	}
	s.main = byPart[trainPart]
	return nil
}

// givenSplit completes a resolved configuration by what the folder says of the split; asked
// is what the configuration says of it.
func (s *source) givenSplit(c Config, asked string) (Config, error) {
	if s.parts == nil || c.Train != "" {
		if c.Split == GivenSplit && s.parts == nil && c.Columns.Part == "" {
			return c, badKey("split", "= %q, but %s is not a folder with NAME.train.inter, NAME.valid.inter and NAME.test.inter; set train, valid and test, or columns.part", c.Split, s.display(s.main))
		}
		return c, nil
	}
	if asked != "" && asked != GivenSplit {
		return c, badKey("split", "= %q, but %s holds a given split (%s, …): remove split, or name one file of all interactions with path", asked, s.dir, s.main)
	}
	c.Split, c.ValidShare, c.TestShare = GivenSplit, 0, 0
	if err := c.checkGiven(); err != nil {
		return c, err
	}
	return c, c.checkBoundaries()
}

// splitWarning warns of a file of interactions that is one part of a given split:
// the other parts are not read.
func (s *source) splitWarning() []string {
	part := partOfFile(s.main)
	if part == noPart || s.parts != nil {
		return nil
	}
	entries, err := fs.ReadDir(s.fsys, ".")
	if err != nil {
		return nil
	}
	suffix := path.Ext(strings.TrimSuffix(s.main, ".gz"))
	for _, e := range entries {
		if other := partOfFile(e.Name()); other != noPart && other != part && path.Ext(strings.TrimSuffix(e.Name(), ".gz")) == suffix {
			return []string{fmt.Sprintf("%s looks like one part of a given split, as does %s, but path names one file, so %s alone is read and split; for the given split, set train, valid and test", s.main, e.Name(), s.main)}
		}
	}
	return nil
}

// givenWarnings says what is doubtful about the parts of a given split.
func givenWarnings(d *Dataset, lg *interactions) []string {
	if d.parts == nil {
		return nil
	}
	var out []string
	warn := func(format string, args ...any) {
		out = append(out, d.Name+": "+fmt.Sprintf(format, args...))
	}
	overlap, same := lg.sequences.overlap(), "user, history and item"
	if lg.sequences == nil {
		overlap, same = d.overlap(), "user, item and time"
		if d.Times == nil {
			same = "user and item; without times, a repeat looks the same"
		}
	}
	var repeats []string
	for _, p := range []struct{ later, earlier part }{{validPart, trainPart}, {testPart, trainPart}, {testPart, validPart}} {
		if n := overlap[[2]part{p.later, p.earlier}]; n > 0 {
			repeats = append(repeats, fmt.Sprintf("%d interactions for %s are also in %s", n, p.later, p.earlier))
		}
	}
	if repeats != nil {
		warn("the parts of the given split overlap: %s (same %s)", strings.Join(repeats, ", "), same)
	}
	if lone := d.inOnePart(); lone != "" {
		warn("in one part of the given split only: %s", lone)
	}
	first := 0 // interactions for validation and testing that begin a sequence
	for u, n := range d.parts {
		if n.valid+n.test == len(d.Seqs[u]) {
			first++
		}
	}
	if first > 0 {
		warn("%d interactions for validation or testing have no earlier one of their user and are no cases", first)
	}
	if cases, later := d.laterTraining(); later > 0 {
		warn("leak: %d of %d test cases are earlier than a training interaction of the same user, which is in their history", later, cases)
	}
	for _, w := range lg.sequences.warnings() {
		warn("%s", w)
	}
	return out
}

// partOf gives the part of each interaction of a user.
func (d *Dataset) partOf(u int) func(at int) part {
	n := d.parts[u]
	test := len(d.Seqs[u]) - n.test
	valid := test - n.valid
	return func(at int) part {
		switch {
		case at >= test:
			return testPart
		case at >= valid:
			return validPart
		case at >= valid-n.train:
			return trainPart
		}
		return contextPart
	}
}

// overlap counts the interactions that an earlier part has too, by the two parts.
func (d *Dataset) overlap() map[[2]part]int {
	type interaction struct {
		item int32
		time int64
	}
	out := map[[2]part]int{}
	seen := map[interaction]part{} // the first part that has it
	for u, seq := range d.Seqs {
		clear(seen)
		partOf := d.partOf(u)
		for at, v := range seq {
			key := interaction{item: v}
			if d.Times != nil {
				key.time = d.Times[u][at]
			}
			p := partOf(at)
			if first, ok := seen[key]; !ok {
				seen[key] = p
			} else if first != p {
				out[[2]part{p, first}]++
			}
		}
	}
	return out
}

// laterTraining counts the test cases, and those for which training has a later interaction
// of the same user.
func (d *Dataset) laterTraining() (cases, later int) {
	if d.Times == nil {
		return 0, 0
	}
	for u, times := range d.Times {
		n := d.parts[u]
		test := len(times) - n.test
		train := times[test-n.valid-n.train : test-n.valid]
		for _, t := range times[max(test, 1):] {
			cases++
			if len(train) > 0 && slices.Max(train) > t {
				later++
			}
		}
	}
	return cases, later
}

// inOnePart says how many users and items are in one part only; "" if none is.
func (d *Dataset) inOnePart() string {
	users, items := map[string]uint8{}, make([]uint8, d.NumItems+1)
	for u, seq := range d.Seqs {
		partOf := d.partOf(u)
		for at, v := range seq {
			if p := partOf(at); p != contextPart {
				users[d.UserIDs[u]] |= 1 << p
				items[v] |= 1 << p
			}
		}
	}
	var userCounts, itemCounts [1 << (testPart + 1)]int
	for _, in := range users {
		userCounts[in]++
	}
	for _, in := range items[1:] {
		itemCounts[in]++
	}
	var out []string
	for p := trainPart; p <= testPart; p++ {
		if u, v := userCounts[1<<p], itemCounts[1<<p]; u+v > 0 {
			out = append(out, fmt.Sprintf("%d users and %d items in %s", u, v, p))
		}
	}
	if out == nil {
		return ""
	}
	return fmt.Sprintf("%s, of %d users and %d items", strings.Join(out, ", "), len(users), d.NumItems)
}
