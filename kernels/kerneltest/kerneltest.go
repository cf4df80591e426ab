// Package kerneltest says what it takes to be a kernels.Backend: Run calls
// every method over many shapes, in both float dtypes and where it may be with
// images in bfloat16, and compares with package ref.
//
// A call passes if
//
//   - every result is within tolerance of ref's, NaN where ref's is NaN and the
//     same infinity where ref's is infinite;
//   - gradients are added to what an accumulator holds, overwrite a fresh one
//     (which holds NaN beforehand), and one that is not wanted is left out;
//   - inputs keep every bit, and so does the memory before and after each
//     tensor: all of them stand between canaries, at odd offsets;
//   - the same bits come out with GOMAXPROCS 1 and 2.
package kerneltest

import (
	"fmt"
	"math"
	"reflect"
	"runtime"
	"slices"
	"testing"

	"phase/kernels"
	"phase/kernels/ref"
	"phase/tensor"
)

// A Tolerance says how many roundings a result may be off, for each dtype. A
// result passes if
//
//	|got-want| ≤ Tolerance · ε · √k · scale
//
// where ε is the dtype's spacing at 1 and k the number of terms added up: the
// roundings of a sum of k terms wander like √k. The scale depends on the
// method. For sums of products it is the sum of the absolute products, element
// by element; for functions that any machine computes to an ulp or so it is
// |want| itself; for the others (normalisation, softmax, losses, updates,
// tanh, ...) 1 + the largest |want| of the tensor. Copies and maxima are exact
// whatever the tolerance. Numbers below the smallest normal one may be lost.
//
// The zero value means 4 for both. With images in bfloat16 it is 4 too, of
// bfloat16's ε and with k = 1: numbers are rounded between steps, not in sums.
type Tolerance struct{ F32, F64 float64 }

// of is the largest relative error for dtype d, before √k and scale.
func (tol Tolerance) of(d tensor.DType) float64 {
	if tol == (Tolerance{}) {
		tol = Tolerance{4, 4}
	}
	switch d {
	case tensor.F32:
		return tol.F32 * 0x1p-23
	case tensor.BF16:
		return 4 * 0x1p-7
	}
	return tol.F64 * 0x1p-52
}

// Run tests b, one subtest a method: those named, or all if none is. It changes
// GOMAXPROCS while it runs, so tests that run beside it in parallel would
// disturb one another.
func Run(t *testing.T, b kernels.Backend, tol Tolerance, named ...string) {
	run(t, b, tol, named, func(call) bool { return true })
}

// RunSmall is Run without the calls whose operands have more than limit elements
// in all: what a slow machine, a simulated one, can do. A method that has no call
// left fails.
func RunSmall(t *testing.T, b kernels.Backend, tol Tolerance, limit int, named ...string) {
	run(t, b, tol, named, func(c call) bool { return c.elements() <= limit })
}

func run(t *testing.T, b kernels.Backend, tol Tolerance, named []string, wanted func(c call) bool) {
	if b.String() == "" {
		t.Error("String is empty")
	}
	all := calls()
	for _, m := range missing(all) {
		t.Errorf("no call of method %s", m)
	}
	if named == nil {
		named = Methods()
	}
	for _, m := range named {
		if !slices.Contains(Methods(), m) {
			t.Errorf("kernels.Backend has no method %s to test", m)
		}
		t.Run(m, func(t *testing.T) {
			cs := slices.DeleteFunc(ofMethod(all, m), func(c call) bool { return !wanted(c) })
			if len(cs) == 0 {
				t.Errorf("no call of %s is small enough", m)
			}
			check(t, b, tol, cs)
		})
	}
}

// elements is how many elements the operands of a call have in all.
func (c call) elements() (n int) {
	o := newOperands(mode{memo: map[draw][]float64{}}, tensor.CPU)
	c.args(o)
	for _, x := range o.held {
		n += x.t.Size()
	}
	return n
}

// Methods lists the methods of kernels.Backend that compute.
func Methods() (names []string) {
	face := reflect.TypeFor[kernels.Backend]()
	for i := range face.NumMethod() {
		if n := face.Method(i).Name; n != "Device" && n != "String" {
			names = append(names, n)
		}
	}
	return names
}

