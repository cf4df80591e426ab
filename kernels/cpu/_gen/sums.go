package main

import "fmt"

// sums writes sums over rows of float32 in float64, in steps of 16 numbers: two
// vectors, or four of AVX2's, each with sums of its own.
func sums(a *asm) {
	for _, v := range []vec{zmm, ymm} {
		plainRows(a, v)
		rowSquares(a, v, "rowSquares", false)
		rowSquares(a, v, "rowDots", true)
		rowAdds(a, v)
	}
}

// stepVectors is the vectors of float64 in a step of 16 numbers.
func stepVectors(v vec) int { return 16 * 8 / v.bytes }

// plainRows writes the sum of an array.
func plainRows(a *asm, v vec) {
	a.fn("wideSum"+v.isa(), "wideSum")
	a.load("wideSum", "x", "SI")
	a.load("wideSum", "steps", "CX")
	n := stepVectors(v)
	for i := range n {
		a.zero(v, n+i)
	}
	a.loop("step", "CX", func() {
		for i := range n {
			a.op("VCVTPS2PD %d(SI), %s", i*v.bytes/2, v.r(i))
			a.op("VADDPD %s, %s, %s", v.r(i), v.r(n+i), v.r(n+i))
		}
		a.op("ADDQ $64, SI")
	})
	a.foldWide(v, n)
	a.op("VMOVSD X%d, wideSum_sum(AX)", n)
	a.ret()
}

// foldWide brings the step's sums, in registers from first on, together in the
// lowest lane of the first, with the help of register 0.
func (a *asm) foldWide(v vec, first int) {
	for n := stepVectors(v) / 2; n >= 1; n /= 2 {
		for i := range n {
			a.op("VADDPD %s, %s, %s", v.r(first+i+n), v.r(first+i), v.r(first+i))
		}
	}
	if v == zmm {
		a.op("VEXTRACTF64X4 $1, Z%d, Y0", first)
		a.op("VADDPD Y0, Y%d, Y%d", first, first)
	}
	a.op("VEXTRACTF128 $1, Y%d, X0", first)
	a.op("VADDPD X0, X%d, X%d", first, first)
	a.op("VPERMILPD $1, X%d, X0", first)
	a.op("VADDSD X0, X%d, X%d", first, first)
}

// eachRow writes the loop over the rows of a rowSums. In inner, which is written
// for each row, SI is its numbers, BX those of the row to fetch, DI mu, DX s and
// CX the steps; R11 and R12 are its places in two slices of float64.
func eachRow(a *asm, s bool, out1, out2 string, inner func()) {
	for _, f := range [][2]string{{"list", "R8"}, {"class", "R9"}, {"n", "R10"}, {out1, "R11"}, {out2, "R12"}} {
		if f[0] != "" {
			a.load("rowSums", f[0], f[1])
		}
	}
	a.load("rowSums", "from", "CX")
	a.load("rowSums", "x", "R13")
	a.op("LEAQ (R13)(CX*4), R13")
	row := func(at, reg string) {
		a.op("MOVQ %s, %s", at, reg)
		a.op("SUBQ rowSums_first(AX), %s", reg)
		a.op("IMULQ rowSums_stride(AX), %s", reg)
		a.op("LEAQ (R13)(%[1]s*4), %[1]s", reg)
	}
	a.label("row")
	row("(R8)", "SI")
	a.load("rowSums", "from", "CX")
	a.op("MOVQ (R9), BX")
	a.op("LEAQ (BX)(BX*2), BX // three words a slice")
	vector := func(name, reg string) {
		a.load("rowSums", name, reg)
		a.op("MOVQ (%[1]s)(BX*8), %[1]s", reg)
		a.op("LEAQ (%[1]s)(CX*8), %[1]s", reg)
	}
	vector("mu", "DI")
	if s {
		vector("s", "DX")
	}
	a.load("rowSums", "ahead", "CX")
	row("(R8)(CX*8)", "BX")
	a.load("rowSums", "steps", "CX")
	inner()
	a.op("ADDQ $8, R8")
	a.op("ADDQ $8, R9")
	a.op("ADDQ $8, R11")
	a.op("ADDQ $8, R12")
	a.op("DECQ R10")
	a.op("JNZ row")
	a.ret()
}

// rowSteps writes the loop over the steps of a row: body is written for each
// vector, with x - mu in register i and the address of s.
func rowSteps(a *asm, v vec, s bool, body func(i int, s string)) {
	a.loop("step", "CX", func() {
		a.op("PREFETCHT0 (BX)")
		for i := range stepVectors(v) {
			a.op("VCVTPS2PD %d(SI), %s", i*v.bytes/2, v.r(i))
			a.op("VSUBPD %d(DI), %s, %s", i*v.bytes, v.r(i), v.r(i))
			body(i, fmt.Sprintf("%d(DX)", i*v.bytes))
		}
		a.op("ADDQ $64, BX")
		a.op("ADDQ $64, SI")
		a.op("ADDQ $128, DI")
		if s {
			a.op("ADDQ $128, DX")
		}
	})
}

// rowSquares writes square[k] += Σ (x-mu)² and with dot dot[k] += Σ (x-mu)·s.
func rowSquares(a *asm, v vec, name string, dot bool) {
	a.fn(name+v.isa(), "rowSums")
	n, products := stepVectors(v), ""
	if dot {
		products = "dot"
	}
	eachRow(a, dot, "square", products, func() {
		for i := range n {
			a.zero(v, n+i)
			if dot {
				a.zero(v, 2*n+i)
			}
		}
		rowSteps(a, v, dot, func(i int, s string) {
			a.op("VFMADD231PD %s, %s, %s", v.r(i), v.r(i), v.r(n+i))
			if dot {
				a.op("VFMADD231PD %s, %s, %s", s, v.r(i), v.r(2*n+i))
			}
		})
		keep := func(first int, at string) {
			a.foldWide(v, first)
			a.op("VADDSD (%s), X%d, X%d", at, first, first)
			a.op("VMOVSD X%d, (%s)", first, at)
		}
		keep(n, "R11")
		if dot {
			keep(2*n, "R12")
		}
	})
}

// rowAdds writes s += a[k]·(x-mu), but for the rows whose a is 0.
func rowAdds(a *asm, v vec) {
	a.fn("rowAdds"+v.isa(), "rowSums")
	eachRow(a, true, "a", "", func() {
		a.op("VBROADCASTSD (R11), %s", v.r(15))
		a.op("MOVQ (R11), R12")
		a.op("ADDQ R12, R12 // without the sign")
		a.op("JZ added")
		rowSteps(a, v, true, func(i int, s string) {
			a.op("VFMADD213PD %s, %s, %s", s, v.r(15), v.r(i))
			a.op("VMOVUPD %s, %s", v.r(i), s)
		})
		a.label("added")
	})
}
