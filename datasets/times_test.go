package datasets

import (
	"fmt"
	"strings"
	"testing"
)

// Values were computed by hand, those of dates by Python's datetime.timestamp.
func TestParseInstant(t *testing.T) {
	for _, tc := range []struct {
		in     string
		value  int64
		digits int
		kind   timeKind
	}{
		{"881250949", 881250949, 0, numberTime},
		{"881250949.70", 8812509497, 1, numberTime},
		{"-1.5", -15, 1, numberTime},
		{"+7", 7, 0, numberTime},
		{"0", 0, 0, numberTime},
		{"-0.0", 0, 0, numberTime},
		{".5", 5, 1, numberTime},
		{"5.", 5, 0, numberTime},
		{"007", 7, 0, numberTime},
		{"1600000000900", 1600000000900, 0, numberTime},
		{"1600000000900000001", 1600000000900000001, 0, numberTime}, // not a float64
		{"9223372036854775807", 9223372036854775807, 0, numberTime},
		{"1.6e9", 1600000000, 0, numberTime},
		{"1.600000000900000000e+09", 16000000009, 1, numberTime},
		{"1.6E+12", 1600000000000, 0, numberTime},
		{"16e-1", 16, 1, numberTime},
		{"1600000000.123456789", 1600000000123456789, 9, numberTime},
		{"0.000000000000000001", 1, 18, numberTime},
		{"2014-01-30", 1391040000, 0, dayTime},
		{"1969-12-31", -86400, 0, dayTime},
		{"2020-09-13T12:26:40", 1600000000, 0, localTime},
		{"2020-09-13T12", 1599998400, 0, localTime},
		{"2020-09-13 12:26", 1599999960, 0, localTime},
		{"2020-09-13 12:26:40.250", 160000000025, 2, localTime},
		{"2020-09-13T12:26:40,25", 160000000025, 2, localTime},
		{"2020-09-13T12:26:40Z", 1600000000, 0, zonedTime},
		{"2020-09-13 12:26:40 UTC", 1600000000, 0, zonedTime},
		{"2020-09-13 12:26:40.5 UTC", 16000000005, 1, zonedTime},
		{"2020-09-13T14:26:40+02:00", 1600000000, 0, zonedTime},
		{"2020-09-13T14:26:40.000000001+0200", 1600000000000000001, 9, zonedTime},
		{"2020-09-13 07:26:40-05", 1600000000, 0, zonedTime},
		{"2020-09-13T12:26:40 +00:00", 1600000000, 0, zonedTime},
		{"1969-12-31T23:59:59.75Z", -25, 2, zonedTime},
	} {
		got, err := parseInstant([]byte(tc.in))
		if err != nil || got.value != tc.value || got.digits != tc.digits || got.kind != tc.kind {
			t.Errorf("%q: %+v, %v; want %d, %d, %s", tc.in, got, err, tc.value, tc.digits, tc.kind)
		}
	}
	for in, want := range map[string]string{
		"": "neither", ".": "neither", "-": "neither", "NaN": "neither", "inf": "neither", "NaT": "neither", "None": "neither",
		"0x10": "neither", "1_000": "neither", "1.2.3": "neither", "1e": "neither", "1e5x": "neither", "--1": "neither", "1 2": "neither",
		"1600000000,5": "decimal commas", "1,600,000,000": "neither",
		"9223372036854775808": "does not fit", "1e19": "does not fit", "1e-19": "does not fit", "1e99999999999999999999": "does not fit",
		"1600000000.1234567890123": "does not fit",
		"2020-02-30":               "neither", "2020-13-01": "neither", "30/01/2020": "neither", "2020-09-13T25:00:00": "neither",
		"2020-09-13T12:26:40.": "neither", "2020-09-13T12:26:40.5.5": "neither", "2020-09-13T12:26:40 CET": "neither",
		"9999-12-31T00:00:00.123456789": "does not fit",
	} {
		if got, err := parseInstant([]byte(in)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %+v, %v; want %q", in, got, err, want)
		}
	}
}

