package data

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"path/filepath"

	"phase/tensor"
	"phase/tensor/npy"
)

// openFeatures reads an .npz file of x (n,d) and y (n), and of x_test and
// y_test if it has them; otherwise some rows are held out. Classes are the
// numbers 0, 1, ... up to the largest label in y.
func openFeatures(path string, spec Spec) (*Pair, error) {
	f, err := openFolder(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	name := filepath.Base(path)
	file, size, err := f.openFile(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	at, ok := file.(io.ReaderAt)
	if !ok {
		return nil, fmt.Errorf("%s: cannot be read from the middle", f.at(name))
	}
	arrays, err := npy.DecodeZip(at, size)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.at(name), err)
	}
	pair, err := featurePair(arrays, spec)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.at(name), err)
	}
	return pair, nil
}

func featurePair(arrays map[string]*tensor.Tensor, spec Spec) (*Pair, error) {
	train, err := featureSet(arrays, "x", "y", 0)
	if err != nil {
		return nil, err
	}
	if arrays["x_test"] == nil && arrays["y_test"] == nil {
		stay, held := holdOut(train.labels, len(train.classes), cmp.Or(spec.Holdout, 0.2), spec.Seed)
		if len(held) == 0 {
			return nil, fmt.Errorf("no class has two rows, so none can be held out for testing")
		}
		return &Pair{Train: Subset(train, stay), Test: Subset(train, held)}, nil
	}
	test, err := featureSet(arrays, "x_test", "y_test", len(train.classes))
	if err != nil {
		return nil, err
	}
	if train.d != test.d {
		return nil, fmt.Errorf("x has %d columns, x_test %d", train.d, test.d)
	}
	return &Pair{Train: train, Test: test}, nil
}

// featureSet is the data set of two arrays; classes is 0 where the labels
// decide how many there are.
func featureSet(arrays map[string]*tensor.Tensor, xName, yName string, classes int) (*memoryFeatures, error) {
	x, y := arrays[xName], arrays[yName]
	switch {
	case x == nil || y == nil:
		return nil, fmt.Errorf("want arrays %s and %s", xName, yName)
	case x.Dims() != 2 || x.DType() == tensor.I64 || x.Size() == 0:
		return nil, fmt.Errorf("%s is %v of %v, want floats (n,d)", xName, x.Shape(), x.DType())
	case y.Dims() != 1 || y.DType() != tensor.I64:
		return nil, fmt.Errorf("%s is %v of %v, want integers (n)", yName, y.Shape(), y.DType())
	case x.Dim(0) != y.Dim(0):
		return nil, fmt.Errorf("%d rows of %s but %d labels in %s", x.Dim(0), xName, y.Dim(0), yName)
	}
	limit := int64(cmp.Or(classes, maxClasses))
	labels, top := make([]int, y.Size()), 0
	for i, v := range tensor.Data[int64](y) {
		if v < 0 || v >= limit {
			return nil, fmt.Errorf("%s: row %d: label %d, want 0 to %d", yName, i, v, limit-1)
		}
		labels[i] = int(v)
		top = max(top, int(v))
	}
	var rows []float32
	if x.DType() == tensor.F32 {
		rows = tensor.Data[float32](x)
	} else {
		for _, v := range tensor.Data[float64](x) {
			rows = append(rows, float32(v))
		}
	}
	d := x.Dim(1)
	for i, v := range rows { // after the conversion: a float64 may be too large
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return nil, fmt.Errorf("%s: row %d, column %d is %v as a float32, want finite numbers", xName, i/d, i%d, v)
		}
	}
	return &memoryFeatures{labelled{labels, numbered(cmp.Or(classes, top+1))}, d, rows}, nil
}
