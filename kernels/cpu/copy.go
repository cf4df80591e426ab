package cpu

import (
	"phase/tensor"
)

// Copy is dst = src, bit for bit.
func (b *Backend) Copy(dst, src *tensor.Tensor) {
	switch dst.DType() {
	case tensor.F32:
		copyAs[float32](dst, src)
	case tensor.F64:
		copyAs[float64](dst, src)
	case tensor.BF16:
		copyAs[tensor.BFloat16](dst, src)
	default:
		copyAs[int64](dst, src)
	}
}

func copyAs[T tensor.Number](dst, src *tensor.Tensor) {
	if dst.Size() == 0 {
		return
	}
	d, s := tensor.Window[T](dst), tensor.Window[T](src)
	if n := dst.Size(); n <= block && dst.IsPacked() && dst.SameLayout(src) {
		copy(d[:n], s)
		return
	}
	w := newWalk(dst.Shape(), dst.Strides(), src.Strides())
	sd, ss := w.stride(0), w.stride(1)
	switch {
	case sd == 1 && ss == 1:
		w.rows(func(at [maxOperands]int, n int) { copy(d[at[0]:][:n], s[at[1]:]) })
	case w.dims > 1 && w.s[1][w.dims-2] == 1:
		transpose(w, d, s)
	default:
		w.rows(func(at [maxOperands]int, n int) {
			to, from := at[0], at[1]
			for range n {
				d[to] = s[from]
				to += sd
				from += ss
			}
		})
	}
	walks.Put(w)
}

// transpose copies planes whose last axis is not the source's, but whose last
// but one is: row-major images to channels-last, and back. It goes by square
// tiles: strides are often a multiple of 4096 bytes, and a first-level cache
// holds but 8 lines at such distances.
func transpose[T tensor.Number](w *walk, d, s []T) {
	const tile = 8
	a, b := w.dims-2, w.dims-1
	na, nb := w.n[a], w.n[b]
	da, db, sb := w.s[0][a], w.s[0][b], w.s[1][b]
	strip := max(block/nb, tile)
	strips := (na + strip - 1) / strip
	par(w.size(0, a)*strips, func(item int) {
		at, _ := w.place(item/strips, 0, a)
		first := item % strips * strip
		last := min(first+strip, na)
		for i0 := first; i0 < last; i0 += tile {
			for j0 := 0; j0 < nb; j0 += tile {
				for i := i0; i < min(i0+tile, last); i++ {
					to, from := at[0]+i*da+j0*db, at[1]+i+j0*sb
					for range min(tile, nb-j0) {
						d[to] = s[from]
						to += db
						from += sb
					}
				}
			}
		}
	})
}

// CopyGrad is dx += dy; where dx has stride 0 it receives the sum.
func (b *Backend) CopyGrad(dx, dy *tensor.Tensor) {
	narrow := dx.DType() == tensor.BF16 && dy.DType() == tensor.BF16
	if !narrow && dx.DType() != tensor.F32 {
		b.Backend.CopyGrad(dx, dy)
		return
	}
	for i, s := range dx.Strides() {
		if s == 0 && dx.Dim(i) > 1 {
			if narrow {
				b.Backend.CopyGrad(dx, dy)
				return
			}
			b.sumInto(dx, dx.Strides(), false, 1, dy, nil)
			return
		}
	}
	if narrow {
		b.addNarrow(dx, dy)
		return
	}
	b.addStrided(dx, dx.Strides(), dx.Shape(), 1, dy, dy.Strides())
}

// addNarrow is dx += dy for bfloat16 numbers and strides of dx that are not 0.
func (b *Backend) addNarrow(dx, dy *tensor.Tensor) {
	ds, ys := tensor.Window[tensor.BFloat16](dx), tensor.Window[tensor.BFloat16](dy)
	w := newWalk(dx.Shape(), dx.Strides(), dy.Strides())
	sd, sy := w.stride(0), w.stride(1)
	w.rows(func(at [maxOperands]int, n int) {
		if sd == 1 && sy == 1 && n > 64 { // for fewer a buffer costs more than it saves
			b.addNumbers(numbers{h: ds[at[0]:][:n]}, numbers{h: ys[at[1]:][:n]})
			return
		}
		to, from := at[0], at[1]
		for range n {
			ds[to] = tensor.ToBFloat16(ds[to].Float32() + ys[from].Float32())
			to += sd
			from += sy
		}
	})
	walks.Put(w)
}

// addStrided is y += a·x, for strides of y that are not 0.
func (b *Backend) addStrided(y *tensor.Tensor, yStrides []int, shape tensor.Shape, a float32, x *tensor.Tensor, xStrides []int) {
	ys, xs := tensor.Window[float32](y), tensor.Window[float32](x)
	w := newWalk(shape, yStrides, xStrides)
	sy, sx := w.stride(0), w.stride(1)
	w.rows(func(at [maxOperands]int, n int) {
		if sy == 1 && sx == 1 {
			b.point.axpy(ys[at[0]:][:n], xs[at[1]:][:n], a)
			return
		}
		to, from := at[0], at[1]
		for range n {
			ys[to] += a * xs[from]
			to += sy
			from += sx
		}
	})
	walks.Put(w)
}

