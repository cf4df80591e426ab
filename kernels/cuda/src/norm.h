// Batch norm over a matrix of rows × c channels, which channels-last images and
// (n,c) are alike. Every block has a strip of channels side by side, a thread one
// of them, and goes down the rows.
#pragma once
#include "reduce.h"

// A thread takes its rows in batches, whose loads are on their way at once. What it
// adds up of a batch is in the numbers' own precision, and joins a double.
#define BATCH 8

// A Strip is the channel and the rows of a thread: row, row + by, ... below last.
struct Strip {
	uint c, channel, row, last;
	METHOD Strip(uint c, uint rows, uint each) : c(c), channel(block() * threads() + thread()), row(block_y() * each + thread_y()), last(least(block_y() * each + each, rows)) {
		if (channel >= c) last = 0;
	}
	// next goes on to the next batch.
	METHOD void next() { row += BATCH * threads_y(); }
	// has says whether there is a j-th row in the batch, whose number is at(j).
	METHOD bool has(int j) const { return row + j * threads_y() < last; }
	METHOD uint at(int j) const { return (row + j * threads_y()) * c + channel; }
};

// deliver leaves the block's sums of a and b in part[slice][2][c].
DEVICE void deliver(double *part, const Strip &s, double a, double b) {
	SHARED double room[BLOCK];
	a = folded(room, a);
	b = folded(room, b);
	if (thread_y() != 0 || s.channel >= s.c) return;
	part += block_y() * 2 * s.c + s.channel;
	part[0] = a;
	part[s.c] = b;
}

// origin is where the channel's numbers are measured from: its first, unless that
// is not a number to measure from. As it is one of them, hardly a digit of their
// variance is lost, whatever the mean.
template <class S> DEVICE wide<S> origin(const S *x, uint channel) {
	wide<S> v = get(x + channel);
	return v - v == 0 ? v : wide<S>(0);
}

// part = Σ d and Σ d², d the distances of x from the channel's origin.
template <class S> DEVICE void moments(double *part, const S *x, uint rows, uint c, uint each) {
	typedef wide<S> T;
	Strip s(c, rows, each);
	T from = s.row < s.last ? origin(x, s.channel) : T(0);
	double sum = 0, squares = 0;
	for (; s.row < s.last; s.next()) {
		T v[BATCH], a = 0, b = 0;
#pragma unroll
		for (int j = 0; j < BATCH; j++) v[j] = s.has(j) ? get(x + s.at(j)) : from;
#pragma unroll
		for (int j = 0; j < BATCH; j++) {
			T d = v[j] - from;
			a += d;
			b = fused(d, d, b);
		}
		sum += a;
		squares += b;
	}
	deliver(part, s, sum, squares);
}

#define MAKE(S, form) \
	KERNEL_OF(BLOCK) norm_moments_##form(double *part, const S *x, uint rows, uint c, uint each) { moments(part, x, rows, c, each); }
IMAGES(MAKE)
#undef MAKE

// A channel's y = (x - center)·scale + shift, of a mean that is the sum of two
// numbers. What rounding the center loses goes to the shift.
template <class T> DEVICE void line(T *lines, uint c, uint channel, double mean, double more, double variance, T gamma, T beta, double eps) {
	double scale = gamma / root(variance + eps);
	T center = mean + more;
	lines[channel] = center;
	lines[c + channel] = scale;
	lines[2 * c + channel] = beta - (mean - center + more) * scale;
}

// mean, variance and lines (3,c) of x by its moments, slice by slice; a thread a
// channel.
template <class S>
DEVICE void settle(wide<S> *lines, wide<S> *mean, wide<S> *variance, const double *part, uint slices, const S *x, const wide<S> *gamma,
                   const wide<S> *beta, double eps, uint rows, uint c) {
	uint i = place();
	if (i >= c) return;
	double sum = 0, squares = 0;
	for (uint k = 0; k < slices; k++) {
		sum += part[2 * k * c + i];
		squares += part[(2 * k + 1) * c + i];
	}
	double n = most(rows, 1u), from = rows ? origin(x, i) : 0, d = sum / n, v = squares / n - d * d;
	if (v < 0) v = 0;
	mean[i] = from + d;
	variance[i] = v;
	line(lines, c, i, from, d, v, gamma[i], beta[i], eps);
}

#define MAKE(S, form) \
	KERNEL norm_settle_##form(wide<S> *lines, wide<S> *mean, wide<S> *variance, const double *part, uint slices, const S *x, const wide<S> *gamma, \
	                          const wide<S> *beta, double eps, uint rows, uint c) { \
		settle(lines, mean, variance, part, slices, x, gamma, beta, eps, rows, c); \
	}
IMAGES(MAKE)
#undef MAKE

// lines by given statistics.
#define MAKE(T, form) \
	KERNEL norm_lines_##form(T *lines, const T *mean, const T *variance, const T *gamma, const T *beta, double eps, uint c) { \
		uint i = place(); \
		if (i < c) line(lines, c, i, mean[i], 0, variance[i], gamma[i], beta[i], eps); \
	}
FLOATS(MAKE)
#undef MAKE

