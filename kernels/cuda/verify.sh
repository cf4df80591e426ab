#!/usr/bin/env bash
# Let ptxas assemble the committed PTX for every architecture from Volta to Hopper
# and print what each kernel takes of registers, shared memory and spills:
#
#	verify.sh           all of that
#	verify.sh headers   only fetch what it takes: ptxas, cuda.h to compile package
#	                    driver with, and nvcc for nvcc.sh
#
# They are kept in ~/.cache/phase-cuda.
# Where they are not there yet they are taken out of Debian's non-free packages,
# which are downloaded (some 860 MB) but not installed: apt's own configuration and
# lists stay as they are. A kernel that spills registers is an error.
set -euo pipefail
cache=$HOME/.cache/phase-cuda
mkdir -p "$cache"
cd "$(dirname "$0")"

# fetch PACKAGE SIGN PATH...: files and folders of a Debian package, to the same places
# under $cache, unless SIGN is there.
fetch() {
	local package=$1
	[ ! -e "$cache/$2" ] || return 0
	shift 2
	local apt="$cache/apt"
	if [ ! -d "$apt" ]; then
		mkdir -p "$apt/lists/partial" "$apt/archives/partial"
		sed 's/^Components:.*/Components: main non-free/' /etc/apt/sources.list.d/debian.sources >"$apt/debian.sources"
	fi
	local own=(-qq -o Dir::Etc::SourceList="$apt/debian.sources" -o Dir::Etc::SourceParts=- -o Dir::State::Lists="$apt/lists"
		-o Dir::Cache="$apt" -o APT::Sandbox::User=root)
	[ -n "$(find "$apt/lists" -maxdepth 1 -name '*Packages*' -print -quit)" ] || apt-get "${own[@]}" update
	(cd "$apt" && apt-get "${own[@]}" download "$package")
	dpkg-deb --fsys-tarfile "$apt/$package"_*.deb | tar -x -C "$cache" "${@/#/./}"
	rm -f "$apt/$package"_*.deb
}
fetch nvidia-cuda-toolkit usr/lib/nvidia-cuda-toolkit/bin usr/bin/ptxas usr/lib/nvidia-cuda-toolkit/bin
fetch nvidia-cuda-dev usr/include/crt usr/include
rm -rf "$cache/apt"
[ "${1:-}" != headers ] || exit 0

report=$(mktemp)
trap 'rm -f "$report"' EXIT
for target in 70:70 70:75 70:80 70:86 70:89 70:90 80:80 80:86 80:89 80:90; do
	echo "== phase_sm${target%:*}.ptx for sm_${target#*:}"
	"$cache/usr/bin/ptxas" -arch="sm_${target#*:}" -v "ptx/phase_sm${target%:*}.ptx" -o /dev/null >"$report" 2>&1 || { cat "$report"; exit 1; }
	awk -F"'" '
		/Compiling entry function/ { name = $2 }
		/spill stores/ { split($0, word, " "); spill = word[5]; bad += spill }
		/Used [0-9]+ registers/ { sub(/.*Used /, ""); printf "%-28s %s, %s bytes spilled\n", name, $0, spill }
		END { exit bad > 0 }' "$report" | sort || { echo 'verify.sh: kernels spill registers' >&2; exit 1; }
done
