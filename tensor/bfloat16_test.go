package tensor

import (
	"math"
	"math/rand/v2"
	"testing"
)

// Every BFloat16 is its own float32's, but for NaNs, which become quiet.
func TestBFloat16Exact(t *testing.T) {
	for i := range 1 << 16 {
		b := BFloat16(i)
		v := b.Float32()
		want := b
		if v != v {
			want |= 0x40
		}
		if got := ToBFloat16(v); got != want {
			t.Fatalf("%#04x is %g, which gives %#04x", i, v, got)
		}
	}
}

// Rounding takes the nearer neighbour, and of two as near the even one.
func TestBFloat16Rounds(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 100000 {
		u := r.Uint32()
		if r.IntN(4) == 0 {
			u = u&^0xffff | 0x8000
		}
		v := math.Float32frombits(u)
		if v != v || math.IsInf(float64(v), 0) {
			continue
		}
		down := BFloat16(u >> 16) // towards zero
		got, x := ToBFloat16(v), float64(v)
		far := func(b BFloat16) float64 {
			w := float64(b.Float32())
			if math.IsInf(w, 0) { // counts as the next number there would be
				w = math.Copysign(0x1p128, w)
			}
			return math.Abs(w - x)
		}
		want := down
		if far(down+1) < far(down) || far(down+1) == far(down) && down%2 == 1 {
			want = down + 1
		}
		if got != want {
			t.Fatalf("%g (%#x) gives %#04x, want %#04x", v, u, got, want)
		}
	}
	for v, want := range map[float32]BFloat16{1: 0x3f80, -2: 0xc000, math.MaxFloat32: 0x7f80, 0x1p-149: 0} {
		if got := ToBFloat16(v); got != want {
			t.Errorf("%g gives %#04x, want %#04x", v, got, want)
		}
	}
}

func TestBFloat16Tensor(t *testing.T) {
	x := Of([]BFloat16{0x3f80, 0xc000, 0x3e80, 0x7fc0}, 2, 2)
	if x.DType() != BF16 || BF16.String() != "bf16" || BF16.Size() != 2 || TypeOf[BFloat16]() != BF16 {
		t.Errorf("dtype %v of %d bytes", x.DType(), BF16.Size())
	}
	if got, want := x.Permute(1, 0).String(), "[[ 1.    0.25]\n [-2.     nan]]\nbf16 (2,2)"; got != want {
		t.Errorf("printed\n%s\nwant\n%s", got, want)
	}
	y := Like(x)
	if y.DType() != BF16 || Data[BFloat16](y)[1] != 0 {
		t.Errorf("like it: %v", y)
	}
	if err := Catch(func() { Data[float32](x) }); err == nil || err.Error() != "tensor.Data: tensor is bf16 on cpu, not f32 on cpu" {
		t.Errorf("read as f32: %v", err)
	}
}
