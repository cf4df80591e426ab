package safetensors

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"maps"
	"slices"

	"phase/tensor"
)

// A File is what a safetensors file holds.
type File struct {
	Tensors map[string]*tensor.Tensor
	Meta    map[string]string // texts that travel with the tensors; without schema and sha256

	// SHA256 is, after reading, the hex checksum that the file carried and
	// that was verified, or "" if it carried none. Writing ignores it.
	SHA256 string
}

// Names lists the tensors in the order of the bytes of their names.
func (f *File) Names() []string { return slices.Sorted(maps.Keys(f.Tensors)) }

// The metadata that the writer adds and the reader verifies.
const (
	schemaKey = "schema"
	sumKey    = "sha256"
	schema    = "1"
)

const (
	metaKey   = "__metadata__"
	maxHeader = 100_000_000 // bytes of JSON, the limit of the reference implementation
)

// entry is one tensor as the JSON describes it.
type entry struct {
	name       string
	dtype      string
	shape      tensor.Shape
	begin, end int64 // of the elements, counted from the end of the JSON
	at         int64 // where the entry stands in the file, for messages
	sum        [sha256.Size]byte
}

// checksum is the hex SHA-256 of the canonical form in the package comment. The
// entries are in the order of their names and have their sums.
func checksum(meta map[string]string, entries []*entry) string {
	h := sha256.New()
	keys := slices.Sorted(maps.Keys(meta))
	keys = slices.DeleteFunc(keys, func(k string) bool { return k == sumKey })
	number(h, len(keys))
	for _, k := range keys {
		text(h, k)
		text(h, meta[k])
	}
	number(h, len(entries))
	for _, e := range entries {
		text(h, e.name)
		text(h, e.dtype)
		number(h, len(e.shape))
		for _, d := range e.shape {
			number(h, d)
		}
		h.Write(e.sum[:])
	}
	return hex.EncodeToString(h.Sum(nil))
}

func number(h hash.Hash, n int) { h.Write(binary.LittleEndian.AppendUint64(nil, uint64(n))) }

func text(h hash.Hash, s string) {
	number(h, len(s))
	h.Write([]byte(s))
}
