// What the kernels need of CUDA, in place of CUDA's own headers: the words that
// clang knows by attribute, where a thread is, and numbers in the forms in which
// they are kept.
//
// Every index fits in 32 bits: the host sees to it that no tensor has 2^31
// elements.
#pragma once
#ifdef __NVCC__
#include "nvcc.h"
#endif

#define KERNEL extern "C" __attribute__((global)) void
#define KERNEL_OF(threads) extern "C" __attribute__((global, launch_bounds(threads))) void
#define DEVICE static inline __attribute__((device, always_inline))
#define METHOD __attribute__((device, always_inline))
#define SHARED static __attribute__((shared))
#define RESTRICT __restrict__

typedef unsigned int uint;
typedef unsigned long long ulong; // 64 bits, as on every host
typedef long long label;          // an element of an I64 tensor

// Threads of a block, and blocks of the grid, along x unless it says otherwise.
DEVICE uint thread() { return __nvvm_read_ptx_sreg_tid_x(); }
DEVICE uint thread_y() { return __nvvm_read_ptx_sreg_tid_y(); }
DEVICE uint threads() { return __nvvm_read_ptx_sreg_ntid_x(); }
DEVICE uint threads_y() { return __nvvm_read_ptx_sreg_ntid_y(); }
DEVICE uint block() { return __nvvm_read_ptx_sreg_ctaid_x(); }
DEVICE uint block_y() { return __nvvm_read_ptx_sreg_ctaid_y(); }
DEVICE uint block_z() { return __nvvm_read_ptx_sreg_ctaid_z(); }

// place is the number of this thread in the whole grid.
DEVICE uint place() { return block() * threads() + thread(); }

// barrier waits for all threads of the block.
// clang 14 believes that its own __syncthreads leaves alone what a static shared
// variable holds, and may move loads of one across it; it knows nothing of this.
DEVICE void barrier() { asm volatile("bar.sync 0;" ::: "memory"); }

// across is v of the lane whose number differs in the bits of mask.
DEVICE int across(int v, int mask) { return __nvvm_shfl_sync_bfly_i32(-1, v, mask, 31); }
DEVICE double across(double v, int mask) {
	ulong b = __builtin_bit_cast(ulong, v);
	uint lo = across((int)(uint)b, mask), hi = across((int)(uint)(b >> 32), mask);
	return __builtin_bit_cast(double, (ulong)hi << 32 | lo);
}

// bf16 is the upper half of a float.
struct bf16 {
	unsigned short bits;
};

// Wide<S>::type is what numbers kept as S are computed in.
template <class S> struct Wide { typedef S type; };
template <> struct Wide<bf16> { typedef float type; };
template <class S> using wide = typename Wide<S>::type;

DEVICE float get(const float *p) { return *p; }
DEVICE double get(const double *p) { return *p; }
DEVICE float get(const bf16 *p) { return __builtin_bit_cast(float, (uint)p->bits << 16); }

// narrow rounds to the nearest bf16, ties to even; a NaN stays one.
DEVICE bf16 narrow(float v) {
	uint b = __builtin_bit_cast(uint, v);
	if (v != v) return bf16{(unsigned short)(b >> 16 | 0x40)};
	return bf16{(unsigned short)((b + 0x7fff + (b >> 16 & 1)) >> 16)};
}

DEVICE void put(float *p, float v) { *p = v; }
DEVICE void put(double *p, double v) { *p = v; }
DEVICE void put(bf16 *p, float v) { *p = narrow(v); }

// give is what a gradient kernel does with a contribution: p += v, or p = v
// where p is fresh and counts as zero.
template <class S> DEVICE void give(S *p, wide<S> v, int fresh) { put(p, fresh ? v : get(p) + v); }

DEVICE float root(float v) { return __nvvm_sqrt_rn_f(v); }
DEVICE double root(double v) { return __nvvm_sqrt_rn_d(v); }
DEVICE float fused(float a, float b, float c) { return __nvvm_fma_rn_f(a, b, c); }
DEVICE double fused(double a, double b, double c) { return __nvvm_fma_rn_d(a, b, c); }

template <class T> DEVICE T least(T a, T b) { return b < a ? b : a; }
template <class T> DEVICE T most(T a, T b) { return b > a ? b : a; }

// FLOATS and IMAGES make a kernel for each form of number that it takes.
#define FLOATS(make) make(float, f32) make(double, f64)
#define IMAGES(make) FLOATS(make) make(bf16, bf16)
