package conf

import (
	"fmt"
	"strings"
)

// longestName is more than the length of any known name. Distances take time and
// memory in proportion to both lengths.
const longestName = 200

// Hint returns the end of an "unknown name" message: the nearest known name if
// one is close, else the list of known names.
func Hint(name string, known []string) string {
	if len(known) == 0 {
		return "; none is defined here"
	}
	if len(name) > longestName {
		return "; known: " + strings.Join(known, ", ")
	}
	best, distance := "", len(name)/3+2
	for _, k := range known {
		if d := EditDistance(strings.ToLower(name), strings.ToLower(k)); d < distance {
			best, distance = k, d
		}
	}
	if best != "" {
		return fmt.Sprintf("; did you mean %q?", best)
	}
	return "; known: " + strings.Join(known, ", ")
}

// EditDistance counts insertions, deletions, replacements and swaps of
// neighbours (optimal string alignment) between two names.
func EditDistance(a, b string) int {
	x, y := []rune(a), []rune(b)
	d := make([][]int, len(x)+1)
	for i := range d {
		d[i] = make([]int, len(y)+1)
		d[i][0] = i
	}
	for j := range d[0] {
		d[0][j] = j
	}
	for i := 1; i <= len(x); i++ {
		for j := 1; j <= len(y); j++ {
			replace := d[i-1][j-1]
			if x[i-1] != y[j-1] {
				replace++
			}
			d[i][j] = min(d[i-1][j]+1, d[i][j-1]+1, replace)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				d[i][j] = min(d[i][j], d[i-2][j-2]+1)
			}
		}
	}
	return d[len(x)][len(y)]
}
