package analysis

import (
	"slices"

	"famebench/datasets"
	"famebench/internal/rank"
	"famebench/models"
)

// lists are the recommendations of the heads and the model.
type lists struct {
	items [][][]int32 // [case compared][head]; the model's own list comes last
	users []int32     // of each case compared
	hits  []int       // of all users, those whose target is in the list, in the same order
}

// add scores the items for the users of f, and keeps the lists of the users who
// are compared.
func (l *lists) add(m *models.FAME, f models.Facets, users []datasets.Case, compared []bool, numItems int) {
	table := m.Items().Rows
	alone := m.HeadScores(f.Heads).HostFloats()             // [B, H, V+1]
	folded := f.User.MatMul(table.Transpose()).HostFloats() // [B, V+1]
	H, width := len(l.hits)-1, len(folded)/len(users)
	for i, user := range users {
		var items [][]int32
		for h := range H + 1 {
			scores := folded[i*width:]
			if h < H {
				scores = alone[(i*H+h)*width:]
			}
			scores = scores[:numItems+1]
			if hit(scores, user, listLen) {
				l.hits[h]++
			}
			if compared[i] {
				items = append(items, rank.Top(scores, user.History, listLen))
			}
		}
		if compared[i] {
			l.items, l.users = append(l.items, items), append(l.users, user.User)
		}
	}
}

func (l *lists) finish(a *Analysis) {
	H, n := len(a.Heads), float64(a.Users)
	a.ListUsers, a.ListLen = len(l.items), listLen
	shared := overlap(l.items, H+1)
	for h := range H {
		a.Overlap = append(a.Overlap, shared[h][:H])
		a.Heads[h].Alone = &Alone{ModelOverlap: shared[h][H], HitRate: float64(l.hits[h]) / n}
	}
	a.HitRate = float64(l.hits[H]) / n
}

// hit tells whether the user's target is among the k best, as rank.Evaluate counts with
// seen items removed: it comes behind all others that do not score below it, and is never
// seen itself.
func hit(scores []float32, user datasets.Case, k int) bool {
	others := rank.Top(scores, append(slices.Clone(user.History), user.Target), k)
	return len(others) < k || scores[others[k-1]] < scores[user.Target]
}

// overlap returns the mean Jaccard index of each pair of a user's n lists.
func overlap(lists [][][]int32, n int) [][]float64 {
	out := make([][]float64, n)
	for i := range out {
		out[i] = make([]float64, n)
		for j := range out[i] {
			for _, user := range lists {
				out[i][j] += jaccard(user[i], user[j])
			}
			out[i][j] /= float64(len(lists))
		}
	}
	return out
}

// jaccard returns the share of two lists' items that are in both, 1 for empty
// ones.
func jaccard(a, b []int32) float64 {
	both := 0
	for _, v := range a {
		if slices.Contains(b, v) {
			both++
		}
	}
	if len(a)+len(b) == 0 {
		return 1
	}
	return float64(both) / float64(len(a)+len(b)-both)
}
