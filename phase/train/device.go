package train

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"phase/autograd"
	"phase/nn"
	"phase/phase/data"
	"phase/tensor"
)

// caught is what went wrong on a device while f ran, or nil.
func caught(f func()) (failed *tensor.DeviceError) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case *tensor.DeviceError:
			failed = r
		default:
			panic(r)
		}
	}()
	f()
	return nil
}

// onHost does f while a module lies on the host.
func onHost(dev tensor.Device, m any, f func()) {
	if dev == tensor.CPU {
		f()
		return
	}
	nn.To(m, tensor.CPU)
	f()
	nn.To(m, dev)
}

// explain says what became of a run whose device failed, and if it had not enough
// memory what would fit: that is tried.
func (r *run) explain(failed *tensor.DeviceError) error {
	kept := fmt.Sprintf("nothing is saved in %s yet", r.dir.path)
	if _, err := os.Stat(r.dir.file(CheckpointFile)); err == nil {
		kept = fmt.Sprintf("the last checkpoint, after epoch %d, is in %s", r.saved, r.dir.path)
	}
	if short := (*tensor.OutOfMemory)(nil); !errors.As(failed, &short) || r.under == nil {
		return fmt.Errorf("%w; %s", failed, kept)
	}
	if n := r.fitting(); n > 0 {
		return fmt.Errorf("%w; --batch %d fits, tried just now; %s", failed, n, kept)
	}
	return fmt.Errorf("%w; not even a smaller --batch fits; %s", failed, kept)
}

// fitting is the largest of the halves, quarters and so on of the batch under way
// for which there is memory, 0 if there is none. The run is over: its parameters are
// not what they were.
func (r *run) fitting() int {
	whole := r.under
	for n := whole.Y.Size() / 2; n > 1; n /= 2 {
		r.tape, r.eval, r.under = autograd.Tape{}, autograd.Tape{}, whole.first(n)
		runtime.GC()
		if caught(func() { r.step(r.under, 0) }) == nil {
			return n
		}
	}
	return 0
}

// first is the step on the first n samples of its batches.
func (s *Step) first(n int) *Step {
	t := *s
	t.X, t.XAgain, t.OtherAgain = firstOf(s.X, n), firstOf(s.XAgain, n), firstOf(s.OtherAgain, n)
	t.Y, t.Weights = firstOf(s.Y, n), s.Weights[:n]
	if s.Other != nil {
		t.Other = &data.Batch{X: firstOf(s.Other.X, n), Y: firstOf(s.Other.Y, n), Index: s.Other.Index[:n]}
		t.OtherWeights = s.OtherWeights[:n]
	}
	return &t
}

// firstOf is the first n of t, on the host; nil of nil.
func firstOf(t *tensor.Tensor, n int) *tensor.Tensor {
	if t == nil {
		return nil
	}
	if t.Device() != tensor.CPU {
		t = t.To(tensor.CPU)
	}
	shape := append([]int{n}, t.Shape()[1:]...)
	if t.DType() == tensor.I64 {
		return tensor.Of(tensor.Data[int64](t)[:n], n)
	}
	x := tensor.Data[float32](t)[:tensor.Shape(shape).Size()]
	if len(shape) == 4 {
		return tensor.OfImages(x, shape[0], shape[1], shape[2], shape[3])
	}
	return tensor.Of(x, shape...)
}
