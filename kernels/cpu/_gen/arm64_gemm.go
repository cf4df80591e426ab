package main

import "fmt"

// gemmNEON writes the tile kernels of matrix multiplication and what brings
// operands into place, for arm64.
func gemmNEON(a *asm) {
	for _, rows := range []int{6, 4, 2, 1} {
		tileNEON(a, rows)
	}
	sumChunksNEON(a)
	copyRowsNEON(a)
}

// tileNEON writes the product of a few rows of A and one panel of B, four
// vectors wide. The whole tile of C stays in registers; each step along k loads
// a row of B and repeats one number for each row of A, whose pointer goes along
// k by itself.
func tileNEON(a *asm, rows int) {
	const wide = 4 // vectors in a row of C
	row := rows * wide
	number := row + wide
	numbers := min(rows, neon.regs-number)
	pointer := func(i int) string { return fmt.Sprintf("R%d", 1+i) }

	a.fn(fmt.Sprintf("tile%dx16NEON", rows), "tile")
	a.load("tile", "a", pointer(0))
	a.load("tile", "b", "R7")
	a.load("tile", "k", "R8")
	a.loadBytes("tile", "rs", "R9")
	a.loadBytes("tile", "cs", "R10")
	a.loadBytes("tile", "bstep", "R11")
	for i := 1; i < rows; i++ {
		a.op("ADD R9, %s, %s", pointer(i-1), pointer(i))
	}
	for i := range rows * wide {
		a.zero(neon, i)
	}
	a.loop("step", "R8", func() {
		a.op("VLD1.P (R7)(R11), %s", list(row, wide))
		repeat := func(i int) {
			a.op("VLD1R.P (%s)(R10), %s", pointer(i), list(number+i%numbers, 1))
		}
		for i := range numbers {
			repeat(i)
		}
		for i := range rows {
			for j := range wide {
				a.fma(neon, number+i%numbers, row+j, i*wide+j)
			}
			if i+numbers < rows {
				repeat(i + numbers)
			}
		}
	})

	a.load("tile", "c", "R1")
	a.loadBytes("tile", "ldc", "R9")
	a.outNEON("tile", "R1", "R9", rows, wide, row)
}

// outNEON ends a kernel: it writes rows of wide sums, in registers from 0 on,
// to base and every step behind it, or adds them to what is there if the
// argument says add. spare is the first of wide registers that may be used.
func (a *asm) outNEON(arg, base, step string, rows, wide, spare int) {
	a.op("MOVBU %s_add(R0), R2", arg)
	a.op("CBNZ R2, add")
	for i := range rows {
		a.op("VST1.P %s, (%s)(%s)", list(i*wide, wide), base, step)
	}
	a.ret()
	a.label("add")
	for i := range rows {
		a.op("VLD1 (%s), %s", base, list(spare, wide))
		for j := range wide {
			a.word("fadd", i*wide+j, i*wide+j, spare+j)
		}
		a.op("VST1.P %s, (%s)(%s)", list(i*wide, wide), base, step)
	}
	a.ret()
}

// sumChunksNEON writes the sum of equally long arrays that lie some stride
// apart, added in that order, 16 floats at a time.
func sumChunksNEON(a *asm) {
	a.fn("sumChunksNEON", "chunkSum")
	a.load("chunkSum", "dst", "R1")
	a.load("chunkSum", "src", "R2")
	a.load("chunkSum", "n", "R3")
	a.op("LSR $4, R3")
	a.loadBytes("chunkSum", "stride", "R4")
	a.load("chunkSum", "chunks", "R5")
	a.op("SUB $1, R5")
	a.loop("place", "R3", func() {
		a.op("VLD1 (R2), %s", list(0, 4))
		a.op("MOVD R2, R6")
		a.op("MOVD R5, R7")
		a.op("CBZ R7, store")
		a.loop("chunk", "R7", func() {
			a.op("ADD R4, R6")
			a.op("VLD1 (R6), %s", list(4, 4))
			for i := range 4 {
				a.word("fadd", i, i, 4+i)
			}
		})
		a.label("store")
		a.op("VST1.P %s, 64(R1)", list(0, 4))
		a.op("ADD $64, R2")
	})
	a.ret()
}

// copyRowsNEON writes the copy of a matrix whose rows lie a step apart: 16
// floats at a time, then half as much as long as that still fits.
func copyRowsNEON(a *asm) {
	a.fn("copyRowsNEON", "rowCopy")
	a.load("rowCopy", "dst", "R1")
	a.load("rowCopy", "src", "R2")
	a.load("rowCopy", "rows", "R3")
	a.load("rowCopy", "n", "R4")
	a.loadBytes("rowCopy", "dstStep", "R5")
	a.loadBytes("rowCopy", "srcStep", "R6")
	vectors := func(n int) {
		a.op("VLD1.P %d(R9), %s", 16*n, list(0, n))
		a.op("VST1.P %s, %d(R8)", list(0, n), 16*n)
	}
	a.loop("row", "R3", func() {
		a.op("MOVD R1, R8")
		a.op("MOVD R2, R9")
		a.op("LSR $4, R4, R10")
		a.op("CBZ R10, rest")
		a.loop("vector", "R10", func() { vectors(4) })
		a.label("rest")
		for bit := 3; bit >= 0; bit-- {
			a.op("TBZ $%d, R4, no%d", bit, 1<<bit)
			switch bit {
			case 3, 2:
				vectors(1 << bit / 4)
			case 1:
				a.op("MOVD.P 8(R9), R11")
				a.op("MOVD.P R11, 8(R8)")
			case 0:
				a.op("MOVWU (R9), R11")
				a.op("MOVW R11, (R8)")
			}
			a.label(fmt.Sprintf("no%d", 1<<bit))
		}
		a.op("ADD R5, R1")
		a.op("ADD R6, R2")
	})
	a.ret()
}
