package launch

import (
	"encoding/binary"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"

	"phase/kernels"
	"phase/kernels/cuda/ptx"
	"phase/kernels/cuda/ptxsim"
	"phase/tensor"
)

// gpu is a simulated GPU: a Machine that runs the PTX that a real one gets, and
// the device of the tensors that it computes on.
type gpu struct {
	kernels map[string]*ptxsim.Kernel
	memory  ptxsim.Memory

	mu    sync.Mutex
	freed []ptxsim.Ptr // by the collector, not yet by the memory
}

// simulated is the one GPU of all tests, so that at the end it can say what they
// ran. The tests of a package run one after the other.
var simulated = func() *gpu {
	g := &gpu{kernels: map[string]*ptxsim.Kernel{}}
	texts := []string{ptx.SM70, ptx.SM80}
	if dir := os.Getenv("PHASE_PTX"); dir != "" { // of another compiler (nvcc.sh)
		for i, name := range []string{"phase_sm70.ptx", "phase_sm80.ptx"} {
			b, err := os.ReadFile(filepath.Join(dir, name))
			must(err)
			texts[i] = string(b)
		}
	}
	for _, text := range texts {
		m, err := ptxsim.Load(text)
		must(err)
		for _, name := range m.Kernels() {
			g.kernels[name] = m.Kernel(name)
		}
	}
	return g
}()

// simulator is its backend, with tensor cores or without.
func simulator(cores bool) backend { return backend{Backend{simulated, cores}, simulated} }

// backend is a whole kernels.Backend.
type backend struct {
	Backend
	gpu *gpu
}

var _ kernels.Backend = backend{}

func (b backend) Device() tensor.Device { return b.gpu }
func (b backend) String() string        { return b.gpu.String() }

// When all tests have passed, every kernel has run in one of them.
func TestMain(m *testing.M) {
	code := m.Run()
	if all := flag.Lookup("test.run").Value.String() == "" && flag.Lookup("test.skip").Value.String() == ""; code == 0 && all {
		for _, name := range slices.Sorted(maps.Keys(simulated.kernels)) {
			if simulated.kernels[name].Executed() == 0 {
				fmt.Printf("no test runs kernel %s\n", name)
				code = 1
			}
		}
	}
	os.Exit(code)
}

func (g *gpu) String() string { return "cuda simulator" }

// Alloc makes zeroed memory, which is given back when nobody holds the storage any
// more.
func (g *gpu) Alloc(d tensor.DType, n int) tensor.Storage {
	m := &memory{g, d, n, g.take(n * d.Size())}
	runtime.AddCleanup(m, func(p ptxsim.Ptr) {
		g.mu.Lock()
		g.freed = append(g.freed, p)
		g.mu.Unlock()
	}, m.at)
	m.Zero()
	return m
}

func (g *gpu) take(bytes int) ptxsim.Ptr {
	g.mu.Lock()
	freed := g.freed
	g.freed = nil
	g.mu.Unlock()
	for _, p := range freed {
		must(g.memory.Free(p))
	}
	return g.memory.Alloc(bytes)
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// Run runs the launches one by one, in scratch memory that nobody has written.
func (g *gpu) Run(w *Work) {
	var scratch ptxsim.Ptr
	if w.Scratch > 0 {
		scratch = g.take(w.Scratch)
		defer func() { must(g.memory.Free(scratch)) }()
	}
	for _, l := range w.Launches {
		k := g.kernels[l.Kernel]
		if k == nil {
			panic(fmt.Sprintf("no kernel %s", l.Kernel))
		}
		args := make([]any, len(l.Args))
		for i, a := range l.Args {
			if a.Scratch {
				a.Bits += uint64(scratch)
			}
			args[i] = binary.LittleEndian.AppendUint64(nil, a.Bits)[:k.Params[i].Size]
		}
		must(k.Run(&g.memory, ptxsim.Launch{Grid: l.Grid, Block: l.Block}, args...))
	}
}

// memory is a storage in a simulated GPU's memory.
type memory struct {
	of    *gpu
	dtype tensor.DType
	n     int
	at    ptxsim.Ptr
}

func (m *memory) Device() tensor.Device { return m.of }
func (m *memory) DType() tensor.DType   { return m.dtype }
func (m *memory) Len() int              { return m.n }
func (m *memory) Address() uint64       { return uint64(m.at) }
func (m *memory) Zero()                 { m.Upload(make([]byte, m.n*m.dtype.Size())) }
func (m *memory) Upload(src []byte)     { must(ptxsim.Write(&m.of.memory, m.at, src)) }
func (m *memory) Download(dst []byte)   { must(ptxsim.Read(&m.of.memory, m.at, dst)) }
