// Pooling of channels-last images, a thread a number of the result.
#pragma once
#include "math.h"

// A Pixel is a number of images (n,h,w,c).
struct Pixel {
	int image, row, column, channel;
};
DEVICE Pixel pixel(uint i, int h, int w, int c) {
	uint p = i / c, r = p / w, n = r / h;
	return Pixel{(int)n, (int)(r - n * h), (int)(p - r * w), (int)(i - p * c)};
}

// A Range is first, ..., below last.
struct Range {
	int first, last;
};
// seen is what of a side of n pixels output place i looks at, and seeing which of
// the outputs look at pixel i.
DEVICE Range seen(int i, int n, int size, int stride, int pad) {
	int first = i * stride - pad;
	return Range{most(first, 0), least(first + size, n)};
}
DEVICE Range seeing(int i, int outputs, int size, int stride, int pad) {
	int before = i + pad - size; // the last place too far to the left of it
	return Range{before < 0 ? 0 : before / stride + 1, least((i + pad) / stride + 1, outputs)};
}

// x is (n,h,w,c), y (n,oh,ow,c). arg is where in its plane each maximum stands,
// the first of equals and the first NaN of all.
#define MAKE(T, form) \
	KERNEL max_pool_##form(T *y, label *arg, const T *x, int h, int w, int c, int oh, int ow, int size, int stride, int pad, uint count) { \
		uint i = place(); \
		if (i >= count) return; \
		Pixel at = pixel(i, oh, ow, c); \
		Range rows = seen(at.row, h, size, stride, pad), columns = seen(at.column, w, size, stride, pad); \
		T best = -infinity(); \
		int where = -1; \
		for (int r = rows.first; r < rows.last; r++) \
			for (int s = columns.first; s < columns.last; s++) { \
				T v = x[((at.image * h + r) * w + s) * c + at.channel]; \
				if (where < 0 || v > best || (v != v && best == best)) { \
					best = v; \
					where = r * w + s; \
				} \
			} \
		y[i] = best; \
		arg[i] = where; \
	}
FLOATS(MAKE)
#undef MAKE

// A pixel gathers dy of the outputs whose maximum it was.
#define MAKE(T, form) \
	KERNEL max_pool_grad_##form(T *dx, int fresh, const label *arg, const T *dy, int h, int w, int c, int oh, int ow, int size, int stride, int pad, uint count) { \
		uint i = place(); \
		if (i >= count) return; \
		Pixel at = pixel(i, h, w, c); \
		Range rows = seeing(at.row, oh, size, stride, pad), columns = seeing(at.column, ow, size, stride, pad); \
		T v = 0; \
		for (int r = rows.first; r < rows.last; r++) \
			for (int s = columns.first; s < columns.last; s++) { \
				int o = ((at.image * oh + r) * ow + s) * c + at.channel; \
				if (arg[o] == at.row * w + at.column) v += dy[o]; \
			} \
		give(dx + i, v, fresh); \
	}
FLOATS(MAKE)
#undef MAKE

// Padding counts as zeros.
#define MAKE(T, form) \
	KERNEL avg_pool_##form(T *y, const T *x, int h, int w, int c, int oh, int ow, int size, int stride, int pad, uint count) { \
		uint i = place(); \
		if (i >= count) return; \
		Pixel at = pixel(i, oh, ow, c); \
		Range rows = seen(at.row, h, size, stride, pad), columns = seen(at.column, w, size, stride, pad); \
		T v = 0; \
		for (int r = rows.first; r < rows.last; r++) \
			for (int s = columns.first; s < columns.last; s++) v += x[((at.image * h + r) * w + s) * c + at.channel]; \
		y[i] = v / (size * size); \
	}
FLOATS(MAKE)
#undef MAKE

#define MAKE(T, form) \
	KERNEL avg_pool_grad_##form(T *dx, int fresh, const T *dy, int h, int w, int c, int oh, int ow, int size, int stride, int pad, uint count) { \
		uint i = place(); \
		if (i >= count) return; \
		Pixel at = pixel(i, h, w, c); \
		Range rows = seeing(at.row, oh, size, stride, pad), columns = seeing(at.column, ow, size, stride, pad); \
		T v = 0; \
		for (int r = rows.first; r < rows.last; r++) \
			for (int s = columns.first; s < columns.last; s++) v += dy[((at.image * oh + r) * ow + s) * c + at.channel]; \
		give(dx + i, v / (size * size), fresh); \
	}
FLOATS(MAKE)
#undef MAKE
