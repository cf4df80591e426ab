package main

import "fmt"

// stream writes the copy whose stores go to memory past the caches, where dst
// is aligned to whole vectors; up to there and behind, float by float. The fence
// lets other processors see what was written as after any store.
func stream(a *asm, v vec) {
	fmt.Fprintf(&a.text, "\n// func stream%[1]s(dst, src []float32)\nTEXT ·stream%[1]s(SB), NOSPLIT, $0-48\n", v.isa())
	a.op("MOVQ dst_base+0(FP), DI")
	a.op("MOVQ dst_len+8(FP), CX")
	a.op("MOVQ src_base+24(FP), SI")
	one := func(label, next string) {
		a.label(label)
		a.op("TESTQ CX, CX")
		a.op("JZ end")
		if next != "" {
			a.op("TESTQ $%d, DI", v.bytes-1)
			a.op("JZ %s", next)
		}
		a.op("MOVL (SI), AX")
		a.op("MOVL AX, (DI)")
		a.op("ADDQ $4, SI")
		a.op("ADDQ $4, DI")
		a.op("DECQ CX")
		a.op("JMP %s", label)
	}
	one("head", "vectors")
	for _, n := range []int{4, 1} {
		label, after := "vectors", "single"
		if n == 1 {
			label, after = "single", "tail"
		}
		a.label(label)
		a.op("CMPQ CX, $%d", n*v.lanes())
		a.op("JLT %s", after)
		for i := range n {
			a.op("VMOVUPS %d(SI), %s", i*v.bytes, v.r(i))
		}
		for i := range n {
			a.op("VMOVNTPS %s, %d(DI)", v.r(i), i*v.bytes)
		}
		a.op("ADDQ $%d, SI", n*v.bytes)
		a.op("ADDQ $%d, DI", n*v.bytes)
		a.op("SUBQ $%d, CX", n*v.lanes())
		a.op("JMP %s", label)
	}
	one("tail", "")
	a.label("end")
	a.op("SFENCE")
	a.ret()
}
