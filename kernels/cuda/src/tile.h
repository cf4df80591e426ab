// The product of two matrices, tile by tile: what Gemm and all three sides of a
// convolution are. A block computes BM×BN numbers of the result, a thread TM×TN
// of them in registers. Both factors come through shared memory in steps of some
// terms of the sum, and while a step is multiplied the next is on its way. What
// the factors are, a matrix or a convolution's windows, their loaders know: struct
// Matrix here, others in conv.h.
#pragma once
#include "phase.h"

// A Share says which of a step's numbers this thread brings: its j-th is that of
// row (row + j·rows) and term (term + j·terms). Neighbouring threads bring what
// is neighbours in memory: along the sum, or along the rows.
struct Share {
	int row, term, rows, terms, step;
};
DEVICE Share share(bool along_sum, int rows, int threads, int step) {
	int t = thread();
	return along_sum ? Share{t / step, t % step, threads / step, 0, step} : Share{t % rows, t / rows, 0, threads / rows, step};
}

// A Matrix loads number (row, term) from p[row·row_step + term·term_step]; beyond
// its rows and terms there are zeros.
template <class S> struct Matrix {
	Share share;
	const S *p;
	int first, rows, term, terms, row_step, term_step;

	METHOD wide<S> get(int j) const {
		int r = first + share.row + j * share.rows, t = term + share.term + j * share.terms;
		return r < rows && t < terms ? ::get(p + r * row_step + t * term_step) : wide<S>(0);
	}
	METHOD void next() { term += share.step; }
};

// multiply makes a tile the product over so many terms.
template <class Tile, class A, class B> DEVICE void multiply(Tile &tile, typename Tile::Room &room, A a, B b, int terms) {
	tile.clear();
	int steps = (terms + Tile::STEP - 1) / Tile::STEP;
	for (int step = -1; step < steps; step++) {
		typename Tile::Number from_a[Tile::A_EACH], from_b[Tile::B_EACH];
		bool more = step + 1 < steps;
		if (more) {
#pragma unroll
			for (int j = 0; j < Tile::A_EACH; j++) from_a[j] = Tile::form(a.get(j));
#pragma unroll
			for (int j = 0; j < Tile::B_EACH; j++) from_b[j] = Tile::form(b.get(j));
			a.next();
			b.next();
		}
		if (step >= 0) tile.accumulate(room.a[step & 1], room.b[step & 1]);
		if (more) { // the other half of the room: nobody reads it any more
			int other = step + 1 & 1;
#pragma unroll
			for (int j = 0; j < Tile::A_EACH; j++) room.a[other].at(a.share.row + j * a.share.rows, a.share.term + j * a.share.terms) = from_a[j];
#pragma unroll
			for (int j = 0; j < Tile::B_EACH; j++) room.b[other].at(b.share.row + j * b.share.rows, b.share.term + j * b.share.terms) = from_b[j];
			barrier();
		}
	}
}

// A Tile is BM×BN numbers of a product, TM×TN of them in a thread.
template <class T, int BM, int BN, int TM, int TN> struct Tile {
	enum {
		M = BM,
		N = BN,
		STEP = 8, // terms
		THREADS = (BM / TM) * (BN / TN),
		A_EACH = BM * STEP / THREADS, // numbers of a step that a thread brings
		B_EACH = BN * STEP / THREADS,
		A_RUN = TM < 4 ? TM : 4, // neighbours that it reads at once
		B_RUN = TN < 4 ? TN : 4,
	};
	static_assert(THREADS % BM == 0 && THREADS % BN == 0 && THREADS % STEP == 0, "a Share must fit");

	typedef T Number;
	METHOD static T form(T v) { return v; }

	// Terms lie four numbers further apart than they need to: in other banks.
	template <int ROWS> struct Slab {
		T v[STEP][ROWS + 4];
		METHOD T &at(int row, int term) { return v[term][row]; }
	};
	struct __attribute__((aligned(16))) Room {
		Slab<BM> a[2];
		Slab<BN> b[2];
	};
	T sum[TM][TN];

	METHOD void clear() {
#pragma unroll
		for (int i = 0; i < TM; i++)
#pragma unroll
			for (int j = 0; j < TN; j++) sum[i][j] = 0;
	}

	// row and column are where in the tile sum[i][j] stands.
	METHOD static int row(int i) { return (i / A_RUN * (BM / TM) + (int)thread() / (BN / TN)) * A_RUN + i % A_RUN; }
	METHOD static int column(int j) { return (j / B_RUN * (BN / TN) + (int)thread() % (BN / TN)) * B_RUN + j % B_RUN; }

	// accumulate adds the products of a step.
	METHOD void accumulate(Slab<BM> &a, Slab<BN> &b) {
#pragma unroll
		for (int k = 0; k < STEP; k++) {
			T left[TM], right[TN];
#pragma unroll
			for (int i = 0; i < TM; i++) left[i] = a.at(row(i), k);
#pragma unroll
			for (int j = 0; j < TN; j++) right[j] = b.at(column(j), k);
#pragma unroll
			for (int i = 0; i < TM; i++)
#pragma unroll
				for (int j = 0; j < TN; j++) sum[i][j] = fused(left[i], right[j], sum[i][j]);
		}
	}

	// deliver hands out runs of neighbours: to(row, column, numbers).
	template <class To> METHOD void deliver(To to) const {
#pragma unroll
		for (int i = 0; i < TM; i++)
#pragma unroll
			for (int j = 0; j < TN; j += B_RUN) {
				T run[B_RUN];
#pragma unroll
				for (int l = 0; l < B_RUN; l++) run[l] = sum[i][j + l];
				to(row(i), column(j), run);
			}
	}
};

// A Run is neighbours that lie as one number would.
template <class S, int N> struct __attribute__((aligned(sizeof(S) * N))) Run {
	S v[N];
};

// give_run is give for the first count of a run's numbers, in one access where
// they lie well.
template <class S, int N> DEVICE void give_run(S *p, const wide<S> (&v)[N], int count, int fresh) {
	if (count >= N && (ulong)p % sizeof(Run<S, N>) == 0) {
		Run<S, N> *run = (Run<S, N> *)p, out;
		if (!fresh) out = *run;
#pragma unroll
		for (int j = 0; j < N; j++) give(out.v + j, v[j], fresh);
		*run = out;
		return;
	}
#pragma unroll
	for (int j = 0; j < N; j++)
		if (j < count) give(p + j, v[j], fresh);
}
