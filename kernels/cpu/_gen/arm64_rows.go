package main

import (
	"fmt"
	"strconv"
	"strings"
)

// On arm64 the pointers of a loop kernel go along its slices, and R8 counts the
// floats that are left. A single float is computed as a vector whose other
// lanes are zeros, or nonsense, and are not stored. The temporaries of a loop
// are registers below 16; a lane has one more for an operand in memory and one
// for an intermediate result.
func (l lane) operandNEON() int { return 16 + 2*l.u }
func (l lane) betweenNEON() int { return 17 + 2*l.u }

// number is the number of a register.
func number(reg string) int {
	n, err := strconv.Atoi(strings.TrimPrefix(reg, "V"))
	if err != nil {
		panic(reg + " is no vector register")
	}
	return n
}

// float is the name by which loads and stores know a vector register.
func float(reg string) string { return fmt.Sprintf("F%d", number(reg)) }

// stageNEON writes one of the stages of a loop: each, as long as step floats
// are left.
func (k *row) stageNEON(start, end string, step int, each func()) {
	k.a.op("CMP $%d, R8", step)
	k.a.op("BLT %s", end)
	k.a.op("PCALIGN $32")
	k.a.label(start)
	each()
	for _, p := range k.args {
		if strings.HasPrefix(p.typ, "[]") {
			k.a.op("ADD $%d, %s", 4*step, k.ptr[p.name])
		}
	}
	k.a.op("SUB $%d, R8", step)
	k.a.op("CMP $%d, R8", step)
	k.a.op("BGE %s", start)
	k.a.label(end)
}

// moveNEON loads and stores a vector, or one float.
func (l lane) moveNEON() string {
	if l.scalar {
		return "FMOVS"
	}
	return "FMOVQ"
}

// doNEON writes what does the same as an instruction of amd64. One operand may
// lie in memory.
func (l lane) doNEON(name string, operands ...string) {
	if constants := 32 - len(l.c); l.first >= 16 || l.betweenNEON() >= constants {
		panic(l.name + " needs too many registers")
	}
	var regs []int
	for _, o := range operands {
		if strings.HasPrefix(o, "V") {
			regs = append(regs, number(o))
			continue
		}
		l.a.op("%s %s, F%d", l.moveNEON(), o, l.operandNEON())
		regs = append(regs, l.operandNEON())
	}
	l.a.likeAMD64(name, l.betweenNEON(), regs...)
}

// likeAMD64 writes what does the same as an instruction of amd64 whose last
// register receives; between is a register for an intermediate result. Of a
// difference or a quotient the first operand is what is subtracted or divides.
func (a *asm) likeAMD64(name string, between int, regs ...int) {
	x, y, dst := regs[0], regs[len(regs)-2], regs[len(regs)-1]
	switch name {
	case "VADD", "VSUB", "VMUL", "VDIV", "VMAX", "VMIN": // a NaN in either operand passes the last two
		a.word("f"+strings.ToLower(name[1:]), dst, y, x)
	case "VSQRT":
		a.word("fsqrt", dst, y)
	case "VFMADD231": // dst += x·y
		a.fma(neon, x, y, dst)
	case "VFNMADD231": // dst -= x·y
		a.op("VFMLS V%d.S4, V%d.S4, V%d.S4", x, y, dst)
	case "VFMADD213": // dst = dst·y + x
		a.move(x, between)
		a.fma(neon, y, dst, between)
		a.move(between, dst)
	default:
		panic("no " + name + " on arm64")
	}
}

// maxTapNEON is the body of maxTap.
func (l lane) maxTapNEON(best, x, where string) {
	mask, ordered := l.t(3), l.operandNEON()
	l.a.word("fcmge", number(mask), number(best), number(x))
	l.a.word("fcmeq", ordered, number(best), number(best))
	l.a.word("bic", number(mask), ordered, number(mask))
	l.a.op("VBIT %s.B16, %s.B16, %s.B16", mask, x, best)
	l.a.op("VBIT %s.B16, %s.B16, %s.B16", mask, l.k("pixel"), where)
}

// expNEON is the body of exp, from x in temporary 0 on.
func (l lane) expNEON() {
	r, bits, n, y := l.t(0), l.t(1), l.t(2), l.t(3)
	l.do("VMAX", r, l.k("low"), r) // a NaN passes
	l.do("VMIN", r, l.k("high"), r)
	l.do("VMUL", r, l.k("log2e"), bits)
	l.a.word("fcvtns", number(bits), number(bits))
	l.a.word("scvtf", number(n), number(bits))
	l.do("VFNMADD231", n, l.k("ln2"), r)
	l.do("VFNMADD231", n, l.k("ln2Rest"), r)
	l.a.move(number(l.k("c7")), number(y))
	for _, c := range []string{"c6", "c5", "c4", "c3", "c2", "c1", "c1"} {
		l.do("VFMADD213", l.k(c), r, y)
	}
	l.a.op("VSHL $23, %s.S4, %s.S4", bits, bits)
	l.a.op("VADD %s.S4, %s.S4, %s.S4", bits, y, y)
	x := l.load("x", 0)
	l.a.word("fcmgt", number(n), number(l.k("low")), number(x))
	l.a.word("bic", number(y), number(y), number(n))
	l.store(y, "y")
}

// sumSquaresNEON is the body of sumSquares.
func (k *row) sumSquaresNEON() {
	a, acc, x := k.a, k.ptr["acc"], k.ptr["x"]
	const sum, single, double = 0, 8, 12 // two float64 a register, four floats, two of these widened
	for i := range 8 {
		a.op("FMOVQ %d(%s), F%d", 16*i, acc, sum+i)
	}
	k.stageNEON("many", "manyend", 16, func() {
		a.op("VLD1 (%s), %s", x, list(single, 4))
		for i := range 4 {
			a.word("fcvtl", double+2*i, single+i)
			a.word("fcvtl2", double+2*i+1, single+i)
		}
		for i := range 8 {
			a.op("VFMLA V%d.D2, V%d.D2, V%d.D2", double+i, double+i, sum+i)
		}
	})
	for i := range 8 {
		a.op("FMOVQ F%d, %d(%s)", sum+i, 16*i, acc)
	}
	k.stageNEON("tail", "tailend", 1, func() {
		a.op("FMOVS (%s), F0", x)
		a.op("FCVTSD F0, F0")
		a.op("FMOVD (%s), F1", acc)
		a.op("FMADDD F0, F1, F0, F1")
		a.op("FMOVD.P F1, 8(%s)", acc)
	})
	a.ret()
}
