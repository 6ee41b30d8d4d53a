package analysis

import (
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/stat"

	"famebench/datasets"
	"famebench/internal/facets"
	"famebench/internal/stats"
)

// Truth compares a model of generated data with the preferences that the data were
// generated from. Each head is matched with at most one facet and each facet with at most
// one head, so that the lists of the heads say the most about their facets. There are as
// many pairs as there are heads or facets, whichever is less.
type Truth struct {
	Facets []string `json:"facets"`
	Labels int      `json:"labels"` // of each facet
	// Shuffles is how often something was shuffled for the numbers by chance.
	Shuffles int         `json:"shuffles"`
	Heads    []HeadTruth `json:"heads"`
	// Lists is the mean of HeadTruth.List over the pairs. By chance, heads and facets are
	// matched again in each shuffle, so the choice of the match gives no advantage.
	Lists Comparison `json:"lists"`
	// Specialised is the mean over pairs of how much more the lists of the head say about
	// its facet than is usual for the head and for the facet, in bits: 0 if all heads say the
	// same about every facet, however much that is. By chance: the heads of each user change
	// places, or the items' labels are shuffled, whichever gives more; P is the higher one of
	// both. Absent with one head or one facet.
	Specialised *Comparison `json:"specialised,omitempty"`
	// Gate is absent if there are fewer than two pairs.
	Gate *GateTruth `json:"gate,omitempty"`
	// Router is the mean of HeadTruth.Router over the pairs. Absent with one expert.
	Router *Comparison `json:"router,omitempty"`
}

// HeadTruth is about one head.
type HeadTruth struct {
	Facet string `json:"facet,omitempty"` // that it is matched with; "": none
	// List is the mutual information of a list of this head and the label of an item in it,
	// in bits: how much the label says about whose list it is. By chance: with the items'
	// labels shuffled. It is high if each user gets few labels and different users get
	// different ones. Absent without a facet.
	List *Comparison `json:"list,omitempty"`
	// Excess is the same information beyond chance for every facet, in the order of
	// Truth.Facets.
	Excess []float64 `json:"excess"`
	// Router is the mutual information of the expert with the highest weight and a preferred
	// label of the facet, in bits. By chance: with the users' preferences shuffled. Absent
	// without a facet or with one expert.
	Router *Comparison `json:"router,omitempty"`
}

// GateTruth is the mean over users of Spearman's rank correlation of the gate's weights
// with the user's true importances, over the pairs of heads and facets, each relative to its mean
// over users. Scores of heads have scales of their own, for which the gate makes up: a head may
// have the largest weight for nearly everybody, and the gate follow users all the same. By
// chance: with the users' importances shuffled.
type GateTruth struct {
	Comparison
	HalfWidth float64 `json:"half_width"` // of the 95 % interval of the value, over users
	Users     int     `json:"users"`      // whose weights and importances have an order
	// Known is the same correlation for importances that are estimated, as the reference
	// "labels-known" does, from the labels of those items of the user's history that the model
	// sees: what it could reach.
	Known float64 `json:"labels_known"`
}

// Comparison is a number next to the same number by chance. The estimate of a mutual
// information is never below 0 and is too high with few observations; so is the number by
// chance, which therefore must be subtracted.
type Comparison struct {
	Value   float64 `json:"value"`
	Control float64 `json:"control"` // mean over the shuffles
	SD      float64 `json:"sd"`      // standard deviation over the shuffles
	// P is the share of shuffles that reach the value, itself counted. For one of several
	// heads, a shuffle counts if any head's excess reaches this one's, so the p-values of
	// all heads are corrected for their number.
	P float64 `json:"p"`
	// Constant means that what is compared is the same for every user, as an average or
	// static gate is. So it follows no user, and Value says nothing.
	Constant bool `json:"constant,omitempty"`
}

// Excess is the part of the value that is beyond chance.
func (c Comparison) Excess() float64 { return c.Value - c.Control }

// truthShuffles is the number of shuffles: the least p is 1/200. With many heads and
// facets they take most of the time of an analysis.
const truthShuffles = 199

