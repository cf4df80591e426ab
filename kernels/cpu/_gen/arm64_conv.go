package main

import "fmt"

// convNEON writes the direct kernels of 3×3 convolutions, stride 1, one pixel
// of zeros around, for arm64. They take half a panel of outputs, two vectors.
func convNEON(a *asm) {
	for _, pixels := range []int{8, 7} {
		stripNEON(a, pixels)
	}
	for _, channels := range []int{4, 3, 1} {
		gradPatchNEON(a, channels)
	}
}

// stripNEON writes the convolution of some neighbouring pixels of a row: for
// each row of the filter and each input channel, the weights of three taps meet
// pixels+2 repeated inputs, each of which feeds up to three pairs of sums. Every
// pixel has a pointer; the outermost two point to zeros at the image's edge.
func stripNEON(a *asm, pixels int) {
	const wide = 2 // vectors of outputs
	weight := pixels * wide
	input := weight + 3*wide
	inputs := neon.regs - input
	pointer := func(x int) string { return fmt.Sprintf("R%d", 2+x) } // of pixel -1 to pixels
	taps := []string{"R11", "R12", "R13"}

	a.fn(fmt.Sprintf("strip%dx%dNEON", pixels, wide*neon.lanes()), "strip")
	a.load("strip", "left", pointer(-1))
	a.load("strip", "in", pointer(0))
	a.load("strip", "right", pointer(pixels))
	a.loadBytes("strip", "pixel", "R14")
	for x := 1; x < pixels; x++ {
		a.op("ADD R14, %s, %s", pointer(x-1), pointer(x))
	}
	a.load("strip", "rows", "R16")
	a.loadBytes("strip", "leftStep", "R20")
	a.loadBytes("strip", "rightStep", "R21")
	a.load("strip", "channels", "R15")
	a.loadBytes("strip", "row", "R19") // from the last channel of a pixel to the pixel below
	a.op("SUB R15<<2, R19")
	a.load("strip", "w", taps[0])
	a.op("ADD R15<<6, %s, %s", taps[0], taps[1])
	a.op("ADD R15<<6, %s, %s", taps[1], taps[2])
	a.op("LSL $7, R15, R22") // two taps of weights
	a.op("MOVD $64, R14")
	for i := range pixels * wide {
		a.zero(neon, i)
	}
	a.label("row")
	a.load("strip", "channels", "R15")
	a.loop("channel", "R15", func() {
		for kx, tap := range taps {
			a.op("VLD1.P (%s)(R14), %s", tap, list(weight+wide*kx, wide))
		}
		for x := -1; x <= pixels; x++ {
			in := input + (x+1)%inputs
			a.op("VLD1R.P 4(%s), %s", pointer(x), list(in, 1))
			for kx := range 3 {
				if out := x + 1 - kx; out >= 0 && out < pixels {
					for j := range wide {
						a.fma(neon, in, weight+wide*kx+j, out*wide+j)
					}
				}
			}
		}
	})
	for _, tap := range taps {
		a.op("ADD R22, %s", tap)
	}
	a.op("ADD R20, %s", pointer(-1))
	for x := range pixels {
		a.op("ADD R19, %s", pointer(x))
	}
	a.op("ADD R21, %s", pointer(pixels))
	a.op("SUBS $1, R16")
	a.op("BNE row")

	a.load("strip", "out", "R1")
	a.loadBytes("strip", "outPixel", "R9")
	a.outNEON("strip", "R1", "R9", pixels, wide, weight)
}

// gradPatchNEON writes the weight gradient of one row of the filter: some input
// channels, three taps and two vectors of output channels, summed over rows of
// pixels. Walking along a row, the output gradients of the pixels before, at
// and behind the input pixel move through three pairs of registers; before the
// first and behind the last pixel they are zero.
func gradPatchNEON(a *asm, channels int) {
	const wide = 2 // vectors of outputs
	sum := func(c, kx int) int { return (c*3 + kx) * wide }
	before := sum(channels, 0)
	at, behind := before+wide, before+2*wide
	input := behind + wide
	inputs := min(channels, neon.regs-input)

	a.fn(fmt.Sprintf("gradPatch%dx%dNEON", channels, wide*neon.lanes()), "gradPatch")
	a.load("gradPatch", "x", "R1")
	a.load("gradPatch", "dy", "R2")
	a.loadBytes("gradPatch", "xPixel", "R3")
	a.op("SUB $%d, R3", 4*channels) // from the last channel to the next pixel
	a.loadBytes("gradPatch", "yPixel", "R4")
	a.load("gradPatch", "images", "R5")
	for _, step := range []struct{ field, reg string }{{"xRow", "R12"}, {"yRow", "R13"}, {"xImage", "R14"}, {"yImage", "R15"}} {
		a.loadBytes("gradPatch", step.field, step.reg)
	}
	for i := range sum(channels, 0) {
		a.zero(neon, i)
	}
	pixel := func() {
		for c := range channels {
			in := input + c%inputs
			a.op("VLD1R.P 4(R9), %s", list(in, 1))
			for kx, grad := range []int{behind, at, before} {
				for j := range wide {
					a.fma(neon, in, grad+j, sum(c, kx)+j)
				}
			}
		}
	}
	a.label("image")
	a.op("MOVD R1, R6")
	a.op("MOVD R2, R7")
	a.load("gradPatch", "rows", "R8")
	a.label("row")
	a.op("MOVD R6, R9")
	a.op("MOVD R7, R10")
	for j := range wide {
		a.zero(neon, before+j)
	}
	a.op("VLD1 (R10), %s", list(at, wide))
	a.load("gradPatch", "width", "R11")
	a.op("SUB $1, R11")
	a.op("CBZ R11, last")
	a.loop("column", "R11", func() {
		a.op("ADD R4, R10")
		a.op("VLD1 (R10), %s", list(behind, wide))
		pixel()
		for j := range wide {
			a.move(at+j, before+j)
		}
		for j := range wide {
			a.move(behind+j, at+j)
		}
		a.op("ADD R3, R9")
	})
	a.label("last")
	for j := range wide {
		a.zero(neon, behind+j)
	}
	pixel()
	a.op("ADD R12, R6")
	a.op("ADD R13, R7")
	a.op("SUBS $1, R8")
	a.op("BNE row")
	a.op("ADD R14, R1")
	a.op("ADD R15, R2")
	a.op("SUBS $1, R5")
	a.op("BNE image")

	a.load("gradPatch", "dw", "R1")
	a.loadBytes("gradPatch", "tap", "R2")
	a.op("MOVD $64, R3")
	for kx := range 3 {
		a.op("MOVD R1, R4")
		for c := range channels {
			a.op("VLD1 (R4), %s", list(before, wide))
			for j := range wide {
				a.word("fadd", sum(c, kx)+j, sum(c, kx)+j, before+j)
			}
			a.op("VST1.P %s, (R4)(R3)", list(sum(c, kx), wide))
		}
		a.op("ADD R2, R1")
	}
	a.ret()
}
