package datasets

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"famebench/internal/conf"
)

// Config describes a data set: where its files are, how to read them and what
// to do with them. In experiments.toml it is a table [datasets.NAME]. The zero
// value of every key is its default; a key that the format does not use is an
// error.
type Config struct {
	// Name is the table's NAME.
	Name string `toml:"name" json:"name"`
	// Format is one of Formats(). Default: "embedded" for an embedded name,
	// the format of the download for a known name, else required.
	Format string `toml:"format" json:"format,omitempty"`
	// Path is the file of the interactions, or the folder that holds it under
	// its usual name. Default for known names: $FAMEBENCH_DATA/NAME or
	// data/NAME; else required. Not for embedded.
	Path string `toml:"path" json:"path,omitempty"`
	// Train, Valid and Test are the files of a given split, in place of Path.
	Train string `toml:"train" json:"train,omitempty"`
	Valid string `toml:"valid" json:"valid,omitempty"`
	Test  string `toml:"test" json:"test,omitempty"`
	// Items is the file of the item metadata. Default: the format's usual name
	// next to the interactions, if that file exists. For s3rec and embedded: an
	// Amazon meta_*.json[.gz], joined by ASIN.
	Items string `toml:"items" json:"items,omitempty"`
	// Attributes is the item-to-attributes file of s3rec. Default:
	// item2attributes.json next to the interactions, if that file exists.
	Attributes string `toml:"attributes" json:"attributes,omitempty"`

	// Columns names the columns of csv and recbole interactions.
	Columns Columns `toml:"columns" json:"columns,omitzero"`
	// ItemColumns names the columns of a csv or recbole metadata file.
	ItemColumns ItemColumns `toml:"item_columns" json:"item_columns,omitzero"`
	// Separator divides the fields of csv, one or more bytes. Default ",".
	Separator string `toml:"separator" json:"separator,omitempty"`
	// Header says whether the first line of csv names the columns. Default true.
	Header *bool `toml:"header" json:"header,omitempty"`

	// UnpackLimit is how much a gzip file of the data set may unpack to, in GiB.
	// Default 0: 256 MiB or 50 times the size of the file, whichever is
	// more. It changes no result, so it is part of no id.
	UnpackLimit int `toml:"unpack_limit" json:"-"`

	// World has the parameters of format "facets", which generates its data.
	World WorldConfig `toml:"world" json:"world,omitzero"`

	// MinRating leaves out interactions with a lower rating. Default 0: no
	// threshold.
	MinRating float64 `toml:"min_rating" json:"min_rating,omitempty"`
	// Ties orders interactions of a user with equal times: "file" (order of
	// the file), "hash" (a fixed hash of user and item id), "item" (item id).
	// Default "file", but "hash" for movielens-20m and amazon, whose files are
	// sorted by item.
	Ties string `toml:"ties" json:"ties,omitempty"`
	// Duplicates says which interactions of a user with the same item are kept:
	// all ("keep"), the "first" or the "last" in time. Default "keep".
	Duplicates string `toml:"duplicates" json:"duplicates,omitempty"`
	// KCore leaves out users and items with fewer interactions, and repeats
	// this until all that are left have enough. Default 0: no filter.
	KCore int `toml:"k_core" json:"k_core,omitempty"`
	// MaxUsers keeps the first users after all filters. Default 0: all.
	MaxUsers int `toml:"max_users" json:"max_users,omitempty"`
	// Split is "leave-one-out" (default), "ratio", "time" or, if the files or a column
	// of them say what is in which part, "given"; see NewSplit.
	Split string `toml:"split" json:"split,omitempty"`
	// ValidShare and TestShare are the shares of a user's interactions that split
	// "ratio" validates and tests on. Default 0.1 each.
	ValidShare float64 `toml:"valid_share" json:"valid_share,omitempty"`
	TestShare  float64 `toml:"test_share" json:"test_share,omitempty"`
	// ValidFrom and TestFrom are the boundaries of split "time": dates, or times in the
	// unit of the file. Default: the times at 80 % and 90 % of the interactions.
	ValidFrom string `toml:"valid_from" json:"valid_from,omitempty"`
	TestFrom  string `toml:"test_from" json:"test_from,omitempty"`
	// ColdItems is the share of the items that are taken out of training and
	// validation, so that only test cases have them; see NewSplit. Default 0:
	// none.
	ColdItems float64 `toml:"cold_items" json:"cold_items,omitempty"`
	// ColdValidation is the share of further items that are taken out like ColdItems. Their
	// validation cases are Split.ColdValid, by which rules for untrained items are chosen
	// without a look at the test cases; see NewSplit. Default 0: none.
	ColdValidation float64 `toml:"cold_validation" json:"cold_validation,omitempty"`
	// ColdSeed selects other items. Default 0.
	ColdSeed int64 `toml:"cold_seed" json:"cold_seed,omitempty"`
}

