package ptxsim

import (
	"errors"
	"strings"
	"testing"
)

// faults demands a fault of a check whose text has a part.
func faults(t *testing.T, err error, check Check, part string) {
	t.Helper()
	var f *Fault
	if !errors.As(err, &f) || f.Check != check || !strings.Contains(err.Error(), part) {
		t.Errorf("%v, want a fault of %v with: %s", err, check, part)
	}
}

// Each mistake is reported with the instruction and the thread. q has 64 words,
// p 128, written with zeros.
func TestChecks(t *testing.T) {
	for _, c := range []struct {
		name    string
		body    string
		threads int
		check   Check
		part    string
	}{
		{"null", "mov.u64 %d4, 0; ld.global.u32 %r1, [%d4];", 1, Bounds, `line 17 "mov.u64 %d4, 0; ld.global.u32 %r1, [%d4];", block (0,0,0), thread (0,0,0): bounds: reads 4 bytes at 0x0, a null pointer's`},
		{"past the end", "st.global.u32 [%d3], %r0;", 65, Bounds, `thread (64,0,0): bounds: writes 4 bytes at 0x200100400, which is byte 256 of allocation 2 (256 bytes)`},
		{"partly past the end", "ld.global.u64 %d4, [%d2+256];", 1, Bounds, `byte 256 of allocation 2`},
		{"cut to 32 bits", "cvt.u32.u64 %r1, %d0; cvt.u64.u32 %d4, %r1; ld.global.u32 %r2, [%d4];", 1, Bounds, "bounds: reads 4 bytes at 0x0"},
		{"generic, to nowhere", "mov.u64 %d4, 0x100000000000; ld.u32 %r1, [%d4];", 1, Bounds, "bounds: reads 4 bytes at 0x100000000000"},
		{"beyond shared memory", ".shared .align 4 .b8 s[64]; mov.u32 %r1, s; st.shared.u32 [%r1+4096], 1;", 1, Bounds, "byte 4096"},
		{"between shared variables", ".shared .align 4 .b8 s[64]; .shared .align 4 .b8 v[64]; st.shared.u32 [s+60], 1; ld.shared.u32 %r1, [s+64];", 1, Bounds, "reads 4 bytes at byte 64 of shared variable s (64 bytes)"},
		{"below shared memory", ".shared .align 4 .b8 s[64]; st.shared.u32 [s+-4], 1;", 1, Bounds, "writes 4 bytes 4 bytes before shared memory"},
		{"past the parameters", "ld.param.u32 %r1, [q+8];", 1, Bounds, "reads 4 bytes at byte 16 of the parameters"},
		{"past local memory", ".local .align 4 .b8 v[8]; st.local.u32 [v+8], 1;", 1, Bounds, "writes 4 bytes at byte 8 of local memory"},
		{"no local memory", "mov.u64 %d4, 1024; st.local.u32 [%d4], 1;", 1, Bounds, "writes 4 bytes at byte 0 of local memory"},
		{"write to a constant", "mov.u64 %d4, table; cvta.const.u64 %d4, %d4; st.u32 [%d4], 1;", 1, Bounds, "writes 4 bytes to variable table (8 bytes), which is constant"},
		{"constant load from elsewhere", "ld.const.u32 %r1, [%d0];", 1, Bounds, "reads 4 bytes of allocation 1 (512 bytes), which is not constant memory"},
		{"alignment", "ld.global.u32 %r1, [%d0+6];", 1, Alignment, "reads 4 bytes at 0x200000006, which 4 does not divide"},
		{"alignment of another thread", "mad.wide.u32 %d4, %r0, 6, %d0; ld.global.u32 %r1, [%d4];", 2, Alignment, "thread (1,0,0): alignment: reads 4 bytes at 0x200000006"},
		{"a vector's alignment", "ld.global.v4.f32 {%f0, %f1, %f2, %f3}, [%d0+8];", 1, Alignment, "reads 16 bytes at 0x200000008, which 16 does not divide"},

		{"shared memory unwritten", ".shared .align 4 .b8 s[64]; ld.shared.u32 %r1, [s];", 1, Uninitialized, "reads 4 bytes at byte 0 of shared variable s (64 bytes), which nobody has written"},
		{"local memory unwritten", ".local .align 4 .b8 v[8]; st.local.u16 [v], 1; ld.local.u32 %r1, [v];", 1, Uninitialized, "reads 4 bytes at byte 0 of local memory, which nobody has written"},
		{"atomic on memory unwritten", ".shared .align 4 .b8 s[64]; atom.shared.add.u32 %r1, [s], 1;", 1, Uninitialized, "byte 0 of shared variable s"},

		{"two values at one place by one instruction", "st.global.u32 [%d0], %r0;", 2, Race, `writes 4 bytes at byte 0 of allocation 1 (512 bytes) in a race with an access of another thread of the warp, and neither bar.warp.sync nor a barrier lies between: line 17 "st.global.u32 [%d0], %r0;", block (0,0,0), thread (0,0,0)`},
		{"one value at one place", "st.global.u32 [%d0], 5;", 64, 0, ""},
		{"bytes side by side", "cvt.u64.u32 %d4, %r0; add.s64 %d4, %d0, %d4; st.global.u8 [%d4], %r0; mad.wide.u32 %d5, %r0, 2, %d2; st.global.u16 [%d5], %r0;", 64, 0, ""},
		{"bytes one off", "cvt.u64.u32 %d4, %r0; add.s64 %d4, %d0, %d4; st.global.u8 [%d4], %r0; ld.global.u8 %r1, [%d4+1];", 32, Race, "reads 1 bytes at byte 1 "},
		{"bytes two off", "cvt.u64.u32 %d4, %r0; add.s64 %d4, %d0, %d4; st.global.u8 [%d4], %r0; setp.eq.u32 %p0, %r0, 0; @%p0 ld.global.u8 %r1, [%d4+2];", 32, Race, "reads 1 bytes at byte 2 "},
		{"written by another warp", "setp.eq.u32 %p0, %r0, 32; @%p0 st.global.u32 [%d0], 1; setp.eq.u32 %p1, %r0, 64; @%p1 ld.global.u32 %r1, [%d0];", 96, Race, `thread (64,0,0): race: reads 4 bytes at byte 0 of allocation 1 (512 bytes) in a race with an access of another thread, and no barrier lies between: line 17 "setp`},
		{"read by another warp", "setp.eq.u32 %p0, %r0, 64; @%p0 st.global.u32 [%d0], 1; setp.eq.u32 %p1, %r0, 32; @%p1 ld.global.u32 %r1, [%d0];", 96, Race, "thread (64,0,0): race: writes 4 bytes"},
		{"read by another warp, written with what was there", "setp.eq.u32 %p0, %r0, 64; @%p0 st.global.u32 [%d0], 0; setp.eq.u32 %p1, %r0, 32; @%p1 ld.global.u32 %r1, [%d0];", 96, Race, "thread (64,0,0): race: writes 4 bytes"},
		{"read by all, written by the last", "ld.global.u32 %r1, [%d0]; setp.eq.u32 %p0, %r0, 31; @%p0 st.global.u32 [%d0], 1;", 32, Race, "thread (31,0,0): race: writes"},
		{"read by two warps, synced within one", "ld.global.u32 %r1, [%d0]; bar.warp.sync -1; setp.eq.u32 %p0, %r0, 32; @%p0 st.global.u32 [%d0], 1;", 64, Race, "another thread, and no barrier lies between"},
		{"read by three warps, two of them synced", "ld.global.u32 %r1, [%d0]; shr.u32 %r2, %r0, 5; setp.ne.u32 %p1, %r2, 1; @%p1 bar.sync 1, 64; setp.eq.u32 %p0, %r0, 0; @%p0 st.global.u32 [%d0], 1;", 96, Race, "thread (0,0,0): race: writes 4 bytes"},
		{"within a warp, in order", "ld.global.u32 %r1, [%d0]; bar.warp.sync -1; setp.eq.u32 %p0, %r0, 7; @%p0 st.global.u32 [%d0], 1; bar.warp.sync -1; ld.global.u32 %r2, [%d0];", 32, 0, ""},
		{"a barrier between", "st.global.u32 [%d1], %r0; bar.sync 0; xor.b32 %r1, %r0, 95; mad.wide.u32 %d4, %r1, 4, %d0; ld.global.u32 %r2, [%d4];", 96, 0, ""},
		{"a barrier of others between", `setp.lt.u32 %p0, %r0, 64; st.global.u32 [%d1], %r0; @%p0 bar.sync 1, 64; xor.b32 %r1, %r0, 32; mad.wide.u32 %d4, %r1, 4, %d0; @%p0 ld.global.u32 %r2, [%d4];
	setp.eq.u32 %p1, %r0, 0; @%p1 ld.global.u32 %r2, [%d0+256];`, 96, Race, "reads 4 bytes at byte 256"},
		{"what a barrier passes on", `setp.lt.u32 %p0, %r0, 64; setp.ge.u32 %p1, %r0, 32; st.global.u32 [%d1], %r0;
	@%p0 bar.sync 1, 64; @%p1 bar.sync 2, 64; setp.eq.u32 %p2, %r0, 70; @%p2 ld.global.u32 %r2, [%d0];`, 96, 0, ""},
		{"atomic and plain", "red.global.add.u32 [%d0], 1; ld.global.u32 %r1, [%d0];", 2, Race, "reads 4 bytes"},
		{"atomic by two, read by the last of them", "red.global.add.u32 [%d0], 1; setp.eq.u32 %p0, %r0, 31; @%p0 ld.global.u32 %r1, [%d0];", 32, Race, "thread (31,0,0)"},
		{"atomic only", "red.global.add.u32 [%d0], 1; atom.global.max.u32 %r1, [%d0], %r0;", 64, 0, ""},
		{"plain, then atomic", "st.global.u32 [%d0], 0; red.global.add.u32 [%d0], 1;", 2, Race, "writes 4 bytes"},
		{"volatile", "st.volatile.global.u32 [%d0], %r0; ld.volatile.global.u32 %r1, [%d0];", 64, 0, ""},
		{"unchanging memory that changes", "st.global.u32 [%d1], 1; ld.global.nc.u32 %r1, [%d1];", 1, Race, "reads as unchanging 4 bytes at byte 0 of allocation 1 (512 bytes) in a race with an access of the same thread"},
		{"unchanging memory that changed before a barrier", "st.global.u32 [%d1], 1; bar.sync 0; ld.global.nc.u32 %r1, [%d1];", 1, Race, "reads as unchanging 4 bytes"},
		{"a copy without a wait", ".shared .align 16 .b8 s[64]; cp.async.ca.shared.global [s], [%d0], 4; ld.shared.u32 %r1, [s];", 1, Race, "in a race with an access of a copy that has not been waited for"},
		{"a copy over what others read", ".shared .align 16 .b8 s[512]; st.shared.u32 [s], 1; bar.sync 0; ld.shared.u32 %r1, [s]; setp.eq.u32 %p0, %r0, 9; @%p0 cp.async.ca.shared.global [s], [%d0], 4;", 32, Race, "writes 4 bytes at byte 0 of shared variable s"},
		{"a copy seen by others without a barrier", ".shared .align 16 .b8 s[64]; setp.eq.u32 %p0, %r0, 0; @%p0 cp.async.ca.shared.global [s], [%d0], 4; cp.async.wait_all; ld.shared.u32 %r1, [s];", 32, Race, "thread (1,0,0)"},
		{"a copy from past the end", ".shared .align 16 .b8 s[64]; cp.async.ca.shared.global [s+16], [%d0+512], 4;", 1, Bounds, "copies 4 bytes at 0x200000200"},
		{"a copy past its variable", ".shared .align 16 .b8 s[64]; cp.async.cg.shared.global [s+64], [%d0], 16;", 1, Bounds, "copies to 16 bytes at byte 64 of shared variable s"},
		{"a copy from an odd place", ".shared .align 16 .b8 s[64]; cp.async.cg.shared.global [s], [%d0+8], 16;", 1, Alignment, "copies 16 bytes from 0x200000008"},

		{"different barriers", "setp.lt.u32 %p0, %r0, 32; @%p0 bra low; bar.sync 0; bra join; low: bar.sync 0; join:", 64, Barrier, `the block's threads wait at different barriers: line 17 "setp`},
		{"half a warp at a barrier", "setp.lt.u32 %p0, %r0, 16; @%p0 bra low; bar.sync 0; bra join; low: bar.sync 1; join:", 32, Barrier, "nobody can go on: 16 threads, the first (16,0,0), wait for the rest of their warp at line 17"},
		{"too few at a barrier", "bar.sync 3, 128;", 64, Barrier, "nobody can go on: 64 threads, the first (0,0,0), wait for the block at line 17"},
		{"too many at a barrier", "bar.sync 3, 64;", 96, Barrier, "96 threads wait at barrier 3 for 64 threads"},
		{"a count of no warps", "mov.u32 %r1, 40; bar.sync 3, %r1;", 64, Barrier, "barrier 3 for 40 threads: there are 16 barriers, for multiples of 32 threads"},
		{"no such barrier", "mov.u32 %r1, 16; bar.sync %r1;", 64, Barrier, "barrier 16 for 0 threads"},
		{"different counts", "shr.u32 %r1, %r0, 5; mad.lo.u32 %r1, %r1, 32, 64; bar.sync 1, %r1;", 64, Barrier, "waits at barrier 1 for 96 threads and others there for 64"},
		{"barriers that differ within a warp", "bar.sync %r0;", 2, Barrier, "names another barrier or count"},

		{"a shuffle from a lane that is gone", "setp.lt.u32 %p0, %r0, 31; @!%p0 ret; shfl.sync.down.b32 %r1, %r0, 1, 31, -1;", 32, Lanes, "thread (30,0,0): lanes: reads from lane 31, which is not there or not in the mask 0xffffffff"},
		{"a shuffle from beyond the mask", "shfl.sync.down.b32 %r1, %r0, 1, 31, 3;", 2, Lanes, "thread (1,0,0): lanes: reads from lane 2"},
		{"a shuffle from another's mask", "mov.u32 %r1, 0xffff; setp.ge.u32 %p0, %r0, 16; @%p0 mov.u32 %r1, 0xffff0000; shfl.sync.bfly.b32 %r2, %r0, 16, 31, %r1;", 32, Lanes, "thread (0,0,0): lanes: reads from lane 16, which is not there or not in the mask 0xffff"},
		{"a mask without the lane", "shfl.sync.idx.b32 %r1, %r0, 0, 31, 1;", 2, Lanes, "lane 1 is not in its own mask, 0x1"},
		{"masks that differ", "mov.u32 %r1, 3; setp.eq.u32 %p0, %r0, 0; @%p0 mov.u32 %r1, 1; vote.sync.any.pred %p1, %p0, %r1;", 2, Lanes, "lane 1 names the mask 0x3, and lane 0 in it 0x1"},
		{"shuffles apart", "setp.lt.u32 %p0, %r0, 16; @%p0 bra low; shfl.sync.idx.b32 %r1, %r0, 0, 31, -1; bra join; low: shfl.sync.idx.b32 %r1, %r0, 1, 31, -1; join:", 32, Lanes, "nobody can go on: 16 threads, the first (16,0,0), wait for the rest of their warp"},
		{"a matrix product by half a warp", "mma.sync.aligned.m16n8k4.row.col.f32.tf32.tf32.f32 {%f0, %f1, %f2, %f3}, {%r0, %r0}, {%r0}, {%f0, %f1, %f2, %f3};", 16, Lanes, "needs 32 lanes, and of this warp there are 16"},

		{"division by zero", "div.u32 %r1, 7, %r0;", 4, Arithmetic, "thread (0,0,0): arithmetic: divides 7 by zero"},
		{"remainder by zero, out of action", "setp.ne.u32 %p0, %r0, 0; @%p0 rem.s32 %r1, 7, %r0;", 4, 0, ""},
		{"trap", "setp.eq.u32 %p0, %r0, 3; @%p0 trap;", 4, Trap, "thread (3,0,0): trap: the kernel gave up"},
		{"a loop without end", "loop: bra loop;", 1, Limit, `line 17 "loop: bra loop;", block (0,0,0), thread (0,0,0): limit: the block has executed 100000 instructions of warps and goes on`},
	} {
		t.Run(c.name, func(t *testing.T) {
			var m Memory
			p, q := given(t, &m, make([]uint32, 128)), given(t, &m, make([]uint32, 64))
			ptx := strings.Replace(small(strings.TrimSpace(c.body)), ".visible", ".const .align 4 .b8 table[8]; .visible", 1)
			err := loaded(t, strings.Replace(ptx, "%d2;\n\n", "%d2;\n", 1), "k").Run(&m, Launch{Block: [3]int{c.threads}, Limit: 100000}, p, q)
			if c.check == 0 {
				if err != nil {
					t.Error(err)
				}
				return
			}
			faults(t, err, c.check, c.part)
		})
	}
}

