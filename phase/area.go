package phase

import (
	"cmp"
	"fmt"
	"slices"

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
	Block int    `json:"block"` // samples in a block, 0 means 128
	Seed  uint32 `json:"seed"`  // of the order, longtail.Permutation's
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
	order := longtail.Permutation(n, a.Seed)
	part := make([]float64, n) // part[i]: the area of a class in a block, at its first sample there
	blocks := (n-1)/size + 1
	err := parallel(blocks, func(b int) *rowError {
		block := order[b*size : min(n, b*size+size)]
		slices.SortStableFunc(block, func(i, k int) int { return cmp.Compare(p.labels[i], p.labels[k]) })
		row, sum := p.newBuffer(1, p.features.Dim()), make([]float64, p.features.Dim())
		for at := 0; at < len(block); {
			end := at + 1
			for end < len(block) && p.labels[block[end]] == p.labels[block[at]] {
				end++
			}
			if end-at == 1 {
				part[b*size+at] = 1
				at = end
				continue
			}
			clear(sum)
			for _, i := range block[at:end] {
				if err := p.addUnit(sum, i, row); err != nil {
					return err
				}
			}
			part[b*size+at] = effectiveArea(dot(sum, sum), end-at)
			at = end
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	areas := make([]float64, len(p.counts))
	for at, v := range part {
		areas[p.labels[order[at]]] += v
	}
	return areas, nil
}

// effectiveArea is 1/|(1/n) Σ u|², clipped to [1, 4n], of n samples with
// |Σ u|² = square.
func effectiveArea(square float64, n int) float64 {
	return min(max(float64(n)*float64(n)/square, 1), 4*float64(n)) // 1/0 is +Inf, which min takes care of
}
