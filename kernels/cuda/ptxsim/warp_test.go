package ptxsim

import (
	"fmt"
	"math/bits"
	"slices"
	"strings"
	"testing"
)

// small is a kernel around a few lines. It has two parameters, p and q; %d0 is
// p, %d1 the thread's own word of it, %d2 q, %d3 the thread's own word of that,
// and %r0 the thread's number in the block.
func small(body string) string {
	return `.version 7.0
.target sm_80
.address_size 64
.visible .entry k(.param .u64 p, .param .u64 q)
{
	.reg .pred %p<8>;
	.reg .b16 %h<8>;
	.reg .b32 %r<32>;
	.reg .b64 %d<16>;
	.reg .f32 %f<8>;
	.reg .f64 %g<4>;
	ld.param.u64 %d0, [p];
	ld.param.u64 %d2, [q];
	mov.u32 %r0, %tid.x;
	mad.wide.u32 %d1, %r0, 4, %d0;
	mad.wide.u32 %d3, %r0, 4, %d2;
` + body + `
	ret;
}
`
}

// try runs a small kernel in one block on n words at q, and returns n words
// from p.
func try(t *testing.T, body string, threads int, q []uint32, n int) []uint32 {
	t.Helper()
	var m Memory
	p := given(t, &m, make([]uint32, n))
	if err := loaded(t, small(body), "k").Run(&m, Launch{Block: [3]int{threads}}, p, given(t, &m, q)); err != nil {
		t.Fatal(err)
	}
	return results[uint32](t, &m, p, n)
}

func expect(t *testing.T, got []uint32, want func(i int) uint32) {
	t.Helper()
	for i, v := range got {
		if v != want(i) {
			t.Fatalf("word %d is %d (%#x), want %d (%#x)", i, v, v, want(i), want(i))
		}
	}
}

// Each lane goes its own way through loops and branches, whatever the order in
// which the code lies, and the warp comes together again.
func TestDivergence(t *testing.T) {
	// Collatz steps to 1: every lane leaves the loop at its own time; odd and
	// even numbers part in it, and the odd ones' code lies behind the loop.
	got := try(t, `
	add.u32 %r1, %r0, 1;
	mov.u32 %r2, 0;
loop:
	setp.eq.u32 %p0, %r1, 1;
	@%p0 bra done;
	and.b32 %r3, %r1, 1;
	setp.ne.u32 %p1, %r3, 0;
	@%p1 bra odd;
	shr.u32 %r1, %r1, 1;
join:
	add.u32 %r2, %r2, 1;
	bra.uni loop;
odd:
	mad.lo.u32 %r1, %r1, 3, 1;
	bra join;
done:
	activemask.b32 %r4;
	setp.ne.u32 %p2, %r4, -1;
	@%p2 trap;
	st.global.u32 [%d1], %r2;`, 64, nil, 64)
	expect(t, got, func(i int) (steps uint32) {
		for n := i + 1; n != 1; steps++ {
			if n%2 == 0 {
				n /= 2
			} else {
				n = 3*n + 1
			}
		}
		return steps
	})

	// Lanes that return early leave the others whole, in a warp that is not full.
	got = try(t, `
	setp.lt.u32 %p0, %r0, 5;
	@%p0 ret;
	and.b32 %r1, %r0, 3;
	setp.eq.u32 %p1, %r1, 0;
	@!%p1 exit;
	activemask.b32 %r2;
	st.global.u32 [%d1], %r2;`, 45, nil, 45)
	expect(t, got, func(i int) uint32 {
		switch {
		case i < 5 || i%4 != 0:
			return 0
		case i < 32:
			return 0x11111100
		}
		return 0x1111
	})
}

func TestActiveMaskInABranch(t *testing.T) {
	got := try(t, `
	and.b32 %r1, %r0, 1;
	setp.eq.u32 %p0, %r1, 1;
	@%p0 bra odd;
	activemask.b32 %r2;
	bra join;
odd:
	activemask.b32 %r2;
join:
	st.global.u32 [%d1], %r2;`, 32, nil, 32)
	expect(t, got, func(i int) uint32 { return 0x55555555 << (i % 2) })
}

