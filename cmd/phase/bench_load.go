package main

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"phase/phase/data"
	"phase/tensor"
)

// A loaded is an epoch of a data set that came as batches.
type loaded struct {
	timing
	Images  int     `json:"images"`
	Rate    float64 `json:"images_per_second"`
	PerCore float64 `json:"images_per_second_per_core"`
}

// load measures what the loader delivers: from memory, and from JPEG files in the
// first epoch and after it.
func (b *bench) load() error {
	dir, err := os.MkdirTemp("", "phase-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	m := b.calibrate(tensor.CPU)
	var rows []loaded
	add := func(what string, images int, ms []float64) {
		r := loaded{timing: timingOf(what, ms), Images: images}
		r.Rate = float64(images) / r.MedianMS * 1e3
		r.PerCore = r.Rate / float64(m.Threads)
		rows = append(rows, r)
	}
	// epochs takes b.times epochs from ds, after one to warm up.
	epochs := func(ds data.Dataset, crop int) (ms []float64, err error) {
		l := data.Loader{Data: ds, Batch: b.batch, Shuffle: true, Workers: m.Threads, Augment: data.Augment{Crop: crop, Flip: true}}
		for e := range 1 + b.times {
			start := time.Now()
			for _, err := range l.Epoch(b.ctx, e, 0) {
				if err != nil {
					return nil, err
				}
			}
			ms = append(ms, since(start))
		}
		return ms[1:], nil
	}
	samples := func(usual int) int {
		if b.changed("samples") {
			return b.samples
		}
		return usual
	}

	n := samples(10000)
	cifar, err := data.NewImages(make([]uint8, n*32*32*3), 32, 32, 3, make([]int, n), []string{"any"})
	if err != nil {
		return err
	}
	ms, err := epochs(cifar, 4)
	if err != nil {
		return err
	}
	add("32x32 in memory, crop and flip", n, ms)

	for _, s := range []struct{ w, h, size, images int }{{64, 64, 64, 2000}, {500, 375, 224, 200}} {
		n := samples(s.images)
		name := fmt.Sprintf("%dx%d JPEG to %d", s.w, s.h, s.size)
		folder := filepath.Join(dir, strconv.Itoa(s.w))
		if err := writePhotographs(folder, s.w, s.h, n); err != nil {
			return err
		}
		var first, after []float64
		for range min(b.times, 3) {
			start := time.Now()
			pair, err := data.Open(b.ctx, data.Spec{Data: "folder:" + folder, Size: s.size})
			if err != nil {
				return err
			}
			opened := since(start)
			ms, err := epochs(pair.Train, s.size/8)
			if err != nil {
				return err
			}
			first, after = append(first, opened+ms[0]), append(after, ms...)
		}
		add(name+", first epoch", n, first)
		add(name+", epochs after it", n, after)
	}
	if b.json {
		return b.printJSON(map[string]any{"machine": m, "rows": rows})
	}
	fmt.Fprintf(b.out, "%v\n%-36s %7s  %10s  %10s  %10s  %10s  %10s\n", m, "", "images", "median ms", "min", "max", "images/s", "per core")
	for _, r := range rows {
		fmt.Fprintf(b.out, "%-36s %7d  %10.3f  %10.3f  %10.3f  %10.0f  %10.0f\n", r.What, r.Images, r.MedianMS, r.MinMS, r.MaxMS, r.Rate, r.PerCore)
	}
	return nil
}

// writePhotographs makes a folder of n JPEG files for training, and one for
// testing, of soft shapes with some grain, so that they are as large as
// photographs of this size are. A dozen of them differ.
func writePhotographs(folder string, w, h, n int) error {
	r := rand.New(rand.NewPCG(1, 1))
	var files [][]byte
	for range min(n, 12) {
		var b bytes.Buffer
		if err := jpeg.Encode(&b, photograph(r, w, h), &jpeg.Options{Quality: 90}); err != nil {
			return err
		}
		files = append(files, b.Bytes())
	}
	for part, count := range map[string]int{"train": n, "test": 1} {
		d := filepath.Join(folder, part, "any")
		if err := os.MkdirAll(d, 0o777); err != nil {
			return err
		}
		for i := range count {
			if err := os.WriteFile(filepath.Join(d, fmt.Sprintf("%06d.jpg", i)), files[i%len(files)], 0o666); err != nil {
				return err
			}
		}
	}
	return nil
}

// photograph is random colours every 16 pixels, what lies between blended, with
// grain.
func photograph(r *rand.Rand, w, h int) image.Image {
	const cell = 16
	across := w/cell + 2
	corner := make([][3]float64, across*(h/cell+2))
	for i := range corner {
		corner[i] = [3]float64{r.Float64() * 255, r.Float64() * 255, r.Float64() * 255}
	}
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			i, fx, fy := y/cell*across+x/cell, float64(x%cell)/cell, float64(y%cell)/cell
			var c [3]uint8
			grain := r.NormFloat64() * 8
			for k := range c {
				top := corner[i][k]*(1-fx) + corner[i+1][k]*fx
				bottom := corner[i+across][k]*(1-fx) + corner[i+across+1][k]*fx
				c[k] = uint8(max(0, min(255, top*(1-fy)+bottom*fy+grain)))
			}
			img.SetRGBA(x, y, color.RGBA{c[0], c[1], c[2], 255})
		}
	}
	return img
}
