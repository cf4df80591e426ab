package phase

import (
	"testing"

	"phase/kernels"
	"phase/kernels/ref"
	"phase/tensor"
)

// lossOf is the loss of one row of logits.
func lossOf(p kernels.SoftmaxLoss, label int64, logits ...float64) float64 {
	n := len(logits)
	x, loss, logp := tensor.Of(logits, 1, n), tensor.Of([]float64{0}, 1), tensor.New(tensor.CPU, tensor.F64, 1, n)
	ref.Backend{}.SoftmaxLoss(p, loss, logp, x, tensor.Of([]int64{label}, 1), tensor.Of([]float64{1}, 1))
	return tensor.Values(loss)[0]
}

// Each setting on the logits of the worked example, made with PyTorch.
func TestLossSettings(t *testing.T) {
	want := map[string]float64{
		"ce": 1.8423495824, "label-smoothing": 1.8548495824, "focal": 1.5504390380, "daw": 1.4363373796, "asl-reference": 1.7063546332,
	}
	for name, v := range want {
		k, err := Losses.Find(name)
		if err != nil {
			t.Fatal(err)
		}
		near(t, name, []float64{lossOf(k.Of.(Softmax).Softmax(), 2, 2, -1, .5, 0)}, []float64{v}, 5.1e-11)
	}
	_, err := Losses.Find("dwa")
	wantError(t, err, `"dwa"`, "daw", "asl-reference")
}

// Eq 4 with one-hot labels: γ- does nothing.
func TestEq4IgnoresGammaNegWithoutSmoothing(t *testing.T) {
	with, without := kernels.SoftmaxLoss{GammaPos: 2, GammaNeg: 4}, kernels.SoftmaxLoss{GammaPos: 2}
	if a, b := lossOf(with, 0, 1, 2, 3), lossOf(without, 0, 1, 2, 3); a != b {
		t.Errorf("%v with γ-, %v without", a, b)
	}
}

// Eq 6's smoothing term is at its least where a wrong class has no
// probability; label smoothing's grows without bound there.
func TestEq6TurnsTheSignOfSmoothing(t *testing.T) {
	part := func(p kernels.SoftmaxLoss, low float64) float64 { // what smoothing adds when class 1 goes down
		hard := p
		hard.Smooth = 0
		return lossOf(p, 0, 3, low) - (1-p.Smooth/2)*lossOf(hard, 0, 3, low)
	}
	daw := kernels.SoftmaxLoss{GammaNeg: 4, Smooth: .1}
	if a, b := part(daw, 0), part(daw, -5); !(b < a) {
		t.Errorf("γ- 4: the term goes from %v to %v", a, b)
	}
	if a, b := part(kernels.SoftmaxLoss{Smooth: .1}, 0), part(kernels.SoftmaxLoss{Smooth: .1}, -5); !(b > a) {
		t.Errorf("γ- 0: the term goes from %v to %v", a, b)
	}
}

func TestForm(t *testing.T) {
	for name, want := range map[string]kernels.Form{"asl": kernels.ASL, "eq3": kernels.Eq3, "eq1": kernels.Eq1} {
		if f, err := Form(name); f != want || err != nil {
			t.Errorf("%s: %v, %v", name, f, err)
		}
	}
	_, err := Form("eq2")
	wantError(t, err, `"eq2"`, `"eq1"`)
}
