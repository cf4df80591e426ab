package ptxsim

// specials are the special registers, all .u32: what each holds in a lane.
var specials = map[string]func(w *warp, lane int) uint32{
	"tid.x":    func(w *warp, i int) uint32 { return w.extent(w.first+i, w.block.launch.Block, 0) },
	"tid.y":    func(w *warp, i int) uint32 { return w.extent(w.first+i, w.block.launch.Block, 1) },
	"tid.z":    func(w *warp, i int) uint32 { return w.extent(w.first+i, w.block.launch.Block, 2) },
	"ctaid.x":  func(w *warp, _ int) uint32 { return w.extent(w.block.number, w.block.launch.Grid, 0) },
	"ctaid.y":  func(w *warp, _ int) uint32 { return w.extent(w.block.number, w.block.launch.Grid, 1) },
	"ctaid.z":  func(w *warp, _ int) uint32 { return w.extent(w.block.number, w.block.launch.Grid, 2) },
	"ntid.x":   func(w *warp, _ int) uint32 { return uint32(w.block.launch.Block[0]) },
	"ntid.y":   func(w *warp, _ int) uint32 { return uint32(w.block.launch.Block[1]) },
	"ntid.z":   func(w *warp, _ int) uint32 { return uint32(w.block.launch.Block[2]) },
	"nctaid.x": func(w *warp, _ int) uint32 { return uint32(w.block.launch.Grid[0]) },
	"nctaid.y": func(w *warp, _ int) uint32 { return uint32(w.block.launch.Grid[1]) },
	"nctaid.z": func(w *warp, _ int) uint32 { return uint32(w.block.launch.Grid[2]) },

	"laneid":      func(_ *warp, i int) uint32 { return uint32(i) },
	"warpid":      func(w *warp, _ int) uint32 { return uint32(w.index) },
	"nwarpid":     func(w *warp, _ int) uint32 { return uint32(len(w.block.warps)) },
	"lanemask_eq": func(_ *warp, i int) uint32 { return 1 << i },
	"lanemask_lt": func(_ *warp, i int) uint32 { return 1<<i - 1 },
	"lanemask_le": func(_ *warp, i int) uint32 { return 2<<i - 1 },
	"lanemask_gt": func(_ *warp, i int) uint32 { return -(2 << i) },
	"lanemask_ge": func(_ *warp, i int) uint32 { return -(1 << i) },

	"dynamic_smem_size": func(w *warp, _ int) uint32 { return uint32(w.block.launch.Shared) },
}

// extent is one coordinate of an element counted with x fastest.
func (w *warp) extent(n int, of [3]int, axis int) uint32 { return uint32(split(n, of)[axis]) }

// setSpecial fills the register that holds a special one.
func (w *warp) setSpecial(s special) {
	f := specials[s.name]
	for i := range warpSize {
		w.regs[s.reg][i] = uint64(f(w, i))
	}
}
