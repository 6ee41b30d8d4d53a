// Package datasets turns public interaction logs into the sequences that
// sequential recommenders are trained on and ranked by.
//
// Every format (UCSD Amazon, MovieLens, RecBole atomic files, S3-Rec, generic
// CSV/TSV) is read in one streaming pass into a log of user, item and time. All
// of them then go through one pipeline, in this order: rating threshold, order
// by time with an explicit rule for equal timestamps, duplicates policy,
// iterated k-core, first users, renumbering. The result is a [Dataset].
// [NewSplit] divides it into training sequences and ranking queries, and
// [Dataset.Stats] reports its size, how much of its order depends on the tie
// rule, and how much a leave-one-out split leaks.
//
// Numbering is canonical: users in the order of their first interaction in the
// file that the rating threshold keeps, items in the order of their first
// occurrence in those users' sequences.
// It is the numbering of the S3-Rec files, so the same interactions have the
// same [Dataset.Fingerprint] in every format.
package datasets

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"strconv"
)

// Dataset is a preprocessed interaction log. Item ids are 1…NumItems; 0 is
// padding. It is read-only after Open and safe for concurrent use.
type Dataset struct {
	Name     string
	Seqs     [][]int32 // [users] items of each user, oldest first, never cut
	UserIDs  []string  // original ids, by user index
	ItemIDs  []string  // original ids, by item id; ItemIDs[0] = ""
	NumItems int       // V, without padding

	// Times are parallel to Seqs; nil if the source has none, or none that are exact
	// (see copied). Their unit is
	// that of the file (for dates, seconds since 1970 in UTC) divided by
	// 10^TimeDigits. TimeDigits is the largest number of decimal places of any
	// time, so none is rounded: two times are equal if they are equal in the
	// file. TimeText formats one.
	Times      [][]int64
	TimeDigits int

	Config   Config   // as resolved: every default filled in
	Filtered Filtered // what each step of the pipeline left out
	Warnings []string // for the user, one sentence each; e.g. an unexpected fingerprint

	parts       []counts // of each sequence, if the split is given; else nil
	timeKind    timeKind
	fingerprint string // computed by Open; empty in data sets made by hand
	metadata    func() (*Metadata, error)
}

// Filtered counts the interactions that each step of the pipeline left out.
type Filtered struct {
	Read        int `json:"read"`         // interactions in the file
	BelowRating int `json:"below_rating"` // rated below min_rating
	Duplicates  int `json:"duplicates"`   // repeats of a user-item pair, by the duplicates policy
	KCore       int `json:"k_core"`       // of users or items with too few interactions
	MaxUsers    int `json:"max_users"`    // of users after the first max_users
}

// Open reads and preprocesses the data set that c describes. Relative paths in c
// begin at root, and those in data/ at $FAMEBENCH_DATA if it is set. An embedded
// data set needs neither path nor root. A known data set without a path is looked
// for where scripts/fetch-data.sh puts it: in data/NAME.
//
// Bad input is refused with file, line and reason ([*ParseError]).
// Dataset.Warnings lists what is usable but doubtful.
func Open(c Config, root string) (*Dataset, error) {
	asked := c.Split
	c, err := c.Resolve()
	if err != nil {
		return nil, err
	}
	src, err := locate(c, root)
	if err != nil {
		return nil, err
	}
	if c, err = src.givenSplit(c, asked); err != nil {
		return nil, fmt.Errorf("datasets: %s: %w", c.Name, err)
	}
	d, err := load(c, src)
	if err != nil {
		return nil, fmt.Errorf("datasets: %s: %w", c.Name, err)
	}
	return d, nil
}

