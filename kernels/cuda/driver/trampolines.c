//go:build cuda && linux && amd64

/* Each symbol of the driver is a jump through a pointer, which points at a function
 * that says "no device" until the driver has been found. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

enum { no_device = 100, not_supported = 801 };

char phase_cuda_problem[512] = "the program has not looked for it yet";
const char *phase_cuda_library = "libcuda.so.1";
int phase_cuda_found, phase_cuda_init = no_device;

static int missing(void) { return phase_cuda_found ? not_supported : no_device; }

#define S(name)                                                                                             \
	void *phase_cuda_##name = (void *)missing;                                                              \
	__asm__(".pushsection .text\n.globl " #name "\n.type " #name ", @function\n" #name ":\n\tjmp *phase_cuda_" #name "(%rip)\n.size " #name ", . - " #name "\n.popsection\n");
#include "symbols.h"
#undef S

#ifndef SIMULATED
static const struct {
	const char *name;
	void **to;
} symbols[] = {
#define S(name) {#name, &phase_cuda_##name},
#include "symbols.h"
#undef S
};
#endif

/* Package cu calls it before main, and ends the program if it fails. So it never
 * does: what the driver's own said is kept. */
int cuInit(unsigned flags) {
#ifndef SIMULATED
	const char *named = getenv("PHASE_CUDA_LIB");
	if (named && *named) phase_cuda_library = named;
	void *driver = dlopen(phase_cuda_library, RTLD_NOW | RTLD_GLOBAL);
	if (!driver) {
		snprintf(phase_cuda_problem, sizeof phase_cuda_problem, "%s", dlerror());
		return 0;
	}
	int (*init)(unsigned) = (int (*)(unsigned))dlsym(driver, "cuInit");
	if (!init) {
		snprintf(phase_cuda_problem, sizeof phase_cuda_problem, "%s has no cuInit", phase_cuda_library);
		return 0;
	}
	phase_cuda_found = 1;
	for (unsigned i = 0; i < sizeof symbols / sizeof *symbols; i++) {
		void *symbol = dlsym(driver, symbols[i].name);
		if (symbol) *symbols[i].to = symbol;
	}
	phase_cuda_init = init(flags);
#else
	(void)flags;
#endif
	return 0;
}
