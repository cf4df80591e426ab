package cpu

// peakKernels are the yardsticks of one variant: what its vectors can do when
// nothing else is asked of them.
type peakKernels struct {
	flops int // of a round of spin
	spin  func(p *spin)
	block int // floats in a round of sum
	sum   func(p *plainSum)
}

// A spin is n rounds, at least 1, of multiplications and additions on registers
// alone.
type spin struct{ n int }

// A plainSum adds up n blocks, at least 1, of src. The lanes of sum are parts of
// the result; those that the variant's vectors do not have are left as they are.
type plainSum struct {
	src []float32
	n   int
	sum [16]float32
}

// spinRounds and sumBlocks bound one call of assembly, for some 20 µs.
const (
	spinRounds      = 4 << 10
	sumFloatsAtOnce = 64 << 10
)

// Spin keeps the processor that calls it busy with multiplications and additions
// of the variant's vectors, on registers alone, and returns how many it did, at
// least flops: over the time that it took, the peak of one core.
func (b *Backend) Spin(flops int) int {
	rounds := max(1, ceil(flops, b.peak.flops))
	for left := rounds; left > 0; left -= spinRounds {
		b.peak.spin(&spin{n: min(left, spinRounds)})
	}
	return rounds * b.peak.flops
}

// Sum is the plain sum of x in float32, on the goroutine that calls it: as fast
// as memory can be read.
func (b *Backend) Sum(x []float32) float32 {
	var s float32
	for len(x) >= b.peak.block {
		n := min(len(x), sumFloatsAtOnce) / b.peak.block
		p := plainSum{src: x, n: n}
		b.peak.sum(&p)
		for _, v := range p.sum {
			s += v
		}
		x = x[n*b.peak.block:]
	}
	for _, v := range x {
		s += v
	}
	return s
}

var peakGo = peakKernels{flops: 16, spin: spinGo, block: 8, sum: plainSumGo}

// spun keeps the compiler from leaving spinGo out.
var spun float32

func spinGo(p *spin) {
	var s0, s1, s2, s3, s4, s5, s6, s7 float32
	x, y := spun, spun
	for range p.n {
		s0 += x * y
		s1 += x * y
		s2 += x * y
		s3 += x * y
		s4 += x * y
		s5 += x * y
		s6 += x * y
		s7 += x * y
	}
	if s0+s1+s2+s3+s4+s5+s6+s7 != 0 {
		spun = 0
	}
}

func plainSumGo(p *plainSum) {
	var s [8]float32
	for i := range p.n {
		x := (*[8]float32)(p.src[i*8:])
		s[0] += x[0]
		s[1] += x[1]
		s[2] += x[2]
		s[3] += x[3]
		s[4] += x[4]
		s[5] += x[5]
		s[6] += x[6]
		s[7] += x[7]
	}
	copy(p.sum[:], s[:])
}
