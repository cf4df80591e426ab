package main

// gemm writes the kernels of the family.
func gemm(a *asm) {}
