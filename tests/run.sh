#!/usr/bin/env bash
#
# All tests by one command.
#
#   tests/run.sh [MODE...]
#       unit       C tests of single modules
#       sql        the schema and every prepared statement, on a real database
#       contract   every line of the protocol, by a client over a real stack
#       conformance
#                  WebSocket and HTTP by the letter of their standards, byte by byte
#       system     faults, restarts, settings, the local stack
#       chaos-short
#                  every kind of fault once, in a minute, and a checker of what the
#                  clients saw
#       chaos      the same for half an hour, or PARLEY_CHAOS_MINUTES
#       browser    the web page in a headless Chromium
#       sanitize   unit, contract, conformance and system, and the live fuzzer, with
#                  address and undefined-behaviour sanitizers; every process must
#                  also end without a leak
#       fuzz       every reader of foreign bytes under libFuzzer (clang): a fixed
#                  number of runs, or PARLEY_FUZZ_SECONDS for each target
#       thread     contract and system with the thread sanitizer
#       bench      the standard set of load tests; nothing else should run meanwhile
#       ha         failovers of PostgreSQL, of Redis and of whole hosts, on hosts
#                  made of network namespaces; root, some minutes
#       package    the Debian packages, made and tried in containers of a fresh
#                  Debian 12 and 13 (PARLEY_PACKAGE_SUITES); root, some minutes
#       upgrade    from an earlier revision to this one and back while people chat
#       backup     backups taken in traffic, the store destroyed and restored
#       debug      the commands of docs/debugging.md: processes under gdb,
#                  valgrind, strace, perf; cores; minutes
#       all        all of these but bench, ha, debug and package
#   Default: unit conformance sql contract system chaos-short browser fuzz
#   sanitize.
#
# Installs the packages that are missing, builds what it needs under build/, starts
# servers of its own on free ports and leaves none behind. Ends with the line
# "N passed, N failed"; the exit status is 0 only when none failed.
#
# Environment: PYTEST_ARGS (more arguments for pytest), PARLEY_TEST_KEEP=1 (keep
# the directories and logs under build/test-run/), PARLEY_CHAOS_SEED.
#
# SPDX-License-Identifier: MIT
set -uo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
ROOT=$PWD
PYTHON=/usr/bin/python3
RESULTS=$ROOT/build/test-results
PASSED=0 FAILED=0 SKIPPED=0
SUMMARY=()

usage() {
	sed -n '3,/^# SPDX/{/^# SPDX/!s/^# \{0,1\}//p}' "$ROOT/tests/run.sh"
}

say() {
	printf '\n== %s\n' "$*"
}

# Counts what a part of the run gave: note PART PASSED FAILED SKIPPED
note() {
	PASSED=$((PASSED + $2))
	FAILED=$((FAILED + $3))
	SKIPPED=$((SKIPPED + $4))
	SUMMARY+=("$(printf '%-14s %5d passed, %d failed, %d skipped' "$@")")
}

# A part that could not even be run has failed.
part_broke() {
	echo "run.sh: ${*:2}" >&2
	note "$1" 0 1 0
}

# What is built by and by while tests run, which mostly wait.
AHEAD=

# build_ahead PRESET...: whether it fails is seen when it is asked for.
build_ahead() {
	local preset
	for preset in "$@"; do
		nice -n 19 cmake --preset "$preset" -DPARLEY_TESTS=ON &&
			nice -n 19 cmake --build --preset "$preset"
	done >"$RESULTS/build-ahead.log" 2>&1
}

# build PRESET [TARGET...]: quiet unless it fails; warnings are errors.
build() {
	local preset=$1 log=$RESULTS/build-$1.log
	shift
	if [ -n "$AHEAD" ] && [ "$preset" != dev ]; then
		wait "$AHEAD"
		AHEAD=
	fi
	say "building $preset"
	if ! cmake --preset "$preset" -DPARLEY_TESTS=ON >"$log" 2>&1 ||
		! cmake --build "build/$preset" ${1+--target "$@"} >>"$log" 2>&1
	then
		grep -E 'error|Error|FAILED' "$log" | head -20
		tail -n 20 "$log"
		return 1
	fi
}

