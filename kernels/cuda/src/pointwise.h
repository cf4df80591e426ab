// Elementwise kernels on n numbers that lie alike: one thread a number.
#pragma once
#include "math.h"

// The functions of one number, as kernels.Fn counts them.
enum { RELU, EXP, LOG, TANH, SIGMOID, GELU, SQRT, RSQRT, SQUARE, ABS };

template <class T> DEVICE T mapped(int f, T x) {
	switch (f) {
	case RELU: return x < 0 ? T(0) : x; // a NaN stays one
	case EXP: return exponential(x);
	case LOG: return logarithm(x);
	case TANH: return hyperbolic_tangent(x);
	case SIGMOID: return sigmoid(x);
	case GELU: return x * normal_below(x);
	case SQRT: return root(x);
	case RSQRT: return 1 / root(x);
	case SQUARE: return x * x;
	}
	return x < 0 ? -x : x == 0 ? T(0) : x;
}

// slope is f'(x)·dy, y being f(x).
template <class T> DEVICE T slope(int f, T x, T y, T dy) {
	switch (f) {
	case RELU: return y > 0 ? dy : T(0); // not even an infinity passes
	case EXP: return y * dy;
	case LOG: return dy / x;
	case TANH: return (1 - y * y) * dy;
	case SIGMOID: return y * (1 - y) * dy;
	case GELU: return T(normal_below(x) + x * normal_density(x)) * dy;
	case SQRT: return 1 / (2 * y) * dy;
	case RSQRT: return -y * y * y / 2 * dy;
	case SQUARE: return 2 * x * dy;
	}
	return (x > 0 ? T(1) : x < 0 ? T(-1) : x) * dy;
}

// y = f(x)
#define MAKE(T, form) \
	KERNEL map_##form(T *y, const T *x, int f, uint n) { \
		uint i = place(); \
		if (i < n) y[i] = mapped(f, x[i]); \
	}
FLOATS(MAKE)
#undef MAKE

// dx += f'(x)·dy
#define MAKE(T, form) \
	KERNEL map_grad_##form(T *dx, int fresh, const T *x, const T *y, const T *dy, int f, uint n) { \
		uint i = place(); \
		if (i < n) give(dx + i, slope(f, x[i], y[i], dy[i]), fresh); \
	}
FLOATS(MAKE)
#undef MAKE

// y = mul·x + add
#define MAKE(T, form) \
	KERNEL affine_##form(T *y, const T *x, double mul, double add, uint n) { \
		uint i = place(); \
		if (i < n) y[i] = fused(T(mul), x[i], T(add)); \
	}
FLOATS(MAKE)
#undef MAKE

// y += a·x
#define MAKE(T, form) \
	KERNEL axpy_##form(T *y, int fresh, const T *x, double a, uint n) { \
		uint i = place(); \
		if (i < n) give(y + i, T(a) * x[i], fresh); \
	}
FLOATS(MAKE)
#undef MAKE

// keeps says whether dropout leaves element i alone: SplitMix64's finaliser over
// seed and i, as kernels.Dropout.Keep has it.
DEVICE bool keeps(ulong seed, uint i, double rate) {
	ulong z = seed + ((ulong)i + 1) * 0x9e3779b97f4a7c15;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	z ^= z >> 31;
	return (double)(z >> 11) * 0x1p-53 >= rate;
}

// y = x/(1-rate) where it is kept, else 0; y += that for a gradient, which goes
// the same way.
#define MAKE(T, form) \
	KERNEL dropout_##form(T *y, int fresh, const T *x, double rate, ulong seed, uint n) { \
		uint i = place(); \
		if (i < n) give(y + i, keeps(seed, i, rate) ? x[i] / T(1 - rate) : T(0), fresh); \
	}
FLOATS(MAKE)
#undef MAKE

// y = x rounded to y's form; y += x for a gradient. What either side keeps in 64
// bits is added up in 64 bits.
template <class A, class B> struct Wider { typedef float type; };
template <class A> struct Wider<A, double> { typedef double type; };
template <class B> struct Wider<double, B> { typedef double type; };
template <> struct Wider<double, double> { typedef double type; };

template <class To, class From> DEVICE void cast(To *y, int fresh, const From *x, uint n) {
	uint i = place();
	if (i >= n) return;
	typename Wider<To, From>::type v = get(x + i);
	if (!fresh) v += get(y + i);
	put(y + i, v);
}

#define MAKE(From, from, To, to) \
	KERNEL cast_##from##_##to(To *y, int fresh, const From *x, uint n) { cast(y, fresh, x, n); }
#define MAKE_FROM(From, from) MAKE(From, from, float, f32) MAKE(From, from, double, f64) MAKE(From, from, bf16, bf16)
IMAGES(MAKE_FROM)
#undef MAKE
#undef MAKE_FROM
