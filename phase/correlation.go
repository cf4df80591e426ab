package phase

import "math"

// noise is how far from zero rounding may leave a mean of correlations that is
// zero, as in a class of two.
const noise = 1e-12

// correlations is m_i = (1/N_j) Σ_k r_ik of each sample (Eqs 10, 11 and the
// sum of Eq 12). Since r_ik = u_i·u_k it is u_i·S_j/N_j with S_j = Σ_k u_k, in
// linear time: the N_j² correlations of Algorithm 2 need not be formed.
func (p *population) correlations() ([]float64, error) {
	a := make([]float64, len(p.labels))
	sum, err := p.sumClasses(p.mean, a, func(s some, from, to int) *rowError {
		square := a[from:to]
		p.held.squares(square, s, p.mean)
		for k, v := range square {
			square[k] = p.inverse(v)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	m, dot := make([]float64, len(p.labels)), make([]float64, len(p.labels))
	err = p.pass(func(s some, from, to int) *rowError {
		square, dot := a[from:to], dot[from:to]
		p.held.dots(square, dot, s, p.mean, sum)
		for k, i := range s.list {
			if v := p.inverse(square[k]) * dot[k] / float64(p.counts[s.class[k]]); math.Abs(v) > noise {
				m[i] = v
			}
		}
		return nil
	}, nil)
	return m, err
}

// abs is 1/((1/N_j) Σ_k |r_ik|) of each sample, with r_ii = 1.
func (p *population) abs() ([]float64, error) {
	w := make([]float64, len(p.labels))
	return w, p.eachClass(func(rows []int, u [][]float64) {
		pairs(u, math.Abs, func(i int, mean float64) { w[rows[i]] = 1 / mean })
	})
}

// rms is 1/sqrt((1/N_j) Σ_k r_ik²) of each sample, with r_ii = 1. Σ_k r_ik² is
// u_iᵀ(Σ_k u_k u_kᵀ)u_i, which is the shorter way when N_j > d.
func (p *population) rms() ([]float64, error) {
	w := make([]float64, len(p.labels))
	return w, p.eachClass(func(rows []int, u [][]float64) {
		square := func(r float64) float64 { return r * r }
		if len(rows) <= p.features.Dim() {
			pairs(u, square, func(i int, mean float64) { w[rows[i]] = 1 / math.Sqrt(mean) })
			return
		}
		moments := secondMoments(u)
		tiles(len(u), func(lo, hi int) {
			for i := lo; i < hi; i++ {
				sum := 0.
				for k, row := range moments {
					sum += u[i][k] * dot(row, u[i])
				}
				w[rows[i]] = 1 / math.Sqrt(max(sum, 1)/float64(len(u))) // r_ii is 1, also where u_i is 0
			}
		})
	})
}

// eachClass calls do for one class after the other with its rows and their
// unit deviations.
func (p *population) eachClass(do func(rows []int, u [][]float64)) error {
	rows := make([][]int, len(p.counts))
	for i, j := range p.labels {
		rows[j] = append(rows[j], i)
	}
	for j, rows := range rows {
		u := make([][]float64, len(rows))
		err := parallel((len(rows)+tile-1)/tile, func(t int) *rowError {
			b, a, sum := p.newBuffer(1, p.features.Dim()), make([]float64, 1), make([][]float64, len(p.counts))
			for i := t * tile; i < min(t*tile+tile, len(rows)); i++ {
				u[i] = make([]float64, p.features.Dim())
				sum[j] = u[i]
				if err := p.addUnits(sum, a, rows[i:i+1], []int{j}, b); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		do(rows, u)
	}
	return nil
}

// pairs calls set with (1/N) Σ_k f(r_ik) for each i, with r_ii = 1.
func pairs(u [][]float64, f func(float64) float64, set func(i int, mean float64)) {
	tiles(len(u), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			sum := f(1)
			for k, v := range u {
				if k != i {
					sum += f(dot(u[i], v))
				}
			}
			set(i, sum/float64(len(u)))
		}
	})
}

// secondMoments is the matrix Σ_k u_k u_kᵀ.
func secondMoments(u [][]float64) [][]float64 {
	m := make([][]float64, len(u[0]))
	tiles(len(m), func(lo, hi int) {
		for a := lo; a < hi; a++ {
			m[a] = make([]float64, len(m))
		}
		for _, v := range u {
			for a := lo; a < hi; a++ {
				row, x := m[a], v[a]
				for b, y := range v {
					row[b] += x * y
				}
			}
		}
	})
	return m
}

// tile is how many rows are taken at a time.
const tile = 32

// tiles calls work, which cannot fail, on all processors for the parts of
// 0..n-1.
func tiles(n int, work func(lo, hi int)) {
	_ = parallel((n+tile-1)/tile, func(t int) *rowError {
		work(t*tile, min(n, t*tile+tile))
		return nil
	})
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
