package ptxsim

import (
	"maps"
	"slices"
	"sync"
)

// A Kernel is one .entry of a module.
type Kernel struct {
	Name       string
	Params     []Param
	Shared     int    // bytes of shared memory that it declares
	MaxThreads int    // of a block, from .maxntid or .reqntid; 0: not declared
	Block      [3]int // exactly this block, from .reqntid; zero: any

	mod      *Module
	code     []op
	regs     int // registers of a warp: named, temporary and constant
	consts   []constant
	specials []special
	entry    []register // those that may be read before they are written
	params   int        // bytes of all parameters
	layout   []placed
	window   int // bytes of shared memory with the gaps between variables, before the dynamic part
	dynamic  int // alignment of dynamic shared memory; 0: there is none
	local    int // bytes of local memory of a thread
	parallel bool

	mu    sync.Mutex
	count []int64 // lanes that executed each instruction
}

// A Param is one parameter of a kernel. Type is PTX's: .u64 for pointers, .b8
// for a struct of Size bytes.
type Param struct {
	Name        string
	Type        string
	Size, Align int
	offset      int
	typ         typ
}

// A constant is a register that holds the same in every lane: a number, or the
// address of a variable plus a number.
type constant struct {
	reg   int32
	value uint64
	of    *variable
}

// A special is a register that holds a special register.
type special struct {
	reg  int32
	name string
}

// A placed is a variable in shared memory, with its offset there.
type placed struct {
	*variable
	offset int
}

// A Line is a line of PTX and how many lanes have executed it.
type Line struct {
	Number int
	Text   string
	Count  int64
}

// Lines are the lines of the kernel that hold instructions, with the executions
// of all runs since Load. A lane whose guard is false does not count, except at
// a branch. A line that no lane has executed has Count 0.
func (k *Kernel) Lines() []Line {
	k.mu.Lock()
	defer k.mu.Unlock()
	var lines []Line
	for pc, o := range k.code[:len(k.code)-1] { // the last has no line
		if n := len(lines); n > 0 && lines[n-1].Number == int(o.line) {
			lines[n-1].Count = max(lines[n-1].Count, k.count[pc])
			continue
		}
		lines = append(lines, Line{int(o.line), k.mod.source.text(int(o.line)), k.count[pc]})
	}
	return lines
}

// Executed is the number of instructions that lanes have executed in all runs
// since Load: the sum of the counts of Lines.
func (k *Kernel) Executed() (n int64) {
	for _, l := range k.Lines() {
		n += l.Count
	}
	return n
}

// Kernel finds a kernel by its name; nil if there is none.
func (m *Module) Kernel(name string) *Kernel { return m.kernels[name] }

// Kernels are the names of the module's kernels, sorted.
func (m *Module) Kernels() []string { return slices.Sorted(maps.Keys(m.kernels)) }
