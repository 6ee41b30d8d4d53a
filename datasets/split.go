package datasets

import (
	"cmp"
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

// Split is what training and ranking see. Its slices alias Dataset.Seqs, except
// those that cold items were taken out of.
type Split struct {
	Data  *Dataset
	Kind  string    // LeaveOneOut, RatioSplit, TimeSplit or GivenSplit
	Train [][]int32 // by user index; may hold 0 or 1 items
	Valid []Case    // by ascending user, then by position in the user's sequence
	Test  []Case    // the same; histories include the validation items

	// ColdValid are the validation cases whose target is one of Config.ColdValidation's items,
	// by ascending user; none without that key. Training never sees them.
	ColdValid []Case

	// ValidFrom and TestFrom are the boundaries of a time split, in the unit of Data.Times:
	// validation cases are in the period from ValidFrom up to, but not including, TestFrom,
	// and test cases from TestFrom on. Zero for other splits.
	ValidFrom, TestFrom int64
}

// NewSplit divides a data set; kind "" means d.Config.Split.
//
// "leave-one-out": the last item of a user is for testing, the one before it
// for validation, and the rest for training. A user with fewer than 3
// interactions is used for training only, with all of them (Stats.ShortUsers
// counts these users).
//
// "ratio": the first interactions of each user are for training, the next ones for
// validation and the last ones for testing, by the shares of the configuration (see
// ratioCounts). Each interaction for validation or testing is a case.
//
// "time": one timeline for all users. The boundaries are those of the configuration, or the
// times of the interactions at 80 % and 90 % in the order of time. Interactions before the
// first boundary are for training: with the default, 80 % of them, or fewer if several have
// the time of the boundary. A user's case is the first interaction in the validation or test
// period, with everything before it as its history; a user without history has none. No
// model is trained on anything later than its targets.
//
// "given": the files or a column of them say which interactions are for training,
// validation and testing. A user's sequence is the training part, then the validation part,
// then the test part. Each interaction for validation or testing is a case, with everything
// before it in the sequence as its history; the first interaction of a sequence is none.
//
// Config.ColdItems then takes a share of the items out of training, to measure how a
// model ranks items that it was never trained on. It is as if they appeared after
// validation: training sequences and validation histories close up over them.
// Validation cases with such a target, or without a remaining history, are dropped,
// so early stopping does not see these items either. All test cases stay as they
// are, with such items as targets and in histories, where the seen-item rule needs
// them. Cold items are candidates of every ranking.
//
// Config.ColdValidation takes out further items in the same way. Validation cases with such a
// target are not dropped, but are ColdValid: rules for untrained items are chosen by them.
// Test cases with such a target are dropped, so that no test result is about the items
// that a rule was chosen by.
func NewSplit(d *Dataset, kind string) (*Split, error) {
	if kind == "" {
		kind = d.Config.Split
	}
	s := &Split{Data: d, Kind: kind, Train: make([][]int32, len(d.Seqs))}
	if d.parts != nil && kind != GivenSplit {
		return nil, fmt.Errorf("datasets: %s: split %q, but the parts of the data are given; use %q", d.Name, kind, GivenSplit)
	}
	if d.parts == nil && kind == GivenSplit {
		return nil, fmt.Errorf("datasets: %s: split %q needs data with given parts: set train, valid and test, or columns.part", d.Name, kind)
	}
	switch kind {
	case LeaveOneOut, "":
		s.Kind = LeaveOneOut
		s.leaveOneOut()
	case RatioSplit:
		s.byRatio()
	case GivenSplit:
		s.asGiven()
	case TimeSplit:
		if d.Times == nil {
			return nil, fmt.Errorf("datasets: %s: split %q needs times, which the data do not have; use %q", d.Name, TimeSplit, LeaveOneOut)
		}
		if err := s.byTime(); err != nil {
			return nil, fmt.Errorf("datasets: %s: %w", d.Name, err)
		}
	default:
		return nil, fmt.Errorf("datasets: %s: unknown split %q; expected %q, %q, %q or %q", d.Name, kind, LeaveOneOut, RatioSplit, TimeSplit, GivenSplit)
	}
	if cold := d.ColdItems(); cold != nil {
		second := d.ColdValidationItems()
		s.takeOut(cold, second)
		if second != nil && len(s.ColdValid) == 0 {
			return nil, fmt.Errorf("datasets: %s: cold_validation = %v leaves no validation case with such an item; raise it, or set another cold_seed", d.Name, d.Config.ColdValidation)
		}
	}
	if len(s.Test) == 0 || len(s.Valid) == 0 {
		if why := s.coarse(); why != "" {
			return nil, fmt.Errorf("datasets: %s: %s; use finer times or split = %q", d.Name, why, LeaveOneOut)
		}
		hint := "use more data or fewer filters"
		if kind == GivenSplit {
			hint = "an interaction for validation or testing is a case if its user has an earlier one, so users have the same ids in all parts"
		}
		return nil, fmt.Errorf("datasets: %s: the %s split has %d validation and %d test cases; expected some of both: %s", d.Name, s.Kind, len(s.Valid), len(s.Test), hint)
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

// minSplit is the minimum number of interactions that leave-one-out divides.
const minSplit = 3

func (s *Split) byRatio() {
	for u, seq := range s.Data.Seqs {
		s.divide(u, s.ratio(len(seq)))
	}
}

// ratio divides n interactions by the shares of the configuration.
func (s *Split) ratio(n int) counts {
	c := s.Data.Config
	return ratioCounts(n, cmp.Or(c.ValidShare, defaultShare), cmp.Or(c.TestShare, defaultShare))
}

func (s *Split) asGiven() {
	for u := range s.Data.Seqs {
		s.divide(u, s.Data.parts[u])
	}
}

// divide divides the sequence of a user, whose parts follow each other and end with it.
func (s *Split) divide(u int, n counts) {
	seq := s.Data.Seqs[u]
	test := len(seq) - n.test
	valid := test - n.valid
	s.Train[u] = seq[valid-n.train : valid : valid]
	for at := max(valid, 1); at < test; at++ {
		s.addCase(&s.Valid, u, at)
	}
	for at := max(test, 1); at < len(seq); at++ {
		s.addCase(&s.Test, u, at)
	}
}

func (s *Split) byTime() error {
	var all []int64
	for _, times := range s.Data.Times {
		all = append(all, times...)
	}
	slices.Sort(all)
	s.ValidFrom, s.TestFrom = all[len(all)*8/10], all[len(all)*9/10]
	if c := s.Data.Config; c.ValidFrom != "" {
		if err := s.ownBoundaries(all[0], all[len(all)-1]); err != nil {
			return err
		}
	}
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
	return nil
}

// ownBoundaries sets the boundaries that the configuration names; first and last are the
// times of the data.
func (s *Split) ownBoundaries(first, last int64) (err error) {
	c := s.Data.Config
	if s.ValidFrom, err = s.Data.boundary("valid_from", c.ValidFrom); err != nil {
		return err
	}
	if s.TestFrom, err = s.Data.boundary("test_from", c.TestFrom); err != nil {
		return err
	}
	if !(first < s.ValidFrom && s.ValidFrom < s.TestFrom && s.TestFrom <= last) {
		return badKey("valid_from", "= %q and test_from = %q are not two times, in this order, within the data, which are from %s to %s",
			c.ValidFrom, c.TestFrom, s.Data.TimeText(first), s.Data.TimeText(last))
	}
	return nil
}

// coarse says why a time split has no cases if the reason is that too many
// times are equal; else it returns "".
func (s *Split) coarse() string {
	if s.Kind != TimeSplit || s.Data.Config.ValidFrom != "" {
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
		return fmt.Sprintf("no interaction is before the first boundary of the time split, %s, since %.0f %% of the interactions have this time: times are too coarse", s.Data.TimeText(s.ValidFrom), share)
	}
	return ""
}

// takeOut removes items from training and validation. The validation cases of the second
// ones are set apart, and their test cases are dropped.
func (s *Split) takeOut(items, second []int32) {
	cold, chooses := make([]bool, s.Data.NumItems+1), make([]bool, s.Data.NumItems+1)
	for _, v := range items {
		cold[v] = true
	}
	for _, v := range second {
		cold[v], chooses[v] = true, true
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
		switch {
		case len(c.History) == 0:
		case chooses[c.Target]:
			s.ColdValid = append(s.ColdValid, c)
		case !cold[c.Target]:
			valid = append(valid, c)
		}
	}
	s.Valid = valid
	if second != nil {
		s.Test = slices.DeleteFunc(s.Test, func(c Case) bool { return chooses[c.Target] })
	}
}

func (s *Split) addCase(cases *[]Case, u, pos int) {
	seq := s.Data.Seqs[u]
	*cases = append(*cases, Case{User: int32(u), History: seq[:pos:pos], Target: seq[pos]})
}

// TrainingCounts returns how often each item occurs in training, by item id.
func (s *Split) TrainingCounts() []int {
	counts := make([]int, s.Data.NumItems+1)
	for _, seq := range s.Train {
		for _, v := range seq {
			counts[v]++
		}
	}
	return counts
}

// Cold returns the numbers of validation and test cases whose target occurs in
// no training sequence.
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
