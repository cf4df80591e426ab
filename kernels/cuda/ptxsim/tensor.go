package ptxsim

import "math/bits"

// A shape is a form of mma that is known: D (16,8) = A (16,k)·B (k,8) + C.
type shape struct {
	name   string
	typ    typ // of A and B
	k      int
	target int
}

var shapes = []shape{
	{"m16n8k4", tTF32, 4, 80},
	{"m16n8k8", tTF32, 8, 80},
	{"m16n8k8", tF16, 8, 75},
	{"m16n8k16", tF16, 16, 80},
	{"m16n8k8", tBF16, 8, 80},
	{"m16n8k16", tBF16, 16, 80},
}

// mma is mma.sync with f32 for C and D. Each entry of D is a sum of k exact
// products and C, added in float64 and rounded once to f32; hardware adds with
// fewer bits, in an order of its own. tf32 is read as hardware reads it: without
// the last 13 bits.
func mma(a *assembler, in *inst) {
	name := ""
	for _, s := range shapes {
		if name == "" {
			name = in.one(s.name)
		}
	}
	if !in.has("sync") || !in.has("aligned") || !in.has("row") || !in.has("col") {
		a.fail(in.line, "%s: want .sync.aligned, a shape and .row.col", in.text)
	}
	d, ta, tb, c := a.typ(in), a.typ(in), a.typ(in), a.typ(in)
	for _, s := range shapes {
		if s.name != name || s.typ != ta || tb != ta || d != tF32 || c != tF32 {
			continue
		}
		a.need(in, s.target)
		per := 32 / s.typ.bits // elements in a register
		to := a.fragment(in, 4)
		o := op{kind: kindSync, aligned: true, run: multiply}
		for _, f := range []struct {
			n int
			t typ
		}{{16 * s.k / warpSize / per, tB32}, {8 * s.k / warpSize / per, tB32}, {4, tF32}} {
			for _, x := range a.fragment(in, f.n) {
				o.regs = append(o.regs, a.use(x, f.t))
			}
		}
		for _, x := range to {
			o.regs = append(o.regs, a.set(x, tF32))
		}
		o.n = s.k
		o.size = s.typ.bits
		number := s.typ.decoder()
		o.f = func(v, _, _ uint64) uint64 { return bits64(number(v)) }
		a.emit(o)
		return
	}
	a.fail(in.line, "%s: no form like this is known", in.text)
}

// fragment is an operand of n registers.
func (a *assembler) fragment(in *inst, n int) []arg {
	x := a.operand(in)
	if x.kind != argVector || len(x.list) != n {
		a.fail(in.line, "%s: a vector of %d registers should stand here", in.text, n)
	}
	return x.list
}

// multiply executes mma. Of the fragments' layouts this is known (PTX ISA,
// "Matrix Fragments for mma"): lane l is in group g = l/4 and is t = l%4 there.
// A register of A holds elements of row g, or g+8 where its number is odd, and
// of columns from t·per on, 4·per further on from register 2 on; one of B the
// same with columns for rows, register 1 being 4·per further; C and D hold
// columns 2t and 2t+1 of row g and then of row g+8.
func multiply(w *warp, o *op, _ uint32) {
	k, width := o.n, o.size
	per := 32 / width
	na, nb := 16*k/warpSize/per, 8*k/warpSize/per
	var a [16][16]float64
	var b [16][8]float64
	for l := range warpSize {
		g, t := l/4, l%4
		for r := range na + nb {
			v := w.regs[o.regs[r]][l]
			for e := range per {
				x := f64(o.f(v>>(e*width)&(1<<width-1), 0, 0))
				if r < na {
					a[g+8*(r&1)][4*per*(r>>1)+t*per+e] = x
				} else {
					b[4*per*(r-na)+t*per+e][g] = x
				}
			}
		}
	}
	cs, ds := o.regs[na+nb:][:4], o.regs[na+nb+4:]
	for l := range warpSize {
		g, t := l/4, l%4
		var sums [4]float64
		for r := range sums {
			row, column := g+8*(r>>1), 2*t+r&1
			sums[r] = float64(f32(w.regs[cs[r]][l]))
			for i := range k {
				sums[r] += a[row][i] * b[i][column]
			}
		}
		for r, s := range sums { // D may be C
			w.regs[ds[r]][l] = bits32(float32(s))
		}
	}
}

// ldmatrix loads 1, 2 or 4 matrices of 8 rows of 8 elements of 16 bits. Lane i
// says where row i%8 of matrix i/8 is; lane l receives of each matrix the
// elements 2(l%4) and 2(l%4)+1 of row l/4, or transposed.
func ldmatrix(a *assembler, in *inst) {
	a.need(in, 75)
	n := map[string]int{"x1": 1, "x2": 2, "x4": 4}[in.one("x1", "x2", "x4")]
	o := op{kind: kindSync, aligned: true, run: loadMatrices}
	if in.has("trans") {
		o.n = 1
	}
	if t := a.typ(in); t != types["b16"] || n == 0 || !in.has("sync") || !in.has("aligned") || !in.has("m8n8") || a.space(in) != spaceShared {
		a.fail(in.line, "%s: want .sync.aligned.m8n8, .x1, .x2 or .x4, .shared and .b16", in.text)
	}
	to := a.fragment(in, n)
	o.a, o.off = a.address(a.operand(in), spaceShared)
	o.space = spaceShared
	for _, x := range to {
		o.regs = append(o.regs, a.set(x, tB32))
	}
	a.emit(o)
}

func loadMatrices(w *warp, o *op, m uint32) {
	base := w.regs[o.a]
	for j, d := range o.regs {
		var matrix [8][8]uint64
		for r := range matrix {
			p := w.fetch(o, 8*j+r, base[8*j+r]+o.off, 16)
			for c := range matrix[r] {
				matrix[r][c] = element(p[2*c:], 2)
			}
		}
		for s := m; s != 0; s &= s - 1 {
			l := bits.TrailingZeros32(s)
			r, c := l/4, 2*(l%4)
			lo, hi := matrix[r][c], matrix[r][c+1]
			if o.n == 1 {
				lo, hi = matrix[c][r], matrix[c+1][r]
			}
			w.regs[d][l] = hi<<16 | lo
		}
	}
}
