//go:build cuda && cudasim && linux && amd64

package cuda

import _ "phase/kernels/cuda/cusim" // puts its GPU behind the driver's symbols

// Each block has a slab of its own, so that the simulator sees where it ends.
const slabBytes = 1
