package autograd

import (
	"time"

	"phase/tensor"
)

// A Call is one op at work, as a Tape tells its Trace of it.
type Call struct {
	Op      string
	Param   any              // the rule's P
	In      []*tensor.Tensor // as the kernels see them; valid until Trace returns
	Wants   []bool           // which of them want a gradient
	Out     *tensor.Tensor
	Part    string // Forward, Backward, or what Ctx.Part calls a part of Backward
	Seconds float64
}

// The parts of a Call of which a rule does not speak.
const (
	Forward  = "forward"
	Backward = "backward"
)

// begin starts the clock for a call.
func (t *Tape) begin(op string, param any, c *Ctx) {
	t.call = Call{Op: op, Param: param, In: c.In, Wants: make([]bool, len(c.vars)), Out: c.Out}
	for i, v := range c.vars {
		t.call.Wants[i] = v.wants
	}
	t.from = time.Now()
}

// part tells the trace of the work since begin, or since the last part.
func (t *Tape) part(name string) {
	t.call.Part, t.call.Seconds = name, time.Since(t.from).Seconds()
	t.Trace(t.call)
	t.from = time.Now()
}

// Part tells the tape's trace, if there is one, that what a rule's Backward has
// done since it began, or since its last Part, was this. A rule names all of its
// parts, or none.
func (c *Ctx) Part(name string) {
	if c.tape != nil && c.tape.Trace != nil {
		c.tape.part(name)
	}
}
