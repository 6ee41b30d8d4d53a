package datasets

import "slices"

// Stats describes a data set as it is after all filters.
type Stats struct {
	Name         string  `json:"name"`
	Users        int     `json:"users"`
	Items        int     `json:"items"`
	Interactions int     `json:"interactions"`
	Density      float64 `json:"density"`        // interactions / (users × items)
	AvgLength    float64 `json:"avg_length"`     // interactions per user
	MedianLength float64 `json:"median_length"`  // of the users' sequences
	MaxLength    int     `json:"max_length"`     // of the users' sequences
	ShortUsers   int     `json:"short_users"`    // with fewer than 3 interactions: in training only
	Repeats      int     `json:"repeats"`        // interactions with an item that the user interacted with before
	Fingerprint  string  `json:"fingerprint"`    // Dataset.Fingerprint
	Timed        bool    `json:"timed"`          // whether the source has times; without them, the rest is zero
	Ties         string  `json:"ties,omitempty"` // the tie rule

	Tied          int     `json:"tied"`            // interactions whose user has another one at the same time
	TiedShare     float64 `json:"tied_share"`      // of all interactions
	TiedTestUsers int     `json:"tied_test_users"` // users whose last item has the same time as the one before
	// Leak is the share of leave-one-out's training interactions that are later
	// than the median test interaction: for half of the test cases, models
	// learn these from the future.
	Leak float64 `json:"leak"`
	// Split is about the split of the data set if that is not leave-one-out. TiedTestUsers,
	// ShortUsers and Leak are about leave-one-out all the same, and zero if a split is given.
	Split *SplitStats `json:"split,omitempty"`

	Filtered Filtered `json:"filtered"`
}

// Stats computes the statistics. It takes a pass over the data.
func (d *Dataset) Stats() Stats {
	st := Stats{
		Name: d.Name, Users: len(d.Seqs), Items: d.NumItems,
		Fingerprint: d.Fingerprint(), Filtered: d.Filtered,
	}
	lengths := make([]int, 0, len(d.Seqs))
	seenBy := make([]int32, d.NumItems+1) // user + 1
	for u, seq := range d.Seqs {
		lengths = append(lengths, len(seq))
		st.Interactions += len(seq)
		if len(seq) < minSplit && d.parts == nil {
			st.ShortUsers++
		}
		for _, v := range seq {
			if seenBy[v] == int32(u)+1 {
				st.Repeats++
			}
			seenBy[v] = int32(u) + 1
		}
	}
	if st.Interactions == 0 {
		return st
	}
	slices.Sort(lengths)
	n := len(lengths)
	st.MaxLength = lengths[n-1]
	st.MedianLength = float64(lengths[(n-1)/2]+lengths[n/2]) / 2
	st.AvgLength = float64(st.Interactions) / float64(n)
	st.Density = float64(st.Interactions) / float64(st.Users) / float64(st.Items)
	if d.Times != nil {
		st.Timed = true
		st.Ties = d.Config.Ties
		d.tieStats(&st)
		if d.parts == nil {
			st.Leak = d.leak()
		}
	}
	return st
}

func (d *Dataset) tieStats(st *Stats) {
	for _, times := range d.Times {
		n := len(times)
		for i, t := range times {
			if i > 0 && times[i-1] == t || i+1 < n && times[i+1] == t {
				st.Tied++
			}
		}
		if n >= minSplit && d.parts == nil && times[n-1] == times[n-2] {
			st.TiedTestUsers++
		}
	}
	st.TiedShare = float64(st.Tied) / float64(st.Interactions)
}

// leak is the leak of leave-one-out.
func (d *Dataset) leak() float64 {
	var tests []int64
	train := make([][]int64, 0, len(d.Times))
	for _, times := range d.Times {
		n := len(times)
		if n >= minSplit {
			tests = append(tests, times[n-1])
			n -= 2
		}
		train = append(train, times[:n])
	}
	return lateShare(train, tests)
}

// lateShare is the share of the times of training that are later than the (upper) median of
// those of the test cases.
func lateShare(train [][]int64, tests []int64) float64 {
	if len(tests) == 0 {
		return 0
	}
	slices.Sort(tests)
	median := tests[len(tests)/2]
	all, late := 0, 0
	for _, times := range train {
		all += len(times)
		for _, t := range times {
			if t > median {
				late++
			}
		}
	}
	if all == 0 {
		return 0
	}
	return float64(late) / float64(all)
}

// TestCases returns how many test cases are tied and the leak: those of Split, if there is
// one, else of leave-one-out.
func (s Stats) TestCases() (tied int, leak float64) {
	if s.Split != nil {
		return s.Split.Tied, s.Split.Leak
	}
	return s.TiedTestUsers, s.Leak
}

// SplitStats describes the test cases of a split.
type SplitStats struct {
	Kind        string  `json:"kind"`
	Fingerprint string  `json:"fingerprint,omitempty"` // Split.Fingerprint
	Train       int     `json:"train"`                 // interactions
	Valid       int     `json:"valid"`                 // cases
	Test        int     `json:"test"`                  // cases
	TestUsers   int     `json:"test_users"`            // with one or more test cases
	Tied        int     `json:"tied"`                  // test cases whose target has the time of the interaction before or after it, of its part if parts are given
	Leak        float64 `json:"leak"`                  // share of the training interactions that are later than the median test target
}

// Stats computes the statistics of a split. It takes a pass over the data.
func (s *Split) Stats() SplitStats {
	st := SplitStats{Kind: s.Kind, Fingerprint: s.Fingerprint(), Valid: len(s.Valid), Test: len(s.Test)}
	for _, seq := range s.Train {
		st.Train += len(seq)
	}
	users := map[string]bool{}
	var tests []int64
	for _, c := range s.Test {
		users[s.Data.UserIDs[c.User]] = true
		if s.Data.Times == nil {
			continue
		}
		times, at := s.Data.Times[c.User], len(c.History)
		tests = append(tests, times[at])
		first := 0 // that the rule for equal times can exchange with the target
		if s.Kind == GivenSplit {
			first = len(times) - s.Data.parts[c.User].test
		}
		if at > first && times[at-1] == times[at] || at+1 < len(times) && times[at+1] == times[at] {
			st.Tied++
		}
	}
	st.TestUsers = len(users)
	if s.Data.Times != nil {
		st.Leak = lateShare(s.trainTimes(), tests)
	}
	return st
}

// trainTimes are the times of the training interactions, cold items included.
func (s *Split) trainTimes() [][]int64 {
	out := make([][]int64, len(s.Data.Times))
	for u, times := range s.Data.Times {
		from, to := 0, len(times)
		switch s.Kind {
		case LeaveOneOut:
			if to >= minSplit {
				to -= 2
			}
		case RatioSplit:
			to = s.ratio(to).train
		case TimeSplit:
			to, _ = slices.BinarySearch(times, s.ValidFrom)
		case GivenSplit:
			n := s.Data.parts[u]
			to -= n.valid + n.test
			from = to - n.train
		}
		out[u] = times[from:to]
	}
	return out
}
