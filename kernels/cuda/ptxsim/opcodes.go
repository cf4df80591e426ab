package ptxsim

import "math"

// opcodes is every opcode that is known, by its first word, with what turns it
// into code.
var opcodes = map[string]func(a *assembler, in *inst){
	// arithmetic, of integers and of floating point
	"add":      arithmetic(2, addInt, addFloat),
	"sub":      arithmetic(2, subInt, subFloat),
	"mul":      product(2, mulFloat),
	"mad":      product(3, fmaFloat),
	"fma":      arithmetic(3, nil, fmaFloat),
	"div":      arithmetic(2, divInt, divFloat),
	"rem":      arithmetic(2, remInt, nil),
	"abs":      arithmetic(1, absInt, absFloat),
	"neg":      arithmetic(1, negInt, negFloat),
	"min":      arithmetic(2, minInt, minFloat),
	"max":      arithmetic(2, maxInt, maxFloat),
	"rcp":      arithmetic(1, nil, rcpFloat),
	"sqrt":     arithmetic(1, nil, sqrtFloat),
	"rsqrt":    arithmetic(1, nil, rsqrtFloat),
	"ex2":      arithmetic(1, nil, approximate(math.Exp2)),
	"lg2":      arithmetic(1, nil, approximate(math.Log2)),
	"sin":      arithmetic(1, nil, approximate(math.Sin)),
	"cos":      arithmetic(1, nil, approximate(math.Cos)),
	"tanh":     tanh,
	"copysign": arithmetic(2, nil, copysignFloat),

	// bits
	"and":  logic(2, func(a, b, _ uint64) uint64 { return a & b }),
	"or":   logic(2, func(a, b, _ uint64) uint64 { return a | b }),
	"xor":  logic(2, func(a, b, _ uint64) uint64 { return a ^ b }),
	"not":  not,
	"shl":  shift,
	"shr":  shift,
	"shf":  funnel,
	"popc": counting(popc),
	"clz":  counting(clz),
	"brev": brev,
	"bfe":  extract,
	"bfi":  insert,
	"prmt": permute,
	"lop3": lop3,

	// comparing, choosing, moving, converting
	"setp": setp,
	"selp": selp,
	"mov":  mov,
	"cvt":  cvt,
	"cvta": cvta,

	// memory
	"ld":       ld,
	"st":       st,
	"atom":     atom,
	"red":      atom,
	"cp":       cpAsync,
	"membar":   fence,
	"fence":    fence,
	"ldmatrix": ldmatrix,

	// control
	"bra":     bra,
	"ret":     exit,
	"exit":    exit,
	"trap":    trap,
	"bar":     bar,
	"barrier": bar,

	// lanes of a warp with one another
	"shfl":       shfl,
	"vote":       vote,
	"activemask": activemask,
	"redux":      redux,
	"mma":        mma,
}
