// Optimizers, a thread a parameter.
#pragma once
#include "phase.h"

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

// The line of a table of so many that this block works on: the last that begins at or
// before it.
DEVICE const Parameter &line(const Parameter *table, uint lines) {
	uint lo = 0;
	for (uint hi = lines; hi - lo > 1;) {
		uint middle = (lo + hi) / 2;
		if (table[middle].block <= block()) lo = middle;
		else hi = middle;
	}
	return table[lo];
}

// The number of a parameter that this thread works on, which may be beyond its end.
DEVICE ulong element(const Parameter &q) { return (block() - q.block) * threads() + thread(); }

// sgd for a whole table, in one launch.
template <class T> DEVICE void sgd_table(const Parameter *table, uint lines, const Descent &p) {
	const Parameter &q = line(table, lines);
	ulong i = element(q);
	T *v = (T *)q.v;
	if (i < q.n) descend((T *)q.w + i, v ? v + i : v, ((const T *)q.g)[i], p);
}

// w = g for a whole table, in one launch.
#define MAKE(T, form) \
	KERNEL copy_table_##form(const Parameter *table, uint lines) { \
		const Parameter &q = line(table, lines); \
		ulong i = element(q); \
		if (i < q.n) ((T *)q.w)[i] = ((const T *)q.g)[i]; \
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
