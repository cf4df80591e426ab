package data

import (
	"math"
	"path/filepath"
	"slices"
	"testing"

	"phase/tensor"
	"phase/tensor/npy"
)

func npz(t *testing.T, arrays map[string]*tensor.Tensor) Spec {
	t.Helper()
	path := filepath.Join(t.TempDir(), "f.npz")
	if err := npy.WriteZip(path, arrays); err != nil {
		t.Fatal(err)
	}
	return Spec{Data: "features:" + path, Holdout: 0.5}
}

func TestFeatures(t *testing.T) {
	x, y := tensor.Of([]float32{1, 2, 3, 4, 5, 6, 7, 8}, 4, 2), tensor.Of([]int64{0, 1, 0, 1}, 4)
	p := mustOpen(t, npz(t, map[string]*tensor.Tensor{"x": x, "y": y, "x_test": tensor.Of([]float64{9, 10}, 1, 2), "y_test": tensor.Of([]int64{1}, 1)}))
	wantShape(t, p.Train, 2)
	wantLabels(t, p.Train, 0, 1, 0, 1)
	wantLabels(t, p.Test, 1)
	row := make([]float32, 2)
	if err := p.Train.(Features).Row(2, row); err != nil || !slices.Equal(row, []float32{5, 6}) {
		t.Errorf("row %v (%v), want [5 6]", row, err)
	}
	if err := p.Test.(Features).Row(0, row); err != nil || !slices.Equal(row, []float32{9, 10}) {
		t.Errorf("row %v (%v), want [9 10]", row, err)
	}
	p = mustOpen(t, npz(t, map[string]*tensor.Tensor{"x": x, "y": y}))
	if !slices.Equal(Counts(p.Train), []int{1, 1}) || !slices.Equal(Counts(p.Test), []int{1, 1}) {
		t.Errorf("split into %v and %v, want [1 1] twice", Counts(p.Train), Counts(p.Test))
	}
}

func TestFeaturesRefused(t *testing.T) {
	x, y := tensor.Of([]float32{1, 2, 3, 4}, 2, 2), tensor.Of([]int64{0, 1}, 2)
	for _, k := range []struct {
		x, y, xTest, yTest *tensor.Tensor
		say                []string
	}{
		{nil, y, nil, nil, []string{"arrays x and y"}},
		{x, tensor.Of([]int64{0}, 1), nil, nil, []string{"2 rows", "1 labels"}},
		{x, tensor.Of([]int64{0, -1}, 2), nil, nil, []string{"row 1", "-1"}},
		{x, tensor.Of([]int64{0, 1 << 60}, 2), nil, nil, []string{"row 1"}},
		{x, tensor.Of([]float32{0, 1}, 2), nil, nil, []string{"y is (2) of f32", "integers"}},
		{tensor.Of([]int64{1, 2}, 2, 1), y, nil, nil, []string{"floats"}},
		{tensor.Of([]float32{1, 2}, 2), y, nil, nil, []string{"(n,d)"}},
		{tensor.Of([]float32{1, 2, 3, float32(math.NaN())}, 2, 2), y, nil, nil, []string{"row 1, column 1", "NaN"}},
		{tensor.Of([]float64{1, 2, 1e300, 4}, 2, 2), y, nil, nil, []string{"row 1, column 0", "Inf"}},
		{x, y, x, nil, []string{"x_test and y_test"}},
		{x, y, tensor.Of([]float32{1, 2}, 2, 1), y, []string{"2 columns", "1"}},
		{x, y, x, tensor.Of([]int64{0, 2}, 2), []string{"y_test", "row 1", "label 2", "0 to 1"}},
		{x, tensor.Of([]int64{0, 2}, 2), nil, nil, []string{"held out"}},
		{x, tensor.Of([]int64{0, 2}, 2), x, y, []string{"class 1 (1) has no training samples"}},
	} {
		arrays := map[string]*tensor.Tensor{}
		for name, a := range map[string]*tensor.Tensor{"x": k.x, "y": k.y, "x_test": k.xTest, "y_test": k.yTest} {
			if a != nil {
				arrays[name] = a
			}
		}
		_, err := Open(t.Context(), npz(t, arrays))
		wantError(t, err, append(k.say, "f.npz")...)
	}
}
