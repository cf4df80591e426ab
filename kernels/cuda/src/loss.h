// Softmax and what is built on it, a warp a row of k logits. Inside it is all
// double precision: there are few logits, and a loss near 0 or a probability near
// 1 has its digits where single precision has none.
#pragma once
#include "math.h"

enum { WARPS = 4, LANES = 32 }; // warps of a block, each with a row, and threads of a warp

DEVICE uint warp_row() { return block() * WARPS + thread() / LANES; }
DEVICE uint lane() { return thread() % LANES; }

// sum_of_lanes is, in every lane, the same sum in the same order.
DEVICE double sum_of_lanes(double v) {
	for (int mask = LANES / 2; mask > 0; mask /= 2) v += across(v, mask);
	return v;
}

// A Row of logits: the place of the largest and its value; the next largest's, with
// log Σ e^(x-next) over all but the largest; and log(1 + rest), rest their share as
// against the largest's. The largest is counted apart so that a probability near 1
// keeps its distance from 1. A NaN is the largest.
struct Row {
	uint top;
	double most, next, others, rest;
	METHOD double log_probability(double x) const { return x - most - rest; }
};

template <class T> DEVICE Row row_of(const T *x, uint k) {
	Row r = {~0u, -infinity(), -infinity(), 0, 0};
	for (uint j = lane(); j < k; j += LANES)
		if (r.top == ~0u || x[j] > r.most || x[j] != x[j]) {
			r.top = j;
			r.most = x[j];
		}
	for (int mask = LANES / 2; mask > 0; mask /= 2) {
		double v = across(r.most, mask);
		uint at = across((int)r.top, mask);
		if (v > r.most || (v == r.most && at < r.top) || v != v) {
			r.most = v;
			r.top = at;
		}
	}
	for (uint j = lane(); j < k; j += LANES)
		if (j != r.top) r.next = most(r.next, double(x[j]));
	for (int mask = LANES / 2; mask > 0; mask /= 2) r.next = most(r.next, across(r.next, mask));
	if (r.next == -infinity()) r.next = 0; // all of them are: their sum is 0
	double sum = 0;
	for (uint j = lane(); j < k; j += LANES)
		if (j != r.top) sum += exponential(x[j] - r.next);
	r.others = logarithm(sum_of_lanes(sum));
	r.rest = logarithm_of_1_plus(exponential(r.next - r.most + r.others));
	return r;
}

// y_j = x_j - log Σ e^x
#define MAKE(T, form) \
	KERNEL_OF(WARPS * LANES) log_softmax_##form(T *y, const T *x, uint k, uint rows) { \
		if (warp_row() >= rows) return; \
		x += warp_row() * k; \
		y += warp_row() * k; \
		Row r = row_of(x, k); \
		for (uint j = lane(); j < k; j += LANES) y[j] = r.log_probability(x[j]); \
	}
FLOATS(MAKE)
#undef MAKE

// dx_j += dy_j - e^y_j Σ dy
#define MAKE(T, form) \
	KERNEL_OF(WARPS * LANES) log_softmax_grad_##form(T *dx, int fresh, const T *y, const T *dy, uint k, uint rows) { \
		if (warp_row() >= rows) return; \
		dx += warp_row() * k; \
		y += warp_row() * k; \
		dy += warp_row() * k; \
		double sum = 0; \
		for (uint j = lane(); j < k; j += LANES) sum += dy[j]; \
		sum = sum_of_lanes(sum); \
		for (uint j = lane(); j < k; j += LANES) give(dx + j, T(dy[j] - exponential(y[j]) * sum), fresh); \
	}
FLOATS(MAKE)
#undef MAKE

// The forms of the loss, as kernels.Form counts them.
enum { ASL, EQ3, EQ1 };

// A Loss is kernels.SoftmaxLoss, smooth shared out among the classes.
struct Loss {
	double gamma_pos, gamma_neg, smooth, share;
	int form, detach;
};

// times is a·b where a zero a wins over an infinite b.
DEVICE double times(double a, double b) { return a == 0 ? 0 : a * b; }