// Columns names the columns of an interactions file by the names in its
// header, or, without a header, by their numbers from "1".
type Columns struct {
	User   string `toml:"user" json:"user,omitempty"`     // csv: required; recbole: "user_id"
	Item   string `toml:"item" json:"item,omitempty"`     // csv: required; recbole: "item_id"
	Rating string `toml:"rating" json:"rating,omitempty"` // csv: none; recbole: "rating", if it exists
	Time   string `toml:"time" json:"time,omitempty"`     // numbers of one unit, or ISO 8601 dates; csv: none; recbole: "timestamp", if it exists
	Part   string `toml:"part" json:"part,omitempty"`     // says for each line whether it is for training, validation or testing; none
}

// ItemColumns names the columns of a metadata file in the same way. Only Item
// is required.
type ItemColumns struct {
	Item        string `toml:"item" json:"item,omitempty"`
	Title       string `toml:"title" json:"title,omitempty"`
	Brand       string `toml:"brand" json:"brand,omitempty"`
	Categories  string `toml:"categories" json:"categories,omitempty"` // broad to narrow: a list or joined by "|", see docs/datasets.md
	Description string `toml:"description" json:"description,omitempty"`
	Genres      string `toml:"genres" json:"genres,omitempty"` // the same
	Year        string `toml:"year" json:"year,omitempty"`
}

// Kinds of split.
const (
	LeaveOneOut = "leave-one-out"
	RatioSplit  = "ratio"
	TimeSplit   = "time"
	GivenSplit  = "given"
)

// Resolve returns c with every default filled in. Its errors name the key, what
// was expected and what to do.
func (c Config) Resolve() (Config, error) {
	if c.Name == "" {
		return c, fmt.Errorf("datasets: a data set needs a name")
	}
	for _, step := range []func() error{c.resolveFormat, c.checkKeys, c.resolveWorld, c.columnDefaults, c.resolveSplit, c.resolveChoices, c.checkNumbers} {
		if err := step(); err != nil {
			return c, fmt.Errorf("datasets: %s: %w", c.Name, err)
		}
	}
	return c, nil
}

// resolveFormat fills in and checks the format.
func (c *Config) resolveFormat() error {
	for _, p := range append(c.partFiles(), column{"path", c.Path}, column{"items", c.Items}, column{"attributes", c.Attributes}) {
		if len(p.column) > 4096 { // no system opens such a path, and a message would print all of it
			return badKey(p.key, "has %d bytes; expected the path of a file", len(p.column))
		}
	}
	if c.Format == "" {
		c.Format = knownSets[c.Name].format
		if c.Path != "" && c.Format == "embedded" {
			c.Format = "" // the user's own files under a known name: their format must be given
		}
	}
	if c.Format == "" {
		if c.Path == "" {
			if near := nearest(c.Name, Known()); near != "" {
				return fmt.Errorf("unknown data set (did you mean %q?); known are %s; any other data set needs format and path", near, strings.Join(Known(), ", "))
			}
		}
		return fmt.Errorf("format is missing; expected one of %s", strings.Join(Formats(), ", "))
	}
	if _, ok := formats[c.Format]; !ok {
		hint := ""
		if near := nearest(c.Format, Formats()); near != "" {
			hint = fmt.Sprintf(" (did you mean %q?)", near)
		}
		return badKey("format", "= %q is unknown%s; expected one of %s", c.Format, hint, strings.Join(Formats(), ", "))
	}
	return nil
}

