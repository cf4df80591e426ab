package ptxsim

// A flow is what an instruction that begins at op pc reads and surely writes.
type flow struct {
	pc         int
	uses, sets []int32
}

// A stretch is a run of instructions without a branch into or out of it.
type stretch struct {
	exposed []int32        // registers it reads before it writes them
	sets    map[int32]bool // registers it writes
	from    []int32        // the stretches that it may follow
}

// liveAtEntry finds the registers that some path reads before anything has
// written them. What a GPU has there is anybody's guess: a run fills them with
// ones before each block, so that a kernel that reads one goes wrong, and the
// same way every time.
func (a *assembler) liveAtEntry() []register {
	stretches := a.stretches()
	var entry []register
	seen := make([]int32, len(stretches)) // the register, plus one, on whose account it was last visited
	where := map[int32][]int32{}          // stretches that expose a register
	for i, s := range stretches {
		for _, r := range s.exposed {
			where[r] = append(where[r], int32(i))
		}
	}
	for _, named := range a.named {
		r := named.index
		for stack := where[r]; len(stack) > 0; {
			i := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			if seen[i] == r+1 {
				continue
			}
			if seen[i] = r + 1; i == 0 {
				entry = append(entry, named)
				break
			}
			for _, p := range stretches[i].from {
				if !stretches[p].sets[r] {
					stack = append(stack, p)
				}
			}
		}
	}
	return entry
}

// stretches cuts the code at labels and branches.
func (a *assembler) stretches() []stretch {
	code := a.k.code
	starts := make([]bool, len(code)+1)
	starts[0] = true
	for pc, o := range code {
		if o.kind == kindBranch {
			starts[o.target], starts[pc+1] = true, true
		} else if o.kind == kindExit {
			starts[pc+1] = true
		}
	}
	number := make([]int32, len(code)) // of the stretch at a pc
	n := int32(-1)
	for pc := range code {
		if starts[pc] {
			n++
		}
		number[pc] = n
	}
	all := make([]stretch, n+1)
	for i := range all {
		all[i].sets = map[int32]bool{}
	}
	for _, f := range a.flow {
		s := &all[number[f.pc]]
		for _, r := range f.uses {
			if !s.sets[r] {
				s.exposed = append(s.exposed, r)
			}
		}
		for _, r := range f.sets {
			s.sets[r] = true
		}
	}
	for pc, o := range code {
		from := number[pc]
		if o.kind == kindBranch {
			all[number[o.target]].from = append(all[number[o.target]].from, from)
		}
		if always := o.guard < 0 && (o.kind == kindBranch || o.kind == kindExit); !always && pc+1 < len(code) && starts[pc+1] {
			all[number[pc+1]].from = append(all[number[pc+1]].from, from)
		}
	}
	return all
}
