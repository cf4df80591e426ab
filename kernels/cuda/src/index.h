// Rows picked by number.
#pragma once
#include "phase.h"

// y[i] = x[index[i]], rows of width numbers.
#define MAKE(T, form) \
	KERNEL gather_##form(T *y, const T *x, const label *index, uint width, uint count) { \
		uint i = place(); \
		if (i >= count) return; \
		uint row = i / width; \
		y[i] = x[(uint)index[row] * width + i - row * width]; \
	}
FLOATS(MAKE)
#undef MAKE

// dx[r] += Σ dy[i] over the picks of row r, in order.
#define MAKE(T, form) \
	KERNEL gather_grad_##form(T *dx, int fresh, const label *index, const T *dy, uint width, uint picks, uint count) { \
		uint i = place(); \
		if (i >= count) return; \
		uint row = i / width, column = i - row * width; \
		T v = 0; \
		for (uint k = 0; k < picks; k++) \
			if (index[k] == row) v += dy[k * width + column]; \
		give(dx + i, v, fresh); \
	}
FLOATS(MAKE)
#undef MAKE

// y[i,j] = 1 where j = label[i], else 0.
#define MAKE(T, form) \
	KERNEL one_hot_##form(T *y, const label *at, uint width, uint count) { \
		uint i = place(); \
		if (i < count) y[i] = at[i / width] == i % width; \
	}
FLOATS(MAKE)
#undef MAKE
