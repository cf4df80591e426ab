package tensor

import "math"

// A BFloat16 is the upper half of a float32: its sign, its 8 bits of exponent
// and the first 7 of its fraction. It is a form to keep numbers in, with half
// the memory; computing is done with what Float32 gives.
type BFloat16 uint16

// ToBFloat16 is the BFloat16 next to v, the even one of two as near. A NaN
// stays one, and quiet.
func ToBFloat16(v float32) BFloat16 {
	u := math.Float32bits(v)
	if v != v {
		return BFloat16(u>>16 | 0x40)
	}
	return BFloat16((u + 0x7fff + u>>16&1) >> 16)
}

// Float32 is b's value.
func (b BFloat16) Float32() float32 { return math.Float32frombits(uint32(b) << 16) }
