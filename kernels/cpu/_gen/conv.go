package main

// conv writes the kernels of the family.
func conv(a *asm) {}
