//go:build !(cuda && linux && amd64)

package cuda

import (
	"fmt"

	"phase/kernels"
)

// Built says whether this program has kernels for GPUs.
const Built = false

const missing = "not in this build: go build -tags cuda on linux/amd64, with cgo and cuda.h (docs/gpu.md)"

// Find says that CUDA is not in this build.
func Find() Status { return Status{Missing: missing} }

// Open says that CUDA is not in this build.
func Open(ordinal int, cores bool) (kernels.Backend, error) {
	return nil, fmt.Errorf("cuda: %s", missing)
}
