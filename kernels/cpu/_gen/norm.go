package main

// norm writes the kernels of the family.
func norm(a *asm) {
	for _, v := range a.vecs {
		k := a.row(v, "moments", "s1 s2 x k []float32")
		k.loop("", 4, 3, func(l lane) {
			d := l.load("x", 0)
			l.do("VSUB", l.mem("k"), d, d)
			l.do("VADD", l.mem("s1"), d, l.t(1))
			l.store(l.t(1), "s1")
			s2 := l.load("s2", 2)
			l.do("VFMADD231", d, d, s2)
			l.store(s2, "s2")
		})
		a.ret()

		k = a.row(v, "normApply", "y x res mean scale shift []float32, floor float32")
		body := func(residual bool) func(l lane) {
			return func(l lane) {
				x := l.load("x", 0)
				l.do("VSUB", l.mem("mean"), x, x)
				shift := l.load("shift", 1)
				l.do("VFMADD231", l.mem("scale"), x, shift)
				if residual {
					l.do("VADD", l.mem("res"), shift, shift)
				}
				l.do("VMAX", shift, l.k("floor"), shift) // a NaN passes: it is the first operand here
				l.store(shift, "y")
			}
		}
		k.ifNil("res", "plain")
		k.loop("res", 4, 2, body(true))
		a.ret()
		a.label("plain")
		k.loop("plain", 4, 2, body(false))
		a.ret()

		// either emits a loop for the case with the mask of ReLU (y is not nil)
		// and one for the case without; body gets dz in temporary 0.
		either := func(k *row, unroll, temps int, body func(l lane)) {
			k.zeros()
			k.ifNil("y", "plain")
			k.loop("relu", unroll, temps, func(l lane) {
				l.kept("y", "dy", 0)
				body(l)
			})
			a.ret()
			a.label("plain")
			k.loop("plain", unroll, temps, func(l lane) {
				l.load("dy", 0)
				body(l)
			})
			a.ret()
		}

		k = a.row(v, "normGradSums", "s1 s2 x y dy mean []float32")
		either(k, 4, 3, func(l lane) {
			dz, x := l.t(0), l.load("x", 1)
			l.do("VSUB", l.mem("mean"), x, x)
			s2 := l.load("s2", 2)
			l.do("VFMADD231", dz, x, s2)
			l.store(s2, "s2")
			l.do("VADD", l.mem("s1"), dz, dz)
			l.store(dz, "s1")
		})

		for _, add := range []bool{false, true} {
			name := map[bool]string{false: "normGrad", true: "normGradAdd"}[add]
			k = a.row(v, name, "dx x y dy mean k1 k2 k3 []float32")
			either(k, 4, 3, func(l lane) {
				dz, x := l.t(0), l.load("x", 1)
				l.do("VSUB", l.mem("mean"), x, x)
				d := l.load("k2", 2)
				l.do("VFMADD231", l.mem("k3"), x, d)
				l.do("VFMADD231", l.mem("k1"), dz, d)
				if add {
					l.do("VADD", l.mem("dx"), d, d)
				}
				l.store(d, "dx")
			})
		}
	}
}
