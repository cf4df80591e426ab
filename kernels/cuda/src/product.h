// The products on a GPU's ordinary units, in the arithmetic of what is computed.
#pragma once
#include "conv.h"
#include "gemm.h"

MAKE_GEMM(gemm_128x64_f32, float, a_term == 1, b_term == 1, Tile<float, 128, 64, 8, 8>)
MAKE_GEMM(gemm_64x32_f32, float, a_term == 1, b_term == 1, Tile<float, 64, 32, 4, 4>)
MAKE_GEMM(gemm_64x32_f64, double, a_term == 1, b_term == 1, Tile<double, 64, 32, 4, 4>)

MAKE_CONV(conv_128x64_f32, float, Tile<float, 128, 64, 8, 8>)
MAKE_CONV(conv_128x32_f32, float, Tile<float, 128, 32, 8, 4>)
MAKE_CONV(conv_128x16_f32, float, Tile<float, 128, 16, 8, 2>)
MAKE_CONV(conv_128x64_bf16, bf16, Tile<float, 128, 64, 8, 8>)
MAKE_CONV(conv_128x32_bf16, bf16, Tile<float, 128, 32, 8, 4>)
MAKE_CONV(conv_128x16_bf16, bf16, Tile<float, 128, 16, 8, 2>)
MAKE_CONV(conv_64x32_f64, double, Tile<double, 64, 32, 4, 4>)

MAKE_CONV_WEIGHTS(conv_weights_64x64_f32, float, Tile<float, 64, 64, 8, 4>)
MAKE_CONV_WEIGHTS(conv_weights_64x32_f32, float, Tile<float, 64, 32, 4, 4>)
MAKE_CONV_WEIGHTS(conv_weights_64x16_f32, float, Tile<float, 64, 16, 4, 2>)
MAKE_CONV_WEIGHTS(conv_weights_64x64_bf16, bf16, Tile<float, 64, 64, 8, 4>)
MAKE_CONV_WEIGHTS(conv_weights_64x32_bf16, bf16, Tile<float, 64, 32, 4, 4>)
MAKE_CONV_WEIGHTS(conv_weights_64x16_bf16, bf16, Tile<float, 64, 16, 4, 2>)
MAKE_CONV_WEIGHTS(conv_weights_64x32_f64, double, Tile<double, 64, 32, 4, 4>)
