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
	order    []int       // the rows as passes take them, window after window
	class    []int       // of the rows in order
	byClass  bool        // the rows of a window are in the order of their classes
	mean     [][]float64 // mu_j
	tol      float64     // a deviation no longer than this is zero

	newBuffer  func(rows, d int) buffer
	held       buffer // the rows first to end-1
	first, end int
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
	if m, ok := f.(interface{ rows() buffer }); ok {
		p.held, p.end = m.rows(), len(labels)
	}
	p.arrange()
	origin, zero, ones := make([]float64, f.Dim()), make([][]float64, classes), make([]float64, len(labels))
	for j := range zero {
		zero[j] = origin
	}
	squares := make([]float64, len(labels)) // |phi|^2, in order
	p.mean, err = p.sumClasses(zero, ones, func(s some, from, to int) *rowError {
		p.held.squares(squares[from:to], s, zero)
		for k := from; k < to; k++ {
			if ones[k] = 1; !(squares[k] <= largest*largest) {
				if err := p.held.check(p.order[k] - p.first); err != nil {
					return &rowError{p.order[k], p.order[k] + 1, err}
				}
			}
		}
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
	p.tol = 1e-8 * (1 + math.Sqrt(slices.Max(squares)))
	return p, nil
}

// Total is the sum of all features: the least that a pass over them takes, which
// the weights' time is compared with.
func Total(f Features) (total float64, err error) {
	n, d := f.Len(), f.Dim()
	part := max(partSize/max(d, 1), 1)
	sums := make([]float64, (n+part-1)/part)
	if m, ok := f.(interface{ rows() buffer }); ok {
		whole := m.rows()
		_ = parallel(len(sums), func(k int) *rowError { // which cannot fail
			lo := k * part
			sums[k] = whole.sum(lo, min(part, n-lo))
			return nil
		})
	} else {
		buffers := sync.Pool{New: func() any { return bufferOf(f)(part, d) }}
		err = parallel(len(sums), func(k int) *rowError {
			b := buffers.Get().(buffer)
			defer buffers.Put(b)
			lo := k * part
			rows := min(part, n-lo)
			if err := b.read(f, lo, 0, rows); err != nil {
				return &rowError{lo, lo + rows, err}
			}
			sums[k] = b.sum(0, rows)
			return nil
		})
	}
	for _, s := range sums {
		total += s
	}
	return total, err
}

// keep is up to how many numbers all features are read once and held, look how
// many of more are looked at at a time. Tests have fewer.
var keep, look = 1 << 22, 1 << 20

// window is how many rows are looked at at a time: all that may be kept, or look
// numbers, or if there are many classes four rows of each, so that the sums of
// the classes, which such a window touches once, do not cost more than its rows.
func (p *population) window() int {
	n, d := len(p.labels), p.features.Dim()
	if n <= keep/d {
		return n
	}
	return min(max(4*len(p.counts), look/d, 1), n)
}

// Numbers in a part of a window, which is read in one go, in a piece, which is
// looked at in one go, and in a stripe of the classes' sums.
const (
	partSize   = 1 << 16
	pieceSize  = 1 << 12
	stripeSize = 1024
)

// lanes is how many parts a window is cut into where rows are taken as they lie,
// each with sums of its own, which take no more than laneSize numbers.
const (
	lanes    = 16
	laneSize = 1 << 15
)

// arrange settles the order of the rows. Where the classes' vectors fit into a
// cache that is their own order: memory is fastest read as it lies. Otherwise the
// rows of a window are taken class by class, so that the vectors come from
// memory once a window.
func (p *population) arrange() {
	n, w := len(p.labels), p.window()
	p.order, p.class = make([]int, n), p.labels
	if p.byClass = len(p.counts)*p.features.Dim() > laneSize; !p.byClass {
		for i := range p.order {
			p.order[i] = i
		}
		return
	}
	p.class = make([]int, n)
	at := make([]int, len(p.counts)+1)
	for lo := 0; lo < n; lo += w {
		labels := p.labels[lo:min(lo+w, n)]
		clear(at)
		for _, j := range labels {
			at[j+1]++
		}
		at[0] = lo
		for j := range p.counts {
			at[j+1] += at[j]
		}
		for i, j := range labels {
			p.order[at[j]], p.class[at[j]] = lo+i, j
			at[j]++
		}
	}
}

// some are the held rows from from to before to of order.
func (p *population) some(from, to int) some {
	return some{p.first, 0, p.features.Dim(), p.order[from:to], p.class[from:to]}
}

// load makes the rows lo to hi-1 be held.
func (p *population) load(lo, hi int) error {
	if p.first <= lo && hi <= p.end {
		return nil
	}
	d := p.features.Dim()
	if p.held == nil {
		p.held = p.newBuffer(p.window(), d)
	}
	p.first, p.end = lo, lo // none, should reading fail
	part := max(partSize/d, 1)
	err := parallel((hi-lo+part-1)/part, func(k int) *rowError {
		from := lo + k*part
		to := min(from+part, hi)
		if err := p.held.read(p.features, from, from-lo, to-from); err != nil {
			return &rowError{from, to, err}
		}
		return nil
	})
	if err == nil {
		p.end = hi
	}
	return err
}

// A classSum is Σ_i a_i·(phi(x_i) - centre_j) of each class, a in the order of
// order.
type classSum struct {
	a      []float64
	centre [][]float64
	lane   [lanes][][]float64
}

// pass goes through all features once, window after window, and calls visit with
// all rows s, those from from to before to of order, some at a time and from
// several goroutines at once; they are held. It adds them to sum, which may be
// nil, after visit has set their a.
func (p *population) pass(visit func(s some, from, to int) *rowError, sum *classSum) error {
	n, d, w := len(p.labels), p.features.Dim(), p.window()
	piece := max(pieceSize/d, 1)
	for lo := 0; lo < n; lo += w {
		hi := min(lo+w, n)
		if err := p.load(lo, hi); err != nil {
			return err
		}
		if p.byClass {
			err := parallel((hi-lo+piece-1)/piece, func(k int) *rowError {
				from := lo + k*piece
				to := min(from+piece, hi)
				return visit(p.some(from, to), from, to)
			})
			if err != nil {
				return err
			}
			if sum != nil {
				p.addClasses(sum, lo, hi)
			}
			continue
		}
		err := parallel(lanes, func(l int) *rowError {
			end := lo + (l+1)*(hi-lo)/lanes
			for from := lo + l*(hi-lo)/lanes; from < end; from += piece {
				to := min(from+piece, end)
				s := p.some(from, to)
				if err := visit(s, from, to); err != nil {
					return err
				}
				if sum != nil {
					p.held.add(sum.lane[l], sum.a[from:to], s, sum.centre)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// addClasses adds the held rows lo to hi-1, which are in the order of their
// classes, class by class and stripe by stripe.
func (p *population) addClasses(sum *classSum, lo, hi int) {
	starts := []int{lo}
	for k := lo + 1; k < hi; k++ {
		if p.class[k] != p.class[k-1] {
			starts = append(starts, k)
		}
	}
	starts = append(starts, hi)
	d := p.features.Dim()
	stripes := (d + stripeSize - 1) / stripeSize
	_ = parallel((len(starts)-1)*stripes, func(k int) *rowError { // which cannot fail
		from, to := starts[k/stripes], starts[k/stripes+1]
		s := p.some(from, to)
		s.from = k % stripes * stripeSize
		s.to = min(s.from+stripeSize, d)
		p.held.add(sum.lane[0], sum.a[from:to], s, sum.centre)
		return nil
	})
}

// sumClasses is Σ_i a_i·(phi(x_i) - centre_j) of each class, where visit sets a,
// which is in the order of order.
func (p *population) sumClasses(centre [][]float64, a []float64, visit func(s some, from, to int) *rowError) ([][]float64, error) {
	sum := &classSum{a: a, centre: centre}
	used := sum.lane[:]
	if p.byClass {
		used = used[:1]
	}
	c, d := len(p.counts), p.features.Dim()
	all := make([]float64, len(used)*c*d)
	for l := range used {
		used[l] = make([][]float64, c)
		for j := range used[l] {
			used[l][j] = all[(l*c+j)*d:][:d]
		}
	}
	err := p.pass(visit, sum)
	for _, more := range used[1:] {
		for j, v := range more {
			for k, x := range v {
				used[0][j][k] += x
			}
		}
	}
	return used[0], err
}

// inverse is 1/|D| of a deviation whose square is given, 0 if that counts as
// zero.
func (p *population) inverse(square float64) float64 {
	if length := math.Sqrt(square); length > p.tol {
		return 1 / length
	}
	return 0
}

// addUnits adds u_i = D_i/|D_i|, D_i = phi(x_i) - mu_j, of some rows, whose
// classes are given, to sum[j]; nothing for a row that lies at its class's mean.
// b has room for a row that is not held, a for as many numbers as there are
// rows.
func (p *population) addUnits(sum [][]float64, a []float64, rows, class []int, b buffer) *rowError {
	for at := 0; at < len(class); {
		x, s := p.held, some{p.first, 0, p.features.Dim(), rows[at:], nil}
		n := 0
		for at+n < len(class) && p.first <= rows[at+n] && rows[at+n] < p.end {
			n++
		}
		if n == 0 {
			x, s.first, s.list, n = b, rows[at], rows[at:at+1], 1
			if err := b.read(p.features, rows[at], 0, 1); err != nil {
				return &rowError{rows[at], rows[at] + 1, err}
			}
		}
		s.class = class[at : at+n]
		x.squares(a, s, p.mean)
		for k, square := range a[:n] {
			a[k] = p.inverse(square)
		}
		x.add(sum, a, s, p.mean)
		at += n
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
