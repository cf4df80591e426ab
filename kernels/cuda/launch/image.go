package launch

import "phase/tensor"

// Images makes training images y (n,c,h,w) of bytes on the device, which begin at
// an address: images (h,w,c), side by side. pick (n,4) is I64 and says of each of
// y's images which one it is, how many rows and columns further down and right its
// first pixel stands there, and whether it is flipped left to right; beyond the
// border all is black. table (c,256) in F32 says what number each byte is.
func (b Backend) Images(y *tensor.Tensor, bytes uint64, pick, table *tensor.Tensor) {
	s := y.Shape()
	b.run(func(w *Work) {
		w.each(form("images", y.DType()), y.Size(), at(y), Arg{Bits: bytes}, at(pick), at(table), whole(s[2]), whole(s[3]), whole(s[1]), whole(y.Size()))
	})
}
