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
	c    map[string]int    // scalar: the vector register that repeats it, from 15 down
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

// row starts a kernel: slices in registers, the length of the first in CX,
// scalars repeated in vector registers.
func (a *asm) row(v vec, name, signature string) *row {
	k := &row{a: a, v: v, name: name + v.isa(), args: params(signature), ptr: map[string]string{}, c: map[string]int{}}
	var text []string
	offsets, size := make([]int, len(k.args)), 0
	for i, p := range k.args {
		offsets[i] = size
		switch p.typ {
		case "[]float32", "[]int32":
			size += 24
		case "float32", "int32":
			size += 4
		default:
			size += 8
		}
		text = append(text, p.name+" "+p.typ)
	}
	fmt.Fprintf(&a.text, "\n// func %s(%s)\nTEXT ·%s(SB), NOSPLIT, $0-%d\n", k.name, strings.Join(text, ", "), k.name, size)
	free := []string{"DI", "SI", "BX", "DX", "R8", "R9", "R10", "R11"}
	counted := false
	for i, p := range k.args {
		switch p.typ {
		case "float32", "int32":
			a.op("VBROADCASTSS %s+%d(FP), %s", p.name, offsets[i], k.constant(p.name))
			continue
		case "[]float32", "[]int32":
			a.op("MOVQ %s_base+%d(FP), %s", p.name, offsets[i], free[0])
			if !counted {
				a.op("MOVQ %s_len+%d(FP), CX", p.name, offsets[i]+8)
				counted = true
			}
		default:
			a.op("MOVQ %s+%d(FP), %s", p.name, offsets[i], free[0])
		}
		k.ptr[p.name], free = free[0], free[1:]
	}
	return k
}

// constant reserves the register of a repeated scalar.
func (k *row) constant(name string) string {
	k.c[name] = 15 - len(k.c)
	return k.v.r(k.c[name])
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
	a.op("XORQ AX, AX")
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
		a.op("MOVQ CX, R12")
		if step > 1 {
			a.op("ANDQ $-%d, R12", step)
		}
		a.op("CMPQ AX, R12")
		a.op("JGE %s", end)
		a.op("PCALIGN $32")
		a.label(start)
		for u := range max(s.vectors, 1) {
			body(lane{row: k, scalar: s.vectors == 0, at: u * k.v.bytes, first: u * temps, u: u})
		}
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
	if l.scalar {
		return fmt.Sprintf("X%d", i)
	}
	return l.v.r(i)
}

// mem is this lane's part of a slice.
func (l lane) mem(name string) string { return fmt.Sprintf("%d(%s)(AX*4)", l.at, l.ptr[name]) }

// do writes an instruction in its packed or single form: VADD becomes VADDPS
// or VADDSS.
func (l lane) do(name string, operands ...string) {
	suffix := "PS"
	if l.scalar {
		suffix = "SS"
	}
	l.a.op("%s%s %s", name, suffix, strings.Join(operands, ", "))
}

// load reads a slice into temporary i and returns the register.
func (l lane) load(name string, i int) string {
	if l.scalar {
		l.a.op("VMOVSS %s, %s", l.mem(name), l.t(i))
	} else {
		l.a.op("VMOVUPS %s, %s", l.mem(name), l.t(i))
	}
	return l.t(i)
}

// store writes a register to a slice.
func (l lane) store(reg, name string) {
	if l.scalar {
		l.a.op("VMOVSS %s, %s", reg, l.mem(name))
	} else {
		l.a.op("VMOVUPS %s, %s", reg, l.mem(name))
	}
}

// kept loads dy where y > 0 into temporary i, else 0; it uses temporary i+1
// too and needs zeros. A NaN is not > 0.
func (l lane) kept(y, dy string, i int) string {
	switch {
	case l.scalar:
		l.load(dy, i)
		l.a.op("VCMPSS $17, %s, %s, %s", l.mem(y), l.k("0"), l.t(i+1))
		l.a.op("VANDPS %s, %s, %s", l.t(i), l.t(i+1), l.t(i))
	case l.v == zmm:
		l.a.op("VCMPPS $17, %s, %s, K%d", l.mem(y), l.k("0"), 1+l.u)
		l.a.op("VMOVUPS.Z %s, K%d, %s", l.mem(dy), 1+l.u, l.t(i))
	default:
		l.a.op("VCMPPS $17, %s, %s, %s", l.mem(y), l.k("0"), l.t(i))
		l.a.op("VANDPS %s, %s, %s", l.mem(dy), l.t(i), l.t(i))
	}
	return l.t(i)
}
