package cpu

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"phase/kernels"
	"phase/tensor"
)

// TestDescribe: a backend and its exact form say the same of a convolution just
// where they compute it in the same way, that is to the same bits.
func TestDescribe(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	random := func(shape ...int) *tensor.Tensor {
		d := make([]float32, tensor.Shape(shape).Size())
		for i := range d {
			d[i] = float32(r.NormFloat64())
		}
		if len(shape) == 4 && shape[2] > 3 {
			return tensor.OfImages(d, shape[0], shape[1], shape[2], shape[3])
		}
		return tensor.Of(d, shape...)
	}
	winograd := 0
	for _, name := range Variants() {
		fast, exact := backend(t, name), backend(t, name+"-exact")
		for _, c := range []struct {
			p                   kernels.Conv2D
			n, in, out, size, k int
		}{
			{kernels.Conv2D{Pad: 1}, 2, 16, 16, 32, 3}, {kernels.Conv2D{Pad: 1}, 2, 64, 64, 8, 3}, {kernels.Conv2D{Pad: 1}, 1, 3, 16, 32, 3},
			{kernels.Conv2D{Pad: 1, Stride: 2}, 2, 16, 32, 32, 3}, {kernels.Conv2D{}, 2, 32, 64, 8, 1}, {kernels.Conv2D{Pad: 1}, 1, 5, 7, 9, 3},
			{kernels.Conv2D{Stride: 2}, 2, 16, 32, 16, 1}, {kernels.Conv2D{Pad: 1, Groups: 2}, 1, 32, 32, 8, 3}, {kernels.Conv2D{Pad: 1}, 1, 16, 16, 7, 3},
		} {
			o := c.p.Out(c.size, c.k)
			x, w, y := random(c.n, c.in, c.size, c.size), random(c.out, c.in/c.p.G(), c.k, c.k), random(c.n, c.out, o, o)
			for side, compute := range []func(b *Backend) *tensor.Tensor{
				kernels.SideY: func(b *Backend) *tensor.Tensor { r := tensor.Like(y); b.Conv2D(c.p, r, x, w); return r },
				kernels.SideX: func(b *Backend) *tensor.Tensor {
					r := tensor.Like(x)
					b.Conv2DGradX(c.p, kernels.Acc{T: r, Fresh: true}, w, y)
					return r
				},
				kernels.SideW: func(b *Backend) *tensor.Tensor {
					r := tensor.Like(w)
					b.Conv2DGradW(c.p, kernels.Acc{T: r, Fresh: true}, x, y)
					return r
				},
			} {
				a, b := fast.DescribeConv2D(kernels.Side(side), c.p, y, x, w), exact.DescribeConv2D(kernels.Side(side), c.p, y, x, w)
				same := slices.EqualFunc(tensor.Window[float32](compute(fast)), tensor.Window[float32](compute(exact)), func(a, b float32) bool {
					return math.Float32bits(a) == math.Float32bits(b)
				})
				if a == "" || b == "" || (a == b) != same || strings.Contains(b, "winograd") {
					t.Errorf("%s, %+v, side %d: %q and, exactly, %q; the same bits: %v", name, c, side, a, b, same)
				}
				if strings.Contains(a, "winograd") {
					winograd++
				}
			}
		}
		z := tensor.New(tensor.CPU, tensor.F64, 2, 2)
		for m, want := range map[*tensor.Tensor]bool{random(100, 100): true, z: false} {
			if got := fast.DescribeGemm(kernels.Gemm{}, m, m, m); strings.HasPrefix(got, "gemm ") != want {
				t.Errorf("%s: a product of %v is %q", name, m.DType(), got)
			}
		}
	}
	if winograd == 0 && slices.Contains(Variants(), "avx2") {
		t.Error("nothing is computed by Winograd")
	}
}

func backend(t *testing.T, name string) *Backend {
	t.Helper()
	b, err := New(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