// missing lists the methods of kernels.Backend that no call exercises.
func missing(all []call) (names []string) {
	for _, m := range Methods() {
		if len(ofMethod(all, m)) == 0 {
			names = append(names, m)
		}
	}
	return names
}

func ofMethod(all []call, method string) (cs []call) {
	for _, c := range all {
		if c.method == method {
			cs = append(cs, c)
		}
	}
	return cs
}

// A scale says what an error is measured against; see Tolerance.
type scale uint8

const (
	exact   scale = iota // no error at all
	own                  // |want|
	terms                // Σ|products|, by running ref on absolute values
	largest              // 1 + the largest |want|
)

// A call is one use of one method. args asks o for the operands and returns
// the method's arguments in order; it is run several times and must ask for the
// same every time.
type call struct {
	method, detail string
	scale          scale
	k              int // terms added up in one result
	args           func(o *operands) []any
}

// halves says which float operands of a call may be BF16, in mode BF16; the
// others are F32 then.
type halves uint8

const (
	noHalves halves = iota
	imageHalves
	allHalves
)

func (c call) halves() halves {
	switch c.method {
	case "Branch", "BranchEval", "BranchGrad":
		return imageHalves
	case "Copy", "CopyGrad":
		return allHalves
	}
	return noHalves
}

// dtypes are those of the modes in which the call is made.
func (c call) dtypes() []tensor.DType {
	if c.halves() == noHalves {
		return []tensor.DType{tensor.F32, tensor.F64}
	}
	return []tensor.DType{tensor.F32, tensor.F64, tensor.BF16}
}

// reporter is the part of testing.T that check needs.
type reporter interface {
	Errorf(format string, args ...any)
	Helper()
}

// maxReports is after how many failures of one method the rest is left out.
const maxReports = 5

// check makes the calls with b and reports what is wrong.
func check(t reporter, b kernels.Backend, tol Tolerance, cs []call) {
	t.Helper()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	alone := make([]map[tensor.DType]string, len(cs)) // the bits that one processor leaves
	memos := make([]map[draw][]float64, len(cs))
	for i, c := range cs {
		memos[i], alone[i] = map[draw][]float64{}, map[tensor.DType]string{}
		for _, d := range c.dtypes() {
			if o, fault := c.run(b, plain(d, i, memos[i])); fault == "" {
				alone[i][d] = o.bits()
			}
		}
	}
	runtime.GOMAXPROCS(2)
	failures := 0
	for i, c := range cs {
		for _, d := range c.dtypes() {
			if fault := c.fault(b, tol.of(d), plain(d, i, memos[i]), alone[i][d]); fault != "" {
				t.Errorf("%s %v, %s: %s", c.method, d, c.detail, fault)
				if failures++; failures == maxReports {
					t.Errorf("%s: enough; %d of %d calls are left", c.method, len(cs)-1-i, len(cs))
					return
				}
			}
		}
	}
}

// plain is the mode of call number i.
func plain(d tensor.DType, i int, memo map[draw][]float64) mode {
	return mode{dtype: d, seed: i, offset: i % 8, memo: memo}
}

// fault is what is wrong with b's answer to c, or nothing. alone is what b left
// when it had one processor.
func (c call) fault(b kernels.Backend, tol float64, m mode, alone string) string {
	fresh := m
	fresh.fresh = true
	sizes := c.scales(fresh)

	want, _ := c.run(ref.Backend{}, m)
	got, fault := c.run(b, m)
	if fault == "" {
		fault = c.compare(got, want, sizes, tol)
	}
	if fault == "" && got.bits() != alone {
		fault = "other bits with GOMAXPROCS 2 than with 1"
	}
	accs := len(got.accs)
	if fault != "" || accs == 0 {
		return fault
	}
	if accs > 1 { // nobody calls a kernel for one gradient that nobody wants
		for _, unwanted := range []int{1 << (m.seed % accs), 1<<accs - 1 - 1<<(m.seed%accs)} {
			some := m
			some.unwanted = unwanted
			got, fault = c.run(b, some)
			if fault == "" {
				fault = c.compare(got, want, sizes, tol)
			}
			if fault != "" {
				return fmt.Sprintf("accumulators %0*b not wanted: %s", accs, unwanted, fault)
			}
		}
	}
	want, _ = c.run(ref.Backend{}, fresh)
	got, fault = c.run(b, fresh)
	if fault == "" {
		fault = c.compare(got, want, sizes, tol)
	}
	if fault != "" {
		return "fresh accumulator: " + fault
	}
	return ""
}

