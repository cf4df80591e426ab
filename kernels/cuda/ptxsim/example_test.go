package ptxsim_test

import (
	"fmt"

	"phase/kernels/cuda/ptxsim"
)

// Double is a kernel whose last thread goes too far.
const double = `
.version 7.0
.target sm_70
.address_size 64

.visible .entry double(.param .u64 x, .param .u32 n)
{
	.reg .pred %p;
	.reg .b32 %r<2>;
	.reg .b64 %a;
	.reg .f32 %f;
	mov.u32 %r0, %tid.x;
	ld.param.u32 %r1, [n];
	setp.gt.u32 %p, %r0, %r1;
	@%p ret;
	ld.param.u64 %a, [x];
	mad.wide.u32 %a, %r0, 4, %a;
	ld.global.f32 %f, [%a];
	add.f32 %f, %f, %f;
	st.global.f32 [%a], %f;
	ret;
}
`

func Example() {
	module, err := ptxsim.Load(double)
	if err != nil {
		panic(err)
	}
	kernel := module.Kernel("double")
	var m ptxsim.Memory
	x := m.Alloc(3 * 4)
	if err := ptxsim.Write(&m, x, []float32{1, 2, 3}); err != nil {
		panic(err)
	}
	launch := ptxsim.Launch{Block: [3]int{32}}
	fmt.Println(kernel.Run(&m, launch, x, 2))
	y := make([]float32, 3)
	fmt.Println(ptxsim.Read(&m, x, y), y)
	fmt.Println(kernel.Run(&m, launch, x, 3))
	// Output:
	// <nil>
	// <nil> [2 4 6]
	// ptxsim: kernel double, line 18 "ld.global.f32 %f, [%a];", block (0,0,0), thread (3,0,0): bounds: reads 4 bytes at 0x20000000c, which is byte 12 of allocation 1 (12 bytes)
}
