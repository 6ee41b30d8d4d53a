// Package datasets turns public interaction logs into the sequences that
// sequential recommenders are trained on and ranked by.
//
// Every format (UCSD Amazon, MovieLens, RecBole atomic files, S3-Rec,
// generic CSV/TSV) is read in one streaming pass into a log of user, item and
// time. One pipeline then does the same for all of them, in this order: rating
// threshold, order by time with a stated rule for equal timestamps, duplicates
// policy, iterated k-core, first users, renumbering. What comes out is a
// [Dataset]; [NewSplit] cuts it into training sequences and ranking queries,
// and [Dataset.Stats] says how large it is, how much of its order hangs on the
// tie rule, and how much a leave-one-out split leaks.
//
// Numbering is canonical: users in the order of their first interaction in the
// file, items in the order in which a walk over those users' sequences meets
// them. It is the numbering of the S3-Rec files, so the same interactions get
// the same [Dataset.Fingerprint] whatever format they came in.
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
	Times    [][]int64 // parallel to Seqs, Unix seconds; nil where the source has none
	UserIDs  []string  // original ids, by user index
	ItemIDs  []string  // original ids, by item id; ItemIDs[0] = ""
	NumItems int       // V, without padding

	Config   Config   // as resolved: every default filled in
	Filtered Filtered // what the pipeline left out
	Warnings []string // for the user, one sentence each; e.g. an unexpected fingerprint

	fingerprint string // computed by Open; empty in hand-made data sets
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

// Open reads and preprocesses the data set that c describes. Relative paths
// in c start at root, and those in data/ at $FAMEBENCH_DATA if it is set. An
// embedded data set needs neither path nor root; a known downloadable one without
// a path is looked for where scripts/fetch-data.sh puts it: data/, then its name.
//
// Bad input is refused with file, line and reason ([*ParseError]). Whatever
// can be used but should be known about stands in Dataset.Warnings.
func Open(c Config, root string) (*Dataset, error) {
	c, err := c.Resolve()
	if err != nil {
		return nil, err
	}
	src, err := locate(c, root)
	if err != nil {
		return nil, err
	}
	d, err := load(c, src)
	if err != nil {
		return nil, fmt.Errorf("datasets: %s: %w", c.Name, err)
	}
	return d, nil
}

// load runs reader and pipeline over files that were found.
func load(c Config, src *source) (*Dataset, error) {
	lg := newInteractions(c.MinRating)
	if err := formats[c.Format].read(c, src, lg); err != nil {
		return nil, err
	}
	if lg.read == 0 {
		return nil, fmt.Errorf("%s: no interactions in the file", src.display(src.main))
	}
	d, err := process(c, lg)
	if err != nil {
		return nil, err
	}
	attachMetadata(d, c, src)
	if c.ColdItems > 0 && len(d.ColdItems()) == 0 {
		return nil, fmt.Errorf("cold_items = %v of %d items is not one; raise it, or remove it", c.ColdItems, d.NumItems)
	}
	d.fingerprint = d.hash()
	d.Warnings = append(d.Warnings, tieWarning(d)...)
	d.Warnings = append(d.Warnings, knownWarnings(d)...)
	return d, nil
}

// Fingerprint returns the SHA-256, in hex, of the processed sequences: one
// line a user, item ids in decimal joined by single spaces, each line ended by
// a newline; with Config.ColdItems, a last line of the word "cold" and the ids of
// ColdItems. Times and original ids take no part.
func (d *Dataset) Fingerprint() string {
	if d.fingerprint != "" {
		return d.fingerprint
	}
	return d.hash()
}

func (d *Dataset) hash() string { return fingerprint(d.Seqs, d.ColdItems()) }

// ColdItems returns the items that Config.ColdItems asks for, ascending; nil for
// none. They are those whose original ids have the lowest hashes, so which they are
// hangs on no generator, and another share of the same seed holds them or is held.
func (d *Dataset) ColdItems() []int32 {
	n := int(math.Round(d.Config.ColdItems * float64(d.NumItems)))
	if n == 0 {
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
	items = items[:n]
	slices.Sort(items)
	return items
}

func fingerprint(seqs [][]int32, cold []int32) string {
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
	if cold != nil {
		buf = append(buf, "cold"...)
		for _, v := range cold {
			buf = strconv.AppendInt(append(buf, ' '), int64(v), 10)
		}
		buf = append(buf, '\n')
	}
	h.Write(buf)
	return hex.EncodeToString(h.Sum(nil))
}
