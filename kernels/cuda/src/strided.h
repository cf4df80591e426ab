// Kernels on tensors of any strides. Their axes, at most six, are sorted by the
// host along the memory of the result and joined where they can be, so that the
// common call has one or two.
#pragma once
#include "phase.h"

// Six numbers travel as three parameters of 64 bits, low half first: cu's Launch
// reads eight bytes of each and takes no structs.
struct Six {
	int v[6];
};
DEVICE Six six(ulong a, ulong b, ulong c) {
	return Six{{(int)a, (int)(a >> 32), (int)b, (int)(b >> 32), (int)c, (int)(c >> 32)}};
}
#define SIX(name) ulong name##01, ulong name##23, ulong name##45
#define OF(name) six(name##01, name##23, name##45)

// spread moves each place at[k] from element 0 to element i of extents n, by the
// strides s[k].
template <int N> DEVICE void spread(uint i, const Six &n, const Six (&s)[N], int (&at)[N]) {
#pragma unroll
	for (int d = 5; d >= 0; d--) {
		if (n.v[d] == 1) continue; // the same way for all threads
		uint next = i / (uint)n.v[d];
		int steps = (int)(i - next * (uint)n.v[d]);
#pragma unroll
		for (int k = 0; k < N; k++) at[k] += steps * s[k].v[d];
		i = next;
	}
}

// The functions of two numbers, as kernels.Fn2 counts them.
enum { ADD, SUB, MUL, DIV };

template <class T> DEVICE T joined(int f, T x, T y) {
	switch (f) {
	case ADD: return x + y;
	case SUB: return x - y;
	case MUL: return x * y;
	}
	return x / y;
}

// partial is ∂f/∂x (arg 0) or ∂f/∂y (arg 1), times dz. A sum's reads neither.
template <class S> DEVICE wide<S> partial(int f, int arg, const S *x, const S *y, wide<S> dz) {
	switch (f) {
	case SUB: return arg ? -dz : dz;
	case MUL: return get(arg ? x : y) * dz;
	case DIV: return arg ? -(get(x) / get(y)) / get(y) * dz : dz / get(y);
	}
	return dz;
}

// z = f(x, y); z is packed.
#define MAKE(T, form) \
	KERNEL binary_##form(T *z, const T *x, const T *y, int f, uint count, SIX(n), SIX(xs), SIX(ys)) { \
		uint i = place(); \
		if (i >= count) return; \
		int at[] = {0, 0}; \
		spread(i, OF(n), {OF(xs), OF(ys)}, at); \
		z[i] = joined(f, x[at[0]], y[at[1]]); \
	}
FLOATS(MAKE)
#undef MAKE

// to = from, bit for bit, in elements of 2, 4 or 8 bytes.
#define MAKE(T, form) \
	KERNEL copy_##form(T *to, const T *from, uint count, SIX(n), SIX(tos), SIX(froms)) { \
		uint i = place(); \
		if (i >= count) return; \
		int at[] = {0, 0}; \
		spread(i, OF(n), {OF(tos), OF(froms)}, at); \
		to[at[0]] = from[at[1]]; \
	}
MAKE(unsigned short, 2)
MAKE(uint, 4)
MAKE(ulong, 8)
#undef MAKE

// dx += dy/terms; dx is packed and dy repeats: the gradient of a sum, or a mean.
#define MAKE(T, form) \
	KERNEL share_##form(T *dx, int fresh, const T *dy, double terms, uint count, SIX(n), SIX(s)) { \
		uint i = place(); \
		if (i >= count) return; \
		int at[] = {0}; \
		spread(i, OF(n), {OF(s)}, at); \
		give(dx + i, dy[at[0]] / T(terms), fresh); \
	}
FLOATS(MAKE)
#undef MAKE
