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

		for _, f := range []struct{ name, signature string }{
			{"normApply", "y x res []float32, mean scale shift []float32, floor float32"},
			{"normApplyHalf", "y x res []tensor.BFloat16, mean scale shift []float32, floor float32"},
			{"normApplyWide", "y []float32, x []tensor.BFloat16, mean scale shift []float32, floor float32"},
		} {
			if a.lacks(f.signature) {
				continue
			}
			k = a.row(v, f.name, f.signature)
			k.rounding("y")
			body := func(residual bool) func(l lane) {
				return func(l lane) {
					x := l.load("x", 0)
					l.do("VSUB", l.mem("mean"), x, x)
					shift := l.load("shift", 1)
					l.do("VFMADD231", l.mem("scale"), x, shift)
					if residual {
						l.do("VADD", l.operand("res", 0), shift, shift)
					}
					l.do("VMAX", shift, l.k("floor"), shift) // a NaN passes: it is the first operand here
					l.roundTo("y", 1, 0, 2)
				}
			}
			temps := 2
			if k.half["y"] {
				temps = 3
			}
			if k.ptr["res"] != "" {
				k.ifNil("res", "plain")
				k.loop("res", 4, temps, body(true))
				a.ret()
				a.label("plain")
			}
			k.loop("plain", 4, temps, body(false))
			a.ret()
		}

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

		for _, f := range []struct{ name, signature string }{
			{"normGradSums", "s1 s2 x y dy mean []float32"},
			{"normGradSumsHalf", "s1 s2 []float32, x y dy []tensor.BFloat16, mean []float32"},
		} {
			if a.lacks(f.signature) {
				continue
			}
			either(a.row(v, f.name, f.signature), 4, 3, func(l lane) {
				dz, x := l.t(0), l.load("x", 1)
				l.do("VSUB", l.mem("mean"), x, x)
				s2 := l.load("s2", 2)
				l.do("VFMADD231", dz, x, s2)
				l.store(s2, "s2")
				l.do("VADD", l.mem("s1"), dz, dz)
				l.store(dz, "s1")
			})
		}

		for _, f := range []struct {
			name, signature string
			add             bool
		}{
			{"normGrad", "dx x y dy mean k1 k2 k3 []float32", false},
			{"normGradAdd", "dx x y dy mean k1 k2 k3 []float32", true},
			{"normGradHalf", "dx []float32, x y dy []tensor.BFloat16, mean k1 k2 k3 []float32", false},
		} {
			if a.lacks(f.signature) {
				continue
			}
			either(a.row(v, f.name, f.signature), 4, 3, func(l lane) {
				dz, x := l.t(0), l.load("x", 1)
				l.do("VSUB", l.mem("mean"), x, x)
				d := l.load("k2", 2)
				l.do("VFMADD231", l.mem("k3"), x, d)
				l.do("VFMADD231", l.mem("k1"), dz, d)
				if f.add {
					l.do("VADD", l.mem("dx"), d, d)
				}
				l.store(d, "dx")
			})
		}
	}
}
