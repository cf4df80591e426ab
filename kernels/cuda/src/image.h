// Training images from bytes, on the device.
#pragma once
#include "phase.h"

// y (n,h,w,c) is byte images, each cropped and flipped its own way and normalised.
// pick[i] is (image, dy, dx, flip): y's pixel (r,s) of image i is the byte image's
// (r+dy, s'+dx), where s' is s or, flipped, w-1-s, and black where there is none.
// table[channel][byte] says what number a byte is.
#define MAKE(S, form) \
	KERNEL images_##form(S *y, const unsigned char *bytes, const label *pick, const float *table, uint h, uint w, uint c, uint count) { \
		uint i = place(); \
		if (i >= count) return; \
		uint p = i / c, channel = i - p * c, r = p / w, s = p - r * w, n = r / h; \
		r -= n * h; \
		pick += 4 * n; \
		if (pick[3]) s = w - 1 - s; \
		r += (uint)pick[1]; \
		s += (uint)pick[2]; \
		uint v = r < h && s < w ? bytes[(((ulong)pick[0] * h + r) * w + s) * c + channel] : 0; \
		put(y + i, wide<S>(table[channel * 256 + v])); \
	}
IMAGES(MAKE)
#undef MAKE
