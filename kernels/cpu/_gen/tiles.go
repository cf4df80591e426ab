package main

import (
	"fmt"
	"slices"
)

// tileMap writes the kernel that applies m to the columns and then to the rows
// of tiles. What the columns give stays in registers as far as these suffice
// for the rows (the first kept columns), and in temp.
func tileMap(a *asm, v vec, m lineMap) {
	spare := 3 // registers that a line takes for itself
	if m.gathers {
		spare += 3 // the lanes, the mask and what filterLine needs more
	}
	kept := min(m.in, (v.regs-len(m.factors)-spare-m.in)/(m.out-1))

	const src, dst, blocks = "0(SP)", "8(SP)", "16(SP)"
	a.fnLocals(m.name+v.isa(), "tileMap", 4)
	a.flush(3)
	l := newLanes(a, v, m.factors)
	for _, f := range []struct{ field, local string }{{"src", src}, {"dst", dst}, {"blocks", blocks}} {
		a.load("tileMap", f.field, "BX")
		a.op("MOVQ BX, %s", f.local)
	}
	a.load("tileMap", "temp", "R14")
	a.loadBytes("tileMap", "srcRow", "R8")
	column := spread{s1: "R8", s3: "R9", s5: "R10"}
	load := func(i, r int) {
		a.op("VMOVUPS %s, %s", column.at("BX", i), v.r(r))
		if m.nextSrc {
			a.op("PREFETCHT0 64%s", column.at("BX", i))
		}
	}
	if m.gathers {
		load = l.gather("tileMap", "srcLane", column, "R9")
		a.op("IMUL3Q $%d, R10, R10", v.bytes) // bytes from the first lane to the next vector's
	} else {
		column.set(a)
	}
	a.loadBytes("tileMap", "dstCol", "R11")
	row := spread{s1: "R11", s3: "R12", s5: "R13"}
	row.set(a)
	temp := func(i, j int) string { return fmt.Sprintf("%d(R14)", (i*(m.in-kept)+j-kept)*v.bytes) }

	a.label("block")
	a.op("MOVQ %s, SI", src)
	a.op("MOVQ %s, DI", dst)
	a.load("tileMap", "tiles", "DX")
	a.label("tile")
	a.op("MOVL $%d, CX", 64/v.bytes)
	a.loop("vector", "CX", func() {
		a.loadBytes("tileMap", "srcCol", "R15")
		a.op("IMUL3Q $%d, R15, BX", m.in-1)
		a.op("ADDQ SI, BX")
		var columns [][]int // those that are kept
		for j := m.in - 1; j >= 0; j-- {
			var d []int
			for i := range m.in {
				d = append(d, l.take())
				load(i, d[i])
			}
			if j > 0 {
				a.op("SUBQ R15, BX")
			}
			d = m.line(l, d)
			if j < kept {
				columns = append([][]int{d}, columns...)
				continue
			}
			for i, r := range d {
				a.op("VMOVUPS %s, %s", v.r(r), temp(i, j))
			}
			l.drop(d...)
		}
		a.loadBytes("tileMap", "dstRow", "R15")
		a.op("MOVQ DI, BX")
		rows := func(add bool) {
			free := slices.Clone(l.free)
			for i := range m.out {
				var d []int
				for j := range m.in {
					if j < kept {
						d = append(d, columns[j][i])
						continue
					}
					d = append(d, l.take())
					a.op("VMOVUPS %s, %s", temp(i, j), v.r(d[j]))
				}
				d = m.line(l, d)
				for j, r := range d {
					if add {
						a.op("VADDPS %s, %s, %s", row.at("BX", j), v.r(r), v.r(r))
					}
					a.op("VMOVUPS %s, %s", v.r(r), row.at("BX", j))
					if m.nextDst {
						a.op("PREFETCHT0 64%s", row.at("BX", j))
					}
				}
				l.drop(d...)
				if i+1 < m.out {
					a.op("ADDQ R15, BX")
				}
			}
			l.free = free
		}
		if m.adds {
			a.op("CMPB tileMap_add(AX), $0")
			a.op("JNE add")
		}
		rows(false)
		if m.adds {
			a.op("JMP next")
			a.label("add")
			rows(true)
			a.label("next")
		}
		for _, c := range columns {
			l.drop(c...)
		}
		if m.gathers {
			a.op("ADDQ R10, SI")
		} else {
			a.op("ADDQ $%d, SI", v.bytes)
		}
		a.op("ADDQ $%d, DI", v.bytes)
	})
	for _, step := range []struct{ field, reg string }{{"srcNext", "SI"}, {"dstNext", "DI"}} {
		a.loadBytes("tileMap", step.field, "R15")
		a.op("ADDQ R15, %s", step.reg)
	}
	a.op("DECQ DX")
	a.op("JNZ tile")
	for _, f := range []struct{ field, local string }{{"srcBlock", src}, {"dstBlock", dst}} {
		a.loadBytes("tileMap", f.field, "BX")
		a.op("ADDQ BX, %s", f.local)
	}
	a.op("DECQ %s", blocks)
	a.op("JNZ block")
	a.unflush(3)
	a.ret()
}

