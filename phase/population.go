package phase

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"phase/phase/longtail"
)

// A population is the features of all classes around their means: what the
// local weights are made of.
type population struct {
	features Features
	labels   []int
	counts   []int       // N_j
	rows     [][]int     // the rows of each class, ascending
	mean     [][]float64 // mu_j
	tol      float64     // a deviation no longer than this is zero

	newBuffer func(rows, d int) buffer
	held      buffer // a window of rows
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
	p := &population{features: f, labels: labels, counts: counts, newBuffer: bufferOf(f)}
	p.rows = make([][]int, classes)
	for j, n := range counts {
		p.rows[j] = make([]int, 0, n)
	}
	for i, j := range labels {
		p.rows[j] = append(p.rows[j], i)
	}
	squares := make([]float64, len(labels)) // |phi|^2
	p.mean, err = p.sumClasses(nil, func(i int, b buffer, at int) (float64, error) {
		squares[i] = b.square(at, nil)
		if !(squares[i] <= largest*largest) {
			return 1, b.check(at)
		}
		return 1, nil
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", op, err)
	}
	for j, mu := range p.mean {
		for k := range mu {
			mu[k] /= float64(counts[j])
		}
	}
	p.tol = 1e-8 * (1 + math.Sqrt(slices.Max(squares)))
	return p, nil
}

// Total is the sum of all features: the least that a pass over them takes, which
// the weights' time is compared with.
func Total(f Features) (total float64, err error) {
	n, d := f.Len(), f.Dim()
	part := max(partSize/max(d, 1), 1)
	sums := make([]float64, (n+part-1)/part)
	buffers := sync.Pool{New: func() any { return bufferOf(f)(part, d) }}
	err = parallel(len(sums), func(k int) *rowError {
		b := buffers.Get().(buffer)
		defer buffers.Put(b)
		lo := k * part
		rows := min(part, n-lo)
		if err := b.read(f, lo, 0, rows); err != nil {
			return &rowError{lo, lo + rows, err}
		}
		for at := range rows {
			sums[k] += b.sum(at)
		}
		return nil
	})
	for _, s := range sums {
		total += s
	}
	return total, err
}

// window is how many rows are held at a time: a MiB of numbers, or if there are
// many classes four rows of each, so that the sums of the classes, which such a
// window touches once, do not cost more than its rows.
func (p *population) window() int {
	return min(max(4*len(p.counts), 1<<20/p.features.Dim(), 1), len(p.labels))
}

// Numbers in a part of a window, which is read and looked at in one go, and in a
// stripe of the classes' sums, which is added up in one go.
const (
	partSize   = 1 << 16
	stripeSize = 1024
)

// pass reads all features once, window after window, and calls visit for each
// row i, which is row at of b, from several goroutines at once. Where done is
// not nil it is then called with each window, the rows lo to hi-1 in b.
func (p *population) pass(visit func(i int, b buffer, at int) error, done func(lo, hi int, b buffer)) error {
	n, d, w := len(p.labels), p.features.Dim(), p.window()
	if p.held == nil {
		p.held = p.newBuffer(w, d)
	}
	b, part := p.held, max(partSize/d, 1)
	for lo := 0; lo < n; lo += w {
		hi := min(lo+w, n)
		err := parallel((hi-lo+part-1)/part, func(k int) *rowError {
			from := lo + k*part
			to := min(from+part, hi)
			if err := b.read(p.features, from, from-lo, to-from); err != nil {
				return &rowError{from, to, err}
			}
			for i := from; i < to; i++ {
				if err := visit(i, b, i-lo); err != nil {
					return &rowError{i, i + 1, err}
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		if done != nil {
			done(lo, hi, b)
		}
	}
	return nil
}

// sumClasses is, class by class, Σ_i a_i·(phi(x_i) - centre_j) in the order of
// the rows, a_i being what visit returns. A nil centre is zero.
func (p *population) sumClasses(centre [][]float64, visit func(i int, b buffer, at int) (a float64, err error)) ([][]float64, error) {
	d := p.features.Dim()
	sums := make([][]float64, len(p.counts))
	for j := range sums {
		sums[j] = make([]float64, d)
	}
	a, next := make([]float64, p.window()), make([]int, len(sums)) // next: of the rows of each class
	type span struct{ class, from, to int }
	var present []span
	stripes := (d + stripeSize - 1) / stripeSize
	err := p.pass(func(i int, b buffer, at int) (err error) {
		a[at], err = visit(i, b, at)
		return err
	}, func(lo, hi int, b buffer) {
		present = present[:0]
		for j, rows := range p.rows {
			from := next[j]
			for next[j] < len(rows) && rows[next[j]] < hi {
				next[j]++
			}
			if from < next[j] {
				present = append(present, span{j, from, next[j]})
			}
		}
		_ = parallel(len(present)*stripes, func(k int) *rowError { // which cannot fail
			s, from := present[k/stripes], k%stripes*stripeSize
			to := min(from+stripeSize, d)
			var mu []float64
			if centre != nil {
				mu = centre[s.class][from:to]
			}
			for _, i := range p.rows[s.class][s.from:s.to] {
				if a[i-lo] != 0 {
					b.add(sums[s.class][from:to], a[i-lo], i-lo, from, mu)
				}
			}
			return nil
		})
	})
	return sums, err
}

// inverse is 1/|D| of a deviation whose square is given, 0 if that counts as
// zero.
func (p *population) inverse(square float64) float64 {
	if length := math.Sqrt(square); length > p.tol {
		return 1 / length
	}
	return 0
}

// addUnit adds u_i = D_i/|D_i|, D_i = phi(x_i) - mu_j, to sum; nothing if row i
// lies at its class's mean. b has room for a row.
func (p *population) addUnit(sum []float64, i int, b buffer) *rowError {
	if err := b.read(p.features, i, 0, 1); err != nil {
		return &rowError{i, i + 1, err}
	}
	mu := p.mean[p.labels[i]]
	if a := p.inverse(b.square(0, mu)); a != 0 {
		b.add(sum, a, 0, 0, mu)
	}
	return nil
}

// rowError is what went wrong with the rows from first to before end.
type rowError struct {
	first, end int
	err        error
}

func (e *rowError) Error() string {
	if e.end == e.first+1 {
		return fmt.Sprintf("row %d: %v", e.first, e.err)
	}
	return fmt.Sprintf("rows %d to %d: %v", e.first, e.end-1, e.err)
}

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
					if first == nil || err.first < first.first {
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
