package kernels

// Rows are rows x_k of a row-major matrix of float32 numbers, or of each the
// columns From to To-1. Row k starts at X[(List[k]-First)·Stride] and belongs to
// class Class[k]. Rows that List has beyond Class are looked at next, perhaps.
type Rows struct {
	X             []float32
	Stride, First int
	From, To      int
	List, Class   []int
}

// Row is x_k.
func (r Rows) Row(k int) []float32 {
	at := (r.List[k] - r.First) * r.Stride
	return r.X[at+r.From : at+r.To]
}

// A Summer is a Backend for the host with sums over rows of float32, made in
// float64 on the goroutine that calls. Package phase, which has loops of its own
// for all types of numbers, asks for them where they are offered. What is
// computed of a row does not depend on the rows beside it. Vectors by class are
// whole rows, of which the columns From to To-1 count.
type Summer interface {
	// SumAll is Σ x.
	SumAll(x []float32) float64
	// RowSquares is square[k] = |x_k - mu[j]|², j the class of the row.
	RowSquares(square []float64, r Rows, mu [][]float64)
	// RowDots is that, and dot[k] = (x_k - mu[j])·s[j].
	RowDots(square, dot []float64, r Rows, mu, s [][]float64)
	// AddRows is sum[j] += a[k]·(x_k - mu[j]), row after row, without those
	// whose a is 0.
	AddRows(sum [][]float64, a []float64, r Rows, mu [][]float64)
}
