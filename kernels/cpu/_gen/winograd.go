package main

import (
	"fmt"
	"math"
)

// A lineMap is a linear map of a few numbers, each of them a vector, that the
// kernels of Winograd's convolution apply along both axes of a tile. Its
// matrices are those of the points 0, ±1, ±2 and infinity.
type lineMap struct {
	name    string
	in, out int
	factors []float32
	adds    bool // the kernel can add to what is there
	// The kernel asks for the vectors of the next tile, which follow those of this
	// one in the second cache.
	nextSrc, nextDst bool
	gathers          bool // lanes lie apart in the source, one after another in the result
	// line maps the registers d, which it may overwrite, and gives the results.
	line func(l *lanes, d []int) []int
}

func winograd(a *asm) {
	a.lanes("winoLanes")
	for _, v := range []vec{zmm, ymm} {
		for _, m := range []lineMap{
			{name: "winoFilter", in: 3, out: 6, factors: []float32{1. / 4, 1. / 2, 1. / 6}, line: filterLine, gathers: true},
			{name: "winoOutput", in: 6, out: 4, factors: []float32{2, 4, 8}, line: outputLine, adds: true, nextSrc: true},
			{name: "winoGrad", in: 4, out: 6, factors: []float32{2, 4}, line: gradLine, nextDst: true},
			{name: "winoFilterGrad", in: 6, out: 3, factors: []float32{1. / 4, 1. / 2, 1. / 6}, line: filterGradLine},
		} {
			tileMap(a, v, m)
		}
		imageTiles(a, v)
		products(a, v)
		if v.bytes == 64 {
			panelProducts(a, v)
		}
		outerProducts(a, v)
	}
}

// imageLine is Bᵀd:
//
//	4  0 -5  0  1  0
//	0 -4 -4  1  1  0
//	0  4 -4 -1  1  0
//	0 -2 -1  2  1  0
//	0  2 -1 -2  1  0
//	0  4  0 -5  0  1
func imageLine(l *lanes, d []int) []int {
	even, odd := l.sub(d[4], d[2]), l.sub(d[3], d[1])
	l.op("VSUBPS", d[3], d[5], d[5])
	l.op("VFNMADD231PS", l.factor(4), odd, d[5])
	l.op("VSUBPS", d[2], d[0], d[0])
	l.op("VFMADD213PS", even, l.factor(4), d[0])
	l.op("VFNMADD231PS", l.factor(4), d[2], d[4])
	l.op("VFNMADD231PS", l.factor(4), d[1], d[3])
	l.op("VADDPS", d[3], d[4], d[1])
	l.op("VSUBPS", d[3], d[4], d[2])
	l.move(even, d[3])
	l.op("VFMADD231PS", l.factor(2), odd, d[3])
	l.op("VFNMADD231PS", l.factor(2), odd, even)
	l.drop(odd, d[4])
	return []int{d[0], d[1], d[2], d[3], even, d[5]}
}

// filterLine is Gg:
//
//	 1/4    0    0
//	-1/6 -1/6 -1/6
//	-1/6  1/6 -1/6
//	1/24 1/12  1/6
//	1/24 -1/12 1/6
//	   0    0    1
func filterLine(l *lanes, g []int) []int {
	ends := l.add(g[0], g[2])
	plus := l.add(ends, g[1])
	l.negate(plus)
	minus := l.sub(g[1], ends)
	l.op("VMULPS", l.factor(1./4), g[0], g[0])
	l.op("VADDPS", g[2], g[0], ends)
	half := l.take()
	l.op("VMULPS", l.factor(1./2), g[1], half)
	l.op("VADDPS", half, ends, g[1])
	l.op("VSUBPS", half, ends, ends)
	l.drop(half)
	for _, r := range []int{plus, minus, g[1], ends} {
		l.op("VMULPS", l.factor(1./6), r, r)
	}
	return []int{g[0], plus, minus, g[1], ends, g[2]}
}

// outputLine is Aᵀm:
//
//	1 1  1 1  1 0
//	0 1 -1 2 -2 0
//	0 1  1 4  4 0
//	0 1 -1 8 -8 1
func outputLine(l *lanes, m []int) []int {
	minus, minus2 := l.sub(m[1], m[2]), l.sub(m[3], m[4])
	l.op("VADDPS", m[2], m[1], m[1])
	l.op("VADDPS", m[4], m[3], m[3])
	l.op("VADDPS", m[1], m[0], m[0])
	l.op("VADDPS", m[3], m[0], m[0])
	l.op("VADDPS", minus, m[5], m[5])
	l.op("VFMADD231PS", l.factor(8), minus2, m[5])
	l.op("VFMADD231PS", l.factor(4), m[3], m[1])
	l.op("VFMADD231PS", l.factor(2), minus2, minus)
	l.drop(minus2, m[2], m[3], m[4])
	return []int{m[0], minus, m[1], m[5]}
}

