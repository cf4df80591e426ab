package ptxsim

import (
	"slices"
	"strings"
	"testing"
)

// Loads of each width extend to the register as their type says; vectors are
// neighbours; a store takes the register's lower bits.
func TestLoadsAndStores(t *testing.T) {
	q := []uint32{0x84838281, 0x88878685, 0x8c8b8a89, 0x908f8e8d}
	for _, c := range []struct {
		body string
		want []uint32
	}{
		{"ld.global.u8 %r1, [%d2+1]; st.global.u32 [%d0], %r1;", []uint32{0x82}},
		{"ld.global.s8 %r1, [%d2+1]; st.global.u32 [%d0], %r1;", []uint32{0xffffff82}},
		{"ld.global.s8 %h1, [%d2]; st.global.u16 [%d0], %h1;", []uint32{0xff81}},
		{"ld.global.u16 %r1, [%d2+2]; st.global.u32 [%d0], %r1;", []uint32{0x8483}},
		{"ld.global.s16 %d4, [%d2+2]; st.global.u64 [%d0], %d4;", []uint32{0xffff8483, 0xffffffff}},
		{"ld.global.s32 %d4, [%d2]; st.global.b64 [%d0], %d4;", []uint32{0x84838281, 0xffffffff}},
		{"ld.global.b32 %d4, [%d2]; st.global.b64 [%d0], %d4;", []uint32{0x84838281, 0}},
		{"ld.global.u64 %d4, [%d2+8]; st.global.b64 [%d0], %d4;", []uint32{0x8c8b8a89, 0x908f8e8d}},
		{"ld.global.f32 %f1, [%d2]; st.global.f32 [%d0+4], %f1;", []uint32{0, 0x84838281}},
		{"ld.global.f64 %g1, [%d2]; st.global.f64 [%d0], %g1;", []uint32{0x84838281, 0x88878685}},
		{"ld.global.nc.u32 %r1, [%d2+12]; st.global.u32 [%d0], %r1;", []uint32{0x908f8e8d}},
		{"ld.global.nc.L1::no_allocate.L2::128B.v2.u32 {%r1, %r2}, [%d2+8]; st.global.cs.v2.u32 [%d0], {%r2, %r1};", []uint32{0x908f8e8d, 0x8c8b8a89}},
		{"ld.global.v4.f32 {%f1, %f2, %f3, %f4}, [%d2]; st.global.v4.f32 [%d0], {%f4, %f3, 0f00000007, %f1};", []uint32{0x908f8e8d, 0x8c8b8a89, 7, 0x84838281}},
		{"ld.global.v4.u8 {%h0, %h1, %h2, %h3}, [%d2+4]; st.global.v2.u16 [%d0], {%h1, %h3};", []uint32{0x00880086}},
		{"ld.global.v2.f64 {%g0, %g1}, [%d2]; st.global.wt.v2.f64 [%d0], {%g1, %g0};", []uint32{0x8c8b8a89, 0x908f8e8d, 0x84838281, 0x88878685}},
		{"ld.global.ca.u32 %r1, [%d2]; st.global.u8 [%d0+2], %r1; st.global.u16 [%d0], %r1;", []uint32{0x00818281}},
		{"ld.u32 %r1, [%d2]; st.u32 [%d0], %r1;", []uint32{0x84838281}},
		{"ld.relaxed.gpu.global.u32 %r1, [%d2]; st.release.sys.global.u32 [%d0], %r1;", []uint32{0x84838281}},
		{"ld.weak.global.u32 %r1, [%d2]; st.weak.global.u32 [%d0], -1;", []uint32{0xffffffff}},
		{"ld.param.u32 %r1, [p+4]; mov.b64 %d4, q; ld.param.u32 %r2, [%d4+4]; sub.u32 %r1, %r1, %r2; st.global.u32 [%d0], %r1;", []uint32{0}},
		{"ld.param.v2.u32 {%r1, %r2}, [p]; mov.b64 %d4, {%r1, %r2}; st.global.u32 [%d4], 9;", []uint32{9}},

		// memory of the thread's own, by its own and by generic addresses
		{`.local .align 8 .b8 depot[24];
	mov.u64 %d4, depot;
	cvta.local.u64 %d5, %d4;
	st.local.u32 [%d4+4], %r0;
	st.u32 [%d5+8], 77;
	add.s64 %d6, %d5, 8;
	cvta.to.local.u64 %d7, %d6;
	ld.local.u32 %r1, [%d7];
	ld.u32 %r2, [%d5+4];
	ld.local.u32 %r3, [depot+4];
	add.u32 %r1, %r1, %r2;
	add.u32 %r1, %r1, %r3;
	st.global.u32 [%d0], %r1;`, []uint32{77}},

		// shared memory likewise, two variables, one at the module's level
		{`.shared .align 8 .b8 own[8];
	st.shared.v2.u32 [own], {3, 4};
	mov.u32 %r1, own;
	mov.u64 %d4, common;
	cvta.shared.u64 %d5, %d4;
	st.u32 [%d5+4], 50;
	ld.shared.u32 %r2, [common+4];
	ld.shared.u32 %r3, [%r1+4];
	cvta.to.shared.u64 %d6, %d5;
	ld.shared.u32 %r4, [%d6+4];
	ld.shared.u32 %r5, [own+0];
	add.u32 %r2, %r2, %r3;
	add.u32 %r2, %r2, %r4;
	add.u32 %r2, %r2, %r5;
	st.global.u32 [%d0], %r2;`, []uint32{107}},

		// variables of the module
		{`ld.const.u32 %r1, [table+4];
	mov.u64 %d4, table;
	ld.const.s16 %r2, [%d4+8];
	cvta.const.u64 %d5, %d4;
	ld.u8 %r3, [%d5];
	ld.global.u32 %r4, [counter];
	mov.u64 %d6, counter+4;
	ld.global.f32 %f1, [%d6];
	st.global.u32 [%d0], %r1;
	st.global.u32 [%d0+4], %r2;
	st.global.u32 [%d0+8], %r3;
	st.global.f32 [%d0+12], %f1;
	add.u32 %r4, %r4, 1;
	st.global.u32 [counter], %r4;
	st.global.u32 [%d0+16], %r4;
	ld.global.u64 %d7, [zeros+24];
	st.global.u64 [%d0+24], %d7;`, []uint32{2, 0xfffffffd, 1, 0x3f800000, 6, 0, 0, 0}},
	} {
		ptx := strings.Replace(strings.Replace(small(c.body), ".version 7.0", ".version 7.4", 1), ".visible", `.shared .align 4 .b8 common[8];
.const .align 4 .u32 table[3] = {1, 0x2, -3};
.visible .global .align 4 .b32 counter[2] = {5, 0f3F800000};
.global .align 8 .b8 zeros[4][8];
.visible`, 1)
		var m Memory
		p := given(t, &m, make([]uint32, len(c.want)))
		if err := loaded(t, ptx, "k").Run(&m, Launch{}, p, given(t, &m, q)); err != nil {
			t.Errorf("%s: %v", c.body, err)
			continue
		}
		if got := results[uint32](t, &m, p, len(c.want)); !slices.Equal(got, c.want) {
			t.Errorf("%s: %#x, want %#x", c.body, got, c.want)
		}
	}
}

