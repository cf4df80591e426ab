package ptxsim

import (
	"fmt"
	"strings"
)

// A Check is a kind of mistake that a run looks for.
type Check uint

// The checks.
const (
	Bounds        Check = 1 << iota // an access to what is no allocation or variable, or no longer
	Alignment                       // an address that the size does not divide
	Uninitialized                   // a read of memory that nobody has written
	Race                            // accesses of two threads that nothing puts in order
	Barrier                         // threads that wait for others in vain
	Lanes                           // a shuffle, vote or mma without the lanes that it names
	Arithmetic                      // an integer divided by zero
	Trap                            // the kernel's own trap
	Limit                           // more instructions than the launch allows
)

var checkNames = []string{"bounds", "alignment", "uninitialized", "race", "barrier", "lanes", "arithmetic", "trap", "limit"}

// String is the check in words.
func (c Check) String() string {
	var names []string
	for i, n := range checkNames {
		if c>>i&1 != 0 {
			names = append(names, n)
		}
	}
	return strings.Join(names, "|")
}

// A Place is an instruction and a thread that executes it.
type Place struct {
	Line   int // of the PTX
	Text   string
	Block  [3]int
	Thread [3]int
}

// String is the place in words.
func (p Place) String() string {
	return fmt.Sprintf("line %d %q, block %s, thread %s", p.Line, p.Text, triple(p.Block), triple(p.Thread))
}

func triple(v [3]int) string { return fmt.Sprintf("(%d,%d,%d)", v[0], v[1], v[2]) }

// A Fault is what a run ended with.
type Fault struct {
	Check  Check
	Kernel string
	Place
	Msg   string
	Other *Place // whom a race is with
}

// Error is the whole report in words.
func (f *Fault) Error() string {
	s := fmt.Sprintf("ptxsim: kernel %s, %s: %s: %s", f.Kernel, f.Place, f.Check, f.Msg)
	if f.Other != nil {
		s += ": " + f.Other.String()
	}
	return s
}

// fault ends the run on account of lane i.
func (w *warp) fault(o *op, i int, c Check, format string, args ...any) {
	l := w.block.launch
	panic(&Fault{Check: c, Kernel: l.kernel.Name, Place: l.place(int(o.line), w.block.number, w.first+i), Msg: fmt.Sprintf(format, args...)})
}

// race ends the run: lane i does something to n bytes that x has done too.
func (w *warp) race(o *op, i int, does string, r *region, off, n uint64, x mark) {
	l := w.block.launch
	other := &w.code[x.who&(maxCode-1)]
	number := w.block.number
	from := "of another thread, and no barrier lies between"
	switch {
	case x.stamp == inFlight:
		from = "of a copy that has not been waited for"
	case x.stamp < w.block.start:
		number = l.blockOf(x.stamp)
		from = "of another block"
	case o.fixed && int(x.who>>22) == w.first+i:
		from = "of the same thread"
	case x.who>>22/warpSize == uint32(w.index):
		from = "of another thread of the warp, and neither bar.warp.sync nor a barrier lies between"
	}
	at := l.place(int(other.line), number, int(x.who>>22))
	panic(&Fault{Check: Race, Kernel: l.kernel.Name, Place: l.place(int(o.line), w.block.number, w.first+i),
		Msg: fmt.Sprintf("%s %d bytes at %s in a race with an access %s", does, n, l.where(r, off), from), Other: &at})
}

// place makes a Place of numbers.
func (l *launch) place(line, block, thread int) Place {
	return Place{line, l.kernel.mod.source.text(line), split(block, l.Grid), split(thread, l.Block)}
}

// split is the position, in an array of these extents, of an element counted
// with x fastest.
func split(n int, extent [3]int) [3]int {
	return [3]int{n % extent[0], n / extent[0] % extent[1], n / extent[0] / extent[1]}
}
