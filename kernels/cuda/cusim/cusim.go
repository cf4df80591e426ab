//go:build cuda && cudasim && linux && amd64

// Package cusim is NVIDIA's driver as far as package cuda calls it, with a simulated
// GPU behind it: package ptxsim runs the kernels. It stands behind the same symbols
// as the real one (package driver), so that gorgonia.org/cu and all above it are what
// they are on a GPU.
//
// It is strict where a driver is not:
//
//   - A stream runs nothing until somebody waits for it, so that a missing wait reads
//     what was there before, and memory of the host that is filled anew too early
//     arrives in place of the old.
//   - Copies must be from and to pinned memory, calls come from a thread with the
//     context, and what ptxsim finds (bounds, races, memory that nobody has written)
//     is an error of the driver, with ptxsim's words as its text. After one, every
//     call fails, as on a GPU.
//
// PHASE_CUDASIM_MEMORY is the bytes of memory (8 GiB without), PHASE_CUDASIM_FAST=1
// leaves out the checks for races and unwritten memory, and runs blocks side by side.
package cusim

/*
#include <cuda.h>
#include <stdlib.h>
int sim_current(void);
void sim_set_current(int);
void sim_install(void);
*/
import "C"

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"unsafe"

	"phase/kernels/cuda/ptxsim"
)

// What the simulated driver answers with.
const (
	success       = C.CUDA_SUCCESS
	invalid       = C.CUDA_ERROR_INVALID_VALUE
	outOfMemory   = C.CUDA_ERROR_OUT_OF_MEMORY
	noContext     = C.CUDA_ERROR_INVALID_CONTEXT
	invalidPTX    = C.CUDA_ERROR_INVALID_PTX
	notFound      = C.CUDA_ERROR_NOT_FOUND
	launchFailed  = C.CUDA_ERROR_LAUNCH_FAILED
	duringCapture = C.CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED
)

// sim is the GPU. Its lock is held by every call.
var sim struct {
	sync.Mutex
	memory      ptxsim.Memory
	sizes       map[ptxsim.Ptr]int
	used, total int
	fast        bool
	pinned      []pinned
	objects     map[unsafe.Pointer]any // *ptxsim.Module, *ptxsim.Kernel, *stream, *event, *work
	broken      bool
	words       map[C.CUresult]string // what went wrong last, in ptxsim's words or ours
	texts       map[C.CUresult]*C.char
}

// pinned is memory of the host that may be copied from and to.
type pinned struct {
	at unsafe.Pointer
	n  C.size_t
}

// A stream holds back what it is given.
type stream struct {
	waits   []func() error
	records *work // while it captures
}

// An event is a place in a stream.
type event struct {
	in     *stream
	passed bool
}

// work is a graph.
type work struct{ does []func() error }

func init() {
	sim.sizes, sim.objects = map[ptxsim.Ptr]int{}, map[unsafe.Pointer]any{}
	sim.words, sim.texts = map[C.CUresult]string{}, map[C.CUresult]*C.char{}
	sim.total = 8 << 30
	if n, err := strconv.Atoi(os.Getenv("PHASE_CUDASIM_MEMORY")); err == nil {
		sim.total = n
	}
	sim.fast = os.Getenv("PHASE_CUDASIM_FAST") == "1"
	C.sim_install()
}

// enter begins a call: what it returns is the end.
func enter() func() {
	sim.Lock()
	return sim.Unlock
}

// able says why a call that needs the context cannot go on.
func able() C.CUresult {
	switch {
	case C.sim_current() == 0:
		return says(noContext, "the thread has no context")
	case sim.broken:
		return launchFailed
	}
	return success
}

// says keeps words for an error.
func says(code C.CUresult, format string, a ...any) C.CUresult {
	sim.words[code] = fmt.Sprintf(format, a...)
	return code
}

// handle is a new address that stands for x.
func handle(x any) unsafe.Pointer {
	p := C.malloc(1)
	sim.objects[p] = x
	return p
}

// object is what a handle stands for.
func object[T any](p unsafe.Pointer) (x T, ok bool) {
	x, ok = sim.objects[p].(T)
	return x, ok
}

