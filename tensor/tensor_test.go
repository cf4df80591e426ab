package tensor

import (
	"errors"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// says fails the test unless f panics with an *Error that reads want.
func says(t *testing.T, want string, f func()) {
	t.Helper()
	err := Catch(f)
	if err == nil {
		t.Errorf("no panic, want %q", want)
	} else if err.Error() != want {
		t.Errorf("panic %q, want %q", err, want)
	}
}

func TestDType(t *testing.T) {
	if F32.String() != "f32" || F64.String() != "f64" || I64.String() != "i64" {
		t.Error("names:", F32, F64, I64)
	}
	if F32.Size() != 4 || F64.Size() != 8 || I64.Size() != 8 {
		t.Error("sizes:", F32.Size(), F64.Size(), I64.Size())
	}
	if TypeOf[float32]() != F32 || TypeOf[float64]() != F64 || TypeOf[int64]() != I64 {
		t.Error("TypeOf:", TypeOf[float32](), TypeOf[float64](), TypeOf[int64]())
	}
}

func TestShape(t *testing.T) {
	for _, c := range []struct {
		s    Shape
		size int
		text string
	}{
		{nil, 1, "()"},
		{Shape{3}, 3, "(3)"},
		{Shape{2, 3, 4}, 24, "(2,3,4)"},
		{Shape{2, 0, 4}, 0, "(2,0,4)"},
	} {
		if c.s.Size() != c.size || c.s.String() != c.text || c.s.Valid() != nil {
			t.Errorf("%v: size %d, valid %v", c.s, c.s.Size(), c.s.Valid())
		}
	}
	if !(Shape{}).Equal(nil) || (Shape{1}).Equal(nil) || (Shape{2, 3}).Equal(Shape{3, 2}) {
		t.Error("Equal")
	}
}

func TestImpossibleShapes(t *testing.T) {
	const big = math.MaxInt/8 + 1
	for _, f := range []func(shape ...int){
		func(shape ...int) { New(CPU, F32, shape...) },
		func(shape ...int) { Of([]float32{}, shape...) },
		func(shape ...int) { Scalar(1.0).Expand(shape...) },
	} {
		if Catch(func() { f(big) }) == nil || Catch(func() { f(big/2, 3) }) == nil || Catch(func() { f(0, big/2, 3) }) == nil {
			t.Error("a shape beyond memory is taken")
		}
		if Catch(func() { f(-1) }) == nil || Catch(func() { f(-1, -1) }) == nil {
			t.Error("a negative extent is taken")
		}
		if Catch(func() { f(1, 1, 1, 1, 1, 1, 1) }) == nil {
			t.Error("seven axes are taken")
		}
	}
	says(t, "tensor: shape (2,-1) has a negative extent", func() { New(CPU, F32, 2, -1) })
	says(t, "tensor: shape (1,1,1,1,1,1,1) has 7 axes, the most is 6", func() { New(CPU, F32, 1, 1, 1, 1, 1, 1, 1) })
	says(t, "tensor: shape (1,-2,3,4) has a negative extent", func() { NewImages(CPU, F64, 1, -2, 3, 4) })
	says(t, "tensor: shape (-1,-2,3,4) has a negative extent", func() { OfImages(make([]int64, 24), -1, -2, 3, 4) })
	says(t, "tensor.Of: 5 values do not fill shape (2,3)", func() { Of(make([]float32, 5), 2, 3) })
	says(t, "tensor.OfImages: 5 values do not fill shape (1,2,1,3)", func() { OfImages(make([]float32, 5), 1, 2, 1, 3) })
}

func TestMakers(t *testing.T) {
	for _, d := range []DType{F32, F64, I64} {
		x := New(CPU, d, 2, 3, 4)
		if x.DType() != d || x.Device() != CPU || x.Dims() != 3 || x.Size() != 24 || x.Storage().Len() != 24 || x.Offset() != 0 {
			t.Errorf("New: %v", x)
		}
		if d := cmp.Diff([]int{12, 4, 1}, x.Strides()); d != "" {
			t.Error(d)
		}
		y := NewImages(CPU, d, 2, 3, 4, 5)
		if d := cmp.Diff([]int{60, 1, 15, 3}, y.Strides()); d != "" {
			t.Error(d)
		}
		if y.IsDense() || !y.IsImages() || !x.IsDense() || x.IsImages() {
			t.Error("memory forms")
		}
	}
	if x := Scalar(int64(7)); x.Dims() != 0 || x.Size() != 1 || Data[int64](x)[0] != 7 {
		t.Error("Scalar", x)
	}

	data := []float32{1, 2, 3, 4, 5, 6}
	x := Of(data, 2, 3)
	data[5] = 9
	if Data[float32](x)[5] != 9 {
		t.Error("Of copies")
	}
	// Two pixels of three channels each: memory is r g b r g b.
	img := OfImages(data, 1, 3, 1, 2)
	if d := cmp.Diff([]float64{1, 4, 2, 5, 3, 9}, Values(img)); d != "" {
		t.Error(d)
	}
}

func TestDim(t *testing.T) {
	x := New(CPU, F32, 2, 3, 4)
	if x.Dim(0) != 2 || x.Dim(2) != 4 || x.Dim(-1) != 4 || x.Dim(-3) != 2 {
		t.Error("Dim")
	}
	says(t, "tensor.Dim: axis 3 of (2,3,4), which has 3 axes", func() { x.Dim(3) })
	says(t, "tensor.Dim: axis -4 of (2,3,4), which has 3 axes", func() { x.Dim(-4) })
}

func TestPacked(t *testing.T) {
	dense, images := New(CPU, F32, 2, 3, 4, 5), NewImages(CPU, F32, 2, 3, 4, 5)
	for _, c := range []struct {
		name          string
		x             *Tensor
		dense, images bool
	}{
		{"row-major", dense, true, false},
		{"channels-last", images, false, true},
		{"one channel", New(CPU, F32, 2, 1, 4, 5), true, true},
		{"one pixel", NewImages(CPU, F32, 2, 3, 1, 1), true, true},
		{"scalar", Scalar(1.0), true, false},
		{"empty", New(CPU, F32, 0, 3).Permute(1, 0), true, false},
		{"empty images", New(CPU, F32, 2, 3, 0, 5), true, true},
		{"nchw to nhwc", dense.Permute(0, 2, 3, 1), false, false},
		{"nhwc seen plainly", images.Permute(0, 2, 3, 1), true, false},
		{"channels-last of plain", New(CPU, F32, 2, 4, 5, 3).Permute(0, 3, 1, 2), false, true},
		{"transposed", New(CPU, F32, 2, 3).Permute(1, 0), false, false},
		{"transposed vector", New(CPU, F32, 1, 3).Permute(1, 0), true, false},
		{"first half", dense.Slice(0, 0, 1, 1), false, false},
		{"second half", dense.Slice(0, 1, 2, 1), false, false},
		{"everything", dense.Slice(0, 0, 2, 1), true, false},
		{"every other", New(CPU, F32, 4).Slice(0, 0, 4, 2), false, false},
		{"nothing of something", New(CPU, F32, 4).Slice(0, 2, 2, 1), false, false},
		{"repeated", Scalar(1.0).Expand(3), false, false},
		{"repeated once", Scalar(1.0).Expand(1, 1), true, false},
	} {
		if c.x.IsDense() != c.dense || c.x.IsImages() != c.images || c.x.IsPacked() != (c.dense || c.images) {
			t.Errorf("%s: dense %v, images %v, packed %v", c.name, c.x.IsDense(), c.x.IsImages(), c.x.IsPacked())
		}
		l := Like(c.x)
		if !l.Shape().Equal(c.x.Shape()) || l.DType() != c.x.DType() || !l.IsPacked() || l.IsImages() != c.images && c.x.IsPacked() {
			t.Errorf("%s: Like is %v with strides %v", c.name, l.Shape(), l.Strides())
		}
		if c.x.IsPacked() && !l.SameLayout(c.x) {
			t.Errorf("%s: Like has another layout", c.name)
		}
	}
	if dense.SameLayout(images) || dense.SameLayout(New(CPU, F32, 2, 3, 4, 6)) || !New(CPU, F32, 2, 1, 4, 5).SameLayout(NewImages(CPU, F64, 2, 1, 4, 5)) {
		t.Error("SameLayout")
	}
}

func TestZeroToAndDoors(t *testing.T) {
	x := OfImages([]float32{1, 2, 3, 4, 5, 6}, 1, 3, 1, 2)
	y := x.To(CPU)
	x.Zero()
	if d := cmp.Diff(make([]float64, 6), Values(x)); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]float32{1, 2, 3, 4, 5, 6}, Data[float32](y)); d != "" || !y.IsImages() {
		t.Error("To:", d)
	}
	w := y.Slice(1, 1, 3, 1)
	if got := Window[float32](w); len(got) != 5 || got[0] != 2 {
		t.Error("Window:", got)
	}
	says(t, "tensor.Zero: (1,2,1,2) is a view of part of its memory", func() { w.Zero() })
	says(t, "tensor.To: (1,2,1,2) is a view: make it dense first", func() { w.To(CPU) })
	says(t, "tensor.Data: (1,2,1,2) is a view of part of its memory: use Window", func() { Data[float32](w) })
	says(t, "tensor.Data: tensor is f32 on cpu, not f64 on cpu", func() { Data[float64](y) })
	says(t, "tensor.Window: tensor is f32 on cpu, not i64 on cpu", func() { Window[int64](y) })
	says(t, "tensor.Contiguous: tensor is f32 on cpu, not f64 on cpu", func() { Contiguous[float64](y) })
	says(t, "tensor.Upload: 20 bytes for a block of 24", func() { y.Storage().Upload(make([]byte, 20)) })
	says(t, "tensor.Upload: 28 bytes for a block of 24", func() { y.Storage().Upload(make([]byte, 28)) })
	says(t, "tensor.Download: 8 bytes for a block of 24", func() { y.Storage().Download(make([]byte, 8)) })
}

