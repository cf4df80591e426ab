package autograd_test

import (
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"phase/autograd"
	"phase/kernels"
	"phase/kernels/ref"
	"phase/tensor"
	"phase/tensor/npy"
)

type call = func(in ...*autograd.Var) *autograd.Var

// functions stands for what is composed of ops and has a name of its own.
const functions = "functions"

// goldens says which call each case of testdata/golden/make.py stands for.
var goldens = map[string]map[string]call{
	"relu":    far(unary(autograd.ReLU), "at_zero"),
	"exp":     unary(autograd.Exp),
	"log":     unary(autograd.Log),
	"tanh":    far(unary(autograd.Tanh)),
	"sigmoid": far(unary(autograd.Sigmoid)),
	"gelu":    far(unary(autograd.GELU)),
	"sqrt":    unary(autograd.Sqrt),
	"rsqrt":   unary(autograd.Rsqrt),
	"square":  far(unary(autograd.Square)),
	"abs":     far(unary(autograd.Abs), "at_zero"),
	"add":     binary(autograd.Add),
	"sub":     binary(autograd.Sub),
	"mul":     binary(autograd.Mul),
	"div":     binary(autograd.Div),
	"affine": {
		"both":  func(in ...*autograd.Var) *autograd.Var { return autograd.Affine(in[0], -2.5, 1) },
		"scale": func(in ...*autograd.Var) *autograd.Var { return autograd.Scale(in[0], .5) },
	},
	"matmul": cases(func(in ...*autograd.Var) *autograd.Var { return autograd.MatMul(in[0], in[1]) }, "plain", "wide"),
	"linear": cases(func(in ...*autograd.Var) *autograd.Var { return autograd.Linear(in[0], in[1], in[2]) }, "plain", "one"),

	"reshape": {
		"fixed": func(in ...*autograd.Var) *autograd.Var { return autograd.Reshape(in[0], 3, 4) },
		"free":  func(in ...*autograd.Var) *autograd.Var { return autograd.Reshape(in[0], 2, -1) },
	},
	"permute": {
		"matrix": func(in ...*autograd.Var) *autograd.Var { return autograd.Permute(in[0], 1, 0) },
		"cube":   func(in ...*autograd.Var) *autograd.Var { return autograd.Permute(in[0], 2, 0, 1) },
		"images": func(in ...*autograd.Var) *autograd.Var { return autograd.Permute(in[0], 0, 2, 3, 1) },
	},
	"slice": {
		"rows":  func(in ...*autograd.Var) *autograd.Var { return autograd.Slice(in[0], 0, 1, 3, 1) },
		"steps": func(in ...*autograd.Var) *autograd.Var { return autograd.Slice(in[0], 2, 0, 5, 2) },
	},
	"expand": {
		"axis": func(in ...*autograd.Var) *autograd.Var { return autograd.Expand(in[0], 3, 4) },
		"lead": func(in ...*autograd.Var) *autograd.Var { return autograd.Expand(in[0], 2, 3, 2, 2) },
	},
	"pad": {
		"matrix":   func(in ...*autograd.Var) *autograd.Var { return autograd.Pad(in[0], 1, 1, 2) },
		"channels": func(in ...*autograd.Var) *autograd.Var { return autograd.Pad(in[0], 1, 2, 2) },
	},
	"concat": {
		"rows":     func(in ...*autograd.Var) *autograd.Var { return autograd.Concat(0, in...) },
		"channels": func(in ...*autograd.Var) *autograd.Var { return autograd.Concat(1, in...) },
	},
	"channels_last": cases(sample("channels_last"), "images", "thin"),
	"row_major":     cases(sample("row_major"), "images", "thin"),

	"sum":  reduction(autograd.Sum, autograd.SumKeep),
	"mean": reduction(autograd.Mean, autograd.MeanKeep),

	"conv2d": {
		"plain":       conv(kernels.Conv2D{}),
		"pad":         conv(kernels.Conv2D{Pad: 1}),
		"stride_pad":  conv(kernels.Conv2D{Stride: 2, Pad: 1}),
		"stride_even": conv(kernels.Conv2D{Stride: 2, Pad: 1}),
		"stride_one":  conv(kernels.Conv2D{Stride: 2}),
		"dilation":    conv(kernels.Conv2D{Pad: 2, Dilation: 2}),
		"groups":      conv(kernels.Conv2D{Pad: 1, Groups: 2}),
		"depthwise":   conv(kernels.Conv2D{Groups: 3}),
		"all":         conv(kernels.Conv2D{Stride: 2, Pad: 2, Dilation: 2, Groups: 2}),
		"stem":        conv(kernels.Conv2D{Stride: 2, Pad: 3}),
		"wide":        conv(kernels.Conv2D{Pad: 1}),
	},
	"max_pool": {
		"two":      pool(autograd.MaxPool, kernels.Pool2D{Size: 2}),
		"overlap":  pool(autograd.MaxPool, kernels.Pool2D{Size: 3, Stride: 2, Pad: 1}),
		"dense":    pool(autograd.MaxPool, kernels.Pool2D{Size: 3, Stride: 1}),
		"ties":     pool(autograd.MaxPool, kernels.Pool2D{Size: 3, Stride: 2, Pad: 1}),
		"negative": pool(autograd.MaxPool, kernels.Pool2D{Size: 2, Stride: 1, Pad: 1}),
	},
	"avg_pool": {
		"two":     pool(autograd.AvgPool, kernels.Pool2D{Size: 2}),
		"overlap": pool(autograd.AvgPool, kernels.Pool2D{Size: 3, Stride: 2, Pad: 1}),
		"dense":   pool(autograd.AvgPool, kernels.Pool2D{Size: 3, Stride: 1}),
	},
	"global_avg_pool": cases(func(in ...*autograd.Var) *autograd.Var { return autograd.GlobalAvgPool(in[0]) }, "plain"),

	"batch_norm": norm(func(in ...*autograd.Var) *autograd.Var {
		return autograd.BatchNorm(in[0], in[1], in[2], normParam(false))
	}),
	"batch_norm_relu": norm(func(in ...*autograd.Var) *autograd.Var {
		return autograd.BatchNorm(in[0], in[1], in[2], normParam(true))
	}),
	"batch_norm_add_relu": norm(func(in ...*autograd.Var) *autograd.Var {
		return autograd.BatchNormAddReLU(in[0], in[1], in[2], in[3], normParam(true))
	}),
	"batch_norm_eval": norm(func(in ...*autograd.Var) *autograd.Var {
		return autograd.BatchNormEval(in[0], in[1], in[2], in[3].Value, in[4].Value, kernels.BatchNorm{Eps: 1e-5})
	}),
	"batch_norm_eval_relu": norm(func(in ...*autograd.Var) *autograd.Var {
		return autograd.BatchNormEval(in[0], in[1], in[2], in[3].Value, in[4].Value, kernels.BatchNorm{Eps: 1e-5, ReLU: true})
	}),
	"batch_norm_eval_add_relu": norm(func(in ...*autograd.Var) *autograd.Var {
		return autograd.BatchNormEvalAddReLU(in[0], in[1], in[2], in[5], in[3].Value, in[4].Value, kernels.BatchNorm{Eps: 1e-5})
	}),
	"branch":        branches(false, false),
	"residual":      branches(true, false),
	"branch_eval":   branches(false, true),
	"residual_eval": branches(true, true),
	"cast": {
		"bf16": casts(tensor.F32, tensor.BF16),
		"ties": casts(tensor.F32, tensor.BF16),
		"f32":  casts(tensor.F32),
	},
	"subsample": {
		"grow": func(in ...*autograd.Var) *autograd.Var { return autograd.Subsample(in[0], 2, 1, 2) },
		"thin": func(in ...*autograd.Var) *autograd.Var { return autograd.Subsample(in[0], 3, 0, 0) },
	},
	"dropout": {
		"some": func(in ...*autograd.Var) *autograd.Var { return autograd.Dropout(in[0], .4, 7) },
		"none": func(in ...*autograd.Var) *autograd.Var { return autograd.Dropout(in[0], 0, 7) },
	},

	"gather": cases(func(in ...*autograd.Var) *autograd.Var { return autograd.Gather(in[0], in[1].Value) }, "rows", "numbers"),
	"one_hot": cases(func(in ...*autograd.Var) *autograd.Var {
		return autograd.OneHot(in[0].Value, 4, tensor.F64)
	}, "plain"),

	"log_softmax": cases(func(in ...*autograd.Var) *autograd.Var { return autograd.LogSoftmax(in[0]) }, "matrix", "cube", "far"),
	"softmax_loss": {
		"ce":            loss(kernels.SoftmaxLoss{}),
		"smooth":        loss(kernels.SoftmaxLoss{Smooth: .1}),
		"focal":         loss(kernels.SoftmaxLoss{GammaPos: 2}),
		"root":          loss(kernels.SoftmaxLoss{GammaPos: .5}),
		"daw":           loss(kernels.SoftmaxLoss{GammaPos: 1, GammaNeg: 4, Smooth: .1}),
		"asl_reference": loss(kernels.SoftmaxLoss{GammaNeg: 4, Smooth: .1}),
		"dead":          loss(kernels.SoftmaxLoss{GammaNeg: 4}),
		"even":          loss(kernels.SoftmaxLoss{GammaPos: 2, GammaNeg: 2, Smooth: .2}),
		"detach":        loss(kernels.SoftmaxLoss{GammaPos: 1, GammaNeg: 4, Smooth: .1, Detach: true}),
		"eq3":           loss(kernels.SoftmaxLoss{GammaPos: 1, GammaNeg: 4, Smooth: .1, Form: kernels.Eq3}),
		"eq3_detach":    loss(kernels.SoftmaxLoss{GammaPos: 2, GammaNeg: 1, Smooth: .1, Form: kernels.Eq3, Detach: true}),
		"eq1":           loss(kernels.SoftmaxLoss{GammaPos: 1, GammaNeg: 4, Form: kernels.Eq1}),
		"eq1_plain":     loss(kernels.SoftmaxLoss{Form: kernels.Eq1}),
		"eq1_detach":    loss(kernels.SoftmaxLoss{GammaPos: 1, GammaNeg: 2, Form: kernels.Eq1, Detach: true}),
		"torch_ce":      loss(kernels.SoftmaxLoss{}),
		"torch_smooth":  loss(kernels.SoftmaxLoss{Smooth: .1}),
		"torch_far":     loss(kernels.SoftmaxLoss{Smooth: .1}),
	},

	functions: {
		"normalize":     func(in ...*autograd.Var) *autograd.Var { return autograd.Normalize(in[0]) },
		"cosine_logits": func(in ...*autograd.Var) *autograd.Var { return autograd.CosineLogits(in[0], in[1], 16) },
		"cross_entropy": func(in ...*autograd.Var) *autograd.Var { return autograd.CrossEntropy(in[0], in[1].Value) },
	},
}

