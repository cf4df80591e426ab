// The products on tensor cores. The factors are rounded to TF32, which has a
// float's range and ten bits behind the point, and added up in single precision:
// bfloat16 numbers keep every bit.
#pragma once
#include "conv.h"
#include "gemm.h"

// tf32 is v rounded to TF32, as a float's bits.
DEVICE uint tf32(float v) {
	uint b;
	asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(b) : "f"(v));
	return b;
}

// A Slab is a factor's numbers of a step in shared memory. They lie along the sum
// or along the rows, as they come, each line so much longer that the 32 lanes of a
// warp read their part of a fragment from 32 banks.
template <bool ALONG_SUM, int ROWS, int STEP> struct Slab {
	enum { BY_ROW = ALONG_SUM ? STEP + 4 : 1, BY_TERM = ALONG_SUM ? 1 : ROWS + 8 };
	uint v[ALONG_SUM ? ROWS * BY_ROW : STEP * BY_TERM];
	METHOD uint &at(int row, int term) { return v[row * BY_ROW + term * BY_TERM]; }
};

// A Core is a Tile that warps share out among themselves, DOWN × ACROSS of them.
// Each multiplies fragments of 16×8 by 8×8: in lane 4g+t are of the left one
// (g,t), (g+8,t), (g,t+4), (g+8,t+4), of the right one (t,g), (t+4,g), and of the
// result (g,2t), (g,2t+1), (g+8,2t), (g+8,2t+1).
template <int BM, int BN, int DOWN, int ACROSS, bool A_SUM, bool B_SUM> struct Core {
	enum {
		M = BM,
		N = BN,
		STEP = 16,
		THREADS = 32 * DOWN * ACROSS,
		A_EACH = BM * STEP / THREADS,
		B_EACH = BN * STEP / THREADS,
		HIGH = BM / DOWN / 16, // fragments of a warp
		WIDE = BN / ACROSS / 8,
	};
	static_assert(THREADS % BM == 0 && THREADS % BN == 0 && THREADS % STEP == 0, "a Share must fit");

	typedef uint Number;
	METHOD static uint form(float v) { return tf32(v); }

	struct Room {
		Slab<A_SUM, BM, STEP> a[2];
		Slab<B_SUM, BN, STEP> b[2];
	};
	float sum[HIGH][WIDE][4];

	METHOD void clear() {
#pragma unroll
		for (int i = 0; i < HIGH; i++)
#pragma unroll
			for (int j = 0; j < WIDE; j++)
#pragma unroll
				for (int l = 0; l < 4; l++) sum[i][j][l] = 0;
	}

	// group and inner are the lane's g and t, row and column where in the tile
	// fragment sum[i][j] begins.
	METHOD static int group() { return thread() % 32 / 4; }
	METHOD static int inner() { return thread() % 4; }
	METHOD static int row(int i) { return ((int)thread() / 32 / ACROSS * HIGH + i) * 16; }
	METHOD static int column(int j) { return ((int)thread() / 32 % ACROSS * WIDE + j) * 8; }

	METHOD void accumulate(Slab<A_SUM, BM, STEP> &a, Slab<B_SUM, BN, STEP> &b) {
#pragma unroll
		for (int k = 0; k < STEP; k += 8) {
			uint left[HIGH][4], right[WIDE][2];
#pragma unroll
			for (int i = 0; i < HIGH; i++)
#pragma unroll
				for (int l = 0; l < 4; l++) left[i][l] = a.at(row(i) + group() + l % 2 * 8, k + inner() + l / 2 * 4);
#pragma unroll
			for (int j = 0; j < WIDE; j++)
#pragma unroll
				for (int l = 0; l < 2; l++) right[j][l] = b.at(column(j) + group(), k + inner() + l * 4);
#pragma unroll
			for (int i = 0; i < HIGH; i++)
#pragma unroll
				for (int j = 0; j < WIDE; j++) {
					float *c = sum[i][j];
					asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
					    : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
					    : "r"(left[i][0]), "r"(left[i][1]), "r"(left[i][2]), "r"(left[i][3]), "r"(right[j][0]), "r"(right[j][1]));
				}
		}
	}

	template <class To> METHOD void deliver(To to) const {
#pragma unroll
		for (int i = 0; i < HIGH; i++)
#pragma unroll
			for (int j = 0; j < WIDE; j++)
#pragma unroll
				for (int l = 0; l < 4; l += 2) {
					float run[] = {sum[i][j][l], sum[i][j][l + 1]};
					to(row(i) + group() + l * 4, column(j) + 2 * inner(), run);
				}
	}
};