// checkKeys refuses keys that the format does not use, and asks for those that it needs.
func (c *Config) checkKeys() error {
	keys := formats[c.Format].keys
	for _, k := range optionalKeys {
		if k.set(c) && !slices.Contains(keys, k.name) {
			return badKey(k.name, "is not used by format %s; remove it (%s uses %s)", c.Format, c.Format, strings.Join(keys, ", "))
		}
	}
	if c.Format == "embedded" && !slices.Contains(Embedded(), c.Name) {
		return fmt.Errorf("not embedded; expected one of %s", strings.Join(Embedded(), ", "))
	}
	if c.Path == "" && c.Train == "" && c.Format != "embedded" && c.Format != worldFormat && knownSets[c.Name].format != c.Format {
		return fmt.Errorf("path is missing: the file of the interactions, or the folder that holds it")
	}
	return nil
}

// timed reports whether the format has times, or the configuration names a column of
// them.
func (c *Config) timed() bool {
	return formats[c.Format].ties != "" && (c.Format != "csv" || c.Columns.Time != "")
}

// resolveChoices fills in and checks the keys whose values are one of a few words.
func (c *Config) resolveChoices() error {
	if !c.timed() && c.Ties != "" {
		return badKey("ties", "is set, but there are no times: set columns.time or remove ties")
	}
	if c.timed() {
		setDefault(&c.Ties, formats[c.Format].ties)
	}
	setDefault(&c.Duplicates, "keep")
	for _, k := range []struct {
		key, value string
		allowed    []string
	}{
		{"ties", c.Ties, []string{"", "file", "hash", "item"}},
		{"duplicates", c.Duplicates, []string{"keep", "first", "last"}},
		{"split", c.Split, []string{LeaveOneOut, RatioSplit, TimeSplit, GivenSplit}},
	} {
		if !slices.Contains(k.allowed, k.value) {
			return badKey(k.key, "= %q is unknown; expected one of %s", k.value, strings.Join(slices.DeleteFunc(k.allowed, isEmpty), ", "))
		}
	}
	return nil
}

// checkNumbers checks the filters, the cold items and the split.
func (c *Config) checkNumbers() error {
	switch {
	case c.UnpackLimit < 0 || c.UnpackLimit > 1<<20:
		return badKey("unpack_limit", "= %d is not a number of GiB; expected 1 or more, or 0 for the default", c.UnpackLimit)
	case c.KCore < 0:
		return badKey("k_core", "= %d is negative; expected the minimum number of interactions, or 0 for no filter", c.KCore)
	case c.MaxUsers < 0:
		return badKey("max_users", "= %d is negative; expected a number of users, or 0 for all", c.MaxUsers)
	case math.IsNaN(c.MinRating) || math.IsInf(c.MinRating, 0):
		return badKey("min_rating", "= %v is not a finite number", c.MinRating)
	case c.MinRating != 0 && c.Format == "csv" && c.Columns.Rating == "":
		return badKey("min_rating", "is set, but there are no ratings: set columns.rating or remove min_rating")
	case !(c.ColdItems >= 0 && c.ColdItems < 1): // negated, so that NaN is refused too
		return badKey("cold_items", "= %v is not a share of the items; expected at least 0 (none) and less than 1", c.ColdItems)
	case !(c.ColdValidation >= 0 && c.ColdItems+c.ColdValidation < 1):
		return badKey("cold_validation", "= %v is not a share of the items; expected at least 0 (none), and less than 1 together with cold_items", c.ColdValidation)
	case c.ColdValidation > 0 && c.ColdItems == 0:
		return badKey("cold_validation", "is set, but cold_items is not: set cold_items or remove cold_validation")
	case c.ColdSeed < 0:
		return badKey("cold_seed", "= %d is negative; expected 0 or more", c.ColdSeed)
	case c.ColdSeed != 0 && c.ColdItems == 0:
		return badKey("cold_seed", "is set, but cold_items is not: set cold_items or remove cold_seed")
	case c.Split == TimeSplit && !c.timed():
		return badKey("split", "= %q needs times, which the data do not have; use %q", TimeSplit, LeaveOneOut)
	}
	return nil
}