// gradLine is G for a filter of four taps, but for the factors of its rows,
// 1/4, -1/6, -1/6, 1/24, 1/24 and 1, which filterGradLine applies:
//
//	1  0 0  0
//	1  1 1  1
//	1 -1 1 -1
//	1  2 4  8
//	1 -2 4 -8
//	0  0 0  1
func gradLine(l *lanes, g []int) []int {
	even, odd := l.add(g[0], g[2]), l.add(g[1], g[3])
	plus := l.add(even, odd)
	l.op("VSUBPS", odd, even, even)
	l.op("VFMADD213PS", g[0], l.factor(4), g[2])
	l.op("VFMADD231PS", l.factor(4), g[3], g[1])
	l.move(g[2], odd)
	l.op("VFMADD231PS", l.factor(2), g[1], odd)
	l.op("VFNMADD231PS", l.factor(2), g[1], g[2])
	l.drop(g[1])
	return []int{g[0], plus, even, odd, g[2], g[3]}
}

// filterGradLine is Aᵀ for three outputs, with the factors that gradLine left
// out:
//
//	1/4 -1/6 -1/6 1/24  1/24 0
//	0   -1/6  1/6 1/12 -1/12 0
//	0   -1/6 -1/6  1/6   1/6 1
func filterGradLine(l *lanes, m []int) []int {
	plus, plus2 := l.add(m[1], m[2]), l.add(m[3], m[4])
	l.op("VSUBPS", m[2], m[1], m[1])
	l.op("VSUBPS", m[4], m[3], m[3])
	l.op("VFMADD231PS", l.factor(1./6), plus2, m[0])
	l.op("VMULPS", l.factor(1./4), m[0], m[0])
	l.op("VFNMADD231PS", l.factor(1./6), plus, m[0])
	l.op("VFMSUB132PS", l.factor(1./2), m[1], m[3]) // m[3]/2 - m[1]
	l.op("VMULPS", l.factor(1./6), m[3], m[3])
	l.op("VSUBPS", plus, plus2, plus2)
	l.op("VFMADD231PS", l.factor(1./6), plus2, m[5])
	l.drop(plus, plus2, m[1], m[2], m[4])
	return []int{m[0], m[3], m[5]}
}

// lanes hands out vector registers.
type lanes struct {
	*asm
	v       vec
	free    []int
	factors map[float32]int
}

// newLanes has all registers, with the factors in the first ones.
func newLanes(a *asm, v vec, factors []float32) *lanes {
	l := &lanes{asm: a, v: v, factors: map[float32]int{}}
	for i := v.regs - 1; i >= 0; i-- {
		l.drop(i)
	}
	for _, f := range factors {
		l.factors[f] = l.take()
		a.op("MOVL $0x%08x, BX // %v", math.Float32bits(f), f)
		a.op("VMOVD BX, X%d", l.factor(f))
		a.op("VBROADCASTSS X%d, %s", l.factor(f), v.r(l.factor(f)))
	}
	return l
}

func (l *lanes) take() int {
	if len(l.free) == 0 {
		panic("no register is free")
	}
	r := l.free[len(l.free)-1]
	l.free = l.free[:len(l.free)-1]
	return r
}

func (l *lanes) drop(regs ...int) { l.free = append(l.free, regs...) }

// factor is the register that holds f.
func (l *lanes) factor(f float32) int {
	r, ok := l.factors[f]
	if !ok {
		panic(fmt.Sprintf("factor %v is not loaded", f))
	}
	return r
}

// op writes an instruction of three registers, of which the last receives: the
// first is what is subtracted; VFMADD231PS adds the product of the first two,
// VFMADD213PS is second·last + first, VFMSUB132PS first·last - second.
func (l *lanes) op(name string, x, y, dst int) {
	l.asm.op("%s %s, %s, %s", name, l.v.r(x), l.v.r(y), l.v.r(dst))
}

func (l *lanes) move(src, dst int) { l.asm.op("VMOVAPS %s, %s", l.v.r(src), l.v.r(dst)) }

// add is x+y in a register of its own.
func (l *lanes) add(x, y int) int {
	r := l.take()
	l.op("VADDPS", x, y, r)
	return r
}

// sub is x-y in a register of its own.
func (l *lanes) sub(x, y int) int {
	r := l.take()
	l.op("VSUBPS", y, x, r)
	return r
}

// negate is r = 0-r.
func (l *lanes) negate(r int) {
	zero := l.take()
	l.asm.zero(l.v, zero)
	l.op("VSUBPS", r, zero, r)
	l.drop(zero)
}

// gather loads the places of a vector's lanes, a step apart, from a field that
// counts floats, which it leaves in R10, and returns what loads the vector that
// begins at place i of a column; at is a register for that.
func (l *lanes) gather(arg, field string, column spread, at string) func(i, r int) {
	index, mask := l.take(), l.take()
	l.load(arg, field, "R10")
	l.asm.op("VMOVD R10, X%d", index)
	l.asm.op("VPBROADCASTD X%d, %s", index, l.v.r(index))
	l.asm.op("VPMULLD winoLanes<>(SB), %s, %s", l.v.r(index), l.v.r(index))
	return func(i, r int) {
		l.asm.op("LEAQ %s, %s", column.at("BX", i), at)
		if l.v.bytes == 64 {
			l.asm.op("KXNORW K1, K1, K1")
			l.asm.op("VGATHERDPS (%s)(%s*4), K1, %s", at, l.v.r(index), l.v.r(r))
			return
		}
		l.asm.op("VPCMPEQD %[1]s, %[1]s, %[1]s", l.v.r(mask))
		l.asm.op("VGATHERDPS %s, (%s)(%s*4), %s", l.v.r(mask), at, l.v.r(index), l.v.r(r))
	}
}
