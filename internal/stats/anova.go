package stats

import "gonum.org/v1/gonum/mathext"

// Effect is a source of variation in an analysis of variance.
type Effect struct {
	SS float64 // sum of squares
	DF int     // degrees of freedom
	F  float64 // mean square over that of the residual; 0 for the residual
	P  float64 // probability of such an F, or a larger one, without the effect; 0 for the residual
}

// TwoWay is the analysis of variance of two crossed factors.
type TwoWay struct{ A, B, Interaction, Residual Effect }

// AnalyseTwoWay splits the variation of values, by level of factor A, level of factor B and
// replicate, into the effects of A, of B, of their interaction, and the residual within
// cells. The p-values hold if values are independent, and normal around their cell's mean
// with the same variance in all cells. It is not ok unless both factors have two levels or
// more, every cell has equally many values, two or more, and the values of some cell differ.
func AnalyseTwoWay(values [][][]float64) (t TwoWay, ok bool) {
	if len(values) < 2 || len(values[0]) < 2 {
		return t, false
	}
	a, b, n := len(values), len(values[0]), len(values[0][0])
	var all []float64
	rows, columns := make([][]float64, a), make([][]float64, b)
	cells := make([][]float64, a) // means
	differ := false
	for i, row := range values {
		if len(row) != b {
			return t, false
		}
		for j, cell := range row {
			if len(cell) != n || n < 2 || finite(cell) != nil {
				return t, false
			}
			all, rows[i], columns[j] = append(all, cell...), append(rows[i], cell...), append(columns[j], cell...)
			mean, _ := MeanSD(cell)
			cells[i] = append(cells[i], mean)
			for _, v := range cell {
				differ = differ || v != cell[0]
				t.Residual.SS += square(v - mean)
			}
		}
	}
	if !differ { // the sum of squares is rounding
		return t, false
	}
	mean, _ := MeanSD(all)
	for i := range rows {
		of, _ := MeanSD(rows[i])
		t.A.SS += float64(b*n) * square(of-mean)
		for j := range columns {
			other, _ := MeanSD(columns[j])
			t.Interaction.SS += float64(n) * square(cells[i][j]-of-other+mean)
		}
	}
	for j := range columns {
		of, _ := MeanSD(columns[j])
		t.B.SS += float64(a*n) * square(of-mean)
	}
	t.A.DF, t.B.DF, t.Interaction.DF, t.Residual.DF = a-1, b-1, (a-1)*(b-1), a*b*(n-1)
	for _, e := range []*Effect{&t.A, &t.B, &t.Interaction} {
		e.F = e.SS / float64(e.DF) / (t.Residual.SS / float64(t.Residual.DF))
		e.P = survivalF(e.F, float64(e.DF), float64(t.Residual.DF))
	}
	return t, true
}

func square(v float64) float64 { return float64(v * v) }

// survivalF is the probability that an F-distributed variable exceeds f. One minus the
// distribution function would lose the digits of a small one.
func survivalF(f, df1, df2 float64) float64 {
	return mathext.RegIncBeta(df2/2, df1/2, df2/(df2+float64(df1*f)))
}
