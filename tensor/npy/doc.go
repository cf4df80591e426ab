// Package npy reads and writes NumPy's files of one array (.npy) and of
// several (.npz, a zip archive of the former).
//
// What a file claims is measured against the bytes it holds before any memory
// is asked for, and everything that is not a plain array of numbers is refused
// in one line that names the byte. Nothing in a file is ever executed: object
// arrays, which are Python pickles, are not read.
//
// The format: "\x93NUMPY", two bytes of version, the length of the header (2
// bytes in version 1, 4 in versions 2 and 3), the header, which is a Python
// dictionary such as
//
//	{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }
//
// padded with blanks, and the elements.
// https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
package npy