// y = (x - center)·scale + shift + rest, cut at 0 if relu; rest may be null.
template <class S> DEVICE void apply(S *y, const S *x, const S *rest, const wide<S> *lines, int relu, uint rows, uint c, uint each) {
	typedef wide<S> T;
	Strip s(c, rows, each);
	if (s.row >= s.last) return;
	T center = lines[s.channel], scale = lines[c + s.channel], shift = lines[2 * c + s.channel];
	for (; s.row < s.last; s.next()) {
		T v[BATCH], r[BATCH];
#pragma unroll
		for (int j = 0; j < BATCH; j++) {
			v[j] = s.has(j) ? get(x + s.at(j)) : T(0);
			r[j] = rest && s.has(j) ? get(rest + s.at(j)) : T(0);
		}
#pragma unroll
		for (int j = 0; j < BATCH; j++) {
			T z = fused(v[j] - center, scale, shift) + r[j];
			if (s.has(j)) put(y + s.at(j), relu && z < 0 ? T(0) : z); // a NaN stays one
		}
	}
}

#define MAKE(S, form) \
	KERNEL_OF(BLOCK) norm_apply_##form(S *y, const S *x, const S *rest, const wide<S> *lines, int relu, uint rows, uint c, uint each) { \
		apply(y, x, rest, lines, relu, rows, c, each); \
	}
IMAGES(MAKE)
#undef MAKE

// passed is dy where the output's ReLU let it pass.
template <class S> DEVICE wide<S> passed(const S *y, const S *dy, int relu, uint at) {
	wide<S> g = get(dy + at);
	return relu && !(get(y + at) > 0) ? wide<S>(0) : g;
}

// part = Σ g and Σ g·(x - mean), g what has passed.
template <class S>
DEVICE void slopes(double *part, const S *x, const S *y, const S *dy, const wide<S> *mean, int relu, uint rows, uint c, uint each) {
	typedef wide<S> T;
	Strip s(c, rows, each);
	T center = s.row < s.last ? mean[s.channel] : T(0);
	double sum = 0, products = 0;
	for (; s.row < s.last; s.next()) {
		T v[BATCH], g[BATCH], a = 0, b = 0;
#pragma unroll
		for (int j = 0; j < BATCH; j++) {
			v[j] = s.has(j) ? get(x + s.at(j)) : center;
			g[j] = s.has(j) ? passed(y, dy, relu, s.at(j)) : T(0);
		}
#pragma unroll
		for (int j = 0; j < BATCH; j++) {
			a += g[j];
			b = fused(g[j], v[j] - center, b);
		}
		sum += a;
		products += b;
	}
	deliver(part, s, sum, products);
}

#define MAKE(S, form) \
	KERNEL_OF(BLOCK) norm_slopes_##form(double *part, const S *x, const S *y, const S *dy, const wide<S> *mean, int relu, uint rows, uint c, uint each) { \
		slopes(part, x, y, dy, mean, relu, rows, c, each); \
	}
IMAGES(MAKE)
#undef MAKE

// dbeta += Σ g, dgamma += Σ g·z with z = (x - mean)/sqrt(variance + eps), where they
// are wanted, and lines (3,c) of dx = first·g - second - third·(x - mean), in which
// the latter two are the way through the statistics.
#define MAKE(T, form) \
	KERNEL norm_grad_settle_##form(T *lines, T *dgamma, int gamma_fresh, T *dbeta, int beta_fresh, const double *part, uint slices, const T *variance, \
	                               const T *gamma, double eps, uint rows, uint c) { \
		uint i = place(); \
		if (i >= c) return; \
		double sum = 0, products = 0, inverse = 1 / root(variance[i] + eps); \
		for (uint k = 0; k < slices; k++) { \
			sum += part[2 * k * c + i]; \
			products += part[(2 * k + 1) * c + i]; \
		} \
		products *= inverse; \
		if (dgamma) give(dgamma + i, T(products), gamma_fresh); \
		if (dbeta) give(dbeta + i, T(sum), beta_fresh); \
		double first = gamma[i] * inverse; \
		lines[i] = first; \
		lines[c + i] = first * sum / rows; \
		lines[2 * c + i] = first * inverse * products / rows; \
	}
FLOATS(MAKE)
#undef MAKE

// drest += g, and dx += first·g, less second + third·(x - mean) if through; each
// where it is wanted.
template <class S>
DEVICE void grad_apply(S *dx, int fresh, S *drest, int rest_fresh, const S *x, const S *y, const S *dy, const wide<S> *mean, const wide<S> *lines, int relu,
                       int through, uint rows, uint c, uint each) {
	typedef wide<S> T;
	Strip s(c, rows, each);
	if (s.row >= s.last) return;
	T center = mean[s.channel], first = lines[s.channel], second = lines[c + s.channel], third = lines[2 * c + s.channel];
	for (; s.row < s.last; s.next()) {
		T v[BATCH], g[BATCH];
#pragma unroll
		for (int j = 0; j < BATCH; j++) {
			v[j] = through && s.has(j) ? get(x + s.at(j)) : center;
			g[j] = s.has(j) ? passed(y, dy, relu, s.at(j)) : T(0);
		}
#pragma unroll
		for (int j = 0; j < BATCH; j++) {
			if (!s.has(j)) break;
			if (drest) give(drest + s.at(j), g[j], rest_fresh);
			T d = first * g[j];
			if (through) d -= fused(v[j] - center, third, second);
			if (dx) give(dx + s.at(j), d, fresh);
		}
	}
}

#define MAKE(S, form) \
	KERNEL_OF(BLOCK) norm_grad_apply_##form(S *dx, int fresh, S *drest, int rest_fresh, const S *x, const S *y, const S *dy, const wide<S> *mean, \
	                                        const wide<S> *lines, int relu, int through, uint rows, uint c, uint each) { \
		grad_apply(dx, fresh, drest, rest_fresh, x, y, dy, mean, lines, relu, through, rows, c, each); \
	}
IMAGES(MAKE)
#undef MAKE
