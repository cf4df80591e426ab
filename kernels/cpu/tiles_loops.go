package cpu

import (
	"unsafe"

	"phase/tensor"
)

// tilesGo are the kernels of tiles as loops.
var tilesGo = tileKernels{
	wide:   func(p *tileProduct) { p.multiply(2) },
	narrow: func(p *tileProduct) { p.multiply(1) },
	pairs: func(p *rowPairs) {
		dst, src := unsafe.Slice(p.dst, p.pairs*p.n), unsafe.Slice(p.src, (2*p.pairs-1)*p.step+p.n)
		for i := range p.pairs {
			for c := range p.n {
				dst[i*p.n+c] = pairOf(src[2*i*p.step+c], src[(2*i+1)*p.step+c])
			}
		}
	},
	halves: func(p *rowHalves) {
		dst := unsafe.Slice(p.dst, p.n)
		for i, v := range unsafe.Slice(p.src, p.n) {
			dst[i] = tensor.ToBFloat16(v)
		}
	},
}

// pairOf is a word of two numbers, rounded.
func pairOf(lo, hi float32) uint32 {
	return uint32(tensor.ToBFloat16(lo)) | uint32(tensor.ToBFloat16(hi))<<16
}

// multiply is the product with so many panels of b.
func (p *tileProduct) multiply(panels int) {
	rows, depth := int(p.config.rows[0]), int(p.config.bytes[4])/2
	for i, tile := range []struct {
		a *tensor.BFloat16
		c *float32
	}{{p.a0, p.c0}, {p.a1, p.c1}} {
		if i > 0 && p.c1 == p.c0 {
			break
		}
		for row := range rows {
			for j := range panels * panel {
				c := offset(tile.c, row*p.cRow+j/panel*p.cWide+j%panel)
				sum := float32(0)
				if p.add {
					sum = *c
				}
				for step := range p.outer * p.inner {
					a := offset(tile.a, row*p.aRow+step*p.aStep+step/p.inner*p.aNext)
					b := offset(p.b, j/panel*p.bWide+step*p.bStep+j%panel)
					for k := 0; k < depth; k += 2 {
						v := *offset(b, k/2*p.bRow)
						sum += offset(a, k).Float32()*tensor.BFloat16(v).Float32() + offset(a, k+1).Float32()*tensor.BFloat16(v>>16).Float32()
					}
				}
				*c = sum
			}
		}
	}
}

// offset is the element i further on.
func offset[T any](p *T, i int) *T {
	return (*T)(unsafe.Add(unsafe.Pointer(p), i*int(unsafe.Sizeof(*p))))
}
