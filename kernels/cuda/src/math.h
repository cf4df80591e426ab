// Exponentials and what is made of them, in double precision: within an ulp or
// two everywhere, which for results in float is the last bit. CUDA's own lie in
// a library that this build does without; ex2.approx and lg2.approx are too
// coarse.
#pragma once
#include "phase.h"

DEVICE ulong bits(double v) { return __builtin_bit_cast(ulong, v); }
DEVICE double number(ulong b) { return __builtin_bit_cast(double, b); }
DEVICE double infinity() { return number(0x7ffull << 52); }

// power2 is 2^k for normal numbers.
DEVICE double power2(int k) { return number((ulong)(k + 1023) << 52); }

// ln 2 in two parts: k times the first is exact for |k| < 2^20.
#define LN2_HIGH 0x1.62e42feep-1
#define LN2_LOW 0x1.a39ef35793c76p-33

// reduced writes x = k ln 2 + r with |r| <= ln(2)/2 and returns e^r - 1, by
// Taylor's series: the first term left out is below 2^-57. |x| < 2^20.
DEVICE double reduced(double x, int *k) {
	const double shift = 0x1.8p52; // adding it leaves the nearest integer in the low bits
	double t = fused(x, 0x1.71547652b82fep0, shift);
	*k = (int)(uint)bits(t);
	t -= shift;
	double r = fused(t, -LN2_LOW, fused(t, -LN2_HIGH, x));
	double p = 1. / 6227020800; // 1/13!
	p = fused(p, r, 1. / 479001600);
	p = fused(p, r, 1. / 39916800);
	p = fused(p, r, 1. / 3628800);
	p = fused(p, r, 1. / 362880);
	p = fused(p, r, 1. / 40320);
	p = fused(p, r, 1. / 5040);
	p = fused(p, r, 1. / 720);
	p = fused(p, r, 1. / 120);
	p = fused(p, r, 1. / 24);
	p = fused(p, r, 1. / 6);
	p = fused(p, r, .5);
	return fused(p * r, r, r);
}

// exponential is e^x.
DEVICE double exponential(double x) {
	if (x > 709.8) return infinity();
	if (x < -745.2) return 0;
	if (x != x) return x;
	int k;
	double p = reduced(x, &k) + 1;
	int half = k >> 1; // 2^k itself may be out of range
	return p * power2(half) * power2(k - half);
}

// exponential_less_1 is e^x - 1, exact near 0 too.
DEVICE double exponential_less_1(double x) {
	if (x > 700 || x < -50 || x != x) return exponential(x) - 1;
	int k;
	double p = reduced(x, &k), scale = power2(k);
	return fused(p, scale, scale - 1);
}

// logarithm is ln x. With x = 2^e·m and s = (m-1)/(m+1), ln m = 2 artanh s, whose
// series in s^2 <= .0295 needs eleven terms.
DEVICE double logarithm(double x) {
	if (x < 0 || x != x) return number(0x7ff8ull << 48);
	if (x == 0) return -infinity();
	if (x == infinity()) return x;
	int e = 0;
	if (x < 0x1p-1022) {
		x *= 0x1p54;
		e = -54;
	}
	ulong b = bits(x) + 0x95f6199000000; // carries into the exponent where m >= sqrt 2
	e += (int)(b >> 52) - 1023;
	double f = number((b & 0xfffffffffffff) - 0x95f6199000000 + (1023ull << 52)) - 1;
	double s = f / (2 + f), z = s * s;
	double p = 2. / 23;
	p = fused(p, z, 2. / 21);
	p = fused(p, z, 2. / 19);
	p = fused(p, z, 2. / 17);
	p = fused(p, z, 2. / 15);
	p = fused(p, z, 2. / 13);
	p = fused(p, z, 2. / 11);
	p = fused(p, z, 2. / 9);
	p = fused(p, z, 2. / 7);
	p = fused(p, z, 2. / 5);
	p = fused(p, z, 2. / 3);
	// 2s = f - s·f: the error of the division then counts only with s·f's weight.
	double low = fused(s, fused(p, z, -f), e * LN2_LOW);
	return fused((double)e, LN2_HIGH, f + low);
}

// logarithm_of_1_plus is ln(1+x), exact near 0 too: what 1+x lost is put right
// by the quotient.
DEVICE double logarithm_of_1_plus(double x) {
	double u = 1 + x;
	if (u == 1) return x;
	if (u == infinity()) return u;
	return logarithm(u) * (x / (u - 1));
}

// power is x^y for x >= 0.
DEVICE double power(double x, double y) {
	if (y == 0) return 1;
	if (y == 1) return x;
	if (y == 2) return x * x;
	if (y == 4) return x * x * (x * x);
	return exponential(y * logarithm(x));
}

DEVICE double hyperbolic_tangent(double x) {
	if (x > 20) return 1;
	if (x < -20) return -1;
	double e = exponential_less_1(2 * x);
	return e / (e + 2);
}

DEVICE double sigmoid(double x) { return 1 / (1 + exponential(-x)); }

#define SQRT_PI 0x1.c5bf891b4ef6bp0
#define SQRT_HALF 0x1.6a09e667f3bcdp-1

// normal_density is e^(-x^2/2)/sqrt(2 pi).
DEVICE double normal_density(double x) { return exponential(-x * x / 2) * (SQRT_HALF / SQRT_PI); }

// normal_below is the standard normal distribution function at x. With z =
// |x|/sqrt 2, erf z is 2/sqrt(pi) e^(-z^2) Σ 2^n z^(2n+1)/(1·3·5···(2n+1)), all
// terms positive, and beyond that erfc z is e^(-z^2)/sqrt(pi) over the continued
// fraction z + (1/2)/(z + (2/2)/(z + (3/2)/(z + ···))).
DEVICE double normal_below(double x) {
	double z = SQRT_HALF * (x < 0 ? -x : x), tail;
	if (z < 2.5) {
		double term = z, sum = z;
#pragma unroll 1
		for (int n = 1; n <= 48; n++) {
			term *= 2 * z * z / (2 * n + 1);
			sum += term;
		}
		tail = .5 - exponential(-z * z) * sum / SQRT_PI;
	} else {
		double t = z;
#pragma unroll 1
		for (int n = 48; n > 0; n--) t = z + .5 * n / t;
		tail = exponential(-z * z) / (2 * SQRT_PI * t);
	}
	return x < 0 ? tail : 1 - tail;
}
