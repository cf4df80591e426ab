// Package tensor says what data is: a dtype, a shape, strides and a block of
// memory on some device. It computes nothing.
//
// There are only a few types: DType, Shape, Device, Storage and Tensor.
//
// Shapes follow PyTorch: images are (n,c,h,w) whatever their memory looks
// like. Memory comes in two dense forms. Row-major is the usual one.
// Channels-last is how images and activations lie: the strides say (n,c,h,w),
// the bytes lie n, h, w, c, so that one pixel's channels are neighbours.
//
// Views (Reshape, Permute, Slice, Expand) share memory and never copy.
//
// Misuse (a shape that does not fit, the wrong dtype) is a programming mistake
// and panics with an *Error that says the numbers; Catch turns such a panic
// into an error. Files and devices return errors.
package tensor
