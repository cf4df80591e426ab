#!/usr/bin/env bash
# Let ptxas assemble the committed PTX for every architecture from Volta to Hopper
# and print what each kernel takes of registers, shared memory and spills:
#
#	verify.sh           all of that
#	verify.sh headers   only fetch them, to compile package driver with
#
# ptxas and cuda.h are kept in ~/.cache/phase-cuda.
# Where they are not there yet they are taken out of Debian's non-free packages,
# which are downloaded (some 860 MB) but not installed: apt's own configuration and
# lists stay as they are. A kernel that spills registers is an error.
set -euo pipefail
cache=$HOME/.cache/phase-cuda
mkdir -p "$cache"
cd "$(dirname "$0")"

# fetch FILE PACKAGE: one file of a Debian package, to the same place under $cache.
fetch() {
	[ -e "$cache/$1" ] && return
	local apt="$cache/apt"
	if [ ! -d "$apt" ]; then
		mkdir -p "$apt/lists/partial" "$apt/archives/partial"
		sed 's/^Components:.*/Components: main non-free/' /etc/apt/sources.list.d/debian.sources >"$apt/debian.sources"
	fi
	local own=(-qq -o Dir::Etc::SourceList="$apt/debian.sources" -o Dir::Etc::SourceParts=- -o Dir::State::Lists="$apt/lists"
		-o Dir::Cache="$apt" -o APT::Sandbox::User=root)
	[ -n "$(find "$apt/lists" -maxdepth 1 -name '*Packages*' -print -quit)" ] || apt-get "${own[@]}" update
	(cd "$apt" && apt-get "${own[@]}" download "$2")
	mkdir -p "$cache/$(dirname "$1")"
	dpkg-deb --fsys-tarfile "$apt/$2"_*.deb | tar -x -C "$cache" "./$1"
	rm -f "$apt/$2"_*.deb
}
fetch usr/bin/ptxas nvidia-cuda-toolkit
fetch usr/include/cuda.h nvidia-cuda-dev
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
