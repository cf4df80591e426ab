package main

import "fmt"

// tiles writes the kernels for AMX, the processor's own product of matrices of
// bfloat16. Go's assembler has no words for its instructions: they are bytes.
func tiles(a *asm) {
	tileProduct(a, "tileWide", true)
	tileProduct(a, "tileNarrow", false)
	rowPairs(a)
	rowHalves(a)
}

// registers are the numbers by which instructions name them.
var registers = map[string]int{"AX": 0, "CX": 1, "DX": 2, "BX": 3, "SI": 6, "DI": 7, "R8": 8, "R9": 9, "R10": 10, "R11": 11, "R12": 12}

// bytes writes an instruction that Go's assembler does not know.
func (a *asm) bytes(says string, code ...int) {
	text := ""
	for i, b := range code {
		if i > 0 {
			text += "; "
		}
		text += fmt.Sprintf("BYTE $0x%02X", b)
	}
	a.op("%s // %s", text, says)
}

// tileMemory is an instruction between tile t and the rows that are index bytes apart
// from base on.
func (a *asm) tileMemory(name string, prefix, t int, base, index string) {
	b, x := registers[base], registers[index]
	a.bytes(fmt.Sprintf("%s TMM%d, (%s)(%s*1)", name, t, base, index),
		0xC4, 0x82|(1-x>>3)<<6|(1-b>>3)<<5, prefix, 0x4B, 0x04|t<<3, (x&7)<<3|b&7)
}

func (a *asm) tileLoad(t int, base, index string) { a.tileMemory("TILELOADD", 0x7B, t, base, index) }
func (a *asm) tileStore(t int, base, index string) {
	a.tileMemory("TILESTORED", 0x7A, t, base, index)
}
func (a *asm) tileZero(t int) {
	a.bytes(fmt.Sprintf("TILEZERO TMM%d", t), 0xC4, 0xE2, 0x7B, 0x49, 0xC0|t<<3)
}

// tileMultiply adds the product of tiles x and y to tile acc.
func (a *asm) tileMultiply(x, y, acc int) {
	a.bytes(fmt.Sprintf("TDPBF16PS TMM%d, TMM%d, TMM%d", y, x, acc), 0xC4, 0xE2, (^y&15)<<3|2, 0x5C, 0xC0|acc<<3|x)
}

// tileProduct writes a product of two tiles of a, 4 and 5, with one or two of b, 6 and
// 7, in the tiles 0 to 3.
func tileProduct(a *asm, name string, wide bool) {
	a.fn(name+"AMX", "tileProduct")
	a.load("tileProduct", "config", "BX")
	a.bytes("LDTILECFG (BX)", 0xC4, 0xE2, 0x78, 0x49, 0x03)
	columns := 1
	if wide {
		columns = 2
	}
	// each does something with the tiles of the product, of which those of a row of
	// tiles begin at R8 and R9.
	each := func(do func(t int, base string)) {
		a.load("tileProduct", "c0", "R8")
		a.load("tileProduct", "c1", "R9")
		for j := range columns {
			for i, base := range []string{"R8", "R9"} {
				do(2*i+j, base)
			}
			if j+1 < columns {
				a.loadBytes("tileProduct", "cWide", "DX")
				a.op("ADDQ DX, R8")
				a.op("ADDQ DX, R9")
			}
		}
	}
	a.loadBytes("tileProduct", "cRow", "R10")
	a.op("CMPB tileProduct_add(AX), $0")
	a.op("JEQ fresh")
	each(func(t int, base string) { a.tileLoad(t, base, "R10") })
	a.op("JMP begin")
	a.label("fresh")
	for i := range 2 {
		for j := range columns {
			a.tileZero(2*i + j)
		}
	}
	a.label("begin")
	a.load("tileProduct", "a0", "SI")
	a.load("tileProduct", "a1", "R8")
	a.load("tileProduct", "b", "DI")
	for _, f := range [][2]string{{"aRow", "R10"}, {"aStep", "R12"}, {"aNext", "R13"}} {
		a.load("tileProduct", f[0], f[1])
		a.op("SHLQ $1, %s", f[1])
	}
	for _, f := range [][2]string{{"bRow", "R11"}, {"bStep", "DX"}, {"bWide", "R9"}} {
		a.loadBytes("tileProduct", f[0], f[1])
	}
	a.op("ADDQ DI, R9")
	a.load("tileProduct", "outer", "BX")
	a.label("outer")
	a.load("tileProduct", "inner", "CX")
	a.loop("inner", "CX", func() {
		a.tileLoad(4, "SI", "R10")
		a.tileLoad(6, "DI", "R11")
		if wide {
			a.tileLoad(7, "R9", "R11")
		}
		a.tileLoad(5, "R8", "R10")
		for i := range 2 {
			for j := range columns {
				a.tileMultiply(4+i, 6+j, 2*i+j)
			}
		}
		a.op("ADDQ R12, SI")
		a.op("ADDQ R12, R8")
		a.op("ADDQ DX, DI")
		if wide {
			a.op("ADDQ DX, R9")
		}
	})
	a.op("ADDQ R13, SI")
	a.op("ADDQ R13, R8")
	a.op("DECQ BX")
	a.op("JNZ outer")
	a.loadBytes("tileProduct", "cRow", "R10")
	each(func(t int, base string) { a.tileStore(t, base, "R10") })
	a.bytes("TILERELEASE", 0xC4, 0xE2, 0x78, 0x49, 0xC0)
	a.op("RET")
}

