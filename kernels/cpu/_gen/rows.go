package main

import (
	"fmt"
	"strings"
)

// A row is a loop kernel over Go slices of one length: func name(z, x []float32,
// a float32). Unlike the kernels that take a struct it takes its arguments as
// Go passes them, as it stands in a table beside the Go loop that it replaces.
// Its loop is written once and emitted three times: unrolled, a vector at a
// time, and one float at a time for what is left.
type row struct {
	a    *asm
	v    vec
	name string
	args []arg
	ptr  map[string]string // slice or pointer: its register
	half map[string]bool   // whether a slice holds bfloat16 numbers
	c    map[string]int    // scalar: the vector register that repeats it, see constant
}

// arg is an argument: typ is a slice of or a 32-bit number, or a pointer.
type arg struct{ name, typ string }

// params reads "z x y []float32, a float32".
func params(s string) (args []arg) {
	for _, group := range strings.Split(s, ", ") {
		f := strings.Fields(group)
		for _, name := range f[:len(f)-1] {
			args = append(args, arg{name, f[len(f)-1]})
		}
	}
	return args
}

// row starts a kernel: slices in registers, the length of the first in CX or R8,
// scalars repeated in vector registers.
func (a *asm) row(v vec, name, signature string) *row {
	k := &row{a: a, v: v, name: name + v.isa(), args: params(signature), ptr: map[string]string{}, half: map[string]bool{}, c: map[string]int{}}
	var text []string
	offsets, size := make([]int, len(k.args)), 0
	for i, p := range k.args {
		offsets[i] = size
		switch p.typ {
		case "[]float32", "[]int32", halfSlice:
			size += 24
		case "float32", "int32":
			size += 4
		default:
			size += 8
		}
		text = append(text, p.name+" "+p.typ)
	}
	fmt.Fprintf(&a.text, "\n// func %s(%s)\nTEXT ·%s(SB), NOSPLIT, $0-%d\n", k.name, strings.Join(text, ", "), k.name, size)
	fetch, count, free := "MOVQ", "CX", []string{"DI", "SI", "BX", "DX", "R8", "R9", "R10", "R11"}
	if a.arm() {
		fetch, count, free = "MOVD", "R8", []string{"R0", "R1", "R2", "R3", "R4", "R5", "R6", "R7"}
	}
	counted := false
	for i, p := range k.args {
		switch p.typ {
		case "float32", "int32":
			k.repeat(fmt.Sprintf("%s+%d(FP)", p.name, offsets[i]), p.name)
			continue
		case "[]float32", "[]int32", halfSlice:
			a.op("%s %s_base+%d(FP), %s", fetch, p.name, offsets[i], free[0])
			k.half[p.name] = p.typ == halfSlice
			if !counted {
				a.op("%s %s_len+%d(FP), %s", fetch, p.name, offsets[i]+8, count)
				counted = true
			}
		default:
			a.op("%s %s+%d(FP), %s", fetch, p.name, offsets[i], free[0])
		}
		k.ptr[p.name], free = free[0], free[1:]
	}
	return k
}

// constant reserves the register of a repeated scalar: from 15 down on amd64,
// where single floats have no others, from 31 down on arm64.
func (k *row) constant(name string) string {
	last := 15
	if k.a.arm() {
		last = 31
	}
	k.c[name] = last - len(k.c)
	return k.v.r(k.c[name])
}

// repeat fetches a scalar into all lanes of the register of that name.
func (k *row) repeat(place, name string) {
	reg := k.constant(name)
	if k.a.arm() {
		k.a.op("FMOVS %s, F%d", place, k.c[name])
		k.a.op("VDUP %s.S[0], %s.S4", reg, reg)
		return
	}
	k.a.op("VBROADCASTSS %s, %s", place, reg)
}

// ifNil jumps to label if a slice is nil.
func (k *row) ifNil(name, label string) {
	if k.a.arm() {
		k.a.op("CBZ %s, %s", k.ptr[name], label)
		return
	}
	k.a.op("TESTQ %s, %s", k.ptr[name], k.ptr[name])
	k.a.op("JZ %s", label)
}

// zeros reserves a register of zeros under the name 0.
func (k *row) zeros() {
	k.constant("0")
	k.a.zero(k.v, k.c["0"])
}

