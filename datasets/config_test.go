package datasets

import (
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestResolve(t *testing.T) {
	for _, tc := range []struct {
		name string
		c    Config
		want Config
	}{
		{"embedded by name", Config{Name: "amazon-toys"},
			Config{Name: "amazon-toys", Format: "embedded", Duplicates: "keep", Split: "leave-one-out"}},
		{"known by name", Config{Name: "ml-20m"},
			Config{Name: "ml-20m", Format: "movielens-20m", Ties: "hash", Duplicates: "keep", Split: "leave-one-out"}},
		{"csv", Config{Name: "mine", Format: "csv", Path: "x", Columns: Columns{User: "u", Item: "i", Time: "t"}, Split: "time"},
			Config{Name: "mine", Format: "csv", Path: "x", Columns: Columns{User: "u", Item: "i", Time: "t"}, Split: "time", Separator: ",", Ties: "file", Duplicates: "keep"}},
		{"csv without times", Config{Name: "mine", Format: "csv", Path: "x", Columns: Columns{User: "u", Item: "i"}},
			Config{Name: "mine", Format: "csv", Path: "x", Columns: Columns{User: "u", Item: "i"}, Separator: ",", Duplicates: "keep", Split: "leave-one-out"}},
	} {
		got, err := tc.c.Resolve()
		if err != nil || got != tc.want {
			t.Errorf("%s: %+v, %v", tc.name, got, err)
		}
		if again, err := got.Resolve(); err != nil || again != got {
			t.Errorf("%s: resolving twice gives %+v, %v", tc.name, again, err)
		}
	}
}

func TestResolveErrors(t *testing.T) {
	csv := func(change func(*Config)) Config {
		c := Config{Name: "mine", Format: "csv", Path: "x.csv", Columns: Columns{User: "u", Item: "i"}}
		change(&c)
		return c
	}
	for _, tc := range []struct {
		c    Config
		want string
	}{
		{Config{}, "needs a name"},
		{Config{Name: "amazon-beuty"}, `did you mean "amazon-beauty"?`},
		{Config{Name: "mine"}, "format is missing; expected one of amazon, csv, embedded, facets, movielens-100k, movielens-1m, movielens-20m, recbole, s3rec"},
		{Config{Name: "amazon-beauty", Path: "x"}, "format is missing"},
		{Config{Name: "mine", Format: "recbol", Path: "x"}, `format = "recbol" is unknown (did you mean "recbole"?); expected one of amazon`},
		{Config{Name: "mine", Format: "parquet-lake", Path: "x"}, `format = "parquet-lake" is unknown; expected one of`},
		{Config{Name: "mine", Format: "embedded"}, "not embedded; expected one of amazon-beauty, amazon-sports, amazon-toys"},
		{Config{Name: "mine", Format: "amazon"}, "path is missing"},
		{Config{Name: "amazon-beauty", Format: "embedded", Path: "x"}, "path is not used by format embedded; remove it"},
		{Config{Name: "mine", Format: "s3rec", Path: "x", Ties: "hash"}, "ties is not used by format s3rec"},
		{Config{Name: "mine", Format: "s3rec", Path: "x", MinRating: 3}, "min_rating is not used by format s3rec"},
		{Config{Name: "mine", Format: "s3rec", Path: "x", Split: "time"}, "needs times"},
		{Config{Name: "mine", Format: "amazon", Path: "x", Separator: ","}, "separator is not used by format amazon"},
		{Config{Name: "mine", Format: "recbole", Path: "x", Header: new(bool)}, "header is not used by format recbole"},
		{Config{Name: "mine", Format: "movielens-1m", Path: "x", Columns: Columns{User: "1"}}, "columns is not used"},
		{Config{Name: "mine", Format: "movielens-1m", Path: "x", ItemColumns: ItemColumns{Title: "1"}}, "item_columns is not used"},
		{Config{Name: "mine", Format: "amazon", Path: "x", Attributes: "y"}, "attributes is not used"},
		{csv(func(c *Config) { c.Columns = Columns{User: "u"} }), "columns must name user and item"},
		{csv(func(c *Config) { c.Separator = "\n" }), "contains quotes or line ends; expected other characters"},
		{csv(func(c *Config) { c.Columns.Item = "u" }), `columns.user and columns.item both name column "u"`},
		{csv(func(c *Config) { c.UnpackLimit = -1 }), "unpack_limit = -1 is not a number of GiB"},
		{csv(func(c *Config) { c.Ties = "hash" }), "ties is set, but there are no times"},
		{csv(func(c *Config) { c.MinRating = 2 }), "min_rating is set, but there are no ratings"},
		{csv(func(c *Config) { c.MinRating = math.NaN(); c.Columns.Rating = "r" }), "min_rating = NaN"},
		{csv(func(c *Config) { c.Split = "time" }), "needs times"},
		{csv(func(c *Config) { c.Items = "i.csv" }), "item_columns.item"},
		{csv(func(c *Config) { c.ItemColumns.Item = "i" }), "items (the metadata file) is not"},
		{csv(func(c *Config) { c.Header = new(bool) }), `columns.user = "u": expected the number of a column`},
		{csv(func(c *Config) { c.Duplicates = "merge" }), `duplicates = "merge" is unknown; expected one of keep, first, last`},
		{csv(func(c *Config) { c.Columns.Time = "t"; c.Ties = "random" }), `ties = "random" is unknown; expected one of file, hash, item`},
		{csv(func(c *Config) { c.Split = "random" }), `split = "random" is unknown; expected one of leave-one-out, ratio, time, given`},
		{csv(func(c *Config) { c.KCore = -1 }), "k_core = -1 is negative"},
		{csv(func(c *Config) { c.MaxUsers = -1 }), "max_users = -1 is negative"},
		{csv(func(c *Config) { c.ColdItems = -.1 }), "cold_items = -0.1 is not a share of the items"},
		{csv(func(c *Config) { c.ColdItems = 1 }), "cold_items = 1 is not a share"},
		{csv(func(c *Config) { c.ColdItems = 5 }), "cold_items = 5 is not a share"},
		{csv(func(c *Config) { c.ColdItems = math.NaN() }), "cold_items = NaN is not a share"},
		{csv(func(c *Config) { c.ColdItems, c.ColdSeed = .1, -1 }), "cold_seed = -1 is negative"},
		{csv(func(c *Config) { c.ColdItems, c.ColdValidation = .5, .5 }), "cold_validation = 0.5 is not a share of the items"},
		{csv(func(c *Config) { c.ColdItems, c.ColdValidation = .1, math.NaN() }), "cold_validation = NaN is not a share"},
		{csv(func(c *Config) { c.ColdItems, c.ColdValidation = .1, -.1 }), "cold_validation = -0.1 is not a share"},
		{csv(func(c *Config) { c.ColdValidation = .1 }), "cold_validation is set, but cold_items is not"},
		{csv(func(c *Config) { c.ColdSeed = 1 }), "cold_seed is set, but cold_items is not"},
	} {
		_, err := tc.c.Resolve()
		if err == nil || !strings.Contains(err.Error(), tc.want) || !strings.HasPrefix(err.Error(), "datasets: ") {
			t.Errorf("%+v:\ngot  %v\nwant %s", tc.c, err, tc.want)
		}
	}
}

func TestMissingFiles(t *testing.T) {
	t.Setenv("FAMEBENCH_DATA", "")
	dir := writeFiles(t, map[string]string{
		"a.inter": "", "b.inter": "", "log.csv": "u,i\n", "reviews_X.json": "{}", "reviews_X.json.gz": "{}",
	})
	if err := os.Mkdir(filepath.Join(dir, "empty"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		c    Config
		want []string
	}{
		{Config{Name: "ml-1m"}, []string{filepath.Join(dir, "data", "ml-1m"), "no such file", "scripts/fetch-data.sh ml-1m"}},
		{Config{Name: "films", Format: "movielens-20m", Path: "nowhere"}, []string{filepath.Join(dir, "nowhere"), "scripts/fetch-data.sh ml-20m"}},
		{Config{Name: "ml-20m", Path: "empty"}, []string{"empty holds no ratings.csv (or .gz)", "scripts/fetch-data.sh ml-20m"}},
		{Config{Name: "shop", Format: "amazon", Path: "empty"}, []string{"holds no reviews_*.json", "scripts/fetch-data.sh --list"}},
		{Config{Name: "mine", Format: "recbole", Path: "."}, []string{"a.inter, b.inter all match; name one of them"}},
		{Config{Name: "mine", Format: "csv", Path: ".", Columns: Columns{User: "u", Item: "i"}}, []string{"is a folder; format csv needs the path of a file"}},
		{Config{Name: "mine", Format: "csv", Path: "log.csv", Columns: Columns{User: "u", Item: "i"}, Items: "no.csv", ItemColumns: ItemColumns{Item: "i"}}, []string{"no.csv: no such file"}},
		{Config{Name: "amazon-toys", Items: "meta.json.gz"}, []string{"meta.json.gz: no such file", "scripts/fetch-data.sh amazon-toys"}},
		{Config{Name: "mine", Format: "csv", Path: "log.csv", Columns: Columns{User: "u", Item: "i"}, Items: "empty", ItemColumns: ItemColumns{Item: "i"}}, []string{"empty is a folder", "path of a file"}},
	} {
		_, err := Open(tc.c, dir)
		for _, want := range tc.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s %s: %v lacks %q", tc.c.Name, tc.c.Path, err, want)
			}
		}
		if fetched := tc.c.Format != "csv" && tc.c.Format != "recbole"; err != nil && strings.Contains(err.Error(), "fetch-data") != fetched {
			t.Errorf("%s: a hint to fetch it: %v, want %v: %v", tc.c.Name, !fetched, fetched, err)
		}
	}
	// FAMEBENCH_DATA moves data/, and missing files are distinguished from damaged
	// ones.
	t.Setenv("FAMEBENCH_DATA", dir)
	for path, c := range map[string]Config{
		"ml-1m":     {Name: "ml-1m"},
		"x/log.csv": {Name: "mine", Format: "csv", Path: "data/x/log.csv", Columns: Columns{User: "u", Item: "i"}},
		"x/meta.gz": {Name: "amazon-toys", Items: "data/x/meta.gz"},
	} {
		_, err := Open(c, "elsewhere")
		if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), filepath.Join(dir, path)+":") {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestNearest(t *testing.T) {
	for s, want := range map[string]string{"recbol": "recbole", "CSV": "csv", "tsv": "csv", "movielens-25m": "movielens-20m", "xyzxyzxyz": ""} {
		if got := nearest(s, Formats()); got != want {
			t.Errorf("nearest(%q) = %q, want %q", s, got, want)
		}
	}
}
