package ptxsim

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// A place is where an element of a fragment lies in its matrix.
type place struct{ row, column int }

// fragments are the places of element i of A, B and C in a lane, as the PTX ISA
// lists them for each shape.
func fragments(shape string, half bool) (a, b, c func(lane, i int) place, na, nb int) {
	c = func(l, i int) place {
		row := l >> 2
		if i >= 2 {
			row += 8
		}
		return place{row, l%4*2 + i&1}
	}
	switch {
	case shape == "m16n8k4":
		a = func(l, i int) place { return place{l>>2 + []int{0, 8}[i], l % 4} }
		b = func(l, _ int) place { return place{l % 4, l >> 2} }
		return a, b, c, 2, 1
	case shape == "m16n8k8" && !half:
		a = func(l, i int) place { return place{l>>2 + []int{0, 8, 0, 8}[i], l%4 + []int{0, 0, 4, 4}[i]} }
		b = func(l, i int) place { return place{l%4 + []int{0, 4}[i], l >> 2} }
		return a, b, c, 4, 2
	case shape == "m16n8k8":
		a = func(l, i int) place { return place{l>>2 + []int{0, 0, 8, 8}[i], l%4*2 + i&1} }
		b = func(l, i int) place { return place{l%4*2 + i, l >> 2} }
		return a, b, c, 4, 2
	}
	a = func(l, i int) place {
		p := place{l>>2 + 8, l%4*2 + i&1}
		if i < 2 || i >= 4 && i < 6 {
			p.row -= 8
		}
		if i >= 4 {
			p.column += 8
		}
		return p
	}
	b = func(l, i int) place {
		p := place{l%4*2 + i&1, l >> 2}
		if i >= 2 {
			p.row += 8
		}
		return p
	}
	return a, b, c, 8, 4
}

func TestMMA(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	for _, c := range []struct {
		shape, typ string
		k          int
	}{{"m16n8k4", "tf32", 4}, {"m16n8k8", "tf32", 8}, {"m16n8k8", "f16", 8}, {"m16n8k16", "f16", 16}, {"m16n8k8", "bf16", 8}, {"m16n8k16", "bf16", 16}} {
		half := c.typ != "tf32"
		fa, fb, fc, na, nb := fragments(c.shape, half)
		per := 1
		if half {
			per = 2
		}
		a, b, d := make([]float64, 16*c.k), make([]float64, c.k*8), make([]float64, 16*8)
		element := func() (bits uint32, v float64) {
			v = float64(r.IntN(257)-128) / 32 // exact in each type
			if r.IntN(20) == 0 {
				v = 0
			}
			switch c.typ {
			case "f16":
				return uint32(half16(v)), v
			case "bf16":
				return math.Float32bits(float32(v)) >> 16, v
			}
			return math.Float32bits(float32(v)) | uint32(r.IntN(1<<13)), v // the last bits are not looked at
		}
		word := func(f func(lane, i int) place, i, l, columns int, m []float64) (w uint32) {
			for e := range per {
				bits, v := element()
				p := f(l, i*per+e)
				m[p.row*columns+p.column] = v
				w |= bits << (16 * e)
			}
			return w
		}
		var q []uint32
		for l := range 32 {
			for i := range na / per {
				q = append(q, word(fa, i, l, c.k, a))
			}
			for i := range nb / per {
				q = append(q, word(fb, i, l, 8, b))
			}
			for i := range 4 {
				v := float32(r.NormFloat64())
				p := fc(l, i)
				d[p.row*8+p.column] = float64(v)
				q = append(q, math.Float32bits(v))
			}
		}
		for i := range 16 {
			for j := range 8 {
				for x := range c.k {
					d[i*8+j] += a[i*c.k+x] * b[x*8+j]
				}
			}
		}
		regs := func(first, n int) string {
			var s []string
			for i := range n {
				s = append(s, fmt.Sprintf("%%r%d", first+i))
			}
			return "{" + strings.Join(s, ", ") + "}"
		}
		words := na/per + nb/per + 4
		body := fmt.Sprintf("mad.wide.u32 %%d3, %%r0, %d, %%d2;\nmad.wide.u32 %%d1, %%r0, 16, %%d0;\n", 4*words)
		for i := range words {
			reg := fmt.Sprintf("%%r%d", 1+i)
			if i >= words-4 {
				reg = fmt.Sprintf("%%f%d", i-words+4)
			}
			body += fmt.Sprintf("ld.global.b32 %s, [%%d3+%d];\n", reg, 4*i)
		}
		body += fmt.Sprintf("mma.sync.aligned.%s.row.col.f32.%[2]s.%[2]s.f32 {%%f0, %%f1, %%f2, %%f3}, %s, %s, {%%f0, %%f1, %%f2, %%f3};\n",
			c.shape, c.typ, regs(1, na/per), regs(1+na/per, nb/per))
		body += "st.global.v4.f32 [%d1], {%f0, %f1, %f2, %f3};"
		got := try(t, body, 32, q, 128)
		for l := range 32 {
			for i := range 4 {
				p := fc(l, i)
				v, want := math.Float32frombits(got[4*l+i]), float32(d[p.row*8+p.column])
				if v != want {
					t.Fatalf("%s %s: row %d, column %d is %v, want %v", c.shape, c.typ, p.row, p.column, v, want)
				}
			}
		}
	}
}