// does puts f in line, or into the graph that is being recorded.
func (s *stream) does(f func() error) {
	if s.records != nil {
		s.records.does = append(s.records.does, f)
		return
	}
	s.waits = append(s.waits, f)
}

// run does what stands in line.
func (s *stream) run() C.CUresult {
	waits := s.waits
	s.waits = nil
	for _, f := range waits {
		if err := f(); err != nil {
			sim.broken = true
			return says(launchFailed, "%v", err)
		}
	}
	return success
}

//export simDriverGetVersion
func simDriverGetVersion(v *C.int) C.CUresult {
	*v = C.CUDA_VERSION
	return success
}

//export simGetErrorString
func simGetErrorString(code C.CUresult, text **C.char) C.CUresult {
	defer enter()()
	words, ok := sim.words[code]
	if !ok {
		return invalid
	}
	if old := sim.texts[code]; old != nil {
		C.free(unsafe.Pointer(old))
	}
	sim.texts[code] = C.CString("simulator: " + words)
	*text = sim.texts[code]
	return success
}

//export simDeviceGetCount
func simDeviceGetCount(n *C.int) C.CUresult {
	*n = 1
	return success
}

//export simDeviceGet
func simDeviceGet(d *C.CUdevice, ordinal C.int) C.CUresult {
	if ordinal != 0 {
		return C.CUDA_ERROR_INVALID_DEVICE
	}
	*d = 0
	return success
}

//export simDeviceGetName
func simDeviceGetName(name *C.char, n C.int, _ C.CUdevice) C.CUresult {
	to := unsafe.Slice((*byte)(unsafe.Pointer(name)), n)
	to[copy(to[:n-1], "simulator")] = 0
	return success
}

//export simDeviceTotalMem
func simDeviceTotalMem(n *C.size_t, _ C.CUdevice) C.CUresult {
	*n = C.size_t(sim.total)
	return success
}

//export simDeviceGetAttribute
func simDeviceGetAttribute(v *C.int, a C.CUdevice_attribute, _ C.CUdevice) C.CUresult {
	switch a {
	case C.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR:
		*v = 8
	case C.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR:
		*v = 0
	default:
		return says(invalid, "attribute %d is not simulated", a)
	}
	return success
}

//export simDevicePrimaryCtxRetain
func simDevicePrimaryCtxRetain(c *C.CUcontext, _ C.CUdevice) C.CUresult {
	defer enter()()
	*c = C.CUcontext(handle("context"))
	return success
}

//export simCtxSetCurrent
func simCtxSetCurrent(c C.CUcontext) C.CUresult {
	defer enter()()
	if _, ok := object[string](unsafe.Pointer(c)); !ok {
		return noContext
	}
	C.sim_set_current(1)
	return success
}

//export simModuleLoadData
func simModuleLoadData(m *C.CUmodule, image unsafe.Pointer) C.CUresult {
	defer enter()()
	if code := able(); code != success {
		return code
	}
	mod, err := ptxsim.Load(C.GoString((*C.char)(image)))
	if err != nil {
		return says(invalidPTX, "%v", err)
	}
	*m = C.CUmodule(handle(mod))
	return success
}

//export simModuleGetFunction
func simModuleGetFunction(f *C.CUfunction, m C.CUmodule, name *C.char) C.CUresult {
	defer enter()()
	mod, ok := object[*ptxsim.Module](unsafe.Pointer(m))
	if !ok {
		return invalid
	}
	k := mod.Kernel(C.GoString(name))
	if k == nil {
		return says(notFound, "no kernel %s", C.GoString(name))
	}
	*f = C.CUfunction(handle(k))
	return success
}

//export simMemGetInfo
func simMemGetInfo(free, total *C.size_t) C.CUresult {
	defer enter()()
	*free, *total = C.size_t(sim.total-sim.used), C.size_t(sim.total)
	return able()
}

