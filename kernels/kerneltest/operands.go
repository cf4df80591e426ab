package kerneltest

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"

	"phase/kernels"
	"phase/tensor"
)

// A mode is how a call is made. Two runs in one mode see the same numbers.
type mode struct {
	dtype    tensor.DType // of floats; if BF16, of those that halves names, the others are F32
	halves   halves
	seed     int
	offset   int                // elements between an aligned address and a tensor's first
	fresh    bool               // accumulators are fresh: they hold NaN
	abs      bool               // all numbers are replaced by their absolute values
	unwanted int                // bit i: accumulator i is nobody's wish
	memo     map[draw][]float64 // the numbers drawn so far: runs of one call draw once
}

// A draw says whose numbers they are.
type draw struct {
	operand int
	fresh   bool
}

// operands makes the tensors of one call.
type operands struct {
	mode
	dev  tensor.Device
	held []*operand
	accs []kernels.Acc
}

// An operand is one tensor with what is known about it.
type operand struct {
	name    string
	t       *tensor.Tensor
	written bool // it is a result: inputs may not change
	adds    bool // it is an accumulator
	before  []byte
	old     []float64
	margins func() bool // whether the canaries around it live
}

func newOperands(m mode, dev tensor.Device) *operands { return &operands{mode: m, dev: dev} }

// guard is how many canaries stand on each side, at least; the widest vector
// register holds 16 float32.
const guard = 24

// canary is a NaN that no computation produces: what is read by mistake spoils
// the results, what is written shows.
func canary[T tensor.Number]() T {
	var v any
	switch any(*new(T)).(type) {
	case float32:
		v = math.Float32frombits(0x7fc0dead)
	case float64:
		v = math.Float64frombits(0x7ff8deaddeaddead)
	case tensor.BFloat16:
		v = tensor.BFloat16(0x7fde)
	default:
		v = int64(-0x0123456789abcdef)
	}
	return v.(T)
}

// hold makes a tensor of the numbers v, given in memory order and rounded by to,
// between canaries.
func hold[T tensor.Number](o *operands, name string, images bool, v []float64, shape []int, to func(v float64) T) *operand {
	lo := guard + o.offset
	buf := make([]T, lo+len(v)+guard)
	c := canary[T]()
	for i := range buf {
		buf[i] = c
	}
	left, right := buf[:lo:lo], buf[lo+len(v):]
	canaries, size := bits(tensor.Of(buf[:lo:lo], lo)), tensor.TypeOf[T]().Size()
	data := buf[lo : lo+len(v) : lo+len(v)]
	for i := range v {
		data[i] = to(v[i])
		if o.abs && v[i] < 0 {
			data[i] = to(-v[i])
		}
	}
	x := &operand{name: fmt.Sprintf("%s%d", name, len(o.held)), margins: func() bool {
		return bytes.Equal(bits(tensor.Of(left, lo)), canaries[:lo*size]) && bytes.Equal(bits(tensor.Of(right, len(right))), canaries[:len(right)*size])
	}}
	if images {
		x.t = tensor.OfImages(data, shape[0], shape[1], shape[2], shape[3])
	} else {
		x.t = tensor.Of(data, shape...)
	}
	if o.dev != tensor.CPU {
		x.t = x.t.To(o.dev)
	}
	o.held = append(o.held, x)
	return x
}

// bits is the tensor's memory.
func bits(t *tensor.Tensor) []byte {
	b := make([]byte, t.Size()*t.DType().Size())
	t.Storage().Download(b)
	return b
}

// floats holds a tensor of the call's dtype with f(i) at place i in memory.
func (o *operands) floats(name string, images bool, shape []int, f func(i int) float64) *operand {
	key := draw{len(o.held), o.fresh}
	v, drawn := o.memo[key]
	if !drawn {
		v = make([]float64, tensor.Shape(shape).Size())
		for i := range v {
			v[i] = f(i)
		}
		o.memo[key] = v
	}
	switch {
	case o.dtype == tensor.F64:
		return hold(o, name, images, v, shape, func(v float64) float64 { return v })
	case o.dtype == tensor.BF16 && (images || o.halves == allHalves):
		return hold(o, name, images, v, shape, func(v float64) tensor.BFloat16 { return tensor.ToBFloat16(float32(v)) })
	}
	return hold(o, name, images, v, shape, func(v float64) float32 { return float32(v) })
}

// inHalves makes operands in BF16 whatever the mode.
func (o *operands) inHalves(f func()) {
	m := o.mode
	o.dtype, o.halves = tensor.BF16, allHalves
	f()
	o.dtype, o.halves = m.dtype, m.halves
}

