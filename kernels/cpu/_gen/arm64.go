package main

import (
	"fmt"
	"strings"
)

// Go's assembler has integer arithmetic and multiply-add on NEON's vectors, but
// lacks most of the arithmetic on floats. What it lacks is written as the
// instruction's 32 bits, with its text in Arm's syntax beside them; a test
// demands that the disassembler reads that text from those bits.

// wordCodes has the bits of instructions on four floats but for their
// registers: the destination from bit 0, the first operand from bit 5, the
// second, if there is one, from bit 16. (Arm Architecture Reference Manual,
// C4.1, Advanced SIMD three same and two-register miscellaneous.)
var wordCodes = map[string]struct {
	bits     uint32
	operands int
	to, from string // arrangement of the destination and of the operands
}{
	"fadd":   {0x4e20d400, 2, "4s", "4s"},
	"fsub":   {0x4ea0d400, 2, "4s", "4s"},
	"fmul":   {0x6e20dc00, 2, "4s", "4s"},
	"fdiv":   {0x6e20fc00, 2, "4s", "4s"},
	"fmax":   {0x4e20f400, 2, "4s", "4s"},
	"fmin":   {0x4ea0f400, 2, "4s", "4s"},
	"fcmeq":  {0x4e20e400, 2, "4s", "4s"}, // all bits are set where x = y
	"fcmge":  {0x6e20e400, 2, "4s", "4s"},
	"fcmgt":  {0x6ea0e400, 2, "4s", "4s"},
	"bic":    {0x4e601c00, 2, "16b", "16b"}, // x and not y
	"fsqrt":  {0x6ea1f800, 1, "4s", "4s"},
	"fcvtns": {0x4e21a800, 1, "4s", "4s"}, // to the nearest integer
	"scvtf":  {0x4e21d800, 1, "4s", "4s"}, // from an integer
	"fcvtl":  {0x0e617800, 1, "2d", "2s"}, // to float64, the lower two
	"fcvtl2": {0x4e617800, 1, "2d", "4s"}, // to float64, the upper two
}

// word is an instruction that Go's assembler lacks, for registers by number.
func word(name string, dst int, operands ...int) string {
	c, ok := wordCodes[name]
	if !ok || len(operands) != c.operands {
		panic(fmt.Sprintf("no instruction %s of %d operands", name, len(operands)))
	}
	bits := c.bits
	text := fmt.Sprintf("%s v%d.%s", name, dst, c.to)
	for i, r := range append([]int{dst}, operands...) {
		neon.r(r)
		bits |= uint32(r) << []int{0, 5, 16}[i]
		if i > 0 {
			text += fmt.Sprintf(", v%d.%s", r, c.from)
		}
	}
	return fmt.Sprintf("WORD $0x%08x // %s", bits, text)
}

// word writes an instruction that Go's assembler lacks.
func (a *asm) word(name string, dst int, operands ...int) { a.op("%s", word(name, dst, operands...)) }

// list is n registers from first on, as loads and stores take them.
func list(first, n int) string {
	var regs []string
	for i := range n {
		regs = append(regs, neon.r(first+i)+".S4")
	}
	return "[" + strings.Join(regs, ", ") + "]"
}

// move copies a vector.
func (a *asm) move(src, dst int) {
	a.op("VMOV V%d.B16, V%d.B16", src, dst)
}
