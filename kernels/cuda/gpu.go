//go:build cuda && !cudasim && linux && amd64

package cuda

// slabBytes is how much memory is asked for at a time: enough that the driver is
// called seldom, little beside any GPU's memory.
const slabBytes = 64 << 20
