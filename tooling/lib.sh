# SPDX-License-Identifier: GPL-2.0
# Sourced by the scripts of tooling/: names of folders, messages, checks.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
BUILD=${BUILD:-$ROOT/build}
case $BUILD in /*) ;; *) BUILD=$ROOT/$BUILD ;; esac
JOBS=${JOBS:-$(nproc)}
ME=${0##*/}

say() { printf '%s: %s\n' "$ME" "$*"; }

# die "what went wrong" ["how to go on" ...]
die()
{
	printf '%s: error: %s\n' "$ME" "$1" >&2
	shift
	local line
	for line; do
		printf '  %s\n' "$line" >&2
	done
	exit 1
}

# The work folder of the base in use, build/<version>-<tree>
work_folder()
{
	[ -e "$BUILD/current/base.json" ] ||
		die "no kernel source yet in $BUILD" "run \`make base\` first"
	readlink -f "$BUILD/current"
}

# need_space GIB: refuse to start what cannot end
need_space()
{
	local free
	mkdir -p "$BUILD"
	free=$(df -Pk "$BUILD" | awk 'NR == 2 { print int($4 / 1048576) }')
	[ "$free" -ge "$1" ] ||
		die "$free GiB free in $BUILD, $1 GiB are needed" \
		    "free some space, or put the output elsewhere: make BUILD=/path/with/space ..."
}

need_command()
{
	local name
	for name; do
		command -v "$name" >/dev/null ||
			die "$name is not installed" "run \`make setup\` (installs what is missing)"
	done
}