// observed is what a model does for the validation cases.
type observed struct {
	lists     [][][]int32 // [case compared][head]; the model's own list comes last
	users     []int32     // of each case compared
	gates     [][]float64 // [head][case]
	strongest [][]int     // [head][case] the expert with the highest weight
	experts   int
	maxLen    int // of the items at the end of a history, which the model sees
}

// newTruth compares what a model of generated data does with the truth.
func newTruth(s *datasets.Split, m observed) (*Truth, error) {
	w, err := s.Data.World()
	if err != nil {
		return nil, err
	}
	known, err := facets.NewEstimator(s)
	if err != nil {
		return nil, err
	}
	t := &Truth{Labels: w.Config.Labels, Shuffles: truthShuffles, Heads: make([]HeadTruth, len(m.gates))}
	labels := make([][]int32, w.Config.Facets) // [facet][item]
	for f := range labels {
		t.Facets = append(t.Facets, w.FacetName(f))
		for v := range s.Data.NumItems + 1 {
			label := int32(0) // of padding
			if v > 0 {
				label = w.Labels[v][f]
			}
			labels[f] = append(labels[f], label)
		}
	}
	var users []datasets.Preferences
	var estimates [][]float64
	m.gates, m.strongest = slices.Clone(m.gates), slices.Clone(m.strongest)
	for h := range m.gates {
		m.gates[h], m.strongest[h] = ofLastCases(s.Valid, m.gates[h]), ofLastCases(s.Valid, m.strongest[h])
	}
	for _, c := range ofLastCases(s.Valid, s.Valid) {
		seen := c.History[max(0, len(c.History)-m.maxLen):]
		users, estimates = append(users, w.Users[c.User]), append(estimates, known.Estimate(seen).Importances)
	}
	lists := make([][][]int32, len(t.Heads)) // [head][case]
	for h := range lists {
		for _, user := range m.lists {
			lists[h] = append(lists[h], user[h])
		}
	}
	match, ofShuffled := t.matchLists(lists, labels)
	t.compareHeads(lists, m.users, labels, ofShuffled)
	t.compareGate(m.gates, match, users, estimates)
	if m.experts > 1 {
		t.compareRouter(m, match, users)
	}
	return t, nil
}

// ofLastCases are the values of each user's last case. Several cases of a user are not
// independent of each other: their histories are almost the same, and the preferences are.
func ofLastCases[T any](cases []datasets.Case, values []T) (of []T) {
	for i, v := range values {
		if i+1 == len(cases) || cases[i+1].User != cases[i].User {
			of = append(of, v)
		}
	}
	return of
}

// compareGate correlates the gate with importances. estimates are labels-known's.
func (t *Truth) compareGate(gates [][]float64, match []int, users []datasets.Preferences, estimates [][]float64) {
	var weight, importance, estimate [][]float64 // [pair][user]
	constant := true
	for h, f := range match {
		for _, g := range gates[h] {
			constant = constant && g == gates[h][0]
		}
		if f < 0 {
			continue
		}
		actual, estimated := make([]float64, len(users)), make([]float64, len(users))
		for i := range users {
			actual[i], estimated[i] = users[i].Importances[f], estimates[i][f]
		}
		weight, importance, estimate = append(weight, relative(gates[h])), append(importance, relative(actual)), append(estimate, relative(estimated))
	}
	if len(weight) < 2 {
		return // there is no order
	}
	var weights, truth [][]float64 // ranks, [user][pair]
	var known []float64
	for i := range users {
		w, x := ofUser(weight, i), ofUser(importance, i)
		if rho, ok := stats.Spearman(ofUser(estimate, i), x); ok {
			known = append(known, rho)
		}
		if slices.Min(w) < slices.Max(w) && slices.Min(x) < slices.Max(x) {
			weights, truth = append(weights, stats.Ranks(w)), append(truth, stats.Ranks(x))
		}
	}
	t.Gate = &GateTruth{Comparison: Comparison{P: 1, Constant: constant}, Users: len(weights)}
	if len(known) > 0 {
		t.Gate.Known, _ = stats.MeanSD(known)
	}
	if constant || len(weights) == 0 {
		return
	}
	order, rhos := make([]int, len(truth)), make([]float64, len(truth))
	correlate := func() float64 {
		for u, of := range order {
			rhos[u] = stat.Correlation(weights[u], truth[of], nil)
		}
		mean, _ := stats.MeanSD(rhos)
		return mean
	}
	for u := range order {
		order[u] = u
	}
	value := correlate()
	t.Gate.HalfWidth, _ = stats.HalfWidth(rhos)
	shuffled := make([][]float64, truthShuffles)
	r := rand.New(rand.NewPCG(truthShuffles, 3))
	for i := range shuffled {
		r.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		shuffled[i] = []float64{correlate()}
	}
	t.Gate.Comparison = compare([]float64{value}, shuffled)[0]
}