// rand is the random stream of the next operand.
func (o *operands) rand() *rand.Rand {
	return rand.New(rand.NewPCG(uint64(o.seed), uint64(len(o.held))))
}

func nan(int) float64 { return math.NaN() }

// of is an input with the given numbers, in memory order.
func (o *operands) of(f func(i int) float64, shape ...int) *tensor.Tensor {
	return o.floats("in", false, shape, f).t
}

// in is a row-major input, normally distributed.
func (o *operands) in(shape ...int) *tensor.Tensor {
	r := o.rand()
	return o.of(func(int) float64 { return r.NormFloat64() }, shape...)
}

// filters are a convolution's weights, scaled so that its outputs are about one.
func (o *operands) filters(shape ...int) *tensor.Tensor {
	r, scale := o.rand(), 1/math.Sqrt(float64(tensor.Shape(shape[1:]).Size()))
	return o.of(func(int) float64 { return scale * r.NormFloat64() }, shape...)
}

// positive is a row-major input between 1/4 and 4.
func (o *operands) positive(shape ...int) *tensor.Tensor {
	r := o.rand()
	return o.of(func(int) float64 { return math.Exp2(4*r.Float64() - 2) }, shape...)
}

// x is an activation: normally distributed around mean, channels-last if it
// has four axes.
func (o *operands) x(mean float64, shape ...int) *tensor.Tensor {
	r := o.rand()
	return o.floats("in", len(shape) == 4, shape, func(int) float64 { return mean + r.NormFloat64() }).t
}

func integer(v float64) int64 { return int64(v) }

// ints is an input of integers in 0:n.
func (o *operands) ints(n int, shape ...int) *tensor.Tensor {
	r, v := o.rand(), make([]float64, tensor.Shape(shape).Size())
	for i := range v {
		v[i] = float64(r.IntN(n))
	}
	return hold(o, "index", false, v, shape, integer).t
}

// out is a destination, which holds NaN; channels-last if it has four axes.
func (o *operands) out(shape ...int) *tensor.Tensor {
	x := o.floats("out", len(shape) == 4, shape, nan)
	x.written = true
	return x.t
}

// flat is a row-major destination.
func (o *operands) flat(shape ...int) *tensor.Tensor {
	x := o.floats("out", false, shape, nan)
	x.written = true
	return x.t
}

// places is a destination of integers; channels-last.
func (o *operands) places(shape ...int) *tensor.Tensor {
	v := make([]float64, tensor.Shape(shape).Size())
	for i := range v {
		v[i] = -1
	}
	x := hold(o, "arg", true, v, shape, integer)
	x.written = true
	return x.t
}

// state is a row-major tensor, normally distributed, that the call changes.
func (o *operands) state(shape ...int) *tensor.Tensor {
	r := o.rand()
	x := o.floats("state", false, shape, func(int) float64 { return r.NormFloat64() })
	x.written = true
	return x.t
}

// acc is an accumulator; channels-last if it has four axes.
func (o *operands) acc(shape ...int) kernels.Acc { return o.accAs(len(shape) == 4, shape) }

// flatAcc is a row-major accumulator.
func (o *operands) flatAcc(shape ...int) kernels.Acc { return o.accAs(false, shape) }

func (o *operands) accAs(images bool, shape []int) kernels.Acc {
	r := o.rand()
	x := o.floats("grad", images, shape, func(int) float64 {
		if o.fresh {
			return math.NaN()
		}
		return r.NormFloat64()
	})
	x.adds = true
	a := kernels.Acc{T: x.t, Fresh: o.fresh}
	if o.unwanted>>len(o.accs)&1 == 1 {
		a = kernels.Acc{}
	}
	x.written = a.Wanted()
	o.accs = append(o.accs, a)
	return a
}

// snapshot remembers every operand as it is.
func (o *operands) snapshot() {
	for _, x := range o.held {
		if !x.written {
			x.before = bits(x.t)
		}
		if x.adds {
			x.old = tensor.Values(x.t)
		}
	}
}

// damage says which memory changed that should not have.
func (o *operands) damage() string {
	for _, x := range o.held {
		if !x.margins() {
			return fmt.Sprintf("wrote outside %s %v", x.name, x.t.Shape())
		}
		if !x.written && !bytes.Equal(x.before, bits(x.t)) {
			return fmt.Sprintf("changed its input %s %v", x.name, x.t.Shape())
		}
	}
	return ""
}

// bits is the memory of the results.
func (o *operands) bits() string {
	var all []byte
	for _, x := range o.held {
		if x.written {
			all = append(all, bits(x.t)...)
		}
	}
	return string(all)
}