// Threads of a partial warp and of others, some of which have exited, meet at
// barriers.
func TestBarriers(t *testing.T) {
	got := try(t, `
	.shared .align 4 .b8 s[400];
	setp.ge.u32 %p0, %r0, 90;
	@%p0 ret;
	shl.b32 %r1, %r0, 2;
	mov.u32 %r2, s;
	add.u32 %r3, %r2, %r1;
	st.shared.u32 [%r3], %r0;
	bar.sync 0;
	sub.u32 %r4, 356, %r1;
	add.u32 %r4, %r2, %r4;
	ld.shared.u32 %r5, [%r4];
	st.global.u32 [%d1], %r5;`, 100, nil, 90)
	expect(t, got, func(i int) uint32 { return uint32(89 - i) })

	// Some lanes of a warp wait before the others leave.
	got = try(t, `
	setp.lt.u32 %p0, %r0, 40;
	@%p0 bra out;
	bar.sync 0;
	activemask.b32 %r1;
	shfl.sync.idx.b32 %r1, %r1, 9, 31, -1;
	st.global.u32 [%d1], %r1;
out:`, 64, nil, 64)
	expect(t, got, func(i int) uint32 {
		if i < 40 {
			return 0
		}
		return 0xffffff00
	})

	// Two pairs of warps, each with a barrier of its own and another number of
	// rounds.
	got = try(t, `
	.shared .align 4 .b8 s[512];
	shr.u32 %r1, %r0, 6;
	add.u32 %r2, %r1, 1;
	mul.lo.u32 %r3, %r2, 5;
	shl.b32 %r4, %r0, 2;
	mov.u32 %r5, s;
	add.u32 %r4, %r4, %r5;
	xor.b32 %r6, %r0, 63;
	shl.b32 %r6, %r6, 2;
	add.u32 %r6, %r6, %r5;
	mov.u32 %r7, 0;
loop:
	st.shared.u32 [%r4], %r7;
	barrier.sync.aligned %r2, 64;
	ld.shared.u32 %r8, [%r6];
	bar.sync %r2, 64;
	add.u32 %r7, %r8, 1;
	sub.u32 %r3, %r3, 1;
	setp.ne.u32 %p0, %r3, 0;
	@%p0 bra loop;
	st.global.u32 [%d1], %r7;`, 128, nil, 128)
	expect(t, got, func(i int) uint32 { return uint32(i/64+1) * 5 })

	// barrier.sync without .aligned lets the lanes of a warp come one by one, at
	// different instructions.
	got = try(t, `
	.shared .align 4 .b8 s[256];
	shl.b32 %r1, %r0, 2;
	mov.u32 %r2, s;
	add.u32 %r1, %r1, %r2;
	xor.b32 %r3, %r1, 124;
	setp.lt.u32 %p0, %r0, 10;
	st.shared.u32 [%r1], %r0;
	@%p0 bra low;
	barrier.sync 0;
	ld.shared.u32 %r4, [%r3];
	bra.uni done;
low:
	barrier.sync 0;
	ld.shared.u32 %r4, [%r3];
	add.u32 %r4, %r4, 100;
done:
	st.global.u32 [%d1], %r4;`, 64, nil, 64)
	expect(t, got, func(i int) uint32 { return uint32(i^31) + map[bool]uint32{true: 100}[i < 10] })
}

func TestBarrierReductions(t *testing.T) {
	got := try(t, `
	setp.lt.u32 %p0, %r0, 50;
	bar.red.popc.u32 %r1, 0, %p0;
	bar.red.and.pred %p1, 0, %p0;
	bar.red.or.pred %p2, 0, !%p0;
	bar.red.and.pred %p3, 1, 96, 1;
	selp.b32 %r2, 100, 0, %p1;
	selp.b32 %r3, 1000, 0, %p2;
	selp.b32 %r4, 10000, 0, %p3;
	add.u32 %r1, %r1, %r2;
	add.u32 %r1, %r1, %r3;
	add.u32 %r1, %r1, %r4;
	st.global.u32 [%d1], %r1;`, 70, nil, 70)
	expect(t, got, func(int) uint32 { return 11050 })
}

