package main

import "fmt"

// gemm writes the tile kernels of matrix multiplication and what
// brings operands into place.
func gemm(a *asm) {
	for _, rows := range []int{14, 8, 7, 4, 2, 1} {
		tile(a, zmm, rows, 2)
		tile(a, zmm, rows, 1)
	}
	for _, rows := range []int{6, 4, 2, 1} {
		tile(a, ymm, rows, 1)
	}
	for _, v := range []vec{zmm, ymm} {
		sumChunks(a, v)
		copyRows(a, v)
		transpose(a, v)
	}
}

// spread keeps multiples of a stride in registers, so that one base register
// reaches nine places, or the first seven if s7 is no register.
type spread struct{ s1, s3, s5, s7 string }

func (s spread) set(a *asm) {
	a.op("LEAQ (%s)(%s*2), %s", s.s1, s.s1, s.s3)
	a.op("LEAQ (%s)(%s*4), %s", s.s1, s.s1, s.s5)
	if s.s7 != "" {
		a.op("LEAQ (%s)(%s*4), %s", s.s3, s.s1, s.s7)
	}
}

// at is place i of 0..8 from base.
func (s spread) at(base string, i int) string {
	switch i {
	case 0:
		return fmt.Sprintf("(%s)", base)
	case 1, 2, 4, 8:
		return fmt.Sprintf("(%s)(%s*%d)", base, s.s1, i)
	case 3, 6:
		return fmt.Sprintf("(%s)(%s*%d)", base, s.s3, i/3)
	case 5:
		return fmt.Sprintf("(%s)(%s*1)", base, s.s5)
	}
	return fmt.Sprintf("(%s)(%s*1)", base, s.s7)
}

