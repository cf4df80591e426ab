//go:build !noasm

package cpu

// The stubs equal the loops of lossGo, whose fields have their names.

//go:noescape
func rowExpsAVX512(p *lossRow)

//go:noescape
func rowPowersAVX512(p *lossRow)

//go:noescape
func rowTermsAVX512(p *lossRow)

//go:noescape
func rowSlopesAVX512(p *lossRow)

var lossAVX512 = lossKernels{exps: rowExpsAVX512, powers: rowPowersAVX512, terms: rowTermsAVX512, slopes: rowSlopesAVX512}

//go:noescape
func rowExpsAVX2(p *lossRow)

//go:noescape
func rowPowersAVX2(p *lossRow)

//go:noescape
func rowTermsAVX2(p *lossRow)

//go:noescape
func rowSlopesAVX2(p *lossRow)

var lossAVX2 = lossKernels{exps: rowExpsAVX2, powers: rowPowersAVX2, terms: rowTermsAVX2, slopes: rowSlopesAVX2}
