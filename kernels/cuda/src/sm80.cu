// The products on tensor cores, for GPUs from Ampere on. Everything else is in
// sm70.cu. Filters are single precision, whatever the images are: only a weight
// gradient of bfloat16 images has two factors of bfloat16.
#include "core.h"

// The letters say how a and b are taken: as they are, or transposed.
#define MAKE(size, ...) \
	MAKE_GEMM(gemm_core_nn_##size##_f32, float, true, false, Core<TF32, __VA_ARGS__, true, false>) \
	MAKE_GEMM(gemm_core_nt_##size##_f32, float, true, true, Core<TF32, __VA_ARGS__, true, true>) \
	MAKE_GEMM(gemm_core_tn_##size##_f32, float, false, false, Core<TF32, __VA_ARGS__, false, false>) \
	MAKE_GEMM(gemm_core_tt_##size##_f32, float, false, true, Core<TF32, __VA_ARGS__, false, true>)
MAKE(128x64, 128, 64, 4, 2)
MAKE(64x32, 64, 32, 2, 2)
#undef MAKE

#define MAKE(S, form, Rounded) \
	MAKE_CONV(conv_core_128x64_##form, S, Core<TF32, 128, 64, 4, 2, true, false>) \
	MAKE_CONV(conv_core_128x32_##form, S, Core<TF32, 128, 32, 4, 2, true, false>) \
	MAKE_CONV(conv_core_128x16_##form, S, Core<TF32, 128, 16, 8, 1, true, false>) \
	MAKE_CONV_WEIGHTS(conv_weights_core_64x64_##form, S, Core<Rounded, 64, 64, 2, 2, false, false>) \
	MAKE_CONV_WEIGHTS(conv_weights_core_64x32_##form, S, Core<Rounded, 64, 32, 2, 2, false, false>) \
	MAKE_CONV_WEIGHTS(conv_weights_core_64x16_##form, S, Core<Rounded, 64, 16, 4, 1, false, false>)
MAKE(float, f32, TF32)
MAKE(bf16, bf16, Half)
#undef MAKE
