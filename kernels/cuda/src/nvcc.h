// clang's words for nvcc, which compiles the same sources so that two compilers can
// be held against each other (../nvcc.sh). Its PTX is not what the program runs.
#pragma once

// The host's headers, which nvcc includes by itself, have these for longs.
#define uint uint32
#define ulong uint64

template <class To, class From> static inline __device__ To with_bits_of(From v) {
	static_assert(sizeof(To) == sizeof(From), "all bits, and no others");
	To t;
	memcpy(&t, &v, sizeof t);
	return t;
}
#define __builtin_bit_cast(To, v) with_bits_of<To>(v)

#define __nvvm_read_ptx_sreg_tid_x() threadIdx.x
#define __nvvm_read_ptx_sreg_tid_y() threadIdx.y
#define __nvvm_read_ptx_sreg_ntid_x() blockDim.x
#define __nvvm_read_ptx_sreg_ntid_y() blockDim.y
#define __nvvm_read_ptx_sreg_ctaid_x() blockIdx.x
#define __nvvm_read_ptx_sreg_ctaid_y() blockIdx.y
#define __nvvm_read_ptx_sreg_ctaid_z() blockIdx.z
#define __nvvm_shfl_sync_bfly_i32(lanes, v, mask, last) __shfl_xor_sync((unsigned)(lanes), v, mask)
#define __nvvm_sqrt_rn_f __fsqrt_rn
#define __nvvm_sqrt_rn_d __dsqrt_rn
#define __nvvm_fma_rn_f __fmaf_rn
#define __nvvm_fma_rn_d __fma_rn
