package datasets

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
)

// knownSet is a well-known data set and what it should hold. Counts are the published
// ones; fingerprints were computed with this package (see data/PROVENANCE.md for the
// embedded sets).
type knownSet struct {
	format    string // for the name without further configuration
	knownData        // if nothing is filtered
	// noBrand is the attribute id that the data set gives to items without a brand: it is on
	// several times as many items as any other brand, and on those of many manufacturers.
	noBrand int32
	// cores is what is left by Config.KCore, for those k that published results use.
	cores map[int]knownData
}

// knownData is what a version of a known data set should hold.
type knownData struct {
	users, items, interactions int
	fingerprints               map[string]string // by tie rule, "" if there are no times; a rule that is not listed is not checked
}

var knownSets = map[string]knownSet{
	"amazon-beauty": {format: "embedded", knownData: knownData{22363, 12101, 198502,
		map[string]string{"": "9c1a957d4ee50bd6f0cf2350fd1759e1e06b2b0484232fdbe0f13f458f408c9d"}}},
	"amazon-sports": {format: "embedded", noBrand: 23, knownData: knownData{35598, 18357, 296337,
		map[string]string{"": "512444ee2ee4793eb6ca8b54310f8b2d385784495af70caae88467e1f980f101"}}},
	"amazon-toys": {format: "embedded", noBrand: 1, knownData: knownData{19412, 11924, 167597,
		map[string]string{"": "aead3d8f3c34594cb8f4c74bd20742ca82e083827bb9cac8bc51dc2c8fa9ecc9"}}},
	"ml-100k": {format: "movielens-100k", knownData: knownData{943, 1682, 100000,
		map[string]string{
			"file": "0a64af942fed28da7b9e96f1cc5f9f4a01fdc146399cd59d4595eae85ddcf636",
			"hash": "2264429897efa2d31c82f513f73f431065744f35c15e41f843d63685c0484687",
			"item": "50185d3c183b3d8460faf5342f1a174ada3ec32af3c16332abfd864b6c1ba96a"}}},
	// Of the official file, by the tie rule "file" only: the fingerprints were computed from
	// a copy with the official lines in the official order, whose times keep that order but
	// do not show which of them are equal.
	"ml-1m": {format: "movielens-1m", knownData: knownData{6040, 3706, 1000209,
		map[string]string{"file": "9f6803cf169cf258d317f2c4d6e39d7d087295c2d87bba166ecfa814d99128c6"}},
		cores: map[int]knownData{5: {6040, 3416, 999611,
			map[string]string{"file": "c13f40a1fb03c1629e28917725d282de6616ec045fdc7e5f3b203288fffcb466"}}}},
	"ml-20m": {format: "movielens-20m", knownData: knownData{138493, 26744, 20000263, nil}},
}

// Known lists the names that need no configuration: the embedded data sets
// and those that scripts/fetch-data.sh fetches.
func Known() []string { return slices.Sorted(maps.Keys(knownSets)) }

// knownWarnings compares a data set of a known name, as a whole or as one of its
// known cores, with its published counts and its known fingerprint.
func knownWarnings(d *Dataset) []string {
	set, ok := knownSets[d.Name]
	c := d.Config
	if !ok || c.MinRating != 0 || c.MaxUsers > 0 || c.Duplicates != "keep" {
		return nil
	}
	k, name := set.knownData, d.Name
	if c.KCore > 0 {
		if k, ok = set.cores[c.KCore]; !ok {
			return nil
		}
		name = fmt.Sprintf("the %d-core of %s", c.KCore, d.Name)
	}
	var warnings []string
	interactions := 0
	for _, s := range d.Seqs {
		interactions += len(s)
	}
	if len(d.Seqs) != k.users || d.NumItems != k.items || interactions != k.interactions {
		warnings = append(warnings, fmt.Sprintf("%s has %d users, %d items, %d interactions; expected the published %d, %d, %d",
			name, len(d.Seqs), d.NumItems, interactions, k.users, k.items, k.interactions))
	}
	got := fingerprint(d.Seqs, nil, nil, nil) // of the interactions: with cold items the data are the same
	if want := k.fingerprints[c.Ties]; want != "" && want != got {
		warnings = append(warnings, fmt.Sprintf("%s has fingerprint %s; expected %s: results are not comparable with those on the known data", name, got, want))
	}
	return warnings
}

// copied reports, as a warning, that a file is not the source's own but was put together
// from other copies of it, which have dropped part of the information: its ratings are not
// those of the source. MovieLens 1M may not be passed on, so such files circulate. The
// order of the interactions is checked by fingerprint, but nothing checks the times.
// So the times only order the interactions, and settings that need more are refused.
func copied(c Config, lg *interactions, show string) (warning string, err error) {
	if lg.notStars == 0 {
		return "", nil
	}
	found := fmt.Sprintf("expected ratings from %v to 5, got %d of %d that are not: this is not the file of GroupLens", lg.fewestStars, lg.notStars, lg.read)
	for _, k := range []struct {
		set  bool
		what string
	}{
		{c.MinRating != 0, "min_rating needs the ratings"},
		{c.Ties != "file", fmt.Sprintf("ties = %q needs exact times", c.Ties)},
		{c.Split == TimeSplit, fmt.Sprintf("split = %q needs exact times", c.Split)},
	} {
		if k.set {
			return "", fmt.Errorf("%s: %s, and %s%s", show, found, k.what, fetchHint(c))
		}
	}
	// Without its folder: warnings are in records, which are passed on.
	return filepath.Base(show) + ": " + found + "; only the order of its times is used, and the statistics of ties and leak are left out" + fetchHint(c), nil
}
