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
		if len(seq) < minSplit {
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
		st.Leak = d.leak()
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
		if n >= minSplit && times[n-1] == times[n-2] {
			st.TiedTestUsers++
		}
	}
	st.TiedShare = float64(st.Tied) / float64(st.Interactions)
}

// leak is the share of training interactions later than the (upper) median
// test interaction, under leave-one-out.
func (d *Dataset) leak() float64 {
	var tests []int64
	for _, times := range d.Times {
		if n := len(times); n >= minSplit {
			tests = append(tests, times[n-1])
		}
	}
	if len(tests) == 0 {
		return 0
	}
	slices.Sort(tests)
	median := tests[len(tests)/2]
	train, late := 0, 0
	for _, times := range d.Times {
		n := len(times)
		if n >= minSplit {
			n -= 2
		}
		train += n
		for _, t := range times[:n] {
			if t > median {
				late++
			}
		}
	}
	return float64(late) / float64(train)
}
