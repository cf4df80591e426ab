// Optimizers, a thread a parameter.
#pragma once
#include "reduce.h"

// What SGD is told, as kernels.SGD has it.
struct Descent {
	double rate, momentum, decay;
	int nesterov, first;
};

// g += decay·w; v = momentum·v + g, or g at first; w -= rate·v, with Nesterov
// rate·(g + momentum·v). v is null without momentum.
template <class T> DEVICE void descend(T *w, T *v, T g, const Descent &p) {
	g = fused(T(p.decay), *w, g);
	if (v) {
		T velocity = p.first ? g : fused(T(p.momentum), *v, g);
		*v = velocity;
		g = p.nesterov ? fused(T(p.momentum), velocity, g) : velocity;
	}
	*w = fused(T(-p.rate), g, *w);
}

#define MAKE(T, form) \
	KERNEL sgd_##form(T *w, T *v, const T *g, double rate, double momentum, double decay, int nesterov, int first, uint n) { \
		uint i = place(); \
		if (i < n) descend(w + i, v ? v + i : v, g[i], Descent{rate, momentum, decay, nesterov, first}); \
	}
FLOATS(MAKE)
#undef MAKE

// A Parameter is a line of a table of parameters in memory: their tensors, how many
// numbers they have, and the first block that works on them.
struct Parameter {
	ulong w, v, g, n, block;
};

// The line of a table of so many that block b works on: the last that begins at or
// before it.
DEVICE const Parameter &line(const Parameter *table, uint lines, uint b) {
	uint lo = 0;
	for (uint hi = lines; hi - lo > 1;) {
		uint middle = (lo + hi) / 2;
		if (table[middle].block <= b) lo = middle;
		else hi = middle;
	}
	return table[lo];
}

// The number of a parameter that this thread of block b works on, which may be beyond
// its end.
DEVICE ulong element(const Parameter &q, uint b) { return (b - q.block) * threads() + thread(); }

// sgd for a whole table, in one launch.
template <class T> DEVICE void sgd_table(const Parameter *table, uint lines, const Descent &p) {
	const Parameter &q = line(table, lines, block());
	ulong i = element(q, block());
	T *v = (T *)q.v;
	if (i < q.n) descend((T *)q.w + i, v ? v + i : v, ((const T *)q.g)[i], p);
}

// w = g for a whole table, in one launch.
#define MAKE(T, form) \
	KERNEL copy_table_##form(const Parameter *table, uint lines) { \
		const Parameter &q = line(table, lines, block()); \
		ulong i = element(q, block()); \
		if (i < q.n) ((T *)q.w)[i] = ((const T *)q.g)[i]; \
	}
FLOATS(MAKE)
#undef MAKE

// part[b] = Σ g² over the blocks of a table that block b takes, which are each. A
// block of a table has BLOCK threads.
#define MAKE(T, form) \
	KERNEL_OF(BLOCK) squares_table_##form(double *part, const Parameter *table, uint lines, uint blocks, uint each) { \
		SHARED double room[BLOCK]; \
		double v = 0; \
		for (uint b = block() * each, end = least(b + each, blocks); b < end; b++) { \
			const Parameter &q = line(table, lines, b); \
			ulong i = (b - q.block) * BLOCK + thread_y(); \
			double g = i < q.n ? double(((const T *)q.g)[i]) : 0; \
			v = fused(g, g, v); \
		} \
		v = folded(room, v); \
		if (thread_y() == 0) part[block()] = v; \
	}
FLOATS(MAKE)
#undef MAKE

// The factor that brings a vector with these squares to a length, as kernels.Rescale
// has it, for all threads of a block.
DEVICE double rescaled(const double *squares, double length, double eps, int shrink) {
	SHARED double a;
	if (thread() == 0) {
		a = length / (root(*squares) + eps);
		if (shrink && a > 1) a = 1;
	}
	barrier();
	return a;
}

// y += a·x, the vector of which x is a part being brought to a length; also for a whole
// table, in one launch.
#define MAKE(T, form) \
	KERNEL rescale_##form(T *y, int fresh, const T *x, const double *squares, double length, double eps, int shrink, uint n) { \
		T a = T(rescaled(squares, length, eps, shrink)); \
		uint i = place(); \
		if (i < n) give(y + i, a * x[i], fresh); \
	} \
	KERNEL rescale_table_##form(const Parameter *table, uint lines, int fresh, const double *squares, double length, double eps, int shrink) { \
		T a = T(rescaled(squares, length, eps, shrink)); \
		const Parameter &q = line(table, lines, block()); \
		ulong i = element(q, block()); \
		if (i < q.n) give((T *)q.w + i, a * ((const T *)q.g)[i], fresh); \
	}
FLOATS(MAKE)
#undef MAKE

#define MAKE(T, form) \
	KERNEL sgd_table_##form(const Parameter *table, uint lines, double rate, double momentum, double decay, int nesterov, int first) { \
		sgd_table<T>(table, lines, Descent{rate, momentum, decay, nesterov, first}); \
	}
FLOATS(MAKE)
#undef MAKE

// w *= 1 - rate·decay; m = beta1·m + (1-beta1)·g; v = beta2·v + (1-beta2)·g²;
// w -= rate·(m/bias1)/(sqrt(v/bias2) + eps), bias = 1 - beta^step.
#define MAKE(T, form) \
	KERNEL adamw_##form(T *w, T *m, T *v, const T *g, double rate, double beta1, double beta2, double eps, double decay, double bias1, double bias2, uint n) { \
		uint i = place(); \
		if (i >= n) return; \
		T first = fused(T(beta1), m[i], T(1 - beta1) * g[i]), second = fused(T(beta2), v[i], T(1 - beta2) * g[i] * g[i]); \
		m[i] = first; \
		v[i] = second; \
		w[i] = T(1 - rate * decay) * w[i] - T(rate) * (first / T(bias1)) / (root(second / T(bias2)) + T(eps)); \
	}
FLOATS(MAKE)
#undef MAKE
