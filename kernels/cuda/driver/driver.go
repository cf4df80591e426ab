//go:build cuda && linux && amd64

package driver

// #cgo LDFLAGS: -Wl,--as-needed -L${SRCDIR}/linkstub -ldl
// #cgo cudasim CFLAGS: -DSIMULATED
// #include <cuda.h>
// extern char phase_cuda_problem[512];
// extern const char *phase_cuda_library;
// extern int phase_cuda_found, phase_cuda_init;
import "C"

import (
	"fmt"
	"unsafe"
)

// Library is the driver's file as it was asked for: libcuda.so.1, or what
// PHASE_CUDA_LIB names.
func Library() string { return C.GoString(C.phase_cuda_library) }

// Ready says why the driver cannot be used: its library is not there, or its cuInit
// failed, with which code.
func Ready() error {
	if C.phase_cuda_found == 0 {
		return fmt.Errorf("no NVIDIA driver: %s", C.GoString(&C.phase_cuda_problem[0]))
	}
	if C.phase_cuda_init != 0 {
		return &Error{"cuInit", int(C.phase_cuda_init)}
	}
	return nil
}

// An Error is a call of the driver that failed.
type Error struct {
	Call string
	Code int // CUresult
}

// Error is the call, and what the driver says of the code.
func (e *Error) Error() string { return fmt.Sprintf("%s: %s", e.Call, Text(e.Code)) }

// Text is what the driver says of a code.
func Text(code int) string {
	var text *C.char
	if C.cuGetErrorString(C.CUresult(code), &text) != 0 || text == nil {
		return fmt.Sprintf("CUDA error %d", code)
	}
	return fmt.Sprintf("%s (CUDA error %d)", C.GoString(text), code)
}

func check(call string, code C.CUresult) error {
	if code == 0 {
		return nil
	}
	return &Error{call, int(code)}
}

// A Stream is a CUstream: what package cu's Stream.C returns.
type Stream unsafe.Pointer

// HostAlloc is n bytes of memory of the host that a GPU copies from and to by
// itself (pinned). It lives until the program ends.
func HostAlloc(n int) ([]byte, error) {
	var p unsafe.Pointer
	if err := check("cuMemHostAlloc", C.cuMemHostAlloc(&p, C.size_t(n), 0)); err != nil {
		return nil, err
	}
	return unsafe.Slice((*byte)(p), n), nil
}

// A Graph is work that a stream recorded, ready to start.
type Graph struct{ exec C.CUgraphExec }

// BeginCapture makes a stream record what it is given, in place of doing it.
func BeginCapture(s Stream) error {
	return check("cuStreamBeginCapture", C.cuStreamBeginCapture(C.CUstream(s), C.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL))
}

// EndCapture is what was recorded.
func EndCapture(s Stream) (*Graph, error) {
	var g C.CUgraph
	if err := check("cuStreamEndCapture", C.cuStreamEndCapture(C.CUstream(s), &g)); err != nil {
		return nil, err
	}
	defer C.cuGraphDestroy(g)
	var made Graph
	if err := check("cuGraphInstantiateWithFlags", C.cuGraphInstantiateWithFlags(&made.exec, g, 0)); err != nil {
		return nil, err
	}
	return &made, nil
}

// Start runs the graph on a stream.
func (g *Graph) Start(s Stream) error {
	return check("cuGraphLaunch", C.cuGraphLaunch(g.exec, C.CUstream(s)))
}

// Drop ends the graph's life.
func (g *Graph) Drop() error { return check("cuGraphExecDestroy", C.cuGraphExecDestroy(g.exec)) }
