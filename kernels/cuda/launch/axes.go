package launch

import (
	"cmp"
	"slices"

	"phase/tensor"
)

// An axis is an extent, and the strides of some tensors along it.
type axis struct {
	n int
	s [4]int
}

// axesOf pairs the axes of a shape with the strides of tensors of that shape.
func axesOf(shape tensor.Shape, strides ...[]int) []axis {
	a := make([]axis, len(shape))
	for i, n := range shape {
		a[i].n = n
		for k, s := range strides {
			a[i].s[k] = s[i]
		}
	}
	return a
}

// sorted is the axes along the memory of tensor k, the longest stride first.
func sorted(a []axis, k int) []axis {
	a = slices.Clone(a)
	slices.SortStableFunc(a, func(x, y axis) int { return cmp.Compare(y.s[k], x.s[k]) })
	return a
}

// joined is as few axes as do: those of extent 1 go, and neighbours become one
// where every tensor steps through both evenly.
func joined(a []axis) []axis {
	var out []axis
	for _, inner := range a {
		if inner.n == 1 {
			continue
		}
		if len(out) > 0 {
			outer := &out[len(out)-1]
			even := true
			for k, s := range inner.s {
				even = even && outer.s[k] == s*inner.n
			}
			if even {
				outer.n *= inner.n
				outer.s = inner.s
				continue
			}
		}
		out = append(out, inner)
	}
	return out
}

// sizeOf is the number of elements along all axes.
func sizeOf(a []axis) int {
	n := 1
	for _, x := range a {
		n *= x.n
	}
	return n
}

// extents are the six extents that a kernel takes, as three arguments.
func extents(a []axis) []Arg {
	v := [tensor.MaxDims]int{1, 1, 1, 1, 1, 1}
	for i, x := range a {
		v[tensor.MaxDims-len(a)+i] = x.n
	}
	return six(v)
}

// strides are the six strides of tensor k.
func strides(a []axis, k int) []Arg {
	var v [tensor.MaxDims]int
	for i, x := range a {
		v[tensor.MaxDims-len(a)+i] = x.s[k]
	}
	return six(v)
}

// six packs two numbers into each argument, the first in the low half.
func six(v [tensor.MaxDims]int) []Arg {
	pair := func(i int) Arg { return Arg{Bits: uint64(uint32(v[i])) | uint64(uint32(v[i+1]))<<32} }
	return []Arg{pair(0), pair(2), pair(4)}
}