// cases gives several cases the same call.
func cases(f call, names ...string) map[string]call {
	m := map[string]call{}
	for _, n := range names {
		m[n] = f
	}
	return m
}

func unary(f func(x *autograd.Var) *autograd.Var) map[string]call {
	return cases(func(in ...*autograd.Var) *autograd.Var { return f(in[0]) }, "matrix", "images", "scalar")
}

// far adds the case of inputs far from zero, and others, to those of m.
func far(m map[string]call, more ...string) map[string]call {
	maps.Copy(m, cases(m["matrix"], append(more, "far")...))
	return m
}

func binary(f func(x, y *autograd.Var) *autograd.Var) map[string]call {
	return cases(func(in ...*autograd.Var) *autograd.Var { return f(in[0], in[1]) }, "alike", "channels", "outer", "scalar", "row", "middle")
}

func reduction(drop, keep func(x *autograd.Var, axes ...int) *autograd.Var) map[string]call {
	return map[string]call{
		"all":         func(in ...*autograd.Var) *autograd.Var { return drop(in[0]) },
		"rows":        func(in ...*autograd.Var) *autograd.Var { return drop(in[0], 0) },
		"keep":        func(in ...*autograd.Var) *autograd.Var { return keep(in[0], 1) },
		"channels":    func(in ...*autograd.Var) *autograd.Var { return drop(in[0], 0, 2, 3) },
		"middle_keep": func(in ...*autograd.Var) *autograd.Var { return keep(in[0], 1, 2) },
	}
}