func TestContiguousIsACopy(t *testing.T) {
	x := Of([]int64{1, 2, 3, 4}, 2, 2)
	y, z := Contiguous[int64](x), Contiguous[int64](x.Permute(1, 0))
	Data[int64](x)[0] = 9
	if d := cmp.Diff([]int64{1, 2, 3, 4}, Data[int64](y)); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]int64{1, 3, 2, 4}, Data[int64](z)); d != "" {
		t.Error(d)
	}
}

// far is a device that is not the host: its memory is reached by copies alone.
type far struct{}

type farMemory struct{ m Storage }

func (far) String() string                 { return "far:0" }
func (d far) Alloc(t DType, n int) Storage { return farMemory{CPU.Alloc(t, n)} }
func (s farMemory) Device() Device         { return far{} }
func (s farMemory) DType() DType           { return s.m.DType() }
func (s farMemory) Len() int               { return s.m.Len() }
func (s farMemory) Zero()                  { s.m.Zero() }
func (s farMemory) Upload(src []byte)      { s.m.Upload(src) }
func (s farMemory) Download(dst []byte)    { s.m.Download(dst) }

func TestAnotherDevice(t *testing.T) {
	x := OfImages([]float64{1, 2, 3, 4, 5, 6}, 1, 3, 1, 2)
	y := x.To(far{})
	if y.Device() != (far{}) || !y.IsImages() || !y.To(CPU).SameLayout(x) {
		t.Error("To another device")
	}
	if d := cmp.Diff(Values(x), Values(y)); d != "" {
		t.Error(d)
	}
	v := y.Slice(1, 1, 3, 1) // Values and String read views, To does not
	if d := cmp.Diff([]float64{2, 5, 3, 6}, Values(v)); d != "" {
		t.Error(d)
	}
	if got, want := v.String(), "[[[[2. 5.]]\n\n  [[3. 6.]]]]\nf64 (1,2,1,2) far:0"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	says(t, "tensor.Data: tensor is f64 on far:0, not f64 on cpu", func() { Data[float64](y) })
	if l := Like(y); l.Device() != (far{}) || !l.IsImages() {
		t.Error("Like on another device")
	}
}