//export simMemAlloc
func simMemAlloc(p *C.CUdeviceptr, n C.size_t) C.CUresult {
	defer enter()()
	if code := able(); code != success {
		return code
	}
	if n == 0 {
		return says(invalid, "an allocation of 0 bytes")
	}
	if int(n) > sim.total-sim.used {
		return says(outOfMemory, "%d bytes of %d are free", sim.total-sim.used, sim.total)
	}
	at := sim.memory.Alloc(int(n))
	sim.sizes[at] = int(n)
	sim.used += int(n)
	*p = C.CUdeviceptr(at)
	return success
}

// As the driver's, it waits for all that was launched.
//
//export simMemFree
func simMemFree(p C.CUdeviceptr) C.CUresult {
	defer enter()()
	if code := able(); code != success {
		return code
	}
	for _, x := range sim.objects {
		if s, ok := x.(*stream); ok {
			if code := s.run(); code != success {
				return code
			}
		}
	}
	if err := sim.memory.Free(ptxsim.Ptr(p)); err != nil {
		return says(invalid, "%v", err)
	}
	sim.used -= sim.sizes[ptxsim.Ptr(p)]
	delete(sim.sizes, ptxsim.Ptr(p))
	return success
}

//export simMemHostAlloc
func simMemHostAlloc(p *unsafe.Pointer, n C.size_t, _ C.uint) C.CUresult {
	defer enter()()
	if code := able(); code != success {
		return code
	}
	*p = C.malloc(n)
	sim.pinned = append(sim.pinned, pinned{*p, n})
	return success
}

// host is n bytes of pinned memory.
func host(p unsafe.Pointer, n C.size_t) ([]byte, bool) {
	ok := slices.ContainsFunc(sim.pinned, func(m pinned) bool {
		return uintptr(p) >= uintptr(m.at) && uintptr(p)+uintptr(n) <= uintptr(m.at)+uintptr(m.n)
	})
	return unsafe.Slice((*byte)(p), n), ok
}

// give puts f in line in a stream.
func give(s C.CUstream, f func() error) C.CUresult {
	if code := able(); code != success {
		return code
	}
	to, ok := object[*stream](unsafe.Pointer(s))
	if !ok {
		return says(invalid, "no stream")
	}
	to.does(f)
	return success
}

//export simMemcpyHtoDAsync
func simMemcpyHtoDAsync(to C.CUdeviceptr, from unsafe.Pointer, n C.size_t, s C.CUstream) C.CUresult {
	defer enter()()
	src, ok := host(from, n)
	if !ok {
		return says(invalid, "a copy from memory that is not pinned")
	}
	return give(s, func() error { return ptxsim.Write(&sim.memory, ptxsim.Ptr(to), src) })
}

//export simMemcpyDtoHAsync
func simMemcpyDtoHAsync(to unsafe.Pointer, from C.CUdeviceptr, n C.size_t, s C.CUstream) C.CUresult {
	defer enter()()
	dst, ok := host(to, n)
	if !ok {
		return says(invalid, "a copy to memory that is not pinned")
	}
	return give(s, func() error { return ptxsim.Read(&sim.memory, ptxsim.Ptr(from), dst) })
}

//export simMemsetD8Async
func simMemsetD8Async(to C.CUdeviceptr, v C.uchar, n C.size_t, s C.CUstream) C.CUresult {
	defer enter()()
	return give(s, func() error {
		b := make([]byte, n)
		if v != 0 {
			for i := range b {
				b[i] = byte(v)
			}
		}
		return ptxsim.Write(&sim.memory, ptxsim.Ptr(to), b)
	})
}

//export simLaunchKernel
func simLaunchKernel(f C.CUfunction, gx, gy, gz, bx, by, bz, shared C.uint, s C.CUstream, params, _ *unsafe.Pointer) C.CUresult {
	defer enter()()
	k, ok := object[*ptxsim.Kernel](unsafe.Pointer(f))
	if !ok {
		return says(invalid, "no function")
	}
	args := make([]any, len(k.Params)) // as they are now
	for i, p := range unsafe.Slice(params, len(k.Params)) {
		args[i] = slices.Clone(unsafe.Slice((*byte)(p), k.Params[i].Size))
	}
	l := ptxsim.Launch{Grid: [3]int{int(gx), int(gy), int(gz)}, Block: [3]int{int(bx), int(by), int(bz)}, Shared: int(shared), Late: true}
	if sim.fast {
		l.Skip, l.Workers = ptxsim.Race|ptxsim.Uninitialized, runtime.GOMAXPROCS(0)
	}
	return give(s, func() error { return k.Run(&sim.memory, l, args...) })
}