// expanded are the strides that let t stand for a tensor of shape s, to which
// its shape broadcasts.
func expanded(t *tensor.Tensor, s tensor.Shape) (strides [tensor.MaxDims]int) {
	lead := len(s) - t.Dims()
	for i, n := range t.Shape() {
		if n > 1 {
			strides[lead+i] = t.Strides()[i]
		}
	}
	return strides
}

// sumInto adds scale·Σ x·y to d, or sets d to it if d is fresh. strides are
// those of d as it lies under x; where they are 0 d receives the sum. y may be
// nil and then counts as 1.
func (b *Backend) sumInto(d *tensor.Tensor, strides []int, fresh bool, scale float64, x, y *tensor.Tensor) {
	ds, xs := tensor.Window[float32](d), tensor.Window[float32](x)
	ys, yStrides := []float32(nil), x.Strides()
	if y != nil {
		ys, yStrides = tensor.Window[float32](y), y.Strides()
	}
	w := newWalk(x.Shape(), strides, x.Strides(), yStrides)
	defer walks.Put(w)
	kept := 0 // axes 0:kept of w remain, the others are summed
	for kept < w.dims && w.s[0][kept] != 0 {
		kept++
	}
	if w.size(0, w.dims) == 0 {
		return
	}
	// An item is some sums, width of them, over some terms, depth of them: the
	// terms' blocks have partial sums, one row of part each.
	sums, terms := w.size(0, kept), w.size(kept, w.dims)
	width := min(sums, 256)
	depth := min(terms, block/width)
	columns, rows := (sums+width-1)/width, (terms+depth-1)/depth
	scratch := b.pool.get(2 * rows * sums)
	part := doubles(scratch.f)
	par(columns*rows, func(item int) {
		lo, first := item%columns*width, item/columns*depth
		hi, last := min(lo+width, sums), min(first+depth, terms)
		acc := part[item/columns*sums:][lo:hi]
		clear(acc)
		w.sum(acc, lo, kept, first, last, xs, ys)
	})
	par(columns, func(column int) {
		lo := column * width
		for i := lo; i < min(lo+width, sums); i++ {
			total := 0.0
			for r := range rows {
				total += part[r*sums+i]
			}
			place, _ := w.place(i, 0, kept)
			total *= scale
			if !fresh {
				total += float64(ds[place[0]])
			}
			ds[place[0]] = float32(total)
		}
	})
	b.pool.put(scratch)
}

// sum adds terms first:last of sums lo, lo+1, ... to acc.
func (w *walk) sum(acc []float64, lo, kept, first, last int, xs, ys []float32) {
	const run = 64 // sums that stand in a row are handled together
	var from [run][maxOperands]int
	for j0 := 0; j0 < len(acc); j0 += run {
		sums := acc[j0:min(j0+run, len(acc))]
		neighbours := true
		for j := range sums {
			from[j], _ = w.place(lo+j0+j, 0, kept)
			neighbours = neighbours && from[j][1] == from[0][1]+j
		}
		inner := max(w.dims-1, kept)
		n, sx, sy := 1, 0, 0
		if inner < w.dims {
			n, sx, sy = w.n[inner], w.s[1][inner], w.s[2][inner]
		}
		for t := first; t < last; {
			at, _ := w.place(t, kept, w.dims)
			m := min(n-t%n, last-t) // terms along the last axis
			t += m
			switch {
			case sx == 1 && ys == nil:
				for j := range sums {
					sums[j] += total(xs[from[j][1]+at[1]:][:m])
				}
			case ys == nil && neighbours:
				for i := range m {
					for j, v := range xs[from[0][1]+at[1]+i*sx:][:len(sums)] {
						sums[j] += float64(v)
					}
				}
			case ys == nil:
				for i := range m {
					for j := range sums {
						sums[j] += float64(xs[from[j][1]+at[1]+i*sx])
					}
				}
			default:
				for i := range m {
					for j := range sums {
						sums[j] += float64(xs[from[j][1]+at[1]+i*sx]) * float64(ys[from[j][2]+at[2]+i*sy])
					}
				}
			}
		}
	}
}

// total is Σ x, in four sums side by side.
func total(x []float32) float64 {
	var s [4]float64
	for ; len(x) >= 4; x = x[4:] {
		s[0] += float64(x[0])
		s[1] += float64(x[1])
		s[2] += float64(x[2])
		s[3] += float64(x[3])
	}
	for i, v := range x {
		s[i] += float64(v)
	}
	return s[0] + s[1] + (s[2] + s[3])
}
