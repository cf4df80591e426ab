package ptxsim

import (
	"errors"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// What is not known is refused with its line and its text.
func TestLoadErrors(t *testing.T) {
	for _, c := range []struct{ body, want string }{
		{"frob.u32 %r1, %r2;", "unknown opcode frob"},
		{"call.uni foo, (%r1);", "unknown opcode call"},
		{"add.u32 %r1, %r2;", "add.u32 has too few operands"},
		{"add.u32 %r1, %r2, %r3, %r4;", "add.u32 has 1 operands too many"},
		{"add.wide.u32 %r1, %r2, %r3;", "unknown modifier .wide of add"},
		{"add %r1, %r2, %r3;", "add names too few types"},
		{"add.b32 %r1, %r2, %r3;", "add.b32: add has no form for .b32"},
		{"add.u8 %h1, %h2, %h3;", "add.u8: add has no form for .u8"},
		{"add.rz.f64 %g1, %g2, %g3;", "add.rz.f64: add has no form for .f64"},
		{"fma.f32 %f1, %f2, %f3, %f1;", "fma.f32: fma has no form for .f32"},
		{"div.f32 %f1, %f2, %f3;", "div.f32: div has no form for .f32"},
		{"and.u32 %r1, %r2, %r3;", "and.u32: and has no form for .u32"},
		{"shl.u32 %r1, %r2, %r3;", "shl.u32: shl has no form for .u32"},
		{"add.u32 %r1, %r2, %r32;", "%r32 is not declared"},
		{"add.u32 %r1, %r2, %tid.x;", "%tid.x: only mov and cvt read special registers"},
		{"ld.global.u32 %r1, [16];", "an address begins with a register or a symbol"},
		{"ld.global.L2::64B.u32 %r1, [%d0];", ".L2::64B needs .version 7.4"},
		{"cvt.sat.s64.u32 %d4, %r1;", "no conversion from .u32 to .s64 like this is known"},
		{"mov.u32 %r1, counter;", "counter is not declared"},
		{"add.u32 %r1, %r2, %x;", "%x is not declared"},
		{"add.u32 %r1, %r2, %r01;", "%r01 is not declared"},
		{"mov.u32 %r1, %clock;", "%clock is not declared"},
		{"add.u32 %r1, %r2, %d1;", "%d1 is a register of .b64: want .u32"},
		{"add.f32 %f1, %f2, %p1;", "%p1 is a register of .pred: want .f32"},
		{"add.s32 %r1, %r2, %f1;", "%f1 is a register of .f32: want .s32"},
		{"add.u32 7, %r2, %r3;", "a register should stand first"},
		{"add.u32 [%r1], %r2, %r3;", "a register should stand first"},
		{"add.u32 %r1, {%r2, %r3}, %r3;", "a register or a number should stand here"},
		{"add.u32 %r1, %r2, %r3+1;", "%r3 is a register: nothing can be added to it here"},
		{"add.u32 %r1, %r2, !%r3;", "!%r3: only a predicate has a negation"},
		{"add.u32 %r1, %r2, 0x100000000;", "4294967296 does not fit .u32"},
		{"add.u32 %r1, %r2, -2147483649;", "-2147483649 does not fit .u32"},
		{"add.u32 %r1, %r2, 1.5;", "1.5 is no number"},
		{"add.u32 %r1, %r2, 1_000;", "1_000 is no number"},
		{"add.u32 %r1, %r2, 0f3F800000;", "a number of another kind than .u32"},
		{"add.f32 %f1, %f2, 1;", "a number of another kind than .f32"},
		{"add.f32 %f1, %f2, 0f3F80;", "0f3F80 is no number"},
		{"add.u32 %r1, %r2, %r3", `"ret" stands where ';' should`},
		{"add.u32 %r1 %r2, %r3;", `"%r2" stands where ';' should`},
		{"add.u32 %r1, %r2, ;", `";" stands where a number should`},
		{"bra nowhere;", "no label nowhere"},
		{"bra %r1;", "no label %r1"},
		{"bra 7;", "a label should stand here"},
		{"here: here: ret;", "here is declared twice"},
		{".reg .b32 %r<9>;", "%r is declared twice"},
		{".reg .u8 %x;", "registers have no type .u8"},
		{".reg .b32 %x", `"ret" stands where ';' should`},
		{"@%r1 ret;", "%r1 is a register of .b32: want .pred"},
		{"@7 ret;", `"7" stands where a name should`},
		{"}}", `"}" stands where a name should`},
		{"ld.global.u32 %r1, %d0;", "an address in brackets should stand here"},
		{"ld.global.u32 %r1, [%r2];", "%r2 is a register of .b32: no address"},
		{"ld.global.u32 %r1, [%f2];", "%f2 is a register of .f32: no address"},
		{"ld.global.u32 %r1, [p];", "p is in .param memory"},
		{"ld.global.u32 %r1, [nowhere];", "nowhere is not declared"},
		{"ld.global.v2.u32 %r1, [%d0];", "a vector of 2 should stand where registers do"},
		{"ld.global.v2.u32 {%r1, %r2, %r3}, [%d0];", "a vector of 2 should stand where registers do"},
		{"ld.global.v4.u64 {%d4, %d5, %d6, %d7}, [%d0];", "ld has no form for .u64"},
		{"ld.global.u32 {%r1, {%r2}}, [%d0];", `"{" stands where a number should`},
		{"ld.shared.nc.u32 %r1, [%d0];", "ld has no form for .u32"},
		{"ld.global.u32 %h1, [%d0];", "%h1 is a register of .b16: want .u32"},
		{"ld.global.f32 %g1, [%d0];", "%g1 is a register of .f64: want .f32"},
		{"ld.global.pred %p1, [%d0];", "ld has no form for .pred"},
		{"ld.global.lots.u32 %r1, [%d0];", "unknown modifier .lots of ld"},
		{"st.const.u32 [%d0], 1;", "st has no form for .u32"},
		{"st.param.u32 [%d0], 1;", "st has no form for .u32"},
		{"st.global.u8 [%d0], %p1;", "%p1 is a register of .pred: want .u8"},
		{"atom.global.add.s64 %d4, [%d0], %d5;", "atom has no form for .s64"},
		{"atom.global.sub.u32 %r1, [%d0], %r2;", "atom has no form for .u32"},
		{"atom.local.add.u32 %r1, [%d0], %r2;", ".global or .shared memory, or a generic address"},
		{"red.global.exch.b32 [%d0], %r2;", "red has no form for .b32"},
		{"cvt.f32.f64 %f1, %g1;", "no conversion from .f64 to .f32 like this is known"},
		{"cvt.rn.f64.f32 %g1, %f1;", "no conversion from .f32 to .f64 like this is known"},
		{"cvt.s32.f32 %r1, %f1;", "no conversion from .f32 to .s32 like this is known"},
		{"cvt.f32.s32 %f1, %r1;", "no conversion from .s32 to .f32 like this is known"},
		{"cvt.rp.bf16.f32 %h1, %f1;", "no conversion from .f32 to .bf16 like this is known"},
		{"cvt.f32.bf16 %f1, %h1;", "no conversion from .bf16 to .f32 like this is known"},
		{"cvt.rm.f16x2.f32 %r1, %f1, %f2;", "want .rn or .rz"},
		{"setp.lt.b32 %p1, %r1, %r2;", "no comparison like this of .b32 is known"},
		{"setp.lo.s32 %p1, %r1, %r2;", "no comparison like this of .s32 is known"},
		{"setp.ltu.s32 %p1, %r1, %r2;", "no comparison like this of .s32 is known"},
		{"setp.hs.f32 %p1, %f1, %f2;", "no comparison like this of .f32 is known"},
		{"setp.eq.and.u32 %p1|%p2, %r1, %r2, %p2;", "the second predicate is read too"},
		{"mov.b64 %d4, {%r1, %r2, %r3};", "3 parts do not make .b64"},
		{"mov.u64 %d4, {%r1, %r2};", "2 parts do not make .u64"},
		{"mov.f32 %f1, p;", "the address of p is no .f32"},
		{"mov.u16 %h1, p;", "the address of p is no .u16"},
		{"cvta.param.u64 %d4, %d5;", "want .u64 and .global, .shared, .local or .const"},
		{"cvta.to.global.u32 %r1, %r2;", "want .u64 and .global"},
		{"lop3.b32 %r1, %r2, %r3, %r4, 256;", "the table is a number from 0 to 255"},
		{"shf.l.b32 %r1, %r2, %r3, %r4;", "want .wrap or .clamp"},
		{"shfl.bfly.b32 %r1, %r2, 1, 31;", "only .sync is known"},
		{"shfl.sync.b32 %r1, %r2, 1, 31, -1;", "shfl has no form for .b32"},
		{"vote.any.pred %p1, %p2;", "only .sync is known"},
		{"vote.sync.ballot.pred %p1, %p2, -1;", "vote has no form for .pred"},
		{"bar.arrive 1, 64;", "unknown opcode bar.arrive"},
		{"bar.warp 1;", "unknown opcode bar.warp"},
		{"bar.red.popc.pred %p1, 0, %p2;", "want .popc.u32, .and.pred or .or.pred"},
		{"membar;", "no scope"},
		{"mma.sync.aligned.m16n8k8.row.col.f16.f16.f16.f16 {%r1, %r2}, {%r1, %r2}, {%r1}, {%r1, %r2};", "no form like this is known"},
		{"mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%f1, %f2}, {%r1, %r2}, {%r1}, {%f1, %f2, %f3, %f4};", "a vector of 4 registers should stand here"},
		{"ldmatrix.sync.aligned.m8n8.x3.shared.b16 {%r1, %r2}, [%r3];", "want .sync.aligned.m8n8, .x1, .x2 or .x4, .shared and .b16"},
		{"cp.async.cg.shared.global [%r1], [%d0], 8;", "copies 16 bytes, or with .ca 4 or 8"},
		{"cp.async.shared.global [%r1], [%d0], 8;", "want .ca or .cg, .shared and .global"},
		{"cp.async.wait_group %r1;", "want a number of groups"},
		{"cp.async.bulk.commit_group;", "unknown modifier .bulk of cp"},
		{"cp.reduce;", "unknown opcode cp.reduce"},
		{".shared .b8 s[50000];", "shared memory that is declared takes more than 49152 bytes"},
		{".local .b8 s[600000];", "local memory takes more than 524288 bytes"},
		{".shared .b8 s[1000000000];", "1000000000 is no whole number from 0 to 67108864"},
		{".shared .b32 s[60000000];", "s is larger than 67108864 bytes"},
		{".shared .b8 s[];", "s has no size: only .extern .shared may have none"},
		{".shared .align 3 .b8 s[8];", "alignment 3 is no power of two"},
		{".const .b8 s[8];", `".const" begins no statement`},
		{"#", `character '#' has no place in PTX`},
		{`.pragma "nounroll`, "a string without its closing quote"},
		{"/* no end", "a comment without its end"},
	} {
		_, err := Load(small(c.body))
		var wrong *syntaxError
		if !errors.As(err, &wrong) || !strings.Contains(wrong.msg, c.want) {
			t.Errorf("%s: %v, want: %s", c.body, err, c.want)
		} else if wrong.line != 17 && wrong.line != 18 || wrong.line == 17 && !strings.Contains(err.Error(), strconv.Quote(wrong.text)) {
			t.Errorf("%s: %v", c.body, err)
		}
	}
	for _, c := range []struct{ ptx, want string }{
		{"", `ptxsim: line 1 "": no .target`},
		{".target sm_70", `ptxsim: line 1 ".target sm_70": no .version`},
		{".version 7\n", `ptxsim: line 1 ".version 7": version 7: want 6.0 or later`},
		{".version 7.0\n.target sm_x\n", `ptxsim: line 2 ".target sm_x": target sm_x: want sm_ and a number`},
		{".version 7.0 .target sm_70, texmode_unified\n", `ptxsim: line 1 ".version 7.0 .target sm_70, texmode_unified": unknown target option texmode_unified`},
		{".version 7.0 .target sm_70\n.address_size 32\n", `ptxsim: line 2 ".address_size 32": want .address_size 64`},
		{".version 7.0 .target sm_70\n.func f() { ret; }\n", `ptxsim: line 2 ".func f() { ret; }": device functions are not run: inline them`},
		{".version 7.0 .target sm_70\n.extern .func vprintf;\n", `ptxsim: line 2 ".extern .func vprintf;": device functions are not run: inline them`},
		{".version 7.0 .target sm_70\n.tex .u64 t;\n", `ptxsim: line 2 ".tex .u64 t;": unknown directive .tex`},
		{".version 7.0 .target sm_70\n.extern .global .u32 x;\n", `ptxsim: line 2 ".extern .global .u32 x;": x is defined elsewhere: only .extern .shared is known`},
		{".version 7.0 .target sm_70\n.global .u32 x;\n.global .u32 x;\n", `ptxsim: line 3 ".global .u32 x;": x is declared twice`},
		{".version 7.0 .target sm_70\n.global .u32 x[2] = {1, 2, 3};\n", `ptxsim: line 2 ".global .u32 x[2] = {1, 2, 3};": more values than the variable has elements`},
		{".version 7.0 .target sm_70\n.global .u32 x = y;\n", `ptxsim: line 2 ".global .u32 x = y;": "y" stands where a number should`},
		{".version 7.0 .target sm_70\n.entry k() { ret; }\n.entry k() { ret; }\n", `ptxsim: line 3 ".entry k() { ret; }": kernel k is defined twice`},
		{".version 7.0 .target sm_70\n.entry k(.param .u32 a, .param .u32 a) { ret; }\n", `ptxsim: line 2 ".entry k(.param .u32 a, .param .u32 a) { ret; }": parameter a is declared twice`},
		{".version 7.0 .target sm_70\n.entry k(.param .b8 a[4000], .param .b8 b[4000]) { ret; }\n", `ptxsim: line 2 ".entry k(.param .b8 a[4000], .param .b8 b[4000]) { ret; }": parameters take more than 4352 bytes`},
		{".version 7.0 .target sm_70\n.entry k()\n.maxthreads 5\n{ ret; }\n", `ptxsim: line 3 ".maxthreads 5": unknown directive .maxthreads`},
		{".version 7.0 .target sm_70\n.entry k() { ret;\n", `ptxsim: line 3 "": kernel k has no end`},
		{".version 7.0 .target sm_70\n.entry k() { .reg .b32 %r<2>; .reg .f32 %f; cvt.rna.tf32.f32 %r1, %f; }\n",
			`ptxsim: line 2 ".entry k() { .reg .b32 %r<2>; .reg .f32 %f; cvt.rna.tf32.f32 %r1, %f; }": cvt.rna.tf32.f32 needs sm_80, and the target is sm_70`},
		{".version 7.0 .target sm_75\n.entry k() { cp.async.wait_all; }\n", `ptxsim: line 2 ".entry k() { cp.async.wait_all; }": cp.async.wait_all needs sm_80, and the target is sm_75`},
	} {
		if _, err := Load(c.ptx); err == nil || err.Error() != c.want {
			t.Errorf("%v, want: %s", err, c.want)
		}
	}
}

// Names live in the braces that they are declared in, and hide those outside.
func TestScopes(t *testing.T) {
	got := try(t, `
	mov.u32 %r1, 1;
	{
		.reg .b32 %r<4>, %single;
		mov.u32 %r1, 20;
		mov.u32 %single, 300;
		{ .reg .b32 %r1; mov.u32 %r1, 4000; add.u32 %single, %single, %r1; }
		add.u32 %r1, %r1, %single;
		mov.u32 %r3, %tid.x;
		add.u32 %r3, %r1, %r3;
		bra out;
	out:
		st.global.u32 [%d1], %r3;
	}
	{
		bra out;
		trap;
	out:
		ld.global.u32 %r2, [%d1];
	}
	add.u32 %r2, %r2, %r1;
	.loc 1 2 3
	/* a comment
	of two lines */ st.global.u32 [%d1], %r2; // and one to the end
	.pragma "nounroll";`, 2, nil, 2)
	expect(t, got, func(i int) uint32 { return uint32(4321 + i) })
}

func TestModule(t *testing.T) {
	m, err := Load(basic)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"gemm", "histogram", "reverse", "saxpy", "smooth", "softmax", "sum", "total"}; !slices.Equal(m.Kernels(), want) || m.Target != 70 {
		t.Errorf("%v for sm_%d", m.Kernels(), m.Target)
	}
	if m.Kernel("nothing") != nil {
		t.Error("a kernel that is not there")
	}
	k := m.Kernel("gemm")
	if k.Name != "gemm" || k.Shared != 1088+1024 || len(k.Params) != 6 || k.Executed() != 0 {
		t.Errorf("%+v", k)
	}
	if p := k.Params[1]; p.Name != "gemm_param_1" || p.Type != ".u64" || p.Size != 8 || p.Align != 8 {
		t.Errorf("%+v", p)
	}
	if p := m.Kernel("smooth").Params[0]; p.Type != ".b8" || p.Size != 40 || p.Align != 8 {
		t.Errorf("%+v", p)
	}
}

