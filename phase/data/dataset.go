// Package data says what a network learns from: labelled images or feature
// rows, where they are read from, how they are augmented and normalised, and
// in which order they come as batches.
//
// There are only a few types: Dataset with its two kinds Images and Features,
// Spec and Pair (what Open is asked for and what it returns), Decoder,
// Augment, Normalize, and Loader with its Batch.
//
// Files below a data folder are opened through os.Root, so that neither a
// link nor a path in a list leads out of it; sizes are checked before memory
// is asked for; whatever is wrong with a file is an error that names it and
// the place in it.
package data

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"

	"phase/tensor"
)

// A Dataset is a sequence of labelled samples of one shape. Its methods may be
// called from several goroutines at once.
type Dataset interface {
	Len() int
	Classes() []string   // names in label order; must not be changed
	Label(i int) int     // 0 <= label < len(Classes())
	Shape() tensor.Shape // of one sample: (c,h,w) of an image, (d) of a feature row
}

// Images is a Dataset of 8-bit images.
type Images interface {
	Dataset
	// Pixels writes image i into dst, which holds h*w*c bytes: rows from the
	// top, pixels from the left, channels side by side.
	Pixels(i int, dst []uint8) error
}

// Features is a Dataset of rows of d numbers, such as embeddings that some
// other network made.
type Features interface {
	Dataset
	// Row writes row i into dst, which holds d numbers.
	Row(i int, dst []float32) error
}

// labelled is what every data set in this package has: labels and their names.
type labelled struct {
	labels  []int
	classes []string
}

func (l *labelled) Len() int          { return len(l.labels) }
func (l *labelled) Classes() []string { return l.classes }
func (l *labelled) Label(i int) int   { return l.labels[i] }

// distinct says which classes share a name: classes are matched by their names.
func distinct(classes []string) error {
	seen := make(map[string]int, len(classes))
	for i, name := range classes {
		if j, twice := seen[name]; twice {
			return fmt.Errorf("classes %d and %d have the same name %q", j, i, name)
		}
		seen[name] = i
	}
	return nil
}

func (l *labelled) check() error {
	if err := distinct(l.classes); err != nil {
		return err
	}
	for i, y := range l.labels {
		if y < 0 || y >= len(l.classes) {
			return fmt.Errorf("sample %d: label %d, want 0 to %d", i, y, len(l.classes)-1)
		}
	}
	return nil
}

// memoryImages holds its pixels in memory, one image after another.
type memoryImages struct {
	labelled
	shape  tensor.Shape
	pixels []uint8
}

// NewImages is a data set over images in memory: pixels holds len(labels)
// images of h*w*c bytes each, laid out as Images.Pixels says. Nothing is
// copied.
func NewImages(pixels []uint8, h, w, c int, labels []int, classes []string) (Images, error) {
	if h < 1 || w < 1 || c < 1 {
		return nil, fmt.Errorf("images of %dx%d pixels and %d channels, want at least 1 of each", h, w, c)
	}
	if len(pixels) != len(labels)*h*w*c {
		return nil, fmt.Errorf("%d bytes do not hold %d images of %dx%dx%d", len(pixels), len(labels), h, w, c)
	}
	m := &memoryImages{labelled{labels, classes}, tensor.Shape{c, h, w}, pixels}
	if err := m.check(); err != nil {
		return nil, err
	}
	return m, nil
}

func (m *memoryImages) Shape() tensor.Shape { return m.shape }

func (m *memoryImages) Pixels(i int, dst []uint8) error {
	copy(dst, m.at(i))
	return nil
}

func (m *memoryImages) at(i int) []uint8 {
	n := m.shape.Size()
	return m.pixels[i*n : (i+1)*n]
}

// memoryFeatures holds its rows in memory.
type memoryFeatures struct {
	labelled
	d int
	x []float32
}

