package datasets

import (
	"fmt"
	"math"
	"strings"
	"testing"
)

func caseString(cases []Case) string {
	var s []string
	for _, c := range cases {
		s = append(s, fmt.Sprintf("%d:%v→%d", c.User, c.History, c.Target))
	}
	return strings.Join(s, " ")
}

func TestLeaveOneOut(t *testing.T) {
	d := &Dataset{Name: "test", Seqs: [][]int32{{1, 2, 3, 4}, {1, 2}, {3, 1, 2}, {4}}, NumItems: 4}
	s, err := NewSplit(d, "")
	if err != nil {
		t.Fatal(err)
	}
	// Users 1 and 3 have too few interactions, so all of these are for
	// training.
	if got := fmt.Sprint(s.Kind, s.Train); got != "leave-one-out[[1 2] [1 2] [3] [4]]" {
		t.Error(got)
	}
	if got := caseString(s.Valid); got != "0:[1 2]→3 2:[3]→1" {
		t.Error("valid", got)
	}
	if got := caseString(s.Test); got != "0:[1 2 3]→4 2:[3 1]→2" {
		t.Error("test", got)
	}
	if v, te := s.Cold(); v != 0 || te != 0 {
		t.Error("cold", v, te)
	}
	// Appending to a part must not overwrite the data after it.
	_ = append(s.Train[0], 99)
	_ = append(s.Test[0].History, 99)
	if d.Seqs[0][2] != 3 || d.Seqs[0][3] != 4 {
		t.Error("a slice reaches into the next part")
	}
}

// Of 10 interactions, the 9th and the 10th are the boundaries: the times 8 and
// 10. Interactions at a boundary belong to the later period.
func TestTimeSplit(t *testing.T) {
	d := &Dataset{
		Name: "test", NumItems: 6,
		Seqs:  [][]int32{{1, 2, 3, 4}, {5, 1, 2}, {6}, {1, 2}},
		Times: [][]int64{{1, 2, 8, 10}, {3, 4, 8}, {8}, {5, 6}},
	}
	s, err := NewSplit(d, TimeSplit)
	if err != nil {
		t.Fatal(err)
	}
	if s.ValidFrom != 8 || s.TestFrom != 10 {
		t.Fatalf("boundaries %d and %d", s.ValidFrom, s.TestFrom)
	}
	if got := fmt.Sprint(s.Train); got != "[[1 2] [5 1] [] [1 2]]" {
		t.Error(got)
	}
	// User 2 has no history, user 3 no late interaction.
	if got := caseString(s.Valid); got != "0:[1 2]→3 1:[5 1]→2" {
		t.Error("valid", got)
	}
	if got := caseString(s.Test); got != "0:[1 2 3]→4" {
		t.Error("test", got)
	}
	if v, te := s.Cold(); v != 1 || te != 1 { // items 3 and 4
		t.Error("cold", v, te)
	}
}

func TestSplitErrors(t *testing.T) {
	untimed := &Dataset{Name: "test", Seqs: [][]int32{{1, 2, 3}}, NumItems: 3}
	short := &Dataset{Name: "test", Seqs: [][]int32{{1, 2}}, NumItems: 2}
	for _, tc := range []struct {
		d          *Dataset
		kind, want string
	}{
		{untimed, TimeSplit, "needs times"},
		{untimed, "random", `unknown split "random"; expected "leave-one-out", "ratio", "time" or "given"`},
		{short, LeaveOneOut, "0 validation and 0 test cases"},
	} {
		if _, err := NewSplit(tc.d, tc.kind); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v", tc.kind, err)
		}
	}
}

// All numbers were computed by hand. Users 0 and 2 have tied test items; user
// 1's tie is earlier; user 3 is too short to have a test item.
func TestStats(t *testing.T) {
	d := &Dataset{
		Name: "test", NumItems: 5, Config: Config{Ties: "file"},
		Seqs:  [][]int32{{1, 2, 3, 2}, {4, 5, 1}, {1, 2, 3, 4, 5}, {5, 5}},
		Times: [][]int64{{10, 20, 40, 40}, {5, 5, 50}, {60, 70, 80, 80, 80}, {55, 55}},
	}
	st := d.Stats()
	if st.Users != 4 || st.Items != 5 || st.Interactions != 14 || st.MaxLength != 5 || st.ShortUsers != 1 || st.Repeats != 2 {
		t.Errorf("%+v", st)
	}
	// Lengths 2 3 4 5.
	if st.AvgLength != 3.5 || st.MedianLength != 3.5 || st.Density != 0.7 {
		t.Errorf("average %v, median %v, density %v", st.AvgLength, st.MedianLength, st.Density)
	}
	// Tied: 2 of user 0, 2 of user 1, 3 of user 2, 2 of user 3.
	if !st.Timed || st.Ties != "file" || st.Tied != 9 || st.TiedTestUsers != 2 || math.Abs(st.TiedShare-9.0/14) > 1e-15 {
		t.Errorf("ties %+v", st)
	}
	// Test times 40 50 80, median 50. Training: 10 20 | 5 | 60 70 80 | 55 55:
	// five of eight are later than 50.
	if st.Leak != 5.0/8 {
		t.Errorf("leak %v", st.Leak)
	}
	d.Times = nil
	if st = d.Stats(); st.Timed || st.Tied != 0 || st.Leak != 0 || st.Interactions != 14 {
		t.Errorf("without times %+v", st)
	}
	if st = (&Dataset{}).Stats(); st.Interactions != 0 || st.AvgLength != 0 {
		t.Errorf("empty %+v", st)
	}
}
