#!/usr/bin/env bash
#
# The one list of Debian packages (12 "bookworm" and 13 "trixie") that building,
# running and testing need, and their installer.
#
#   deploy/packages.sh GROUP...                     install what is missing
#   deploy/packages.sh --list GROUP...              print the names
#   deploy/packages.sh --missing GROUP...           print what is not installed
#
# GROUP: build, run, debug, trace, test, fuzz, package, ha, browser, bench, docs
# or all.
#
# Nothing is done, and no privilege asked for, when all is there. The services
# that PostgreSQL's and Redis' packages bring are neither started nor enabled by
# us: local.sh and the tests run private servers of their own.
#
# SPDX-License-Identifier: MIT
set -euo pipefail

packages_of() {
	case $1 in
	build)
		echo gcc libc6-dev cmake ninja-build pkg-config \
			libuv1-dev libwebsockets-dev libwebsockets-evlib-uv \
			libnng-dev libhiredis-dev libjson-c-dev libpq-dev \
			libsodium-dev libcurl4-openssl-dev libssl-dev
		;;
	run)
		# python3-websockets: `local.sh up --demo` and the printed example.
		echo postgresql redis-server util-linux procps curl \
			libwebsockets-evlib-uv python3 python3-websockets
		;;
	debug)
		echo gdb
		;;
	trace)
		# What runs or watches a process in other ways. rr is there for few
		# kinds of processors.
		echo valgrind strace linux-perf
		[ "$(uname -m)" != x86_64 ] || echo rr
		;;
	test)
		echo libcmocka-dev gdb python3-pytest python3-websockets \
			python3-redis python3-psycopg python3-yaml \
			python3-jsonschema python3-seccomp systemd \
			openssl stunnel4 prometheus rsync
		;;
	fuzz)
		# libclang-rt-dev: libFuzzer and the sanitizers of clang's release.
		echo clang libclang-rt-dev
		;;
	package)
		# To make Debian packages of ours, and to try them in containers.
		echo build-essential dpkg-dev debhelper fakeroot help2man \
			lintian debootstrap systemd-container
		;;
	ha)
		# Hosts that are network namespaces.
		echo iproute2
		;;
	browser)
		echo chromium chromium-driver python3-selenium
		;;
	bench)
		# gnuplot draws the plots, perf counts system calls.
		echo gnuplot-nox linux-perf
		;;
	docs)
		# To draw docs/images anew (tests/support/drawings.py).
		echo graphviz mscgen
		;;
	all)
		local g
		for g in build run debug trace test fuzz package ha browser bench \
			docs; do
			packages_of "$g"
		done
		;;
	*)
		echo "packages.sh: no group \"$1\": build, run, debug, trace," \
			"test, fuzz, package, ha, browser, bench, docs or all" >&2
		exit 2
		;;
	esac
}

names_of() {
	local g names=""
	for g in "$@"; do
		names+=" $(packages_of "$g")"
	done
	tr -s ' ' '\n' <<<"$names" | sed '/^$/d' | sort -u
}

is_installed() {
	local name=$1 real
	[ "$(dpkg-query -W -f '${db:Status-Abbrev}' "$name" 2>/dev/null |
		cut -c1-2)" = ii ] && return 0
	# A name that another package took over (pkg-config became pkgconf).
	for real in $(dpkg-query -W -f '${Package} ${Provides}\n' 2>/dev/null |
		awk -v n="$name" '{ for (i = 2; i <= NF; i++) {
			p = $i; sub(/,$/, "", p); if (p == n) print $1 } }'); do
		[ "$(dpkg-query -W -f '${db:Status-Abbrev}' "$real" |
			cut -c1-2)" = ii ] && return 0
	done
	return 1
}

missing_of() {
	local name
	for name in $(names_of "$@"); do
		is_installed "$name" || echo "$name"
	done
}

cannot() {
	echo "packages.sh: $1; install by hand:" \
		"apt-get install --no-install-recommends ${missing[*]}" >&2
	exit 1
}

# While our packages are unpacked, their services are not to be started; every
# other service is left to the machine's own rules. Prints the path if made.
forbid_service_starts() {
	local policy=/usr/sbin/policy-rc.d
	[ -e "$policy" ] && return 0
	$as_root sh -c "cat >$policy && chmod 755 $policy" <<'POLICY'
#!/bin/sh
case "$1" in
postgresql* | redis* | stunnel* | prometheus*) exit 101 ;;
esac
exit 0
POLICY
	echo "$policy"
}

# A service that came with a package of ours is not to appear at the next boot.
leave_services_off() {
	local name
	[ -d /run/systemd/system ] || return 0
	for name in "${missing[@]}"; do
		case $name in
		postgresql | redis-server | stunnel4 | prometheus)
			$as_root systemctl disable --quiet "$name" || true
			;;
		esac
	done
}

# Quiet unless it fails.
apt() {
	local output
	output=$($as_root env DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 \
		apt-get -o Dpkg::Use-Pty=0 -qq "$@" </dev/null 2>&1) || {
		tail -n 15 <<<"$output" >&2
		return 1
	}
}

install_missing() {
	local policy_made fresh=0
	command -v apt-get >/dev/null || cannot "no apt-get on this system"
	as_root=
	if [ "$(id -u)" != 0 ]; then
		command -v sudo >/dev/null || cannot "neither root nor sudo"
		as_root=sudo
	fi
	echo "installing: ${missing[*]}" >&2
	# Without package lists, or with lists too old for the archive, an
	# update comes first.
	if ! apt-cache show "${missing[@]}" >/dev/null 2>&1; then
		apt update || cannot "apt-get update failed"
		fresh=1
	fi
	policy_made=$(forbid_service_starts)
	# shellcheck disable=SC2064
	[ -z "$policy_made" ] || trap "$as_root rm -f $policy_made" EXIT
	if ! apt install -y --no-install-recommends "${missing[@]}"; then
		[ "$fresh" = 0 ] || cannot "apt-get install failed"
		apt update || cannot "apt-get update failed"
		apt install -y --no-install-recommends "${missing[@]}" ||
			cannot "apt-get install failed"
	fi
	leave_services_off
}

main() {
	local mode=install
	case ${1-} in
	--list | --missing)
		mode=${1#--}
		shift
		;;
	-h | --help | "")
		sed -n '3,14s/^# \{0,1\}//p' "$0"
		exit 0
		;;
	esac
	case $mode in
	list)
		names_of "$@"
		return
		;;
	missing)
		missing_of "$@"
		return
		;;
	esac
	names_of "$@" >/dev/null
	command -v dpkg-query >/dev/null || {
		echo "packages.sh: not a Debian system; the packages are:" \
			"$(names_of "$@" | tr '\n' ' ')" >&2
		exit 1
	}
	mapfile -t missing < <(missing_of "$@")
	[ ${#missing[@]} = 0 ] || install_missing
}

main "$@"
