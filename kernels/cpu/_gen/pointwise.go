package main

import "fmt"

// pointwise writes the kernels of the family.
func pointwise(a *asm) {
	for _, v := range a.vecs {
		for _, f := range []struct{ name, op string }{{"add", "VADD"}, {"sub", "VSUB"}, {"mul", "VMUL"}, {"div", "VDIV"}} {
			k := a.row(v, f.name, "z x y []float32")
			k.loop("", 4, 1, func(l lane) {
				x := l.load("x", 0)
				l.do(f.op, l.mem("y"), x, x)
				l.store(x, "z")
			})
			a.ret()
		}

		k := a.row(v, "mulAdd", "z x y []float32")
		k.loop("", 4, 2, func(l lane) {
			z, x := l.load("z", 0), l.load("x", 1)
			l.do("VFMADD231", l.mem("y"), x, z)
			l.store(z, "z")
		})
		a.ret()

		k = a.row(v, "axpy", "y x []float32, a float32")
		k.loop("", 4, 1, func(l lane) {
			y := l.load("y", 0)
			l.do("VFMADD231", l.mem("x"), l.k("a"), y)
			l.store(y, "y")
		})
		a.ret()

		k = a.row(v, "affine", "y x []float32, m a float32")
		k.loop("", 4, 1, func(l lane) {
			x := l.load("x", 0)
			l.do("VFMADD213", l.k("a"), l.k("m"), x)
			l.store(x, "y")
		})
		a.ret()

		k = a.row(v, "relu", "y x []float32")
		k.zeros()
		k.loop("", 4, 1, func(l lane) {
			l.do("VMAX", l.mem("x"), l.k("0"), l.t(0)) // a NaN in x wins: it is the first operand here
			l.store(l.t(0), "y")
		})
		a.ret()

		for _, f := range []struct {
			name, signature string
			add             bool
		}{
			{"reluGrad", "dx y dy []float32", false},
			{"reluGradAdd", "dx y dy []float32", true},
			{"reluGradHalf", "dx []float32, y dy []tensor.BFloat16", false},
			{"reluGradAddHalf", "dx []float32, y dy []tensor.BFloat16", true},
		} {
			if a.lacks(f.signature) {
				continue
			}
			k = a.row(v, f.name, f.signature)
			k.zeros()
			k.loop("", 4, 2, func(l lane) {
				d := l.kept("y", "dy", 0)
				if f.add {
					l.do("VADD", l.mem("dx"), d, d)
				}
				l.store(d, "dx")
			})
			a.ret()
		}

		if !a.arm() {
			halves(a, v)
		}
		maxTap(a, v)
		exp(a, v)
		sumSquares(a, v)
		updates(a, v)
	}
}

// maxTap replaces best where x is not at most best, as is so if either is a NaN,
// except where best is one.
func maxTap(a *asm, v vec) {
	const notAtMost, ordered = 0x16, 7
	k := a.row(v, "maxTap", "best []float32, where []int32, x []float32, pixel int32")
	k.loop("", 2, 4, func(l lane) {
		best, x, where := l.load("best", 0), l.load("x", 1), l.load("where", 2)
		if l.v == neon {
			l.maxTapNEON(best, x, where)
		} else if l.v == zmm && !l.scalar {
			a.op("VCMPPS $%d, %s, %s, K%d", notAtMost, best, x, 1+l.u)
			a.op("VCMPPS $%d, %s, %s, K%d, K%d", ordered, best, best, 1+l.u, 1+l.u)
			a.op("VMOVAPS %s, K%d, %s", x, 1+l.u, best)
			a.op("VMOVAPS %s, K%d, %s", l.k("pixel"), 1+l.u, where)
		} else {
			mask, number := l.t(3), l.reg(14)
			a.op("VCMPPS $%d, %s, %s, %s", notAtMost, best, x, mask)
			a.op("VCMPPS $%d, %s, %s, %s", ordered, best, best, number)
			a.op("VANDPS %s, %s, %s", number, mask, mask)
			a.op("VBLENDVPS %s, %s, %s, %s", mask, x, best, best)
			a.op("VBLENDVPS %s, %s, %s, %s", mask, l.k("pixel"), where, where)
		}
		l.store(best, "best")
		l.store(where, "where")
	})
	a.ret()
}