// tile writes the products of a few rows of A and one or two panels of B, one
// below the other. A whole tile of C stays in registers; each step along k loads
// a row of B and broadcasts one number for each row of A.
func tile(a *asm, v vec, rows, panels int) {
	perPanel := 64 / v.bytes
	wide := panels * perPanel // vectors in a row of C
	acc := func(i, j int) int { return i*wide + j }
	row := rows * wide   // registers of the row of B
	number := row + wide // of the broadcast numbers, two by turns if there is room
	numbers := min(2, v.regs-number)
	// Where the tile at work begins in A, its runs of k that are left, and on
	// the stack: where it begins in C and the tiles that are left.
	const begin, runs, c, tiles = "R15", "R14", "0(SP)", "8(SP)"

	a.fnLocals(fmt.Sprintf("tile%dx%d%s", rows, panels*16, v.isa()), "tile", 3)
	a.op("CMPB tile_denormals(AX), $0")
	a.op("JNE kept")
	a.flush(2)
	a.label("kept")
	a.load("tile", "c", "BX")
	a.op("MOVQ BX, %s", c)
	a.load("tile", "tiles", "CX")
	a.op("MOVQ CX, %s", tiles)
	a.load("tile", "a", begin)
	a.label("tile")
	// walk visits the tile's vectors in C.
	walk := func(visit func(i, j int, place string)) {
		a.op("MOVQ %s, BX", c)
		a.loadBytes("tile", "ldc", "R8")
		if panels == 2 {
			a.loadBytes("tile", "cpanel", "R13")
			a.op("ADDQ BX, R13")
		}
		for i := range rows {
			for j := range wide {
				visit(i, j, fmt.Sprintf("%d(%s)", j%perPanel*v.bytes, []string{"BX", "R13"}[j/perPanel]))
			}
			if i+1 < rows {
				a.op("ADDQ R8, BX")
				if panels == 2 {
					a.op("ADDQ R8, R13")
				}
			}
		}
	}
	a.op("CMPB tile_add(AX), $0") // what is only written had better not be read
	a.op("JEQ near")
	walk(func(i, j int, place string) {
		if j%perPanel == 0 {
			a.op("PREFETCHT0 %s", place)
		}
	})
	a.label("near")
	for i := range rows * wide {
		a.zero(v, i)
	}
	a.op("MOVQ %s, BX", begin)
	a.load("tile", "b", "DI")
	a.loadBytes("tile", "rs", "R8")
	a.loadBytes("tile", "cs", "R12")
	a.loadBytes("tile", "bstep", "DX")
	a.load("tile", "runs", runs)
	lines := spread{"R8", "R9", "R10", "R11"}
	lines.set(a)
	if rows > 9 {
		a.op("LEAQ (BX)(R8*8), SI")
		a.op("ADDQ R8, SI")
	}
	if panels == 2 {
		a.loadBytes("tile", "bpanel", "R13")
		a.op("ADDQ DI, R13")
	}
	a.label("run")
	a.load("tile", "k", "CX")
	a.loop("step", "CX", func() {
		for j := range wide {
			base := []string{"DI", "R13"}[j/perPanel]
			a.op("VMOVUPS %d(%s), %s", j%perPanel*v.bytes, base, v.r(row+j))
		}
		for i := range rows {
			base, n := "BX", i
			if i >= 9 {
				base, n = "SI", i-9
			}
			if wide == 1 {
				a.op("VFMADD231PS.BCST %s, %s, %s", lines.at(base, n), v.r(row), v.r(acc(i, 0)))
				continue
			}
			x := number + i%numbers
			a.op("VBROADCASTSS %s, %s", lines.at(base, n), v.r(x))
			for j := range wide {
				a.fma(v, x, row+j, acc(i, j))
			}
		}
		a.op("ADDQ R12, BX")
		if rows > 9 {
			a.op("ADDQ R12, SI")
		}
		a.op("ADDQ DX, DI")
		if panels == 2 {
			a.op("ADDQ DX, R13")
		}
	})
	a.loadBytes("tile", "next", "CX")
	a.op("ADDQ CX, BX")
	if rows > 9 {
		a.op("ADDQ CX, SI")
	}
	a.op("DECQ %s", runs)
	a.op("JNZ run")

	a.load("tile", "cols", "CX")
	a.op("CMPQ CX, $%d", 16*panels)
	a.op("JNE some")
	finish := func(suffix string, add, store func(i, j int, place string)) {
		a.op("CMPB tile_add(AX), $0")
		a.op("JEQ store%s", suffix)
		walk(add)
		a.label("store" + suffix)
		walk(store)
	}
	add := func(i, j int, place string) { a.op("VADDPS %s, %s, %s", place, v.r(acc(i, j)), v.r(acc(i, j))) }
	store := func(i, j int, place string) { a.op("VMOVUPS %s, %s", v.r(acc(i, j)), place) }
	finish("", add, store)
	a.label("next")
	a.load("tile", "rs", "R8")
	a.op("IMULQ $%d, R8", 4*rows)
	a.op("ADDQ R8, %s", begin)
	a.load("tile", "ldc", "R8")
	a.op("IMULQ $%d, R8", 4*rows)
	a.op("ADDQ R8, %s", c)
	a.op("DECQ %s", tiles)
	a.op("JNZ tile")
	a.op("CMPB tile_denormals(AX), $0")
	a.op("JNE end")
	a.unflush(2)
	a.label("end")
	a.ret()

	// Not all columns of the last panel: a mask says which. Without registers for
	// masks the row of B gives its own. (Whole vectors go without, because then
	// the processor need not fetch what it overwrites.)
	a.label("some")
	if v == zmm {
		a.op("SUBQ $%d, CX", 16*(panels-1))
		a.op("MOVL $1, BX")
		a.op("SHLL CX, BX")
		a.op("DECL BX")
		a.op("KMOVW BX, K1")
		finish("Some", func(i, j int, place string) {
			if j < wide-1 {
				add(i, j, place)
				return
			}
			a.op("VADDPS %s, %s, K1, %s", place, v.r(acc(i, j)), v.r(acc(i, j)))
		}, func(i, j int, place string) {
			if j < wide-1 {
				store(i, j, place)
				return
			}
			a.op("VMOVUPS %s, K1, %s", v.r(acc(i, j)), place)
		})
	} else {
		a.op("LEAQ ·columnMasks+64(SB), DX")
		a.op("SHLQ $2, CX")
		a.op("SUBQ CX, DX")
		for j := range wide {
			a.op("VMOVUPS %d(DX), %s", j*v.bytes, v.r(row+j))
		}
		finish("Some", func(i, j int, place string) {
			a.op("VMASKMOVPS %s, %s, %s", place, v.r(row+j), v.r(number))
			a.op("VADDPS %s, %s, %s", v.r(number), v.r(acc(i, j)), v.r(acc(i, j)))
		}, func(i, j int, place string) { a.op("VMASKMOVPS %s, %s, %s", v.r(acc(i, j)), v.r(row+j), place) })
	}
	a.op("JMP next")
}

