// Convolution of channels-last images as a product of matrices that are never
// written down: the loaders pick the windows out of the images.
#pragma once
#include "tile.h"

// A Scene is images (n,h,w,c), and windows of taps over them: window (i,j) of an
// image sees row i·step + first_row + r·tap_step for each r below tap_rows, columns
// alike. There are rows × columns windows to an image. Channels are those of one
// group; p is at its first.
//
// The value of a convolution has the windows that its description says. The
// gradient by the input is one as well, of dy: with stride S, the pixels whose
// coordinates leave the same remainders see the same taps, at every
// (dilation/gcd)-th place, backwards.
template <class S> struct Scene {
	const S *p;
	int images, height, width, pitch, channels; // pitch: from pixel to pixel
	int rows, columns, step, first_row, first_column;
	int tap_rows, tap_columns, tap_step;

	METHOD int windows() const { return images * rows * columns; }
	METHOD int terms() const { return tap_rows * tap_columns * channels; }
};
#define SCENE(S) \
	const S *p, int images, int height, int width, int pitch, int channels, int rows, int columns, int step, int first_row, int first_column, \
	    int tap_rows, int tap_columns, int tap_step
#define OF_SCENE(S, group) \
	Scene<S>{p + (group) * channels, images, height, width, pitch, channels, rows, columns, step, first_row, first_column, tap_rows, tap_columns, tap_step}

// A Position is where a window stands.
struct Position {
	int image, row, column;
};
template <class S> DEVICE Position position(const Scene<S> &s, int window) {
	int row = window / s.columns, image = row / s.rows;
	return Position{image, row - image * s.rows, window - row * s.columns};
}

// Windows loads the matrix of all windows (rows) by all of a window's numbers,
// channel by channel and tap by tap (terms). Of the EACH windows that a thread
// looks at it remembers the corners, and of the sum one place, which moves on.
template <class S, int EACH> struct Windows {
	Share share;
	Scene<S> s;
	int row[EACH], column[EACH], corner[EACH];
	int tap_row, tap_column, channel;

	METHOD Windows(Share share, const Scene<S> &s, int first) : share(share), s(s), tap_row(0), tap_column(0), channel(share.term) {
#pragma unroll
		for (int j = 0; j < EACH; j++) {
			int window = first + share.row + j * share.rows;
			Position at = position(s, window);
			row[j] = window < s.windows() ? at.row * s.step + s.first_row : -0x40000000; // outside whatever the tap
			column[j] = at.column * s.step + s.first_column;
			corner[j] = ((at.image * s.height + row[j]) * s.width + column[j]) * s.pitch;
		}
		settle();
	}
	METHOD void settle() {
		while (channel >= s.channels) {
			channel -= s.channels;
			if (++tap_column == s.tap_columns) {
				tap_column = 0;
				tap_row++;
			}
		}
	}
	METHOD void next() {
		channel += share.step;
		settle();
	}
	METHOD wide<S> get(int j) const {
		int down = tap_row * s.tap_step, right = tap_column * s.tap_step;
		bool inside = (uint)(row[j] + down) < (uint)s.height && (uint)(column[j] + right) < (uint)s.width && tap_row < s.tap_rows;
		return inside ? ::get(s.p + corner[j] + (down * s.width + right) * s.pitch + channel) : wide<S>(0);
	}
};

// Turned loads the same matrix transposed: a thread has one number of the window
// (a row) and goes through the windows (terms), up to last.
template <class S> struct Turned {
	Share share;
	Scene<S> s;
	bool real; // the row exists
	int down, right, channel;
	Position at;
	int window, last;

	METHOD Turned(Share share, const Scene<S> &s, int first_row, int first, int last) : share(share), s(s), window(first + share.term), last(last) {
		int row = first_row + share.row, tap = row / s.channels, tap_row = tap / s.tap_columns;
		real = row < s.terms();
		channel = row - tap * s.channels;
		down = tap_row * s.tap_step + s.first_row;
		right = (tap - tap_row * s.tap_columns) * s.tap_step + s.first_column;
		at = position(s, window);
	}
	METHOD void next() {}
	// get is called for one j after the other; after the last one the window is
	// that of the next step's first.
	METHOD wide<S> get(int) {
		int row = at.row * s.step + down, column = at.column * s.step + right;
		bool inside = (uint)row < (uint)s.height && (uint)column < (uint)s.width && real && window < last;
		wide<S> v = inside ? ::get(s.p + ((at.image * s.height + row) * s.width + column) * s.pitch + channel) : wide<S>(0);
		window += share.terms;
		at.column += share.terms;
		while (at.column >= s.columns) {
			at.column -= s.columns;
			if (++at.row == s.rows) {
				at.row = 0;
				at.image++;
			}
		}
		return v;
	}
};

