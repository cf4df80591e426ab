//go:build cuda && linux && amd64

package cuda

import (
	"fmt"
	"os"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"unsafe"

	"phase/kernels"
	"phase/kernels/cuda/driver"
	"phase/kernels/cuda/launch"
	"phase/kernels/cuda/pool"
	"phase/kernels/cuda/ptx"
	"phase/kernels/cuda/replay"
	"phase/tensor"

	"gorgonia.org/cu"
)

// A backend is a whole kernels.Backend.
type backend struct {
	launch.Backend
	on *device
}

// Device is the GPU.
func (b backend) Device() tensor.Device { return b.on }

// String is cuda:0 and the GPU's name.
func (b backend) String() string {
	s := fmt.Sprintf("%v %s", b.on, b.on.about.Name)
	if b.Cores {
		s += " with tensor cores"
	}
	return s
}

var opened struct {
	sync.Mutex
	by map[int]*device
}

// Open registers the backend of a GPU, by its number from 0, and returns it. With
// cores, products and convolutions go through tensor cores, as launch.Backend has
// it. The GPU stays open.
func Open(ordinal int, cores bool) (kernels.Backend, error) {
	s := Find()
	switch {
	case s.Missing != "":
		return nil, fmt.Errorf("cuda: %s", s.Missing)
	case ordinal < 0 || ordinal >= len(s.GPUs):
		return nil, fmt.Errorf("cuda:%d: the driver shows %d GPUs, cuda:0 to cuda:%d", ordinal, len(s.GPUs), len(s.GPUs)-1)
	case s.GPUs[ordinal].Missing != "":
		return nil, fmt.Errorf("cuda:%d %v", ordinal, s.GPUs[ordinal])
	}
	opened.Lock()
	defer opened.Unlock()
	d := opened.by[ordinal]
	if d == nil {
		d = &device{ordinal: ordinal, about: s.GPUs[ordinal], jobs: make(chan job, 1024), careful: os.Getenv("PHASE_CUDA_SYNC") == "1"}
		d.pool = pool.Pool{From: (*slabs)(d), Slab: slabBytes}
		d.replay.On = (*stream)(d)
		ready := make(chan error)
		go d.serve(ready)
		if err := <-ready; err != nil {
			return nil, fmt.Errorf("cuda:%d %s: %w", ordinal, d.about.Name, err)
		}
		if opened.by == nil {
			opened.by = map[int]*device{}
		}
		opened.by[ordinal] = d
	}
	if cores && d.major < coresMajor {
		return nil, fmt.Errorf("cuda:%d %v: tensor cores need compute capability %d.0", ordinal, d.about, coresMajor)
	}
	b := backend{launch.Backend{Machine: d, Cores: cores}, d}
	kernels.Register(b)
	return b, nil
}

// A device is a GPU. Its work is done in order by one thread, the only one that
// calls the driver: so a method of the backend returns when its launches stand in
// line, and what goes wrong shows at the next call.
type device struct {
	ordinal int
	about   GPU
	major   int
	careful bool // wait for every launch, so that an error names the right one
	jobs    chan job
	broken  atomic.Pointer[tensor.DeviceError] // the first error; nothing runs after it
	graphs  atomic.Int64                       // that were started
	reads   atomic.Int64                       // of memory, each of which waits for all work

	mu   sync.Mutex // of pool
	pool pool.Pool

	copying sync.Mutex // of slots and next
	slots   [4]slot
	next    int

	// The thread's own.
	stream    cu.Stream
	modules   []cu.Module
	functions map[string]*cu.Function
	replay    replay.Replayer
	scratch   uint64

	enlarging sync.Mutex
	room      atomic.Int64 // bytes of scratch

	tables tables
}

// A job is something for the thread to do: launches, or a function.
type job struct {
	launches []launch.Launch
	do       func() error
	done     chan<- struct{}
}

// String is the name of the device.
func (d *device) String() string { return fmt.Sprintf("cuda:%d", d.ordinal) }

// serve is the thread.
func (d *device) serve(ready chan<- error) {
	runtime.LockOSThread()
	err := d.begin()
	ready <- err
	if err != nil {
		return
	}
	for j := range d.jobs {
		if d.broken.Load() == nil {
			if err := d.perform(j); err != nil {
				d.broken.Store(&tensor.DeviceError{Device: d.String(), Err: err})
			}
		}
		if j.done != nil {
			close(j.done)
		}
	}
}

// begin makes the driver ready: a context, a stream, the kernels, memory for copies.
func (d *device) begin() error {
	dev, err := cu.GetDevice(d.ordinal)
	if err != nil {
		return failed("cuDeviceGet", err)
	}
	if d.major, _, err = dev.ComputeCapability(); err != nil {
		return failed("cuDeviceGetAttribute", err)
	}
	context, err := dev.RetainPrimaryCtx()
	if err != nil {
		return failed("cuDevicePrimaryCtxRetain", err)
	}
	if err := cu.SetCurrentContext(context); err != nil {
		return failed("cuCtxSetCurrent", err)
	}
	if d.stream, err = cu.MakeStream(cu.NonBlocking); err != nil {
		return failed("cuStreamCreate", err)
	}
	texts := []string{ptx.SM70}
	if d.major >= coresMajor {
		texts = append(texts, ptx.SM80)
	}
	for _, text := range texts {
		m, err := cu.LoadData(text)
		if err != nil {
			return failed("cuModuleLoadData", err)
		}
		d.modules = append(d.modules, m)
	}
	d.functions = map[string]*cu.Function{}
	for i := range d.slots {
		s := &d.slots[i]
		if s.memory, err = driver.HostAlloc(slotBytes); err != nil {
			return err
		}
		if s.copied, err = cu.MakeEvent(cu.DisableTiming); err != nil {
			return failed("cuEventCreate", err)
		}
	}
	return nil
}

