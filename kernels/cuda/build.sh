#!/usr/bin/env bash
# Compile src/*.cu to ptx/phase_*.ptx, byte for byte the same everywhere:
#
#	build.sh          write them
#	build.sh -check   write nothing; say whether the committed files differ
#
# It takes clang 14 and refuses any other, whose PTX would be another. On Debian:
# apt-get install --no-install-recommends clang-14
set -euo pipefail
cd "$(dirname "$0")"
clang=${CLANG:-clang-14}
command -v "$clang" >/dev/null || { echo "build.sh: no $clang: apt-get install --no-install-recommends clang-14, or name one in CLANG" >&2; exit 1; }
version=$("$clang" -dumpversion)
[[ $version == 14.* ]] || { echo "build.sh: $clang is version $version, want 14" >&2; exit 1; }

made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT
for arch in 70 80; do
	"$clang" -x cuda --cuda-device-only --cuda-gpu-arch=sm_$arch -nocudainc -nocudalib -std=c++17 -Wall -Werror -O3 -S \
		-Xclang -target-feature -Xclang +ptx70 -o "$made/phase_sm$arch.ptx" src/sm$arch.cu
done
if [ "${1:-}" = -check ]; then
	diff -rq "$made" ptx --exclude='*.go' || { echo 'build.sh: ptx is not what src makes: run kernels/cuda/build.sh' >&2; exit 1; }
else
	cp "$made"/*.ptx ptx/
fi
