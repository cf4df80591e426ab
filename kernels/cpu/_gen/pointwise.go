package main

// pointwise writes the kernels of the family.
func pointwise(a *asm) {}