// The same five events, newest first in the file, in every notation.
func TestTimesKeepTheirDigits(t *testing.T) {
	for _, tc := range []struct{ name, format string }{
		{"fraction", "1600000000.%d"},
		{"milliseconds", "1600000000%d00"},
		{"microseconds", "1600000000%d00000"},
		{"nanoseconds", "1600000000%d00000000"},
		{"below what a float64 holds", "160000000000000000%d"},
		{"scientific", "1.600000000%de9"},
		{"negative", "-0.%d"},
		{"date", "2020-09-1%d"},
		{"date and time", "2020-09-13T12:26:40.%d"},
		{"nanoseconds of a date", "2020-09-13 12:26:40.00000000%d+00:00"},
	} {
		for _, format := range []string{"csv", "recbole", "movielens-20m", "movielens-1m", "movielens-100k", "amazon"} {
			if format == "amazon" && strings.HasPrefix(tc.format, "2020") {
				continue // its times are numbers
			}
			c, name, text := Config{Name: "t", Format: format, Path: "log", Ties: "file"}, "log", ""
			line := map[string]string{"csv": "7,%d,%s\n", "recbole": "7\t%d\t%s\n", "movielens-20m": "7,%d,1,%s\n", "movielens-1m": "7::%d::1::%s\n",
				"movielens-100k": "7\t%d\t1\t%s\n", "amazon": "{\"reviewerID\": \"7\", \"asin\": \"%d\", \"overall\": 1, \"unixReviewTime\": %s}\n"}[format]
			switch format {
			case "csv":
				text, c.Columns = "u,i,t\n", Columns{User: "u", Item: "i", Time: "t"}
			case "recbole":
				text = "user_id:token\titem_id:token\ttimestamp:float\n"
			case "movielens-20m":
				text = "userId,movieId,rating,timestamp\n"
			}
			for _, digit := range []int{9, 7, 5, 3, 1} {
				text += fmt.Sprintf(line, digit, fmt.Sprintf(tc.format, digit))
			}
			want := "7: 1 3 5 7 9"
			if tc.name == "negative" {
				want = "7: 9 7 5 3 1"
			}
			d, err := Open(c, writeFiles(t, map[string]string{name: text}))
			if err != nil {
				t.Errorf("%s, %s: %v", tc.name, format, err)
			} else if got := original(d); got != want || d.Stats().Tied != 0 {
				t.Errorf("%s, %s: %s, %d tied", tc.name, format, got, d.Stats().Tied)
			}
		}
	}
	// Equal in the file, however it is written.
	d, err := openCSV(t, Config{}, "a,x,1,1600000000\na,y,1,1600000000.0\na,z,1,1.6e9\na,w,1,1600000000.5\n")
	if err != nil || d.Stats().Tied != 3 || original(d) != "a: x y z w" {
		t.Errorf("%v", err)
	}
}

