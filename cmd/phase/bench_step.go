package main

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"time"

	"phase/autograd"
	"phase/kernels"
	"phase/nn"
	"phase/optim"
	"phase/phase/train"
	"phase/tensor"
)

// A stepper takes steps of training, or of inference, on fixed random images.
type stepper struct {
	model           nn.Model
	pass            nn.Pass // what all passes have in common
	x               *tensor.Tensor
	labels, weights *tensor.Tensor
	tape            autograd.Tape
	opt             optim.Optimizer // nil for inference
	gradMS          float64         // of the last step, spent on the loss and its gradient
}

func (b *bench) newStepper(training bool) (*stepper, error) {
	m, err := nn.New(b.model, nn.Config{Width: b.width, Classes: b.classes, Channels: 3, Size: b.size, Seed: 1})
	if err != nil {
		return nil, usagef("--model: %v", err)
	}
	pass, err := train.Pass(b.model, b.precision)
	if err != nil {
		return nil, usagef("%v", err)
	}
	dev, err := device(b.device, b.precision)
	if err != nil {
		return nil, err
	}
	nn.To(m, dev)
	r := rand.New(rand.NewPCG(1, 1))
	y, w := make([]int64, b.batch), make([]float32, b.batch)
	for i := range y {
		y[i], w[i] = r.Int64N(int64(b.classes)), 1
	}
	s := &stepper{model: m, pass: pass, x: normal(r, b.batch, 3, b.size, b.size).To(dev), labels: tensor.Of(y, b.batch).To(dev), weights: tensor.Of(w, b.batch).To(dev)}
	s.tape.Eval = !training
	if !training {
		s.pass.Plans = new(nn.Plans) // the parameters stay as they are
	}
	if training {
		s.opt = &optim.SGD{Params: optim.All(nn.Params(m)), Momentum: .9, Decay: 5e-4}
		if b.sam > 0 {
			s.opt = &optim.SAM{Rho: b.sam, Base: s.opt}
		}
	}
	return s, nil
}

// step takes one.
func (s *stepper) step() {
	if s.opt == nil {
		s.tape.Reset()
		p := s.pass
		tensor.Fetch[float32](s.model.Forward(&p, s.tape.Watch(s.x)).Value) // which waits for it
		return
	}
	s.gradMS = 0
	s.opt.Step(.1, func(pass int) *autograd.Var {
		start := time.Now()
		defer func() { s.gradMS += since(start) }()
		s.tape.Reset()
		p := s.pass
		p.Train, p.Frozen = true, pass > 0
		l := autograd.Mean(autograd.SoftmaxLoss(s.model.Forward(&p, s.tape.Watch(s.x)), s.labels, s.weights, kernels.SoftmaxLoss{}))
		s.tape.Backward(l)
		return l
	})
}

// flops is the multiplications and additions of a step's convolutions and matrix
// products.
func (s *stepper) flops() float64 {
	sum := 0.
	s.tape.Trace = func(c autograd.Call) { sum += callFlops(c) }
	s.step()
	s.tape.Trace = nil
	return sum
}

// step measures steps of training or inference.
func (b *bench) step(training bool) error {
	s, err := b.newStepper(training)
	if err != nil {
		return err
	}
	what := "inference"
	if training {
		what = "training step"
	}
	t, err := b.measure(what, s.step)
	if err != nil {
		return err
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	s.step()
	runtime.ReadMemStats(&after)
	allocated := after.TotalAlloc - before.TotalAlloc
	m := b.calibrate(s.x.Device()) // only now: it takes memory of its own
	t.work = m.workIn(t.MedianMS, s.flops(), 0)
	rate := float64(b.batch) / t.MedianMS * 1e3
	var profile *stepProfile
	if b.verbose {
		if profile, err = b.profileOf(s, m); err != nil {
			return err
		}
	}
	if b.json {
		return b.printJSON(struct {
			Bench      string  `json:"bench"`
			Model      string  `json:"model"`
			Precision  string  `json:"precision"`
			Batch      int     `json:"batch"`
			Size       int     `json:"size"`
			Parameters int     `json:"parameters"`
			Backend    string  `json:"backend"`
			StepMS     float64 `json:"step_ms"`
			MinMS      float64 `json:"min_ms"`
			MaxMS      float64 `json:"max_ms"`
			Rate       float64 `json:"images_per_second"`
			GFLOPS     float64 `json:"gflops"`
			Share      float64 `json:"share_of_peak"`
			Allocated  uint64  `json:"allocated_bytes"`
			Heap       uint64  `json:"heap_bytes"`
			Process    uint64  `json:"process_bytes"` // all memory from the system
			Machine    machine `json:"machine"`
			*stepProfile
		}{what, b.model, b.precision, b.batch, b.size, nn.Size(s.model), m.Backend, t.MedianMS, t.MinMS, t.MaxMS, rate, t.GFLOPS, t.Share, allocated, after.HeapSys, after.Sys, m, profile})
	}
	share := "" // of a peak that is not known
	if t.Share > 0 {
		share = fmt.Sprintf(", %.0f%% of the peak", 100*t.Share)
	}
	fmt.Fprintf(b.out, "%v\n%s of %s in %s, batch %d of %dx%d: %.1f ms (%.1f to %.1f), %.1f images/s; %.0f GFLOP/s%s; a step allocates %d bytes\n",
		m, what, b.model, b.precision, b.batch, b.size, b.size, t.MedianMS, t.MinMS, t.MaxMS, rate, t.GFLOPS, share, allocated)
	if profile != nil {
		profile.print(b)
	}
	return nil
}
