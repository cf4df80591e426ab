// Package kernels says how numbers are computed. A Backend is the whole seam
// between an op's meaning, which package autograd knows, and a machine.
//
// The laws of the seam:
//
//  1. A forward kernel writes its destination, a *tensor.Tensor. A gradient
//     kernel adds to its destination, an Acc. The type says which law holds:
//     it settles fan-out, parameter accumulation and SAM's second pass.
//  2. Parameter struct first, then destinations, then inputs. Kernels return
//     nothing, print nothing and do not check shapes: the caller has.
//  3. Kernels see packed memory. Images, the (n,c,h,w) activations, lie
//     channels-last; everything else is row-major, convolution weights
//     (o,c/groups,r,s) included. Elementwise kernels take any packed tensors
//     that lie the same way. Only Copy, Binary and BinaryGrad accept other
//     strides.
//  4. Results do not depend on GOMAXPROCS: work is cut into fixed blocks and
//     partial sums are added in block order.
//  5. Package ref accumulates in float64 and stays naive. It is what fast code
//     is tested against and what a learner reads.
//
// Float tensors of one call have one dtype, F32 or F64; labels, indices and
// the arguments of a maximum are I64. BF16 is a form to keep images in, not one
// to compute with: Copy, CopyGrad and Cast take it, and Branch, BranchGrad and
// BranchEval take images and their gradients in BF16 where the parameters and
// their gradients are F32. They compute in F32 and round each result once.
package kernels
