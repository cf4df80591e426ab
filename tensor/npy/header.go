package npy

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"phase/tensor"
	"phase/tensor/raw"
)

const magic = "\x93NUMPY"

// maxHeader is the longest header read, NumPy's own limit. A header of plain
// numbers takes some 120 bytes.
const maxHeader = 10000

// header is what stands before the elements.
type header struct {
	kind    raw.Kind
	fortran bool
	shape   tensor.Shape
	size    int64 // bytes of everything before the elements
}

// kinds are the dtypes read, as NumPy spells them on a little-endian machine.
var kinds = map[string]raw.Kind{
	"<f4": raw.F32, "<f8": raw.F64, "|b1": raw.Bool,
	"|i1": raw.I8, "<i2": raw.I16, "<i4": raw.I32, "<i8": raw.I64,
	"|u1": raw.U8, "<u2": raw.U16, "<u4": raw.U32, "<u8": raw.U64,
}

func kindOf(descr string) (raw.Kind, error) {
	if k, ok := kinds[descr]; ok {
		return k, nil
	}
	if little := "<" + strings.TrimPrefix(descr, ">"); strings.HasPrefix(descr, ">") {
		if _, ok := kinds[little]; ok {
			return 0, fmt.Errorf("dtype %q is big-endian, want %q", descr, little)
		}
	}
	if strings.TrimLeft(descr, "|<>=") == "O" {
		return 0, fmt.Errorf("dtype %q holds pickled Python objects, which are never read", descr)
	}
	names := []string{}
	for n := range kinds {
		names = append(names, n)
	}
	slices.Sort(names)
	return 0, fmt.Errorf("dtype %.40q, want one of %s", descr, strings.Join(names, " "))
}

// readHeader reads the header of a file of size bytes.
func readHeader(r io.Reader, size int64) (h header, err error) {
	fixed := make([]byte, 12)
	read := func(b []byte, at int) error {
		if n, err := io.ReadFull(r, b); err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				return fmt.Errorf("byte %d: end of file inside the header", at+n)
			}
			return fmt.Errorf("byte %d: %w", at+n, err)
		}
		return nil
	}
	if err := read(fixed[:8], 0); err != nil {
		return h, err
	}
	if string(fixed[:6]) != magic {
		return h, fmt.Errorf("byte 0: starts with %q, want %q: not an NPY file", fixed[:6], magic)
	}
	major, minor, start := fixed[6], fixed[7], 10
	if major < 1 || major > 3 || minor != 0 {
		return h, fmt.Errorf("byte 6: version %d.%d, want 1.0, 2.0 or 3.0", major, minor)
	}
	if major > 1 {
		start = 12
	}
	if err := read(fixed[8:start], 8); err != nil {
		return h, err
	}
	n := int64(binary.LittleEndian.Uint16(fixed[8:]))
	if major > 1 {
		n = int64(binary.LittleEndian.Uint32(fixed[8:]))
	}
	switch {
	case n > size-int64(start):
		return h, fmt.Errorf("byte 8: header of %d bytes in a file of %d", n, size)
	case n > maxHeader:
		return h, fmt.Errorf("byte 8: header of %d bytes, the most is %d", n, maxHeader)
	}
	text := make([]byte, n)
	if err := read(text, start); err != nil {
		return h, err
	}
	h.size = int64(start) + n
	p := parser{raw.Scanner{Text: text, Base: start, What: "the header"}}
	if err := p.header(&h); err != nil {
		return h, err
	}
	return h, nil
}

// parser reads the one form of Python dictionary that a header may be.
type parser struct{ raw.Scanner }

func (p *parser) header(h *header) error {
	if err := p.Want('{'); err != nil {
		return err
	}
	seen := map[string]bool{}
	for !p.Took('}') {
		p.Peek()
		start := p.At
		key, err := p.quoted()
		if err != nil {
			return err
		}
		if seen[key] {
			p.At = start
			return p.Fail("%q stands twice in the header", key)
		}
		seen[key] = true
		if err := p.Want(':'); err != nil {
			return err
		}
		switch key {
		case "descr":
			err = p.descr(h)
		case "fortran_order":
			err = p.order(h)
		case "shape":
			err = p.shape(h)
		default:
			p.At = start
			err = p.Fail("unknown key %.40q, want descr, fortran_order and shape", key)
		}
		if err != nil {
			return err
		}
		if !p.Took(',') && p.Peek() != '}' {
			return p.Want(',')
		}
	}
	if p.Peek() != 0 || p.At < len(p.Text) {
		return p.Fail("%q after the header's dictionary", p.Text[p.At])
	}
	for _, key := range []string{"descr", "fortran_order", "shape"} {
		if !seen[key] {
			return p.Fail("the header has no %q", key)
		}
	}
	return nil
}

// quoted reads a Python string without escapes.
func (p *parser) quoted() (string, error) {
	q := p.Peek()
	if q != '\'' && q != '"' {
		return "", p.Want('\'')
	}
	p.At++
	start := p.At
	for ; p.At < len(p.Text); p.At++ {
		switch c := p.Text[p.At]; {
		case c == q:
			p.At++
			return string(p.Text[start : p.At-1]), nil
		case c < ' ' || c > '~' || c == '\\':
			return "", p.Fail("%q in a name of the header", c)
		}
	}
	return "", p.Want(q)
}

func (p *parser) descr(h *header) error {
	if c := p.Peek(); c == '[' || c == '(' {
		return p.Fail("structured dtype, want plain numbers")
	}
	start := p.At
	descr, err := p.quoted()
	if err != nil {
		return err
	}
	if h.kind, err = kindOf(descr); err != nil {
		p.At = start
		return p.Fail("%v", err)
	}
	return nil
}

func (p *parser) order(h *header) error {
	p.Peek()
	for _, word := range []string{"True", "False"} {
		if strings.HasPrefix(string(p.Text[p.At:]), word) {
			p.At += len(word)
			h.fortran = word == "True"
			return nil
		}
	}
	return p.Fail("fortran_order is neither True nor False")
}

func (p *parser) shape(h *header) error {
	p.Peek()
	open := p.At
	if err := p.Want('('); err != nil {
		return err
	}
	for !p.Took(')') {
		n, err := p.extent()
		if err != nil {
			return err
		}
		h.shape = append(h.shape, n)
		// (3) would be a number in brackets, not a tuple
		if !p.Took(',') && (p.Peek() != ')' || len(h.shape) == 1) {
			return p.Want(',')
		}
	}
	if err := h.shape.Valid(); err != nil {
		p.At = open
		return p.Fail("%s", strings.TrimPrefix(err.Error(), "tensor: "))
	}
	return nil
}

// extent reads a decimal integer of at least 0.
func (p *parser) extent() (int, error) {
	if p.Peek() == '-' {
		return 0, p.Fail("negative extent")
	}
	start, n := p.At, 0
	for ; p.At < len(p.Text) && p.Text[p.At] >= '0' && p.Text[p.At] <= '9'; p.At++ {
		d := int(p.Text[p.At] - '0')
		if n > (math.MaxInt-d)/10 {
			p.At = start
			return 0, p.Fail("extent beyond %d", math.MaxInt)
		}
		n = 10*n + d
	}
	if p.At == start || p.At > start+1 && p.Text[start] == '0' {
		p.At = start
		return 0, p.Fail("want a decimal extent")
	}
	return n, nil
}