// Blocks of a launch are in no order with one another.
func TestRacesBetweenBlocks(t *testing.T) {
	for _, c := range []struct {
		name  string
		body  string
		check Check
		part  string
	}{
		{"each its own", "mov.u32 %r1, %ctaid.x; mad.wide.u32 %d4, %r1, 128, %d1; st.global.u32 [%d4], %r1;", 0, ""},
		{"the same value", "st.global.u32 [%d1], 5;", 0, ""},
		{"another value", "mov.u32 %r1, %ctaid.x; st.global.u32 [%d1], %r1;", Race, `block (1,0,0), thread (0,0,0): race: writes 4 bytes at byte 0 of allocation 1 (512 bytes) in a race with an access of another block: line 17 "mov`},
		{"read what another wrote", "mov.u32 %r1, %ctaid.x; setp.eq.u32 %p0, %r1, 0; @%p0 st.global.u32 [%d1], 1; @!%p0 ld.global.u32 %r2, [%d1];", Race, "reads 4 bytes"},
		{"write what another read", "mov.u32 %r1, %ctaid.x; setp.eq.u32 %p0, %r1, 1; @%p0 st.global.u32 [%d1], 1; @!%p0 ld.global.u32 %r2, [%d1];", Race, "writes 4 bytes"},
		{"write what two others read", "mov.u32 %r1, %ctaid.x; setp.eq.u32 %p0, %r1, 2; ld.global.u32 %r2, [%d1]; bar.sync 0; @%p0 st.global.u32 [%d1], 1;", Race, "writes 4 bytes"},
		{"atomic", "red.global.add.u32 [%d0], 1;", 0, ""},
		{"atomic and plain", "mov.u32 %r1, %ctaid.x; setp.eq.u32 %p0, %r1, 0; @%p0 red.global.add.u32 [%d0], 1; @!%p0 ld.global.u32 %r2, [%d0];", Race, "reads 4 bytes"},
		{"shared memory is each block's own", ".shared .align 4 .b8 s[4]; mov.u32 %r1, %ctaid.x; setp.eq.u32 %p0, %r0, 0; @%p0 st.shared.u32 [s], %r1;", 0, ""},
		{"shared memory of an earlier block", ".shared .align 4 .b8 s[4]; mov.u32 %r1, %ctaid.x; setp.eq.u32 %p0, %r1, 0; @%p0 st.shared.u32 [s], 1; @!%p0 ld.shared.u32 %r2, [s];", Uninitialized, "block (1,0,0)"},
		{"a fence and an atomic operation between", "mov.u32 %r1, %ctaid.x; setp.eq.u32 %p0, %r1, 2; setp.eq.u32 %p1, %r0, 0; setp.lt.u32 %p2, %r1, 2; mad.wide.u32 %d4, %r1, 4, %d0; @%p1 st.global.u32 [%d4], %r1; fence.acq_rel.gpu; @%p1 atom.global.add.u32 %r2, [%d0+256], 1; bar.sync 0; @%p0 ld.global.u32 %r3, [%d0+4];", 0, ""},
		{"a fence and another's atomic operation", "mov.u32 %r1, %ctaid.x; setp.eq.u32 %p0, %r1, 2; setp.eq.u32 %p1, %r0, 0; mad.wide.u32 %d4, %r1, 4, %d0; @%p1 st.global.u32 [%d4], %r1; membar.gl; @%p1 atom.global.add.u32 %r2, [%d4+256], 1; bar.sync 0; @%p0 ld.global.u32 %r3, [%d0+4];", Race, "another block"},
		{"a fence of the block alone", "mov.u32 %r1, %ctaid.x; setp.eq.u32 %p0, %r1, 2; setp.eq.u32 %p1, %r0, 0; mad.wide.u32 %d4, %r1, 4, %d0; @%p1 st.global.u32 [%d4], %r1; membar.cta; @%p1 atom.global.add.u32 %r2, [%d0+256], 1; bar.sync 0; @%p0 ld.global.u32 %r3, [%d0+4];", Race, "another block"},
		{"an atomic operation that releases", "mov.u32 %r1, %ctaid.x; setp.eq.u32 %p0, %r1, 2; setp.eq.u32 %p1, %r0, 0; mad.wide.u32 %d4, %r1, 4, %d0; @%p1 st.global.u32 [%d4], %r1; @%p1 atom.acq_rel.gpu.global.add.u32 %r2, [%d0+256], 1; bar.sync 0; @%p0 ld.global.u32 %r3, [%d0+4];", 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var m Memory
			p := given(t, &m, make([]uint32, 128))
			k := loaded(t, small(c.body), "k")
			for range 2 { // what an earlier launch did is settled
				err := k.Run(&m, Launch{Grid: [3]int{3}, Block: [3]int{32}}, p, p)
				if c.check == 0 {
					if err != nil {
						t.Error(err)
					}
					continue
				}
				faults(t, err, c.check, c.part)
			}
		})
	}
}

