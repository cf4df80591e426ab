package main

import "fmt"

// The matrices that Winograd's kernels multiply have blocks of 16 channels, see
// placeProducts of package cpu: 64 bytes from a tile to the next, so that all
// rows of a product lie at fixed distances.

// products writes the matrix products of all places of Winograd's convolution,
// tiles by channels and channels by outputs. Rows of B, as many panels wide as
// are multiplied at once, follow one another just as they are used.
func products(a *asm, v vec) {
	const arg = "placeProducts"
	const places, aPlace, bPlace, cPlace, cPanel = "0(SP)", "8(SP)", "16(SP)", "24(SP)", "32(SP)"
	panels, list := 2, []int{12, 8, 4, 2, 1}
	if v.bytes == 32 {
		panels, list = 1, []int{6, 4, 2, 1}
	}
	a.fnLocals("winoProducts"+v.isa(), arg, 6)
	a.flush(5)
	enterPlaces(a, places, aPlace, bPlace, cPlace)
	a.loadBytes(arg, "aBlock", "R9")
	a.op("SUBQ $64, R9") // a block's channels have gone by
	a.loadBytes(arg, "cRow", "R10")
	a.label("place")
	a.op("MOVQ %s, R15", bPlace)
	a.op("MOVQ %s, BX", cPlace)
	a.op("MOVQ BX, %s", cPanel)
	a.load(arg, "panels", "R13")
	a.label("panel")
	a.op("MOVQ %s, SI", aPlace)
	a.op("MOVQ %s, R14", cPanel)
	rowGroups(a, list, func(rows int) {
		vectors := panels * 64 / v.bytes
		acc := func(i, j int) int { return i*vectors + j }
		row := rows * vectors
		number := row + vectors
		numbers := min(2, v.regs-number)
		request(a, fmt.Sprint(rows))
		for i := range row {
			a.zero(v, i)
		}
		a.op("MOVQ SI, BX")
		a.op("MOVQ R15, DI")
		channels(a, rows, func(u int) {
			for j := range panels { // filters may come from the third cache
				a.op("PREFETCHT0 %d(DI)", 4096+(u*panels+j)*64)
			}
			for j := range vectors {
				a.op("VMOVUPS %d(DI), %s", u*64*panels+j*v.bytes, v.r(row+j))
			}
			for i := range rows {
				x := number + i%numbers
				a.op("VBROADCASTSS %d(BX), %s", 64*i+4*u, v.r(x))
				for j := range vectors {
					a.fma(v, x, row+j, acc(i, j))
				}
			}
		}, func(unroll int) {
			a.op("ADDQ $%d, BX", 4*unroll)
			a.op("ADDQ $%d, DI", unroll*64*panels)
		}, func() {
			a.op("ADDQ R9, BX")
		})
		for i := range rows {
			for j := range vectors {
				a.op("VMOVUPS %s, %d(R14)", v.r(acc(i, j)), j*v.bytes)
			}
			a.op("ADDQ R10, R14")
		}
	})
	a.op("MOVQ DI, R15")
	a.op("ADDQ $%d, %s", 64*panels, cPanel)
	a.op("SUBQ $%d, R13", panels)
	a.op("JNZ panel")
	nextPlace(a, 1, places, aPlace, bPlace, cPlace)
}

// panelProducts writes the products with a single panel, of two places at once,
// which is as many sums as it takes to keep the processor busy. C may be where A
// is.
func panelProducts(a *asm, v vec) {
	const arg = "placeProducts"
	const places, aPlace, bPlace, cPlace = "0(SP)", "8(SP)", "16(SP)", "24(SP)"
	a.fnLocals("winoPanelProducts"+v.isa(), arg, 6)
	a.flush(5)
	enterPlaces(a, places, aPlace, bPlace, cPlace)
	a.loadBytes(arg, "aBlock", "R9")
	a.op("SUBQ $64, R9")
	a.loadBytes(arg, "cRow", "R10")
	a.loadBytes(arg, "aPlace", "R11")
	a.loadBytes(arg, "bPlace", "R12")
	a.loadBytes(arg, "cPlace", "R13")
	a.label("place")
	a.op("MOVQ %s, SI", aPlace)
	a.op("MOVQ %s, R14", cPlace)
	rowGroups(a, []int{12, 8, 4, 2, 1}, func(rows int) {
		acc := func(i, j int) int { return i*2 + j }
		row := 2 * rows
		request(a, fmt.Sprint(rows))
		for i := range row {
			a.zero(v, i)
		}
		a.op("MOVQ SI, BX")
		a.op("MOVQ %s, DI", bPlace)
		channels(a, rows, func(u int) {
			a.op("VMOVUPS %d(DI), %s", 64*u, v.r(row))
			a.op("VMOVUPS %d(DI)(R12*1), %s", 64*u, v.r(row+1))
			for i := range rows {
				a.op("VFMADD231PS.BCST %d(BX), %s, %s", 64*i+4*u, v.r(row), v.r(acc(i, 0)))
				a.op("VFMADD231PS.BCST %d(BX)(R11*1), %s, %s", 64*i+4*u, v.r(row+1), v.r(acc(i, 1)))
			}
		}, func(unroll int) {
			a.op("ADDQ $%d, BX", 4*unroll)
			a.op("ADDQ $%d, DI", 64*unroll)
		}, func() {
			a.op("ADDQ R9, BX")
		})
		for i := range rows {
			a.op("VMOVUPS %s, (R14)", v.r(acc(i, 0)))
			a.op("VMOVUPS %s, (R14)(R13*1)", v.r(acc(i, 1)))
			a.op("ADDQ R10, R14")
		}
	})
	nextPlace(a, 2, places, aPlace, bPlace, cPlace)
}

