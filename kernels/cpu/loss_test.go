package cpu

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"phase/kernels"
	"phase/kernels/ref"
	"phase/tensor"
)

// TestSureRows: where a model is sure its loss and slopes are tiny, and right to
// some digits of their own all the same.
func TestSureRows(t *testing.T) {
	var x []float32
	var y []int64
	for _, lead := range []float32{5, 20, 50, 57, 58, 60, 80, 86} {
		x, y = append(x, 0, lead, 1, -1, .5), append(y, 1)
	}
	n := len(y)
	logits, label, weight := tensor.Of(x, n, 5), tensor.Of(y, n), tensor.New(tensor.CPU, tensor.F32, n)
	for i := range tensor.Data[float32](weight) {
		tensor.Data[float32](weight)[i] = 1 + float32(i)
	}
	run := func(k kernels.Backend, p kernels.SoftmaxLoss) []float64 {
		loss, slope := tensor.New(tensor.CPU, tensor.F32, n), tensor.Like(logits)
		k.SoftmaxLoss(p, loss, slope, logits, label, weight)
		return append(tensor.Values(loss), tensor.Values(slope)...)
	}
	for _, p := range []kernels.SoftmaxLoss{{}, {GammaPos: .3}, {GammaPos: .2, Detach: true}} {
		want := run(ref.Backend{}, p)
		each(t, func(t *testing.T, b *Backend) {
			for i, v := range run(b, p) {
				if w := want[i]; math.Abs(w) > 1e-36 && !(math.Abs(v/w-1) < 2e-5) {
					t.Errorf("%+v: number %d is %g, want %g", p, i, v, w)
				}
			}
		})
	}
}

// BenchmarkSoftmaxLoss times DAW with its gradient beside copying the logits,
// which reads and writes as much as the loss has to.
func BenchmarkSoftmaxLoss(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	for _, s := range [][2]int{{128, 10}, {128, 100}, {1024, 1000}} {
		n, k := s[0], s[1]
		x := fill(r, tensor.New(tensor.CPU, tensor.F32, n, k))
		slope, dx := tensor.Like(x), tensor.Like(x)
		loss, weight, dloss := vector(r, n, 0), vector(r, n, 2), vector(r, n, 1)
		label := tensor.New(tensor.CPU, tensor.I64, n)
		for i := range tensor.Data[int64](label) {
			tensor.Data[int64](label)[i] = int64(r.IntN(k))
		}
		name := fmt.Sprintf("%dx%d", n, k)
		b.Run(name+"/copy", func(b *testing.B) {
			for b.Loop() {
				spread(x.Size(), func(lo, hi int) { copy(part(dx, lo, hi), part(x, lo, hi)) })
			}
		})
		for _, p := range []kernels.SoftmaxLoss{{}, {GammaPos: 1, GammaNeg: 4, Smooth: .1}, {GammaPos: 1.5, GammaNeg: 2.5, Smooth: .1}} {
			b.Run(fmt.Sprintf("%s/%v,%v,%v", name, p.GammaPos, p.GammaNeg, p.Smooth), func(b *testing.B) {
				benchEach(b, func(b *testing.B, k *Backend) {
					for b.Loop() {
						k.SoftmaxLoss(p, loss, slope, x, label, weight)
						k.SoftmaxLossGrad(kernels.Acc{T: dx, Fresh: true}, slope, dloss)
					}
				})
			})
		}
	}
}