// relative divides values by their mean. They are not negative; if all are 0, so is what it returns.
func relative(values []float64) []float64 {
	mean, _ := stats.MeanSD(values)
	out := make([]float64, len(values))
	for i, v := range values {
		if mean > 0 {
			out[i] = v / mean
		}
	}
	return out
}

// ofUser gives a user's value of each pair.
func ofUser(values [][]float64, user int) (of []float64) {
	for _, pair := range values {
		of = append(of, pair[user])
	}
	return of
}

// compareRouter measures whether the strongest expert of each head follows the label that
// the user prefers. A user with several preferred labels counts partly for each.
func (t *Truth) compareRouter(m observed, match []int, users []datasets.Preferences) {
	order := make([]int, len(users))
	for u := range order {
		order[u] = u
	}
	informations := func() []float64 { // of the pairs, then their mean
		var out []float64
		for h, f := range match {
			if f >= 0 {
				out = append(out, labelInformation(m.strongest[h], m.experts, order, users, f, t.Labels))
			}
		}
		mean, _ := stats.MeanSD(out)
		return append(out, mean)
	}
	values, pairs := informations(), make([][]float64, truthShuffles)
	means := make([][]float64, truthShuffles)
	r := rand.New(rand.NewPCG(truthShuffles, 4))
	last := len(values) - 1
	for i := range pairs {
		r.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		x := informations()
		pairs[i], means[i] = x[:last], x[last:]
	}
	t.Router = &compare(values[last:], means)[0]
	t.Router.Constant = true
	comparisons := compare(values[:last], pairs)
	for h, f := range match {
		if f < 0 {
			continue
		}
		c := &comparisons[0]
		comparisons = comparisons[1:]
		c.Constant = slices.Min(m.strongest[h]) == slices.Max(m.strongest[h])
		t.Router.Constant = t.Router.Constant && c.Constant
		t.Heads[h].Router = c
	}
}

// labelInformation returns the mutual information of the expert and a preferred label of
// facet f, in bits. experts has the expert of each case, below n; order says whose
// preferences are taken for it.
func labelInformation(experts []int, n int, order []int, users []datasets.Preferences, f, labels int) float64 {
	counts := make([][]float64, n)
	for e := range counts {
		counts[e] = make([]float64, labels)
	}
	for i, e := range experts {
		preferred := users[order[i]].Preferred[f]
		for _, l := range preferred {
			counts[e][l] += 1 / float64(len(preferred))
		}
	}
	info, _ := information(counts)
	return info
}

// compare compares values with those in each shuffle: [shuffle][value]. The p-value of one
// of several counts the shuffles in which any of them has at least its excess.
func compare(values []float64, shuffled [][]float64) []Comparison {
	out := make([]Comparison, len(values))
	highest := slices.Repeat([]float64{math.Inf(-1)}, len(shuffled)) // excess in each shuffle
	for i, v := range values {
		column := make([]float64, len(shuffled))
		for s, row := range shuffled {
			column[s] = row[i]
		}
		out[i].Value = v
		out[i].Control, out[i].SD = stats.MeanSD(column)
		for s, x := range column {
			highest[s] = max(highest[s], x-out[i].Control)
		}
	}
	for i := range out {
		reached := 1
		for _, x := range highest {
			if x >= out[i].Excess()-sameBits {
				reached++
			}
		}
		out[i].P = float64(reached) / float64(len(shuffled)+1)
	}
	return out
}
