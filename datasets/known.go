package datasets

import (
	"fmt"
	"maps"
	"slices"
)

// knownSet is a well-known data set and what it should hold if nothing is
// filtered. Counts are the published ones; fingerprints were computed with this
// package (see data/PROVENANCE.md for the embedded sets).
type knownSet struct {
	format       string // for the name without further configuration
	users, items int
	interactions int
	fingerprints map[string]string // by tie rule, "" if there are no times; a rule that is not listed is not checked
}

var knownSets = map[string]knownSet{
	"amazon-beauty": {format: "embedded", users: 22363, items: 12101, interactions: 198502,
		fingerprints: map[string]string{"": "9c1a957d4ee50bd6f0cf2350fd1759e1e06b2b0484232fdbe0f13f458f408c9d"}},
	"amazon-sports": {format: "embedded", users: 35598, items: 18357, interactions: 296337,
		fingerprints: map[string]string{"": "512444ee2ee4793eb6ca8b54310f8b2d385784495af70caae88467e1f980f101"}},
	"amazon-toys": {format: "embedded", users: 19412, items: 11924, interactions: 167597,
		fingerprints: map[string]string{"": "aead3d8f3c34594cb8f4c74bd20742ca82e083827bb9cac8bc51dc2c8fa9ecc9"}},
	"ml-100k": {format: "movielens-100k", users: 943, items: 1682, interactions: 100000,
		fingerprints: map[string]string{
			"file": "0a64af942fed28da7b9e96f1cc5f9f4a01fdc146399cd59d4595eae85ddcf636",
			"hash": "2264429897efa2d31c82f513f73f431065744f35c15e41f843d63685c0484687",
			"item": "50185d3c183b3d8460faf5342f1a174ada3ec32af3c16332abfd864b6c1ba96a"}},
	"ml-1m":  {format: "movielens-1m", users: 6040, items: 3706, interactions: 1000209},
	"ml-20m": {format: "movielens-20m", users: 138493, items: 26744, interactions: 20000263},
}

// Known lists the names that need no configuration: the embedded data sets
// and those that scripts/fetch-data.sh fetches.
func Known() []string { return slices.Sorted(maps.Keys(knownSets)) }

// knownWarnings compares an unfiltered data set of a known name with its
// published counts and its known fingerprint.
func knownWarnings(d *Dataset) []string {
	k, ok := knownSets[d.Name]
	c := d.Config
	if !ok || c.KCore > 0 || c.MinRating != 0 || c.MaxUsers > 0 || c.Duplicates != "keep" {
		return nil
	}
	var warnings []string
	interactions := 0
	for _, s := range d.Seqs {
		interactions += len(s)
	}
	if len(d.Seqs) != k.users || d.NumItems != k.items || interactions != k.interactions {
		warnings = append(warnings, fmt.Sprintf("%s has %d users, %d items, %d interactions; expected the published %d, %d, %d",
			d.Name, len(d.Seqs), d.NumItems, interactions, k.users, k.items, k.interactions))
	}
	got := fingerprint(d.Seqs, nil) // of the interactions: with cold items the data are the same
	if want := k.fingerprints[c.Ties]; want != "" && want != got {
		warnings = append(warnings, fmt.Sprintf("%s has fingerprint %s; expected %s: results are not comparable with those on the known data", d.Name, got, want))
	}
	return warnings
}