// run makes the call and tells of memory that changed and should not have.
func (c call) run(b kernels.Backend, m mode) (o *operands, fault string) {
	m.halves = c.halves()
	o = newOperands(m, b.Device())
	args := c.args(o)
	o.snapshot()
	in := make([]reflect.Value, len(args))
	for i, a := range args {
		in[i] = reflect.ValueOf(a)
	}
	defer func() {
		if r := recover(); r != nil {
			fault = fmt.Sprintf("panic: %v", r)
		}
	}()
	reflect.ValueOf(b).MethodByName(c.method).Call(in)
	return o, o.damage()
}

// scales is, for each held tensor, Σ|products| of each of its elements, not
// counting what an accumulator held.
func (c call) scales(fresh mode) [][]float64 {
	if c.scale != terms {
		return nil
	}
	fresh.abs = true
	o, fault := c.run(ref.Backend{}, fresh)
	if fault != "" {
		panic("kerneltest: ref " + c.method + " " + c.detail + ": " + fault)
	}
	out := make([][]float64, len(o.held))
	for i, x := range o.held {
		out[i] = tensor.Values(x.t)
	}
	return out
}

// compare says where got's results are farthest from want's, if too far.
func (c call) compare(got, want *operands, sizes [][]float64, tol float64) string {
	for h, x := range got.held {
		if !x.written {
			continue
		}
		g, w, old := tensor.Values(x.t), tensor.Values(want.held[h].t), x.old
		top, tiny := 0.0, 0x1p-1022
		if x.t.DType() != tensor.F64 {
			tiny = 0x1p-126
		}
		k := max(c.k, 1)
		if got.dtype == tensor.BF16 {
			k = 1
		}
		for _, v := range w {
			if !math.IsInf(v, 0) && !math.IsNaN(v) {
				top = max(top, math.Abs(v))
			}
		}
		worst, at, bad := 0.0, 0, 0
		limit := func(i int) float64 {
			s := math.Abs(w[i])
			switch {
			case c.scale == exact || x.t.DType() == tensor.I64:
				return 0
			case c.scale == terms:
				s = math.Abs(sizes[h][i])
			case c.scale == largest:
				s = 1 + top
			}
			if x.adds && !got.fresh {
				s += math.Abs(old[i])
			}
			return tol*math.Sqrt(float64(k))*s + tiny
		}
		for i := range w {
			if over := excess(g[i], w[i], limit(i)); over > 1 {
				bad++
				if over > worst {
					worst, at = over, i
				}
			}
		}
		if bad > 0 {
			return fmt.Sprintf("%s %v: %d of %d elements off, the worst at %v: got %v, want %v ± %.2g",
				x.name, x.t.Shape(), bad, len(w), place(x.t.Shape(), at), g[at], w[at], limit(at))
		}
	}
	return ""
}

// excess is the error as a multiple of the limit, +Inf if got is of another
// kind than want.
func excess(got, want, limit float64) float64 {
	switch {
	case got == want || math.IsNaN(got) && math.IsNaN(want):
		return 0
	case math.IsNaN(got) || math.IsNaN(want) || math.IsInf(got, 0) || math.IsInf(want, 0) || limit == 0:
		return math.Inf(1)
	}
	return math.Abs(got-want) / limit
}

// place is row-major position i of shape s as coordinates.
func place(s tensor.Shape, i int) tensor.Shape {
	at := slices.Clone(s)
	for a := len(s) - 1; a >= 0; a-- {
		at[a] = i % s[a]
		i /= s[a]
	}
	return at
}
