#!/usr/bin/env bash
# What can be said of a GPU: the program is built, its kernels and the
# device are tested against package ref, all ops against PyTorch's values, ten steps of
# ResNet-8 against PyTorch's losses, whole runs against the host's; then training steps
# are timed, beside PyTorch where python3 has it.
#
#	prove.sh                  on cuda:0
#	prove.sh cuda,cudasim     the same on the simulated GPU, steps being small
#
# It needs Go, gcc and cuda.h: of CUDA's own folder, of Debian's nvidia-cuda-dev, or as
# verify.sh headers fetches it.
set -euo pipefail
cd "$(dirname "$0")/../.."
tags=${1:-cuda}
export CGO_ENABLED=1
for include in /usr/local/cuda/include "$HOME/.cache/phase-cuda/usr/include"; do
	[ ! -e "$include/cuda.h" ] || export CGO_CFLAGS="${CGO_CFLAGS:-} -I$include"
done
steps=("--model resnet32 --batch 128" "--model resnet32 --width 64 --batch 64" "--model resnet50 --size 64 --batch 32")
[ "$tags" = cuda ] || steps=("--model resnet8 --width 4 --size 8 --batch 4 --times 1")

bin=$(mktemp -d)
trap 'rm -rf "$bin"' EXIT
go build -tags "$tags" -o "$bin/phase" ./cmd/phase
"$bin/phase" info
go test -count 1 -tags "$tags" ./kernels/cuda/... -device
go test -count 1 -tags "$tags" ./autograd ./nn ./phase/train ./cmd/phase -run OnCUDA -device
for step in "${steps[@]}"; do
	for precision in f32 tf32 bf16; do
		# shellcheck disable=SC2086
		"$bin/phase" bench train --device cuda --precision "$precision" $step
	done
	if [ "$tags" = cuda ] && python3 -c 'import torch; torch.zeros(1).cuda()' 2>/dev/null; then
		# shellcheck disable=SC2086
		python3 cmd/peers/resnet.py --device cuda --steps 50 --warm 10 $step
	fi
done
