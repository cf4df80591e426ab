// The products on tensor cores, added up in single precision.
#pragma once
#include "conv.h"
#include "gemm.h"

// What factors are rounded to: TF32, which has a float's range and ten bits behind
// the point, more than bfloat16; or bfloat16 itself, at twice the speed, for factors
// that are nothing else.
struct TF32 {
	typedef uint Number;
	enum { TERMS = 8 }; // of a multiplication
	METHOD static uint of(float v) {
		uint b;
		asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(b) : "f"(v));
		return b;
	}
	METHOD static void multiply(float (&c)[4], const uint (&a)[4], const uint (&b)[2]) {
		asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
		    : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
		    : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
	}
};
struct Half {
	typedef unsigned short Number;
	enum { TERMS = 16 };
	METHOD static unsigned short of(float v) { return __builtin_bit_cast(uint, v) >> 16; }
	METHOD static void multiply(float (&c)[4], const uint (&a)[4], const uint (&b)[2]) {
		asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
		    : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
		    : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
	}
};

// A Strips is a factor's numbers of a step in shared memory. They lie along the sum
// or along the rows, as they come; halves always along the sum, of which a register
// holds two. Each line is so much longer that the 32 lanes of a warp read their part
// of a fragment from 32 banks.
template <class Rounded, bool ALONG_SUM, int ROWS, int STEP> struct Strips {
	enum {
		HALVES = sizeof(typename Rounded::Number) == 2,
		BY_ROW = HALVES ? STEP + 8 : ALONG_SUM ? STEP + 4 : 1,
		BY_TERM = HALVES || ALONG_SUM ? 1 : ROWS + 8,
	};
	typename Rounded::Number v[BY_TERM == 1 ? ROWS * BY_ROW : STEP * BY_TERM];
	METHOD typename Rounded::Number &at(int row, int term) { return v[row * BY_ROW + term * BY_TERM]; }
	METHOD uint word(int row, int term) {
		typedef uint __attribute__((may_alias)) Word;
		return *(Word *)&at(row, term);
	}
};

// A Core is a Tile that warps share out among themselves, DOWN × ACROSS of them.
// Each multiplies fragments of 16×8 words by 8×8, a word being 32 bits along the
// sum. With g a lane's number over 4 and t the rest, it holds of the left one (g,t),
// (g+8,t), (g,t+4), (g+8,t+4), of the right one (t,g), (t+4,g), and of the result,
// which is floats, (g,2t), (g,2t+1), (g+8,2t), (g+8,2t+1).
template <class Rounded, int BM, int BN, int DOWN, int ACROSS, bool A_SUM, bool B_SUM> struct Core {
	enum {
		M = BM,
		N = BN,
		STEP = 16,
		THREADS = 32 * DOWN * ACROSS,
		A_EACH = BM * STEP / THREADS,
		B_EACH = BN * STEP / THREADS,
		HIGH = BM / DOWN / 16, // fragments of a warp
		WIDE = BN / ACROSS / 8,
		TERMS = Rounded::TERMS,
	};
	static_assert(THREADS % BM == 0 && THREADS % BN == 0 && THREADS % STEP == 0, "a Share must fit");

	typedef typename Rounded::Number Number;
	METHOD static Number form(float v) { return Rounded::of(v); }

	typedef Strips<Rounded, A_SUM, BM, STEP> Left;
	typedef Strips<Rounded, B_SUM, BN, STEP> Right;
	struct __attribute__((aligned(16))) Room {
		Left a[2];
		Right b[2];
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

	METHOD void accumulate(Left &a, Right &b) {
#pragma unroll
		for (int k = 0; k < STEP; k += TERMS) {
			uint left[HIGH][4], right[WIDE][2];
			int term = k + inner() * (TERMS / 8);
#pragma unroll
			for (int i = 0; i < HIGH; i++)
#pragma unroll
				for (int l = 0; l < 4; l++) left[i][l] = a.word(row(i) + group() + l % 2 * 8, term + l / 2 * (TERMS / 2));
#pragma unroll
			for (int j = 0; j < WIDE; j++)
#pragma unroll
				for (int l = 0; l < 2; l++) right[j][l] = b.word(column(j) + group(), term + l * (TERMS / 2));
#pragma unroll
			for (int i = 0; i < HIGH; i++)
#pragma unroll
				for (int j = 0; j < WIDE; j++) Rounded::multiply(sum[i][j], left[i], right[j]);
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
