#include "words.h"

// y = a·x + y
KERNEL saxpy(float a, const float *x, float *y, int n) {
	int i = block() * threads() + thread();
	if (i < n) y[i] = a * x[i] + y[i];
}

// out[block] = Σ x of a strided share; 256 threads
KERNEL sum(const float *x, float *out, int n) {
	SHARED static float s[256];
	uint t = thread();
	float a = 0;
	for (int i = block() * threads() + t; i < n; i += blocks() * threads()) a += x[i];
	s[t] = a;
	barrier();
	for (uint k = threads() / 2; k > 0; k /= 2) {
		if (t < k) s[t] += s[t + k];
		barrier();
	}
	if (t == 0) out[block()] = s[0];
}

// c (m,n) = a (m,k) b (k,n); blocks of 16 x 16
KERNEL gemm(const float *a, const float *b, float *c, int m, int n, int k) {
	SHARED static float as[16][17], bs[16][16];
	int tx = thread(), ty = __nvvm_read_ptx_sreg_tid_y();
	int row = __nvvm_read_ptx_sreg_ctaid_y() * 16 + ty, column = block() * 16 + tx;
	float sum = 0;
	for (int k0 = 0; k0 < k; k0 += 16) {
		as[ty][tx] = row < m && k0 + tx < k ? a[row * k + k0 + tx] : 0;
		bs[ty][tx] = k0 + ty < k && column < n ? b[(k0 + ty) * n + column] : 0;
		barrier();
		for (int i = 0; i < 16; i++) sum = __nvvm_fma_rn_f(as[ty][i], bs[i][tx], sum);
		barrier();
	}
	if (row < m && column < n) c[row * n + column] = sum;
}

DEVICE float across(float v, int mask) {
	return __builtin_bit_cast(float, __nvvm_shfl_sync_bfly_i32(-1, __builtin_bit_cast(int, v), mask, 31));
}

// y (rows,n) = softmax of x's rows; a warp a row, 4 warps
KERNEL softmax(const float *x, float *y, int rows, int n) {
	uint row = block() * 4 + thread() / 32, lane = thread() % 32;
	if (row >= rows) return;
	x += row * n;
	y += row * n;
	float top = -__builtin_inff();
	for (int i = lane; i < n; i += 32) top = __nvvm_fmax_f(top, x[i]);
	for (int o = 16; o > 0; o /= 2) top = __nvvm_fmax_f(top, across(top, o));
	float sum = 0;
	for (int i = lane; i < n; i += 32) sum += __nvvm_ex2_approx_f((x[i] - top) * 1.442695041f);
	for (int o = 16; o > 0; o /= 2) sum += across(sum, o);
	for (int i = lane; i < n; i += 32) y[i] = __nvvm_ex2_approx_f((x[i] - top) * 1.442695041f) / sum;
}

// count[v] += 1 for each x = v < bins; dynamic shared memory of bins words
KERNEL histogram(const unsigned char *x, uint *count, int n, uint bins) {
	extern SHARED uint local[];
	for (uint i = thread(); i < bins; i += threads()) local[i] = 0;
	barrier();
	for (int i = block() * threads() + thread(); i < n; i += blocks() * threads())
		if (x[i] < bins) __nvvm_atom_add_gen_i((int *)&local[x[i]], 1);
	barrier();
	for (uint i = thread(); i < bins; i += threads()) __nvvm_atom_add_gen_i((int *)&count[i], local[i]);
}

VARIABLE uint arrived;

// total = Σ x: blocks leave their sums in part, and the last to come adds them
KERNEL total(const float *x, float *part, float *out, int n) {
	SHARED static float s[64];
	SHARED static uint last;
	uint t = thread();
	float a = 0;
	for (int i = block() * 64 + t; i < n; i += blocks() * 64) a += x[i];
	s[t] = a;
	barrier();
	if (t == 0) {
		float b = 0;
		for (int i = 0; i < 64; i++) b += s[i];
		part[block()] = b;
		__nvvm_membar_gl();
		last = __nvvm_atom_inc_gen_ui(&arrived, blocks() - 1) == blocks() - 1;
	}
	barrier();
	if (last && t == 0) {
		float b = 0;
		for (uint i = 0; i < blocks(); i++) b += part[i];
		*out = b;
	}
}

CONSTANT float binomial[5] = {1, 4, 6, 4, 1};

struct Table {
	const float *x[3];
	int n[3];
};

// out[i] = x[i] smoothed by (1 4 6 4 1)/16, of the table's entry block(): a
// structure as a parameter, constant memory, and an array of the thread's own
KERNEL smooth(Table table, float *out) {
	int n = table.n[block()];
	const float *x = table.x[block()];
	for (int i = thread(); i < n; i += threads()) {
		float window[5];
		for (int k = 0; k < 5; k++) window[k] = 0;
		for (int k = 0; k < 5; k++)
			if (i + k >= 2 && i + k - 2 < n) window[(i + k) % 5] = x[i + k - 2];
		float sum = 0;
		for (int k = 0; k < 5; k++) sum += binomial[k] * window[(i + k) % 5];
		out[block() * 64 + i] = sum / 16;
	}
}

// y = x reversed within segments of eight, by shuffles in a diverged warp: odd
// segments also change sign
KERNEL reverse(const int *x, int *y) {
	int t = thread(), v = x[t];
	if (t / 8 % 2 == 1)
		v = -__nvvm_shfl_sync_idx_i32(0xff00ff00, v, 7 - t % 8, 0x181f);
	else
		v = __nvvm_shfl_sync_idx_i32(0x00ff00ff, v, 7 - t % 8, 0x181f);
	y[t] = v;
}
