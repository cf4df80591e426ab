package phase

import (
	"fmt"
	"sync"

	"phase/phase/longtail"
)

// AREA is the class weight of Chen et al., "AREA: Adaptive Reweighting via
// Effective Area for Long-Tailed Classification" (ICCV 2023), made
// deterministic. With D_i = phi(x_i) - mu_j the deviation of a sample from its
// class's mean and u_i = D_i/|D_i|, the correlations are r_ik = u_i·u_k, and n
// samples of a class cover the effective area
//
//	1/(aᵀRa) = 1/|(1/n) Σ_i u_i|²,  a_i = 1/n:
//
// n if they are uncorrelated, 1 if they are all alike. The square of a norm
// makes it linear in n; there is no matrix R.
//
// The samples are put in a fixed random order and cut into blocks. A class's
// area is the sum of its areas in the blocks, each clipped to [1, 4n], because
// the deviations of a whole class add up to nothing and a small class inside
// one block would have an infinite area; a single sample covers 1. AREA's own
// program uses the loader's batches instead, with other augmentations for the
// means than for the deviations, and does not clip.
//
// The zero value has blocks of 128 and seed 0.
type AREA struct {
	// Block is the number of samples in a block; 0 means 128.
	Block int `json:"block" name:"block" range:"1.." help:"samples in a block of the effective area"`
	// Seed is of the order, longtail.Permutation's.
	Seed uint32 `json:"seed" name:"seed" help:"of the order in which blocks are cut"`
}

// Weights is each class's weight w_j ∝ 1/area_j with Σ_j w_j = C (AREA's Eq
// 14), and its area. labels say which of the classes 0..classes-1 each row of
// the features belongs to; the features should come from the network in
// evaluation mode and from images without random augmentation.
//
// It is an error if lengths differ, a label is no class, a class has no
// samples, or a feature is not finite.
func (a AREA) Weights(f Features, labels []int, classes int) (weights, areas []float64, err error) {
	if err := a.check("area"); err != nil {
		return nil, nil, err
	}
	p, err := newPopulation("area", f, labels, classes)
	if err != nil {
		return nil, nil, err
	}
	if areas, err = p.areas(a); err != nil {
		return nil, nil, fmt.Errorf("area: %w", err)
	}
	return areaWeights(areas), areas, nil
}

func (a AREA) check(op string) error {
	if a.Block < 0 {
		return fmt.Errorf("%s: blocks of %d samples, want at least 1, or 0 for %d", op, a.Block, defaultBlock)
	}
	return nil
}

// defaultBlock is the batch size of AREA's recipe.
const defaultBlock = 128

func areaWeights(areas []float64) []float64 {
	w := make([]float64, len(areas))
	for j, v := range areas {
		w[j] = 1 / v
	}
	return normalize(w)
}

// areas is the area of each class.
func (p *population) areas(a AREA) ([]float64, error) {
	n, size := len(p.labels), a.Block
	if size == 0 {
		size = defaultBlock
	}
	block := make([]int, n) // of each row
	for at, i := range longtail.Permutation(n, a.Seed) {
		block[i] = at / size
	}
	blocks := (n-1)/size + 1
	// The rows by block, in each by class: two sorts by counting.
	byClass, class := make([]int, len(p.counts)), make([]int, n)
	for j := range p.counts[1:] {
		byClass[j+1] = byClass[j] + p.counts[j]
	}
	for i, j := range p.labels {
		class[byClass[j]] = i
		byClass[j]++
	}
	next, grouped := make([]int, blocks), make([]int, n)
	for b := range next {
		next[b] = b * size
	}
	for _, i := range class {
		grouped[next[block[i]]] = i
		next[block[i]]++
	}
	for at, i := range grouped {
		class[at] = p.labels[i]
	}
	part := make([]float64, n) // part[at]: the area of a class in a block, at its first sample there
	type scratch struct {
		row buffer
		sum [][]float64 // of each class the same
		a   []float64
	}
	pool := sync.Pool{New: func() any {
		d := p.features.Dim()
		s := &scratch{p.newBuffer(1, d), make([][]float64, len(p.counts)), make([]float64, min(size, n))}
		sum := make([]float64, d)
		for j := range s.sum {
			s.sum[j] = sum
		}
		return s
	}}
	const some = 8 // blocks
	err := parallel((blocks+some-1)/some, func(k int) *rowError {
		s := pool.Get().(*scratch)
		defer pool.Put(s)
		sum := s.sum[0]
		for b := k * some; b < min(k*some+some, blocks); b++ {
			for at, last := b*size, min(b*size+size, n); at < last; {
				end := at + 1
				for end < last && class[end] == class[at] {
					end++
				}
				part[at] = 1
				if end-at > 1 {
					clear(sum)
					if err := p.addUnits(s.sum, s.a, grouped[at:last], class[at:end], s.row); err != nil {
						return err
					}
					part[at] = effectiveArea(dot(sum, sum), end-at)
				}
				at = end
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	areas := make([]float64, len(p.counts))
	for at, v := range part {
		areas[class[at]] += v
	}
	return areas, nil
}

// effectiveArea is 1/|(1/n) Σ u|², clipped to [1, 4n], of n samples with
// |Σ u|² = square.
func effectiveArea(square float64, n int) float64 {
	return min(max(float64(n)*float64(n)/square, 1), 4*float64(n)) // 1/0 is +Inf, which min takes care of
}
