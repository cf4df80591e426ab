// Package cpu computes on the host, fast: SIMD kernels in assembly where the
// processor has them, plain Go elsewhere, on GOMAXPROCS goroutines.
//
// There are only a few ideas. A variant is a set of kernels for one kind of
// processor (amx, avx512, avx2, neon, go); one is chosen at start, the environment
// variable PHASE_CPU forces another, and the build tag noasm leaves only go.
// Most 3×3 convolutions go by Winograd's products, which round more than the
// sums that define them; a variant's exact form (avx512-exact) does without.
// Work is cut into items by shape alone and handed to par; sums that cross
// items are made of partial sums added in item order, so that no result
// depends on how many goroutines there were. Assembly comes from the program
// in _gen (go run . there) and is committed; each stub's comment is the loop
// that it equals. What is not written here yet comes from package ref, which
// Backend embeds.
package cpu