// rowPairs writes the numbers of two neighbouring pixels side by side, rounded to
// bfloat16: a word a channel.
func rowPairs(a *asm) {
	a.text.WriteString("\n")
	for i := range 16 {
		fmt.Fprintf(&a.text, "DATA pairOrder<>+%d(SB)/4, $0x%08X\n", 4*i, (16+i)<<16|i)
	}
	a.text.WriteString("GLOBL pairOrder<>(SB), RODATA|NOPTR, $64\n")
	a.fn("rowPairsAMX", "rowPairs")
	a.load("rowPairs", "dst", "DI")
	a.load("rowPairs", "src", "SI")
	a.load("rowPairs", "pairs", "BX")
	a.load("rowPairs", "n", "DX")
	a.op("SHRQ $4, DX")
	a.loadBytes("rowPairs", "step", "R8")
	a.op("VMOVDQU32 pairOrder<>(SB), Z3")
	a.label("pair")
	a.op("MOVQ SI, R9")
	a.op("MOVQ DX, CX")
	a.loop("channels", "CX", func() {
		a.op("VMOVUPS (R9), Z0")
		a.op("VMOVUPS (R9)(R8*1), Z1")
		a.roundPair()
		a.op("VPERMW Z2, Z3, Z2")
		a.op("VMOVDQU32 Z2, (DI)")
		a.op("ADDQ $64, R9")
		a.op("ADDQ $64, DI")
	})
	a.op("LEAQ (SI)(R8*2), SI")
	a.op("DECQ BX")
	a.op("JNZ pair")
	a.ret()
}

// roundPair writes the 16 numbers in Z0 and those in Z1, rounded, behind one another
// to Z2.
func (a *asm) roundPair() {
	a.bytes("VCVTNE2PS2BF16 Z0, Z1, Z2", 0x62, 0xF2, (^1&15)<<3|7, 0x48, 0x72, 0xC0|2<<3|0)
}

// rowHalves rounds a row of numbers, a multiple of 32.
func rowHalves(a *asm) {
	a.fn("rowHalvesAMX", "rowHalves")
	a.load("rowHalves", "dst", "DI")
	a.load("rowHalves", "src", "SI")
	a.load("rowHalves", "n", "CX")
	a.op("SHRQ $5, CX")
	a.loop("round", "CX", func() {
		a.op("VMOVUPS (SI), Z0")
		a.op("VMOVUPS 64(SI), Z1")
		a.roundPair()
		a.op("VMOVDQU32 Z2, (DI)")
		a.op("ADDQ $128, SI")
		a.op("ADDQ $64, DI")
	})
	a.ret()
}