// sumChunks writes the sum of equally long arrays that lie some stride apart,
// added in that order, 16 floats at a time.
func sumChunks(a *asm, v vec) {
	each := func(format, base string) {
		for i := range 64 / v.bytes {
			a.op(format, fmt.Sprintf("%d(%s)", i*v.bytes, base), v.r(i))
		}
	}
	a.fn("sumChunks"+v.isa(), "chunkSum")
	a.load("chunkSum", "dst", "DI")
	a.load("chunkSum", "src", "SI")
	a.load("chunkSum", "n", "CX")
	a.op("SHRQ $4, CX")
	a.loadBytes("chunkSum", "stride", "R8")
	a.loop("place", "CX", func() {
		each("VMOVUPS %s, %s", "SI")
		a.op("MOVQ SI, BX")
		a.load("chunkSum", "chunks", "DX")
		a.op("DECQ DX")
		a.op("JZ store")
		a.loop("chunk", "DX", func() {
			a.op("ADDQ R8, BX")
			each("VADDPS %[1]s, %[2]s, %[2]s", "BX")
		})
		a.label("store")
		each("VMOVUPS %[2]s, %[1]s", "DI")
		a.op("ADDQ $64, SI")
		a.op("ADDQ $64, DI")
	})
	a.ret()
}

// copyRows writes the copy of a matrix whose rows lie a step apart: whole
// vectors, then half as much as long as that still fits. Rows of 16 floats have a
// loop of their own.
func copyRows(a *asm, v vec) {
	a.fn("copyRows"+v.isa(), "rowCopy")
	a.load("rowCopy", "dst", "DI")
	a.load("rowCopy", "src", "SI")
	a.load("rowCopy", "rows", "DX")
	a.load("rowCopy", "n", "R10")
	a.loadBytes("rowCopy", "dstStep", "R8")
	a.loadBytes("rowCopy", "srcStep", "R9")
	a.op("CMPQ R10, $16")
	a.op("JNE wide")
	a.loop("row16", "DX", func() {
		for i := range 64 / v.bytes {
			a.op("VMOVUPS %d(SI), %s", i*v.bytes, v.r(i))
		}
		for i := range 64 / v.bytes {
			a.op("VMOVUPS %s, %d(DI)", v.r(i), i*v.bytes)
		}
		a.op("ADDQ R8, DI")
		a.op("ADDQ R9, SI")
	})
	a.ret()
	a.label("wide")
	a.op("MOVQ R10, R11")
	a.op("SHRQ $%d, R11", map[int]int{64: 4, 32: 3}[v.bytes]) // vectors in a row
	a.label("row")
	a.op("MOVQ DI, R12")
	a.op("MOVQ SI, R13")
	a.op("MOVQ R11, CX")
	a.op("TESTQ CX, CX")
	a.op("JZ rest")
	a.loop("vector", "CX", func() {
		a.op("VMOVUPS (R13), %s", v.r(0))
		a.op("VMOVUPS %s, (R12)", v.r(0))
		a.op("ADDQ $%d, R13", v.bytes)
		a.op("ADDQ $%d, R12", v.bytes)
	})
	a.label("rest")
	for n := v.lanes() / 2; n >= 1; n /= 2 {
		move, reg := "VMOVUPS", fmt.Sprintf("%s0", map[int]string{8: "Y", 4: "X"}[n])
		switch n {
		case 2:
			move, reg = "MOVQ", "BX"
		case 1:
			move, reg = "MOVL", "BX"
		}
		a.op("TESTQ $%d, R10", n)
		a.op("JZ no%d", n)
		a.op("%s (R13), %s", move, reg)
		a.op("%s %s, (R12)", move, reg)
		if n > 1 {
			a.op("ADDQ $%d, R13", 4*n)
			a.op("ADDQ $%d, R12", 4*n)
		}
		a.label(fmt.Sprintf("no%d", n))
	}
	a.op("ADDQ R8, DI")
	a.op("ADDQ R9, SI")
	a.op("DECQ DX")
	a.op("JNZ row")
	a.ret()
}

