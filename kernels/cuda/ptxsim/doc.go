// Package ptxsim runs CUDA kernels without a GPU: it interprets PTX, the very
// text that a driver would be given, and looks for mistakes while it does.
//
// There are only a few types. Load makes a Module of PTX; a Kernel of it is Run
// in a Memory as a Launch says; what goes wrong in a thread is a Fault.
//
// # How it runs
//
// The 32 lanes of a warp execute one instruction after another together. Lanes
// that a branch parts go on as groups, the one at the lowest instruction first,
// and come together where they meet. The warps of a block take turns at
// barriers, and blocks run one after another, or side by side where that cannot
// be told (Launch.Workers). So every run of a kernel without races gives the same
// bits.
//
// Arithmetic is exact to the bit, with every rounding, NaN, infinity and
// subnormal number as the PTX ISA has it: fused multiply-adds and conversions
// round once; a NaN that arithmetic makes is 0x7fffffff in f32, and in f64, where
// hardware's is not simulated, 0x7ff8000000000000. Instructions that are
// approximate (ex2, lg2, sin, cos, tanh, rsqrt, and rcp, sqrt and div with
// .approx) are computed in float64 and rounded once, mma as products in float64.
//
// Load refuses whatever it does not know (an opcode, a modifier, a directive, a
// form of operand) or the module's target does not have, so nothing is skipped
// silently. Kernel.Lines counts executions line by line: a line at 0 is one that
// no test has reached.
//
// # What it checks
//
//   - Bounds: each access lies in one allocation that has not been freed, in one
//     variable of shared memory, in local memory, the parameters. Allocations lie
//     far apart and shared variables 256 bytes, so that running past one is seen.
//   - Alignment, integer division by zero, traps, loops that do not end.
//   - Reads of memory that nobody has written: global, shared and local. Read
//     looks at that too, and so finds results that a kernel left out.
//   - Races in shared and global memory within a block: accesses by two threads to
//     the same byte, one of them a write, without a barrier of both between them.
//     Two lanes of a warp are two threads: only bar.warp.sync (of any mask) or a
//     barrier puts them in order, not lockstep, and not a shuffle. Two atomic,
//     volatile, relaxed, acquire or release accesses are in no race. Plain writes
//     of one value by several threads are let pass.
//   - Races in global memory between the blocks of a launch, in whatever order
//     they ran. A block that fences and then does an atomic operation makes its
//     writes known to those that do one there later, as in a reduction by the last
//     block to arrive.
//   - cp.async: an access to bytes that are still being copied. With Launch.Late
//     they arrive only at the wait, so that a missing one leaves the old bytes.
//   - Barriers: a block that cannot go on says who waits where; warps that meet in
//     one bar.sync at different instructions are an error, as __syncthreads in
//     divergent code is. Threads that have exited are not waited for.
//   - Lanes: shuffles, votes, mma and ldmatrix wait for the lanes that they name,
//     and fault where one of these cannot come, has another mask, or is read from
//     without being there.
//
// A Fault names the kernel, the line of PTX and its text, the block and the
// thread, and for a race the other party.
//
// # What it cannot show
//
// Nothing about speed, coalescing, bank conflicts or occupancy. Nothing about
// ptxas or the driver's compiler: that they translate PTX rightly, and where they
// fuse mul and add that name no rounding. Not the last bits of approximate
// instructions, nor the order and the width in which a tensor core adds. Not what
// weak memory or asynchrony would do to a program with a race, only that there is
// one, and only in the accesses that a run makes: other data may take other
// paths. Synchronization by flags in memory is not followed: data that they guard
// count as unguarded. A warp that waits in a loop for another block, or for
// another of its own lanes, may do so until Launch.Limit.
package ptxsim