// A fault names the other party of a race as a place of its own.
func TestFaultPlaces(t *testing.T) {
	var m Memory
	p := given(t, &m, make([]uint32, 64))
	err := loaded(t, small("st.global.u32 [%d1], 1;\nld.global.u32 %r1, [%d1+4];"), "k").Run(&m, Launch{Block: [3]int{2, 2}}, p, p)
	var f *Fault
	if !errors.As(err, &f) {
		t.Fatal(err)
	}
	want := Place{18, "ld.global.u32 %r1, [%d1+4];", [3]int{}, [3]int{0, 0, 0}}
	other := Place{17, "st.global.u32 [%d1], 1;", [3]int{}, [3]int{1, 0, 0}}
	if f.Kernel != "k" || f.Place != want || f.Other == nil || (*f.Other != other && f.Other.Thread != [3]int{1, 1, 0}) {
		t.Errorf("%+v, other %+v", f, f.Other)
	}
}

// A register that nothing has written holds ones, in every block anew.
func TestUnwrittenRegisters(t *testing.T) {
	var m Memory
	p := given(t, &m, make([]uint32, 8))
	body := `mov.u32 %r1, %ctaid.x; mad.wide.u32 %d4, %r1, 8, %d0; st.global.u32 [%d4], %r2; mov.u32 %r2, 5;
	setp.eq.u32 %p0, %r1, 9; @%p0 mov.u32 %r3, 1; @%p0 bra on; add.u32 %r2, %r2, 1; on: st.global.u32 [%d4+4], %r3; mov.u32 %r3, %r2;`
	if err := loaded(t, small(body), "k").Run(&m, Launch{Grid: [3]int{4}}, p, p); err != nil {
		t.Fatal(err)
	}
	expect(t, results[uint32](t, &m, p, 8), func(int) uint32 { return 0xffffffff })

	// What clang makes writes every register before it reads it, on every path.
	for _, ptx := range []string{basic, ampere} {
		module, err := Load(ptx)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range module.Kernels() {
			if entry := module.Kernel(name).entry; len(entry) > 0 {
				t.Errorf("%s: registers %v", name, entry)
			}
		}
	}
}