func conv(p kernels.Conv2D) call {
	return func(in ...*autograd.Var) *autograd.Var { return autograd.Conv2D(in[0], in[1], p) }
}

func pool(f func(x *autograd.Var, p kernels.Pool2D) *autograd.Var, p kernels.Pool2D) call {
	return func(in ...*autograd.Var) *autograd.Var { return f(in[0], p) }
}

func norm(f call) map[string]call { return cases(f, "images", "rows", "wide") }

func normParam(relu bool) autograd.BatchNormParam {
	return autograd.BatchNormParam{BatchNorm: kernels.BatchNorm{Eps: 1e-5, ReLU: relu}}
}

// casts goes through dtypes and back.
func casts(through ...tensor.DType) call {
	return func(in ...*autograd.Var) *autograd.Var {
		x := in[0]
		for _, d := range append(through, x.Value.DType()) {
			x = autograd.Cast(x, d)
		}
		return x
	}
}

func branches(shortcut, eval bool) map[string]call {
	same, half := kernels.Conv2D{Pad: 1}, kernels.Conv2D{Stride: 2, Pad: 1}
	f := func(relu bool, convs ...kernels.Conv2D) call {
		p := kernels.Branch{Convs: convs, Eps: 1e-5, ReLU: relu}
		return func(in ...*autograd.Var) *autograd.Var {
			x, s := in[0], (*autograd.Var)(nil)
			if in = in[1:]; shortcut {
				s, in = in[0], in[1:]
			}
			var units []autograd.BranchUnit
			for each := len(in) / len(convs); len(in) > 0; in = in[each:] {
				u := autograd.BranchUnit{W: in[0], Gamma: in[1], Beta: in[2]}
				if eval {
					u.Mean, u.Var = in[3].Value, in[4].Value
				}
				units = append(units, u)
			}
			if eval {
				return autograd.BranchEval(x, s, units, p)
			}
			return autograd.Branch(x, s, units, autograd.BranchParam{Branch: p})
		}
	}
	return map[string]call{
		"one":        f(true, same),
		"linear":     f(false, kernels.Conv2D{Stride: 2}),
		"basic":      f(true, half, same),
		"bottleneck": f(true, kernels.Conv2D{}, same, kernels.Conv2D{}),
	}
}