// shuffled is shfl.sync of lane i, from the definition in the PTX ISA.
func shuffled(mode string, i, b, c int) (from int, ok bool) {
	b, clamp, segment := b&31, c&31, c>>8&31
	most := i&segment | clamp&^segment
	least := i & segment
	switch mode {
	case "up":
		from = i - b
		ok = from >= most
	case "down":
		from = i + b
		ok = from <= most
	case "bfly":
		from = i ^ b
		ok = from <= most
	case "idx":
		from = least | b&^segment
		ok = from <= most
	}
	if !ok {
		from = i
	}
	return from, ok
}

func TestShuffles(t *testing.T) {
	for _, mode := range []string{"up", "down", "bfly", "idx"} {
		for _, width := range []int{32, 16, 4} {
			for b := range 32 {
				c := (32-width)<<8 | 31
				if mode == "up" {
					c &^= 31
				}
				got := try(t, fmt.Sprintf(`
	mul.lo.u32 %%r1, %%r0, 3;
	shfl.sync.%s.b32 %%r1|%%p0, %%r1, %d, %d, -1;
	selp.b32 %%r2, 1000, 0, %%p0;
	add.u32 %%r1, %%r1, %%r2;
	st.global.u32 [%%d1], %%r1;`, mode, b, c), 32, nil, 32)
				expect(t, got, func(i int) uint32 {
					from, ok := shuffled(mode, i, b, c)
					return uint32(3*from) + map[bool]uint32{true: 1000}[ok]
				})
			}
		}
	}
}

// Lanes that arrive at a shuffle one group after another wait for one another.
func TestShuffleWaits(t *testing.T) {
	got := try(t, `
	setp.lt.u32 %p0, %r0, 7;
	mov.u32 %r1, 1;
	@%p0 bra around;
again:
	shfl.sync.bfly.b32 %r2, %r1, 16, 31, -1;
	st.global.u32 [%d1], %r2;
	ret;
around:
	mov.u32 %r1, 2;
	bra again;`, 32, nil, 32)
	expect(t, got, func(i int) uint32 {
		if i >= 16 && i < 23 {
			return 2
		}
		return 1
	})
}

func TestVotes(t *testing.T) {
	got := try(t, `
	and.b32 %r1, %r0, 3;
	setp.eq.u32 %p0, %r1, 2;
	setp.lt.u32 %p1, %r0, 100;
	vote.sync.ballot.b32 %r2, %p0, -1;
	vote.sync.any.pred %p2, %p0, -1;
	vote.sync.all.pred %p3, %p0, -1;
	vote.sync.all.pred %p4, %p1, -1;
	vote.sync.uni.pred %p5, %p0, -1;
	vote.sync.uni.pred %p6, !%p1, -1;
	selp.b32 %r3, 1, 0, %p2;
	selp.b32 %r4, 2, 0, %p3;
	selp.b32 %r5, 4, 0, %p4;
	selp.b32 %r6, 8, 0, %p5;
	selp.b32 %r7, 16, 0, %p6;
	or.b32 %r3, %r3, %r4;
	or.b32 %r5, %r5, %r6;
	or.b32 %r3, %r3, %r7;
	or.b32 %r3, %r3, %r5;
	xor.b32 %r2, %r2, %r3;
	st.global.u32 [%d1], %r2;`, 64, nil, 64)
	expect(t, got, func(int) uint32 { return 0x44444444 ^ (1 | 4 | 16) })

	// Half a warp at a time, and of the others nobody.
	got = try(t, `
	setp.lt.u32 %p0, %r0, 16;
	setp.eq.u32 %p1, %r0, 3;
	@%p0 bra low;
	vote.sync.any.pred %p2, %p1, 0xffff0000;
	bra join;
low:
	vote.sync.any.pred %p2, %p1, 0xffff;
join:
	selp.b32 %r1, 1, 2, %p2;
	st.global.u32 [%d1], %r1;`, 32, nil, 32)
	expect(t, got, func(i int) uint32 { return uint32(i/16 + 1) })
}

