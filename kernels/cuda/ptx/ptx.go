// Package ptx holds the CUDA kernels as clang compiled them from kernels/cuda/src:
// text that a GPU's driver turns into its own code, and that package ptxsim runs
// without one. kernels/cuda/build.sh writes it.
package ptx

import _ "embed"

// SM70 are the kernels for GPUs of compute capability 7.0 and above: all that
// package launch calls unless it is asked for tensor cores.
//
//go:embed phase_sm70.ptx
var SM70 string

// SM80 are the products of matrices and convolutions on tensor cores, for compute
// capability 8.0 and above.
//
//go:embed phase_sm80.ptx
var SM80 string