// expInRange writes y = e^x = 2^n·e^r with n = x/ln 2 rounded and |r| <= ln 2/2,
// e^r by its Taylor polynomial of degree 7, whose error is 5e-9; 2^n is added to
// the exponent's bits. x, which r holds at first, is a NaN or where that works.
// k says which register has a field of expSeries; y may be n.
func (a *asm) expInRange(r, bits, n, y string, k func(string) string) {
	a.op("VMULPS %s, %s, %s", r, k("log2e"), bits)
	a.op("VCVTPS2DQ %s, %s", bits, bits)
	a.op("VCVTDQ2PS %s, %s", bits, n)
	a.op("VFNMADD231PS %s, %s, %s", n, k("ln2"), r)
	a.op("VFNMADD231PS %s, %s, %s", n, k("ln2Rest"), r)
	a.op("VMOVAPS %s, %s", k("c7"), y)
	for _, c := range []string{"c6", "c5", "c4", "c3", "c2", "c1", "c1"} {
		a.op("VFMADD213PS %s, %s, %s", k(c), r, y)
	}
	a.op("VPSLLD $23, %s, %s", bits, bits)
	a.op("VPADDD %s, %s, %s", bits, y, y)
}

// exp brings x to where expInRange works, and gives 0 for what was below. A NaN
// stays one.
func exp(a *asm, v vec) {
	const notLess = 0x15
	k := a.row(v, "exp", "y x []float32, p *expSeries")
	for _, f := range []string{"low", "high", "log2e", "ln2", "ln2Rest", "c7", "c6", "c5", "c4", "c3", "c2", "c1"} {
		k.repeat(fmt.Sprintf("expSeries_%s(%s)", f, k.ptr["p"]), f)
	}
	k.loop("", 1, 4, func(l lane) {
		r, bits, n, y := l.t(0), l.t(1), l.t(2), l.t(3)
		l.load("x", 0)
		if l.v == neon {
			l.expNEON()
			return
		}
		a.op("VMAXPS %s, %s, %s", r, l.k("low"), r) // a NaN in r wins: it is the first operand
		a.op("VMINPS %s, %s, %s", r, l.k("high"), r)
		a.expInRange(r, bits, n, y, l.k)
		x := l.load("x", 0)
		if l.v == zmm && !l.scalar {
			a.op("VCMPPS $%d, %s, %s, K1", notLess, l.k("low"), x)
			a.op("VMOVAPS.Z %s, K1, %s", y, y)
		} else {
			a.op("VCMPPS $%d, %s, %s, %s", notLess, l.k("low"), x, n)
			a.op("VANDPS %s, %s, %s", n, y, y)
		}
		l.store(y, "y")
	})
	a.ret()
}

