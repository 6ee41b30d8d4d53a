package datasets

import (
	"fmt"
	"math"
)

// KeyError is about the value of one key of a data set's table.
type KeyError struct {
	Key string
	Msg string
}

func (e *KeyError) Error() string { return e.Key + " " + e.Msg }

// badKey returns a KeyError whose message begins with the key, as in "k_core = -1 is negative".
func badKey(key, format string, args ...any) error {
	return &KeyError{key, fmt.Sprintf(format, args...)}
}

// partFiles lists the files of a given split, in the order in which they are read.
func (c *Config) partFiles() []column {
	return []column{{"train", c.Train}, {"valid", c.Valid}, {"test", c.Test}}
}

// resolveSplit fills in and checks what decides the split. A folder of RecBole files may
// hold a given split too; locate finds it.
func (c *Config) resolveSplit() error {
	named, missing := "", ""
	for _, f := range c.partFiles() {
		if f.column != "" {
			named = f.key
		} else {
			missing = f.key
		}
	}
	switch {
	case named != "" && missing != "":
		return badKey(named, "is set, but %s is not: a given split needs train, valid and test", missing)
	case named != "" && c.Path != "":
		return badKey("path", "is set, and so are train, valid and test: they are all files of a given split; remove path")
	case named != "" && c.Columns.Part != "":
		return badKey("columns.part", "names a column that says which part a line is in, but train, valid and test are files; remove one of them")
	}
	if named != "" || c.Columns.Part != "" {
		setDefault(&c.Split, GivenSplit)
		if c.Split != GivenSplit {
			return badKey("split", "= %q, but the parts are given: remove split, or name one file of all interactions with path", c.Split)
		}
	}
	setDefault(&c.Split, LeaveOneOut)
	if c.Split == GivenSplit && named == "" && c.Columns.Part == "" && c.Format != "recbole" {
		return badKey("split", "= %q needs files or a column with the parts: set train, valid and test, or columns.part (formats csv and recbole)", c.Split)
	}
	if c.Split == GivenSplit {
		if err := c.checkGiven(); err != nil {
			return err
		}
	}
	return c.checkBoundaries()
}

// checkGiven refuses filters that would change the parts of a given split. A rating
// threshold decides what an interaction is, max_users leaves out users with all of their
// parts, and cold_items leaves the test cases alone; these are allowed.
func (c *Config) checkGiven() error {
	const why = "would change the parts of a given split; remove it and filter the files, or name one file of all interactions with path"
	switch {
	case c.KCore > 1:
		return badKey("k_core", "= %d %s", c.KCore, why)
	case c.Duplicates == "first" || c.Duplicates == "last":
		return badKey("duplicates", "= %q %s", c.Duplicates, why)
	}
	return nil
}

// checkBoundaries checks the keys that only one kind of split has.
func (c *Config) checkBoundaries() error {
	if c.Split == RatioSplit {
		for _, share := range []*float64{&c.ValidShare, &c.TestShare} {
			if *share == 0 {
				*share = defaultShare
			}
		}
	}
	for _, k := range []struct {
		key   string
		set   bool
		split string
	}{
		{"valid_share", c.ValidShare != 0, RatioSplit}, {"test_share", c.TestShare != 0, RatioSplit},
		{"valid_from", c.ValidFrom != "", TimeSplit}, {"test_from", c.TestFrom != "", TimeSplit},
	} {
		if k.set && c.Split != k.split {
			return badKey(k.key, "belongs to split = %q, but split is %q; remove it", k.split, c.Split)
		}
	}
	for _, k := range []struct {
		key   string
		share float64
	}{{"valid_share", c.ValidShare}, {"test_share", c.TestShare}} {
		if !(k.share >= 0 && k.share < 1) { // negated, so that NaN is refused too
			return badKey(k.key, "= %v is not a share; expected more than 0 and less than 1", k.share)
		}
	}
	if c.ValidShare+c.TestShare >= 1 {
		return badKey("test_share", "= %v and valid_share = %v leave nothing for training; expected a sum below 1", c.TestShare, c.ValidShare)
	}
	if (c.ValidFrom == "") != (c.TestFrom == "") {
		set, other := "valid_from", "test_from"
		if c.ValidFrom == "" {
			set, other = other, set
		}
		return badKey(set, "is set, but %s is not; expected both boundaries", other)
	}
	for _, b := range c.boundaries() {
		if b.column == "" {
			continue
		}
		if _, err := parseInstant([]byte(b.column)); err != nil {
			return badKey(b.key, "= %q %v", b.column, err)
		}
	}
	return nil
}

func (c *Config) boundaries() []column {
	return []column{{"valid_from", c.ValidFrom}, {"test_from", c.TestFrom}}
}

// defaultShare is the default of ValidShare and TestShare.
const defaultShare = 0.1

// ratioCounts divides n interactions as RecBole does: the shares for validation and
// testing are rounded down, but a share of less than one interaction is one, testing
// first, as long as more than one is left for training.
func ratioCounts(n int, validShare, testShare float64) counts {
	const below = 1e-9 // 0.29 * 100 is 28.999…
	share := func(of float64) int { return int(math.Floor(of*float64(n) + below)) }
	c := counts{valid: share(validShare), test: share(testShare)}
	c.train = n - c.valid - c.test
	for _, part := range []*int{&c.test, &c.valid} {
		if *part == 0 && c.train > 1 {
			*part, c.train = 1, c.train-1
		}
	}
	return c
}

// boundary is the first time, in the unit of d.Times, that is not before the one that a key
// says.
func (d *Dataset) boundary(key, text string) (int64, error) {
	fail := func(format string, args ...any) (int64, error) {
		return 0, badKey(key, "= %q: %s", text, fmt.Sprintf(format, args...))
	}
	at, err := parseInstant([]byte(text))
	if err != nil {
		return fail("%v", err)
	}
	numbers := d.timeKind == "" || d.timeKind == numberTime
	unit := int64(1) // of the file in a second
	switch {
	case !numbers && at.kind == numberTime:
		return fail("the times of the file are dates; expected a date")
	case d.timeKind == localTime && at.kind == zonedTime:
		return fail("the times of the file have no zone; expected a date without a zone")
	case numbers && at.kind != numberTime:
		if unit = d.perSecond(); unit == 0 {
			return fail("the times of the file are numbers, but not Unix times; expected a number of the same unit")
		}
	}
	v, ok := scaled(at.value, d.TimeDigits)
	if !ok || v > math.MaxInt64/unit || v < -math.MaxInt64/unit {
		return fail("%v", errTooLarge)
	}
	v *= unit
	p := pow10[at.digits]
	whole := v / p
	if v%p > 0 { // finer than the times of the file: the next one
		whole++
	}
	return whole, nil
}

// perSecond is how many units of the file's times a second has, by the size of the largest
// time; 0: they are no Unix times.
func (d *Dataset) perSecond() int64 {
	largest := int64(math.MinInt64)
	for _, times := range d.Times {
		for _, t := range times {
			largest = max(largest, t)
		}
	}
	n := len(fmt.Sprint(largest / pow10[d.TimeDigits]))
	unit := int64(1)
	for _, u := range unixUnits {
		if largest > 0 && n >= u.from && n <= u.to {
			return unit
		}
		unit *= 1000
	}
	return 0
}