// outerProducts writes the matrix products of all places of the weight
// gradient, (tiles by channels)ᵀ and tiles by outputs. Rows of C, as many panels
// wide as are multiplied at once, follow one another.
func outerProducts(a *asm, v vec) {
	const arg = "placeProducts"
	const places, aPlace, bPlace, cPlace, cPanel = "0(SP)", "8(SP)", "16(SP)", "24(SP)", "32(SP)"
	a.fnLocals("winoOuter"+v.isa(), arg, 6)
	a.flush(5)
	enterPlaces(a, places, aPlace, bPlace, cPlace)
	a.loadBytes(arg, "aBlock", "R8")
	a.op("SUBQ $64, R8")
	a.loadBytes(arg, "bBlock", "R9")
	a.label("place")
	a.op("MOVQ %s, R15", bPlace)
	a.op("MOVQ %s, BX", cPlace)
	a.op("MOVQ BX, %s", cPanel)
	a.load(arg, "panels", "R13")

	// all writes the products of all channels, some rows at a time, and one or
	// two panels.
	all := func(rows, panels int) {
		vectors := panels * 64 / v.bytes
		acc := func(i, j int) int { return i*vectors + j }
		row := rows * vectors
		number := row + vectors
		numbers := min(2, v.regs-number)
		place := func(i, j int) string { return fmt.Sprintf("%d(R14)", i*64*panels+j*v.bytes) }
		name := fmt.Sprintf("%dx%d", rows, panels)
		a.op("MOVQ %s, SI", aPlace)
		a.op("MOVQ %s, R14", cPanel)
		a.load(arg, "rows", "CX")
		a.label("rows" + name)
		request(a, name)
		a.op("CMPB %s_add(AX), $0", arg)
		a.op("JEQ zero" + name)
		for i := range rows {
			for j := range vectors {
				a.op("VMOVUPS %s, %s", place(i, j), v.r(acc(i, j)))
			}
		}
		a.op("JMP sum" + name)
		a.label("zero" + name)
		for i := range row {
			a.zero(v, i)
		}
		a.label("sum" + name)
		a.op("MOVQ SI, BX")
		a.op("MOVQ R15, DI")
		tile := func(u int) {
			for j := range vectors {
				index := ""
				if j >= 64/v.bytes {
					index = "(R9*1)" // the second panel
				}
				a.op("VMOVUPS %d(DI)%s, %s", 64*u+j%(64/v.bytes)*v.bytes, index, v.r(row+j))
			}
			for i := range rows {
				from := fmt.Sprintf("%d(BX)", 64*u+4*i)
				if vectors == 1 {
					a.op("VFMADD231PS.BCST %s, %s, %s", from, v.r(row), v.r(acc(i, 0)))
					continue
				}
				x := number + i%numbers
				a.op("VBROADCASTSS %s, %s", from, v.r(x))
				for j := range vectors {
					a.fma(v, x, row+j, acc(i, j))
				}
			}
		}
		const unroll = 4
		a.load(arg, "k", "DX")
		a.op("SUBQ $%d, DX", unroll)
		a.op("JLT rest" + name)
		a.op("PCALIGN $32")
		a.label("tiles" + name)
		for u := range unroll {
			tile(u)
		}
		a.op("ADDQ $%d, BX", 64*unroll)
		a.op("ADDQ $%d, DI", 64*unroll)
		a.op("SUBQ $%d, DX", unroll)
		a.op("JGE tiles" + name)
		a.label("rest" + name)
		a.op("ADDQ $%d, DX", unroll)
		a.op("JZ end" + name)
		a.loop("tile"+name, "DX", func() {
			tile(0)
			a.op("ADDQ $64, BX")
			a.op("ADDQ $64, DI")
		})
		a.label("end" + name)
		for i := range rows {
			for j := range vectors {
				a.op("VMOVUPS %s, %s", v.r(acc(i, j)), place(i, j))
			}
		}
		a.op("ADDQ $%d, R14", rows*64*panels)
		a.op("ADDQ $%d, SI", 4*rows)
		a.op("SUBQ $%d, CX", rows)
		if rows < 16 { // further rows of this block
			a.op("TESTQ $15, CX")
			a.op("JNZ rows" + name)
		}
		a.op("ADDQ R8, SI")
		a.op("TESTQ CX, CX")
		a.op("JNZ rows" + name)
		a.op("LEAQ (R15)(R9*%d), R15", panels)
		a.loadBytes(arg, "cPanel", "BX")
		a.op("ADDQ BX, %s", cPanel)
	}
	if v.bytes == 64 {
		a.label("pair")
		a.op("SUBQ $2, R13")
		a.op("JLT last")
		all(8, 2)
		a.op("JMP pair")
		a.label("last")
		a.op("ADDQ $2, R13")
		a.op("JZ next")
		all(16, 1)
		a.label("next")
	} else {
		a.label("panel")
		all(4, 1)
		a.op("DECQ R13")
		a.op("JNZ panel")
	}
	nextPlace(a, 1, places, aPlace, bPlace, cPlace)
}

