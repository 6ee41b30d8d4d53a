package aggregate

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"

	"famebench/datasets"
	"famebench/internal/record"
	"famebench/internal/stats"
)

// Complexity shows how much more a model gains from a higher value of an axis, such as more
// experts, for users with varied histories than for others.
type Complexity struct {
	Facet     string     `json:"facet"`             // of the labels
	Without   int        `json:"without,omitempty"` // users without a labelled item in their history, who are in no group
	Divisions []Division `json:"divisions"`
}

// Division is a way to divide the users into thirds by the entropy of the labels in their histories,
// and what rows gain in each third.
type Division struct {
	// EqualLength: by the place of a user among those whose histories have as many items, so that the
	// thirds hardly differ in length.
	EqualLength bool        `json:"equal_length,omitempty"`
	Groups      []UserGroup `json:"groups"`
	// Lengths are the mean number of items before the target in each group, 0 without users; nil if
	// the lengths are not stored.
	Lengths []float64       `json:"lengths,omitempty"`
	Rows    []ComplexityRow `json:"rows"`
}

// ComplexityRow compares a row with the one of its model at the lowest value of the axis, on the
// seeds that both have on one device.
type ComplexityRow struct {
	Model   string     `json:"model"`
	Label   string     `json:"label"` // as Row.Label
	Than    string     `json:"than"`  // label of the row that it is compared with
	Seeds   int        `json:"seeds"` // that both have; 0: no gains
	Removed GroupGains `json:"removed"`
	Kept    GroupGains `json:"kept"`
}

// Under returns the row's gains under a seen-item rule.
func (r *ComplexityRow) Under(rule string) *GroupGains {
	if rule == "kept" {
		return &r.Kept
	}
	return &r.Removed
}

// GroupGains are differences in NDCG@10.
type GroupGains struct {
	// Groups are as Division.Groups; nil for fewer than two users, and for all if it is unknown
	// which test cases are of one user.
	Groups []*GroupGain `json:"groups"`
	// Trend is the difference in the last group minus that in the first one.
	Trend SeedMean `json:"trend"`
}

// GroupGain is the difference in a group of users.
type GroupGain struct {
	Than       float64 `json:"than"` // of the other row
	Difference float64 `json:"difference"`
	Low        float64 `json:"low"` // 95 % bootstrap interval over users and seeds, users paired
	High       float64 `json:"high"`
}

// complexity compares the rows of each model with its row at the lowest value of an axis, on
// thirds of the test cases by the entropy of their users' histories. It is nil where the entropies of the
// data are not stored. cases may be nil.
func (in Input) complexity(t Table, groups []*group, cases *record.Cases) (*Complexity, error) {
	first := groups[0].records[0].Result
	e, err := in.Store.ReadEntropy(first.Spec.Dataset, t.Protocol, first.Users)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	c := &Complexity{Facet: e.Facet}
	for _, v := range e.Millibits {
		if v < 0 {
			c.Without++
		}
	}
	if c.Without == len(e.Millibits) {
		return c, nil
	}
	var lengths []int32
	if cases != nil {
		lengths = cases.History
	}
	divide := func(equal bool, labels []string, members [][]int) error {
		d := newDivision(labels, members, lengths)
		d.EqualLength = equal
		if len(in.Axes) > 0 { // otherwise no chosen model has it
			for _, own := range byModel(groups) {
				if err := d.compare(own, in.Axes[0], members); err != nil {
					return err
				}
			}
		}
		c.Divisions = append(c.Divisions, d)
		return nil
	}
	labels, members := thirds(e.Millibits)
	err = divide(false, labels, members)
	// With other splits, a history may be much longer than the training history that the entropy is of.
	if err != nil || lengths == nil || t.Protocol != datasets.LeaveOneOut {
		return c, err
	}
	return c, divide(true, []string{"lowest third", "middle third", "highest third"}, thirdsOfEqualLength(e.Millibits, lengths))
}

func newDivision(labels []string, members [][]int, lengths []int32) (d Division) {
	for k, cases := range members {
		d.Groups = append(d.Groups, UserGroup{labels[k], len(cases)})
		if lengths == nil {
			continue
		}
		sum := 0.
		for _, i := range cases {
			sum += float64(lengths[i])
		}
		d.Lengths = append(d.Lengths, sum/float64(max(len(cases), 1)))
	}
	return d
}

// noEntropy says why the table of a record does not group users by entropy.
func (in Input) noEntropy(r *record.Record) string {
	spec := r.Result.Spec
	return fmt.Sprintf("%s: its users were not grouped by entropy, since datasets/%s is missing; a report where the data is writes it",
		spec.Dataset.Name, filepath.Base(in.Store.EntropyPath(spec.Dataset, spec.Protocol)))
}

// byModel gives the rows of each model, in the order of the table.
func byModel(groups []*group) (out [][]*group) {
	place := map[string]int{}
	for _, g := range groups {
		i, ok := place[g.Model]
		if !ok {
			i = len(out)
			place[g.Model], out = i, append(out, nil)
		}
		out[i] = append(out[i], g)
	}
	return out
}

// lowest is the row at the lowest number on an axis, on a device if there is one; nil if no row has
// a number.
func lowest(rows []*group, axis, device string) (low *group) {
	var least float64
	for _, g := range rows {
		v, ok := g.At[axis].(float64)
		if !ok {
			continue
		}
		if low == nil || v < least || v == least && low.device() != device && g.device() == device {
			low, least = g, v
		}
	}
	return low
}

