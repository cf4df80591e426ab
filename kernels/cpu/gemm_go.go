package cpu

var gemmGo = gemmKernels{
	narrow: []tileKernel{{2, tile2Go}, {1, tile1Go}},
	sum:    sumChunksGo,
	copy:   copyRowsGo,
}

// tile2Go computes two rows, four columns at a time: eight sums are what the
// registers of most processors hold.
func tile2Go(t *tile) {
	for q := 0; q < panel; q += 4 {
		var s00, s01, s02, s03, s10, s11, s12, s13 float32
		for l := range t.k {
			x0, x1 := t.a[l*t.cs], t.a[l*t.cs+t.rs]
			y := (*[4]float32)(t.b[l*t.bstep+q:])
			s00 += x0 * y[0]
			s01 += x0 * y[1]
			s02 += x0 * y[2]
			s03 += x0 * y[3]
			s10 += x1 * y[0]
			s11 += x1 * y[1]
			s12 += x1 * y[2]
			s13 += x1 * y[3]
		}
		t.store(q, 0, s00, s01, s02, s03)
		t.store(q, 1, s10, s11, s12, s13)
	}
}

// tile1Go computes one row.
func tile1Go(t *tile) {
	for q := 0; q < panel; q += 4 {
		var s0, s1, s2, s3 float32
		for l := range t.k {
			x := t.a[l*t.cs]
			y := (*[4]float32)(t.b[l*t.bstep+q:])
			s0 += x * y[0]
			s1 += x * y[1]
			s2 += x * y[2]
			s3 += x * y[3]
		}
		t.store(q, 0, s0, s1, s2, s3)
	}
}

// store writes or adds four columns from q on in one row of C.
func (t *tile) store(q, row int, s0, s1, s2, s3 float32) {
	c := (*[4]float32)(t.c[row*t.ldc+q:])
	if t.add {
		s0, s1, s2, s3 = s0+c[0], s1+c[1], s2+c[2], s3+c[3]
	}
	*c = [4]float32{s0, s1, s2, s3}
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
