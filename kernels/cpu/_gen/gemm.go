package main

import "fmt"

// gemm writes the tile kernels of matrix multiplication and what
// brings operands into place.
func gemm(a *asm) {
	for _, rows := range []int{12, 4, 2, 1} {
		tile(a, zmm, rows, 2)
		tile(a, zmm, rows, 1)
	}
	for _, rows := range []int{6, 4, 2, 1} {
		tile(a, ymm, rows, 1)
	}
	for _, v := range []vec{zmm, ymm} {
		sumChunks(a, v)
		copyRows(a, v)
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

// tile writes the product of a few rows of A and one or two panels of B. The
// whole tile of C stays in registers; each step along k loads a row of B and
// broadcasts one number for each row of A.
func tile(a *asm, v vec, rows, panels int) {
	perPanel := 64 / v.bytes
	wide := panels * perPanel // vectors in a row of C
	acc := func(i, j int) int { return i*wide + j }
	row := rows * wide   // registers of the row of B
	number := row + wide // of the broadcast numbers, two by turns if there is room
	numbers := min(2, v.regs-number)

	a.fn(fmt.Sprintf("tile%dx%d%s", rows, panels*16, v.isa()), "tile")
	a.load("tile", "a", "BX")
	a.load("tile", "b", "DI")
	a.load("tile", "k", "CX")
	a.loadBytes("tile", "rs", "R8")
	a.loadBytes("tile", "cs", "R12")
	a.loadBytes("tile", "bstep", "DX")
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
	for i := range rows * wide {
		a.zero(v, i)
	}
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

	a.load("tile", "c", "BX")
	a.loadBytes("tile", "ldc", "R8")
	if panels == 2 {
		a.loadBytes("tile", "cpanel", "R13")
		a.op("ADDQ BX, R13")
	}
	out := func(visit func(i, j int, place string)) {
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
	a.op("CMPB tile_add(AX), $0")
	a.op("JNE add")
	out(func(i, j int, place string) { a.op("VMOVUPS %s, %s", v.r(acc(i, j)), place) })
	a.ret()
	a.label("add")
	out(func(i, j int, place string) {
		a.op("VADDPS %s, %s, %s", place, v.r(acc(i, j)), v.r(acc(i, j)))
		a.op("VMOVUPS %s, %s", v.r(acc(i, j)), place)
	})
	a.ret()
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
// vectors, then half as much as long as that still fits.
func copyRows(a *asm, v vec) {
	a.fn("copyRows"+v.isa(), "rowCopy")
	a.load("rowCopy", "dst", "DI")
	a.load("rowCopy", "src", "SI")
	a.load("rowCopy", "rows", "DX")
	a.load("rowCopy", "n", "R10")
	a.loadBytes("rowCopy", "dstStep", "R8")
	a.loadBytes("rowCopy", "srcStep", "R9")
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
