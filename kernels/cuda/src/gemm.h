// c (m,n) += op(a)·op(b), row-major: the steps say which way the factors lie, a_sum
// and b_sum whether that is along the sum.
#pragma once
#include "tile.h"

template <class T, class Tile>
DEVICE void gemm(T *c, int fresh, const T *a, const T *b, int m, int n, int k, int a_row, int a_term, int b_column, int b_term, bool a_sum, bool b_sum) {
	SHARED typename Tile::Room room;
	int top = block() * Tile::M, left = block_y() * Tile::N;
	Tile tile;
	multiply(tile, room, Matrix<T>{share(a_sum, Tile::M, Tile::THREADS, Tile::STEP), a, top, m, 0, k, a_row, a_term},
	         Matrix<T>{share(b_sum, Tile::N, Tile::THREADS, Tile::STEP), b, left, n, 0, k, b_column, b_term}, k);
	tile.deliver([=](int row, int column, auto &run) {
		if (top + row < m) give_run(c + (top + row) * n + left + column, run, n - left - column, fresh);
	});
}

// MAKE_GEMM makes the kernel of a tile.
#define MAKE_GEMM(name, T, a_sum, b_sum, ...) \
	KERNEL_OF((__VA_ARGS__::THREADS)) name(T *c, int fresh, const T *a, const T *b, int m, int n, int k, int a_row, int a_term, int b_column, int b_term) { \
		gemm<T, __VA_ARGS__>(c, fresh, a, b, m, n, k, a_row, a_term, b_column, b_term, a_sum, b_sum); \
	}