func TestCatch(t *testing.T) {
	if err := Catch(func() {}); err != nil {
		t.Error(err)
	}
	err := Catch(func() { panic(Errorf("op", "%d is not %d", 1, 2)) })
	var e *Error
	if !errors.As(err, &e) || e.Op != "op" || e.Msg != "1 is not 2" || err.Error() != "op: 1 is not 2" {
		t.Errorf("%#v", err)
	}
	defer func() {
		if r := recover(); r != "other" {
			t.Errorf("Catch swallowed another panic: %v", r)
		}
	}()
	Catch(func() { panic("other") })
}

// Every tensor of the storage's size in memory order is one of the two forms
// exactly when IsPacked says so.
func TestPackedByDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := drawView(t).x
		var order []int // storage indices as row-major walks over x and over its (n,h,w,c) form visit them
		walk(x, func(i int) { order = append(order, i) })
		dense := x.Storage().Len() == len(order)
		for n, i := range order {
			dense = dense && n == i
		}
		if x.IsDense() != dense {
			t.Fatalf("%v strides %v offset %d of %d: IsDense is %v", x.Shape(), x.Strides(), x.Offset(), x.Storage().Len(), x.IsDense())
		}
		images := false
		if x.Dims() == 4 {
			order, images = nil, x.Storage().Len() == x.Size()
			walk(x.Permute(0, 2, 3, 1), func(i int) { order = append(order, i) })
			for n, i := range order {
				images = images && n == i
			}
		}
		if x.IsImages() != images {
			t.Fatalf("%v strides %v offset %d of %d: IsImages is %v", x.Shape(), x.Strides(), x.Offset(), x.Storage().Len(), x.IsImages())
		}
	})
}
