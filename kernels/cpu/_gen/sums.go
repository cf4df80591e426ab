package main

import "fmt"

// sums writes sums over rows of float32 in float64, in steps of 16 numbers: two
// vectors, or four of AVX2's, each with sums of its own.
func sums(a *asm) {
	for _, v := range []vec{zmm, ymm} {
		for _, k := range []struct {
			name        string
			square, dot bool
		}{{"rowSum", false, false}, {"rowSquare", true, false}, {"rowDot", true, true}} {
			rowSum(a, v, k.name, k.square, k.dot)
		}
		rowAdd(a, v)
	}
}

// rowStep writes the loop over the steps: it calls body for each vector of one,
// which is in register i in float64, with the addresses of others by their names.
// The next row is fetched into the cache: rows may lie anywhere.
func rowStep(a *asm, v vec, ptrs map[string]string, body func(i int, at func(ptr string) string)) {
	a.loop("step", "CX", func() {
		vectors := 16 * 8 / v.bytes
		for i := range vectors {
			half := v.r(i)
			a.op("VCVTPS2PD %d(SI), %s", i*v.bytes/2, half)
			body(i, func(ptr string) string { return fmt.Sprintf("%d(%s)", i*v.bytes, ptrs[ptr]) })
		}
		a.op("PREFETCHT0 (R8)")
		a.op("ADDQ $64, R8")
		a.op("ADDQ $64, SI")
		for _, ptr := range []string{"mu", "s"} {
			if reg, ok := ptrs[ptr]; ok {
				a.op("ADDQ $128, %s", reg)
			}
		}
	})
}

// rowPointers loads what a kernel reads.
func rowPointers(a *asm, names ...string) map[string]string {
	ptrs := map[string]string{}
	a.load("rowSums", "x", "SI")
	a.load("rowSums", "next", "R8")
	for i, name := range names {
		ptrs[name] = []string{"DI", "DX"}[i]
		a.load("rowSums", name, ptrs[name])
	}
	a.load("rowSums", "n", "CX")
	return ptrs
}

// rowSum writes a sum of numbers, of squared distances, or of these and products.
func rowSum(a *asm, v vec, name string, square, dot bool) {
	a.fn(name+v.isa(), "rowSums")
	vectors := 16 * 8 / v.bytes
	var names []string
	if square {
		names = append(names, "mu")
	}
	if dot {
		names = append(names, "s")
	}
	ptrs := rowPointers(a, names...)
	for i := range 2 * vectors {
		a.zero(v, vectors+i)
	}
	rowStep(a, v, ptrs, func(i int, at func(string) string) {
		e, sum, product := v.r(i), v.r(vectors+i), v.r(2*vectors+i)
		if !square {
			a.op("VADDPD %s, %s, %s", e, sum, sum)
			return
		}
		a.op("VSUBPD %s, %s, %s", at("mu"), e, e)
		a.op("VFMADD231PD %s, %s, %s", e, e, sum)
		if dot {
			a.op("VFMADD231PD %s, %s, %s", at("s"), e, product)
		}
	})
	keep := func(field string, first int) {
		for n := vectors / 2; n >= 1; n /= 2 {
			for i := range n {
				a.op("VADDPD %s, %s, %s", v.r(first+i+n), v.r(first+i), v.r(first+i))
			}
		}
		a.op("VADDPD rowSums_%s(AX), %s, %s", field, v.r(first), v.r(first))
		a.op("VMOVUPD %s, rowSums_%s(AX)", v.r(first), field)
	}
	keep("square", vectors)
	if dot {
		keep("dot", 2*vectors)
	}
	a.ret()
}

// rowAdd writes s += a·(x-mu).
func rowAdd(a *asm, v vec) {
	a.fn("rowAdd"+v.isa(), "rowSums")
	ptrs := rowPointers(a, "mu", "s")
	factor := v.r(15)
	a.op("VBROADCASTSD rowSums_a(AX), %s", factor)
	rowStep(a, v, ptrs, func(i int, at func(string) string) {
		e := v.r(i)
		a.op("VSUBPD %s, %s, %s", at("mu"), e, e)
		a.op("VFMADD213PD %s, %s, %s", at("s"), factor, e)
		a.op("VMOVUPD %s, %s", e, at("s"))
	})
	a.ret()
}
