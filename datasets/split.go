package datasets

import (
	"fmt"
	"slices"
)

// Case is one ranking query: predict Target from History, all earlier items
// of the user, uncut.
type Case struct {
	User    int32
	History []int32
	Target  int32
}

// Split is what training and ranking see. Its slices alias Dataset.Seqs, but for
// those that cold items were taken out of.
type Split struct {
	Data  *Dataset
	Kind  string    // LeaveOneOut or TimeSplit
	Train [][]int32 // by user index; may hold 0 or 1 items
	Valid []Case    // by ascending user, at most one a user
	Test  []Case    // the same; histories include the validation item

	// ValidFrom and TestFrom are the boundaries of a time split, in the unit of Data.Times:
	// the period from ValidFrom up to but without TestFrom validates, what is
	// later tests. Zero for leave-one-out.
	ValidFrom, TestFrom int64
}

// NewSplit divides a data set; kind "" means d.Config.Split.
//
// "leave-one-out": the last item of a user tests, the one before it
// validates, the rest trains. A user with fewer than 3 interactions is in
// training only, with all of them (Stats.ShortUsers counts these).
//
// "time": one timeline for all users. The boundaries are the times of the
// interactions at 80 % and 90 % in the order of time, so at most 80 % lie before
// the first, fewer where others have its very time; what is before it trains. A user's case is the first interaction in the validation
// or test period, with everything before it as its history; a user without
// history has none. Nothing that a model is trained on is later than what it
// is asked for.
//
// Config.ColdItems then takes a share of the items out of training, to measure what
// a model does about items that it was never trained on. It is as if they came after
// validation: training sequences and validation histories close up over them, and
// validation cases that ask for one, or are left without history, are dropped, so
// that early stopping knows nothing of them either. Test cases stay as they are: all
// of them, with such items as targets and in histories, where the seen-item rule
// needs them. They are candidates of every ranking.
func NewSplit(d *Dataset, kind string) (*Split, error) {
	if kind == "" {
		kind = d.Config.Split
	}
	s := &Split{Data: d, Kind: kind, Train: make([][]int32, len(d.Seqs))}
	switch kind {
	case LeaveOneOut, "":
		s.Kind = LeaveOneOut
		s.leaveOneOut()
	case TimeSplit:
		if d.Times == nil {
			return nil, fmt.Errorf("datasets: %s: split %q needs times, which the source has not; use %q", d.Name, TimeSplit, LeaveOneOut)
		}
		s.byTime()
	default:
		return nil, fmt.Errorf("datasets: %s: unknown split %q; expected %q or %q", d.Name, kind, LeaveOneOut, TimeSplit)
	}
	if cold := d.ColdItems(); cold != nil {
		s.takeOut(cold)
	}
	if len(s.Test) == 0 || len(s.Valid) == 0 {
		if why := s.coarse(); why != "" {
			return nil, fmt.Errorf("datasets: %s: %s; use finer times or split = %q", d.Name, why, LeaveOneOut)
		}
		return nil, fmt.Errorf("datasets: %s: the %s split has %d validation and %d test cases; it needs some of both: use more data or fewer filters", d.Name, s.Kind, len(s.Valid), len(s.Test))
	}
	return s, nil
}

func (s *Split) leaveOneOut() {
	for u, seq := range s.Data.Seqs {
		n := len(seq)
		if n < minSplit {
			s.Train[u] = seq
			continue
		}
		s.Train[u] = seq[: n-2 : n-2]
		s.addCase(&s.Valid, u, n-2)
		s.addCase(&s.Test, u, n-1)
	}
}

// minSplit is the least number of interactions that leave-one-out divides.
const minSplit = 3

func (s *Split) byTime() {
	var all []int64
	for _, times := range s.Data.Times {
		all = append(all, times...)
	}
	slices.Sort(all)
	s.ValidFrom, s.TestFrom = all[len(all)*8/10], all[len(all)*9/10]
	for u, times := range s.Data.Times {
		valid, _ := slices.BinarySearch(times, s.ValidFrom)
		test, _ := slices.BinarySearch(times, s.TestFrom)
		s.Train[u] = s.Data.Seqs[u][:valid:valid]
		if valid > 0 && valid < test {
			s.addCase(&s.Valid, u, valid)
		}
		if test > 0 && test < len(times) {
			s.addCase(&s.Test, u, test)
		}
	}
}

// coarse says why a time split has no cases, if times that are equal too often
// are the reason; else "".
func (s *Split) coarse() string {
	if s.Kind != TimeSplit {
		return ""
	}
	at := func(boundary int64) (share float64, first bool) {
		equal, total := 0, 0
		first = true
		for _, times := range s.Data.Times {
			total += len(times)
			for _, t := range times {
				if t == boundary {
					equal++
				}
				first = first && t >= boundary
			}
		}
		return 100 * float64(equal) / float64(total), first
	}
	share, first := at(s.ValidFrom)
	switch {
	case s.ValidFrom == s.TestFrom:
		return fmt.Sprintf("both boundaries of the time split fall on %s, since %.0f %% of the interactions have this time: times are too coarse", s.Data.TimeText(s.ValidFrom), share)
	case first:
		return fmt.Sprintf("nothing is before the first boundary of the time split, %s, since %.0f %% of the interactions have this time: times are too coarse", s.Data.TimeText(s.ValidFrom), share)
	}
	return ""
}

// takeOut removes items from training and validation.
func (s *Split) takeOut(items []int32) {
	cold := make([]bool, s.Data.NumItems+1)
	for _, v := range items {
		cold[v] = true
	}
	isCold := func(v int32) bool { return cold[v] }
	warm := func(seq []int32) []int32 {
		if !slices.ContainsFunc(seq, isCold) {
			return seq
		}
		return slices.DeleteFunc(slices.Clone(seq), isCold)
	}
	for u, seq := range s.Train {
		s.Train[u] = warm(seq)
	}
	var valid []Case
	for _, c := range s.Valid {
		c.History = warm(c.History)
		if !cold[c.Target] && len(c.History) > 0 {
			valid = append(valid, c)
		}
	}
	s.Valid = valid
}

func (s *Split) addCase(cases *[]Case, u, pos int) {
	seq := s.Data.Seqs[u]
	*cases = append(*cases, Case{User: int32(u), History: seq[:pos:pos], Target: seq[pos]})
}

// TrainingCounts returns how often each item stands in training, by item id.
func (s *Split) TrainingCounts() []int {
	counts := make([]int, s.Data.NumItems+1)
	for _, seq := range s.Train {
		for _, v := range seq {
			counts[v]++
		}
	}
	return counts
}

// Cold returns the numbers of validation and test cases whose target is in no
// training sequence.
func (s *Split) Cold() (valid, test int) {
	counts := s.TrainingCounts()
	count := func(cases []Case) (n int) {
		for _, c := range cases {
			if counts[c.Target] == 0 {
				n++
			}
		}
		return n
	}
	return count(s.Valid), count(s.Test)
}