// enterPlaces begins with the first place: of each field the local of its name.
func enterPlaces(a *asm, places, aPlace, bPlace, cPlace string) {
	for _, f := range []struct{ field, local string }{{"places", places}, {"a", aPlace}, {"b", bPlace}, {"c", cPlace}} {
		a.load("placeProducts", f.field, "BX")
		a.op("MOVQ BX, %s", f.local)
	}
}

// nextPlace goes on by n places, to label place, and returns behind the last.
func nextPlace(a *asm, n int, places, aPlace, bPlace, cPlace string) {
	for _, f := range []struct{ field, local string }{{"aPlace", aPlace}, {"bPlace", bPlace}, {"cPlace", cPlace}} {
		a.load("placeProducts", f.field, "BX")
		a.op("SHLQ $%d, BX", n+1) // n floats for n = 1, 2
		a.op("ADDQ BX, %s", f.local)
	}
	a.op("SUBQ $%d, %s", n, places)
	a.op("JNZ place")
	a.unflush(5)
	a.ret()
}

// rowGroups writes body for each number of rows in list, with falling numbers
// down to 1, and applies it to all rows of A, from SI on.
func rowGroups(a *asm, list []int, body func(rows int)) {
	name := func(n int) string { return fmt.Sprintf("rows%d", n) }
	a.load("placeProducts", "rows", "CX")
	a.label(name(0))
	for i, n := range list {
		if i > 0 {
			a.label(name(n))
		}
		if i+1 < len(list) {
			a.op("CMPQ CX, $%d", n)
			a.op("JLT %s", name(list[i+1]))
		}
		if i == 0 { // better two equal groups than the longest and a short one
			a.op("CMPQ CX, $%d", 2*list[1])
			a.op("JEQ %s", name(list[1]))
		}
		body(n)
		a.op("ADDQ $%d, SI", 64*n)
		a.op("SUBQ $%d, CX", n)
		a.op("JNZ %s", name(0))
		if i+1 < len(list) {
			a.op("JMP done")
		}
	}
	a.label("done")
}

// channels writes the loops over k channels, in blocks of 16: step for channel u
// of a few, next after them, block after each block.
func channels(a *asm, rows int, step, next func(u int), block func()) {
	const unroll = 4
	a.load("placeProducts", "k", "R8")
	a.op("SHRQ $4, R8")
	a.label(fmt.Sprintf("block%d", rows))
	a.op("MOVL $%d, DX", 16/unroll)
	a.loop(fmt.Sprintf("step%d", rows), "DX", func() {
		for u := range unroll {
			step(u)
		}
		next(unroll)
	})
	block()
	a.op("DECQ R8")
	a.op("JNZ block%d", rows)
}

// request asks for the next memory of both streams, for the second cache. It
// changes BX and DX.
func request(a *asm, name string) {
	for _, field := range []string{"ahead", "below"} {
		stream := "placeProducts_" + field
		a.op("MOVQ %s+stream_lines(AX), DX", stream)
		a.op("TESTQ DX, DX")
		a.op("JZ no%s%s", field, name)
		a.op("MOVQ %s+stream_at(AX), BX", stream)
		a.op("ADDQ %s+stream_memory(AX), BX", stream)
		a.label(field + name)
		a.op("PREFETCHT1 (BX)")
		a.op("ADDQ $64, BX")
		a.op("DECQ DX")
		a.op("JNZ %s%s", field, name)
		a.op("SUBQ %s+stream_memory(AX), BX", stream)
		a.op("MOVQ BX, %s+stream_at(AX)", stream)
		a.label("no" + field + name)
	}
}
