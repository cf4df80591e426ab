package ptxsim

import (
	"encoding/binary"
	"fmt"
	"math"
	"sort"
	"sync"
	"sync/atomic"
)

// A Launch says how a kernel runs. The zero value of each field is its default.
type Launch struct {
	Grid, Block [3]int // extents; 0 counts as 1
	Shared      int    // bytes of dynamic shared memory

	// MaxShared is how many bytes of shared memory, static and dynamic, a block
	// may have: 48 KiB by default, as on a GPU without the driver's leave for more.
	MaxShared int

	// Late lets what cp.async copies arrive only when it is waited for, not at once.
	Late bool

	// Skip is checks to leave out: Race, Uninitialized, or both.
	Skip Check

	// Workers is how many blocks run side by side, 1 by default. More take effect
	// only without the check for races, and for kernels without atomic operations
	// on global memory: elsewhere the order of blocks may show.
	Workers int

	// Limit is how many instructions the warps of a block may execute, 2^28 by
	// default.
	Limit int
}

// A launch is one run of a kernel.
type launch struct {
	Launch
	kernel    *Kernel
	memory    *Memory
	variables map[*variable]*region
	params    region
	races     bool
	start     uint32              // the launch's first stamp
	starts    []uint32            // the blocks' first stamps
	published map[uint64][]uint32 // by address: blocks, by their first stamps, whose writes an atomic operation there makes known
}

// Run launches the kernel and waits for its end. An argument is a Ptr, int32,
// uint32, int64, uint64, float32 or float64 as the parameter has it, an int for
// any integer parameter that holds it, or the parameter's very bytes as []byte.
// What is wrong with the launch is an error; what goes wrong in a thread is a
// *Fault, and memory is then as that thread left it.
func (k *Kernel) Run(m *Memory, l Launch, args ...any) error {
	params, err := k.pack(args)
	if err == nil {
		err = k.complete(&l)
	}
	if err != nil {
		return fmt.Errorf("ptxsim: kernel %s: %w", k.Name, err)
	}
	run := &launch{Launch: l, kernel: k, memory: m, variables: m.variables(k.mod), races: l.Skip&Race == 0}
	run.params = region{size: uint64(len(params)), data: params, name: "the parameters"}
	if m.clock > 1<<31 { // long before stamps run out
		m.forget()
	}
	run.start = m.clock + 1
	return run.all()
}

// complete fills a launch's defaults in, or says what the kernel cannot do.
func (k *Kernel) complete(l *Launch) error {
	for i := range 3 {
		if l.Grid[i] == 0 {
			l.Grid[i] = 1
		}
		if l.Block[i] == 0 {
			l.Block[i] = 1
		}
	}
	for i := range 3 {
		if limit := [3]int{math.MaxInt32, 65535, 65535}[i]; l.Grid[i] < 0 || l.Grid[i] > limit {
			return fmt.Errorf("grid %v: extent %d is from 1 to %d", l.Grid, i, limit)
		}
		if limit := [3]int{1024, 1024, 64}[i]; l.Block[i] < 0 || l.Block[i] > limit {
			return fmt.Errorf("block %v: extent %d is from 1 to %d", l.Block, i, limit)
		}
	}
	if n := int64(l.Grid[0]) * int64(l.Grid[1]) * int64(l.Grid[2]); n > math.MaxInt32 {
		return fmt.Errorf("grid %v has %d blocks: at most %d", l.Grid, n, math.MaxInt32)
	}
	most := 1024
	if k.MaxThreads > 0 {
		most = k.MaxThreads
	}
	if n := l.Block[0] * l.Block[1] * l.Block[2]; n > most {
		return fmt.Errorf("block %v has %d threads: at most %d", l.Block, n, most)
	}
	if k.Block != [3]int{} && k.Block != l.Block {
		return fmt.Errorf("block %v: the kernel requires %v", l.Block, k.Block)
	}
	if l.MaxShared == 0 {
		l.MaxShared = maxStatic
	}
	if l.Shared < 0 || k.Shared+l.Shared > l.MaxShared {
		return fmt.Errorf("%d bytes of static and %d of dynamic shared memory: at most %d", k.Shared, l.Shared, l.MaxShared)
	}
	if l.Skip&^(Race|Uninitialized) != 0 {
		return fmt.Errorf("skip %v: only race and uninitialized can be left out", l.Skip)
	}
	if l.Limit == 0 {
		l.Limit = 1 << 28
	}
	if !k.parallel || l.Skip&Race == 0 || l.Workers < 1 {
		l.Workers = 1
	}
	return nil
}

