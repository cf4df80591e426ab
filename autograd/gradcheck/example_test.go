package gradcheck_test

import (
	"fmt"

	"phase/autograd"
	"phase/autograd/gradcheck"
	"phase/tensor"
)

func ExampleCheck() {
	x := tensor.Of([]float64{1, -2, 3, -4}, 2, 2)
	swish := func(in ...*autograd.Var) *autograd.Var {
		return autograd.Mul(in[0], autograd.Sigmoid(in[0]))
	}
	fmt.Println(gradcheck.Check(swish, x))
	// Output: <nil>
}

func ExampleConfig_Check() {
	logits := tensor.Of([]float64{2, -1, .5, 0}, 1, 4)
	label := tensor.Of([]int64{2}, 1)
	r, err := gradcheck.Config{Seed: 1}.Check(func(in ...*autograd.Var) *autograd.Var {
		return autograd.CrossEntropy(in[0], label)
	}, logits)
	fmt.Println(r.Checked, r.Error < 1e-6, err)
	// Output: 4 true <nil>
}
