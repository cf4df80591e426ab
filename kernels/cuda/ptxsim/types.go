package ptxsim

import "math"

// A class is what a type's bits stand for.
type class byte

const (
	untyped   class = iota
	predicate       // one truth value
	raw             // bits
	unsigned
	signed
	float // IEEE: f16, f32, f64
	brain // float32 with a shorter fraction: bf16, tf32
)

// A typ is the type of an operand or a register.
type typ struct {
	class class
	bits  int
}

var types = map[string]typ{
	"pred": {predicate, 1},
	"b8":   {raw, 8}, "b16": {raw, 16}, "b32": {raw, 32}, "b64": {raw, 64},
	"u8": {unsigned, 8}, "u16": {unsigned, 16}, "u32": {unsigned, 32}, "u64": {unsigned, 64},
	"s8": {signed, 8}, "s16": {signed, 16}, "s32": {signed, 32}, "s64": {signed, 64},
	"f16": {float, 16}, "f32": {float, 32}, "f64": {float, 64},
	"bf16": {brain, 16}, "tf32": {brain, 32},
}

var (
	tPred = types["pred"]
	tB32  = types["b32"]
	tU32  = types["u32"]
	tU64  = types["u64"]
	tF16  = types["f16"]
	tF32  = types["f32"]
	tF64  = types["f64"]
	tBF16 = types["bf16"]
	tTF32 = types["tf32"]
)

func (t typ) String() string {
	for name, u := range types {
		if u == t {
			return "." + name
		}
	}
	return "no type"
}

func (t typ) integer() bool  { return t.class == unsigned || t.class == signed }
func (t typ) floating() bool { return t.class == float || t.class == brain }

// mask has the type's bits set.
func (t typ) mask() uint64 { return math.MaxUint64 >> (64 - t.bits) }

// int is the value of an integer's bits, sign and all.
func (t typ) int(v uint64) int64 {
	shift := 64 - t.bits
	if t.class == signed {
		return int64(v<<shift) >> shift
	}
	return int64(v << shift >> shift)
}

// fits reports whether a register of type r can be an operand of type t: the
// same size, and of the same kind unless one of them is just bits. tf32 and
// bf16 live in registers of bits.
func (t typ) fits(r typ) bool {
	switch {
	case t.bits != r.bits || (t.class == predicate) != (r.class == predicate):
		return false
	case t.class == raw || r.class == raw:
		return true
	case t.integer():
		return r.integer()
	}
	return t.class == r.class
}

// holds reports whether a register of type r can hold a value of type t that
// ld, st or cvt moves: the register may be wider than the value.
func (t typ) holds(r typ) bool {
	if r.bits > t.bits && r.class != predicate && !r.floating() {
		return !t.floating()
	}
	return t.fits(r)
}