// pack lays the arguments out as the parameters lie.
func (k *Kernel) pack(args []any) ([]byte, error) {
	if len(args) != len(k.Params) {
		return nil, fmt.Errorf("%d arguments for %d parameters", len(args), len(k.Params))
	}
	params := make([]byte, k.params)
	for i, p := range k.Params {
		at := params[p.offset:][:p.Size]
		b, v, t := argument(args[i], p)
		switch {
		case b != nil && len(b) == p.Size:
			copy(at, b)
		case t == p.typ.bits && p.Size*8 == t:
			var b [8]byte
			binary.LittleEndian.PutUint64(b[:], v)
			copy(at, b[:p.Size])
		default:
			return nil, fmt.Errorf("argument %d is %T(%v): parameter %s is %s of %d bytes", i, args[i], args[i], p.Name, p.Type, p.Size)
		}
	}
	return params, nil
}

// argument is an argument's bytes, or its value and the bits of it; nothing if
// it is of another kind than the parameter.
func argument(x any, p Param) (b []byte, v uint64, bits int) {
	if p.typ.floating() {
		switch x := x.(type) {
		case []byte:
			return x, 0, 0
		case float32:
			return nil, uint64(math.Float32bits(x)), 32
		case float64:
			return nil, math.Float64bits(x), 64
		}
		return nil, 0, 0
	}
	switch x := x.(type) {
	case []byte:
		return x, 0, 0
	case Ptr:
		return nil, uint64(x), 64
	case int32:
		return nil, uint64(uint32(x)), 32
	case uint32:
		return nil, uint64(x), 32
	case int64:
		return nil, uint64(x), 64
	case uint64:
		return nil, x, 64
	case int:
		least, most := p.typ.limits()
		if p.typ.class != raw && (int64(x) < min(least, -1<<(p.typ.bits-1)) || x > 0 && uint64(x) > most) {
			return nil, 0, 0
		}
		return nil, uint64(x) & p.typ.mask(), p.typ.bits
	}
	return nil, 0, 0
}

// all runs the blocks and adds up what they executed.
func (l *launch) all() error {
	n := l.Grid[0] * l.Grid[1] * l.Grid[2]
	var next atomic.Int64
	var failed atomic.Pointer[Fault]
	work := func() {
		b := newBlock(l)
		defer func() {
			l.kernel.add(b.warps[0].count)
			spare.Put(&b.regs)
			if x := recover(); x != nil {
				f, ok := x.(*Fault)
				if !ok {
					panic(x)
				}
				failed.CompareAndSwap(nil, f)
			}
		}()
		for failed.Load() == nil {
			i := int(next.Add(1) - 1)
			if i >= n {
				return
			}
			b.run(i)
		}
	}
	var others sync.WaitGroup
	for range min(l.Workers, n) - 1 {
		others.Go(work)
	}
	work()
	others.Wait()
	if f := failed.Load(); f != nil {
		return f
	}
	return nil
}

func (k *Kernel) add(count []int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for pc, n := range count {
		k.count[pc] += n
	}
}

// blockOf is the number of the block whose stamp this is: blocks run in order
// where stamps are given.
func (l *launch) blockOf(stamp uint32) int {
	return sort.Search(len(l.starts), func(i int) bool { return l.starts[i] > stamp }) - 1
}
