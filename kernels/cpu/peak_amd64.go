//go:build !noasm

package cpu

var (
	peakAVX512 = peakKernels{flops: 24 * 16 * 2, spin: spinAVX512, block: 8 * 16, sum: plainSumAVX512}
	peakAVX2   = peakKernels{flops: 12 * 8 * 2, spin: spinAVX2, block: 8 * 8, sum: plainSumAVX2}
)

// The spins equal this loop, for 24 vectors of 16 floats or 12 of 8:
//
//	for range p.n {
//		for i := range vectors {
//			sum[i] += x * y // all of them zero
//		}
//	}

//go:noescape
func spinAVX512(p *spin)

//go:noescape
func spinAVX2(p *spin)

// The sums equal this loop, for 16 or 8 lanes, but for the order in which a lane
// is added up:
//
//	for i := range p.n * 8 {
//		for l := range lanes {
//			p.sum[l] += p.src[i*lanes+l] // from zero
//		}
//	}

//go:noescape
func plainSumAVX512(p *plainSum)

//go:noescape
func plainSumAVX2(p *plainSum)
