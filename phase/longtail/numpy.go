package longtail

import "math/bits"

// mt19937 is the Mersenne Twister of Matsumoto and Nishimura (1998), the
// generator behind NumPy's np.random.seed.
type mt19937 struct {
	state [624]uint32
	next  int
}

// newMT19937 is the generator after np.random.seed(seed).
func newMT19937(seed uint32) *mt19937 {
	g := &mt19937{next: 624}
	g.state[0] = seed
	for i := 1; i < len(g.state); i++ {
		before := g.state[i-1]
		g.state[i] = 1812433253*(before^before>>30) + uint32(i)
	}
	return g
}

// uint32 is the next 32 random bits.
func (g *mt19937) uint32() uint32 {
	const n, m = 624, 397
	if g.next == n {
		for i := range n {
			y := g.state[i]&0x80000000 | g.state[(i+1)%n]&0x7fffffff
			g.state[i] = g.state[(i+m)%n] ^ y>>1 ^ (y & 1 * 0x9908b0df)
		}
		g.next = 0
	}
	y := g.state[g.next]
	g.next++
	y ^= y >> 11
	y ^= y << 7 & 0x9d2c5680
	y ^= y << 15 & 0xefc60000
	return y ^ y>>18
}

// upTo is uniform on 0..last: words cut to the bits of last, until one fits.
func (g *mt19937) upTo(last uint32) uint32 {
	mask := uint32(1)<<bits.Len32(last) - 1
	for {
		if v := g.uint32() & mask; v <= last {
			return v
		}
	}
}

// shuffle permutes a as np.random.shuffle does.
func (g *mt19937) shuffle(a []int) {
	for i := len(a) - 1; i > 0; i-- {
		j := g.upTo(uint32(i))
		a[i], a[j] = a[j], a[i]
	}
}

// Permutation is a random order of 0..n-1, the same as NumPy's
//
//	np.random.seed(seed); np.random.permutation(n)
//
// on every machine. n is at most 2^32.
func Permutation(n int, seed uint32) []int {
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	newMT19937(seed).shuffle(order)
	return order
}