// sumSquares widens to float64 before it squares: a float32's square overflows
// early.
func sumSquares(a *asm, v vec) {
	k := a.row(v, "sumSquares", "acc *[16]float64, x []float32")
	if v == neon {
		k.sumSquaresNEON()
		return
	}
	acc, x, wide := k.ptr["acc"], k.ptr["x"], v.bytes/8
	half := map[vec]string{zmm: "Y", ymm: "X"}[v]
	n := 16 / wide
	for i := range n {
		a.op("VMOVUPD %d(%s), %s", i*v.bytes, acc, v.r(i))
	}
	a.op("XORQ AX, AX")
	a.op("MOVQ CX, R12")
	a.op("ANDQ $-16, R12")
	a.op("CMPQ AX, R12")
	a.op("JGE manyend")
	a.label("many")
	for i := range n {
		a.op("VMOVUPS %d(%s)(AX*4), %s%d", i*wide*4, x, half, n+i)
		a.op("VCVTPS2PD %s%d, %s", half, n+i, v.r(n+i))
		a.op("VFMADD231PD %s, %s, %s", v.r(n+i), v.r(n+i), v.r(i))
	}
	a.op("ADDQ $16, AX")
	a.op("CMPQ AX, R12")
	a.op("JLT many")
	a.label("manyend")
	for i := range n {
		a.op("VMOVUPD %s, %d(%s)", v.r(i), i*v.bytes, acc)
	}
	a.op("CMPQ AX, CX")
	a.op("JGE end")
	a.label("tail")
	a.op("VMOVSS (%s)(AX*4), X0", x)
	a.op("VCVTSS2SD X0, X0, X0")
	a.op("VMOVSD (%s), X1", acc)
	a.op("VFMADD231SD X0, X0, X1")
	a.op("VMOVSD X1, (%s)", acc)
	a.op("ADDQ $8, %s", acc)
	a.op("INCQ AX")
	a.op("CMPQ AX, CX")
	a.op("JLT tail")
	a.label("end")
	a.ret()
}

// updates writes the optimizers' loops.
func updates(a *asm, v vec) {
	// decayed is g + decay·w in temporary 0, with w in temporary 1.
	decayed := func(l lane) (d, w string) {
		d, w = l.load("g", 0), l.load("w", 1)
		l.do("VFMADD231", w, l.k("decay"), d)
		return d, w
	}
	// step is w -= lr·d.
	step := func(l lane, d, w string) {
		l.do("VFNMADD231", d, l.k("lr"), w)
		l.store(w, "w")
	}

	k := a.row(v, "sgd", "w g []float32, lr decay float32")
	k.loop("", 4, 2, func(l lane) {
		d, w := decayed(l)
		step(l, d, w)
	})
	a.ret()

	for _, nesterov := range []bool{false, true} {
		name := map[bool]string{false: "sgdMomentum", true: "sgdNesterov"}[nesterov]
		k := a.row(v, name, "w v g []float32, lr mom decay float32")
		k.loop("", 4, 3, func(l lane) {
			d, w := decayed(l)
			m := l.load("v", 2)
			l.do("VFMADD213", d, l.k("mom"), m)
			l.store(m, "v")
			if nesterov {
				l.do("VFMADD231", m, l.k("mom"), d)
				m = d
			}
			step(l, m, w)
		})
		a.ret()
	}

	k = a.row(v, "adamW", "w m v g []float32, p *adamStep")
	for _, f := range []string{"g1", "b2", "g2", "shrink", "rate", "root", "eps"} {
		k.repeat(fmt.Sprintf("adamStep_%s(%s)", f, k.ptr["p"]), f)
	}
	k.loop("", 1, 4, func(l lane) {
		g, m := l.load("g", 0), l.load("m", 1)
		l.do("VSUB", m, g, l.t(2))
		l.do("VFMADD231", l.t(2), l.k("g1"), m)
		l.store(m, "m")
		l.do("VMUL", g, g, g)
		l.do("VMUL", l.k("g2"), g, g)
		s := l.load("v", 2)
		l.do("VFMADD213", g, l.k("b2"), s)
		l.store(s, "v")
		if l.scalar {
			l.do("VSQRT", s, s, s)
		} else {
			l.do("VSQRT", s, s)
		}
		l.do("VFMADD213", l.k("eps"), l.k("root"), s)
		l.do("VMUL", l.k("rate"), m, m)
		l.do("VDIV", s, m, m)
		l.do("VMUL", l.mem("w"), l.k("shrink"), l.t(3))
		l.do("VSUB", m, l.t(3), m)
		l.store(m, "w")
	})
	a.ret()
}