# The counts of a JUnit report: "tests failures skipped".
junit_counts() {
	"$PYTHON" - "$1" <<'PY'
import sys
import xml.etree.ElementTree as tree

total = failed = skipped = 0
for suite in tree.parse(sys.argv[1]).getroot().iter("testsuite"):
    total += int(suite.get("tests", 0))
    failed += int(suite.get("failures", 0)) + int(suite.get("errors", 0))
    skipped += int(suite.get("skipped", 0) or 0) + \
        int(suite.get("disabled", 0) or 0)
print(total, failed, skipped)
PY
}

# take_report PART REPORT STATUS: a run that ended badly without naming a failed
# test, or that ran none, has failed as a whole.
take_report() {
	local part=$1 report=$2 status=$3 total failed skipped
	if [ ! -s "$report" ] ||
		! read -r total failed skipped < <(junit_counts "$report"); then
		part_broke "$part" "no report of $part (status $status)"
		return
	fi
	[ "$status" = 0 ] || [ "$failed" != 0 ] || failed=1
	[ "$total" != 0 ] || failed=1
	local passed=$((total - failed - skipped))
	note "$part" $((passed < 0 ? 0 : passed)) "$failed" "$skipped"
}

# run_ctest PART PRESET LABEL
run_ctest() {
	local report=$RESULTS/$1.xml
	rm -f "$report"
	say "$1"
	ctest --test-dir "build/$2" -L "^$3\$" -j 4 --output-on-failure \
		--no-tests=error --output-junit "$report"
	take_report "$1" "$report" $?
}

# run_pytest PRESET PATIENCE PART=ARGUMENTS...: the parts run side by side, each
# with servers and ports of its own (most of their time is waiting); what they
# print comes part by part.
run_pytest() {
	local preset=$1 patience=$2 spec part shard=0 pids=()
	shift 2
	for spec in "$@"; do
		part=${spec%%=*}
		rm -f "$RESULTS/$part".{xml,log,status}
		(
			one_pytest "$preset" "$patience" "$shard/$#" "$part" \
				"${spec#*=}" >"$RESULTS/$part.log" 2>&1
			echo $? >"$RESULTS/$part.status"
		) &
		pids+=($!)
		shard=$((shard + 1))
	done
	wait "${pids[@]}"
	for spec in "$@"; do
		part=${spec%%=*}
		say "$part"
		cat "$RESULTS/$part.log"
		take_report "$part" "$RESULTS/$part.xml" \
			"$(cat "$RESULTS/$part.status" 2>/dev/null || echo 1)"
	done
}

one_pytest() {
	cd tests || exit
	# shellcheck disable=SC2086
	PYTHONDONTWRITEBYTECODE=1 PARLEY_BUILD="build/$1" \
		PARLEY_TEST_PATIENCE="$2" PARLEY_TEST_SHARD="$3" \
		"$PYTHON" -m pytest -q --durations=5 \
		--junit-xml="$RESULTS/$4.xml" $5 ${PYTEST_ARGS-} </dev/null
}

# ---- modes -------------------------------------------------------------------

# What the tests of running processes need built.
RUNNING='gateway chatd presenced parleyctl wrong_version_peer shift_clock'

# What is of no use a second time: tests of scripts, documents and release
# binaries; the sandbox and a namespace of one's own, in which a leak checker may
# not look; and what is a matter of numbers.
SANITIZED_SECOND='system/test_database_faults.py system/test_drain.py
	system/test_gaps.py system/test_slow_clients.py'
