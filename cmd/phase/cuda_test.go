//go:build cuda && linux && amd64

package main

import (
	"math"
	"path/filepath"
	"strings"
	"testing"

	"phase/kernels/cuda/cudatest"
	"phase/phase/train"
)

// Whole runs on a GPU and on the host come to the same: both stages of PHASE, and a
// method of each kind that looks at numbers on the host between steps.
func TestTrainOnCUDA(t *testing.T) {
	cudatest.Device(t)
	small := []string{"train", "-q", "--data", "fashion", "--limit", "64", "--model", "resnet8", "--width", "4"}
	for _, args := range []string{
		"--epochs 1",
		"--method phase --epochs 2 --sam 0.05",
		"--method tau-norm --epochs 1 --limit 40",
		"--method glmc --epochs 1 --limit 20 --batch 10",
		"--method l2rw --epochs 1 --limit 20 --batch 10",
		"--method mislas --epochs 2 --limit 20 --batch 10",
		"--method ce --loss cb-focal --form sigmoid --epochs 1 --limit 20",
	} {
		t.Run(args, func(t *testing.T) {
			dir := t.TempDir()
			a, b := filepath.Join(dir, "cpu"), filepath.Join(dir, "cuda")
			call := append(small[:len(small):len(small)], strings.Fields(args)...)
			succeed(t, append(call, "--out", a)...)
			succeed(t, append(call, "--out", b, "--device", "cuda")...)
			alike(t, a, b)
		})
	}
}

// What was trained on the one is evaluated, and predicts, on the other.
func TestEvalOnCUDA(t *testing.T) {
	cudatest.Device(t)
	dir := t.TempDir()
	run := filepath.Join(dir, "run")
	succeed(t, "train", "-q", "--data", "fashion", "--limit", "64", "--epochs", "1", "--model", "resnet8", "--width", "4", "--out", run)
	image := filepath.Join(dir, "image.png")
	putAt(t, onePixelPNG(t), image)
	for _, call := range [][]string{{"eval", run}, {"predict", run, image, "--top", "2"}} {
		a, b := succeed(t, call...), succeed(t, append(call, "--device", "cuda")...)
		if a != b {
			t.Errorf("%v on the host:\n%s\non the GPU:\n%s", call, a, b)
		}
	}
}

// alike demands that two runs had the same losses, and came to the same.
func alike(t *testing.T, a, b string) {
	t.Helper()
	const tol = 1e-3
	p, err := train.ReadResult(a)
	if err != nil {
		t.Fatal(err)
	}
	q, err := train.ReadResult(b)
	if err != nil {
		t.Fatal(err)
	}
	for i, of := range p.Stages {
		if to := q.Stages[i].Loss; !(math.Abs(of.Loss-to) <= tol*(1+math.Abs(of.Loss))) {
			t.Errorf("stage %s: loss %g on one, %g on the other", of.Name, of.Loss, to)
		}
	}
	if !(math.Abs(p.Accuracy.Overall-q.Accuracy.Overall) <= tol) || !(math.Abs(p.Calibration.NLL-q.Calibration.NLL) <= tol*(1+p.Calibration.NLL)) {
		t.Errorf("accuracy %g and %g, negative log-likelihood %g and %g", p.Accuracy.Overall, q.Accuracy.Overall, p.Calibration.NLL, q.Calibration.NLL)
	}
	if !strings.Contains(q.Device, "cuda:0") || strings.Contains(p.Device, "cuda") {
		t.Errorf("ran on %q and %q", p.Device, q.Device)
	}
}
