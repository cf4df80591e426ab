package main

import "fmt"

// conv writes the direct kernels of 3×3 convolutions, stride 1, one pixel of
// zeros around.
func conv(a *asm) {
	for _, pixels := range []int{16, 14, 8, 7} {
		strip(a, zmm, pixels, 1)
	}
	strip(a, zmm, 8, 2)
	strip(a, zmm, 7, 2)
	strip(a, ymm, 8, 1)
	strip(a, ymm, 7, 1)
	for _, channels := range []int{8, 3, 1} {
		gradPatch(a, zmm, channels)
	}
	for _, channels := range []int{4, 3, 1} {
		gradPatch(a, ymm, channels)
	}
}

// strip writes the convolution of some neighbouring pixels of a row: for each
// row of the filter and each input channel, three vectors of weights (kx = 0,
// 1, 2) meet pixels+2 broadcast inputs, each of which feeds up to three sums.
// The outermost two inputs come through pointers of their own, which point to
// zeros at the image's edge.
func strip(a *asm, v vec, pixels, vectors int) {
	acc := func(x, j int) int { return j*pixels + x }
	weight := pixels * vectors
	input := weight + 3*vectors
	inputs := min(3, v.regs-input)

	a.fnLocals(fmt.Sprintf("strip%dx%d%s", pixels, vectors*v.lanes(), v.isa()), "strip", 1)
	a.flush(0)
	a.load("strip", "in", "SI")
	a.load("strip", "left", "R12")
	a.load("strip", "right", "R13")
	a.load("strip", "w", "DI")
	a.load("strip", "rows", "DX")
	a.loadBytes("strip", "pixel", "R8")
	lines := spread{"R8", "R9", "R10", "R11"}
	lines.set(a)
	// The distance between the taps of a filter's row, and where the weights
	// of the second panel are (two panels) or the pixels from 9 on (one).
	taps, second := "R14", ""
	if vectors == 2 {
		taps, second = "R15", "R14"
		a.loadBytes("strip", "panel", second)
		a.op("ADDQ DI, %s", second)
	}
	a.load("strip", "channels", taps)
	a.op("SHLQ $6, %s", taps)
	for i := range pixels * vectors {
		a.zero(v, i)
	}
	a.label("row")
	a.op("MOVQ SI, BX")
	if pixels > 9 {
		a.op("LEAQ (SI)(R8*8), R15")
		a.op("ADDQ R8, R15")
	}
	a.load("strip", "channels", "CX")
	a.loop("channel", "CX", func() {
		for j := range vectors {
			base := []string{"DI", second}[j]
			a.op("VMOVUPS (%s), %s", base, v.r(weight+3*j))
			a.op("VMOVUPS (%s)(%s*1), %s", base, taps, v.r(weight+3*j+1))
			a.op("VMOVUPS (%s)(%s*2), %s", base, taps, v.r(weight+3*j+2))
		}
		for x := -1; x <= pixels; x++ {
			place := ""
			switch {
			case x < 0:
				place = "(R12)"
			case x == pixels:
				place = "(R13)"
			case x < 9:
				place = lines.at("BX", x)
			default:
				place = lines.at("R15", x-9)
			}
			in := input + (x+1)%inputs
			a.op("VBROADCASTSS %s, %s", place, v.r(in))
			for kx := range 3 {
				if out := x + 1 - kx; out >= 0 && out < pixels {
					for j := range vectors {
						a.fma(v, in, weight+3*j+kx, acc(out, j))
					}
				}
			}
		}
		a.op("ADDQ $64, DI")
		if vectors == 2 {
			a.op("ADDQ $64, %s", second)
		}
		for _, r := range []string{"BX", "R12", "R13"} {
			a.op("ADDQ $4, %s", r)
		}
		if pixels > 9 {
			a.op("ADDQ $4, R15")
		}
	})
	a.op("LEAQ (DI)(%s*2), DI", taps)
	if vectors == 2 {
		a.op("LEAQ (%s)(%s*2), %s", second, taps, second)
	}
	for _, step := range []struct{ field, reg string }{{"row", "SI"}, {"leftStep", "R12"}, {"rightStep", "R13"}} {
		a.loadBytes("strip", step.field, "CX")
		a.op("ADDQ CX, %s", step.reg)
	}
	a.op("DECQ DX")
	a.op("JNZ row")

	a.load("strip", "out", "BX")
	a.loadBytes("strip", "outPixel", "R8")
	out := func(visit func(acc int, place string)) {
		for x := range pixels {
			for j := range vectors {
				visit(acc(x, j), fmt.Sprintf("%d(BX)", j*v.bytes))
			}
			if x+1 < pixels {
				a.op("ADDQ R8, BX")
			}
		}
	}
	a.op("CMPB strip_add(AX), $0")
	a.op("JNE add")
	out(func(acc int, place string) { a.op("VMOVUPS %s, %s", v.r(acc), place) })
	a.unflush(0)
	a.ret()
	a.label("add")
	out(func(acc int, place string) {
		a.op("VADDPS %s, %s, %s", place, v.r(acc), v.r(acc))
		a.op("VMOVUPS %s, %s", v.r(acc), place)
	})
	a.unflush(0)
	a.ret()
}

