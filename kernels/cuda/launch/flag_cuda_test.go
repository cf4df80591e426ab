//go:build cuda && linux && amd64

package launch_test

import _ "phase/kernels/cuda/cudatest" // for its flag: go test -tags cuda ./kernels/cuda/... -device
