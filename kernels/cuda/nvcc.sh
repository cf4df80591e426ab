#!/usr/bin/env bash
# Let nvcc compile src/*.cu too, and the simulator run what came of it through all
# tests of package launch: a second compiler, which schedules and chooses instructions
# otherwise, comes to the same results. What the program runs stays clang's.
#
# It takes the nvcc of the PATH, or the one that verify.sh headers fetches.
set -euo pipefail
cd "$(dirname "$0")"
nvcc=(nvcc)
if ! command -v nvcc >/dev/null; then
	cuda=$HOME/.cache/phase-cuda/usr
	export PATH=$PATH:$cuda/lib/nvidia-cuda-toolkit/bin
	nvcc=(nvcc --dont-use-profile -ccbin "${CLANG:-clang-14}" -I "$cuda/include")
	command -v nvcc >/dev/null || { echo 'nvcc.sh: no nvcc: verify.sh headers fetches one' >&2; exit 1; }
fi
made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT
for arch in 70 80; do
	"${nvcc[@]}" -std=c++17 -ptx -arch=compute_$arch -o "$made/phase_sm$arch.ptx" src/sm$arch.cu
done
PHASE_PTX=$made go test -count 1 ./launch
