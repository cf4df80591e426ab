package phase

import (
	"fmt"
	"slices"

	"phase/kernels"
)

// DAW is difficulty-aware weighting, the loss of stage 1 (Eqs 1 to 7,
// Algorithm 1), as this project sets it: γ+ 1, γ- 4, ε 0.1. With p =
// softmax(z), label y, exponents γ+ and γ-, smoothing ε and C classes the
// paper writes
//
//	Eq 1  L = -(1/N) Σ_i [ w+_i log p_y + Σ_{j≠y} w-_ij log(1-p_j) ]
//	Eq 2  w+_i = (1-p_y)^γ+,  w-_ij = p_j^γ-
//	Eq 3  A_ij = (1-p_j)^(γ+ if j=y, else γ-)
//	Eq 4  L = -(1/N) Σ_i Σ_j A_ij t_ij log p_j,  t one-hot
//	Eq 5  t~_ij = 1-ε+ε/C if j=y, else ε/C
//	Eq 6  L = -(1/N) Σ_i Σ_j A_ij t~_ij log p_j
//
// and these do not agree with one another:
//
//   - Eq 4 is not Eq 1. With a one-hot t only j=y is left, so γ- does nothing
//     and L is the focal loss (cross-entropy if γ+ = 0). γ- acts through ε
//     alone.
//   - It acts with the opposite sign of label smoothing. Smoothing pulls every
//     wrong p_j up; -(ε/C) p_j^γ- log p_j falls with p_j as long as
//     p_j < e^(-1/γ-), 0.78 at γ- = 4, and so pushes it down.
//   - With γ+ = 0, the default of the asymmetric loss that DAW is built on,
//     A_y = 1: easy samples are not weighed down, against Eq 2 and the text.
//   - Eq 3 as printed has (1-p_j)^γ- for wrong classes, Eq 2 has p_j^γ-. The
//     base in ASLSingleLabel, the program of the asymmetric loss, is Eq 2's.
//
// The paper prints no values of γ+, γ- and ε. This project computes Eq 6 with
// Eq 2's A, the gradient flowing through it (kernels.ASL); kernels.Eq3 and
// kernels.Eq1 are the other readings. The values are ASL's multi-label
// exponents and ASLSingleLabel's smoothing, because the text asks for a
// positive weight that decays: a choice, not the paper's.
var DAW = kernels.SoftmaxLoss{GammaPos: 1, GammaNeg: 4, Smooth: 0.1}

// forms are the names of the readings, in kernels' order.
var forms = []string{kernels.ASL: "asl", kernels.Eq3: "eq3", kernels.Eq1: "eq1"}

// Form is the reading of DAW's equations with that name: asl, eq3 or eq1. An
// unknown name is an error that lists them.
func Form(name string) (kernels.Form, error) {
	at := slices.Index(forms, name)
	if at < 0 {
		return 0, fmt.Errorf("form %q, want one of %q", name, forms)
	}
	return kernels.Form(at), nil
}
