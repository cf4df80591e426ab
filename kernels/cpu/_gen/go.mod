module phase/kernels/cpu/gen

go 1.26
