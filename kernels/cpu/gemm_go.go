package cpu

var gemmGo = gemmKernels{
	narrow: []tileKernel{{2, tile2Go}, {1, tile1Go}},
	sum:    sumChunksGo,
	copy:   copyRowsGo,
}

// tile2Go computes tiles of two rows, four columns at a time: eight sums are what
// the registers of most processors hold.
func tile2Go(t *tile) {
	for i := 0; i < 2*t.tiles; i += 2 {
		for q := 0; q < t.cols; q += 4 {
			var s00, s01, s02, s03, s10, s11, s12, s13 float32
			at, b := i*t.rs, q
			for range t.runs {
				for range t.k {
					x0, x1 := t.a[at], t.a[at+t.rs]
					y := (*[4]float32)(t.b[b:])
					s00 += x0 * y[0]
					s01 += x0 * y[1]
					s02 += x0 * y[2]
					s03 += x0 * y[3]
					s10 += x1 * y[0]
					s11 += x1 * y[1]
					s12 += x1 * y[2]
					s13 += x1 * y[3]
					at += t.cs
					b += t.bstep
				}
				at += t.next
			}
			t.store(i, q, s00, s01, s02, s03)
			t.store(i+1, q, s10, s11, s12, s13)
		}
	}
}

// tile1Go computes tiles of one row.
func tile1Go(t *tile) {
	for i := range t.tiles {
		for q := 0; q < t.cols; q += 4 {
			var s0, s1, s2, s3 float32
			at, b := i*t.rs, q
			for range t.runs {
				for range t.k {
					x := t.a[at]
					y := (*[4]float32)(t.b[b:])
					s0 += x * y[0]
					s1 += x * y[1]
					s2 += x * y[2]
					s3 += x * y[3]
					at += t.cs
					b += t.bstep
				}
				at += t.next
			}
			t.store(i, q, s0, s1, s2, s3)
		}
	}
}

// store writes or adds four columns from q on in row i of C, as far as they
// exist.
func (t *tile) store(i, q int, s0, s1, s2, s3 float32) {
	sums := [4]float32{s0, s1, s2, s3}
	c := t.c[i*t.ldc+q:][:min(4, t.cols-q)]
	if !t.add {
		copy(c, sums[:])
		return
	}
	for j := range c {
		c[j] = sums[j] + c[j]
	}
}

func sumChunksGo(s *chunkSum) {
	copy(s.dst[:s.n], s.src)
	for k := 1; k < s.chunks; k++ {
		for i, v := range s.src[k*s.stride:][:s.n] {
			s.dst[i] += v
		}
	}
}

func copyRowsGo(p *rowCopy) {
	for r := range p.rows {
		copy(p.dst[r*p.dstStep:][:p.n], p.src[r*p.srcStep:])
	}
}
