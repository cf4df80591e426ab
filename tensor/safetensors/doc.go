// Package safetensors reads and writes named tensors in the safetensors
// format, which PyTorch, JAX and the Hugging Face libraries share.
//
// A file is 8 bytes of length N (little-endian), N bytes of JSON and the
// elements, little-endian and row-major:
//
//	{"__metadata__": {"key": "text"}, "name": {"dtype": "F32", "shape": [2,3], "data_offsets": [0,24]}, ...}
//
// Offsets count from the end of the JSON.
// https://huggingface.co/docs/safetensors
//
// There are only a few names: File, and the functions that read and write one.
//
// # Reading
//
// A file is believed in nothing. The JSON is at most 100,000,000 bytes, of
// exactly the form above, without a key that stands twice; the tensors cover
// the elements without hole or overlap; shape and dtype agree with the bytes.
// All this is known before memory for a single tensor is asked for. Every
// refusal is one line that names the tensor and the byte of the file.
//
// # Schema and checksum
//
// The format has no checksum. The writer adds two entries to the metadata,
// "schema" = "1" and "sha256" = the hex SHA-256 of all names, shapes, values
// and other metadata in the following form, whose numbers are 64-bit
// little-endian, whose texts are their length in bytes and the bytes, and
// whose order is that of the bytes of keys and names:
//
//	number of metadata entries, without "sha256" (but with "schema")
//	each entry: text of the key, text of the value
//	number of tensors
//	each tensor: text of the name, text of the dtype ("F32"),
//	    number of axes, each extent, the 32 bytes of the SHA-256 of its elements
//
// The reader verifies them. A file with neither entry is a stranger's and is
// read without; a file with one of them has been altered.
package safetensors
