package safetensors

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"unicode/utf8"

	"phase/tensor"
	"phase/tensor/atomicfile"
	"phase/tensor/raw"
)

var dtypes = map[tensor.DType]string{tensor.F32: "F32", tensor.F64: "F64", tensor.I64: "I64", tensor.BF16: "BF16"}

// Write writes f. Tensors of any strides are written row-major in their
// logical order, those of 8-byte elements first, so that all are aligned, and
// then by name: equal content gives equal bytes. Schema and checksum are added
// to the metadata, where their keys must be free.
func Write(w io.Writer, f *File) error {
	entries, err := f.entries()
	if err != nil {
		return fmt.Errorf("safetensors: %w", err)
	}
	meta := map[string]string{schemaKey: schema}
	for k, v := range f.Meta {
		if k == schemaKey || k == sumKey {
			return fmt.Errorf("safetensors: metadata key %q belongs to the format", k)
		}
		if !utf8.ValidString(k) || !utf8.ValidString(v) {
			return fmt.Errorf("safetensors: metadata %.80q is not UTF-8", k)
		}
		meta[k] = v
	}
	meta[sumKey] = checksum(meta, entries)

	slices.SortStableFunc(entries, func(a, b *entry) int {
		return cmp.Compare(kinds[b.dtype].Size(), kinds[a.dtype].Size())
	})
	head, err := header(meta, entries)
	if err != nil {
		return fmt.Errorf("safetensors: %w", err)
	}
	if _, err := w.Write(head); err != nil {
		return err
	}
	for _, e := range entries {
		if err := raw.Write(w, f.Tensors[e.name]); err != nil {
			return err
		}
	}
	return nil
}

// entries describes the tensors in the order of their names, sums included.
func (f *File) entries() ([]*entry, error) {
	var out []*entry
	for _, name := range f.Names() {
		t := f.Tensors[name]
		if t == nil {
			return nil, fmt.Errorf("tensor %.80q is nil", name)
		}
		if err := checkName(name); err != nil {
			return nil, err
		}
		if name == metaKey {
			return nil, fmt.Errorf("tensor name %q belongs to the format", name)
		}
		h := sha256.New()
		if err := raw.Write(h, t); err != nil {
			return nil, err
		}
		e := &entry{name: name, dtype: dtypes[t.DType()], shape: t.Shape()}
		h.Sum(e.sum[:0])
		out = append(out, e)
	}
	return out, nil
}

// header is everything before the elements, padded to a multiple of 8 bytes.
// It lays the entries out one after the other.
func header(meta map[string]string, entries []*entry) ([]byte, error) {
	var b bytes.Buffer
	b.Write(make([]byte, 8))
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	put := func(v any) error {
		if err := enc.Encode(v); err != nil {
			return err
		}
		b.Truncate(b.Len() - 1) // the encoder's newline
		return nil
	}
	b.WriteString(`{"` + metaKey + `":`)
	if err := put(meta); err != nil { // sorted by key
		return nil, err
	}
	at := int64(0)
	for _, e := range entries {
		b.WriteByte(',')
		if err := put(e.name); err != nil {
			return nil, err
		}
		shape := append([]int{}, e.shape...) // [], not null, for a scalar
		e.begin, e.end = at, at+int64(e.shape.Size()*kinds[e.dtype].Size())
		at = e.end
		b.WriteByte(':')
		if err := put(struct {
			DType   string   `json:"dtype"`
			Shape   []int    `json:"shape"`
			Offsets [2]int64 `json:"data_offsets"`
		}{e.dtype, shape, [2]int64{e.begin, e.end}}); err != nil {
			return nil, err
		}
	}
	b.WriteByte('}')
	for b.Len()%8 != 0 {
		b.WriteByte(' ')
	}
	n := b.Len() - 8
	if n > maxHeader {
		return nil, fmt.Errorf("header of %d bytes, the most is %d", n, maxHeader)
	}
	binary.LittleEndian.PutUint64(b.Bytes(), uint64(n))
	return b.Bytes(), nil
}

// WriteFile writes f to the file path, which is replaced whole or not at all
// and then survives a power cut.
func WriteFile(path string, f *File) error {
	return atomicfile.Write(path, func(w io.Writer) error { return Write(w, f) })
}