// Lines counts the lanes that executed each line, over all launches.
func TestLines(t *testing.T) {
	k := loaded(t, small("setp.lt.u32 %p0, %r0, 5;\n@%p0 add.u32 %r1, %r0, 1;\n@%p0 bra over;\nst.global.u32 [%d1], 1;\nover:\n@!%p0 exit;"), "k")
	var m Memory
	p := given(t, &m, make([]uint32, 40))
	for range 2 {
		if err := k.Run(&m, Launch{Block: [3]int{40}}, p, p); err != nil {
			t.Fatal(err)
		}
	}
	var got []Line
	for _, l := range k.Lines() {
		if l.Number >= 17 {
			got = append(got, l)
		}
	}
	want := []Line{{17, "setp.lt.u32 %p0, %r0, 5;", 80}, {18, "@%p0 add.u32 %r1, %r0, 1;", 10}, {19, "@%p0 bra over;", 80}, {20, "st.global.u32 [%d1], 1;", 70}, {22, "@!%p0 exit;", 70}, {23, "ret;", 10}}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if n := k.Executed(); n != 80*5+80+10+80+70+70+10 {
		t.Errorf("%d executed", n)
	}
}

// Every opcode stands in a test of what it does.
func TestEveryOpcodeIsTested(t *testing.T) {
	text := basic + ampere
	for _, list := range [][]instruction{integers(), bitOps(), floats32(), floats64(), comparisons(), conversions(), moves()} {
		for _, ins := range list {
			text += ins.text + "\n"
		}
	}
	for _, file := range []string{"warp_test.go", "access_test.go", "checks_test.go", "tensor_test.go", "float_test.go"} {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		text += string(b)
	}
	for _, name := range slices.Sorted(maps.Keys(opcodes)) {
		if name == "ret" || name == "exit" || name == "trap" {
			continue // without modifiers
		}
		if !strings.Contains(text, name+".") {
			t.Errorf("%s stands in no test", name)
		}
	}
}