// half16 is the f16 of a number that it holds exactly.
func half16(v float64) uint16 {
	if v == 0 {
		return 0
	}
	f, e := math.Frexp(math.Abs(v))
	h := uint16(e+14)<<10 | uint16(f*2048)&1023
	if v < 0 {
		h |= 1 << 15
	}
	return h
}

// Lane l receives elements 2(l%4) and 2(l%4)+1 of row l/4 of each matrix, whose
// rows are where lanes 8m to 8m+7 say.
func TestLoadMatrices(t *testing.T) {
	for n, count := range map[string]int{"x1": 1, "x2": 2, "x4": 4} {
		for _, trans := range []string{"", ".trans"} {
			list := "{" + strings.Join([]string{"%r11", "%r12", "%r13", "%r14"}[:count], ", ") + "}"
			body := `
	.shared .align 16 .b8 s[1024];
	mov.u32 %r1, s;
	shl.b32 %r2, %r0, 1;
	mov.u32 %r3, 0;
fill:
	mad.lo.u32 %r4, %r3, 64, %r2;
	add.u32 %r5, %r4, %r1;
	shr.u32 %r6, %r4, 1;
	cvt.u16.u32 %h0, %r6;
	st.shared.u16 [%r5], %h0;
	add.u32 %r3, %r3, 1;
	setp.lt.u32 %p0, %r3, 16;
	@%p0 bra fill;
	bar.warp.sync -1;
	mul.lo.u32 %r7, %r0, 7;
	and.b32 %r7, %r7, 31;
	mad.lo.u32 %r8, %r7, 32, %r1;
	ldmatrix.sync.aligned.m8n8.` + n + trans + `.shared.b16 ` + list + `, [%r8+16];
	mad.wide.u32 %d1, %r0, 16, %d0;
`
			for i := range count {
				body += fmt.Sprintf("st.global.u32 [%%d1+%d], %%r%d;\n", 4*i, 11+i)
			}
			got := try(t, body, 32, nil, 128)
			for l := range 32 {
				for m := range count {
					at := func(row, column int) uint32 { return uint32((8*m+row)*7%32*16 + 8 + column) }
					lo, hi := at(l/4, 2*(l%4)), at(l/4, 2*(l%4)+1)
					if trans != "" {
						lo, hi = at(2*(l%4), l/4), at(2*(l%4)+1, l/4)
					}
					if v := got[4*l+m]; v != hi<<16|lo {
						t.Fatalf("%s%s: lane %d, matrix %d: %#x, want %#x", n, trans, l, m, v, hi<<16|lo)
					}
				}
			}
		}
	}
}