func loss(p kernels.SoftmaxLoss) call {
	return func(in ...*autograd.Var) *autograd.Var {
		return autograd.SoftmaxLoss(in[0], in[1].Value, in[2].Value, p)
	}
}

// sample is the call of an op without parameters that has no function of its
// own.
func sample(name string) call {
	for _, op := range autograd.Ops() {
		if op.Name == name {
			return op.Cases(1)[0].Call
		}
	}
	panic("no op is called " + name)
}

// Every op has golden values, and every golden value is looked at.
func TestGoldenComplete(t *testing.T) {
	files, err := filepath.Glob("testdata/golden/*.npz")
	if err != nil {
		t.Fatal(err)
	}
	var onDisk, inTable []string
	defined := []string{functions}
	for _, f := range files {
		onDisk = append(onDisk, strings.TrimSuffix(filepath.Base(f), ".npz"))
	}
	for name := range goldens {
		inTable = append(inTable, name)
	}
	for _, op := range autograd.Ops() {
		defined = append(defined, op.Name)
	}
	slices.Sort(defined)
	slices.Sort(inTable)
	slices.Sort(onDisk) // Glob's order is that of the names with their suffix
	if !slices.Equal(inTable, defined) || !slices.Equal(onDisk, defined) {
		t.Errorf("ops            %v\nin the table   %v\nwith a file    %v", defined, inTable, onDisk)
	}
	for name, table := range goldens {
		var named, stored []string
		for c := range table {
			named = append(named, c)
		}
		for key := range golden(t, name) {
			if c, ok := strings.CutSuffix(key, ".out"); ok {
				stored = append(stored, c)
			}
		}
		slices.Sort(named)
		slices.Sort(stored)
		if !slices.Equal(named, stored) {
			t.Errorf("%s: cases in the table %v, in the file %v", name, named, stored)
		}
	}
}