// Whatever the text, Load ends with a module or an error, and what it has loaded
// runs to an end or a fault.
func FuzzLoad(f *testing.F) {
	f.Add(basic[:strings.Index(basic, "// .globl	gemm")])
	f.Add(ampere)
	f.Add(small("st.global.u32 [%d1], 1;"))
	f.Add(".version 7.0\n.target sm_80\n.entry k() { .shared .b8 s[9]; .reg .b32 %r<3>; { .reg .pred %p; x: setp.lt.u32 %p, %r1, 7; @%p bra x; } bar.sync 0; ld.shared.u8 %r2, [s+8]; ret; }")
	f.Add(".version 7.0\n.target sm_70\n.const .u32 t[2] = {1, {2}};\n.extern .shared .align 16 .b8 d[];\n.visible .entry k(.param .u64 .ptr .global .align 4 p, .param .b8 q[3])\n.maxntid 4, 1\n{\n.reg .b64 %rd;\nld.param.u64 %rd, [p+0]; /* c */ exit; }")
	f.Fuzz(func(t *testing.T, ptx string) {
		m, err := Load(ptx)
		if err != nil {
			return
		}
		for _, name := range m.Kernels() {
			k := m.Kernel(name)
			var mem Memory
			args := make([]any, len(k.Params))
			for i, p := range k.Params {
				args[i] = make([]byte, p.Size)
			}
			var fault *Fault
			if err := k.Run(&mem, Launch{Block: k.Block, Limit: 1000}, args...); err != nil && !errors.As(err, &fault) && k.Block == [3]int{} {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}
