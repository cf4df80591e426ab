package main

import "fmt"

// loss writes the kernels of a row's softmax loss. Rows are padded to whole
// steps of two vectors (four of AVX2's), so no loop has a tail.
func loss(a *asm) {
	for _, v := range []vec{zmm, ymm} {
		rowExps(a, v)
		rowPowers(a, v)
		rowTerms(a, v)
		rowSlopes(a, v)
	}
}

// row starts a kernel of a lossRow: the number of vectors in CX, rows in
// registers.
func (a *asm) lossRow(v vec, name string) (l, e, u string) {
	a.fn(name+v.isa(), "lossRow")
	l, e, u = "SI", "DI", "DX"
	for _, f := range [][2]string{{"l", l}, {"e", e}, {"u", u}, {"n", "CX"}} {
		a.load("lossRow", f[0], f[1])
	}
	a.op("SHRQ $%d, CX", map[vec]int{zmm: 4, ymm: 3}[v])
	return l, e, u
}

// field repeats a number of the argument in register i.
func (a *asm) field(v vec, name string, i int) string {
	a.op("VBROADCASTSS lossRow_%s(AX), %s", name, v.r(i))
	return v.r(i)
}

// seriesIn loads the coefficients of the exponential into the registers below
// top and says where each is.
func (a *asm) seriesIn(v vec, top int) func(string) string {
	at := map[string]string{}
	a.load("lossRow", "series", "R8")
	for _, f := range []string{"low", "log2e", "ln2", "ln2Rest", "c7", "c6", "c5", "c4", "c3", "c2", "c1"} {
		top--
		at[f] = v.r(top)
		a.op("VBROADCASTSS expSeries_%s(R8), %s", f, v.r(top))
	}
	return func(f string) string { return at[f] }
}

// fold brings the lanes of register i together with op and leaves the result in
// its lowest; it uses register tmp.
func (a *asm) fold(v vec, op string, i, tmp int) {
	if v == zmm {
		a.op("VEXTRACTF64X4 $1, Z%d, Y%d", i, tmp)
		a.op("%s Y%d, Y%d, Y%d", op, tmp, i, i)
	}
	a.op("VEXTRACTF128 $1, Y%d, X%d", i, tmp)
	a.op("%s X%d, X%d, X%d", op, tmp, i, i)
	a.op("VPERMILPS $0x4E, X%d, X%d", i, tmp)
	a.op("%s X%d, X%d, X%d", op, tmp, i, i)
	a.op("VPERMILPS $0xB1, X%d, X%d", i, tmp)
	a.op("%s X%d, X%d, X%d", op, tmp, i, i)
}

// rowExps writes most = the largest of l, top = its first place, which is then
// taken out; l -= most; e = e^l, not below e^low; rest = Σe. It also fetches the
// rows next and out into the cache.
func rowExps(a *asm, v vec) {
	l, e, _ := a.lossRow(v, "rowExps")
	a.op("MOVQ CX, R9")
	a.op("MOVQ %s, R10", l)
	a.op("VMOVUPS (R10), %s", v.r(0))
	a.op("VMOVAPS %s, %s", v.r(0), v.r(1))
	a.op("SHRQ $1, R9")
	a.loop("most", "R9", func() {
		a.op("VMAXPS (R10), %s, %s", v.r(0), v.r(0))
		a.op("VMAXPS %d(R10), %s, %s", v.bytes, v.r(1), v.r(1))
		a.op("ADDQ $%d, R10", 2*v.bytes)
	})
	a.op("VMAXPS %s, %s, %s", v.r(1), v.r(0), v.r(0))
	a.fold(v, "VMAXPS", 0, 1)
	a.op("VMOVSS X0, lossRow_most(AX)")
	most := v.r(15)
	a.op("VBROADCASTSS X0, %s", most)

	const equal = 0
	a.op("XORQ R9, R9") // the place of a vector
	a.op("MOVQ CX, R11")
	a.loop("where", "R11", func() {
		if v == zmm {
			a.op("VCMPPS $%d, (%s)(R9*4), %s, K1", equal, l, most)
			a.op("KMOVW K1, R10")
		} else {
			a.op("VCMPPS $%d, (%s)(R9*4), %s, %s", equal, l, most, v.r(1))
			a.op("VMOVMSKPS %s, R10", v.r(1))
		}
		a.op("TESTL R10, R10")
		a.op("JNZ found")
		a.op("ADDQ $%d, R9", v.lanes())
	})
	a.op("XORQ R9, R9") // a NaN is nowhere
	a.op("MOVQ $1, R10")
	a.label("found")
	a.op("BSFQ R10, R10")
	a.op("ADDQ R10, R9")
	a.op("MOVQ R9, lossRow_top(AX)")
	a.op("MOVL $0xFF7FFFFF, (%s)(R9*4)", l) // the least float32

	k := a.seriesIn(v, 15)
	x, bits, y, sum := v.r(0), v.r(1), v.r(2), v.r(3)
	a.zero(v, 3)
	a.op("XORQ R9, R9")
	a.load("lossRow", "next", "R10")
	a.load("lossRow", "out", "R11")
	a.loop("exps", "CX", func() {
		a.op("PREFETCHT0 (R10)(R9*4)") // the exponentials take longer than memory does
		a.op("PREFETCHT0 (R11)(R9*4)")
		a.op("VMOVUPS (%s)(R9*4), %s", l, x)
		a.op("VSUBPS %s, %s, %s", most, x, x)
		a.op("VMOVUPS %s, (%s)(R9*4)", x, l)
		a.op("VMAXPS %s, %s, %s", x, k("low"), x) // a NaN in x wins: it is the first operand
		a.expInRange(x, bits, y, y, k)
		a.op("VMOVUPS %s, (%s)(R9*4)", y, e)
		a.op("VADDPS %s, %s, %s", y, sum, sum)
		a.op("ADDQ $%d, R9", v.lanes())
	})
	a.fold(v, "VADDPS", 3, 0)
	a.op("VMOVSS X3, lossRow_rest(AX)")
	a.ret()
}