// function is a kernel by its name.
func (d *device) function(name string) (*cu.Function, error) {
	if f := d.functions[name]; f != nil {
		return f, nil
	}
	var err error
	for _, m := range d.modules {
		var f cu.Function
		if f, err = m.Function(name); err == nil {
			d.functions[name] = &f
			return &f, nil
		}
	}
	return nil, failed("cuModuleGetFunction of "+name, err)
}

// perform does a job.
func (d *device) perform(j job) error {
	if j.do != nil {
		if err := d.replay.Flush(); err != nil {
			return err
		}
		return j.do()
	}
	for _, l := range j.launches {
		for i := range l.Args {
			if a := &l.Args[i]; a.Scratch {
				a.Bits, a.Scratch = a.Bits+d.scratch, false
			}
		}
		if err := d.replay.Add(l); err != nil {
			return err
		}
	}
	return nil
}

// enlarge makes scratch memory of at least so many bytes. All work shares it, since
// it runs in order.
func (d *device) enlarge(bytes int) {
	if bytes <= int(d.room.Load()) {
		return
	}
	d.enlarging.Lock()
	defer d.enlarging.Unlock()
	if bytes <= int(d.room.Load()) {
		return
	}
	d.wait(func() error {
		if err := d.replay.Forget(); err != nil { // graphs that have the old address
			return err
		}
		if d.room.Swap(0) > 0 {
			d.give(d.scratch)
		}
		return nil
	})
	at := d.find(bytes)
	d.wait(func() error { d.scratch = at; return nil })
	d.room.Store(int64(bytes))
}

// Run puts w in line.
func (d *device) Run(w *launch.Work) {
	d.enlarge(w.Scratch)
	d.put(job{launches: w.Launches})
}

func (d *device) put(j job) {
	if err := d.broken.Load(); err != nil {
		panic(err)
	}
	d.jobs <- j
}

// wait lets the thread do f after all that was put before, and waits for it.
func (d *device) wait(f func() error) {
	done := make(chan struct{})
	d.put(job{do: f, done: done})
	<-done
	if err := d.broken.Load(); err != nil {
		panic(err)
	}
}

// A stream is the device as replay sees it. All is called by the thread.
type stream device

// Launch calls a kernel, or fills memory with zeros.
func (s *stream) Launch(l launch.Launch) error {
	d := (*device)(s)
	if l.Kernel == replay.Zero {
		return d.launched(l, "cuMemsetD8Async", cu.MemsetD8Async(cu.DevicePtr(l.Args[0].Bits), 0, int64(l.Args[1].Bits), d.stream))
	}
	f, err := d.function(l.Kernel)
	if err != nil {
		return err
	}
	params := make([]unsafe.Pointer, len(l.Args))
	for i := range l.Args {
		params[i] = unsafe.Pointer(&l.Args[i].Bits)
	}
	return d.launched(l, "cuLaunchKernel", f.Launch(l.Grid[0], l.Grid[1], l.Grid[2], l.Block[0], l.Block[1], l.Block[2], 0, d.stream, params))
}

// launched says what was launched, if that failed.
func (d *device) launched(l launch.Launch, call string, err error) error {
	if err == nil && d.careful {
		call, err = "cuStreamSynchronize", d.stream.Synchronize()
	}
	if err == nil {
		return nil
	}
	if l.Kernel == replay.Zero {
		return failed(fmt.Sprintf("%s of %d bytes", call, l.Args[1].Bits), err)
	}
	var on []string
	for _, a := range l.Args {
		if a.Of != nil {
			on = append(on, fmt.Sprintf("%v %v", a.Of.DType(), a.Of.Shape()))
		}
	}
	return failed(fmt.Sprintf("%s of %s, %v blocks of %v threads, on %s", call, l.Kernel, tensor.Shape(l.Grid[:]), tensor.Shape(l.Block[:]), strings.Join(on, ", ")), err)
}

// Record makes a graph of launches.
func (s *stream) Record(part []launch.Launch) (replay.Graph, error) {
	d := (*device)(s)
	if d.careful { // which waits for every launch, and a graph is one
		return nil, nil
	}
	at := driver.Stream(unsafe.Pointer(d.stream.C()))
	if err := driver.BeginCapture(at); err != nil {
		return nil, err
	}
	for _, l := range part {
		if err := s.Launch(l); err != nil {
			driver.EndCapture(at)
			return nil, err
		}
	}
	return driver.EndCapture(at)
}

// Start runs a graph.
func (s *stream) Start(g replay.Graph) error {
	s.graphs.Add(1)
	return g.(*driver.Graph).Start(driver.Stream(unsafe.Pointer((*device)(s).stream.C())))
}

// Drop ends a graph's life, when it is not running any more.
func (s *stream) Drop(g replay.Graph) error {
	if err := (*device)(s).synchronize(); err != nil {
		return err
	}
	return g.(*driver.Graph).Drop()
}

// synchronize waits for all that was launched.
func (d *device) synchronize() error {
	if err := d.stream.Synchronize(); err != nil {
		hint := ""
		if !d.careful {
			hint = " (PHASE_CUDA_SYNC=1 finds the kernel)"
		}
		return failed("cuStreamSynchronize"+hint, err)
	}
	return nil
}

// failed is an error of package cu with the call and what the driver says of it.
func failed(call string, err error) error {
	if err == nil {
		return fmt.Errorf("%s: not there", call)
	}
	return &driver.Error{Call: call, Code: int(reflect.ValueOf(err).Int())}
}
