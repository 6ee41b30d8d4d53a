package view

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"famebench/internal/aggregate"
)

// none is shown where there is no number.
const none = "–"

// finite tells numbers from what a division by zero leaves; the latter are shown as –.
func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// formatted writes a number in a format of package fmt.
func formatted(format string, v float64) string {
	if !finite(v) {
		return none
	}
	return fmt.Sprintf(format, v)
}

// Share writes a share as the papers do: .0555.
func Share(v float64) string { return strings.TrimPrefix(formatted("%.4f", v), "0") }

// Short writes a share with three decimals: .055.
func Short(v float64) string { return strings.TrimPrefix(formatted("%.3f", v), "0") }

// Difference writes a difference of shares: +.0030.
func Difference(v float64) string { return strings.Replace(formatted("%+.4f", v), "0.", ".", 1) }

// Percent writes a gain in percent: +1.6, -0.8, 0.0.
func Percent(v float64) string {
	if math.Abs(v) < .05 {
		return "0.0"
	}
	return formatted("%+.1f", v)
}

// Gain writes a gain that may not exist: a note of the table says why.
func Gain(gain *float64) string {
	if gain == nil {
		return none
	}
	return Percent(*gain)
}

// Minus sets the minus of a number as print does.
func Minus(number string) string { return strings.Replace(number, "-", "\u2212", 1) }

// Probability writes a p-value.
func Probability(p float64) string {
	if p < .001 {
		return "<.001"
	}
	return Short(p)
}

// Thousands writes 22363 as 22,363.
func Thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// sortable writes a number with at most so many decimals, for machines.
func sortable(v float64, decimals int) string {
	p := math.Pow10(decimals)
	return strconv.FormatFloat(math.Round(v*p)/p, 'f', -1, 64)
}

// Texts are cells of text.
func Texts(all ...string) []Cell {
	var out []Cell
	for _, t := range all {
		out = append(out, Cell{Text: t})
	}
	return out
}

// number is a cell that sorts by v, with so many decimals.
func number(v float64, text string, decimals int) Cell {
	if !finite(v) {
		return Cell{Text: none}
	}
	return Cell{Text: text, Sort: sortable(v, decimals)}
}

// mean is a metric over seeds.
func mean(c aggregate.Cell) Cell {
	if c.N == 0 || !finite(c.Mean) {
		return Cell{Text: none}
	}
	out := number(c.Mean, Share(c.Mean), 6)
	out.Best, out.Second = c.Best, c.Second
	if c.N > 1 {
		out.SD = Share(c.SD)
	}
	return out
}

// fixed is a number with so many decimals.
func fixed(v float64, decimals int) Cell {
	return number(v, strconv.FormatFloat(v, 'f', decimals, 64), decimals)
}

// count is a number without decimals.
func count(v float64) Cell { return number(v, Thousands(int(math.Round(v))), 1) }

// percent is a gain in percent.
func percent(v *float64) Cell {
	if v == nil {
		return Cell{Text: none}
	}
	return number(*v, Percent(*v), 4)
}