// rowPowers writes u = e^(gamma·(l-log)), 0 where e is: 2^127·e, which is above 1
// for any other e, is an upper limit.
func rowPowers(a *asm, v vec) {
	l, e, u := a.lossRow(v, "rowPowers")
	k := a.seriesIn(v, 16)
	x, bits, y, limit := v.r(0), v.r(1), v.r(2), v.r(3)
	a.op("XORQ R9, R9")
	a.loop("powers", "CX", func() {
		a.op("VMOVUPS (%s)(R9*4), %s", l, x)
		a.op("VSUBPS %s, %s, %s", a.field(v, "log", 3), x, x)
		a.op("VMULPS %s, %s, %s", a.field(v, "gamma", 3), x, x)
		a.op("VMAXPS %s, %s, %s", x, k("low"), x)
		a.expInRange(x, bits, y, y, k)
		a.op("VMULPS (%s)(R9*4), %s, %s", e, a.field(v, "huge", 3), limit)
		a.op("VMINPS %s, %s, %s", y, limit, y)
		a.op("VMOVUPS %s, (%s)(R9*4)", y, u)
		a.op("ADDQ $%d, R9", v.lanes())
	})
	a.ret()
}

// rowTerms writes, with p = max(e·inv, floor), q = l - log and m = 1, p, p², p⁴ or what u
// holds, as power says, loss = Σ m·q; u = m·(1 + slope·q); sum = Σ u.
func rowTerms(a *asm, v vec) {
	l, e, u := a.lossRow(v, "rowTerms")
	inv, log, slope, floor := a.field(v, "inv", 15), a.field(v, "log", 14), a.field(v, "slope", 13), a.field(v, "floor", 7)
	a.load("lossRow", "series", "R8")
	one := v.r(12)
	a.op("VBROADCASTSS expSeries_c1(R8), %s", one)
	for i := range 4 {
		a.zero(v, 8+i)
	}
	a.op("XORQ R9, R9")
	a.op("SHRQ $1, CX")
	a.load("lossRow", "power", "R8")
	powers := []struct {
		power, squares int
	}{{0, 0}, {1, 0}, {2, 1}, {4, 2}}
	for _, p := range powers {
		a.op("CMPQ R8, $%d", p.power)
		a.op("JEQ power%d", p.power)
	}
	body := func(name string, modulation func(m string, at string)) {
		// Not a.loop: with jumps over several aligned loops the assembler does not
		// come to an end.
		a.label(name)
		for i := range 2 {
			at := func(ptr string) string { return fmt.Sprintf("%d(%s)(R9*4)", i*v.bytes, ptr) }
			m, q, d := v.r(4*i), v.r(4*i+1), v.r(4*i+2)
			modulation(m, at(e))
			if name == "given" {
				a.op("VMOVUPS %s, %s", at(u), m)
			}
			a.op("VMOVUPS %s, %s", at(l), q)
			a.op("VSUBPS %s, %s, %s", log, q, q)
			a.op("VFMADD231PS %s, %s, %s", m, q, v.r(8+i))
			a.op("VMOVAPS %s, %s", one, d)
			a.op("VFMADD231PS %s, %s, %s", q, slope, d)
			a.op("VMULPS %s, %s, %s", m, d, d)
			a.op("VADDPS %s, %s, %s", d, v.r(10+i), v.r(10+i))
			a.op("VMOVUPS %s, %s", d, at(u))
		}
		a.op("ADDQ $%d, R9", 2*v.lanes())
		a.op("DECQ CX")
		a.op("JNZ %s", name)
	}
	body("given", func(string, string) {})
	a.op("JMP done")
	for _, p := range powers {
		a.label(fmt.Sprintf("power%d", p.power))
		body(fmt.Sprintf("loop%d", p.power), func(m, e string) {
			if p.power == 0 {
				a.op("VMOVAPS %s, %s", one, m)
				return
			}
			a.op("VMULPS %s, %s, %s", e, inv, m)
			a.op("VMAXPS %s, %s, %s", floor, m, m)
			for range p.squares {
				a.op("VMULPS %s, %s, %s", m, m, m)
			}
		})
		a.op("JMP done")
	}
	a.label("done")
	for _, r := range []struct {
		field string
		at    int
	}{{"loss", 8}, {"sum", 10}} {
		a.op("VADDPS %s, %s, %s", v.r(r.at+1), v.r(r.at), v.r(r.at))
		a.fold(v, "VADDPS", r.at, 0)
		a.op("VMOVSS X%d, lossRow_%s(AX)", r.at, r.field)
	}
	a.ret()
}

// rowSlopes writes u = scale·u - all·e.
func rowSlopes(a *asm, v vec) {
	_, e, u := a.lossRow(v, "rowSlopes")
	scale, all := a.field(v, "scale", 15), a.field(v, "all", 14)
	a.op("XORQ R9, R9")
	a.loop("slopes", "CX", func() {
		a.op("VMULPS (%s)(R9*4), %s, %s", u, scale, v.r(0))
		a.op("VFNMADD231PS (%s)(R9*4), %s, %s", e, all, v.r(0))
		a.op("VMOVUPS %s, (%s)(R9*4)", v.r(0), u)
		a.op("ADDQ $%d, R9", v.lanes())
	})
	a.ret()
}