func TestRedux(t *testing.T) {
	x := make([]uint32, 32)
	for i := range x {
		x[i] = uint32(i*i*0x01234567) ^ 0x80000001
	}
	signed := func(f func(a, b int32) int32) func(a, b uint32) uint32 {
		return func(a, b uint32) uint32 { return uint32(f(int32(a), int32(b))) }
	}
	for name, f := range map[string]func(a, b uint32) uint32{
		"add.u32": func(a, b uint32) uint32 { return a + b },
		"add.s32": func(a, b uint32) uint32 { return a + b },
		"min.u32": func(a, b uint32) uint32 { return min(a, b) },
		"max.u32": func(a, b uint32) uint32 { return max(a, b) },
		"min.s32": signed(func(a, b int32) int32 { return min(a, b) }),
		"max.s32": signed(func(a, b int32) int32 { return max(a, b) }),
		"and.b32": func(a, b uint32) uint32 { return a & b },
		"or.b32":  func(a, b uint32) uint32 { return a | b },
		"xor.b32": func(a, b uint32) uint32 { return a ^ b },
	} {
		got := try(t, `
	ld.global.b32 %r1, [%d3];
	setp.lt.u32 %p0, %r0, 12;
	mov.u32 %r2, 0xfffff000;
	@%p0 mov.u32 %r2, 0xfff;
	redux.sync.`+name+` %r1, %r1, %r2;
	st.global.b32 [%d1], %r1;`, 32, x, 32)
		expect(t, got, func(i int) uint32 {
			group := x[:12]
			if i >= 12 {
				group = x[12:]
			}
			v := group[0]
			for _, y := range group[1:] {
				v = f(v, y)
			}
			return v
		})
	}
}