// Dynamic shared memory begins behind the static, aligned as it is declared.
func TestDynamicSharedMemory(t *testing.T) {
	ptx := strings.Replace(small(`
	.shared .align 4 .b8 own[12];
	mov.u64 %d4, dynamic;
	and.b64 %d5, %d4, 31;
	cvt.u32.u64 %r1, %d5;
	st.shared.u32 [dynamic+96], 5;
	ld.shared.u32 %r2, [%d4+96];
	add.u32 %r1, %r1, %r2;
	st.global.u32 [%d0], %r1;`), ".visible", ".extern .shared .align 32 .b8 dynamic[];\n.visible", 1)
	k := loaded(t, ptx, "k")
	var m Memory
	p := given(t, &m, []uint32{0})
	if err := k.Run(&m, Launch{Shared: 100}, p, p); err != nil {
		t.Fatal(err)
	}
	if got := results[uint32](t, &m, p, 1)[0]; got != 5 {
		t.Errorf("%d, want 5", got)
	}
	if k.Shared != 12 {
		t.Errorf("%d bytes of static shared memory, want 12", k.Shared)
	}
	err := k.Run(&m, Launch{Shared: 96}, p, p)
	faults(t, err, Bounds, "byte 96 of dynamic shared memory (96 bytes)")
}

