package phase

import (
	"fmt"
	"math"
	"runtime"
	"sync"
	"sync/atomic"

	"phase/phase/longtail"
	"phase/tensor"
)

// Features is where the feature vectors phi(x_i) of the training images come
// from, row by row, so that they need not fit in memory: a file read in place
// serves as well as a tensor. Rows are asked for several times and must be the
// same each time.
type Features interface {
	Len() int                       // number of rows
	Dim() int                       // length of a row
	Row(i int, dst []float64) error // copies row i to dst; called from several goroutines at once
}

// Rows is the Features of a tensor (n,d) of float32 or float64, which is not
// copied if it is on the host. Another shape or dtype panics.
func Rows(t *tensor.Tensor) Features {
	if t.Dims() != 2 || t.DType() == tensor.I64 {
		panic(tensor.Errorf("features", "%v %v, want (n,d) of f32 or f64", t.DType(), t.Shape()))
	}
	if t.Device() != tensor.CPU {
		t = t.To(tensor.CPU)
	}
	if t.DType() == tensor.F32 {
		return matrix[float32]{t, tensor.Window[float32](t)}
	}
	return matrix[float64]{t, tensor.Window[float64](t)}
}

type matrix[T tensor.Float] struct {
	t    *tensor.Tensor
	data []T
}

func (m matrix[T]) Len() int { return m.t.Dim(0) }
func (m matrix[T]) Dim() int { return m.t.Dim(1) }

func (m matrix[T]) Row(i int, dst []float64) error {
	row, step := i*m.t.Strides()[0], m.t.Strides()[1]
	for j := range dst {
		dst[j] = float64(m.data[row+j*step])
	}
	return nil
}

// largest is the greatest magnitude of a feature: squares of what lies below
// can be added up in float64.
const largest = 1e150

// chunkRows is the most rows whose sum is formed in one go. Sums of a class
// are made chunk by chunk and added in order, which fixes every rounding.
const chunkRows = 4096

// A chunk is some rows of one class.
type chunk struct {
	class int
	rows  []int
}

// A population is the features of all classes around their means: what the
// local weights are made of.
type population struct {
	features Features
	labels   []int
	counts   []int       // N_j
	rows     [][]int     // the rows of each class, ascending
	chunks   []chunk     // the same, cut
	mean     [][]float64 // mu_j
	tol      float64     // a deviation no longer than this is zero
}

// newPopulation reads all features once. A label that is no class, a class
// without rows, and a feature that is NaN, infinite or beyond 1e150 are
// errors.
func newPopulation(op string, f Features, labels []int, classes int) (*population, error) {
	if f.Len() != len(labels) {
		return nil, fmt.Errorf("%s: %d rows of features for %d labels", op, f.Len(), len(labels))
	}
	if f.Dim() < 1 {
		return nil, fmt.Errorf("%s: features of length %d, want at least 1", op, f.Dim())
	}
	counts, err := longtail.LabelCounts(labels, classes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", op, err)
	}
	if err := checkCounts(op, counts); err != nil {
		return nil, err
	}
	p := &population{features: f, labels: labels, counts: counts}
	p.rows = make([][]int, classes)
	for j, n := range counts {
		p.rows[j] = make([]int, 0, n)
	}
	for i, j := range labels {
		p.rows[j] = append(p.rows[j], i)
	}
	for j, rows := range p.rows {
		for len(rows) > 0 {
			n := min(chunkRows, len(rows))
			p.chunks = append(p.chunks, chunk{j, rows[:n]})
			rows = rows[n:]
		}
	}
	longest := make([]float64, len(p.chunks)) // |phi|^2
	p.mean, err = p.sumClasses(func(c int, i int, row []float64) error {
		if err := p.features.Row(i, row); err != nil {
			return err
		}
		square := 0.
		for k, v := range row {
			if !(math.Abs(v) <= largest) {
				return fmt.Errorf("feature %d is %v, want a number between ±%v", k, v, largest)
			}
			square += v * v
		}
		longest[c] = max(longest[c], square)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", op, err)
	}
	for j, mu := range p.mean {
		for k := range mu {
			mu[k] /= float64(counts[j])
		}
	}
	top := 0.
	for _, v := range longest {
		top = max(top, v)
	}
	p.tol = 1e-8 * (1 + math.Sqrt(top))
	return p, nil
}

// sumClasses is, class by class, the sum of the vectors that load puts into
// row for each row i of the class; c is the chunk at work.
func (p *population) sumClasses(load func(c, i int, row []float64) error) ([][]float64, error) {
	d := p.features.Dim()
	part := make([][]float64, len(p.chunks))
	err := parallel(len(p.chunks), func(c int) *rowError {
		sum, row := make([]float64, d), make([]float64, d)
		for _, i := range p.chunks[c].rows {
			if err := load(c, i, row); err != nil {
				return &rowError{i, err}
			}
			for k, v := range row {
				sum[k] += v
			}
		}
		part[c] = sum
		return nil
	})
	if err != nil {
		return nil, err
	}
	sums := make([][]float64, len(p.counts))
	for c, s := range part {
		j := p.chunks[c].class
		if sums[j] == nil {
			sums[j] = s
			continue
		}
		for k, v := range s {
			sums[j][k] += v
		}
	}
	return sums, nil
}

// unit puts u_i = D_i/|D_i|, D_i = phi(x_i) - mu_j, into dst; zeros if row i
// lies at its class's mean.
func (p *population) unit(i int, dst []float64) error {
	if err := p.features.Row(i, dst); err != nil {
		return err
	}
	square := 0.
	for k, v := range p.mean[p.labels[i]] {
		dst[k] -= v
		square += dst[k] * dst[k]
	}
	length := math.Sqrt(square)
	if length <= p.tol {
		clear(dst)
		return nil
	}
	for k := range dst {
		dst[k] /= length
	}
	return nil
}

// rowError is what went wrong with one row.
type rowError struct {
	row int
	err error
}

func (e *rowError) Error() string { return fmt.Sprintf("row %d: %v", e.row, e.err) }
func (e *rowError) Unwrap() error { return e.err }

// parallel calls work(0), ..., work(n-1) on all processors and returns the
// error of the lowest row.
func parallel(n int, work func(i int) *rowError) error {
	var (
		next  atomic.Int64
		group sync.WaitGroup
		lock  sync.Mutex
		first *rowError
	)
	for range min(runtime.GOMAXPROCS(0), n) {
		group.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				if err := work(i); err != nil {
					lock.Lock()
					if first == nil || err.row < first.row {
						first = err
					}
					lock.Unlock()
				}
			}
		})
	}
	group.Wait()
	if first == nil {
		return nil
	}
	return first
}

// dot is Σ_k a_k·b_k in four running sums.
func dot(a, b []float64) float64 {
	var s0, s1, s2, s3 float64
	b = b[:len(a)]
	k := 0
	for ; k+4 <= len(a); k += 4 {
		s0 += a[k] * b[k]
		s1 += a[k+1] * b[k+1]
		s2 += a[k+2] * b[k+2]
		s3 += a[k+3] * b[k+3]
	}
	for ; k < len(a); k++ {
		s0 += a[k] * b[k]
	}
	return (s0 + s1) + (s2 + s3)
}
