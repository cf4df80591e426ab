package tensor

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// A model is an array by definition: a shape and, for every index, a value.
type model struct {
	shape Shape
	at    func(idx []int) float64
}

// values lists the model's values in row-major order, index by index.
func (m model) values() []float64 {
	out := []float64{}
	for n := range m.shape.Size() {
		idx := make([]int, len(m.shape))
		for i := len(m.shape) - 1; i >= 0; i-- {
			idx[i] = n % m.shape[i]
			n /= m.shape[i]
		}
		out = append(out, m.at(idx))
	}
	return out
}

type pair struct {
	x *Tensor
	m model
}

// drawView draws a tensor seen through a few views, and its model.
func drawView(t *rapid.T) pair {
	shape := Shape(rapid.SliceOfN(rapid.IntRange(0, 4), 0, 4).Draw(t, "shape"))
	data := make([]float64, shape.Size())
	for i := range data {
		data[i] = float64(i + 1)
	}
	p := pair{x: Of(data, shape...)}
	stride := slices.Clone(p.x.Strides())
	if len(shape) == 4 && rapid.Bool().Draw(t, "images") {
		p.x = OfImages(data, shape[0], shape[1], shape[2], shape[3])
		stride = slices.Clone(p.x.Strides())
	}
	p.m = model{shape, func(idx []int) float64 {
		at := 0
		for i, k := range idx {
			at += k * stride[i]
		}
		return data[at]
	}}
	for range rapid.IntRange(0, 4).Draw(t, "views") {
		p = drawOneView(t, p)
	}
	return p
}

func drawOneView(t *rapid.T, p pair) pair {
	was, dims := p.m, len(p.m.shape)
	switch kind := rapid.SampledFrom([]string{"permute", "slice", "expand", "reshape"}).Draw(t, "kind"); {
	case kind == "permute":
		axes := make([]int, dims)
		for i := range axes {
			axes[i] = i
		}
		axes = rapid.Permutation(axes).Draw(t, "axes")
		shape := make(Shape, dims)
		for i, a := range axes {
			shape[i] = was.shape[a]
		}
		return pair{p.x.Permute(axes...), model{shape, func(idx []int) float64 {
			old := make([]int, dims)
			for i, a := range axes {
				old[a] = idx[i]
			}
			return was.at(old)
		}}}
	case kind == "slice" && dims > 0:
		axis := rapid.IntRange(0, dims-1).Draw(t, "axis")
		lo := rapid.IntRange(0, was.shape[axis]).Draw(t, "lo")
		hi := rapid.IntRange(lo, was.shape[axis]).Draw(t, "hi")
		step := rapid.IntRange(1, 5).Draw(t, "step")
		n := 0
		for k := lo; k < hi; k += step {
			n++
		}
		shape := slices.Clone(was.shape)
		shape[axis] = n
		return pair{p.x.Slice(axis, lo, hi, step), model{shape, func(idx []int) float64 {
			old := slices.Clone(idx)
			old[axis] = lo + idx[axis]*step
			return was.at(old)
		}}}
	case kind == "expand":
		lead := rapid.SliceOfN(rapid.IntRange(0, 2), 0, MaxDims-dims).Draw(t, "lead")
		shape := append(Shape(lead), was.shape...)
		for i := range was.shape {
			if was.shape[i] == 1 {
				shape[len(lead)+i] = rapid.IntRange(0, 3).Draw(t, "extent")
			}
		}
		return pair{p.x.Expand(shape...), model{shape, func(idx []int) float64 {
			old := slices.Clone(idx[len(lead):])
			for i := range old {
				if was.shape[i] == 1 {
					old[i] = 0
				}
			}
			return was.at(old)
		}}}
	case kind == "reshape" && p.x.IsDense():
		values := was.values()
		shape := Shape{len(values)}
		for k := 2; k <= 4; k++ {
			if len(values)%k == 0 && rapid.Bool().Draw(t, "split") {
				shape = Shape{len(values) / k, k}
			}
		}
		to := slices.Clone(shape)
		if len(values) > 0 && rapid.Bool().Draw(t, "free") {
			to[0] = -1
		}
		return pair{p.x.Reshape(to...), model{shape, func(idx []int) float64 {
			at := idx[0]
			if len(shape) == 2 {
				at = idx[0]*shape[1] + idx[1]
			}
			return values[at]
		}}}
	}
	return p
}

func TestViewsByDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawView(t)
		if !p.x.Shape().Equal(p.m.shape) {
			t.Fatalf("shape %v, by definition %v", p.x.Shape(), p.m.shape)
		}
		if d := cmp.Diff(p.m.values(), Values(p.x)); d != "" {
			t.Fatalf("%v strides %v: -definition +view\n%s", p.x.Shape(), p.x.Strides(), d)
		}
		c := Contiguous[float64](p.x)
		if !c.IsDense() || !c.Shape().Equal(p.m.shape) {
			t.Fatalf("Contiguous: %v strides %v", c.Shape(), c.Strides())
		}
		if d := cmp.Diff(p.m.values(), Values(c)); d != "" {
			t.Fatalf("Contiguous: %s", d)
		}
		if p.x.IsPacked() {
			to := p.x.To(CPU)
			if d := cmp.Diff(p.m.values(), Values(to)); d != "" {
				t.Fatalf("To: %s", d)
			}
		}
	})
}

func TestViewsShareMemory(t *testing.T) {
	data := []float32{0, 1, 2, 3, 4, 5}
	x := Of(data, 2, 3)
	views := []*Tensor{x.Reshape(3, 2), x.Permute(1, 0), x.Slice(1, 1, 3, 2), x.Expand(2, 2, 3)}
	data[1] = 100
	for _, v := range views {
		if !slices.Contains(Values(v), 100) {
			t.Errorf("%v does not see the change", v)
		}
	}
}

func TestReshaped(t *testing.T) {
	for _, c := range []struct {
		from, to, want Shape
		err            string
	}{
		{from: Shape{2, 6}, to: Shape{3, 4}, want: Shape{3, 4}},
		{from: Shape{2, 6}, to: Shape{-1}, want: Shape{12}},
		{from: Shape{2, 6}, to: Shape{4, -1}, want: Shape{4, 3}},
		{from: Shape{}, to: Shape{1, -1, 1}, want: Shape{1, 1, 1}},
		{from: Shape{1}, to: Shape{}, want: Shape{}},
		{from: Shape{0, 3}, to: Shape{3, 0}, want: Shape{3, 0}},
		{from: Shape{0, 3}, to: Shape{5, -1}, want: Shape{5, 0}},
		{from: Shape{0, 3}, to: Shape{0, -1}, err: "reshape: (0,3) of 0 elements does not fit (0,-1)"},
		{from: Shape{2, 6}, to: Shape{5, -1}, err: "reshape: (2,6) of 12 elements does not fit (5,-1)"},
		{from: Shape{2, 6}, to: Shape{5}, err: "reshape: (2,6) has 12 elements but (5) holds 5"},
		{from: Shape{2, 6}, to: Shape{-1, -1}, err: "reshape: (-1,-1): extents are at least 0, and only one may be -1"},
		{from: Shape{2, 6}, to: Shape{-2, -6}, err: "reshape: (-2,-6): extents are at least 0, and only one may be -1"},
		{from: Shape{0}, to: Shape{1 << 32, 1 << 32}, err: "reshape: (0) to (4294967296,4294967296): shape (4294967296,4294967296) has more elements than memory can address"},
	} {
		got, err := c.from.Reshaped(c.to...)
		checkShape(t, got, err, c.want, c.err)
		x := New(CPU, F32, c.from...)
		if c.err != "" {
			says(t, c.err, func() { x.Reshape(c.to...) })
		} else if got := x.Reshape(c.to...).Shape(); !got.Equal(c.want) {
			t.Errorf("Reshape gives %v, want %v", got, c.want)
		}
	}
	says(t, "reshape: (3,2) with strides [1 3] is not row-major: make it dense first", func() {
		New(CPU, F32, 2, 3).Permute(1, 0).Reshape(6)
	})
}

func checkShape(t *testing.T, got Shape, err error, want Shape, msg string) {
	t.Helper()
	switch {
	case msg == "" && err != nil:
		t.Errorf("%v, want %v", err, want)
	case msg != "" && (err == nil || err.Error() != msg):
		t.Errorf("%v, %v, want %q", got, err, msg)
	case msg == "" && !got.Equal(want):
		t.Errorf("%v, want %v", got, want)
	}
}

func TestPermuted(t *testing.T) {
	s := Shape{2, 3, 4}
	got, err := s.Permuted(2, 0, 1)
	checkShape(t, got, err, Shape{4, 2, 3}, "")
	for _, axes := range [][]int{{0, 1}, {0, 1, 1}, {0, 1, 3}, {0, 1, -1}, {0, 1, 2, 3}, {}} {
		want := Errorf("permute", "axes %v are not an order of the 3 axes of (2,3,4)", axes).Error()
		_, err := s.Permuted(axes...)
		checkShape(t, nil, err, nil, want)
		says(t, want, func() { New(CPU, F32, s...).Permute(axes...) })
	}
}

