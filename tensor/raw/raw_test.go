package raw

import (
	"bytes"
	"errors"
	"math"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"phase/tensor"
)

func TestKinds(t *testing.T) {
	for _, c := range []struct {
		k    Kind
		src  []byte
		want *tensor.Tensor
	}{
		{F64, []byte{0, 0, 0, 0, 0, 0, 0xf8, 0xbf, 0, 0, 0, 0, 0, 0, 0xf0, 0x7f}, tensor.Of([]float64{-1.5, math.Inf(1)}, 2)},
		{F32, []byte{0, 0, 0xc0, 0xbf, 1, 0, 0, 0}, tensor.Of([]float32{-1.5, math.SmallestNonzeroFloat32}, 2)},
		{F16, []byte{0, 0xbe, 0, 0x3c, 1, 0, 0xff, 3, 0, 4, 0xff, 0x7b, 0, 0x7c, 0, 0xfc},
			tensor.Of([]float32{-1.5, 1, 0x1p-24, 0x3ffp-24, 0x1p-14, 65504, float32(math.Inf(1)), float32(math.Inf(-1))}, 8)},
		{BF16, []byte{0xc0, 0xbf, 0x80, 0x7f, 0x49, 0x40}, tensor.Of([]float32{-1.5, float32(math.Inf(1)), 3.140625}, 3)},
		{I64, []byte{0xfe, 255, 255, 255, 255, 255, 255, 255}, tensor.Of([]int64{-2}, 1)},
		{I32, []byte{0xfe, 255, 255, 255, 0, 0, 0, 0x80}, tensor.Of([]int64{-2, math.MinInt32}, 2)},
		{I16, []byte{0xfe, 255, 0xff, 0x7f}, tensor.Of([]int64{-2, 32767}, 2)},
		{I8, []byte{0xfe, 0x7f}, tensor.Of([]int64{-2, 127}, 2)},
		{U64, []byte{0xfe, 255, 255, 255, 255, 255, 255, 0x7f}, tensor.Of([]int64{math.MaxInt64 - 1}, 1)},
		{U32, []byte{0xfe, 255, 255, 255}, tensor.Of([]int64{math.MaxUint32 - 1}, 1)},
		{U16, []byte{0xfe, 255}, tensor.Of([]int64{65534}, 1)},
		{U8, []byte{0xfe, 0}, tensor.Of([]int64{254, 0}, 2)},
		{Bool, []byte{0, 1}, tensor.Of([]int64{0, 1}, 2)},
	} {
		if len(c.src) != c.want.Size()*c.k.Size() || c.k.DType() != c.want.DType() {
			t.Errorf("kind %d: size %d, dtype %v", c.k, c.k.Size(), c.k.DType())
		}
		got, err := Read(bytes.NewReader(c.src), 0, c.k, c.want.Shape())
		if err != nil {
			t.Errorf("kind %d: %v", c.k, err)
		} else if d := cmp.Diff(c.want.String(), got.String()) + cmp.Diff(tensor.Values(c.want), tensor.Values(got)); d != "" {
			t.Errorf("kind %d: -want +got\n%s", c.k, d)
		}
	}
	if v := half(0x8000); v != 0 || !math.Signbit(float64(v)) {
		t.Error("half loses the sign of zero")
	}
	if v := half(0x7e01); v == v {
		t.Error("half loses NaN")
	}
}

func TestReadRefuses(t *testing.T) {
	for _, c := range []struct {
		k    Kind
		src  []byte
		n    int
		want string
	}{
		{Bool, []byte{0, 1, 2}, 3, "byte 102: boolean 2, want 0 or 1"},
		{U64, append(make([]byte, 8), 0, 0, 0, 0, 0, 0, 0, 0x80), 2, "byte 108: integer 9223372036854775808, the most is 9223372036854775807"},
		{F32, make([]byte, 10), 3, "byte 110: end of file, want 2 more bytes"},
		{F64, nil, 1, "byte 100: end of file, want 8 more bytes"},
		{F32, make([]byte, block+2), block, "byte 65638: end of file, want 196606 more bytes"},
	} {
		if _, err := Read(bytes.NewReader(c.src), 100, c.k, tensor.Shape{c.n}); err == nil || err.Error() != c.want {
			t.Errorf("%v, want %s", err, c.want)
		}
	}
	broken := errors.New("broken disk")
	if _, err := Read(iotest.ErrReader(broken), 7, F32, tensor.Shape{1}); !errors.Is(err, broken) || err.Error() != "byte 7: broken disk" {
		t.Error(err)
	}
}

type brokenWriter struct{ err error }

func (w brokenWriter) Write([]byte) (int, error) { return 0, w.err }

func TestWriteFails(t *testing.T) {
	broken := errors.New("full")
	for _, d := range []tensor.DType{tensor.F32, tensor.F64, tensor.I64} {
		if err := Write(brokenWriter{broken}, tensor.New(tensor.CPU, d, 3)); !errors.Is(err, broken) {
			t.Error(d, err)
		}
	}
}

// What is written is read back bit for bit, in logical order, across blocks.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.SampledFrom([]int{0, 1, 7, block/8 - 1, block / 8, block/8 + 1, 3*block/8 + 5}).Draw(t, "n")
		seed := rapid.Uint64().Draw(t, "seed")
		f32, f64, i64 := make([]float32, 2*n), make([]float64, 2*n), make([]int64, 2*n)
		for i := range f64 {
			seed = seed*6364136223846793005 + 1442695040888963407
			f32[i], f64[i], i64[i] = math.Float32frombits(uint32(seed>>32)), math.Float64frombits(seed), int64(seed)
		}
		for _, x := range []*tensor.Tensor{tensor.Of(f32, 2, n), tensor.Of(f64, 2, n), tensor.Of(i64, 2, n)} {
			for _, v := range []*tensor.Tensor{x, x.Permute(1, 0), x.Slice(1, 0, n, 3)} {
				var b bytes.Buffer
				if err := Write(&b, v); err != nil {
					t.Fatal(err)
				}
				k := KindOf(v.DType())
				if b.Len() != v.Size()*k.Size() {
					t.Fatalf("%d bytes of %v", b.Len(), v.Shape())
				}
				first := bytes.Clone(b.Bytes())
				back, err := Read(&b, 0, k, v.Shape())
				if err != nil {
					t.Fatal(err)
				}
				if back.DType() != v.DType() || !back.Shape().Equal(v.Shape()) {
					t.Fatalf("%v %v from %v %v", back.DType(), back.Shape(), v.DType(), v.Shape())
				}
				b.Reset()
				if err := Write(&b, back); err != nil || !bytes.Equal(first, b.Bytes()) {
					t.Fatalf("%v %v: other bytes the second time (%v)", v.DType(), v.Shape(), err)
				}
				want, got := tensor.Values(v), tensor.Values(back)
				for i := range want {
					if math.Float64bits(want[i]) != math.Float64bits(got[i]) && want[i] == want[i] {
						t.Fatalf("element %d: %v, want %v", i, got[i], want[i])
					}
				}
			}
		}
	})
}
