package main

import (
	"fmt"
	"slices"
	"strings"

	"phase/autograd"
	"phase/kernels"
	"phase/tensor"
)

// A convolved is one convolution in a call: y = x ⋆ w. In a branch y and x are
// tensors of their shapes, but not they themselves.
type convolved struct {
	kernels.Conv2D
	y, x, w *tensor.Tensor
	wantsX  bool // the gradient of x is computed, too
}

// convolutionsOf lists the convolutions in a call.
func convolutionsOf(c autograd.Call) (all []convolved) {
	var chain []kernels.Conv2D
	each := 3 // inputs of a unit: w, gamma, beta
	switch p := c.Param.(type) {
	case kernels.Conv2D:
		return []convolved{{p, c.Out, c.In[0], c.In[1], c.Wants[0]}}
	case autograd.BranchParam:
		chain = p.Convs
	case kernels.Branch:
		chain, each = p.Convs, 5 // and the constant mean and variance
	}
	x, at := c.In[0], len(c.In)-each*len(chain) // behind x and the shortcut
	for i, p := range chain {
		w := c.In[at+i*each]
		y := c.Out
		if i < len(chain)-1 {
			y = tensor.NewImages(x.Device(), x.DType(), x.Dim(0), w.Dim(0), p.Out(x.Dim(2), w.Dim(2)), p.Out(x.Dim(3), w.Dim(3)))
		}
		all = append(all, convolved{p, y, x, w, i > 0 || c.Wants[0]})
		x = y
	}
	return all
}

// callKey tells apart calls that are not counted together.
func callKey(c autograd.Call) string {
	var b strings.Builder
	fmt.Fprint(&b, c.Op, c.Part, c.Out.Shape())
	for i, t := range c.In {
		fmt.Fprint(&b, t.Shape(), c.Wants[i])
	}
	switch p := c.Param.(type) {
	case kernels.Conv2D:
		fmt.Fprint(&b, p)
	case autograd.BranchParam:
		fmt.Fprint(&b, p.Branch, p.Blocks)
	case kernels.Branch:
		fmt.Fprint(&b, p)
	}
	return b.String()
}

// callShape is short for the shapes of a call.
func callShape(c autograd.Call) string {
	if all := convolutionsOf(c); all != nil {
		var blocks []string
		n := len(all) / blocksOf(c)
		for list := range slices.Chunk(all, n) {
			names := make([]string, n)
			for i, v := range list {
				names[i] = filterName(v.Conv2D, v.w)
			}
			blocks = append(blocks, strings.Join(names, " -> "))
		}
		return fmt.Sprintf("%d@%d", all[0].x.Dim(1), all[0].x.Dim(2)) + repeats(blocks)
	}
	if c.In[0].Shape().Equal(c.Out.Shape()) {
		return c.Out.Shape().String()
	}
	return c.In[0].Shape().String() + " -> " + c.Out.Shape().String()
}

// blocksOf is the number of residual blocks that share the convolutions of a call.
func blocksOf(c autograd.Call) int {
	if p, ok := c.Param.(autograd.BranchParam); ok {
		return max(1, p.Blocks)
	}
	return 1
}

// repeats is an arrow and each of names, those that are alike once with their
// number: " -> a -> 4 x (b)".
func repeats(names []string) (s string) {
	for len(names) > 0 {
		n := 1
		for n < len(names) && names[n] == names[0] {
			n++
		}
		if n == 1 {
			s += " -> " + names[0]
		} else {
			s += fmt.Sprintf(" -> %d x (%s)", n, names[0])
		}
		names = names[n:]
	}
	return s
}

// callFlops is the multiplications and additions of a call: those of
// convolutions and matrix products.
func callFlops(c autograd.Call) float64 {
	sum := 0.
	for _, v := range convolutionsOf(c) {
		sum += convFlops(v.y, v.w)
		if c.Part == autograd.Backward && v.wantsX { // of a branch, both gradients
			sum += convFlops(v.y, v.w)
		}
	}
	if c.Op == "linear" || c.Op == "matmul" {
		sum = 2 * float64(c.Out.Size()) * float64(c.In[0].Dim(1))
		if c.Part == autograd.Backward && c.Wants[0] && c.Wants[1] {
			sum *= 2
		}
	}
	return sum
}

// callBytes is what a call has to read and to write, each tensor once. A
// derivative reads the inputs and the output's gradient, and writes the gradients
// that are wanted, a part of it one of them. What lies between residual blocks
// counts too, and its gradient.
func callBytes(c autograd.Call) float64 {
	size := func(t *tensor.Tensor) float64 { return float64(t.Size() * t.DType().Size()) }
	sum := size(c.Out)
	between := size(c.Out) * float64(blocksOf(c)-1)
	if c.Part == autograd.Backward {
		between *= 2
	}
	sum += between
	for i, t := range c.In {
		sum += size(t)
		if c.Part == autograd.Backward && c.Wants[i] {
			sum += size(t)
		}
	}
	return sum
}

// The parts of which conv2d's derivative tells.
const (
	inputGradient  = "input gradient"
	weightGradient = "weight gradient"
)

// callKernel names the kernels of a call's convolutions, where the backend tells.
func callKernel(c autograd.Call) string {
	k := kernels.For(c.Out)
	names := func(s kernels.Side) string {
		var all []string
		for _, v := range convolutionsOf(c) {
			if s == kernels.SideX && !v.wantsX {
				continue
			}
			if name := describeConv(k, s, v.Conv2D, v.y, v.x, v.w); name != "" && !slices.Contains(all, name) {
				all = append(all, name)
			}
		}
		return strings.Join(all, "; ")
	}
	switch c.Part {
	case autograd.Forward:
		return names(kernels.SideY)
	case inputGradient:
		return names(kernels.SideX)
	case weightGradient:
		return names(kernels.SideW)
	}
	if convolutionsOf(c) == nil {
		return ""
	}
	if x := names(kernels.SideX); x != "" {
		return "x: " + x + " | w: " + names(kernels.SideW)
	}
	return "w: " + names(kernels.SideW)
}
