package ptxsim

import (
	"fmt"
	"math"
	"math/big"
)

// number is the exact value of a type's bits; special are the floats that have
// none.
func number(name string, v uint64) (x *big.Float, special float64) {
	n := types1[name].bits
	x = new(big.Float).SetPrec(4000)
	switch name[0] {
	case 'u':
		return x.SetUint64(v), 0
	case 's':
		return x.SetInt64(int64(v<<(64-n)) >> (64 - n)), 0
	}
	f := 0.0
	switch name {
	case "f64":
		f = math.Float64frombits(v)
	case "f32":
		f = float64(math.Float32frombits(uint32(v)))
	case "f16":
		e, m := int(v>>10&31), float64(v&1023)
		switch {
		case e == 31 && m == 0:
			f = math.Inf(1)
		case e == 31:
			f = math.NaN()
		case e == 0:
			f = m * 0x1p-24
		default:
			f = (1 + m/1024) * math.Pow(2, float64(e-15))
		}
		if v>>15 != 0 {
			f = -f
		}
	}
	if f != f || math.IsInf(f, 0) {
		return nil, f
	}
	return x.SetFloat64(f), f
}

// converted is what a conversion between floats, or from an integer, gives.
func converted(d, s, mode string) func(x ...uint64) uint64 {
	e := map[string]int{"f64": 11, "f32": 8, "f16": 5, "bf16": 8, "tf32": 8}[d]
	f := map[string]int{"f64": 52, "f32": 23, "f16": 10, "bf16": 7, "tf32": 10}[d]
	shift := map[string]int{"tf32": 13}[d]
	return func(x ...uint64) uint64 {
		v, special := number(s, x[0])
		switch {
		case special != special && d == "f64":
			return 0x7ff8000000000000
		case special != special:
			return (1<<(e+f) - 1) << shift
		case v == nil:
			v = new(big.Float).SetInf(special < 0)
		}
		return oracle(v, e, f, mode, math.Signbit(special)) << shift
	}
}

// truncated is what a conversion from a float to an integer gives: a number on
// the grid, held within limits.
func truncated(d, s, mode string) func(x ...uint64) uint64 {
	n := types1[d].bits
	least, most := big.NewInt(0), new(big.Int).SetUint64(math.MaxUint64>>(64-n))
	if d[0] == 's' {
		most.Rsh(most, 1)
		least.Not(most)
	}
	return func(x ...uint64) uint64 {
		v, special := number(s, x[0])
		var i *big.Int
		switch {
		case special != special && s != "f64" && n < 64:
			return 0
		case special != special:
			return 1 << (n - 1)
		case v == nil && special > 0:
			i = most
		case v == nil:
			i = least
		default:
			i = whole(v, mode)
		}
		if i.Cmp(most) > 0 {
			i = most
		}
		if i.Cmp(least) < 0 {
			i = least
		}
		return new(big.Int).And(i, new(big.Int).SetUint64(math.MaxUint64>>(64-n))).Uint64()
	}
}

// whole rounds a number to an integer.
func whole(v *big.Float, mode string) *big.Int {
	i, _ := v.Int(nil) // towards zero
	rest := new(big.Float).SetPrec(4000).Sub(v, new(big.Float).SetInt(i))
	step := int64(rest.Sign())
	switch c := new(big.Float).Abs(rest).Cmp(big.NewFloat(0.5)); mode {
	case "rzi":
		step = 0
	case "rmi":
		step = min(step, 0)
	case "rpi":
		step = max(step, 0)
	case "rni":
		if c < 0 || c == 0 && i.Bit(0) == 0 {
			step = 0
		}
	}
	return i.Add(i, big.NewInt(step))
}

// widened is a conversion between integers: to an integer of d's size, or held
// within its limits.
func widened(d, s string, sat bool) func(x ...uint64) uint64 {
	n := types1[d].bits
	least, most := big.NewInt(0), new(big.Int).SetUint64(math.MaxUint64>>(64-n))
	if d[0] == 's' {
		most.Rsh(most, 1)
		least.Not(most)
	}
	return func(x ...uint64) uint64 {
		v, _ := number(s, x[0])
		i, _ := v.Int(nil)
		if sat && i.Cmp(most) > 0 {
			i = most
		}
		if sat && i.Cmp(least) < 0 {
			i = least
		}
		return new(big.Int).And(i, new(big.Int).SetUint64(math.MaxUint64>>(64-n))).Uint64()
	}
}

