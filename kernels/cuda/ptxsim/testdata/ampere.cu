#include "words.h"

DEVICE uint tf32(float v) {
	uint d;
	asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(d) : "f"(v));
	return d;
}

// c (16,8) = a (16,k) b (k,8) in tf32; one warp, k a multiple of 8
KERNEL mma_tf32(const float *a, const float *b, float *c, int k) {
	int g = thread() / 4, t = thread() % 4;
	float d[4] = {};
	for (int i = 0; i < k; i += 8) {
		uint a0 = tf32(a[g * k + i + t]), a1 = tf32(a[(g + 8) * k + i + t]);
		uint a2 = tf32(a[g * k + i + t + 4]), a3 = tf32(a[(g + 8) * k + i + t + 4]);
		uint b0 = tf32(b[(i + t) * 8 + g]), b1 = tf32(b[(i + t + 4) * 8 + g]);
		asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
			: "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]) : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
	}
	c[g * 8 + 2 * t] = d[0];
	c[g * 8 + 2 * t + 1] = d[1];
	c[(g + 8) * 8 + 2 * t] = d[2];
	c[(g + 8) * 8 + 2 * t + 1] = d[3];
}

// c (16,8) = a (16,16) b (16,8) of bf16, by way of shared memory: a row-major,
// b given transposed, (8,16)
KERNEL mma_bf16(const half *a, const half *b, float *c) {
	SHARED static __attribute__((aligned(16))) half as[16][16], bs[8][16];
	int l = thread();
	for (int i = l; i < 256; i += 32) as[i / 16][i % 16] = a[i];
	for (int i = l; i < 128; i += 32) bs[i / 16][i % 16] = b[i];
	__nvvm_bar_warp_sync(-1);
	uint a0, a1, a2, a3, b0, b1;
	asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
		: "=r"(a0), "=r"(a1), "=r"(a2), "=r"(a3) : "r"(shared_address(&as[l % 16][l / 16 * 8])));
	asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0,%1}, [%2];"
		: "=r"(b0), "=r"(b1) : "r"(shared_address(&bs[l % 8][l / 8 % 2 * 8])));
	float d[4] = {};
	asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
		: "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]) : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
	int g = l / 4, t = l % 4;
	c[g * 8 + 2 * t] = d[0];
	c[g * 8 + 2 * t + 1] = d[1];
	c[(g + 8) * 8 + 2 * t] = d[2];
	c[(g + 8) * 8 + 2 * t + 1] = d[3];
}

// y[i] = x[i] + x[i+1] within tiles of 128, the last of each alone: tiles come
// by cp.async, the next while one is worked on; 32 threads
KERNEL stream(const float *x, float *y, int tiles) {
	SHARED static __attribute__((aligned(16))) float s[2][128];
	int t = thread();
	asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(shared_address(&s[0][4 * t])), "l"(x + 4 * t));
	asm volatile("cp.async.commit_group;");
	for (int i = 0; i < tiles; i++) {
		if (i + 1 < tiles)
			asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(shared_address(&s[(i + 1) % 2][4 * t])), "l"(x + (i + 1) * 128 + 4 * t));
		asm volatile("cp.async.commit_group;");
		asm volatile("cp.async.wait_group 1;" ::: "memory");
		barrier();
		for (int j = t; j < 128; j += 32) y[i * 128 + j] = s[i % 2][j] + (j < 127 ? s[i % 2][j + 1] : 0);
		barrier();
	}
}
