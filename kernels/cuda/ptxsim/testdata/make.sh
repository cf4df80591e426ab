#!/usr/bin/env bash
# Compile the test kernels with clang 14, whose PTX is the same everywhere
# (apt-get install --no-install-recommends clang-14):
#
#	make.sh          write it
#	make.sh -check   write nothing; say whether what is committed differs
set -euo pipefail
cd "$(dirname "$0")"
made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT
for file in basic:70 ampere:80; do
	"${CLANG:-clang-14}" -x cuda --cuda-device-only --cuda-gpu-arch=sm_"${file#*:}" -nocudainc -nocudalib -Wall -Werror -O2 -S \
		-Xclang -target-feature -Xclang +ptx70 -o "$made/${file%:*}.ptx" "${file%:*}.cu"
done
if [ "${1:-}" = -check ]; then
	for file in "$made"/*.ptx; do
		diff "$file" "$(basename "$file")" || { echo "make.sh: $(basename "$file") is not what its source makes" >&2; exit 1; }
	done
else
	cp "$made"/*.ptx .
fi