// Atomic operations of a warp's lanes happen one after another; each sees what
// was there.
func TestAtomics(t *testing.T) {
	type step = func(old, b, c uint64) uint64
	f32s := func(a, b uint64) uint64 { return uint64(bits32(f32(a) + f32(b))) }
	for _, c := range []struct {
		op   string
		bits int
		f    step
		b    []uint64
	}{
		{"add.u32", 32, func(o, b, _ uint64) uint64 { return o + b }, []uint64{1, 0xfffffff0, 7}},
		{"add.s32", 32, func(o, b, _ uint64) uint64 { return o + b }, []uint64{1, 0xfffffff0, 7}},
		{"add.u64", 64, func(o, b, _ uint64) uint64 { return o + b }, []uint64{1, 1 << 40, 1<<64 - 3}},
		{"add.f32", 32, func(o, b, _ uint64) uint64 { return f32s(o, b) }, []uint64{0x3f800000, 0xbf000000, 0x4b800000}},
		{"add.f64", 64, func(o, b, _ uint64) uint64 { return bits64(f64(o) + f64(b)) }, []uint64{0x3ff0000000000000, 0xbfe0000000000000}},
		{"min.u32", 32, func(o, b, _ uint64) uint64 { return min(o, b) }, []uint64{9, 5, 0xffffffff}},
		{"max.u32", 32, func(o, b, _ uint64) uint64 { return max(o, b) }, []uint64{9, 5, 0xffffffff}},
		{"min.s32", 32, func(o, b, _ uint64) uint64 { return uint64(uint32(min(int32(o), int32(b)))) }, []uint64{9, 5, 0xffffffff}},
		{"max.s32", 32, func(o, b, _ uint64) uint64 { return uint64(uint32(max(int32(o), int32(b)))) }, []uint64{9, 5, 0xffffffff}},
		{"min.s64", 64, func(o, b, _ uint64) uint64 { return uint64(min(int64(o), int64(b))) }, []uint64{9, 5, 1<<64 - 1}},
		{"max.u64", 64, func(o, b, _ uint64) uint64 { return max(o, b) }, []uint64{9, 5, 1<<64 - 1}},
		{"and.b32", 32, func(o, b, _ uint64) uint64 { return o & b }, []uint64{0xff, 0xf7, 3}},
		{"or.b32", 32, func(o, b, _ uint64) uint64 { return o | b }, []uint64{1, 0x80000000, 6}},
		{"xor.b64", 64, func(o, b, _ uint64) uint64 { return o ^ b }, []uint64{1, 1 << 63, 3}},
		{"exch.b32", 32, func(_, b, _ uint64) uint64 { return b }, []uint64{1, 2, 3}},
		{"exch.b64", 64, func(_, b, _ uint64) uint64 { return b }, []uint64{1, 1 << 50}},
		{"inc.u32", 32, func(o, b, _ uint64) uint64 {
			if o >= b {
				return 0
			}
			return o + 1
		}, []uint64{5, 3, 2}},
		{"dec.u32", 32, func(o, b, _ uint64) uint64 {
			if o == 0 || o > b {
				return b
			}
			return o - 1
		}, []uint64{5, 3, 2}},
		{"cas.b32", 32, func(o, b, c uint64) uint64 {
			if o == b {
				return c
			}
			return o
		}, []uint64{0, 100, 101}},
		{"cas.b64", 64, func(o, b, c uint64) uint64 {
			if o == b {
				return c
			}
			return o
		}, []uint64{0, 100, 101}},
	} {
		// q holds the operands of 8 lanes, p the word and what each lane saw.
		reg := map[int]string{32: "%r", 64: "%d"}[c.bits]
		third := ""
		if strings.HasPrefix(c.op, "cas") {
			third = ", " + reg + "6"
		}
		for _, space := range []string{".global", ""} {
			body := fmt.Sprintf(`
	mad.wide.u32 %%d4, %%r0, 8, %%d0;
	mad.wide.u32 %%d3, %%r0, 8, %%d2;
	ld.global.b%[1]d %[2]s5, [%%d3];
	add.u%[1]d %[2]s6, %[2]s5, 100;
	atom%[4]s.%[3]s %[2]s7, [%%d0], %[2]s5%[5]s;
	st.global.b%[1]d [%%d4+8], %[2]s7;`, c.bits, reg, c.op, space, third)
			if third == "" {
				body += fmt.Sprintf("\n\tred%s.%s [%%d0], %s5;\n", space, c.op, reg)
				if strings.HasPrefix(c.op, "exch") {
					body = body[:strings.LastIndex(body, "\n\tred")]
				}
			}
			var m Memory
			q := make([]uint64, 8)
			for i := range q {
				q[i] = c.b[i%len(c.b)]
			}
			p := given(t, &m, make([]uint64, 9))
			if err := loaded(t, small(body), "k").Run(&m, Launch{Block: [3]int{8}}, p, given(t, &m, q)); err != nil {
				t.Fatal(err)
			}
			got := results[uint64](t, &m, p, 9)
			mask := uint64(1)<<c.bits - 1
			want := make([]uint64, 9)
			v := uint64(0)
			for i, b := range q {
				want[i+1] = v
				v = c.f(v, b, (b+100)&mask) & mask
			}
			if third == "" && !strings.HasPrefix(c.op, "exch") {
				for _, b := range q {
					v = c.f(v, b, 0) & mask
				}
			}
			want[0] = v
			if !slices.Equal(got, want) {
				t.Errorf("%s%s: %#x, want %#x", space, c.op, got, want)
			}
		}
	}
}

