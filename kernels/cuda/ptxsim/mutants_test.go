package ptxsim

import (
	"errors"
	"strings"
	"testing"
)

// A mutant is a bug planted in a kernel's PTX, and how it is to come out: as a
// fault of some check, or as a wrong result.
type mutant struct {
	kernel   string
	name     string
	n        int // which of the places in the kernel where old stands, from 1
	old, new string
	launch   Launch
	check    Check // 0: a wrong result
}

var mutants = []mutant{
	{"sum", "no barrier before the tree", 1, "bar.sync 0;", "", Launch{}, Uninitialized},
	{"sum", "no barrier before the tree, unwritten memory let pass", 1, "bar.sync 0;", "", Launch{Skip: Uninitialized}, Race},
	{"sum", "no barrier in the tree", 2, "bar.sync 0;", "", Launch{}, Race},
	{"sum", "half of the tree", 1, "setp.ge.u32 	%p4, %r1, %r9", "setp.gt.u32 	%p4, %r1, %r9", Launch{}, Bounds},
	{"gemm", "no barrier after the tiles are stored", 1, "bar.sync 0;", "", Launch{}, Race},
	{"gemm", "a barrier that a part of the block skips", 1, "bar.sync 0;", "@%p12 bar.sync 0;", Launch{Skip: Race | Uninitialized}, Barrier},
	{"gemm", "no barrier after the tiles are used", 2, "bar.sync 0;", "", Launch{}, Race},
	{"gemm", "a tile that is not stored", 1, "st.shared.f32 	[%rd5], %f62;", "", Launch{}, Uninitialized},
	{"gemm", "a column too many", 1, "setp.lt.s32 	%p10, %r5, %r14", "setp.le.s32 	%p10, %r5, %r14", Launch{}, Race},
	{"gemm", "a row too many", 1, "setp.lt.s32 	%p12, %r3, %r13", "setp.le.s32 	%p12, %r3, %r13", Launch{}, Bounds},
	{"gemm", "a row of the tile too wide", 1, "mul.wide.s32 	%rd14, %r2, 68", "mul.wide.s32 	%rd14, %r2, 80", Launch{}, Bounds},
	{"gemm", "one operand for another", 1, "fma.rn.f32 	%f26, %f24, %f25, %f23", "fma.rn.f32 	%f26, %f24, %f22, %f23", Launch{}, 0},
	{"gemm", "the tile's other column", 1, "[%rd7+192]", "[%rd7+196]", Launch{}, 0},
	{"saxpy", "an element too many", 1, "setp.ge.s32 	%p1, %r1, %r2", "setp.gt.s32 	%p1, %r1, %r2", Launch{}, Bounds},
	{"saxpy", "an element too few", 1, "setp.ge.s32 	%p1, %r1, %r2", "setp.ge.s32 	%p1, %r1, 299", Launch{}, 0},
	{"saxpy", "swapped operands", 1, "fma.rn.f32 	%f4, %f2, %f1, %f3", "fma.rn.f32 	%f4, %f3, %f1, %f2", Launch{}, 0},
	{"saxpy", "half an element off", 1, "[%rd6]", "[%rd6+2]", Launch{}, Alignment},
	{"saxpy", "before the start", 1, "[%rd6]", "[%rd6+-4]", Launch{}, Bounds},
	{"saxpy", "every thread at the same element", 1, "mul.wide.s32 	%rd5, %r1, 4", "mul.wide.s32 	%rd5, %r1, 0", Launch{}, Race},
	{"softmax", "the wrong lane", 1, "%r16, 16, 31, -1", "%r16, 8, 31, -1", Launch{}, 0},
	{"softmax", "half of the warp left out of the sum", 1, "%r26, 16, 31, -1", "%r26, 16, 15, -1", Launch{}, 0},
	{"softmax", "half of the warp left out of the mask", 1, "%r26, 16, 31, -1", "%r26, 16, 31, 65535", Launch{}, Lanes},
	{"reverse", "a mask without the lanes that are read", 1, "6175, -16711936", "6175, -16777216", Launch{}, Lanes},
	{"reverse", "the segment's neighbour", 1, "6175, 16711935", "31, 16711935", Launch{}, 0},
	{"histogram", "no barrier after the counters are cleared", 1, "bar.sync 0;", "", Launch{}, Race},
	{"histogram", "no barrier before the counters are read", 2, "bar.sync 0;", "", Launch{}, Race},
	{"histogram", "an addition in three steps", 1, "atom.shared.add.u32 	%r17, [%rd3], 1;", "ld.shared.u32 %r17, [%rd3]; add.u32 %r17, %r17, 1; st.shared.u32 [%rd3], %r17;", Launch{}, Race},
	{"histogram", "counters of two blocks in three steps", 1, "atom.global.add.u32 	%r19, [%rd14], %r18;", "ld.global.u32 %r19, [%rd14]; add.u32 %r19, %r19, %r18; st.global.u32 [%rd14], %r19;", Launch{}, Race},
	{"histogram", "a bin too many", 1, "setp.ge.u32 	%p4, %r16, %r12", "setp.gt.u32 	%p4, %r16, %r12", Launch{}, Bounds},
	{"total", "no fence", 1, "membar.gl;", "", Launch{}, Race},
	{"total", "no barrier before the last is known", 2, "bar.sync 0;", "", Launch{}, Race},
	{"smooth", "an array of its own too small", 1, "__local_depot6[20]", "__local_depot6[16]", Launch{}, Bounds},
	{"mma_tf32", "a fragment's registers swapped", 1, "{%r14", "{%r15", Launch{}, 0},
	{"mma_bf16", "no barrier of the warp", 1, "bar.warp.sync 	-1;", "", Launch{}, Race},
	{"mma_bf16", "matrices transposed", 1, ".x2.shared", ".x2.trans.shared", Launch{}, 0},
	{"stream", "no wait", 1, "cp.async.wait_group 1;", "", Launch{}, Race},
	{"stream", "no wait, unchecked, late", 1, "cp.async.wait_group 1;", "", Launch{Late: true, Skip: Race | Uninitialized}, 0},
	{"stream", "a wait for too little", 1, "cp.async.wait_group 1;", "cp.async.wait_group 2;", Launch{}, Race},
	{"stream", "a wait for too little, unchecked, late", 1, "cp.async.wait_group 1;", "cp.async.wait_group 2;", Launch{Late: true, Skip: Race | Uninitialized}, 0},
	{"stream", "no barrier after the wait", 1, "bar.sync 0;", "", Launch{}, Race},
	{"stream", "no barrier before the next copy", 2, "bar.sync 0;", "", Launch{}, Race},
}

