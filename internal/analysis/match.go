package analysis

import "math"

// bestMatch matches rows with columns one to one, so that the sum of the values of the
// pairs is the highest, and returns the column of each row. With more rows than columns,
// some rows have none, -1; with more columns, some columns have no row.
//
// This is the Hungarian algorithm in its form with shortest paths, O(n³) for n rows and
// columns: rows are added one at a time, each by the cheapest chain of changes.
func bestMatch(values [][]float64) []int {
	rows, columns := len(values), len(values[0])
	n := max(rows, columns) // those that are added have the value 0
	cost := func(row, column int) float64 {
		if row >= rows || column >= columns {
			return 0
		}
		return -values[row][column]
	}
	// Rows and columns count from 1. Row and column 0 begin each chain.
	byRow, byColumn := make([]float64, n+1), make([]float64, n+1) // what is subtracted from their costs
	owner := make([]int, n+1)                                     // row of each column
	for row := 1; row <= n; row++ {
		owner[0] = row
		nearest, from, done := make([]float64, n+1), make([]int, n+1), make([]bool, n+1)
		for c := range nearest {
			nearest[c] = math.Inf(1)
		}
		at := 0 // the column that the chain has reached
		for owner[at] != 0 {
			done[at] = true
			next, least := 0, math.Inf(1)
			for c := 1; c <= n; c++ {
				if done[c] {
					continue
				}
				if d := cost(owner[at]-1, c-1) - byRow[owner[at]] - byColumn[c]; d < nearest[c] {
					nearest[c], from[c] = d, at
				}
				if nearest[c] < least {
					next, least = c, nearest[c]
				}
			}
			for c := range done {
				if done[c] {
					byRow[owner[c]] += least
					byColumn[c] -= least
				} else {
					nearest[c] -= least
				}
			}
			at = next
		}
		for at != 0 {
			owner[at] = owner[from[at]]
			at = from[at]
		}
	}
	match := make([]int, rows)
	for c := 1; c <= n; c++ {
		if row := owner[c] - 1; row < rows {
			match[row] = c - 1
			if c > columns {
				match[row] = -1
			}
		}
	}
	return match
}