// Adding f32 in global memory takes subnormal numbers for zero; in shared
// memory it does not.
func TestAtomicSubnormals(t *testing.T) {
	got := try(t, `
	.shared .align 4 .b32 s;
	mov.b32 %f0, 0x00000003;
	red.global.add.f32 [%d0], %f0;
	st.shared.u32 [s], 5;
	red.shared.add.f32 [s], %f0;
	ld.shared.u32 %r1, [s];
	st.global.u32 [%d0+4], %r1;`, 1, nil, 2)
	expect(t, got, func(i int) uint32 { return uint32(8 * i) })
}

// A warp that waits in a loop for a word of another one gets its turn.
func TestWaitingWarp(t *testing.T) {
	got := try(t, `
	setp.ge.u32 %p0, %r0, 32;
	@%p0 bra second;
loop:
	ld.volatile.global.u32 %r1, [%d0+128];
	setp.eq.u32 %p1, %r1, 0;
	@%p1 bra loop;
	st.global.u32 [%d1], 5;
	ret;
second:
	setp.eq.u32 %p2, %r0, 32;
	@%p2 st.volatile.global.u32 [%d0+128], 1;
	@!%p2 st.global.u32 [%d1], 6;`, 64, nil, 64)
	expect(t, got, func(i int) uint32 { return []uint32{5, 6}[i/32] - map[bool]uint32{true: 5}[i == 32] })
}

func TestSpecialRegisters(t *testing.T) {
	grid, block := [3]int{2, 3, 2}, [3]int{5, 4, 3}
	names := []string{"tid.x", "tid.y", "tid.z", "ntid.x", "ntid.y", "ntid.z", "ctaid.x", "ctaid.y", "ctaid.z", "nctaid.x", "nctaid.y", "nctaid.z",
		"laneid", "warpid", "nwarpid", "lanemask_eq", "lanemask_lt", "lanemask_le", "lanemask_gt", "lanemask_ge", "dynamic_smem_size"}
	body := `
	mov.u32 %r1, %ctaid.z;
	mov.u32 %r2, %ctaid.y;
	mad.lo.u32 %r1, %r1, 3, %r2;
	mov.u32 %r2, %ctaid.x;
	mad.lo.u32 %r1, %r1, 2, %r2;
	mov.u32 %r2, %tid.z;
	mad.lo.u32 %r1, %r1, 3, %r2;
	mov.u32 %r2, %tid.y;
	mad.lo.u32 %r1, %r1, 4, %r2;
	cvt.u64.u32 %d5, %tid.x;
	cvt.u32.u64 %r2, %d5;
	mad.lo.u32 %r1, %r1, 5, %r2;
	mad.wide.u32 %d4, %r1, ` + fmt.Sprint(4*len(names)) + `, %d0;`
	for i, name := range names {
		body += fmt.Sprintf("\nmov.u32 %%r2, %%%s;\nst.global.u32 [%%d4+%d], %%r2;", name, 4*i)
	}
	threads := 60
	var m Memory
	p := m.Alloc(4 * len(names) * threads * 12)
	k := loaded(t, small(body), "k")
	if err := k.Run(&m, Launch{Grid: grid, Block: block, Shared: 80}, p, Ptr(0)); err != nil {
		t.Fatal(err)
	}
	got := results[uint32](t, &m, p, len(names)*threads*12)
	for b := range 12 {
		for i := range threads {
			lane := i % 32
			want := []int{i % 5, i / 5 % 4, i / 20, 5, 4, 3, b % 2, b / 2 % 3, b / 6, 2, 3, 2, lane, i / 32, 2,
				1 << lane, 1<<lane - 1, 2<<lane - 1, int(^uint32(2<<lane - 1)), int(^uint32(1<<lane - 1)), 80}
			for j, w := range want {
				if v := got[(b*threads+i)*len(names)+j]; v != uint32(w) {
					t.Fatalf("%s of thread %d in block %d is %#x, want %#x", names[j], i, b, v, w)
				}
			}
		}
	}
	if n := bits.OnesCount32(got[15]); n != 1 {
		t.Error(n)
	}
}
