package safetensors

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"phase/tensor"
	"phase/tensor/raw"
)

// kinds are the dtypes read.
var kinds = map[string]raw.Kind{
	"F64": raw.F64, "F32": raw.F32, "F16": raw.F16, "BF16": raw.BF16,
	"I64": raw.I64, "I32": raw.I32, "I16": raw.I16, "I8": raw.I8,
	"U64": raw.U64, "U32": raw.U32, "U16": raw.U16, "U8": raw.U8, "BOOL": raw.Bool,
}

func kindNames() string { return strings.Join(slices.Sorted(maps.Keys(kinds)), " ") }

// Read reads a file from r, which holds size bytes and nothing else. F64, F32
// and I64 keep their dtype; F16 and BF16 become f32, which holds them exactly;
// other integers and BOOL become i64. A file with a checksum that does not
// agree with its content is refused.
func Read(r io.Reader, size int64) (*File, error) {
	f, err := read(r, size)
	if err != nil {
		return nil, fmt.Errorf("safetensors: %w", err)
	}
	return f, nil
}

func read(r io.Reader, size int64) (*File, error) {
	if size < 8 {
		return nil, fmt.Errorf("byte %d: end of file, want 8 bytes of header length", max(size, 0))
	}
	prefix := make([]byte, 8)
	if err := fill(r, prefix, 0); err != nil {
		return nil, err
	}
	n := binary.LittleEndian.Uint64(prefix)
	switch {
	case n > maxHeader:
		return nil, fmt.Errorf("byte 0: header of %d bytes, the most is %d", n, maxHeader)
	case n > uint64(size-8):
		return nil, fmt.Errorf("byte 0: header of %d bytes in a file of %d", n, size)
	}
	p := parser{raw.Scanner{Text: make([]byte, n), Base: 8, What: "the JSON"}}
	if err := fill(r, p.Text, 8); err != nil {
		return nil, err
	}
	entries, meta, err := p.header()
	if err != nil {
		return nil, err
	}
	start := int64(8 + n)
	if err := cover(entries, start, size); err != nil {
		return nil, err
	}

	f := &File{Tensors: make(map[string]*tensor.Tensor, len(entries)), Meta: meta}
	for _, e := range entries { // in the order of the file
		h := sha256.New()
		t, err := raw.Read(io.TeeReader(r, h), start+e.begin, kinds[e.dtype], e.shape)
		if err != nil {
			return nil, fmt.Errorf("tensor %.80q: %w", e.name, err)
		}
		h.Sum(e.sum[:0])
		f.Tensors[e.name] = t
	}
	if n, err := io.ReadFull(r, prefix[:1]); n > 0 {
		return nil, fmt.Errorf("byte %d: goes on after its %d bytes", size, size)
	} else if !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("byte %d: %w", size, err)
	}
	return f, f.verify(entries)
}

func fill(r io.Reader, b []byte, at int64) error {
	n, err := io.ReadFull(r, b)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("byte %d: end of file inside the header", at+int64(n))
	}
	if err != nil {
		return fmt.Errorf("byte %d: %w", at+int64(n), err)
	}
	return nil
}

// cover sorts the entries by their place in the file and demands that they
// cover what follows the JSON, from start to size, exactly.
func cover(entries []*entry, start, size int64) error {
	slices.SortFunc(entries, func(a, b *entry) int {
		return cmp.Or(cmp.Compare(a.begin, b.begin), cmp.Compare(a.end, b.end), cmp.Compare(a.name, b.name))
	})
	end := int64(0)
	for _, e := range entries {
		switch {
		case e.begin > end:
			return fmt.Errorf("tensor %.80q: byte %d: begins %d bytes after the data before it: a hole at byte %d", e.name, e.at, e.begin-end, start+end)
		case e.begin < end:
			return fmt.Errorf("tensor %.80q: byte %d: begins %d bytes before the data before it ends: an overlap at byte %d", e.name, e.at, end-e.begin, start+e.begin)
		case e.end > size-start:
			return fmt.Errorf("tensor %.80q: byte %d: ends %d bytes behind the file's %d", e.name, e.at, e.end-(size-start), size)
		}
		end = e.end
	}
	if start+end < size {
		return fmt.Errorf("byte %d: %d bytes that belong to no tensor", start+end, size-start-end)
	}
	return nil
}

// verify compares the checksum, if there is one, and takes it and the schema
// out of the metadata.
func (f *File) verify(entries []*entry) error {
	have, sealed := f.Meta[sumKey]
	version, versioned := f.Meta[schemaKey]
	switch {
	case !sealed && !versioned:
		return nil
	case !sealed:
		return fmt.Errorf("metadata has a %q but no %q: altered, or from another program", schemaKey, sumKey)
	case !versioned:
		return fmt.Errorf("metadata has a %q but no %q: altered, or from another program", sumKey, schemaKey)
	case version != schema:
		return fmt.Errorf("metadata: schema %.40q, this program reads %q", version, schema)
	}
	slices.SortFunc(entries, func(a, b *entry) int { return cmp.Compare(a.name, b.name) })
	if is := checksum(f.Meta, entries); is != have {
		return fmt.Errorf("altered since it was written: sha256 is %s, metadata says %.64q", is, have)
	}
	delete(f.Meta, sumKey)
	delete(f.Meta, schemaKey)
	f.SHA256 = have
	return nil
}

// ReadFile reads the file path.
func ReadFile(path string) (*File, error) {
	r, size, err := raw.Open(path)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	f, err := Read(r, size)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return f, nil
}