func golden(t *testing.T, op string) map[string]*tensor.Tensor {
	t.Helper()
	m, err := npy.ReadZip(filepath.Join("testdata", "golden", op+".npz"))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// The outside witness. A definition that is wrong in value and derivative
// alike passes everything else: planted as a mirrored filter in ref
// (w[o,c,r,s] read at [o,c,R-1-r,S-1-s] in value and both derivatives), only
// this test and ref's cases by hand fail.
func TestGoldenOnRef(t *testing.T) {
	with(t, ref.Backend{})
	t.Run("f64", func(t *testing.T) { compareGolden(t, same, tensor.F64, 1e-9, .01) })
	t.Run("f32", func(t *testing.T) { compareGolden(t, same, tensor.F32, 1e-4, 1) })
}

func compareGolden(t *testing.T, there func(x *tensor.Tensor) *tensor.Tensor, d tensor.DType, tol, floor float64) {
	for name, table := range goldens {
		arrays := golden(t, name)
		for c, f := range table {
			about := name + "." + c
			var tape autograd.Tape
			var in []*autograd.Var
			for i := 0; arrays[fmt.Sprintf("%s.in%d", c, i)] != nil; i++ {
				v := tape.Watch(there(inDType(arrays[fmt.Sprintf("%s.in%d", c, i)], d)))
				if arrays[fmt.Sprintf("%s.grad%d", c, i)] != nil {
					v.Want()
				}
				in = append(in, v)
			}
			y := f(in...)
			compare(t, about+".out", y.Value, arrays[c+".out"], tol, floor)
			up := arrays[c+".up"]
			if up == nil {
				continue
			}
			tape.BackwardFrom(y, there(inDType(up, d)))
			for i, v := range in {
				if want := arrays[fmt.Sprintf("%s.grad%d", c, i)]; want != nil {
					compare(t, fmt.Sprintf("%s.grad%d", about, i), v.Grad, want, tol, floor)
				}
			}
		}
	}
}

func same(x *tensor.Tensor) *tensor.Tensor { return x }

// inDType is t, if it is a float in dtype d.
func inDType(t *tensor.Tensor, d tensor.DType) *tensor.Tensor {
	if d != tensor.F32 || t.DType() == tensor.I64 {
		return t
	}
	v := tensor.Values(t)
	f := make([]float32, len(v))
	for i := range f {
		f[i] = float32(v[i])
	}
	return tensor.Of(f, t.Shape()...)
}

// compare demands |got-want| <= tol·max(|want|, floor·the largest |want|), since
// sums cancel.
func compare(t *testing.T, about string, got, want *tensor.Tensor, tol, floor float64) {
	t.Helper()
	if got == nil || !got.Shape().Equal(want.Shape()) {
		t.Errorf("%s: want shape %v, got %v", about, want.Shape(), got)
		return
	}
	g, w := tensor.Values(got), tensor.Values(want)
	scale := 0.
	for _, v := range w {
		scale = max(scale, floor*math.Abs(v))
	}
	for i := range w {
		if !(math.Abs(g[i]-w[i]) <= tol*max(math.Abs(w[i]), scale)) {
			t.Errorf("%s: element %d is %.12g, PyTorch has %.12g", about, i, g[i], w[i])
			return
		}
	}
}