// Two kinds or units in a column cannot be ordered.
func TestMixedTimes(t *testing.T) {
	for _, tc := range []struct{ name, log, want string }{
		{"seconds and milliseconds", "a,x,1,1600000000\na,y,1,1600000001\na,z,1,1600000002000\n", "log.csv:3: the time looks like Unix milliseconds, that of line 1 like seconds; expected one unit"},
		{"nanoseconds and seconds", "a,x,1,1600000000000000000\na,y,1,1600000001\n", "log.csv:2: the time looks like Unix seconds, that of line 1 like nanoseconds"},
		{"seconds and milliseconds, one in between", strings.Repeat("a,x,1,1600000000\na,y,1,1600000001000\n", 101) + "a,z,1,99999999999\n", "log.csv:2: the time looks like Unix milliseconds"},
		{"fractions and milliseconds", "a,x,1,1600000000.5\na,z,1,1600000002000\n", "log.csv:2: the time looks like Unix milliseconds"},
		{"number and date", "a,x,1,1600000000\na,y,1,2020-09-13\n", "log.csv:2: the time is a date without a time of day, that of line 1 is a number; expected one kind"},
		{"with and without a zone", "a,x,1,2020-09-13T00:00:00Z\na,y,1,2020-09-13T00:00:00\n", "log.csv:2: the time is a date and time without a zone, that of line 1"},
		{"day and moment", "a,x,1,2020-09-13\na,y,1,2020-09-13T00:00:00\n", "log.csv:2: the time is a date and time without a zone"},
		{"empty", "a,x,1,5\na,y,1,\n", `log.csv:2: time "" is neither`},
		{"more digits than there are", "a,x,1,1600000000000000000\na,y,1,0.5\n", "log.csv:2: the time does not fit into 18 digits together with that of line 1"},
		{"the other way round", "a,y,1,0.5\na,x,1,1600000000000000000\n", "log.csv:2: the time does not fit into 18 digits together with that of line 1"},
	} {
		if _, err := openCSV(t, Config{}, tc.log); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got  %v\nwant %s", tc.name, err, tc.want)
		}
	}
	for name, log := range map[string]string{
		"a count":                  "a,x,1,1\na,y,1,2\na,z,1,1600000000\n",
		"milliseconds from 1972":   "a,x,1,1600000000\na,y,1,60000000000\na,z,1,1600000000000\n",
		"a clock of microseconds":  "a,x,1,500000000\na,y,1,50000000000\na,z,1,500000000000\n",
		"numbers that hold a date": "a,x,1,20200913\na,y,1,20210913\n",
	} {
		if d, err := openCSV(t, Config{}, log); err != nil || len(d.Warnings) > 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTimeWarnings(t *testing.T) {
	for _, tc := range []struct{ log, want string }{
		{"a,x,1,1600000000\na,y,1,0\na,z,1,-1\n", "2 of 3 times are 0 or -1 (the first on line 2)"},
		{strings.Repeat("a,x,1,1600000000\n", 11) + "a,y,1,18519\n", "1 of 12 times have fewer than 9 digits (the first on line 12)"},
		{"a,x,1,2020-09-13\na,y,1,1970-01-01\n", "1 of 2 times are 0 or -1 (the first on line 2)"},
		{"a,x,1,1.6E+12\na,y,1,1.61E+12\n", "2 times are in scientific notation and end in 0 (the first on line 1)"},
		{"a,x,1,1.6e9\na,y,1,1.600000001e9\n", ""},
		{"a,x,1,0\na,y,1,1\na,z,1,-1\n", ""},
	} {
		d, err := openCSV(t, Config{}, tc.log)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(d.Warnings, "\n"); got == "" != (tc.want == "") || !strings.Contains(got, tc.want) {
			t.Errorf("%q: %q, want %q", tc.log, got, tc.want)
		}
	}
}

func TestTimeText(t *testing.T) {
	for _, tc := range []struct {
		digits int
		kind   timeKind
		time   int64
		want   string
	}{
		{0, "", 8, "8"},
		{0, numberTime, 1600473600, "1600473600 (2020-09-19 00:00:00 UTC)"},
		{1, numberTime, 16004736005, "1600473600.5 (2020-09-19 00:00:00 UTC)"},
		{0, numberTime, 1600473600000, "1600473600000 (2020-09-19 00:00:00 UTC)"},
		{0, numberTime, 1600473600000000000, "1600473600000000000 (2020-09-19 00:00:00 UTC)"},
		{2, numberTime, -25, "-0.25"},
		{2, numberTime, -125, "-1.25"},
		{0, dayTime, 1600473600, "2020-09-19"},
		{2, zonedTime, -25, "1969-12-31T23:59:59.75Z"},
		{3, localTime, 1600473600050, "2020-09-19T00:00:00.05"},
	} {
		d := &Dataset{TimeDigits: tc.digits, timeKind: tc.kind}
		if got := d.TimeText(tc.time); got != tc.want {
			t.Errorf("%+v: %s", tc, got)
		}
	}
}

// Both boundaries have the same time: the message says so.
func TestCoarseTimes(t *testing.T) {
	var log strings.Builder
	for i := range 20 {
		day := 10 + i*8/20
		if i >= 16 {
			day = 19
		}
		fmt.Fprintf(&log, "u%d,i%d,1,2020-09-%d\n", i%4, i, day)
	}
	d, err := openCSV(t, Config{}, log.String())
	if err != nil {
		t.Fatal(err)
	}
	_, err = NewSplit(d, TimeSplit)
	if err == nil || !strings.Contains(err.Error(), "both boundaries of the time split fall on 2020-09-19, since 20 % of the interactions have this time: times are too coarse") {
		t.Error(err)
	}
	d.Times = [][]int64{{1, 1, 1, 1, 1, 1, 1, 1, 1, 2}}
	d.Seqs, d.timeKind = [][]int32{{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}}, ""
	_, err = NewSplit(d, TimeSplit)
	if err == nil || !strings.Contains(err.Error(), "no interaction is before the first boundary of the time split, 1, since 90 % of the interactions have this time") {
		t.Error(err)
	}
}
