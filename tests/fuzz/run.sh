#!/usr/bin/env bash
#
# Drives the libFuzzer targets of build/fuzz (cmake --preset fuzz).
#
#   tests/fuzz/run.sh [TARGET...]      all of them by default
#
# Environment:
#   PARLEY_FUZZ_SECONDS   so long for each target, from a corpus that is kept and
#                         grows in build/fuzz-corpus/. Unset: a fixed number of
#                         runs with a fixed seed, the same each time.
#   PARLEY_FUZZ_JOBS      targets at a time (2)
#
# An input that breaks a target is kept under build/fuzz-finds/, and how to repeat
# it is printed. Ends with "N passed, N failed".
#
# SPDX-License-Identifier: MIT
set -uo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
ROOT=$PWD
BIN=$ROOT/build/fuzz/tests/fuzz
FINDS=$ROOT/build/fuzz-finds
GROWN=$ROOT/build/fuzz-corpus
SECONDS_EACH=${PARLEY_FUZZ_SECONDS-}
SCRATCH=

# Runs of a short run: about as long for each.
runs_of() {
	case $1 in
	http | event) echo 400000 ;;
	frame | rules | presence | dispatch) echo 120000 ;;
	*) echo 60000 ;;
	esac
}

# one TARGET: its output is in $SCRATCH/TARGET.log; the status is libFuzzer's.
one() {
	local name=$1 corpus=$ROOT/tests/fuzz/corpus/$1 into how
	if [ -n "$SECONDS_EACH" ]; then
		into=$GROWN/$name
		how=(-max_total_time="$SECONDS_EACH")
	else
		into=$SCRATCH/$name
		how=(-runs="$(runs_of "$name")" -seed=20260207)
	fi
	mkdir -p "$into"
	# What waits for nothing has no excuse for ten seconds.
	UBSAN_OPTIONS=print_stacktrace=1 nice "$BIN/${name}_fuzz" "${how[@]}" \
		-dict="$SCRATCH/contract.dict" -max_len=4096 -timeout=10 \
		-rss_limit_mb=2048 -reload=0 -artifact_prefix="$FINDS/$name-" \
		"$into" "$corpus" >"$SCRATCH/$name.log" 2>&1
}

report() {
	local name=$1 status=$2 log=$SCRATCH/$1.log find
	if [ "$status" = 0 ]; then
		printf '%-10s ok: %s\n' "$name" \
			"$(grep -ao 'Done [0-9]* runs' "$log" | tail -n 1)"
		return 0
	fi
	find=$(sed -n 's/.*Test unit written to //p' "$log" | tail -n 1)
	printf '%-10s BROKEN\n' "$name"
	grep -avE '^(#[0-9]+|INFO:|NEW_FUNC|.*DE: )' "$log" | tail -n 40
	printf '  the input:  %s\n' "${find:-none was written}"
	printf '  to repeat:  %s %s\n' "$BIN/${name}_fuzz" "$find"
	printf '  once mended: keep it as tests/fuzz/corpus/%s/<what it was>,\n' \
		"$name"
	printf '              where every test run tries it again\n'
	return 1
}

main() {
	local targets=("$@") name passed=0 failed=0
	SCRATCH=$(mktemp -d) || exit 1
	trap 'rm -rf "$SCRATCH"' EXIT
	mkdir -p "$FINDS"
	if [ ${#targets[@]} = 0 ]; then
		mapfile -t targets < <(cd tests/fuzz && ls ./*_fuzz.c |
			sed 's|^\./||; s|_fuzz\.c$||')
	fi
	for name in "${targets[@]}"; do
		[ -x "$BIN/${name}_fuzz" ] || {
			echo "fuzz/run.sh: no $BIN/${name}_fuzz:" \
				"cmake --preset fuzz && cmake --build --preset fuzz" >&2
			exit 2
		}
	done
	"$BIN/fuzz_dictionary" >"$SCRATCH/contract.dict" || exit 2
	for name in "${targets[@]}"; do
		while [ "$(jobs -rp | wc -l)" -ge "${PARLEY_FUZZ_JOBS:-2}" ]; do
			wait -n
		done
		{
			one "$name"
			echo $? >"$SCRATCH/$name.status"
		} &
	done
	wait
	for name in "${targets[@]}"; do
		if report "$name" "$(cat "$SCRATCH/$name.status")"; then
			passed=$((passed + 1))
		else
			failed=$((failed + 1))
		fi
	done
	echo "$passed passed, $failed failed"
	[ "$failed" = 0 ]
}

main "$@"
