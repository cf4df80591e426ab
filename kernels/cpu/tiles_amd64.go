//go:build !noasm

package cpu

// The stubs equal the loops of tilesGo, whose fields have their names, but take
// numbers below 2^-126 for zero.

//go:noescape
func tileWideAMX(p *tileProduct)

//go:noescape
func tileNarrowAMX(p *tileProduct)

//go:noescape
func rowPairsAMX(p *rowPairs)

//go:noescape
func rowHalvesAMX(p *rowHalves)

var tilesAMX = tileKernels{wide: tileWideAMX, narrow: tileNarrowAMX, pairs: rowPairsAMX, halves: rowHalvesAMX}
