#!/usr/bin/env bash
#
# Debian packages of Parley, for the Debian (12 or 13) that this runs on.
#
#   deploy/package.sh [DIR]
#       Copies the source, without what is ignored by git, to a directory of its
#       own, builds it there with dpkg-buildpackage and deploy/debian/, holds the
#       packages against Debian's policy (lintian; an error fails) and leaves
#       them in DIR (default: build/debian). The packages that building needs
#       are installed first.
#
# SPDX-License-Identifier: MIT
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)

die() {
	echo "package.sh: $*" >&2
	exit 1
}

# Every file of the source below $1, by git if it is there, else all but what
# building and running leaves behind.
copy_source() {
	if git -C "$ROOT" rev-parse --is-inside-work-tree >/dev/null 2>&1; then
		git -C "$ROOT" ls-files -z --cached --others --exclude-standard |
			(cd "$ROOT" && while IFS= read -r -d '' f; do
				[ ! -e "$f" ] || printf '%s\0' "$f"
			done | tar -c --null -T -) | tar -x -C "$1"
	else
		tar -c -C "$ROOT" --exclude ./build --exclude ./.run \
			--exclude __pycache__ . | tar -x -C "$1"
	fi
	mv "$1/deploy/debian" "$1/debian"
}

main() {
	local out work
	case ${1-} in
	-h | --help)
		sed -n '3,/^# SPDX/{/^# SPDX/!s/^# \{0,1\}//p}' "$0"
		exit 0
		;;
	esac
	out=${1-$ROOT/build/debian}
	"$ROOT/deploy/packages.sh" build package
	mkdir -p "$out"
	out=$(cd "$out" && pwd -P)
	work=$(mktemp -d "$out/work.XXXXXX")
	# shellcheck disable=SC2064
	trap "rm -rf '$work'" EXIT
	mkdir "$work/parley"
	copy_source "$work/parley"
	(cd "$work/parley" && dpkg-buildpackage -b -us -uc) \
		>"$out/build.log" 2>&1 || {
		tail -n 30 "$out/build.log" >&2
		die "the build failed: see $out/build.log"
	}
	rm -f "$out"/*.deb "$out"/*.changes "$out"/*.buildinfo
	mv "$work"/*.deb "$work"/*.changes "$work"/*.buildinfo "$out"
	lintian --allow-root --fail-on error "$out"/*.changes ||
		die "lintian found errors: see above"
	ls "$out"/*.deb
}

main "$@"
