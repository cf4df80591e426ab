package cpu

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	"phase/autograd"
	"phase/kernels"
	"phase/nn"
	"phase/optim"
	"phase/tensor"
)

// A stopwatch times calls of kernels, of a variant whose fields it has wrapped.
type stopwatch struct {
	calls []call // of one turn
	best  []call // the shortest of all turns: what others on the machine add is left out
}

// A call is one of a kernel, by its field.
type call struct {
	kernel string
	took   time.Duration
}

// wrap puts the stopwatch around every function in v.
func (s *stopwatch) wrap(v reflect.Value, name string) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Field(i)
			s.wrap(reflect.NewAt(f.Type(), unsafe.Pointer(f.UnsafeAddr())).Elem(), strings.TrimPrefix(name+"."+v.Type().Field(i).Name, "."))
		}
	case reflect.Slice:
		if v.IsNil() { // which means something
			return
		}
		own := reflect.MakeSlice(v.Type(), v.Len(), v.Len()) // the variant's stays as it is
		reflect.Copy(own, v)
		v.Set(own)
		for i := range v.Len() {
			s.wrap(v.Index(i), fmt.Sprintf("%s[%d]", name, i))
		}
	case reflect.Func:
		if v.IsNil() {
			return
		}
		kernel := reflect.ValueOf(v.Interface())
		v.Set(reflect.MakeFunc(v.Type(), func(args []reflect.Value) []reflect.Value {
			start := time.Now()
			out := kernel.Call(args)
			s.calls = append(s.calls, call{name, time.Since(start)})
			return out
		}))
	}
}

// turn ends a turn of the same calls in the same order.
func (s *stopwatch) turn() {
	if s.best == nil {
		s.best = slices.Clone(s.calls)
	}
	for i, c := range s.calls {
		s.best[i].took = min(s.best[i].took, c.took)
	}
	s.calls = s.calls[:0]
}

// longest is the longest call of each kernel, the longest first.
func (s *stopwatch) longest() []call {
	most := map[string]time.Duration{}
	for _, c := range s.best {
		most[c.kernel] = max(most[c.kernel], c.took)
	}
	all := []call{}
	for k, d := range maps.All(most) {
		all = append(all, call{k, d})
	}
	slices.SortFunc(all, func(a, b call) int { return cmp.Or(cmp.Compare(b.took, a.took), cmp.Compare(a.kernel, b.kernel)) })
	return all
}

// BenchmarkCalls finds the longest call of a kernel, on one processor, in training
// steps, large products and losses: the collector cannot stop a call of assembly, and
// none is to take more than 50 µs. Each call's time is the least of some turns'. It
// lists the five kernels that have the longest.
func BenchmarkCalls(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	step := func(model string, width, size, classes, batch int) func() {
		m, err := nn.New(model, nn.Config{Width: width, Classes: classes, Channels: 3, Size: size, Seed: 1})
		if err != nil {
			b.Fatal(err)
		}
		x, y := fill(r, tensor.NewImages(tensor.CPU, tensor.F32, batch, 3, size, size)), tensor.Of(make([]int64, batch), batch)
		opt := &optim.SGD{Params: optim.All(nn.Params(m)), Momentum: .9, Decay: 5e-4}
		tape := new(autograd.Tape)
		return func() {
			opt.Step(1e-3, func(int) *autograd.Var {
				tape.Reset()
				l := autograd.CrossEntropy(m.Forward(&nn.Pass{Train: true}, tape.Watch(x)), y)
				tape.Backward(l)
				return l
			})
		}
	}
	for _, w := range []struct {
		name string
		make func() func()
	}{
		{"resnet32-w16-b128", func() func() { return step("resnet32", 16, 32, 100, 128) }},
		{"resnet32-w64-b64", func() func() { return step("resnet32", 64, 32, 100, 64) }},
		{"resnet50-64-b32", func() func() { return step("resnet50", 0, 64, 1000, 32) }},
		{"gemm-2048", func() func() {
			x, z := fill(r, tensor.New(tensor.CPU, tensor.F32, 2048, 2048)), tensor.New(tensor.CPU, tensor.F32, 2048, 2048)
			return func() { kernels.For(x).Gemm(kernels.Gemm{}, z, x, x) }
		}},
		{"daw-1024x1000", func() func() {
			x, y := autograd.Param(fill(r, tensor.New(tensor.CPU, tensor.F32, 1024, 1000))), tensor.Of(make([]int64, 1024), 1024)
			tape := new(autograd.Tape)
			return func() {
				tape.Reset()
				tape.Backward(autograd.Mean(autograd.SoftmaxLoss(tape.Use(x), y, tensor.Of(slices.Repeat([]float32{1}, 1024), 1024), kernels.SoftmaxLoss{GammaPos: 1, GammaNeg: 4, Smooth: .1})))
			}
		}},
	} {
		b.Run(w.name, func(b *testing.B) {
			benchEach(b, func(b *testing.B, k *Backend) {
				defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
				defer kernels.Register(kernels.Registered(tensor.CPU))
				if k.name == portable.name {
					b.Skip("Go can be stopped anywhere")
				}
				timed, s := Backend{variant: k.variant}, stopwatch{}
				s.wrap(reflect.ValueOf(&timed.variant).Elem(), "")
				kernels.Register(&timed)
				work := w.make()
				for range 2 { // warm
					work()
				}
				s.calls = nil
				for range 5 {
					work()
					s.turn()
				}
				all := s.longest()
				b.ReportMetric(float64(all[0].took.Nanoseconds())/1e3, "µs-longest-call")
				b.ReportMetric(0, "ns/op")
				for _, c := range all[:min(5, len(all))] {
					b.Logf("%-30s %v", c.kernel, c.took)
				}
			})
		})
	}
}