//export simStreamCreate
func simStreamCreate(s *C.CUstream, _ C.uint) C.CUresult {
	defer enter()()
	*s = C.CUstream(handle(&stream{}))
	return able()
}

//export simStreamSynchronize
func simStreamSynchronize(s C.CUstream) C.CUresult {
	defer enter()()
	if code := able(); code != success {
		return code
	}
	of, ok := object[*stream](unsafe.Pointer(s))
	switch {
	case !ok:
		return says(invalid, "no stream")
	case of.records != nil:
		return says(duringCapture, "a wait for a stream that records")
	}
	return of.run()
}

//export simEventCreate
func simEventCreate(e *C.CUevent, _ C.uint) C.CUresult {
	defer enter()()
	*e = C.CUevent(handle(&event{passed: true}))
	return able()
}

//export simEventRecord
func simEventRecord(e C.CUevent, s C.CUstream) C.CUresult {
	defer enter()()
	ev, ok := object[*event](unsafe.Pointer(e))
	if !ok {
		return says(invalid, "no event")
	}
	ev.in, _ = object[*stream](unsafe.Pointer(s))
	ev.passed = false
	return give(s, func() error {
		ev.passed = true
		return nil
	})
}

// It runs the stream only as far as the event, late as ever.
//
//export simEventSynchronize
func simEventSynchronize(e C.CUevent) C.CUresult {
	defer enter()()
	if code := able(); code != success {
		return code
	}
	ev, ok := object[*event](unsafe.Pointer(e))
	if !ok {
		return says(invalid, "no event")
	}
	for !ev.passed {
		s := ev.in
		if len(s.waits) == 0 {
			return says(invalid, "an event that was not recorded")
		}
		rest := s.waits[1:]
		s.waits = s.waits[:1]
		if code := s.run(); code != success {
			return code
		}
		s.waits = rest
	}
	return success
}

//export simStreamBeginCapture
func simStreamBeginCapture(s C.CUstream, _ C.CUstreamCaptureMode) C.CUresult {
	defer enter()()
	of, ok := object[*stream](unsafe.Pointer(s))
	if !ok || of.records != nil {
		return says(invalid, "no stream that could record")
	}
	of.records = &work{}
	return able()
}

//export simStreamEndCapture
func simStreamEndCapture(s C.CUstream, g *C.CUgraph) C.CUresult {
	defer enter()()
	of, ok := object[*stream](unsafe.Pointer(s))
	if !ok || of.records == nil {
		return says(invalid, "no stream that records")
	}
	*g = C.CUgraph(handle(of.records))
	of.records = nil
	return able()
}

//export simGraphInstantiate
func simGraphInstantiate(e *C.CUgraphExec, g C.CUgraph, _ C.ulonglong) C.CUresult {
	defer enter()()
	w, ok := object[*work](unsafe.Pointer(g))
	if !ok {
		return says(invalid, "no graph")
	}
	*e = C.CUgraphExec(handle(&work{slices.Clone(w.does)}))
	return able()
}

//export simGraphLaunch
func simGraphLaunch(e C.CUgraphExec, s C.CUstream) C.CUresult {
	defer enter()()
	w, ok := object[*work](unsafe.Pointer(e))
	if !ok {
		return says(invalid, "no graph")
	}
	for _, f := range w.does {
		if code := give(s, f); code != success {
			return code
		}
	}
	return success
}

//export simGraphDestroy
func simGraphDestroy(g C.CUgraph) C.CUresult { return destroy(unsafe.Pointer(g)) }

//export simGraphExecDestroy
func simGraphExecDestroy(e C.CUgraphExec) C.CUresult { return destroy(unsafe.Pointer(e)) }

func destroy(p unsafe.Pointer) C.CUresult {
	defer enter()()
	if _, ok := object[*work](p); !ok {
		return says(invalid, "no graph")
	}
	delete(sim.objects, p)
	C.free(p)
	return success
}