// NewFeatures is a data set over feature rows in memory: x holds len(labels)
// rows of d finite numbers. Nothing is copied.
func NewFeatures(x []float32, d int, labels []int, classes []string) (Features, error) {
	if d < 1 {
		return nil, fmt.Errorf("feature rows of %d numbers, want at least 1", d)
	}
	if len(x) != len(labels)*d {
		return nil, fmt.Errorf("%d numbers do not fill %d feature rows of %d", len(x), len(labels), d)
	}
	for i, v := range x {
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return nil, fmt.Errorf("row %d, column %d is %v, want finite numbers", i/d, i%d, v)
		}
	}
	m := &memoryFeatures{labelled{labels, classes}, d, x}
	if err := m.check(); err != nil {
		return nil, err
	}
	return m, nil
}

func (m *memoryFeatures) Shape() tensor.Shape { return tensor.Shape{m.d} }

func (m *memoryFeatures) Row(i int, dst []float32) error {
	copy(dst, m.x[i*m.d:(i+1)*m.d])
	return nil
}

// subset is the part of a data set that index lists.
type subset struct {
	Dataset
	index []int
}

func (s *subset) Len() int        { return len(s.index) }
func (s *subset) Label(i int) int { return s.Dataset.Label(s.index[i]) }

type subsetImages struct {
	subset
	of Images
}

func (s *subsetImages) Pixels(i int, dst []uint8) error { return s.of.Pixels(s.index[i], dst) }

type subsetFeatures struct {
	subset
	of Features
}

func (s *subsetFeatures) Row(i int, dst []float32) error { return s.of.Row(s.index[i], dst) }

// Subset is the data set of the samples of ds that index lists, in that order;
// sample i of it is sample index[i] of ds. It has all of ds's classes, also
// those of which no sample is left. An index outside ds panics with a
// *tensor.Error.
func Subset(ds Dataset, index []int) Dataset {
	for k, i := range index {
		if i < 0 || i >= ds.Len() {
			panic(tensor.Errorf("data.Subset", "index %d at position %d, want 0 to %d", i, k, ds.Len()-1))
		}
	}
	switch of := ds.(type) {
	case Images:
		return &subsetImages{subset{ds, index}, of}
	case Features:
		return &subsetFeatures{subset{ds, index}, of}
	}
	panic(tensor.Errorf("data.Subset", "%T holds neither images nor features", ds))
}

// Labels lists the labels of ds in order.
func Labels(ds Dataset) []int {
	y := make([]int, ds.Len())
	for i := range y {
		y[i] = ds.Label(i)
	}
	return y
}

// Counts is the number of samples of each class of ds, in label order.
func Counts(ds Dataset) []int {
	n := make([]int, len(ds.Classes()))
	for i := range ds.Len() {
		n[ds.Label(i)]++
	}
	return n
}

// Checksum is a SHA-256, in hexadecimal, of what ds holds: its shape, class
// names, labels and samples in order. Two data sets with one checksum are the
// same for training, wherever their files lie and whatever format they have.
// It ends early with the error of a sample, or of ctx.
func Checksum(ctx context.Context, ds Dataset) (string, error) {
	head := sha256.New()
	fmt.Fprintf(head, "%v\n%q\n", ds.Shape(), ds.Classes())
	sums := make([][sha256.Size]byte, ds.Len())
	size := ds.Shape().Size()
	if err := parallel(ctx, ds.Len(), func() func(int) error {
		pixels, row := make([]uint8, size), make([]float32, size)
		return func(i int) error {
			switch ds := ds.(type) {
			case Images:
				err := ds.Pixels(i, pixels)
				sums[i] = sha256.Sum256(pixels)
				return err
			case Features:
				err := ds.Row(i, row)
				h := sha256.New()
				binary.Write(h, binary.LittleEndian, row) // a hash never fails
				h.Sum(sums[i][:0])
				return err
			}
			return fmt.Errorf("%T holds neither images nor features", ds)
		}
	}); err != nil {
		return "", err
	}
	var label [8]byte
	for i := range sums {
		binary.LittleEndian.PutUint64(label[:], uint64(ds.Label(i)))
		head.Write(label[:])
		head.Write(sums[i][:])
	}
	return hex.EncodeToString(head.Sum(nil)), nil
}