// The parameters of a kernel, and what may be given for them.
func TestParameters(t *testing.T) {
	ptx := `.version 7.0
.target sm_70
.address_size 64
.visible .entry k(.param .u64 .ptr .global .align 8 out, .param .u32 a, .param .f32 b, .param .f64 c, .param .align 8 .b8 d[12], .param .u8 e, .param .s64 f)
.maxntid 64, 2, 1
.minnctapersm 2
{
	.reg .b64 %d<4>;
	.reg .b32 %r<8>;
	ld.param.u64 %d0, [out];
	ld.param.u32 %r0, [a];
	ld.param.b32 %r1, [b];
	ld.param.u64 %d1, [c];
	ld.param.u32 %r2, [d+8];
	ld.param.u8 %r3, [e];
	ld.param.u64 %d2, [f];
	st.global.v2.u32 [%d0], {%r0, %r1};
	st.global.u64 [%d0+8], %d1;
	st.global.v2.u32 [%d0+16], {%r2, %r3};
	st.global.u64 [%d0+24], %d2;
	ret;
}
`
	k := loaded(t, ptx, "k")
	var m Memory
	p := given(t, &m, make([]uint32, 8))
	d := []byte{0, 0, 0, 0, 0, 0, 0, 0, 4, 3, 2, 1}
	for _, args := range [][]any{
		{p, int32(-2), float32(1), 1.0, d, []byte{7}, int64(-1)},
		{uint64(p), uint32(0xfffffffe), float32(1), float64(1), d, 7, -1},
		{p, -2, []byte{0, 0, 0x80, 0x3f}, 1.0, d, 7, uint64(1<<64 - 1)},
	} {
		if err := k.Run(&m, Launch{}, args...); err != nil {
			t.Fatal(err)
		}
		want := []uint32{0xfffffffe, 0x3f800000, 0, 0x3ff00000, 0x01020304, 7, 0xffffffff, 0xffffffff}
		if got := results[uint32](t, &m, p, 8); !slices.Equal(got, want) {
			t.Errorf("%v: %#x, want %#x", args, got, want)
		}
	}
	good := []any{p, int32(1), float32(1), 1.0, d, 7, int64(1)}
	for _, c := range []struct {
		at   int
		x    any
		want string
	}{
		{0, int32(5), "argument 0 is int32(5): parameter out is .u64 of 8 bytes"},
		{1, int64(5), "argument 1 is int64(5): parameter a is .u32 of 4 bytes"},
		{1, float32(5), "argument 1 is float32(5): parameter a is .u32 of 4 bytes"},
		{2, 5, "argument 2 is int(5): parameter b is .f32 of 4 bytes"},
		{2, 1.5, "argument 2 is float64(1.5): parameter b is .f32 of 4 bytes"},
		{3, float32(1), "argument 3 is float32(1): parameter c is .f64 of 8 bytes"},
		{4, d[:8], "argument 4 is []uint8([0 0 0 0 0 0 0 0]): parameter d is .b8 of 12 bytes"},
		{5, 256, "argument 5 is int(256): parameter e is .u8 of 1 bytes"},
		{6, nil, "argument 6 is <nil>(<nil>): parameter f is .s64 of 8 bytes"},
	} {
		args := slices.Clone(good)
		args[c.at] = c.x
		if err := k.Run(&m, Launch{}, args...); err == nil || !strings.HasSuffix(err.Error(), c.want) {
			t.Errorf("%v, want %s", err, c.want)
		}
	}
	if err := k.Run(&m, Launch{}, p); err == nil || err.Error() != "ptxsim: kernel k: 1 arguments for 7 parameters" {
		t.Error(err)
	}
	for _, c := range []struct {
		l    Launch
		want string
	}{
		{Launch{Block: [3]int{65, 2}}, "block [65 2 1] has 130 threads: at most 128"},
		{Launch{Block: [3]int{1, 1, 65}}, "block [1 1 65]: extent 2 is from 1 to 64"},
		{Launch{Block: [3]int{-1}}, "block [-1 1 1]: extent 0 is from 1 to 1024"},
		{Launch{Grid: [3]int{1, 65536}}, "grid [1 65536 1]: extent 1 is from 1 to 65535"},
		{Launch{Grid: [3]int{65536, 65535}}, "grid [65536 65535 1] has 4294901760 blocks: at most 2147483647"},
		{Launch{Shared: 48<<10 + 1}, "0 bytes of static and 49153 of dynamic shared memory: at most 49152"},
		{Launch{Shared: -1}, "0 bytes of static and -1 of dynamic shared memory: at most 49152"},
		{Launch{Skip: Bounds}, "skip bounds: only race and uninitialized can be left out"},
	} {
		if err := k.Run(&m, c.l, good...); err == nil || err.Error() != "ptxsim: kernel k: "+c.want {
			t.Errorf("%v, want %s", err, c.want)
		}
	}
	if err := k.Run(&m, Launch{Shared: 96 << 10, MaxShared: 96 << 10}, good...); err != nil {
		t.Error(err)
	}
	exact := loaded(t, strings.Replace(ptx, ".maxntid", ".reqntid", 1), "k")
	if err := exact.Run(&m, Launch{}, good...); err == nil || err.Error() != "ptxsim: kernel k: block [1 1 1]: the kernel requires [64 2 1]" {
		t.Error(err)
	}
}