SANITIZED='system --ignore=system/test_local.py --ignore=system/test_docs.py
	--ignore=system/test_hardening.py --ignore=system/test_systemd.py
	--ignore=system/test_storms.py --ignore=system/test_overload.py
	--ignore=system/test_docker.py --ignore=system/test_kubernetes.py
	--ignore=system/test_proxy.py --ignore=system/test_first_process.py
	--ignore=system/test_package.py --ignore=system/test_prometheus.py
	--ignore=system/test_capacity.py --ignore=system/test_operations.py
	--ignore=system/test_doc_commands.py --ignore=system/test_architecture.py
	--ignore=system/test_readme.py --ignore=system/test_debugging.py'

# Long parts run as two side by side: these, and the others.
SYSTEM_SECOND=
for part in database_faults drain gaps local overload slow_clients storms; do
	SYSTEM_SECOND+=" system/test_$part.py"
done
SYSTEM=("system=system${SYSTEM_SECOND// / --ignore=}"
	"system-second=${SYSTEM_SECOND# }")
BROWSER_SECOND=
for part in accessibility line many_messages media served screenshots timeline; do
	BROWSER_SECOND+=" browser/test_$part.py"
done

# with_build PART PRESET TARGETS COMMAND...
with_build() {
	local part=$1 preset=$2 targets=$3
	shift 3
	# shellcheck disable=SC2086
	if build "$preset" $targets; then
		"$@"
	else
		part_broke "$part" "$preset does not build: see" \
			"build/test-results/build-$preset.log"
	fi
}

mode_unit() {
	with_build unit dev '' run_ctest unit dev unit
}

mode_sql() {
	with_build sql dev "$RUNNING" run_pytest dev 1 sql=sql
}

mode_contract() {
	with_build contract dev "$RUNNING" run_pytest dev 1 contract=contract
}

mode_conformance() {
	with_build conformance dev "$RUNNING" run_pytest dev 1 \
		conformance=conformance
}

mode_system() {
	with_build system dev "$RUNNING" run_pytest dev 1 "${SYSTEM[@]}"
}

# contract and system, asked for together.
mode_both() {
	with_build contract dev "$RUNNING" run_pytest dev 1 contract=contract \
		"${SYSTEM[@]}"
}

mode_chaos-short() {
	with_build chaos dev "$RUNNING" run_pytest dev 1 chaos=chaos
}

# sql, contract, system and chaos-short, asked for together.
mode_four() {
	with_build contract dev "$RUNNING" run_pytest dev 1 sql=sql \
		contract=contract chaos=chaos "${SYSTEM[@]}"
}

mode_chaos() {
	with_build chaos-long dev "$RUNNING" long_chaos
}

long_chaos() {
	local passed=1
	say "chaos, ${PARLEY_CHAOS_MINUTES:=30} minutes"
	(cd tests && PYTHONDONTWRITEBYTECODE=1 PARLEY_BUILD=build/dev \
		"$PYTHON" -m chaos --minutes "$PARLEY_CHAOS_MINUTES" \
		${PARLEY_CHAOS_SEED:+--seed "$PARLEY_CHAOS_SEED"} </dev/null) ||
		passed=0
	note chaos-long $passed $((1 - passed)) 0
}

mode_browser() {
	with_build browser dev "$RUNNING" run_pytest dev 1 \
		"browser=browser${BROWSER_SECOND// / --ignore=}" \
		"browser-second=${BROWSER_SECOND# }"
}

mode_sanitize() {
	export ASAN_OPTIONS=detect_leaks=1:exitcode=86
	export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
	export LSAN_OPTIONS="suppressions=$ROOT/tests/support/lsan.supp print_suppressions=0"
	with_build sanitize asan '' sanitized_runs
	unset ASAN_OPTIONS UBSAN_OPTIONS LSAN_OPTIONS
}

sanitized_runs() {
	run_ctest asan-unit asan unit
	run_pytest asan 3 asan-contract=contract \
		"asan-conformance=conformance fuzz/live" \
		"asan-system=$SANITIZED${SYSTEM_SECOND// / --ignore=}" \
		"asan-system-second=$SANITIZED_SECOND"
}

