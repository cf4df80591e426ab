//go:build cuda && cudasim && linux && amd64

#include "_cgo_export.h"

extern int phase_cuda_found, phase_cuda_init;

/* The context that is current on this thread: 0 or 1. */
static __thread int current;
int sim_current(void) { return current; }
void sim_set_current(int c) { current = c; }

#define BEHIND(name, function)          \
	extern void *phase_cuda_##name; \
	phase_cuda_##name = (void *)function;

void sim_install(void) {
	BEHIND(cuDriverGetVersion, simDriverGetVersion)
	BEHIND(cuGetErrorString, simGetErrorString)
	BEHIND(cuDeviceGetCount, simDeviceGetCount)
	BEHIND(cuDeviceGet, simDeviceGet)
	BEHIND(cuDeviceGetName, simDeviceGetName)
	BEHIND(cuDeviceTotalMem_v2, simDeviceTotalMem)
	BEHIND(cuDeviceGetAttribute, simDeviceGetAttribute)
	BEHIND(cuDevicePrimaryCtxRetain, simDevicePrimaryCtxRetain)
	BEHIND(cuCtxSetCurrent, simCtxSetCurrent)
	BEHIND(cuModuleLoadData, simModuleLoadData)
	BEHIND(cuModuleGetFunction, simModuleGetFunction)
	BEHIND(cuMemGetInfo_v2, simMemGetInfo)
	BEHIND(cuMemAlloc_v2, simMemAlloc)
	BEHIND(cuMemFree_v2, simMemFree)
	BEHIND(cuMemHostAlloc, simMemHostAlloc)
	BEHIND(cuMemcpyHtoDAsync_v2, simMemcpyHtoDAsync)
	BEHIND(cuMemcpyDtoHAsync_v2, simMemcpyDtoHAsync)
	BEHIND(cuMemsetD8Async, simMemsetD8Async)
	BEHIND(cuLaunchKernel, simLaunchKernel)
	BEHIND(cuStreamCreate, simStreamCreate)
	BEHIND(cuStreamSynchronize, simStreamSynchronize)
	BEHIND(cuEventCreate, simEventCreate)
	BEHIND(cuEventRecord, simEventRecord)
	BEHIND(cuEventSynchronize, simEventSynchronize)
	BEHIND(cuStreamBeginCapture_v2, simStreamBeginCapture)
	BEHIND(cuStreamEndCapture, simStreamEndCapture)
	BEHIND(cuGraphInstantiateWithFlags, simGraphInstantiate)
	BEHIND(cuGraphLaunch, simGraphLaunch)
	BEHIND(cuGraphDestroy, simGraphDestroy)
	BEHIND(cuGraphExecDestroy, simGraphExecDestroy)
	phase_cuda_found = 1;
	phase_cuda_init = 0;
}
