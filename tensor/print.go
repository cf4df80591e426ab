package tensor

import (
	"math"
	"strconv"
	"strings"
)

// How a tensor is printed: NumPy's rules with these print options.
const (
	printPrecision = 4    // most digits after the point
	printThreshold = 1000 // a tensor of more elements is summarised
	printEdge      = 3    // elements shown at each end of a summarised axis
	printWidth     = 75   // columns of a line
)

// String is t as NumPy would print it with four digits after the point: nested
// brackets, aligned columns, "..." for the middle of the axes of a tensor of
// more than 1000 elements, an exponent where the values differ by more than a
// thousandfold, reach 1e8 or fall below 1e-4. A last line says dtype, shape
// and, if it is not the host, device: f32 (2,3).
func (t *Tensor) String() string {
	last := "\n" + t.DType().String() + " " + t.shape.String()
	if t.Device() != CPU {
		last += " " + t.Device().String()
	}
	if t.Size() == 0 {
		return "[]" + last
	}
	p := printer{t: onHost(t), summary: t.Size() > printThreshold}
	if t.DType() == I64 {
		p.word = p.integers()
	} else {
		p.word = p.floats()
	}
	return p.block(0, p.t.off, " ", printWidth) + last
}

type printer struct {
	t       *Tensor
	summary bool
	word    func(i int) string // the element at storage index i, padded to its column
}

// shown lists the positions of an axis that are printed; gap is the position
// before which "..." stands, or -1.
func (p *printer) shown(axis int) (at []int, gap int) {
	n := p.t.shape[axis]
	gap = -1
	for i := 0; i < n; i++ {
		if p.summary && i == printEdge && n > 2*printEdge {
			i = n - printEdge
			gap = i
		}
		at = append(at, i)
	}
	return at, gap
}

// each calls f with the storage index of every element that is printed.
func (p *printer) each(axis, off int, f func(i int)) {
	if axis == len(p.t.shape) {
		f(off)
		return
	}
	at, _ := p.shown(axis)
	for _, i := range at {
		p.each(axis+1, off+i*p.t.stride[axis], f)
	}
}

// block is the printed form of axes axis and following, from storage index off
// on. Its lines after the first start with indent; width is what is left of
// the line for a bracket that opened here.
func (p *printer) block(axis, off int, indent string, width int) string {
	dims := len(p.t.shape)
	if axis == dims {
		return p.word(off)
	}
	at, gap := p.shown(axis)
	var b strings.Builder
	b.WriteByte('[')
	if axis == dims-1 {
		line := ""
		add := func(word string) {
			switch {
			case line == "":
				line = word
			case len(indent)+len(line)+1+len(word) < width:
				line += " " + word
			default:
				b.WriteString(strings.TrimRight(line, " ") + "\n" + indent)
				line = word
			}
		}
		for _, i := range at {
			if i == gap {
				add("...")
			}
			add(p.word(off + i*p.t.stride[axis]))
		}
		b.WriteString(line)
	} else {
		between := strings.Repeat("\n", dims-1-axis) + indent
		for n, i := range at {
			if n > 0 {
				b.WriteString(between)
			}
			if i == gap {
				b.WriteString("..." + between)
			}
			b.WriteString(p.block(axis+1, off+i*p.t.stride[axis], indent+" ", width-1))
		}
	}
	b.WriteByte(']')
	return b.String()
}

// integers right-aligns what is shown.
func (p *printer) integers() func(i int) string {
	m, width := p.t.store.(host[int64]), 0
	p.each(0, p.t.off, func(i int) { width = max(width, len(strconv.FormatInt(m[i], 10))) })
	return func(i int) string { return right(strconv.FormatInt(m[i], 10), width) }
}

// floats chooses one format for everything shown, so that points and columns
// are aligned.
func (p *printer) floats() func(i int) string {
	value, bits := reader(p.t.store), max(32, 8*p.t.DType().Size())
	lo, hi := math.Inf(1), 0.0 // magnitudes of the finite values other than 0
	p.each(0, p.t.off, func(i int) {
		if v := math.Abs(value(i)); v != 0 && !math.IsInf(v, 0) && !math.IsNaN(v) {
			lo, hi = min(lo, v), max(hi, v)
		}
	})
	verb := byte('f')
	if hi > 0 && (hi >= 1e8 || lo < 1e-4 || hi/lo > 1000) {
		verb = 'e'
	}

	whole, frac, expo, odd := 0, 0, 0, 0 // widths: before and behind the point, exponent, NaN and Inf
	p.each(0, p.t.off, func(i int) {
		n := split(value(i), verb, bits)
		if n.odd {
			odd = max(odd, len(n.whole))
			return
		}
		whole, frac, expo = max(whole, len(n.whole)), max(frac, len(n.frac)), max(expo, len(n.expo))
	})
	tail := expo + frac // columns behind the point
	if whole > 0 {
		tail++ // and the point itself
	}
	width := max(whole+tail, odd)
	return func(i int) string {
		n := split(value(i), verb, bits)
		switch {
		case n.odd:
			return right(n.whole, width)
		case verb == 'e':
			for len(n.expo) < expo { // e+08 beside e+100
				n.expo = n.expo[:2] + "0" + n.expo[2:]
			}
			return right(n.whole+"."+n.frac+strings.Repeat("0", frac-len(n.frac))+n.expo, width)
		}
		return right(n.whole+"."+n.frac+strings.Repeat(" ", frac-len(n.frac)), width)
	}
}

// A number in parts: -12 . 5 e+08. An odd one (nan, inf) is all whole.
type number struct {
	whole, frac, expo string
	odd               bool
}

// split formats v with the fewest digits that tell it from its neighbours of
// the same dtype, but at most printPrecision behind the point.
func split(v float64, verb byte, bits int) number {
	switch {
	case math.IsNaN(v):
		return number{whole: "nan", odd: true}
	case math.IsInf(v, 1):
		return number{whole: "inf", odd: true}
	case math.IsInf(v, -1):
		return number{whole: "-inf", odd: true}
	}
	parts := func(s string) (n number) {
		if at := strings.IndexByte(s, 'e'); at >= 0 {
			s, n.expo = s[:at], s[at:]
		}
		n.whole, n.frac, _ = strings.Cut(s, ".")
		return n
	}
	n := parts(strconv.FormatFloat(v, verb, -1, bits))
	if len(n.frac) > printPrecision {
		n = parts(strconv.FormatFloat(v, verb, printPrecision, 64))
		n.frac = strings.TrimRight(n.frac, "0")
	}
	return n
}

func right(s string, width int) string {
	return strings.Repeat(" ", max(width-len(s), 0)) + s
}