// thirds gives three groups of cases and what they have in common. The bounds are the entropies at
// one and two thirds of the cases in their order: the labels of data sets differ in number, so
// fixed bounds would leave groups empty. Cases with equal entropies are in one group. Those without
// an entropy are in none; at least one has it.
func thirds(millibits []int32) (labels []string, out [][]int) {
	sorted := slices.DeleteFunc(slices.Clone(millibits), func(v int32) bool { return v < 0 })
	slices.Sort(sorted)
	n := len(sorted)
	low, high := sorted[(n+2)/3-1], sorted[(2*n+2)/3-1]
	out = make([][]int, 3)
	for i, v := range millibits {
		switch {
		case v < 0:
		case v <= low:
			out[0] = append(out[0], i)
		case v <= high:
			out[1] = append(out[1], i)
		default:
			out[2] = append(out[2], i)
		}
	}
	bits := func(v int32) string { return strconv.FormatFloat(float64(v)/1000, 'f', 3, 64) + " bits" }
	return []string{"up to " + bits(low), "up to " + bits(high), "> " + bits(high)}, out
}

// thirdsOfEqualLength gives three groups of cases by the place of a user's entropy among those of
// the users whose histories are as long: the share of them that is below it, where those that equal
// it count half. So short histories, which have few possible entropies, are in all groups or in the
// middle one, where the only user with a length is, too.
func thirdsOfEqualLength(millibits, lengths []int32) [][]int {
	of := map[int32][]int32{}
	for i, v := range millibits {
		if v >= 0 {
			of[lengths[i]] = append(of[lengths[i]], v)
		}
	}
	for _, values := range of {
		slices.Sort(values)
	}
	out := make([][]int, 3)
	for i, v := range millibits {
		if v < 0 {
			continue
		}
		values := of[lengths[i]]
		below, _ := slices.BinarySearch(values, v)
		upTo, _ := slices.BinarySearch(values, v+1)
		k := 3 * (below + upTo) / (2 * len(values)) // 2: the mean of the two
		out[k] = append(out[k], i)
	}
	return out
}

// compare adds the rows of a model but for those at the lowest number on the axis, with which the
// others on their device are compared.
func (d *Division) compare(rows []*group, axis string, members [][]int) error {
	for _, g := range rows {
		than := lowest(rows, axis, g.device())
		if than == nil || g.At[axis] == than.At[axis] {
			continue
		}
		pairs := paired(g, than)
		row := ComplexityRow{Model: g.Model, Label: g.Label, Than: than.Label, Seeds: len(pairs)}
		for _, rule := range SeenItemRules {
			gains, err := groupGains(g, than, rule, pairs, members)
			if err != nil {
				return err
			}
			*row.Under(rule) = gains
		}
		d.Rows = append(d.Rows, row)
	}
	return nil
}

// groupGains compares a row with another one in each group of cases, under a seen-item rule, on
// the runs that both have: otherwise the gains would also be those of a seed that only one has.
func groupGains(g, than *group, rule string, pairs [][2]int, members [][]int) (GroupGains, error) {
	out := GroupGains{Groups: make([]*GroupGain, len(members))}
	if len(pairs) == 0 || than.units.unknown {
		return out, nil
	}
	like := []int{0, 1} // of both rows, the seeds in pairs
	if g.training == than.training {
		like[1] = 0
	}
	gains := make([][]float64, len(members)) // [group][seed]
	for k, cases := range members {
		among := than.units.among(cases)
		values := func(all []int32) []float64 {
			own := make([]int32, len(cases))
			for i, c := range cases {
				own[i] = all[c]
			}
			return among.drawn(Tested, own)
		}
		var row, base [][]float64 // [seed][user]
		for i, p := range pairs {
			row, base = append(row, values(g.ranks(rule)[p[0]])), append(base, values(than.ranks(rule)[p[1]]))
			gains[k] = append(gains[k], mean(row[i])-mean(base[i]))
		}
		if len(base[0]) < 2 { // no interval
			continue
		}
		intervals, err := stats.Bootstrap([][][]float64{base, row}, like, 0, groupDraws, drawSeed)
		if err != nil {
			return out, err
		}
		v := intervals[1]
		out.Groups[k] = &GroupGain{mean(overSeeds(base)), v.Mean, v.Lo, v.Hi}
	}
	last := len(members) - 1
	if last < 0 || len(members[0]) == 0 || len(members[last]) == 0 {
		return out, nil
	}
	var trend []float64
	for i := range pairs {
		trend = append(trend, gains[last][i]-gains[0][i])
	}
	out.Trend = newSeedMean(trend)
	return out, nil
}

// paired gives the places of the runs of two rows that share their seed and device.
func paired(a, b *group) (out [][2]int) {
	for i, x := range a.Runs {
		for j, y := range b.Runs {
			if x.Seed == y.Seed && x.Device == y.Device {
				out = append(out, [2]int{i, j})
			}
		}
	}
	return out
}

// newSeedMean is the mean of one value for each seed, with its interval.
func newSeedMean(values []float64) SeedMean {
	m := SeedMean{Seeds: len(values), Mean: mean(values)}
	m.Low, m.High = m.Mean, m.Mean
	if half, ok := stats.HalfWidth(values); ok {
		m.Low, m.High = m.Mean-half, m.Mean+half
	}
	return m
}
