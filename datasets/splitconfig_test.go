package datasets

import (
	"fmt"
	"math"
	"strings"
	"testing"
)

// The counts are those of RecBole's _calcu_split_ids (version 1.2.1), which was run for these numbers.
func TestRatioCounts(t *testing.T) {
	for n, want := range map[int]string{1: "1 0 0", 2: "1 0 1", 3: "1 1 1", 5: "3 1 1", 9: "7 1 1", 10: "8 1 1", 19: "17 1 1", 20: "16 2 2", 105: "85 10 10"} {
		c := ratioCounts(n, .1, .1)
		if got := fmt.Sprint(c.train, " ", c.valid, " ", c.test); got != want {
			t.Errorf("%d interactions: %s, expected %s", n, got, want)
		}
	}
	if c := ratioCounts(100, .29, .01); c.valid != 29 || c.test != 1 { // 0.29·100 is 28.99… in binary
		t.Errorf("%+v", c)
	}
}

func TestRatioSplit(t *testing.T) {
	d := &Dataset{Name: "test", NumItems: 5, Config: Config{Split: RatioSplit, ValidShare: .2, TestShare: .4},
		Seqs: [][]int32{{1, 2, 3, 4, 5}, {5, 4}}, UserIDs: []string{"a", "b"}, Times: [][]int64{{1, 2, 3, 4, 4}, {1, 9}}}
	s, err := NewSplit(d, "")
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(s.Train) + caseString(s.Valid) + "|" + caseString(s.Test); got != "[[1 2] [5]]0:[1 2]→3|0:[1 2 3]→4 0:[1 2 3 4]→5 1:[5]→4" {
		t.Error(got)
	}
	// Both test cases of user a have one time. Test times 4 4 9: no training time is later.
	if st := s.Stats(); st != (SplitStats{Kind: RatioSplit, Fingerprint: s.Fingerprint(), Train: 3, Valid: 1, Test: 3, TestUsers: 2, Tied: 2}) {
		t.Errorf("%+v", st)
	}
	d.Config.TestShare = .2
	if other, err := NewSplit(d, ""); err != nil || other.Fingerprint() == s.Fingerprint() || s.Fingerprint() == "" {
		t.Errorf("other shares, the same fingerprint: %v", err)
	}
}

func TestOwnBoundaries(t *testing.T) {
	log := func(times ...string) string {
		out := "user,item,time\n"
		for i, at := range times {
			out += fmt.Sprintf("u,%c,%s\n", 'a'+i, at)
		}
		return out
	}
	unix := log("1577836800", "1577923200", "1578009600", "1578096000") // 1 to 4 January 2020, midnight
	for _, tc := range []struct{ name, log, valid, test, want string }{
		{"dates for Unix times", unix, "2020-01-03", "2020-01-04", "u:ab | u:ab>c | u:abc>d"},
		{"between two times", unix, "2020-01-02T00:00:00.5Z", "1578096000", "u:ab | u:ab>c | u:abc>d"},
		{"a zone", unix, "2020-01-02T22:30-01:00", "2020-01-04", "u:ab | u:ab>c | u:abc>d"},
		{"milliseconds", strings.ReplaceAll(unix, "00\n", "00000\n"), "2020-01-03", "2020-01-04", "u:ab | u:ab>c | u:abc>d"},
		{"days", log("2020-01-01", "2020-01-02", "2020-01-03", "2020-01-04"), "2020-01-02T12:00", "2020-01-04", "u:ab | u:ab>c | u:abc>d"},
		{"a count", log("1", "2", "3.5", "4"), "3.5", "3.75", "u:ab | u:ab>c | u:abc>d"},
		{"dates for a count", log("1", "2", "3", "4"), "2020-01-03", "2020-01-04", `valid_from = "2020-01-03": the times of the file are numbers, but not Unix times`},
		{"numbers for dates", log("2020-01-01", "2020-01-02"), "3", "4", `valid_from = "3": the times of the file are dates; expected a date`},
		{"a zone for local times", log("2020-01-01T10:00", "2020-01-02T10:00"), "2020-01-02T00Z", "2020-01-03", "the times of the file have no zone"},
		{"outside", unix, "2021-01-03", "2021-01-04", `are not two times, in this order, within the data, which are from 1577836800 (2020-01-01 00:00:00 UTC) to`},
		{"the wrong order", unix, "2020-01-04", "2020-01-03", "are not two times, in this order"},
		{"one boundary", unix, "2020-01-04", "", "valid_from is set, but test_from is not"},
		{"no date", unix, "3rd of May", "2020-01-04", `valid_from = "3rd of May" is neither a number nor an ISO 8601 date`},
		{"too large", unix, "999999999999999999", "9999-01-01", "are not two times, in this order"},
	} {
		c := threeColumns
		c.Split, c.ValidFrom, c.TestFrom = TimeSplit, tc.valid, tc.test
		d, err := Open(c, writeFiles(t, map[string]string{"log.csv": tc.log}))
		if err == nil {
			_, err = NewSplit(d, "")
		}
		if err != nil {
			if !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%s: got  %v\nwant %s", tc.name, err, tc.want)
			}
			oneLine(t, err)
			continue
		}
		if got := splitText(t, d); got != tc.want {
			t.Errorf("%s: got  %s\nwant %s", tc.name, got, tc.want)
		}
	}
	for _, c := range []Config{{ValidShare: .1}, {Split: RatioSplit, ValidShare: -.1}, {Split: RatioSplit, TestShare: math.NaN()}, {Split: RatioSplit, ValidShare: .5, TestShare: .5}} {
		c.Name, c.Format, c.Path, c.Columns = "test", "csv", "x", threeColumns.Columns
		if _, err := c.Resolve(); err == nil || !strings.Contains(err.Error(), "_share") {
			t.Errorf("%+v: %v", c, err)
		}
	}
}