// loop emits the loop, unroll vectors of temps registers each at a time; label
// tells the loops of one kernel apart.
func (k *row) loop(label string, unroll, temps int, body func(l lane)) {
	a := k.a
	if !a.arm() {
		a.op("XORQ AX, AX")
	}
	stages := []struct {
		name    string
		vectors int
	}{{"many", unroll}, {"one", 1}, {"tail", 0}}
	for i, s := range stages {
		if i == 0 && unroll == 1 {
			continue
		}
		step := max(s.vectors*k.v.lanes(), 1)
		start, end := label+s.name, label+s.name+"end"
		each := func() {
			for u := range max(s.vectors, 1) {
				body(lane{row: k, scalar: s.vectors == 0, at: u * k.v.bytes, first: u * temps, u: u})
			}
		}
		if a.arm() {
			k.stageNEON(start, end, step, each)
			continue
		}
		a.op("MOVQ CX, R12")
		if step > 1 {
			a.op("ANDQ $-%d, R12", step)
		}
		a.op("CMPQ AX, R12")
		a.op("JGE %s", end)
		a.op("PCALIGN $32")
		a.label(start)
		each()
		a.op("ADDQ $%d, AX", step)
		a.op("CMPQ AX, R12")
		a.op("JLT %s", start)
		a.label(end)
	}
}

// A lane is one vector, or one float, in the body of a loop.
type lane struct {
	*row
	scalar bool
	at     int // bytes from the loop's position
	first  int // its first temporary register
	u      int
}

// t is temporary register i.
func (l lane) t(i int) string { return l.reg(l.first + i) }

// k is the register of a repeated scalar.
func (l lane) k(name string) string { return l.reg(l.c[name]) }

func (l lane) reg(i int) string {
	if l.scalar && !l.a.arm() {
		return fmt.Sprintf("X%d", i)
	}
	return l.v.r(i)
}

// mem is this lane's part of a slice.
func (l lane) mem(name string) string {
	switch {
	case l.a.arm():
		return fmt.Sprintf("%d(%s)", l.at, l.ptr[name])
	case l.half[name]:
		return fmt.Sprintf("%d(%s)(AX*2)", l.at/2, l.ptr[name])
	}
	return fmt.Sprintf("%d(%s)(AX*4)", l.at, l.ptr[name])
}

// do writes an instruction in its packed or single form: VADD becomes VADDPS
// or VADDSS, or what does the same on arm64.
func (l lane) do(name string, operands ...string) {
	if l.a.arm() {
		l.doNEON(name, operands...)
		return
	}
	suffix := "PS"
	if l.scalar {
		suffix = "SS"
	}
	l.a.op("%s%s %s", name, suffix, strings.Join(operands, ", "))
}

// load reads a slice into temporary i and returns the register.
func (l lane) load(name string, i int) string {
	switch {
	case l.half[name]:
		l.widen(name, i)
	case l.a.arm():
		l.a.op("%s %s, %s", l.moveNEON(), l.mem(name), float(l.t(i)))
	case l.scalar:
		l.a.op("VMOVSS %s, %s", l.mem(name), l.t(i))
	default:
		l.a.op("VMOVUPS %s, %s", l.mem(name), l.t(i))
	}
	return l.t(i)
}

// store writes a register to a slice of float32 numbers.
func (l lane) store(reg, name string) {
	if l.a.arm() {
		l.a.op("%s %s, %s", l.moveNEON(), float(reg), l.mem(name))
	} else if l.scalar {
		l.a.op("VMOVSS %s, %s", reg, l.mem(name))
	} else {
		l.a.op("VMOVUPS %s, %s", reg, l.mem(name))
	}
}

// kept loads dy where y > 0 into temporary i, else 0; it uses temporary i+1
// too and needs zeros. A NaN is not > 0.
func (l lane) kept(y, dy string, i int) string {
	switch {
	case l.v == neon:
		l.load(y, i+1)
		l.a.word("fcmgt", number(l.t(i+1)), number(l.t(i+1)), number(l.k("0")))
		l.load(dy, i)
		l.a.op("VAND %[1]s.B16, %[2]s.B16, %[2]s.B16", l.t(i+1), l.t(i))
	case l.scalar:
		l.a.op("VCMPSS $17, %s, %s, %s", l.operand(y, i+1), l.k("0"), l.t(i+1))
		l.load(dy, i)
		l.a.op("VANDPS %s, %s, %s", l.t(i), l.t(i+1), l.t(i))
	case l.v == zmm && l.half[dy]:
		l.a.op("VCMPPS $17, %s, %s, K%d", l.operand(y, i+1), l.k("0"), 1+l.u)
		l.a.op("VPMOVZXWD.Z %s, K%d, %s", l.mem(dy), 1+l.u, l.t(i))
		l.a.op("VPSLLD $16, %s, %s", l.t(i), l.t(i))
	case l.v == zmm:
		l.a.op("VCMPPS $17, %s, %s, K%d", l.mem(y), l.k("0"), 1+l.u)
		l.a.op("VMOVUPS.Z %s, K%d, %s", l.mem(dy), 1+l.u, l.t(i))
	default:
		l.a.op("VCMPPS $17, %s, %s, %s", l.operand(y, i), l.k("0"), l.t(i))
		l.a.op("VANDPS %s, %s, %s", l.operand(dy, i+1), l.t(i), l.t(i))
	}
	return l.t(i)
}