// Global memory counts as unwritten until somebody has written to it; a launch
// may let reads of it pass.
func TestUnwrittenMemory(t *testing.T) {
	var m Memory
	p, q := m.Alloc(16), m.Alloc(16)
	if err := Write(&m, q, []uint32{1, 2}); err != nil {
		t.Fatal(err)
	}
	k := loaded(t, small("ld.global.v2.u32 {%r1, %r2}, [%d2+4]; st.global.v2.u32 [%d0], {%r1, %r2};"), "k")
	err := k.Run(&m, Launch{}, p, q+4)
	faults(t, err, Uninitialized, "reads 8 bytes at byte 8 of allocation 2 (16 bytes), which nobody has written")
	if err := k.Run(&m, Launch{Skip: Uninitialized}, p, q+4); err != nil {
		t.Error(err)
	}
	expect(t, results[uint32](t, &m, p, 2), func(int) uint32 { return 0xffffffff })
	if err := k.Run(&m, Launch{}, q+8, p-4); err != nil {
		t.Error(err)
	}
	if err := Read(&m, p+8, make([]uint32, 1)); err == nil || !strings.Contains(err.Error(), "byte 8 of allocation 1 (16 bytes) has never been written") {
		t.Error(err)
	}
	if err := m.Free(q); err != nil {
		t.Fatal(err)
	}
	err = k.Run(&m, Launch{}, p, q)
	faults(t, err, Bounds, "4 bytes into allocation 2 (16 bytes), which has been freed")
}