func conversions() (list []instruction) {
	ints := []string{"u16", "s16", "u32", "s32", "u64", "s64"}
	for _, d := range ints {
		for _, s := range ints {
			if d != s {
				list = append(list, instruction{fmt.Sprintf("cvt.%s.%s %%d, %%a;", d, s), d + " " + s, widened(d, s, false)})
				if n := types1[d].bits; n < types1[s].bits || n == types1[s].bits && d[0] != s[0] || d[0] == 'u' && s[0] == 's' {
					list = append(list, instruction{fmt.Sprintf("cvt.sat.%s.%s %%d, %%a;", d, s), d + " " + s, widened(d, s, true)})
				}
			}
		}
		for _, f := range []string{"f16", "f32", "f64"} {
			for _, mode := range modes {
				list = append(list, instruction{fmt.Sprintf("cvt.%s.%s.%s %%d, %%a;", mode, f, d), f + " " + d, converted(f, d, mode)},
					instruction{fmt.Sprintf("cvt.%si.%s.%s %%d, %%a;", mode, d, f), d + " " + f, truncated(d, f, mode+"i")})
			}
		}
	}
	for _, pair := range [][2]string{{"f16", "f32"}, {"f16", "f64"}, {"f32", "f64"}} {
		d, s := pair[0], pair[1]
		for _, mode := range modes {
			list = append(list, instruction{fmt.Sprintf("cvt.%s.%s.%s %%d, %%a;", mode, d, s), d + " " + s, converted(d, s, mode)})
		}
		list = append(list, instruction{fmt.Sprintf("cvt.%s.%s %%d, %%a;", s, d), s + " " + d, converted(s, d, "rn")})
	}
	for _, t := range []string{"f32", "f64"} {
		for _, mode := range modes {
			list = append(list, instruction{fmt.Sprintf("cvt.%si.%[2]s.%[2]s %%d, %%a;", mode, t), t + " " + t, func(x ...uint64) uint64 {
				v, special := number(t, x[0])
				if v == nil {
					return converted(t, t, "rn")(x...)
				}
				e, f := 8, 23
				if t == "f64" {
					e, f = 11, 52
				}
				return oracle(new(big.Float).SetInt(whole(v, mode+"i")), e, f, "rn", math.Signbit(special))
			}})
		}
	}
	relu := func(f func(x ...uint64) uint64) func(x ...uint64) uint64 {
		return func(x ...uint64) uint64 {
			if v := math.Float32frombits(uint32(x[0])); v < 0 {
				return f(0)
			}
			return f(x...)
		}
	}
	pair := func(d, mode string) func(x ...uint64) uint64 {
		f := converted(d, "f32", mode)
		return func(x ...uint64) uint64 { return f(x[0])<<16 | f(x[1]) }
	}
	unit := func(x ...uint64) uint64 {
		switch v := math.Float32frombits(uint32(x[0])); {
		case v > 1:
			return 0x3f800000
		case v > 0:
			return x[0]
		}
		return 0
	}
	return append(list,
		instruction{"cvt.rn.bf16.f32 %d, %a;", "bf16 f32", converted("bf16", "f32", "rn")},
		instruction{"cvt.rz.bf16.f32 %d, %a;", "bf16 f32", converted("bf16", "f32", "rz")},
		instruction{"cvt.rn.relu.bf16.f32 %d, %a;", "bf16 f32", relu(converted("bf16", "f32", "rn"))},
		instruction{"cvt.rna.tf32.f32 %d, %a;", "tf32 f32", converted("tf32", "f32", "rna")},
		instruction{"cvt.rn.bf16x2.f32 %d, %a, %b;", "b32 f32 f32", pair("bf16", "rn")},
		instruction{"cvt.rz.f16x2.f32 %d, %a, %b;", "b32 f32 f32", pair("f16", "rz")},
		instruction{"cvt.sat.f32.f32 %d, %a;", "f32 f32", unit},
		instruction{"cvt.ftz.f32.f32 %d, %a;", "f32 f32", func(x ...uint64) uint64 {
			switch v := math.Float32frombits(uint32(x[0])); {
			case v != v:
				return 0x7fffffff
			case math.Abs(float64(v)) < 0x1p-126:
				return x[0] & 0x80000000
			}
			return x[0]
		}},
		// a register may be wider than what is converted
		instruction{"cvt.s32.s8 %d, %a;", "s32 s16", func(x ...uint64) uint64 { return uint64(uint32(int8(x[0]))) }},
		instruction{"cvt.u32.u8 %d, %a;", "u32 u32", func(x ...uint64) uint64 { return x[0] & 255 }},
		instruction{"cvt.s8.s32 %d, %a;", "s16 s32", func(x ...uint64) uint64 { return uint64(uint16(int8(x[0]))) }},
		instruction{"cvt.u8.u64 %d, %a;", "u32 u64", func(x ...uint64) uint64 { return x[0] & 255 }},
		instruction{"cvt.sat.u8.s32 %d, %a;", "u16 s32", func(x ...uint64) uint64 { return uint64(max(min(int32(x[0]), 255), 0)) }},
		instruction{"cvt.rzi.u8.f32 %d, %a;", "u32 f32", func(x ...uint64) uint64 {
			v := float64(math.Float32frombits(uint32(x[0])))
			if v != v {
				return 0
			}
			return uint64(math.Trunc(max(min(v, 255), 0)))
		}},
	)
}