func TestMemory(t *testing.T) {
	var m Memory
	p := m.Alloc(8)
	q := m.Alloc(0)
	if p%256 != 0 || q <= p+8 {
		t.Errorf("allocations at %#x and %#x", p, q)
	}
	if err := Write(&m, p, []float32{1, 2}); err != nil {
		t.Fatal(err)
	}
	if got := results[uint16](t, &m, p+2, 2); !slices.Equal(got, []uint16{0x3f80, 0}) {
		t.Errorf("%#x", got)
	}
	if b, err := m.Bytes(p+4, 4); err != nil || !slices.Equal(b, []byte{0, 0, 0, 0x40}) {
		t.Error(b, err)
	}
	r := m.Alloc(6)
	if err := Write(&m, r, []int8{-1, 2}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		err  error
		want string
	}{
		{Write(&m, p+4, []float64{1}), "write: ptxsim: 8 bytes at 0x200000004, which is byte 4 of allocation 1 (8 bytes)"},
		{Read(&m, 0, []int32{1}), "read: ptxsim: 4 bytes at 0x0, a null pointer's"},
		{Read(&m, r, make([]uint8, 6)), "ptxsim: read: byte 2 of allocation 3 (6 bytes) has never been written"},
		{m.Free(p + 4), "ptxsim: free of 0x200000004, which is the start of no allocation"},
		{m.Free(p), ""},
		{m.Free(p), "ptxsim: free of allocation 1 (8 bytes), which has been freed"},
		{Write(&m, p, []int64{1}), "write: ptxsim: 8 bytes at 0x200000000, 0 bytes into allocation 1 (8 bytes), which has been freed"},
	} {
		got := ""
		if c.err != nil {
			got = c.err.Error()
		}
		if got != c.want {
			t.Errorf("%s, want %s", got, c.want)
		}
	}
}