// Marks of an earlier launch, of another kernel too, are of no account, nor are
// those from before stamps begin again.
func TestOldMarks(t *testing.T) {
	var m Memory
	p := given(t, &m, make([]uint32, 64))
	long := loaded(t, small(strings.Repeat("add.u32 %r1, %r1, 1;\n", 1000)+"atom.global.add.u32 %r1, [%d0], 1;\natom.global.add.u32 %r1, [%d0], 1;"), "k")
	short := loaded(t, small("red.global.add.u32 [%d0], 1;\nld.global.u32 %r1, [%d0];"), "k")
	race := loaded(t, small("st.global.u32 [%d0], %r0;"), "k")
	for _, clock := range []uint32{0, 1 << 31, 1<<31 + 1} {
		m.clock = max(m.clock, clock)
		if err := long.Run(&m, Launch{Block: [3]int{64}}, p, p); err != nil {
			t.Error(err)
		}
		if err := short.Run(&m, Launch{Block: [3]int{1}}, p, p); err != nil {
			t.Error(err)
		}
		faults(t, race.Run(&m, Launch{Block: [3]int{2}}, p, p), Race, "thread (1,0,0)")
	}
	if m.clock > 100 {
		t.Errorf("stamps go on at %d", m.clock)
	}
}

// The limit counts instructions of warps, and is none for a block that ends.
func TestLimit(t *testing.T) {
	var m Memory
	p := given(t, &m, make([]uint32, 64))
	k := loaded(t, small(strings.Repeat("add.u32 %r1, %r1, 1;\n", 100)), "k")
	n := 5 + 100 + 1
	if err := k.Run(&m, Launch{Grid: [3]int{3}, Block: [3]int{64}, Limit: 2 * n}, p, p); err != nil {
		t.Error(err)
	}
	err := k.Run(&m, Launch{Grid: [3]int{3}, Block: [3]int{64}, Limit: 2*n - 1}, p, p)
	faults(t, err, Limit, "thread (32,0,0): limit: the block has executed 211 instructions of warps and goes on")
}

// The end of an allocation may lie within an access.
func TestPartlyPastTheEnd(t *testing.T) {
	var m Memory
	p := given(t, &m, make([]uint32, 3))
	k := loaded(t, small("mad.wide.u32 %d4, %r0, 8, %d0; ld.global.u64 %d5, [%d4];"), "k")
	faults(t, k.Run(&m, Launch{Block: [3]int{2}}, p, p), Bounds, "thread (1,0,0): bounds: reads 8 bytes at 0x200000008, which is byte 8 of allocation 1 (12 bytes)")
}