// plant makes the change in the kernel's part of the text.
func (mu mutant) plant(t *testing.T) string {
	text := module(mu.kernel)
	start := strings.Index(text, ".entry "+mu.kernel+"(")
	head, body := text[:start], text[start:]
	tail := ""
	if end := strings.Index(body, "\n}\n"); end >= 0 {
		body, tail = body[:end], body[end:]
	}
	at := 0
	for range mu.n {
		i := strings.Index(body[at:], mu.old)
		if i < 0 {
			t.Fatalf("%q does not stand in %s %d times", mu.old, mu.kernel, mu.n)
		}
		at += i + len(mu.old)
	}
	return head + body[:at-len(mu.old)] + mu.new + body[at:] + tail
}

func TestMutants(t *testing.T) {
	for _, mu := range mutants {
		t.Run(mu.kernel+"/"+mu.name, func(t *testing.T) {
			err := trials[mu.kernel](t, loaded(t, mu.plant(t), mu.kernel), mu.launch)
			var f *Fault
			switch {
			case err == nil:
				t.Error("nobody notices")
			case mu.check == 0:
				if !errors.Is(err, errWrong) {
					t.Errorf("want a wrong result: %v", err)
				}
			case !errors.As(err, &f) || f.Check != mu.check:
				t.Errorf("want a fault of %v: %v", mu.check, err)
			case testing.Verbose():
				t.Log(err)
			}
		})
	}
}