// A Class is a probability p, its logarithm, its complement q and q's logarithm.
// Only the most probable class can have p > 1/2; its q is the sum of the others.
struct Class {
	double p, logp, q, logq;
};
DEVICE Class class_of(const Loss &f, const Row &r, double x, bool top) {
	double logp = r.log_probability(x), p = exponential(logp);
	Class c = {p, logp, 1 - p, 0};
	if (top) {
		c.logq = r.next - r.most + r.others - r.rest;
		c.q = exponential(c.logq);
	}
	bool likely = top && c.q < .5;
	if (likely || (!top && f.form == EQ1)) { // only Eq 1 asks for the others' log q
		double l = logarithm_of_1_plus(top ? -c.q : -p);
		if (top) c.logp = l;
		else c.logq = l;
	}
	return c;
}

// A Term is what a class adds to its row's loss, and its derivative by log p, which
// is a + b/q.
struct Term {
	double loss, a, b;
	METHOD double derivative(const Class &c) const { return b == 0 ? a : a + b / c.q; }
};

// term is s·A·(-log p) with A = q^γ for the label and in Eq 3, p^γ for the others,
// and in Eq 1 the others' A·(-log q): kernels/ref has the derivatives.
DEVICE Term term(const Loss &f, bool labelled, const Class &c) {
	double s = f.form == EQ1 ? 1 : labelled ? 1 - f.smooth + f.share : f.share;
	if (s == 0) return Term{0, 0, 0};
	bool by_q = labelled || f.form == EQ3, of_q = !labelled && f.form == EQ1;
	double gamma = labelled ? f.gamma_pos : f.gamma_neg, a = s * power(by_q ? c.q : c.p, gamma), l = of_q ? c.logq : c.logp;
	double through = f.detach ? 0 : gamma; // the exponent where the derivative goes through A
	if (by_q) return Term{-times(a, l), -a * (1 + times(through * c.p, c.q > 0 ? -l / c.q : 1)), 0};
	if (of_q) return Term{-times(a, l), -times(a * through, l), a * c.p};
	return Term{-times(a, l), -times(a * through, l) - a, 0};
}

// loss = weight·Σ_j term_j and its slope by x_m, with u_j = ∂loss/∂log p_j:
// u_m - p_m Σ u. The most probable class is kept out of the sum, because its u may
// be huge where its 1-p is tiny: it enters as u·(1-p) at its own place, as -u·p_m
// elsewhere. The first pass makes the sums, the second the slopes.
template <class T>
DEVICE void softmax_loss(T *loss, T *slope, const T *x, label at, T weight, const Loss &f, uint k) {
	Row r = row_of(x, k);
	double sum = 0, others = 0;
	double a = 0, b = 0; // the most probable class's
#pragma unroll 1
	for (int pass = 0; pass < 2; pass++) {
#pragma unroll 1
		for (uint j = lane(); j < k; j += LANES) {
			bool top = j == r.top;
			Class c = class_of(f, r, x[j], top);
			Term u = term(f, j == at, c);
			if (pass == 1) {
				double d = u.a * c.q + u.b - c.p * others;
				if (!top) d = u.derivative(c) - c.p * (others + a) - times(b, exponential(x[j] - r.next - r.others)); // p_j over the first's q
				slope[j] = weight * d;
				continue;
			}
			sum += u.loss;
			if (top) {
				a = u.a;
				b = u.b;
			} else {
				others += u.derivative(c);
			}
		}
		if (pass == 1) break;
		sum = sum_of_lanes(sum);
		if (lane() == 0) *loss = weight * sum;
		others = sum_of_lanes(others);
		a = sum_of_lanes(a); // one lane's, zero in the others
		b = sum_of_lanes(b);
	}
}

#define MAKE(T, form) \
	KERNEL_OF(WARPS * LANES) softmax_loss_##form(T *loss, T *slope, const T *x, const label *labels, const T *weight, double gamma_pos, double gamma_neg, double smooth, \
	                                            int shape, int detach, uint k, uint rows) { \
		uint i = warp_row(); \
		if (i >= rows) return; \
		softmax_loss(loss + i, slope + i * k, x + i * k, labels[i], weight[i], Loss{gamma_pos, gamma_neg, smooth, smooth / k, shape, detach}, k); \
	}
FLOATS(MAKE)
#undef MAKE

// dx_ij += dloss_i·slope_ij
#define MAKE(T, form) \
	KERNEL softmax_loss_grad_##form(T *dx, int fresh, const T *slope, const T *dloss, uint k, uint count) { \
		uint i = place(); \
		if (i < count) give(dx + i, dloss[i / k] * slope[i], fresh); \
	}
FLOATS(MAKE)
#undef MAKE