mode_fuzz() {
	with_build fuzz fuzz fuzz_targets fuzz_targets
}

fuzz_targets() {
	local log=$RESULTS/fuzz.log passed=0 failed=1
	say fuzz
	tests/fuzz/run.sh | tee "$log"
	read -r passed _ failed _ < <(tail -n 1 "$log" |
		grep -E '^[0-9]+ passed, [0-9]+ failed$')
	note fuzz "${passed:-0}" "${failed:-1}" 0
}

mode_thread() {
	# No suppressions: Debian's libraries are not instrumented, but their locks
	# are seen as long as nothing tells the sanitizer to ignore them.
	export TSAN_OPTIONS=exitcode=86
	with_build thread tsan "$RUNNING" run_pytest tsan 6 \
		tsan-contract=contract \
		"tsan-system=$SANITIZED${SYSTEM_SECOND// / --ignore=}" \
		"tsan-system-second=$SANITIZED_SECOND"
	unset TSAN_OPTIONS
}

mode_package() {
	say "building packages"
	run_pytest dev 1 package=package
}

mode_upgrade() {
	with_build upgrade dev "$RUNNING" run_pytest dev 1 upgrade=upgrade
}

mode_backup() {
	with_build backup dev "$RUNNING" run_pytest dev 1 backup=backup
}

mode_ha() {
	with_build ha release "$RUNNING" run_pytest release 1 'ha=ha -rs'
}

mode_debug() {
	with_build debug dev "$RUNNING" run_pytest dev 1 debug=debugging
}

mode_bench() {
	local passed=1
	say bench
	"$PYTHON" tests/bench/run.py </dev/null || passed=0
	note bench $passed $((1 - passed)) 0
}

main() {
	local modes=() mode groups='build run debug test'
	for mode in "$@"; do
		case $mode in
		unit | sql | conformance | contract | system | chaos-short | \
			chaos | browser | fuzz | sanitize | thread | package | \
			ha | bench | upgrade | backup | debug)
			modes+=("$mode")
			;;
		all)
			modes+=(unit conformance sql contract system chaos-short
				browser fuzz sanitize upgrade backup thread
				chaos)
			;;
		-h | --help)
			usage
			return 0
			;;
		*)
			echo "run.sh: no mode \"$mode\": tests/run.sh --help" >&2
			return 2
			;;
		esac
	done
	[ ${#modes[@]} -gt 0 ] ||
		modes=(unit conformance sql contract system chaos-short browser
			fuzz sanitize)
	[[ " ${modes[*]} " != *" browser "* ]] || groups+=' browser'
	[[ " ${modes[*]} " != *" fuzz "* ]] || groups+=' fuzz'
	[[ " ${modes[*]} " != *" package "* ]] || groups+=' package'
	[[ " ${modes[*]} " != *" ha "* ]] || groups+=' ha'
	[[ " ${modes[*]} " != *" bench "* ]] || groups+=' bench'
	[[ " ${modes[*]} " != *" debug "* ]] || groups+=' trace'
	mkdir -p "$RESULTS"
	export PYTEST_DEBUG_TEMPROOT=$RESULTS # nothing of ours lies elsewhere
	# shellcheck disable=SC2086
	deploy/packages.sh $groups || return 1
	local plan=" ${modes[*]} "
	plan=${plan/ sql contract system chaos-short / four }
	plan=${plan/ contract system / both }
	for mode in $plan; do
		if [[ $mode = four && $plan = *" fuzz sanitize "* ]]; then
			build_ahead fuzz asan &
			AHEAD=$!
		fi
		"mode_$mode"
	done
	say "summary"
	printf '%s\n' "${SUMMARY[@]}"
	printf '%d passed, %d failed, %d skipped\n' "$PASSED" "$FAILED" "$SKIPPED"
	[ "$FAILED" = 0 ] && [ "$PASSED" != 0 ]
}

main "$@"
