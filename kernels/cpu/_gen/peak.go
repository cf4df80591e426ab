package main

// peak writes the yardsticks: what the vector units multiply and add when
// nothing else is asked of them, and what memory gives when it is only read.
func peak(a *asm) {
	for _, v := range []vec{zmm, ymm} {
		spin(a, v)
		plainSum(a, v)
	}
}

// spin writes a loop of multiply-adds on registers alone, with enough sums that
// none waits for the one before it.
func spin(a *asm, v vec) {
	sums := v.regs * 3 / 4
	a.fn("spin"+v.isa(), "spin")
	a.load("spin", "n", "CX")
	for i := range sums + 2 {
		a.zero(v, i)
	}
	a.loop("round", "CX", func() {
		for i := range sums {
			a.fma(v, sums, sums+1, i)
		}
	})
	a.ret()
}

// plainSum writes the sum of an array, eight vectors at a time.
func plainSum(a *asm, v vec) {
	const sums = 8
	a.fn("plainSum"+v.isa(), "plainSum")
	a.load("plainSum", "src", "SI")
	a.load("plainSum", "n", "CX")
	for i := range sums {
		a.zero(v, i)
	}
	a.loop("round", "CX", func() {
		for i := range sums {
			a.op("VADDPS %d(SI), %s, %s", i*v.bytes, v.r(i), v.r(i))
		}
		a.op("ADDQ $%d, SI", sums*v.bytes)
	})
	for n := sums / 2; n >= 1; n /= 2 {
		for i := range n {
			a.op("VADDPS %s, %s, %s", v.r(i+n), v.r(i), v.r(i))
		}
	}
	a.op("VMOVUPS %s, plainSum_sum(AX)", v.r(0))
	a.ret()
}
