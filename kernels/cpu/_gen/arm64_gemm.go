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

// tileNEON writes the products of a few rows of A and one panel of B, four
// vectors wide, one tile below the other. A whole tile of C stays in registers;
// each step along k loads a row of B and repeats one number for each row of A,
// whose pointer goes along k by itself. Of a tile with fewer columns than a panel
// the sums go through the stack.
func tileNEON(a *asm, rows int) {
	const wide = 4 // vectors in a row of C
	row := rows * wide
	number := row + wide
	numbers := min(rows, neon.regs-number)
	pointer := func(i int) string { return fmt.Sprintf("R%d", 1+i) }
	sums := fmt.Sprintf("$sums-%d(SP)", 64*rows)
	// Where the tile at work begins in A and C, and the tiles and runs of k left.
	const begin, c, tiles, runs = "R14", "R15", "R16", "R12"
	const rs, cs, bstep, next, ldc, cols, add = "R9", "R10", "R11", "R13", "R19", "R20", "R21"

	a.fnLocals(fmt.Sprintf("tile%dx16NEON", rows), "tile", 8*rows)
	a.load("tile", "a", begin)
	a.load("tile", "c", c)
	a.load("tile", "tiles", tiles)
	a.load("tile", "cols", cols)
	a.op("MOVBU tile_add(R0), %s", add)
	for _, step := range []struct{ field, reg string }{{"rs", rs}, {"cs", cs}, {"bstep", bstep}, {"next", next}, {"ldc", ldc}} {
		a.loadBytes("tile", step.field, step.reg)
	}
	a.label("tile")
	a.op("MOVD %s, %s", begin, pointer(0))
	for i := 1; i < rows; i++ {
		a.op("ADD %s, %s, %s", rs, pointer(i-1), pointer(i))
	}
	a.load("tile", "b", "R7")
	a.load("tile", "runs", runs)
	for i := range rows * wide {
		a.zero(neon, i)
	}
	a.label("run")
	a.load("tile", "k", "R8")
	a.loop("step", "R8", func() {
		a.op("VLD1.P (R7)(%s), %s", bstep, list(row, wide))
		repeat := func(i int) {
			a.op("VLD1R.P (%s)(%s), %s", pointer(i), cs, list(number+i%numbers, 1))
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
	for i := range rows {
		a.op("ADD %s, %s", next, pointer(i))
	}
	a.op("SUBS $1, %s", runs)
	a.op("BNE run")

	a.op("CMP $16, %s", cols)
	a.op("BNE some")
	a.op("MOVD %s, R1", c)
	a.op("CBNZ %s, add", add)
	a.storeNEON("R1", ldc, rows, wide)
	a.op("B next")
	a.label("add")
	a.addNEON("R1", ldc, rows, wide, row)
	a.label("next")
	a.op("MOVD $%d, R2", rows)
	a.op("MADD R2, %[1]s, %[2]s, %[1]s", begin, rs)
	a.op("MADD R2, %[1]s, %[2]s, %[1]s", c, ldc)
	a.op("SUBS $1, %s", tiles)
	a.op("BNE tile")
	a.ret()

	a.label("some")
	a.op("MOVD %s, R1", sums)
	a.op("MOVD $64, R2")
	a.storeNEON("R1", "R2", rows, wide)
	a.op("MOVD %s, R1", sums)
	a.op("MOVD %s, R2", c)
	a.op("MOVD $%d, R3", rows)
	a.loop("line", "R3", func() {
		a.op("MOVD R1, R4")
		a.op("MOVD R2, R5")
		a.op("MOVD %s, R6", cols)
		a.loop("number", "R6", func() {
			a.op("FMOVS.P 4(R4), F0")
			a.op("CBZ %s, store", add)
			a.op("FMOVS (R5), F1")
			a.op("FADDS F1, F0")
			a.label("store")
			a.op("FMOVS.P F0, 4(R5)")
		})
		a.op("ADD $64, R1")
		a.op("ADD %s, R2", ldc)
	})
	a.op("B next")
}

// outNEON ends a kernel: it writes rows of wide sums, in registers from 0 on,
// to base and every step behind it, or adds them to what is there if the
// argument says add. spare is the first of wide registers that may be used.
func (a *asm) outNEON(arg, base, step string, rows, wide, spare int) {
	a.op("MOVBU %s_add(R0), R2", arg)
	a.op("CBNZ R2, add")
	a.storeNEON(base, step, rows, wide)
	a.ret()
	a.label("add")
	a.addNEON(base, step, rows, wide, spare)
	a.ret()
}

func (a *asm) storeNEON(base, step string, rows, wide int) {
	for i := range rows {
		a.op("VST1.P %s, (%s)(%s)", list(i*wide, wide), base, step)
	}
}

func (a *asm) addNEON(base, step string, rows, wide, spare int) {
	for i := range rows {
		a.op("VLD1 (%s), %s", base, list(spare, wide))
		for j := range wide {
			a.word("fadd", i*wide+j, i*wide+j, spare+j)
		}
		a.op("VST1.P %s, (%s)(%s)", list(i*wide, wide), base, step)
	}
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