// load runs the reader and the pipeline on files that were found.
func load(c Config, src *source) (*Dataset, error) {
	lg := newInteractions(c.MinRating)
	if c.Format == "movielens-1m" {
		lg.fewestStars = 1
		if c.Name != "ml-1m" { // MovieLens 10M has the same format, with half stars
			lg.fewestStars = .5
		}
	}
	if err := formats[c.Format].read(c, src, lg); err != nil {
		return nil, err
	}
	show := src.display(src.main)
	if src.parts != nil {
		show = "the files of the given split"
	}
	if lg.read == 0 {
		return nil, fmt.Errorf("%s: no interactions in the file", show)
	}
	warnings, err := lg.check(show)
	if err != nil {
		return nil, err
	}
	copied, err := copied(c, lg, show)
	if err != nil {
		return nil, err
	}
	d, err := process(c, lg)
	if err != nil {
		return nil, err
	}
	if copied != "" { // the times have ordered the sequences, and are good for nothing else
		d.Times = nil
		warnings = append(warnings, copied)
	}
	for _, w := range slices.Concat(src.warnings, warnings) {
		d.Warnings = append(d.Warnings, d.Name+": "+w)
	}
	attachMetadata(d, c, src)
	if c.ColdItems > 0 && len(d.ColdItems()) == 0 {
		return nil, badKey("cold_items", "= %v of %d items is less than one item; raise it, or remove it", c.ColdItems, d.NumItems)
	}
	if c.ColdValidation > 0 && len(d.ColdValidationItems()) == 0 {
		return nil, badKey("cold_validation", "= %v of %d items is less than one item; raise it, or remove it", c.ColdValidation, d.NumItems)
	}
	d.fingerprint = d.hash()
	if d.Generated() {
		for _, w := range slices.Concat(d.Config.World.warnings(), d.untrainedWarning()) {
			d.Warnings = append(d.Warnings, d.Name+": "+w)
		}
	}
	d.Warnings = append(d.Warnings, orderWarning(d)...)
	d.Warnings = append(d.Warnings, givenWarnings(d, lg)...)
	d.Warnings = append(d.Warnings, knownWarnings(d)...)
	return d, nil
}

// Fingerprint returns the SHA-256, in hex, of the processed sequences: one line
// per user, item ids in decimal joined by single spaces, each line ended by a
// newline; if the split is given, one line per user with the numbers of training,
// validation and test interactions, as "parts 8 1 1"; with Config.ColdItems, a further line
// with the word "cold" and the ids of these items, and with Config.ColdValidation a last one
// with "cold validation" and theirs. Times and original ids do not count.
func (d *Dataset) Fingerprint() string {
	if d.fingerprint != "" {
		return d.fingerprint
	}
	return d.hash()
}

func (d *Dataset) hash() string {
	return fingerprint(d.Seqs, d.parts, d.ColdItems(), d.ColdValidationItems())
}

// ColdItems returns the items that Config.ColdItems asks for, in ascending order;
// nil for none. They are the items whose original ids have the lowest hashes. So
// they depend on no random generator, and a larger share contains a smaller one of
// the same seed.
func (d *Dataset) ColdItems() []int32 { return d.byHash(0, d.share(d.Config.ColdItems)) }

// ColdValidationItems returns the items that Config.ColdValidation asks for: those that come
// after ColdItems in the order of the hashes, so that no item is in both.
func (d *Dataset) ColdValidationItems() []int32 {
	n := d.share(d.Config.ColdItems)
	return d.byHash(n, min(n+d.share(d.Config.ColdValidation), d.NumItems))
}

// share is a share of the items in whole items.
func (d *Dataset) share(of float64) int { return int(math.Round(of * float64(d.NumItems))) }

// byHash returns the items at places first to end, not included, in the order of the hashes of
// their original ids; nil for none. The items are in ascending order.
func (d *Dataset) byHash(first, end int) []int32 {
	if first == end {
		return nil
	}
	keys := hashes(d.ItemIDs)
	for v := range keys {
		keys[v] = mix(keys[v] + mix(uint64(d.Config.ColdSeed)))
	}
	items := make([]int32, d.NumItems)
	for i := range items {
		items[i] = int32(i + 1)
	}
	slices.SortFunc(items, func(a, b int32) int { return cmp.Or(cmp.Compare(keys[a], keys[b]), cmp.Compare(a, b)) })
	items = items[first:end]
	slices.Sort(items)
	return items
}

func fingerprint(seqs [][]int32, parts []counts, cold, validation []int32) string {
	h := sha256.New()
	buf := make([]byte, 0, 1<<16)
	for _, seq := range seqs {
		for i, v := range seq {
			if i > 0 {
				buf = append(buf, ' ')
			}
			buf = strconv.AppendInt(buf, int64(v), 10)
			if len(buf) > 1<<16-16 {
				h.Write(buf)
				buf = buf[:0]
			}
		}
		buf = append(buf, '\n')
	}
	for _, n := range parts {
		buf = fmt.Appendf(buf, "parts %d %d %d\n", n.train, n.valid, n.test)
		if len(buf) > 1<<15 {
			h.Write(buf)
			buf = buf[:0]
		}
	}
	for _, out := range []struct {
		word  string
		items []int32
	}{{"cold", cold}, {"cold validation", validation}} {
		if out.items == nil {
			continue
		}
		buf = append(buf, out.word...)
		for _, v := range out.items {
			buf = strconv.AppendInt(append(buf, ' '), int64(v), 10)
		}
		buf = append(buf, '\n')
	}
	h.Write(buf)
	return hex.EncodeToString(h.Sum(nil))
}
