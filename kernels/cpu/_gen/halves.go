package main

import "strings"

// Slices of bfloat16 numbers. A loop sees them as float32: load widens and
// roundTo rounds them. On arm64 the loops with such slices are Go's.

// halfSlice is their type.
const halfSlice = "[]tensor.BFloat16"

// lacks reports whether a loop of this signature is Go's.
func (a *asm) lacks(signature string) bool { return a.arm() && strings.Contains(signature, halfSlice) }

// halves writes the conversions.
func halves(a *asm, v vec) {
	k := a.row(v, "widen", "y []float32, x []tensor.BFloat16")
	k.loop("", 4, 1, func(l lane) { l.store(l.load("x", 0), "y") })
	a.ret()

	k = a.row(v, "narrow", "y []tensor.BFloat16, x []float32")
	k.rounding("y")
	k.loop("", 4, 3, func(l lane) {
		l.load("x", 0)
		l.roundTo("y", 0, 1, 2)
	})
	a.ret()
}

// operand is a slice as an operand of arithmetic: its memory, or temporary i with
// what is kept there, widened.
func (l lane) operand(name string, i int) string {
	if l.half[name] {
		return l.load(name, i)
	}
	return l.mem(name)
}

// widen reads a slice into temporary i.
func (l lane) widen(name string, i int) {
	if l.scalar {
		l.a.op("MOVWLZX %s, R13", l.mem(name))
		l.a.op("SHLL $16, R13")
		l.a.op("VMOVD R13, %s", l.t(i))
		return
	}
	l.a.op("VPMOVZXWD %s, %s", l.mem(name), l.t(i))
	l.a.op("VPSLLD $16, %s, %s", l.t(i), l.t(i))
}

// rounding reserves what roundTo needs, if a slice holds bfloat16 numbers.
func (k *row) rounding(name string) {
	if k.half[name] {
		k.bits("one", 1)
		k.bits("middle", 0x7fff)
		k.bits("quiet", 0x40)
	}
}

// bits reserves a register that repeats a 32-bit pattern.
func (k *row) bits(name string, pattern uint32) {
	k.constant(name)
	k.a.op("MOVL $%#x, R12", pattern)
	k.a.op("VMOVD R12, X%d", k.c[name])
	k.a.op("VPBROADCASTD X%d, %s", k.c[name], k.v.r(k.c[name]))
}

// roundTo writes temporary i to a slice; if that holds bfloat16 numbers it
// changes i and two more temporaries. Rounding adds what lifts lower halves above
// the middle, and in the middle those behind an odd number, to the next number;
// NaNs, which that might carry away, are made quiet instead. (The processor's own
// VCVTNEPS2BF16 takes denormals for zeros.)
func (l lane) roundTo(name string, i, j, k int) {
	if !l.half[name] {
		l.store(l.t(i), name)
		return
	}
	const unordered = 3
	a, x, up, nan := l.a, l.t(i), l.t(j), l.t(k)
	wide := l.v == zmm && !l.scalar
	and, or := "VPAND", "VPOR"
	if wide {
		and, or = "VPANDD", "VPORD"
	}
	a.op("VPSRLD $16, %s, %s", x, up)
	a.op("%s %s, %s, %s", or, l.k("quiet"), up, nan)
	a.op("%s %s, %s, %s", and, l.k("one"), up, up)
	a.op("VPADDD %s, %s, %s", l.k("middle"), up, up)
	a.op("VPADDD %s, %s, %s", x, up, up)
	a.op("VPSRLD $16, %s, %s", up, up)
	if wide {
		a.op("VCMPPS $%d, %s, %s, K%d", unordered, x, x, 1+l.u)
		a.op("VMOVDQA32 %s, K%d, %s", nan, 1+l.u, up)
		a.op("VPMOVDW %s, %s", up, l.mem(name))
		return
	}
	a.op("VCMPPS $%d, %s, %s, %s", unordered, x, x, x)
	a.op("VBLENDVPS %s, %s, %s, %s", x, nan, up, up)
	if l.scalar {
		a.op("VPEXTRW $0, %s, %s", up, l.mem(name))
		return
	}
	a.op("VPACKUSDW %s, %s, %s", up, up, up)
	a.op("VPERMQ $8, %s, %s", up, up)
	a.op("VMOVDQU X%d, %s", l.first+j, l.mem(name))
}