// out += windows × weights, for a class of pixels: window (i,j) goes to pixel
// (out_row + i·out_step, out_column + j·out_step) of images (n,out_height,out_width,
// out_pitch). weights are (groups,tap_rows,tap_columns,channels,outputs).
template <class S, class Tile>
DEVICE void conv(S *out, int fresh, const wide<S> *weights, int outputs, int out_height, int out_width, int out_pitch,
                 int out_row, int out_column, int out_step, const Scene<S> &s) {
	SHARED typename Tile::Room room;
	int group = block_z(), top = block() * Tile::M, left = block_y() * Tile::N, terms = s.terms();
	Tile tile;
	multiply(tile, room, Windows<S, Tile::A_EACH>(share(true, Tile::M, Tile::THREADS, Tile::STEP), s, top),
	         Matrix<wide<S>>{share(false, Tile::N, Tile::THREADS, Tile::STEP), weights + group * terms * outputs, left, outputs, 0, terms, 1, outputs}, terms);
	tile.deliver([=](int row, int column, auto &run) {
		if (top + row >= s.windows()) return;
		Position at = position(s, top + row);
		int pixel = (at.image * out_height + out_row + at.row * out_step) * out_width + out_column + at.column * out_step;
		give_run(out + pixel * out_pitch + group * outputs + left + column, run, outputs - left - column, fresh);
	});
}

// MAKE_CONV and MAKE_CONV_WEIGHTS make the kernel of a tile.
#define MAKE_CONV(name, S, ...) \
	KERNEL_OF((__VA_ARGS__::THREADS)) name(S *out, int fresh, const wide<S> *weights, int outputs, int out_height, int out_width, int out_pitch, \
	                                       int out_row, int out_column, int out_step, SCENE(S)) { \
		conv<S, __VA_ARGS__>(out, fresh, weights, outputs, out_height, out_width, out_pitch, out_row, out_column, out_step, OF_SCENE(S, block_z())); \
	}

// part[slice] (groups,tap_rows,tap_columns,channels,outputs) = turned windows × dy
// over the slice's windows, each of them; dy is the (n,rows,columns,dy_pitch)
// numbers that the windows made.
template <class S, class Tile>
DEVICE void conv_weights(wide<S> *part, const S *dy, int outputs, int dy_pitch, int groups, int each, const Scene<S> &s, int group, int slice) {
	SHARED typename Tile::Room room;
	int top = block() * Tile::M, left = block_y() * Tile::N, rows = s.terms();
	int first = slice * each, last = least(first + each, s.windows());
	Tile tile;
	multiply(tile, room, Turned<S>(share(false, Tile::M, Tile::THREADS, Tile::STEP), s, top, first, last),
	         Matrix<S>{share(false, Tile::N, Tile::THREADS, Tile::STEP), dy + group * outputs, left, outputs, first, last, 1, dy_pitch}, last - first);
	part += (slice * groups + group) * rows * outputs;
	tile.deliver([=](int row, int column, auto &run) {
		if (top + row < rows) give_run(part + (top + row) * outputs + left + column, run, outputs - left - column, 1);
	});
}

#define MAKE_CONV_WEIGHTS(name, S, ...) \
	KERNEL_OF((__VA_ARGS__::THREADS)) name(wide<S> *part, const S *dy, int outputs, int dy_pitch, int groups, int each, SCENE(S)) { \
		int group = block_z() % groups, slice = block_z() / groups; \
		conv_weights<S, __VA_ARGS__>(part, dy, outputs, dy_pitch, groups, each, OF_SCENE(S, group), group, slice); \
	}