func TestSliced(t *testing.T) {
	s := Shape{2, 5}
	const far = int(^uint(0) >> 1)
	for _, c := range []struct {
		axis, lo, hi, step int
		want               Shape
		err                string
	}{
		{1, 0, 5, 1, Shape{2, 5}, ""},
		{1, 0, 5, 2, Shape{2, 3}, ""},
		{1, 1, 5, 2, Shape{2, 2}, ""},
		{1, 0, 5, far, Shape{2, 1}, ""},
		{1, 5, 5, 1, Shape{2, 0}, ""},
		{1, 5, 5, far, Shape{2, 0}, ""},
		{2, 0, 1, 1, nil, "slice: axis 2 of (2,5), which has 2 axes"},
		{-1, 0, 1, 1, nil, "slice: axis -1 of (2,5), which has 2 axes"},
		{1, 0, 5, 0, nil, "slice: step 0, want at least 1"},
		{1, 0, 6, 1, nil, "slice: 0:6 of axis 1 of (2,5), want 0 <= lo <= hi <= 5"},
		{1, -1, 2, 1, nil, "slice: -1:2 of axis 1 of (2,5), want 0 <= lo <= hi <= 5"},
		{1, 3, 2, 1, nil, "slice: 3:2 of axis 1 of (2,5), want 0 <= lo <= hi <= 5"},
	} {
		got, err := s.Sliced(c.axis, c.lo, c.hi, c.step)
		checkShape(t, got, err, c.want, c.err)
		x := New(CPU, F32, s...)
		if c.err != "" {
			says(t, c.err, func() { x.Slice(c.axis, c.lo, c.hi, c.step) })
		} else if v := x.Slice(c.axis, c.lo, c.hi, c.step); !v.Shape().Equal(c.want) || v.Offset() >= 10 {
			t.Errorf("Slice gives %v at %d", v.Shape(), v.Offset())
		}
	}
}

func TestExpandsTo(t *testing.T) {
	for _, c := range []struct {
		from, to Shape
		err      string
	}{
		{Shape{}, Shape{2, 3}, ""},
		{Shape{3, 1}, Shape{2, 3, 4}, ""},
		{Shape{1}, Shape{0}, ""},
		{Shape{0}, Shape{2, 0}, ""},
		{Shape{2}, Shape{3}, "expand: (2) does not expand to (3)"},
		{Shape{2, 3}, Shape{3}, "expand: (2,3) does not expand to (3)"},
		{Shape{0}, Shape{1}, "expand: (0) does not expand to (1)"},
		{Shape{1}, Shape{-3}, "expand: (1) to (-3): shape (-3) has a negative extent"},
	} {
		checkShape(t, nil, c.from.ExpandsTo(c.to), nil, c.err)
		x := New(CPU, F32, c.from...)
		if c.err != "" {
			says(t, c.err, func() { x.Expand(c.to...) })
		} else if got := x.Expand(c.to...).Shape(); !got.Equal(c.to) {
			t.Errorf("Expand gives %v, want %v", got, c.to)
		}
	}
}

func TestBroadcast(t *testing.T) {
	for _, c := range []struct {
		a, b, want Shape
		err        string
	}{
		{Shape{}, Shape{}, Shape{}, ""},
		{Shape{2, 1}, Shape{3}, Shape{2, 3}, ""},
		{Shape{4, 1, 3}, Shape{2, 1}, Shape{4, 2, 3}, ""},
		{Shape{0}, Shape{1}, Shape{0}, ""},
		{Shape{2, 3}, Shape{2}, nil, "broadcast: (2,3) and (2) differ on an axis where neither is 1"},
	} {
		got, err := Broadcast(c.a, c.b)
		checkShape(t, got, err, c.want, c.err)
		if c.err == "" {
			got, err = Broadcast(c.b, c.a)
			checkShape(t, got, err, c.want, "")
		}
	}
}

// Both shapes expand to their broadcast, which is the smallest such shape; and
// where there is none, neither expands to the other.
func TestBroadcastByDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) Shape {
			return rapid.SliceOfN(rapid.SampledFrom([]int{0, 1, 1, 2, 3}), 0, 4).Draw(t, name)
		}
		a, b := draw("a"), draw("b")
		got, err := Broadcast(a, b)
		if err != nil {
			if a.ExpandsTo(b) == nil || b.ExpandsTo(a) == nil {
				t.Fatalf("%v and %v: %v", a, b, err)
			}
			return
		}
		if e := a.ExpandsTo(got); e != nil {
			t.Fatal(e)
		}
		if e := b.ExpandsTo(got); e != nil {
			t.Fatal(e)
		}
		if len(got) != max(len(a), len(b)) {
			t.Fatalf("%v and %v give %v", a, b, got)
		}
		for i, d := range got {
			ia, ib := i-len(got)+len(a), i-len(got)+len(b)
			if !(ia >= 0 && a[ia] == d || ib >= 0 && b[ib] == d) {
				t.Fatalf("%v and %v give %v: extent %d is neither's", a, b, got, d)
			}
		}
	})
}
