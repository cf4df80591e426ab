package main

import (
	"fmt"
	"math"
	"slices"
)

// A lineMap is a linear map of a few numbers, each of them a vector, that the
// kernels of Winograd's convolution apply along both axes of a tile. Its
// matrices are those of the points 0, ±1, ±2 and infinity.
type lineMap struct {
	name    string
	in, out int
	factors []float32
	adds    bool // the kernel can add to what is there
	// line maps the registers d, which it may overwrite, and gives the results.
	line func(l *lanes, d []int) []int
}

func winograd(a *asm) {
	for _, v := range []vec{zmm, ymm} {
		for _, m := range []lineMap{
			{name: "winoImage", in: 6, out: 6, factors: []float32{2, 4}, line: imageLine},
			{name: "winoFilter", in: 3, out: 6, factors: []float32{1. / 4, 1. / 2, 1. / 6}, line: filterLine},
			{name: "winoOutput", in: 6, out: 4, factors: []float32{2, 4, 8}, line: outputLine, adds: true},
			{name: "winoGrad", in: 4, out: 6, factors: []float32{2, 4}, line: gradLine},
			{name: "winoFilterGrad", in: 6, out: 3, factors: []float32{1. / 4, 1. / 2, 1. / 6}, line: filterGradLine},
		} {
			tileMap(a, v, m)
		}
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

// tileMap writes the kernel that applies m to the columns and then to the rows
// of tiles. What the columns give stays in registers as far as these suffice
// for the rows (the first kept columns), and in temp.
func tileMap(a *asm, v vec, m lineMap) {
	const spare = 3 // registers that a line takes for itself
	kept := min(m.in, (v.regs-len(m.factors)-spare-m.in)/(m.out-1))

	a.fn(m.name+v.isa(), "tileMap")
	l := &lanes{asm: a, v: v, factors: map[float32]int{}}
	for i := v.regs - 1; i >= 0; i-- {
		l.drop(i)
	}
	for _, f := range m.factors {
		l.factors[f] = l.take()
		a.op("MOVL $0x%08x, BX // %v", math.Float32bits(f), f)
		a.op("VMOVD BX, X%d", l.factor(f))
		a.op("VBROADCASTSS X%d, %s", l.factor(f), v.r(l.factor(f)))
	}
	a.load("tileMap", "src", "SI")
	a.load("tileMap", "dst", "DI")
	a.load("tileMap", "temp", "R14")
	a.load("tileMap", "tiles", "DX")
	a.loadBytes("tileMap", "srcRow", "R8")
	column := spread{s1: "R8", s3: "R9", s5: "R10"}
	column.set(a)
	a.loadBytes("tileMap", "dstCol", "R11")
	row := spread{s1: "R11", s3: "R12", s5: "R13"}
	row.set(a)
	temp := func(i, j int) string { return fmt.Sprintf("%d(R14)", (i*(m.in-kept)+j-kept)*v.bytes) }

	a.label("tile")
	a.load("tileMap", "blocks", "CX")
	if v.bytes == 32 {
		a.op("SHLQ $1, CX")
	}
	a.loop("block", "CX", func() {
		a.loadBytes("tileMap", "srcCol", "R15")
		a.op("IMUL3Q $%d, R15, BX", m.in-1)
		a.op("ADDQ SI, BX")
		var columns [][]int // those that are kept
		for j := m.in - 1; j >= 0; j-- {
			var d []int
			for i := range m.in {
				d = append(d, l.take())
				a.op("VMOVUPS %s, %s", column.at("BX", i), v.r(d[i]))
			}
			if j > 0 {
				a.op("SUBQ R15, BX")
			}
			d = m.line(l, d)
			if j < kept {
				columns = append([][]int{d}, columns...)
				continue
			}
			for i, r := range d {
				a.op("VMOVUPS %s, %s", v.r(r), temp(i, j))
			}
			l.drop(d...)
		}
		a.loadBytes("tileMap", "dstRow", "R15")
		a.op("MOVQ DI, BX")
		rows := func(add bool) {
			free := slices.Clone(l.free)
			for i := range m.out {
				var d []int
				for j := range m.in {
					if j < kept {
						d = append(d, columns[j][i])
						continue
					}
					d = append(d, l.take())
					a.op("VMOVUPS %s, %s", temp(i, j), v.r(d[j]))
				}
				d = m.line(l, d)
				for j, r := range d {
					if add {
						a.op("VADDPS %s, %s, %s", row.at("BX", j), v.r(r), v.r(r))
					}
					a.op("VMOVUPS %s, %s", v.r(r), row.at("BX", j))
				}
				l.drop(d...)
				if i+1 < m.out {
					a.op("ADDQ R15, BX")
				}
			}
			l.free = free
		}
		if m.adds {
			a.op("CMPB tileMap_add(AX), $0")
			a.op("JNE add")
		}
		rows(false)
		if m.adds {
			a.op("JMP next")
			a.label("add")
			rows(true)
			a.label("next")
		}
		for _, c := range columns {
			l.drop(c...)
		}
		a.op("ADDQ $%d, SI", v.bytes)
		a.op("ADDQ $%d, DI", v.bytes)
	})
	for _, step := range []struct{ field, reg string }{{"srcNext", "SI"}, {"dstNext", "DI"}} {
		a.loadBytes("tileMap", step.field, "R15")
		a.op("ADDQ R15, %s", step.reg)
	}
	a.op("DECQ DX")
	a.op("JNZ tile")
	a.ret()
}
