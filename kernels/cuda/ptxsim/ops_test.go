package ptxsim

import (
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// An instruction is one form of an opcode with what it should give, in Go's own
// arithmetic on bits. Operands %d, %a, %b, %c, %e are registers of the types
// named.
type instruction struct {
	text  string
	types string // of d and of the sources
	want  func(x ...uint64) uint64
}

// program is a kernel that executes an instruction once in each thread, on the
// thread's own elements of the arrays.
func program(body, types string) string {
	var s strings.Builder
	fmt.Fprintf(&s, ".version 7.0\n.target sm_80\n.address_size 64\n.visible .entry op(\n.param .u64 p0")
	names := strings.Fields(types)
	for i := range names[1:] {
		fmt.Fprintf(&s, ",\n.param .u64 p%d", i+1)
	}
	s.WriteString("\n)\n{\n.reg .b32 %r<4>;\n.reg .b64 %rd<9>;\n")
	for i, name := range names {
		reg := "." + name
		switch types := types1[name]; {
		case name == "pred":
			fmt.Fprintf(&s, ".reg .pred %%%c;\n", "dabce"[i])
			reg = ".b32"
		case types.bits == 8:
			reg = ".b16"
		case name == "bf16" || name == "tf32" || name == "f16":
			reg = fmt.Sprintf(".b%d", types.bits)
		}
		fmt.Fprintf(&s, ".reg %s %%%c%s;\n", reg, "dabce"[i], map[bool]string{true: "w"}[name == "pred"])
	}
	s.WriteString("mov.u32 %r0, %tid.x;\nmov.u32 %r1, %ctaid.x;\nmov.u32 %r2, %ntid.x;\nmad.lo.s32 %r0, %r1, %r2, %r0;\n")
	for i, name := range names {
		size, form := types1[name].bits/8, storage(name)
		if name == "pred" {
			size = 4
		}
		fmt.Fprintf(&s, "ld.param.u64 %%rd%d, [p%d];\nmad.wide.u32 %%rd%d, %%r0, %d, %%rd%d;\n", i, i, i, size, i)
		if i > 0 {
			c := "dabce"[i]
			if name == "pred" {
				fmt.Fprintf(&s, "ld.global.b32 %%%cw, [%%rd%d];\nsetp.ne.b32 %%%c, %%%cw, 0;\n", c, i, c, c)
			} else {
				fmt.Fprintf(&s, "ld.global.%s %%%c, [%%rd%d];\n", form, c, i)
			}
		}
	}
	s.WriteString(body + "\n")
	if names[0] == "pred" {
		s.WriteString("selp.b32 %dw, 1, 0, %d;\nst.global.b32 [%rd0], %dw;\n")
	} else {
		fmt.Fprintf(&s, "st.global.%s [%%rd0], %%d;\n", storage(names[0]))
	}
	s.WriteString("ret;\n}\n")
	return s.String()
}

// types1 is what the test knows of types, apart from what is tested.
var types1 = map[string]struct{ bits int }{
	"pred": {1}, "b16": {16}, "b32": {32}, "b64": {64}, "u8": {8}, "s8": {8}, "u16": {16}, "s16": {16}, "u32": {32}, "s32": {32}, "u64": {64}, "s64": {64},
	"f16": {16}, "bf16": {16}, "tf32": {32}, "f32": {32}, "f64": {64},
}

func storage(name string) string {
	switch name {
	case "pred":
		return "b32"
	case "bf16", "f16":
		return "b16"
	case "tf32":
		return "b32"
	}
	return name
}

// values are what a type is tried with: limits, ties, special numbers, and some
// bits at random.
func values(r *rand.Rand, name string) []uint64 {
	n := types1[name].bits
	if name == "pred" {
		return []uint64{0, 1}
	}
	mask := uint64(math.MaxUint64) >> (64 - n)
	var v []uint64
	switch name {
	case "f32", "tf32":
		for _, x := range []float32{0, 1, 1.5, 2.5, 3, 0.1, 16777216, 16777217, 255.5, 65504, 65520, 2147483648, 4294967296, 1e19, math.MaxFloat32,
			0x1p-126, 0x1p-127, 0x1.000002p-126, math.SmallestNonzeroFloat32, 0x1.fffffep-127, 0x1p-14, 0x1p-24, 0x1p-25, 0x1.8p-25, 0x1.01p0, 0x1.03p0, 0x1.008p0,
			0x1.002p0, 0x1.006p0, float32(math.Inf(1))} {
			v = append(v, uint64(math.Float32bits(x)), uint64(math.Float32bits(-x)))
		}
		v = append(v, 0x7fc00000, 0xffc00001, 0x7f800001)
	case "f64":
		for _, x := range []float64{0, 1, 1.5, 2.5, 3, 0.1, 1 << 53, 1<<53 + 2, 255.5, 65520, 2147483647.5, 4294967295.5, 1e19, 0x1p63, 0x1p64, math.MaxFloat64,
			math.MaxFloat32, 0x1.ffffffp127, 0x1p-126, 0x1p-149, 0x1p-150, 0x1.8p-149, 0x1p-1022, 5e-324, 0x1.000001p0, 0x1.000003p0, 0x1.00000100000001p0, math.Inf(1)} {
			v = append(v, math.Float64bits(x), math.Float64bits(-x))
		}
		v = append(v, 0x7ff8000000000000, 0xfff0000000000001)
	case "f16":
		v = []uint64{0, 0x8000, 1, 0x8001, 0x3ff, 0x400, 0x3c00, 0xbc00, 0x3e00, 0x4100, 0x7bff, 0xfbff, 0x7c00, 0xfc00, 0x7e00, 0xfe01, 0x5640, 0x6800}
	default:
		v = []uint64{0, 1, 2, 3, 7, 8, 16, 24, 31, 32, 33, 63, 64, 65, 127, 128, 255, 256, 0x0420, 0x1f10, mask, mask - 1, mask >> 1, mask>>1 + 1, mask / 3, 1 << (n / 2), 1<<(n/2) - 1,
			1<<63 | 1<<39 | 1, 1<<62 | 1<<38 | 1, 1<<62 | 1<<61 | 1<<37 - 1} // past, and short of, ties that f32 has
	}
	for range 8 {
		v = append(v, r.Uint64())
	}
	for i := range v {
		v[i] &= mask
	}
	return v
}

// check runs an instruction on all pairs of its operands' values, and on
// triples of them at random, and compares.
func (ins instruction) check(t *testing.T, r *rand.Rand) {
	names := strings.Fields(ins.types)
	sources := names[1:]
	var rows [][]uint64
	var all [][]uint64
	for _, name := range sources {
		all = append(all, values(r, name))
	}
	switch len(sources) {
	case 1:
		for _, x := range all[0] {
			rows = append(rows, []uint64{x})
		}
		for range 200 {
			rows = append(rows, []uint64{r.Uint64() & (math.MaxUint64 >> (64 - types1[sources[0]].bits))})
		}
	case 2:
		for _, x := range all[0] {
			for _, y := range all[1] {
				rows = append(rows, []uint64{x, y})
			}
		}
	default:
		for range 6000 {
			row := make([]uint64, len(sources))
			for j := range row {
				row[j] = all[j][r.IntN(len(all[j]))]
			}
			rows = append(rows, row)
		}
	}
	rows = slices.DeleteFunc(rows, func(row []uint64) bool { // not defined
		return (strings.HasPrefix(ins.text, "div.") || strings.HasPrefix(ins.text, "rem.")) && !strings.Contains(ins.types, "f") && row[1] == 0
	})
	const block = 128
	n := (len(rows) + block - 1) / block * block
	for len(rows) < n {
		rows = append(rows, rows[0])
	}
	k := loaded(t, program(ins.text, ins.types), "op")
	var m Memory
	args := []any{}
	size := func(name string) int { return max(types1[name].bits, map[bool]int{true: 32}[name == "pred"]) / 8 }
	args = append(args, m.Alloc(n*size(names[0])))
	for j, name := range sources {
		s := size(name)
		b := make([]byte, n*s)
		for i, row := range rows {
			for k := range s {
				b[i*s+k] = byte(row[j] >> (8 * k))
			}
		}
		args = append(args, given(t, &m, b))
	}
	if err := k.Run(&m, Launch{Grid: [3]int{n / block}, Block: [3]int{block}}, args...); err != nil {
		t.Fatal(err)
	}
	s := size(names[0])
	out := results[byte](t, &m, args[0].(Ptr), n*s)
	for i, row := range rows {
		var got uint64
		for k := range s {
			got |= uint64(out[i*s+k]) << (8 * k)
		}
		if want := ins.want(row...); got != want {
			t.Fatalf("%s: %#x gives %#x, want %#x", ins.text, row, got, want)
		}
	}
}

func TestInstructions(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, list := range [][]instruction{integers(), bitOps(), floats32(), floats64(), comparisons(), conversions(), moves()} {
		for _, ins := range list {
			t.Run(ins.text, func(t *testing.T) { ins.check(t, r) })
		}
	}
}

type integer interface {
	~int16 | ~uint16 | ~int32 | ~uint32 | ~int64 | ~uint64
}

// on1, on2 and on3 make functions of bits of Go's own functions.
func on1[T, D integer](f func(x T) D) func(x ...uint64) uint64 {
	return func(x ...uint64) uint64 { return cut(f(T(x[0]))) }
}

func on2[T, D integer](f func(x, y T) D) func(x ...uint64) uint64 {
	return func(x ...uint64) uint64 { return cut(f(T(x[0]), T(x[1]))) }
}

func on3[T, D integer](f func(x, y T, z D) D) func(x ...uint64) uint64 {
	return func(x ...uint64) uint64 { return cut(f(T(x[0]), T(x[1]), D(x[2]))) }
}

func cut[T integer](v T) uint64 {
	switch any(v).(type) {
	case int16, uint16:
		return uint64(uint16(v))
	case int32, uint32:
		return uint64(uint32(v))
	}
	return uint64(v)
}

// ofInteger are the instructions that every integer type has.
func ofInteger[T integer](name string) []instruction {
	two, three := fmt.Sprintf("%[1]s %[1]s %[1]s", name), fmt.Sprintf("%[1]s %[1]s %[1]s %[1]s", name)
	list := []instruction{
		{"add." + name + " %d, %a, %b;", two, on2(func(x, y T) T { return x + y })},
		{"sub." + name + " %d, %a, %b;", two, on2(func(x, y T) T { return x - y })},
		{"mul.lo." + name + " %d, %a, %b;", two, on2(func(x, y T) T { return x * y })},
		{"mad.lo." + name + " %d, %a, %b, %c;", three, on3(func(x, y, z T) T { return x*y + z })},
		{"div." + name + " %d, %a, %b;", two, on2(func(x, y T) T { return x / y })},
		{"rem." + name + " %d, %a, %b;", two, on2(func(x, y T) T { return x % y })},
		{"min." + name + " %d, %a, %b;", two, on2(func(x, y T) T { return min(x, y) })},
		{"max." + name + " %d, %a, %b;", two, on2(func(x, y T) T { return max(x, y) })},
	}
	if name[0] == 's' {
		one := name + " " + name
		list = append(list,
			instruction{"abs." + name + " %d, %a;", one, on1(func(x T) T { return max(x, -x) })},
			instruction{"neg." + name + " %d, %a;", one, on1(func(x T) T { return -x })})
	}
	return list
}

func integers() []instruction {
	return slices.Concat(
		ofInteger[int16]("s16"), ofInteger[uint16]("u16"), ofInteger[int32]("s32"), ofInteger[uint32]("u32"), ofInteger[int64]("s64"), ofInteger[uint64]("u64"),
		[]instruction{
			{"mul.hi.s16 %d, %a, %b;", "s16 s16 s16", on2(func(x, y int16) int16 { return int16(int32(x) * int32(y) >> 16) })},
			{"mul.hi.u32 %d, %a, %b;", "u32 u32 u32", on2(func(x, y uint32) uint32 { return uint32(uint64(x) * uint64(y) >> 32) })},
			{"mul.hi.s32 %d, %a, %b;", "s32 s32 s32", on2(func(x, y int32) int32 { return int32(int64(x) * int64(y) >> 32) })},
			{"mul.hi.u64 %d, %a, %b;", "u64 u64 u64", on2(func(x, y uint64) uint64 { h, _ := bits.Mul64(x, y); return h })},
			{"mul.hi.s64 %d, %a, %b;", "s64 s64 s64", on2(func(x, y int64) int64 { return product128(x, y) })},
			{"mad.hi.s32 %d, %a, %b, %c;", "s32 s32 s32 s32", on3(func(x, y, z int32) int32 { return int32(int64(x)*int64(y)>>32) + z })},
			{"mul.wide.s16 %d, %a, %b;", "s32 s16 s16", on2(func(x, y int16) int32 { return int32(x) * int32(y) })},
			{"mul.wide.u16 %d, %a, %b;", "u32 u16 u16", on2(func(x, y uint16) uint32 { return uint32(x) * uint32(y) })},
			{"mul.wide.s32 %d, %a, %b;", "s64 s32 s32", on2(func(x, y int32) int64 { return int64(x) * int64(y) })},
			{"mul.wide.u32 %d, %a, %b;", "u64 u32 u32", on2(func(x, y uint32) uint64 { return uint64(x) * uint64(y) })},
			{"mad.wide.s32 %d, %a, %b, %c;", "s64 s32 s32 s64", on3(func(x, y int32, z int64) int64 { return int64(x)*int64(y) + z })},
			{"mad.wide.u16 %d, %a, %b, %c;", "u32 u16 u16 u32", on3(func(x, y uint16, z uint32) uint32 { return uint32(x)*uint32(y) + z })},
			{"add.sat.s32 %d, %a, %b;", "s32 s32 s32", on2(func(x, y int32) int32 { return clampS32(int64(x) + int64(y)) })},
			{"sub.sat.s32 %d, %a, %b;", "s32 s32 s32", on2(func(x, y int32) int32 { return clampS32(int64(x) - int64(y)) })},
			{"add.s32 %d, %a, -7;", "s32 s32", on1(func(x int32) int32 { return x - 7 })},
			{"sub.s64 %d, 0x10, %a;", "s64 s64", on1(func(x int64) int64 { return 16 - x })},
			{"mad.lo.u32 %d, %a, 3U, 0b101;", "u32 u32", on1(func(x uint32) uint32 { return 3*x + 5 })},
		})
}

// product128 is the upper half of a signed product, from long multiplication of
// the magnitudes.
func product128(x, y int64) int64 {
	magnitude := func(v int64) uint64 {
		if v < 0 {
			return -uint64(v)
		}
		return uint64(v)
	}
	hi, lo := bits.Mul64(magnitude(x), magnitude(y))
	if (x < 0) != (y < 0) {
		hi = ^hi
		if lo == 0 {
			hi++
		}
	}
	return int64(hi)
}

func clampS32(v int64) int32 { return int32(max(min(v, math.MaxInt32), math.MinInt32)) }

func bitOps() []instruction {
	field := func(width int, signed bool) func(x ...uint64) uint64 { // bfe, bit by bit as the PTX ISA has it
		return func(x ...uint64) uint64 {
			a, from, n := x[0], int(x[1]&255), int(x[2]&255)
			bit := func(i int) uint64 { return a >> min(i, width-1) & 1 }
			var fill, d uint64
			if signed && n > 0 {
				fill = bit(min(from+n-1, width-1))
			}
			for i := range width {
				b := fill
				if i < n && from+i <= width-1 {
					b = bit(from + i)
				}
				d |= b << i
			}
			return d
		}
	}
	insertion := func(width int) func(x ...uint64) uint64 {
		return func(x ...uint64) uint64 {
			a, d, from, n := x[0], x[1], int(x[2]&255), int(x[3]&255)
			for i := 0; i < n && from+i < width; i++ {
				d = d&^(1<<(from+i)) | a>>min(i, 63)&1<<(from+i)
			}
			return d
		}
	}
	return []instruction{
		{"and.b32 %d, %a, %b;", "b32 b32 b32", on2(func(x, y uint32) uint32 { return x & y })},
		{"or.b64 %d, %a, %b;", "b64 b64 b64", on2(func(x, y uint64) uint64 { return x | y })},
		{"xor.b16 %d, %a, %b;", "b16 b16 b16", on2(func(x, y uint16) uint16 { return x ^ y })},
		{"not.b32 %d, %a;", "b32 b32", on1(func(x uint32) uint32 { return ^x })},
		{"not.b64 %d, %a;", "b64 b64", on1(func(x uint64) uint64 { return ^x })},
		{"and.pred %d, %a, %b;", "pred pred pred", func(x ...uint64) uint64 { return x[0] & x[1] }},
		{"or.pred %d, %a, %b;", "pred pred pred", func(x ...uint64) uint64 { return x[0] | x[1] }},
		{"xor.pred %d, %a, %b;", "pred pred pred", func(x ...uint64) uint64 { return x[0] ^ x[1] }},
		{"not.pred %d, %a;", "pred pred", func(x ...uint64) uint64 { return 1 - x[0] }},
		{"shl.b32 %d, %a, %b;", "b32 b32 u32", on2(func(x, y uint32) uint32 { return x << y })},
		{"shl.b16 %d, %a, %b;", "b16 b16 u32", func(x ...uint64) uint64 { return uint64(uint16(x[0]) << uint32(x[1])) }},
		{"shl.b64 %d, %a, %b;", "b64 b64 u32", func(x ...uint64) uint64 { return x[0] << x[1] }},
		{"shr.u32 %d, %a, %b;", "u32 u32 u32", on2(func(x, y uint32) uint32 { return x >> y })},
		{"shr.b64 %d, %a, %b;", "b64 b64 u32", func(x ...uint64) uint64 { return x[0] >> x[1] }},
		{"shr.s32 %d, %a, %b;", "s32 s32 u32", func(x ...uint64) uint64 { return uint64(uint32(int32(x[0]) >> x[1])) }},
		{"shr.s64 %d, %a, %b;", "s64 s64 u32", func(x ...uint64) uint64 { return uint64(int64(x[0]) >> x[1]) }},
		{"shr.s16 %d, %a, %b;", "s16 s16 u32", func(x ...uint64) uint64 { return uint64(uint16(int16(x[0]) >> x[1])) }},
		{"shf.l.wrap.b32 %d, %a, %b, %c;", "b32 b32 b32 u32", func(x ...uint64) uint64 { return uint64(uint32((x[1]<<32 | x[0]) << (x[2] % 32) >> 32)) }},
		{"shf.r.wrap.b32 %d, %a, %b, %c;", "b32 b32 b32 u32", func(x ...uint64) uint64 { return uint64(uint32((x[1]<<32 | x[0]) >> (x[2] % 32))) }},
		{"shf.l.clamp.b32 %d, %a, %b, %c;", "b32 b32 b32 u32", func(x ...uint64) uint64 {
			if x[2] >= 32 {
				return x[0]
			}
			return uint64(uint32((x[1]<<32 | x[0]) << x[2] >> 32))
		}},
		{"shf.r.clamp.b32 %d, %a, %b, %c;", "b32 b32 b32 u32", func(x ...uint64) uint64 {
			if x[2] >= 32 {
				return x[1]
			}
			return uint64(uint32((x[1]<<32 | x[0]) >> x[2]))
		}},
		{"popc.b32 %d, %a;", "u32 b32", on1(func(x uint32) uint32 { return uint32(bits.OnesCount32(x)) })},
		{"popc.b64 %d, %a;", "u32 b64", on1(func(x uint64) uint32 { return uint32(bits.OnesCount64(x)) })},
		{"clz.b32 %d, %a;", "u32 b32", on1(func(x uint32) uint32 { return uint32(bits.LeadingZeros32(x)) })},
		{"clz.b64 %d, %a;", "u32 b64", on1(func(x uint64) uint32 { return uint32(bits.LeadingZeros64(x)) })},
		{"brev.b32 %d, %a;", "b32 b32", on1(bits.Reverse32)},
		{"brev.b64 %d, %a;", "b64 b64", on1(bits.Reverse64)},
		{"bfe.u32 %d, %a, %b, %c;", "u32 u32 u32 u32", field(32, false)},
		{"bfe.s32 %d, %a, %b, %c;", "s32 s32 u32 u32", field(32, true)},
		{"bfe.u64 %d, %a, %b, %c;", "u64 u64 u32 u32", field(64, false)},
		{"bfe.s64 %d, %a, %b, %c;", "s64 s64 u32 u32", field(64, true)},
		{"bfi.b32 %d, %a, %b, %c, %e;", "b32 b32 b32 u32 u32", insertion(32)},
		{"bfi.b64 %d, %a, %b, %c, %e;", "b64 b64 b64 u32 u32", insertion(64)},
		{"prmt.b32 %d, %a, %b, %c;", "b32 b32 b32 b32", func(x ...uint64) uint64 {
			var all [8]byte
			for i := range 8 {
				all[i] = byte((x[0] | x[1]<<32) >> (8 * i))
			}
			var d uint64
			for i := range 4 {
				digit := byte(x[2] >> (4 * i))
				v := all[digit&7]
				if digit&8 != 0 {
					v = byte(int8(v) >> 7)
				}
				d |= uint64(v) << (8 * i)
			}
			return d
		}},
		{"lop3.b32 %d, %a, %b, %c, 0xE8;", "b32 b32 b32 b32", func(x ...uint64) uint64 { return x[0]&x[1] | x[1]&x[2] | x[0]&x[2] }},
		{"lop3.b32 %d, %a, %b, %c, 0xCA;", "b32 b32 b32 b32", func(x ...uint64) uint64 { return x[0]&x[1] | ^x[0]&x[2]&math.MaxUint32 }},
	}
}

func moves() []instruction {
	return []instruction{
		{"mov.u32 %d, %a;", "u32 u32", on1(func(x uint32) uint32 { return x })},
		{"mov.pred %d, %a;", "pred pred", func(x ...uint64) uint64 { return x[0] }},
		{"mov.pred %d, -1; @%a mov.pred %d, 0;", "pred pred", func(x ...uint64) uint64 { return 1 - x[0] }},
		{"mov.b32 %d, %a;", "f32 b32", on1(func(x uint32) uint32 { return x })},
		{"{ .reg .b16 %l, %h; mov.b32 {%l, %h}, %a; mov.b32 %d, {%h, %l}; }", "b32 b32", on1(func(x uint32) uint32 { return bits.RotateLeft32(x, 16) })},
		{"{ .reg .b32 %l<2>; mov.b64 {%l0, %l1}, %a; mov.b64 %d, {%l1, %l0}; }", "b64 b64", on1(func(x uint64) uint64 { return bits.RotateLeft64(x, 32) })},
		{"{ .reg .b16 %l<4>; mov.b64 {%l0, %l1, %l2, %l3}, %a; mov.b64 %d, {%l3, %l2, %l1, %l0}; }", "b64 b64", func(x ...uint64) uint64 {
			return x[0]<<48 | x[0]&0xffff0000<<16 | x[0]>>16&0xffff0000 | x[0]>>48
		}},
		{"selp.b64 %d, %a, %b, %c;", "b64 b64 b64 pred", func(x ...uint64) uint64 { return x[1-x[2]] }},
		{"selp.f32 %d, %a, 0f3F800000, %b;", "f32 f32 pred", func(x ...uint64) uint64 { return [2]uint64{0x3f800000, x[0]}[x[1]] }},
		{"@!%b mov.b32 %a, 7; mov.b32 %d, %a;", "b32 b32 pred", func(x ...uint64) uint64 { return [2]uint64{7, x[0]}[x[1]] }},
		{"mov.f64 %d, 0d3FF8000000000000; @%a mov.f64 %d, 0dBFF8000000000000;", "f64 pred", func(x ...uint64) uint64 { return 0x3ff8000000000000 | x[0]<<63 }},
		{"mov.u32 %d, WARP_SZ; add.u32 %d, %d, %a;", "u32 u32", on1(func(x uint32) uint32 { return x + 32 })},
	}
}