// cp.async copies 4, 8 or 16 bytes, zeros beyond what it is told to read; the
// bytes arrive at once or, in late mode, when they are waited for.
func TestAsyncCopies(t *testing.T) {
	body := `
	.shared .align 16 .b8 s[64];
	st.shared.v4.u32 [s], {1, 2, 3, 4};
	st.shared.v4.u32 [s+16], {1, 2, 3, 4};
	st.shared.v4.u32 [s+32], {1, 2, 3, 4};
	st.shared.v4.u32 [s+48], {1, 2, 3, 4};
	mov.u32 %r1, 6;
	cp.async.ca.shared.global [s], [%d2+4], 4;
	cp.async.ca.shared.global.L2::128B [s+8], [%d2+8], 8;
	cp.async.commit_group;
	cp.async.cg.shared.global [s+16], [%d2+16], 16, %r1;
	cp.async.commit_group;
	cp.async.cg.shared.global [s+32], [%d2], 16, 0;
	cp.async.ca.shared.global [s+48], [%d2], 16;
`
	store := `
	ld.shared.v4.u32 {%r4, %r5, %r6, %r7}, [s];
	st.global.v4.u32 [%d0], {%r4, %r5, %r6, %r7};
	ld.shared.v4.u32 {%r4, %r5, %r6, %r7}, [s+16];
	st.global.v4.u32 [%d0+16], {%r4, %r5, %r6, %r7};
	ld.shared.v4.u32 {%r4, %r5, %r6, %r7}, [s+32];
	st.global.v4.u32 [%d0+32], {%r4, %r5, %r6, %r7};
	ld.shared.v4.u32 {%r4, %r5, %r6, %r7}, [s+48];
	st.global.v4.u32 [%d0+48], {%r4, %r5, %r6, %r7};`
	q := []uint32{0xa0, 0xa1, 0xa2, 0xa3, 0xa4a4a4a4, 0xa5a5a5a5, 0xa6, 0xa7}
	groups := [][]uint32{
		{0xa1, 2, 0xa2, 0xa3},
		{0xa4a4a4a4, 0xa5a5, 0, 0},
		{0, 0, 0, 0, 0xa0, 0xa1, 0xa2, 0xa3},
	}
	for _, c := range []struct {
		wait  string
		there int // groups that have arrived
		skip  Check
	}{
		{"cp.async.wait_all;", 3, 0},
		{"cp.async.commit_group; cp.async.wait_group 0;", 3, 0},
		{"cp.async.wait_group 0;", 2, Race},
		{"cp.async.wait_group 1;", 1, Race},
		{"cp.async.wait_group 2;", 0, Race},
		{"", 0, Race},
	} {
		for _, late := range []bool{false, true} {
			var m Memory
			p := given(t, &m, make([]uint32, 16))
			if err := loaded(t, strings.Replace(small(body+c.wait+store), ".version 7.0", ".version 7.4", 1), "k").Run(&m, Launch{Late: late, Skip: c.skip}, p, given(t, &m, q)); err != nil {
				t.Fatal(err)
			}
			there := c.there
			if !late {
				there = 3
			}
			want := []uint32{1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3, 4}
			for i, g := range groups[:there] {
				copy(want[4*i:], g)
			}
			expect(t, results[uint32](t, &m, p, 16), func(i int) uint32 { return want[i] })
			if c.skip != 0 { // the check notices what is not there yet
				err := loaded(t, strings.Replace(small(body+c.wait+store), ".version 7.0", ".version 7.4", 1), "k").Run(&m, Launch{Late: late}, p, given(t, &m, q))
				faults(t, err, Race, "of a copy that has not been waited for")
			}
		}
	}
}
