package launch

import "phase/tensor"

// Images makes training images y (n,c,h,w) of bytes, as kernels.ImageMaker has it.
func (b Backend) Images(y, bytes, pick, table *tensor.Tensor) {
	s := y.Shape()
	b.run(func(w *Work) {
		w.each(form("images", y.DType()), y.Size(), at(y), at(bytes), at(pick), at(table), whole(s[2]), whole(s[3]), whole(s[1]), whole(y.Size()))
	})
}
