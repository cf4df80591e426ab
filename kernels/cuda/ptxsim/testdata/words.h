// The words of CUDA that the test kernels use, as clang knows them.
#pragma once

#define KERNEL extern "C" __attribute__((global)) void
#define DEVICE static inline __attribute__((device, always_inline))
#define SHARED __attribute__((shared))
#define CONSTANT __attribute__((constant))
#define VARIABLE __attribute__((device))

typedef unsigned int uint;
typedef unsigned short half;

DEVICE uint thread() { return __nvvm_read_ptx_sreg_tid_x(); }
DEVICE uint threads() { return __nvvm_read_ptx_sreg_ntid_x(); }
DEVICE uint block() { return __nvvm_read_ptx_sreg_ctaid_x(); }
DEVICE uint blocks() { return __nvvm_read_ptx_sreg_nctaid_x(); }
// clang 14 believes that its own __syncthreads leaves alone what a static shared
// variable holds, and moves loads of one across it; it knows nothing of this.
DEVICE void barrier() { asm volatile("bar.sync 0;" ::: "memory"); }
DEVICE uint shared_address(const void *p) {
	return (uint)(unsigned long)(__attribute__((address_space(3))) const void *)p;
}
