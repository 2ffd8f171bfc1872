#!/usr/bin/env bash
#
# Builds the images parley-gateway, parley-chatd, parley-migrate, parley-presenced
# and parley-tools.
#
#   deploy/docker/build.sh [--engine docker|podman|buildah] [--debian IMAGE]
#                          [--prefix PREFIX] [--version VERSION]
#
#   --debian   what they are built on, debian:bookworm-slim if not given
#   --prefix   before their names, such as registry.example.org/
#   --version  their tag, that of the sources if not given
#
# SPDX-License-Identifier: MIT
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
engine=docker debian='' prefix='' more=()
version=$(sed -n 's/^project(parley VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt)
revision=$(git rev-parse HEAD 2>/dev/null || echo unknown)

while [ $# -gt 0 ]; do
	case $1 in
	--engine | --debian | --prefix | --version)
		[ $# -gt 1 ] || {
			echo "build.sh: $1 wants a value" >&2
			exit 2
		}
		printf -v "${1#--}" %s "$2"
		shift 2
		;;
	-h | --help)
		sed -n '3,14s/^# \{0,1\}//p' "$0"
		exit 0
		;;
	*)
		echo "build.sh: no option $1: build.sh --help" >&2
		exit 2
		;;
	esac
done
command -v "$engine" >/dev/null || {
	echo "build.sh: there is no $engine: install it, or name another" \
		"by --engine" >&2
	exit 1
}
# The OCI's own format knows no health checks.
[ "$engine" = docker ] || more+=(--format docker --layers)
[ -z "$debian" ] || more+=(--build-arg "DEBIAN=$debian")

for service in gateway chatd migrate presenced tools; do
	"$engine" build --file deploy/docker/Dockerfile --target "$service" \
		--tag "${prefix}parley-$service:$version" \
		--build-arg "VERSION=$version" --build-arg "REVISION=$revision" \
		"${more[@]}" .
done
