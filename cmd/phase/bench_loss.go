package main

import (
	"fmt"
	"math/rand/v2"
	"runtime"

	"phase/kernels"
	"phase/phase"
	"phase/tensor"
)

// loss measures DAW and its gradient beside one read and one write of the logits.
func (b *bench) loss() error {
	sizes := [][2]int{{128, 100}, {1024, 1000}}
	if b.changed("batch") || b.changed("classes") {
		sizes = [][2]int{{b.batch, b.classes}}
	}
	r := rand.New(rand.NewPCG(1, 1))
	m := b.calibrate(tensor.CPU)
	var rows []timing
	for _, s := range sizes {
		n, classes := s[0], s[1]
		x := normal(r, n, classes)
		labels, weights, dloss := make([]int64, n), make([]float32, n), make([]float32, n)
		for i := range labels {
			labels[i], weights[i], dloss[i] = r.Int64N(int64(classes)), 1, 1/float32(n)
		}
		y, w, d := tensor.Of(labels, n), tensor.Of(weights, n), tensor.Of(dloss, n)
		loss, slope, dx := tensor.Like(w), tensor.Like(x), tensor.Like(x)
		k := kernels.For(x)
		bytes := 4 * float64(x.Size())
		src, dst := tensor.Data[float32](x), tensor.Data[float32](dx)
		for _, c := range []struct {
			what  string
			bytes float64
			f     func()
		}{
			{"daw", 2 * bytes, func() { k.SoftmaxLoss(phase.DAW, loss, slope, x, y, w) }},
			{"gradient", 2 * bytes, func() { k.SoftmaxLossGrad(kernels.Acc{T: dx, Fresh: true}, slope, d) }},
			{"daw and gradient", 4 * bytes, func() {
				k.SoftmaxLoss(phase.DAW, loss, slope, x, y, w)
				k.SoftmaxLossGrad(kernels.Acc{T: dx, Fresh: true}, slope, d)
			}},
			{"copy, one thread", 2 * bytes, func() { copy(dst, src) }},
			{"copy, all threads", 2 * bytes, func() {
				threads := runtime.GOMAXPROCS(0)
				each(threads, func(i int) { copy(dst[i*len(dst)/threads:(i+1)*len(dst)/threads], src[i*len(src)/threads:]) })
			}},
		} {
			t, err := b.measure(fmt.Sprintf("%dx%d %s", n, classes, c.what), c.f)
			if err != nil {
				return err
			}
			t.work = m.workIn(t.MedianMS, 0, c.bytes)
			rows = append(rows, t)
		}
	}
	return b.printTimings(m, rows)
}
