package safetensors

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
)

// shelf is a file of the JSON head and n zero bytes.
func shelf(head string, n int) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(head)))
	return append(append(b, head...), make([]byte, n)...)
}

// prefix is a file whose header claims n bytes.
func prefix(n uint64, rest string) []byte {
	return append(binary.LittleEndian.AppendUint64(nil, n), rest...)
}

// allocated is how many bytes f asks for.
func allocated(f func()) int64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int64(after.TotalAlloc - before.TotalAlloc)
}

func TestAttacks(t *testing.T) {
	one := func(dtype, shape, offsets string) string {
		return `{"a":{"dtype":` + dtype + `,"shape":` + shape + `,"data_offsets":` + offsets + `}}`
	}
	two := func(a, b string) string {
		return `{"a":{"dtype":"U8","shape":[4],"data_offsets":` + a + `},"b":{"dtype":"U8","shape":[4],"data_offsets":` + b + `}}`
	}
	for _, c := range []struct {
		name string
		b    []byte
		want string
	}{
		{"empty file", nil, "byte 0: end of file, want 8 bytes of header length"},
		{"seven bytes", make([]byte, 7), "byte 7: end of file, want 8 bytes of header length"},
		{"length 2^64-1", prefix(1<<64-1, "{}"), "byte 0: header of 18446744073709551615 bytes, the most is 100000000"},
		{"length 2^63", prefix(1<<63, "{}"), "byte 0: header of 9223372036854775808 bytes, the most is 100000000"},
		{"length over the cap", prefix(100_000_001, "{}"), "byte 0: header of 100000001 bytes, the most is 100000000"},
		{"length over the file", prefix(3, "{}"), "byte 0: header of 3 bytes in a file of 10"},
		{"no JSON", prefix(0, ""), "byte 8: the JSON does not start with '{'"},
		{"leading blank", shelf(" {}", 0), "byte 8: the JSON does not start with '{'"},
		{"array", shelf("[]", 0), "byte 8: the JSON does not start with '{'"},
		{"byte order mark", shelf("\xef\xbb\xbf{}", 0), "byte 8: the JSON does not start with '{'"},
		{"zip", []byte("PK\x03\x04\x00\x00\x00\x00aaaaaaaaaaaaa"), "byte 0: header of 67324752 bytes in a file of 21"},
		{"open end", shelf("{", 0), `byte 9: the JSON ends, want '"'`},
		{"trailing comma", shelf(`{"__metadata__":{},}`, 0), `byte 27: '}' in the JSON, want '"'`},
		{"junk after", shelf(`{}x`, 0), "byte 10: 'x' after the JSON"},
		{"NUL padding", shelf("{}\x00", 0), `byte 10: '\x00' after the JSON`},
		{"second object", shelf(`{}{}`, 0), "byte 10: '{' after the JSON"},
		{"deep nesting", shelf(`{"a":`+strings.Repeat("[", 100000), 0), `tensor "a": byte 13: '[' in the JSON, want '{'`},
		{"deep objects", shelf(strings.Repeat(`{"a":`, 100000), 0), `tensor "a": byte 14: unknown key "a", want dtype, shape and data_offsets`},
		{"deep shape", shelf(one(`"U8"`, strings.Repeat("[", 1000), "[0,0]"), 0), `tensor "a": byte 36: want an integer in plain digits`},
		{"key twice", shelf(`{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"a":{}}`, 0), `byte 61: key "a" stands there twice`},
		{"key twice, escaped", shelf(`{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"\u0061":{}}`, 0), `byte 61: key "a" stands there twice`},
		{"field twice", shelf(`{"a":{"dtype":"U8","dtype":"F32"}}`, 0), `tensor "a": byte 27: key "dtype" stands there twice`},
		{"metadata twice", shelf(`{"__metadata__":{},"__metadata__":{}}`, 0), `byte 27: key "__metadata__" stands there twice`},
		{"metadata key twice", shelf(`{"__metadata__":{"a":"","a":""}}`, 0), `metadata: byte 32: key "a" stands there twice`},
		{"metadata number", shelf(`{"__metadata__":{"a":1}}`, 0), `metadata "a": byte 29: '1' in the JSON, want '"'`},
		{"metadata object", shelf(`{"__metadata__":{"a":{}}}`, 0), `metadata "a": byte 29: '{' in the JSON, want '"'`},
		{"metadata list", shelf(`{"__metadata__":[]}`, 0), `byte 24: '[' in the JSON, want '{'`},
		{"NUL in name", shelf("{\"a\x00\":{}}", 0), `byte 11: '\x00' inside a text`},
		{"escaped NUL in name", shelf(`{"a\u0000":{}}`, 0), `byte 9: tensor name "a\x00" is not printable text`},
		{"terminal escape in name", shelf(`{"\u001b[31m":{}}`, 0), `byte 9: tensor name "\x1b[31m" is not printable text`},
		{"newline in name", shelf(`{"a\nb":{}}`, 0), `byte 9: tensor name "a\nb" is not printable text`},
		{"not UTF-8", shelf("{\"\xff\":{}}", 0), "byte 9: a text that is not UTF-8"},
		{"half a surrogate pair", shelf(`{"\ud800":{}}`, 0), `byte 9: a text with a wrong escape: "\"\\ud800\""`},
		{"wrong escape", shelf(`{"\x":{}}`, 0), `byte 9: a text with a wrong escape: "\"\\x\""`},
		{"text without end", shelf(`{"abc`, 0), "byte 9: a text without end"},
		{"backslash at the end", shelf(`{"abc\`, 0), "byte 9: a text without end"},
		{"no fields", shelf(`{"a":{}}`, 0), `tensor "a": byte 9: no dtype`},
		{"no shape", shelf(`{"a":{"dtype":"U8"}}`, 0), `tensor "a": byte 9: no shape`},
		{"no offsets", shelf(`{"a":{"dtype":"U8","shape":[]}}`, 0), `tensor "a": byte 9: no data_offsets`},
		{"null", shelf(`{"a":null}`, 0), `tensor "a": byte 13: 'n' in the JSON, want '{'`},
		{"unknown field", shelf(`{"a":{"exec":"rm"}}`, 0), `tensor "a": byte 14: unknown key "exec", want dtype, shape and data_offsets`},
		{"unknown dtype", shelf(one(`"F8_E4M3"`, "[4]", "[0,4]"), 4), `tensor "a": byte 22: dtype "F8_E4M3", want one of BF16 BOOL F16 F32 F64 I16 I32 I64 I8 U16 U32 U64 U8`},
		{"dtype number", shelf(one(`8`, "[4]", "[0,4]"), 4), `tensor "a": byte 22: '8' in the JSON, want '"'`},
		{"negative extent", shelf(one(`"U8"`, "[-4]", "[0,4]"), 4), `tensor "a": byte 36: a negative number`},
		{"minus zero", shelf(one(`"U8"`, "[-0]", "[0,0]"), 0), `tensor "a": byte 36: a negative number`},
		{"two negatives", shelf(one(`"U8"`, "[-2,-2]", "[0,4]"), 4), `tensor "a": byte 36: a negative number`},
		{"fraction", shelf(one(`"U8"`, "[4.0]", "[0,4]"), 4), `tensor "a": byte 37: '.' in the JSON, want ','`},
		{"exponent", shelf(one(`"U8"`, "[4e0]", "[0,4]"), 4), `tensor "a": byte 37: 'e' in the JSON, want ','`},
		{"leading zero", shelf(one(`"U8"`, "[04]", "[0,4]"), 4), `tensor "a": byte 36: want an integer in plain digits`},
		{"text for extent", shelf(one(`"U8"`, `["4"]`, "[0,4]"), 4), `tensor "a": byte 36: want an integer in plain digits`},
		{"extent 2^64+4", shelf(one(`"U8"`, "[18446744073709551620]", "[0,4]"), 4), `tensor "a": byte 36: a number beyond 9223372036854775807`},
		{"2^32 x 2^32", shelf(one(`"U8"`, "[4294967296,4294967296]", "[0,0]"), 0), `tensor "a": byte 35: shape (4294967296,4294967296) has more elements than memory can address`},
		{"0 x 2^32 x 2^32", shelf(one(`"U8"`, "[0,4294967296,4294967296]", "[0,0]"), 0), `tensor "a": byte 35: shape (0,4294967296,4294967296) has more elements than memory can address`},
		{"2^61 x F64", shelf(one(`"F64"`, "[2305843009213693952]", "[0,0]"), 0), `tensor "a": byte 36: shape (2305843009213693952) has more elements than memory can address`},
		{"2^60 elements", shelf(one(`"U8"`, "[1152921504606846975]", "[0,1152921504606846975]"), 0), `tensor "a": byte 9: ends 1152921504606846975 bytes behind the file's 97`},
		{"seven axes", shelf(one(`"U8"`, "[1,1,1,1,1,1,1]", "[0,1]"), 1), `tensor "a": byte 35: shape (1,1,1,1,1,1,1) has 7 axes, the most is 6`},
		{"a million axes", shelf(one(`"U8"`, "["+strings.Repeat("1,", 1<<20)+"1]", "[0,1]"), 1), `tensor "a": byte 35: shape (1,1,1,1,1,1,1) has 7 axes, the most is 6`},
		{"shape too small", shelf(one(`"F32"`, "[1]", "[0,8]"), 8), `tensor "a": byte 9: F32 (1) takes 4 bytes, data_offsets hold 8`},
		{"shape too large", shelf(one(`"F32"`, "[2]", "[0,4]"), 4), `tensor "a": byte 9: F32 (2) takes 8 bytes, data_offsets hold 4`},
		{"one offset", shelf(one(`"U8"`, "[4]", "[4]"), 4), `tensor "a": byte 54: data_offsets [4], want a begin and an end that is not before it`},
		{"three offsets", shelf(one(`"U8"`, "[4]", "[0,4,8]"), 4), `tensor "a": byte 59: more than two data_offsets`},
		{"backwards", shelf(one(`"U8"`, "[4]", "[4,0]"), 4), `tensor "a": byte 54: data_offsets [4 0], want a begin and an end that is not before it`},
		{"negative offset", shelf(one(`"U8"`, "[4]", "[-4,0]"), 4), `tensor "a": byte 55: a negative number`},
		{"offset 2^63", shelf(one(`"U8"`, "[4]", "[9223372036854775808,0]"), 4), `tensor "a": byte 55: a number beyond 9223372036854775807`},
		{"ends behind the file", shelf(one(`"U8"`, "[8]", "[0,8]"), 4), `tensor "a": byte 9: ends 4 bytes behind the file's 65`},
		{"hole at the start", shelf(one(`"U8"`, "[4]", "[4,8]"), 8), `tensor "a": byte 9: begins 4 bytes after the data before it: a hole at byte 61`},
		{"hole between", shelf(two("[0,4]", "[5,9]"), 9), `tensor "b": byte 61: begins 1 bytes after the data before it: a hole at byte 117`},
		{"overlap", shelf(two("[0,4]", "[3,7]"), 7), `tensor "b": byte 61: begins 1 bytes before the data before it ends: an overlap at byte 116`},
		{"same place", shelf(two("[0,4]", "[0,4]"), 4), `tensor "b": byte 61: begins 4 bytes before the data before it ends: an overlap at byte 113`},
		{"trailing bytes", shelf(one(`"U8"`, "[4]", "[0,4]"), 5), `byte 65: 1 bytes that belong to no tensor`},
		{"bytes without tensors", shelf(`{}`, 3), `byte 10: 3 bytes that belong to no tensor`},
		{"boolean 2", append(shelf(one(`"BOOL"`, "[2]", "[0,2]"), 1), 2), `tensor "a": byte 64: boolean 2, want 0 or 1`},
		{"unsigned 2^64-1", append(shelf(one(`"U64"`, "[1]", "[0,8]"), 0), bytes.Repeat([]byte{255}, 8)...), `tensor "a": byte 62: integer 18446744073709551615, the most is 9223372036854775807`},
		{"a name of a megabyte", shelf(`{"`+strings.Repeat("a", 1<<20)+`":{}}`, 0), `tensor "` + strings.Repeat("a", 80) + `": byte 9: no dtype`},
	} {
		var err error
		n := allocated(func() { _, err = Read(bytes.NewReader(c.b), int64(len(c.b))) })
		if err == nil || err.Error() != "safetensors: "+c.want {
			t.Errorf("%s:\n%v\nwant\nsafetensors: %s", c.name, err, c.want)
		}
		if most := 20*int64(len(c.b)) + 1<<20; n > most {
			t.Errorf("%s: %d bytes allocated for %d", c.name, n, len(c.b))
		}
	}
}

// A header may hold many tensors; their number alone must not cost more than
// a multiple of it.
func TestManyTensors(t *testing.T) {
	var head strings.Builder
	head.WriteByte('{')
	for i := range 30_000 {
		if i > 0 {
			head.WriteByte(',')
		}
		fmt.Fprintf(&head, `"%d":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}`, i)
	}
	head.WriteByte('}')
	b := shelf(head.String(), 0)
	var f *File
	var err error
	n := allocated(func() { f, err = Read(bytes.NewReader(b), int64(len(b))) })
	if err != nil || len(f.Tensors) != 30_000 {
		t.Fatal(err)
	}
	if n > 20*int64(len(b)) {
		t.Errorf("%d bytes allocated for %d", n, len(b))
	}
}

// The size that the caller claims may be wrong, and the disk may fail.
func TestReadWrongSize(t *testing.T) {
	good := shelf(`{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}`, 4)
	n := int64(len(good))
	for _, c := range []struct {
		b    []byte
		size int64
		want string
	}{
		{good[:n-1], n, `tensor "a": byte 64: end of file, want 1 more bytes`},
		{good[:20], n, `byte 20: end of file inside the header`},
		{good[:5], n, `byte 5: end of file inside the header`},
		{append(bytes.Clone(good), 0), n, "byte 65: goes on after its 65 bytes"},
		{good, -1, "byte 0: end of file, want 8 bytes of header length"},
	} {
		if _, err := Read(bytes.NewReader(c.b), c.size); err == nil || err.Error() != "safetensors: "+c.want {
			t.Errorf("%v, want %s", err, c.want)
		}
	}
	broken := errors.New("broken disk")
	for cut := range good {
		r := iotest.DataErrReader(bytes.NewReader(good[:cut]))
		if _, err := Read(iotest.TimeoutReader(r), n); err == nil {
			t.Errorf("cut at %d: read", cut)
		}
	}
	if _, err := Read(iotest.ErrReader(broken), n); !errors.Is(err, broken) {
		t.Error(err)
	}
	dir := t.TempDir()
	if _, err := ReadFile(dir); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Error(err)
	}
	path := filepath.Join(dir, "x.safetensors")
	os.WriteFile(path, good[:n-1], 0o644)
	if _, err := ReadFile(path); err == nil || err.Error() != path+`: safetensors: tensor "a": byte 9: ends 1 bytes behind the file's 64` {
		t.Error(err)
	}
}

// FuzzRead: whatever the bytes, no panic, no more memory than a multiple of
// the input, one clear line, and what is read can be written and read again.
func FuzzRead(f *testing.F) {
	for _, path := range []string{"testdata/foreign.safetensors", "testdata/sealed.safetensors"} {
		b, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add(shelf(`{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}`, 4))
	f.Add(shelf(`{"__metadata__":{"a":"b"},"\u00e9":{"dtype":"F16","shape":[],"data_offsets":[0,2]}}`, 2))
	f.Fuzz(func(t *testing.T, b []byte) {
		var x *File
		var err error
		if n := allocated(func() { x, err = Read(bytes.NewReader(b), int64(len(b))) }); n > 20*int64(len(b))+1<<20 {
			t.Fatalf("%d bytes allocated for %d", n, len(b))
		}
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n\x00\x1b") {
				t.Fatalf("not one clear line: %q", err)
			}
			return
		}
		var w bytes.Buffer
		if err := Write(&w, x); err != nil {
			t.Fatal(err)
		}
		y, err := Read(&w, int64(w.Len()))
		if err != nil {
			t.Fatal(err)
		}
		if err := same(x, y); err != nil {
			t.Fatal(err)
		}
	})
}
