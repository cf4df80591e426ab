package cpu

import (
	"fmt"
	"slices"
	"strings"

	"phase/kernels"
	"phase/tensor"
)

var _ kernels.Describer = (*Backend)(nil)

// DescribeConv2D asks where the convolution itself does: winograd with the tiles
// of a block, direct with the strip of pixels by outputs or, in a weight
// gradient, the patch of channels by outputs; flat, banded and lowered with the
// tile of their matrix products; tiles with the places of a tile by its terms. Images
// in bfloat16 are those of a branch.
func (b *Backend) DescribeConv2D(s kernels.Side, p kernels.Conv2D, y, x, w *tensor.Tensor) string {
	if !keeps(y) {
		return "ref"
	}
	half := y.DType() == tensor.BF16
	c := convolutionOf(p, y.Shape(), x.Shape(), w)
	c.half = half
	var names []string
	switch s {
	case kernels.SideW:
		names = append(names, b.nameGradW(b.weightGrad(c)))
	case kernels.SideX:
		for phase := range p.S() * p.S() { // pixels take through different taps
			g := inputGradOf(p, x.Shape(), w, y.Shape(), phase)
			g.half = half
			if name := b.nameGather(g); name != "" && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	default:
		names = append(names, b.nameGather(c))
	}
	return strings.Join(names, ", ")
}

// nameGather says how g is computed; nothing, if it takes from nowhere.
func (b *Backend) nameGather(g gather) string {
	strip := b.conv.direct(&g)
	switch {
	case g.k() == 0:
		return ""
	case b.tiles.fits(&g):
		return fmt.Sprintf("tiles %dx%d", g.tilePlaces(), g.tileDepth())
	case b.wino.fits(&g):
		return fmt.Sprintf("winograd %d tiles", min(g.tileRowsAtOnce(), g.tileRows())*g.rowTiles())
	case strip != nil:
		return fmt.Sprintf("direct %dx%d", strip.pixels, strip.outputs)
	}
	tile := b.gemm.name
	switch {
	case g.flat():
		return "flat, gemm " + tile(flatBlock, g.out)
	case g.banded():
		return "banded, gemm " + tile(g.w, g.out)
	}
	return "lowered, gemm " + tile(g.block(), g.out)
}

// nameGradW says how g is computed.
func (b *Backend) nameGradW(g weightGrad) string {
	switch {
	case g.tiled:
		return "tiles 16x32"
	case g.winograd:
		_, _, channels := g.gradPieces()
		return fmt.Sprintf("winograd %d tiles", min(g.gradRowsAtOnce(channels), g.tileRows())*g.rowTiles())
	case g.patches != nil:
		return fmt.Sprintf("direct %dx%d", g.patches.list[0].channels, g.patches.outputs)
	}
	way, rows := "lowered", g.k()
	switch {
	case g.flat():
		way = "flat"
	case g.bandedGrad():
		way, rows = "banded", g.x.count*g.in
	}
	return way + ", gemm " + b.gemm.name(rows, min(pieceOutputs, ceil(g.out, panel)*panel))
}

// DescribeGemm names the tile that most of the product consists of.
func (b *Backend) DescribeGemm(_ kernels.Gemm, c, _, _ *tensor.Tensor) string {
	if c.DType() != tensor.F32 {
		return "loops in float64"
	}
	return "gemm " + b.gemm.name(min(blockM, c.Dim(0)), c.Dim(1))
}

// name is the largest tile of a product of m rows and n columns.
func (g *gemmKernels) name(m, n int) string {
	list, panels := g.narrow, 1
	if g.wide != nil && n > panel {
		list, panels = g.wide, 2
	}
	for m < list[0].rows && len(list) > 1 {
		list = list[1:]
	}
	return fmt.Sprintf("%dx%d", list[0].rows, panels*panel)
}
