package tensor

import (
	"encoding/json"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// testdata/print.json holds arrays as NumPy itself prints them.
func TestStringIsNumPys(t *testing.T) {
	blob, err := os.ReadFile("testdata/print.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases map[string]struct {
		DType, Text string
		Shape       []int
		Data        []string
	}
	if err := json.Unmarshal(blob, &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) < 30 {
		t.Fatalf("only %d cases", len(cases))
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if len(c.Data) == 0 { // stands for 0, 1, 2, ...
				for i := range Shape(c.Shape).Size() {
					c.Data = append(c.Data, strconv.Itoa(i))
				}
			}
			var x *Tensor
			switch c.DType {
			case "f32":
				x = Of(parse(t, c.Data, func(s string) (float32, error) { v, err := strconv.ParseFloat(s, 64); return float32(v), err }), c.Shape...)
			case "f64":
				x = Of(parse(t, c.Data, func(s string) (float64, error) { return strconv.ParseFloat(s, 64) }), c.Shape...)
			default:
				x = Of(parse(t, c.Data, func(s string) (int64, error) { return strconv.ParseInt(s, 10, 64) }), c.Shape...)
			}
			want := c.Text + "\n" + c.DType + " " + x.Shape().String()
			if d := cmp.Diff(want, x.String()); d != "" {
				t.Errorf("-NumPy +ours\n%s", d)
			}
		})
	}
}

func parse[T Elem](t *testing.T, in []string, f func(string) (T, error)) []T {
	out := make([]T, len(in))
	for i, s := range in {
		v, err := f(s)
		if err != nil {
			t.Fatal(err)
		}
		out[i] = v
	}
	return out
}

func TestStringOfViews(t *testing.T) {
	x := Of([]float32{0, 1, 2, 3, 4, 5}, 2, 3)
	for _, c := range []struct {
		x    *Tensor
		want string
	}{
		{x.Permute(1, 0), "[[0. 3.]\n [1. 4.]\n [2. 5.]]\nf32 (3,2)"},
		{x.Slice(1, 0, 3, 2), "[[0. 2.]\n [3. 5.]]\nf32 (2,2)"},
		{x.Slice(0, 1, 2, 1).Expand(2, 2, 3), "[[[3. 4. 5.]\n  [3. 4. 5.]]\n\n [[3. 4. 5.]\n  [3. 4. 5.]]]\nf32 (2,2,3)"},
		{Scalar(math.Inf(-1)), "-inf\nf64 ()"},
		{New(CPU, F64, 2, 0, 3), "[]\nf64 (2,0,3)"},
		{OfImages([]int64{1, 2, 3, 4}, 1, 2, 1, 2), "[[[[1 3]]\n\n  [[2 4]]]]\ni64 (1,2,1,2)"},
	} {
		if got := c.x.String(); got != c.want {
			t.Errorf("got\n%s\nwant\n%s", got, c.want)
		}
	}
}

// A summary reads the elements that it shows and no others.
func TestStringOfHugeView(t *testing.T) {
	x := Of([]float32{1, 2}, 2, 1, 1).Expand(2, 1<<20, 1<<20)
	got := x.String()
	if strings.Count(got, "...") != 2*(6+1) || !strings.HasSuffix(got, "\nf32 (2,1048576,1048576)") {
		t.Errorf("got\n%s", got)
	}
}
