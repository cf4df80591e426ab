// Sums. Each is cut into slices by its size alone, the threads of a block add up
// a slice in a fixed order, and a second kernel adds the slices in theirs: the
// same bits on every GPU, and every time.
#pragma once
#include "strided.h"

#define BLOCK 256 // threads of the blocks here, at most

// folded is, in the threads of row 0, the sum of v over their column of threads,
// whose number is a power of two. room is shared memory for the block.
template <class T> DEVICE T folded(T *room, T v) {
	uint at = thread_y() * threads() + thread();
	barrier(); // the last use of room is over
	room[at] = v;
	for (uint half = threads_y() / 2; half > 0; half /= 2) {
		barrier();
		if (thread_y() < half) room[at] = v += room[at + half * threads()];
	}
	return v;
}

// out[o] += Σ_r partial(x, y)·dz / terms, a column of threads an element: x, y and
// dz are read at element o of extents kn, moved on to element r of extents rn. A
// plain sum is that of ADD's partial derivative, which is 1. Where an element has
// several slices, their sums go to part [slice][o] instead.
template <class S>
DEVICE void sum(S *out, int fresh, wide<S> *part, const S *x, const S *y, const S *dz, int f, int arg, double terms,
                uint outs, uint reduced, uint each, const Six &kn, const Six (&ks)[4], const Six &rn, const Six (&rs)[3]) {
	SHARED wide<S> room[BLOCK];
	uint o = block() * threads() + thread(), lo = block_y() * each, hi = least(lo + each, reduced);
	int k[] = {0, 0, 0, 0};
	wide<S> v = 0;
	if (o < outs) {
		spread(o, kn, ks, k);
		for (uint r = lo + thread_y(); r < hi; r += threads_y()) {
			int i[] = {k[1], k[2], k[3]};
			spread(r, rn, rs, i);
			v += partial(f, arg, x + i[0], y + i[1], get(dz + i[2]));
		}
	}
	v = folded(room, v);
	if (thread_y() != 0 || o >= outs) return;
	if (part) part[block_y() * outs + o] = v;
	else give(out + k[0], wide<S>(v / wide<S>(terms)), fresh);
}

#define MAKE(S, form) \
	KERNEL_OF(BLOCK) sum_##form(S *out, int fresh, wide<S> *part, const S *x, const S *y, const S *dz, int f, int arg, double terms, \
	                            uint outs, uint reduced, uint each, SIX(kn), SIX(ko), SIX(kx), SIX(ky), SIX(kz), SIX(rn), SIX(rx), SIX(ry), SIX(rz)) { \
		sum(out, fresh, part, x, y, dz, f, arg, terms, outs, reduced, each, OF(kn), {OF(ko), OF(kx), OF(ky), OF(kz)}, OF(rn), {OF(rx), OF(ry), OF(rz)}); \
	}
IMAGES(MAKE)
#undef MAKE

// out[o] += Σ_slice part[slice][o] / terms, for out of any strides.
#define MAKE(S, form) \
	KERNEL sum_slices_##form(S *out, int fresh, const wide<S> *part, uint slices, double terms, uint outs, SIX(n), SIX(s)) { \
		uint o = place(); \
		if (o >= outs) return; \
		wide<S> v = 0; \
		for (uint k = 0; k < slices; k++) v += part[k * outs + o]; \
		int at[] = {0}; \
		spread(o, OF(n), {OF(s)}, at); \
		give(out + at[0], wide<S>(v / wide<S>(terms)), fresh); \
	}
IMAGES(MAKE)
#undef MAKE

// part[b] = Σ x² over block b's slice of each numbers.
#define MAKE(T, form) \
	KERNEL_OF(BLOCK) squares_##form(double *part, const T *x, uint n, uint each) { \
		SHARED double room[BLOCK]; \
		uint lo = block() * each, hi = least(lo + each, n); \
		double v = 0; \
		for (uint i = lo + thread_y(); i < hi; i += threads_y()) v = fused(double(x[i]), double(x[i]), v); \
		v = folded(room, v); \
		if (thread_y() == 0) part[block()] = v; \
	}
FLOATS(MAKE)
#undef MAKE
