package data

import (
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"phase/tensor"
)

// Limits of an IDX header: far above any published set, far below what would
// exhaust memory by a lie.
const (
	maxIDXItems  = 1 << 28
	maxIDXExtent = 1 << 15
	maxIDXBytes  = 1 << 36
)

// readIDX reads an IDX stream of unsigned bytes with the given number of axes
// (yann.lecun.com/exdb/mnist): two zero bytes, the type 8, the number of axes,
// each extent as a big-endian uint32, then the bytes.
func readIDX(r io.Reader, axes int) (b []byte, shape tensor.Shape, err error) {
	head, err := readN(r, 4)
	if err != nil {
		return nil, nil, fmt.Errorf("IDX header: %w", err)
	}
	if want := [4]byte{0, 0, 8, byte(axes)}; [4]byte(head) != want {
		return nil, nil, fmt.Errorf("byte 0: magic % x, want % x (unsigned bytes, %d axes)", head, want, axes)
	}
	extents, err := readN(r, int64(4*axes))
	if err != nil {
		return nil, nil, fmt.Errorf("IDX header after byte 4: %w", err)
	}
	size := int64(1)
	for a := range axes {
		at := 4 + 4*a
		n := int64(binary.BigEndian.Uint32(extents[4*a:]))
		limit := int64(maxIDXExtent)
		if a == 0 {
			limit = maxIDXItems
		}
		if n < 1 || n > limit {
			return nil, nil, fmt.Errorf("byte %d: axis %d has extent %d, want 1 to %d", at, a, n, limit)
		}
		shape = append(shape, int(n))
		if size *= n; size > min(maxIDXBytes, math.MaxInt) { // after each axis, so that it never overflows
			return nil, nil, fmt.Errorf("byte 4: axes %v have %d bytes, want at most %d", shape, size, int64(min(maxIDXBytes, math.MaxInt)))
		}
	}
	if b, err = readN(r, size); err != nil {
		return nil, nil, fmt.Errorf("data after the %d-byte header: %w", 4+4*axes, err)
	}
	switch n, err := r.Read(make([]byte, 1)); {
	case n > 0:
		return nil, nil, fmt.Errorf("byte %d: more data than shape %v has", int64(4+4*axes)+size, shape)
	case err != nil && err != io.EOF: // the checksum at the end of a gzip file
		return nil, nil, err
	}
	return b, shape, nil
}

// readIDXFile reads name, or name.gz, from f.
func (f folder) readIDXFile(name string, axes int) (b []byte, shape tensor.Shape, at string, err error) {
	if !f.has(name) {
		name += ".gz"
	}
	file, _, err := f.openFile(name)
	if err != nil {
		return nil, nil, "", err
	}
	defer file.Close()
	at = f.at(name)
	r := io.Reader(file)
	if strings.HasSuffix(name, ".gz") {
		if r, err = gzip.NewReader(file); err != nil {
			return nil, nil, "", fmt.Errorf("%s: broken gzip: %w", at, err)
		}
	}
	if b, shape, err = readIDX(r, axes); err != nil {
		return nil, nil, "", fmt.Errorf("%s: %w", at, err)
	}
	return b, shape, at, nil
}

// readIDXSet reads a pair of image and label files: prefix is train or t10k.
// classes is 0 where the labels decide how many there are.
func (f folder) readIDXSet(prefix string, classes int) (m *memoryImages, err error) {
	pixels, shape, at, err := f.readIDXFile(prefix+"-images-idx3-ubyte", 3)
	if err != nil {
		return nil, err
	}
	labels, count, labelsAt, err := f.readIDXFile(prefix+"-labels-idx1-ubyte", 1)
	if err != nil {
		return nil, err
	}
	if count[0] != shape[0] {
		return nil, fmt.Errorf("%s: %d labels for the %d images of %s", labelsAt, count[0], shape[0], at)
	}
	y := make([]int, len(labels))
	top := 0
	for i, l := range labels {
		if y[i] = int(l); classes > 0 && y[i] >= classes {
			return nil, fmt.Errorf("%s: byte %d: label %d of image %d, want 0 to %d", labelsAt, 8+i, l, i, classes-1)
		}
		top = max(top, y[i])
	}
	if classes == 0 {
		classes = top + 1
	}
	return &memoryImages{labelled{y, numbered(classes)}, tensor.Shape{1, shape[1], shape[2]}, pixels}, nil
}

// openIDX reads an IDX folder: the four files of MNIST, gzipped or plain.
func openIDX(f folder) (train, test *memoryImages, err error) {
	if train, err = f.readIDXSet("train", 0); err != nil {
		return nil, nil, err
	}
	test, err = f.readIDXSet("t10k", len(train.classes))
	return train, test, err
}

// numbered names classes that have no names: 0, 1, ...
func numbered(classes int) []string {
	names := make([]string, classes)
	for i := range names {
		names[i] = strconv.Itoa(i)
	}
	return names
}