// gradPatch writes the weight gradient of one row of the filter: some input
// channels, three taps and one vector of output channels, summed over rows of
// pixels. Walking along a row, the output gradients of the pixels before, at
// and behind the input pixel move through three registers; before the first
// and behind the last pixel they are zero.
func gradPatch(a *asm, v vec, channels int) {
	acc := func(c, kx int) int { return c*3 + kx }
	before := 3 * channels
	at, behind := before+1, before+2
	input := behind + 1
	inputs := min(2, v.regs-input)

	a.fnLocals(fmt.Sprintf("gradPatch%dx%d%s", channels, v.lanes(), v.isa()), "gradPatch", 1)
	a.flush(0)
	a.load("gradPatch", "x", "SI")
	a.load("gradPatch", "dy", "DI")
	a.loadBytes("gradPatch", "xPixel", "R8")
	a.loadBytes("gradPatch", "yPixel", "R9")
	a.load("gradPatch", "images", "R10")
	for i := range 3 * channels {
		a.zero(v, i)
	}
	pixel := func() {
		for c := range channels {
			in := input + c%inputs
			a.op("VBROADCASTSS %d(BX), %s", 4*c, v.r(in))
			for kx, grad := range []int{behind, at, before} {
				a.fma(v, in, grad, acc(c, kx))
			}
		}
	}
	a.label("image")
	a.op("MOVQ SI, R12")
	a.op("MOVQ DI, R13")
	a.load("gradPatch", "rows", "R11")
	a.label("row")
	a.op("MOVQ R12, BX")
	a.op("MOVQ R13, DX")
	a.zero(v, before)
	a.op("VMOVUPS (DX), %s", v.r(at))
	a.load("gradPatch", "width", "CX")
	a.op("DECQ CX")
	a.op("JZ last")
	a.loop("column", "CX", func() {
		a.op("VMOVUPS (DX)(R9*1), %s", v.r(behind))
		pixel()
		a.op("VMOVAPS %s, %s", v.r(at), v.r(before))
		a.op("VMOVAPS %s, %s", v.r(behind), v.r(at))
		a.op("ADDQ R8, BX")
		a.op("ADDQ R9, DX")
	})
	a.label("last")
	a.zero(v, behind)
	pixel()
	for _, step := range []struct{ field, reg string }{{"xRow", "R12"}, {"yRow", "R13"}} {
		a.loadBytes("gradPatch", step.field, "CX")
		a.op("ADDQ CX, %s", step.reg)
	}
	a.op("DECQ R11")
	a.op("JNZ row")
	for _, step := range []struct{ field, reg string }{{"xImage", "SI"}, {"yImage", "DI"}} {
		a.loadBytes("gradPatch", step.field, "CX")
		a.op("ADDQ CX, %s", step.reg)
	}
	a.op("DECQ R10")
	a.op("JNZ image")

	a.load("gradPatch", "dw", "BX")
	a.loadBytes("gradPatch", "tap", "R8")
	for c := range channels {
		for kx := range 3 {
			place := fmt.Sprintf("%d(BX)", 64*c)
			if kx > 0 {
				place += fmt.Sprintf("(R8*%d)", kx)
			}
			a.op("VADDPS %s, %s, %s", place, v.r(acc(c, kx)), v.r(acc(c, kx)))
			a.op("VMOVUPS %s, %s", v.r(acc(c, kx)), place)
		}
	}
	a.unflush(0)
	a.ret()
}