// transpose writes the transposition of 16 rows, as many columns at a time as a
// vector has lanes: pairs of rows, then of pairs, are merged within 128 bits, so
// that a quarter of a vector has one column of four rows; quarters of several
// vectors make a row.
func transpose(a *asm, v vec) {
	lanes, quarters := v.lanes(), v.lanes()/4
	a.fn("transpose"+v.isa(), "transposition")
	a.load("transposition", "dst", "DI")
	a.load("transposition", "src", "SI")
	a.load("transposition", "n", "CX")
	a.op("SHRQ $%d, CX", map[int]int{16: 4, 8: 3}[lanes])
	a.loadBytes("transposition", "dstStep", "DX")
	a.loadBytes("transposition", "srcStep", "R8")
	rows, to := spread{"R8", "R9", "R10", "R11"}, spread{"DX", "R12", "R13", "R14"}
	rows.set(a)
	to.set(a)
	a.loop("block", "CX", func() {
		for half := 0; half < 16; half += lanes {
			for i := 0; i < lanes; i += 8 {
				base := "SI"
				if half+i > 0 {
					base = "BX"
					a.op("LEAQ (SI)(R8*8), BX")
				}
				for k := range 8 {
					a.op("VMOVUPS %s, %s", rows.at(base, k), v.r(i+k))
				}
			}
			for i := 0; i < lanes; i += 2 {
				a.op("VUNPCKLPS %s, %s, %s", v.r(i+1), v.r(i), v.r(lanes+i))
				a.op("VUNPCKHPS %s, %s, %s", v.r(i+1), v.r(i), v.r(lanes+i+1))
			}
			for i := 0; i < lanes; i += 4 {
				for k := range 2 {
					a.op("VUNPCKLPD %s, %s, %s", v.r(lanes+i+2+k), v.r(lanes+i+k), v.r(i+2*k))
					a.op("VUNPCKHPD %s, %s, %s", v.r(lanes+i+2+k), v.r(lanes+i+k), v.r(i+2*k+1))
				}
			}
			// Register 4g+c has columns c, 4+c, ... of rows 4g to 4g+3.
			store := func(column, reg int) {
				base := "DI"
				if column >= 8 {
					base = "BX"
				}
				place := to.at(base, column%8)
				a.op("VMOVUPS %s, %d%s", v.r(reg), 4*half, place)
			}
			if quarters == 4 {
				a.op("LEAQ (DI)(DX*8), BX")
			}
			for c := range 4 {
				if quarters == 2 {
					for q, imm := range []int{0x20, 0x31} {
						a.op("VPERM2F128 $%d, %s, %s, %s", imm, v.r(4+c), v.r(c), v.r(8+q))
						store(4*q+c, 8+q)
					}
					continue
				}
				for odd, imm := range []int{0x88, 0xdd} {
					a.op("VSHUFF32X4 $%d, %s, %s, %s", imm, v.r(4+c), v.r(c), v.r(16))
					a.op("VSHUFF32X4 $%d, %s, %s, %s", imm, v.r(12+c), v.r(8+c), v.r(17))
					for high, imm := range []int{0x88, 0xdd} {
						a.op("VSHUFF32X4 $%d, %s, %s, %s", imm, v.r(17), v.r(16), v.r(18+high))
						store(4*(odd+2*high)+c, 18+high)
					}
				}
			}
		}
		a.op("ADDQ $%d, SI", v.bytes)
		a.op("LEAQ (DI)(DX*8), DI")
		if quarters == 4 {
			a.op("LEAQ (DI)(DX*8), DI")
		}
	})
	a.ret()
}