// imageTiles writes the kernel that applies imageLine to both axes of the 6×6
// tiles of a row. Tiles overlap: of a tile's columns the first two are the last
// two of the tile before, mapped already, and pass through temp, pairs of
// vectors by row. The four new ones stay in registers as far as these suffice
// (the first kept), and in temp behind those. The results of the next tile follow
// those of this one in the second cache, and are asked for.
func imageTiles(a *asm, v vec) {
	const arg = "imageTiles"
	kept := map[string]int{"Z": 4, "Y": 1}[v.letter]
	a.fnLocals("winoImage"+v.isa(), arg, 1)
	a.flush(0)
	l := newLanes(a, v, []float32{2, 4})
	rows := []string{"SI", "CX", "DX", "R8", "R9", "R10"}
	for i, r := range rows {
		a.op("MOVQ %s_rows+%d(AX), %s", arg, 8*i, r)
	}
	a.load(arg, "dst", "DI")
	a.load(arg, "temp", "R14")
	a.loadBytes(arg, "plane", "R11")
	plane := spread{s1: "R11", s3: "R12", s5: "R13"}
	plane.set(a)
	carried := func(i, j int) string { return fmt.Sprintf("%d(R14)", (i*2+j)*v.bytes) }
	stored := func(i, j int) string { return fmt.Sprintf("%d(R14)", (12+i*4+j)*v.bytes) }
	column := func() []int {
		var d []int
		for _, r := range rows {
			d = append(d, l.take())
			a.op("VMOVUPS (%s)(R15*4), %s", r, v.r(d[len(d)-1]))
		}
		return imageLine(l, d)
	}

	if v.bytes == 32 {
		a.op("SHLQ $1, %s_blocks(AX)", arg)
	}
	a.label("block")
	a.op("XORQ R15, R15") // floats from the start of the rows
	first, zero := column(), l.take()
	a.zero(v, zero)
	for i, r := range first {
		a.op("VMOVUPS %s, %s", v.r(zero), carried(i, 0))
		a.op("VMOVUPS %s, %s", v.r(r), carried(i, 1))
	}
	l.drop(first...)
	l.drop(zero)

	a.op("PCALIGN $32")
	a.label("tile")
	var columns [4][]int
	for j := range columns {
		a.op("ADDQ %s_pixel(AX), R15", arg)
		if j == 3 {
			a.op("CMPQ R15, %s_end(AX)", arg)
			a.op("JGE edge")
		}
		columns[j] = column()
		if j == 3 {
			a.op("JMP inside")
			a.label("edge")
			for _, r := range columns[j] {
				a.zero(v, r)
			}
			a.label("inside")
		}
		if j >= kept {
			for i, r := range columns[j] {
				a.op("VMOVUPS %s, %s", v.r(r), stored(i, j))
			}
			l.drop(columns[j]...)
		}
	}
	a.op("MOVQ DI, BX")
	for i := range rows {
		var d []int
		for j := range 2 {
			d = append(d, l.take())
			a.op("VMOVUPS %s, %s", carried(i, j), v.r(d[j]))
		}
		for j := range columns {
			r := 0
			if j < kept {
				r = columns[j][i]
			} else {
				r = l.take()
				a.op("VMOVUPS %s, %s", stored(i, j), v.r(r))
			}
			if j >= 2 {
				a.op("VMOVUPS %s, %s", v.r(r), carried(i, j-2))
			}
			d = append(d, r)
		}
		d = imageLine(l, d)
		for j, r := range d {
			a.op("VMOVUPS %s, %s", v.r(r), plane.at("BX", j))
			a.op("PREFETCHT0 64%s", plane.at("BX", j))
		}
		l.drop(d...)
		if i+1 < len(rows) {
			a.op("LEAQ (BX)(R12*2), BX")
		}
	}
	a.op("ADDQ $64, DI")
	a.op("CMPQ R15, %s_end(AX)", arg)
	a.op("JLT tile")
	for _, r := range rows {
		a.op("ADDQ $%d, %s", v.bytes, r)
	}
	a.load(arg, "dstBack", "BX")
	if v.bytes == 32 { // the other half of the block, unless both are done
		a.op("DECQ %s_blocks(AX)", arg)
		a.op("LEAQ 32(DI)(BX*4), DI")
		a.op("TESTQ $1, %s_blocks(AX)", arg)
		a.op("JNZ block")
		a.load(arg, "dstBlock", "BX")
		a.op("LEAQ -64(DI)(BX*4), DI")
		a.op("CMPQ %s_blocks(AX), $0", arg)
	} else {
		a.op("LEAQ (DI)(BX*4), DI")
		a.load(arg, "dstBlock", "BX")
		a.op("LEAQ (DI)(BX*4), DI")
		a.op("DECQ %s_blocks(AX)", arg)
	}
	a.op("JNZ block")
	a.unflush(0)
	a.ret()
}