// columnDefaults fills in and checks the keys of the delimited formats.
func (c *Config) columnDefaults() error {
	if c.Format != "csv" {
		return nil
	}
	setDefault(&c.Separator, ",")
	if strings.ContainsAny(c.Separator, "\"\r\n") {
		return badKey("separator", "= %q contains quotes or line ends; expected other characters", c.Separator)
	}
	if c.Columns.User == "" || c.Columns.Item == "" {
		return fmt.Errorf(`columns must name user and item, for example columns = { user = "user_id", item = "item_id", time = "timestamp" }`)
	}
	columns := c.Columns.list()
	for i, a := range columns {
		for _, b := range columns[:i] {
			if a.column != "" && a.column == b.column {
				return badKey(b.key, "and %s both name column %q", a.key, a.column)
			}
		}
	}
	if c.ItemColumns != (ItemColumns{}) && c.Items == "" {
		return badKey("item_columns", "is set, but items (the metadata file) is not")
	}
	if c.Items != "" && c.ItemColumns.Item == "" {
		return badKey("items", "is set, but item_columns.item (the column of the item id) is not")
	}
	if c.header() {
		return nil
	}
	for _, k := range append(c.Columns.list(), c.ItemColumns.list()...) {
		if n, err := strconv.Atoi(k.column); k.column != "" && (err != nil || n < 1) {
			return badKey(k.key, "= %q: expected the number of a column, from \"1\", because header = false", k.column)
		}
	}
	return nil
}

func (c *Config) header() bool { return c.Header == nil || *c.Header }

// column is a key of Columns or ItemColumns and the column that it names.
type column struct{ key, column string }

func (c Columns) list() []column {
	return []column{{"columns.user", c.User}, {"columns.item", c.Item}, {"columns.rating", c.Rating}, {"columns.time", c.Time}, {"columns.part", c.Part}}
}

func (c ItemColumns) list() []column {
	return []column{{"item_columns.item", c.Item}, {"item_columns.title", c.Title}, {"item_columns.brand", c.Brand},
		{"item_columns.categories", c.Categories}, {"item_columns.description", c.Description},
		{"item_columns.genres", c.Genres}, {"item_columns.year", c.Year}}
}

// optionalKeys are the keys that not every format uses.
var optionalKeys = []struct {
	name string
	set  func(*Config) bool
}{
	{"path", func(c *Config) bool { return c.Path != "" }},
	{"train", func(c *Config) bool { return c.Train != "" }},
	{"valid", func(c *Config) bool { return c.Valid != "" }},
	{"test", func(c *Config) bool { return c.Test != "" }},
	{"items", func(c *Config) bool { return c.Items != "" }},
	{"attributes", func(c *Config) bool { return c.Attributes != "" }},
	{"columns", func(c *Config) bool { return c.Columns != Columns{} }},
	{"item_columns", func(c *Config) bool { return c.ItemColumns != ItemColumns{} }},
	{"separator", func(c *Config) bool { return c.Separator != "" }},
	{"header", func(c *Config) bool { return c.Header != nil }},
	{"world", func(c *Config) bool { return c.World != WorldConfig{} }},
	{"min_rating", func(c *Config) bool { return c.MinRating != 0 }},
	{"ties", func(c *Config) bool { return c.Ties != "" }},
}

func setDefault(s *string, value string) {
	if *s == "" {
		*s = value
	}
}

func isEmpty(s string) bool { return s == "" }

// nearest returns the name that is closest to s by edit distance, "" if none is
// close.
func nearest(s string, names []string) string {
	best, bestDistance := "", len(s)/2+1
	for _, name := range names {
		if d := conf.EditDistance(strings.ToLower(s), name); d < bestDistance {
			best, bestDistance = name, d
		}
	}
	return best
}
