#!/usr/bin/env bash
#
# Parley on this machine: private PostgreSQL and Redis, chatds, presenceds and
# gateways, started from this repository and kept apart from system services.
#
#   local.sh up [--gateways N] [--chatds N] [--presenceds N]
#               [--without gateway|chatd|presenced] [--fresh] [--demo] [--bench]
#               [--detach]
#       Builds, starts what is missing, waits until all is ready and returns;
#       everything runs on until "down" (--detach says the same explicitly).
#       Without counts the present number of processes is kept.
#       --without X  everything but X: start that one yourself (see "debug")
#       --fresh      from an empty database
#       --demo       people demo1, demo2, demo3 (password "password") with chats
#       --bench      for load tests: the cheapest password hash and no limit on
#                    abuse; never for real people
#   local.sh down | status
#   local.sh start NAME | stop NAME | restart NAME      gateway-1, chatd-1,
#                                      presenced-1, postgres, redis ...
#   local.sh logs NAME                 follows on a terminal, else prints
#   local.sh debug gateway|chatd|presenced [--with 'COMMAND'] [-- ARGUMENTS]
#       All else up, number 1 of this kind in the foreground under gdb, with our
#       printers and commands (docs/debugging.md). The others wait an hour for its
#       answers, so that it may stand at a breakpoint; "up" makes them as before.
#       ARGUMENTS are gdb's.
#       --with   another command in front of it, ended by ARGUMENTS:
#                --with 'valgrind --leak-check=full', --with 'perf record -g --',
#                --with env (nothing but the process)
#   local.sh psql [ARGUMENTS] | redis-cli [ARGUMENTS]
#   local.sh ctl ARGUMENTS             parleyctl, against these processes
#
# State is under .run/: NAME.pid, NAME.log, the databases. Environment:
#   PARLEY_PORT        gateway 1's port, gateway i has the i-1 th after (8080)
#   PARLEY_BIND        address of the gateways (127.0.0.1; 0.0.0.0: the network)
#   PARLEY_ADMIN_PORT  first of 60 ports for /readyz and /metrics (9100)
#   PARLEY_PUBLIC_URL  as browsers see it (http://localhost:PORT)
#   PARLEY_RUN_DIR     another place than .run, absolute or in the repository: a
#                      second stack beside the first (with ports of its own)
#   PARLEY_BUILD_DIR   programs built already, taken as they are (build/dev)
# Any other setting (docs/config.md) given as PARLEY_... reaches the processes.
#
# SPDX-License-Identifier: MIT
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
# Relative to the repository: sockets are named by it.
STATE=${PARLEY_RUN_DIR:-.run}
case $STATE in
/*) RUN=$STATE ;;
*) RUN=$ROOT/$STATE ;;
esac
KINDS='chatd presenced gateway'
COUNT_MAX=20
# shellcheck disable=SC2034
READY_SECONDS=30

# shellcheck source-path=SCRIPTDIR/.. disable=SC1091
. "$ROOT/deploy/lib/process.sh"
# shellcheck source-path=SCRIPTDIR/.. disable=SC1091
. "$ROOT/deploy/lib/stores.sh"
# shellcheck source-path=SCRIPTDIR/.. disable=SC1091
. "$ROOT/deploy/lib/stack.sh"

usage() {
	sed -n '3,/^# SPDX/{/^# SPDX/!s/^# \{0,1\}//p}' "$ROOT/deploy/local.sh"
}

# ---- state ----------------------------------------------------------------

# One local.sh at a time; processes started do not inherit the lock (fd 9).
lock() {
	mkdir -p "$RUN" 2>/dev/null || true
	[ -w "$RUN" ] ||
		die "$RUN is not writable: it belongs to" \
			"$(stat -c %U "$RUN" 2>/dev/null || echo another account)," \
			"run local.sh as that account or remove it"
	exec 9>"$RUN/lock"
	flock -w 120 9 || die "another local.sh has been at work here for" \
		"two minutes: wait for it or end it"
}

load_state() {
	GATEWAYS=1 CHATDS=1 PRESENCEDS=1 BENCH=0
	PORT=8080 ADMIN=9100 BIND=127.0.0.1
	# shellcheck disable=SC1091
	if [ -e "$RUN/state" ] && anything_running; then
		. "$RUN/state"
	fi
	PORT=${PARLEY_PORT:-$PORT}
	ADMIN=${PARLEY_ADMIN_PORT:-$ADMIN}
	BIND=${PARLEY_BIND:-$BIND}
	require_number PARLEY_PORT "$PORT" 1 65515
	require_number PARLEY_ADMIN_PORT "$ADMIN" 1 65475
	PUBLIC_URL=${PARLEY_PUBLIC_URL:-http://localhost:$PORT}
}

save_state() {
	local v
	for v in GATEWAYS CHATDS PRESENCEDS BENCH PORT ADMIN BIND; do
		printf '%s=%q\n' "$v" "${!v}"
	done >"$RUN/state"
}

require_number() {
	if ! [[ $2 =~ ^[0-9]{1,5}$ ]] || [ "$2" -lt "$3" ] ||
		[ "$2" -gt "$4" ]; then
		die "$1 is \"$2\": give a number from $3 to $4"
	fi
}

count_of() {
	case $1 in
	gateway) echo "$GATEWAYS" ;;
	chatd) echo "$CHATDS" ;;
	presenced) echo "$PRESENCEDS" ;;
	esac
}

# Every process that is to run, in order of starting.
names() {
	local kind i
	for kind in $KINDS; do
		for ((i = 1; i <= $(count_of "$kind"); i++)); do
			echo "$kind-$i"
		done
	done
}

is_name() {
	local name
	for name in $(names); do
		[ "$name" != "$1" ] || return 0
	done
	return 1
}

# Every process of ours that has a pid file.
started() {
	local f
	for f in "$RUN"/*.pid; do
		[ ! -e "$f" ] || basename "$f" .pid
	done
}

anything_running() {
	local name
	for name in $(started); do
		! running "$name" >/dev/null || return 0
	done
	return 1
}

# ---- commands ------------------------------------------------------------------

parse_up() {
	FRESH=0 DEMO=0 WITHOUT='' WANT_GATEWAYS='' WANT_CHATDS=''
	WANT_PRESENCEDS='' WANT_BENCH=''
	while [ $# -gt 0 ]; do
		local option=$1 value=
		shift
		case $option in
		--gateways=* | --chatds=* | --presenceds=* | --without=*)
			value=${option#*=}
			option=${option%%=*}
			;;
		--gateways | --chatds | --presenceds | --without)
			[ $# -gt 0 ] || die "$option needs a value: local.sh --help"
			value=$1
			shift
			;;
		esac
		case $option in
		--gateways) WANT_GATEWAYS=$value ;;
		--chatds) WANT_CHATDS=$value ;;
		--presenceds) WANT_PRESENCEDS=$value ;;
		--without) WITHOUT=$value ;;
		--fresh) FRESH=1 ;;
		--demo) DEMO=1 ;;
		--bench) WANT_BENCH=1 ;;
		--detach) ;;
		*) die "up knows no \"$option\": local.sh --help" ;;
		esac
		case $option in
		--gateways | --chatds | --presenceds)
			require_number "$option" "$value" 1 "$COUNT_MAX"
			;;
		--without) require_kind "$value" ;;
		esac
	done
}

require_kind() {
	case $1 in
	gateway | chatd | presenced) ;;
	*) die "no process kind \"$1\": gateway, chatd or presenced" ;;
	esac
}

# All up to the processes themselves.
prepare() {
	if [ "$FRESH" = 1 ]; then
		stop_all
		(cd "$RUN" && rm -rf postgres postgres.port secrets redis media \
			state)
	fi
	load_state
	GATEWAYS=${WANT_GATEWAYS:-$GATEWAYS}
	CHATDS=${WANT_CHATDS:-$CHATDS}
	PRESENCEDS=${WANT_PRESENCEDS:-$PRESENCEDS}
	BENCH=${WANT_BENCH:-$BENCH}
	need_packages build run
	say "building"
	build release build/release
	start_stores
	save_state
	stop_surplus
}

demo_people() {
	/usr/bin/python3 "$ROOT/deploy/lib/demo.py" "http://127.0.0.1:$PORT" ||
		die "the demonstration data could not be made: the reason is above"
}

print_welcome() {
	cat <<TEXT

Parley is up: $PUBLIC_URL
A client by hand, in three lines:
  TOKEN=\$(curl -s $PUBLIC_URL/api/register -H 'Content-Type: application/json' -d '{"username":"ann'\$RANDOM'","password":"a good password","name":"Ann","email":"ann'\$RANDOM'@example.org"}' | cut -d'"' -f4)
  /usr/bin/python3 -m websockets "ws${PUBLIC_URL#http}/ws?token=\$TOKEN"
  {"type":"search_people","input":"ann"}
Stop it with: deploy/local.sh down
TEXT
}

cmd_up() {
	parse_up "$@"
	lock
	prepare
	start_all "$WITHOUT"
	if [ -n "$WITHOUT" ]; then
		say "" "Up, without $WITHOUT. Start it under a debugger with:" \
			"deploy/local.sh debug $WITHOUT"
		return 0
	fi
	[ "$DEMO" = 0 ] || demo_people
	print_welcome
}

cmd_down() {
	[ -d "$RUN" ] || return 0
	lock
	stop_all
}

# Who serves in the place of NAME without having been started by us, as under a
# debugger.
by_hand() {
	local owner=''
	case $1 in
	*-*) owner=$(port_owner "$(admin_port "$1")") ;;
	esac
	echo "${owner:--}"
	[ -n "$owner" ]
}

cmd_status() {
	local name pid where state
	[ -d "$RUN" ] || {
		say "nothing is up: deploy/local.sh up"
		return 0
	}
	load_state
	printf '%-14s %-8s %-11s %s\n' NAME PID STATE WHERE
	for name in postgres redis $(names); do
		state=down pid='' where=-
		if pid=$(running "$name"); then
			state=up
			case $name in
			postgres)
				pg_address
				where=$PG_HOST:$PG_PORT
				;;
			redis) where=$STATE/redis/redis.sock ;;
			gateway-*)
				where=http://$BIND:$((PORT + ${name##*-} - 1))
				;;
			*) where=ipc://$STATE/$name.sock ;;
			esac
			case $name in
			*-*)
				is_ready "$name" /readyz || state=not-ready
				where+=", admin 127.0.0.1:$(admin_port "$name")"
				;;
			esac
		elif where=$(by_hand "$name"); then
			state=by-hand
		fi
		printf '%-14s %-8s %-11s %s\n' "$name" "${pid:--}" "$state" "$where"
	done
}

require_name() {
	[ -n "${1-}" ] || die "a name is missing:" \
		"postgres redis $(names | tr '\n' ' ')"
	[ "$1" = postgres ] || [ "$1" = redis ] || is_name "$1" ||
		die "no process \"$1\" here: postgres redis $(names | tr '\n' ' ')"
}

cmd_stop() {
	lock
	load_state
	require_name "${1-}"
	stop_name "$1"
}

cmd_start() {
	lock
	load_state
	require_name "${1-}"
	pg_account
	pg_address
	case $1 in
	postgres) start_postgres ;;
	redis) start_redis ;;
	*)
		[ -e "$RUN/secrets" ] ||
			die "nothing has been set up yet: deploy/local.sh up"
		build release build/release
		start_process "$1"
		wait_ready "$1" /healthz
		;;
	esac
}

cmd_restart() {
	(cmd_stop "$@")
	cmd_start "$@"
}

cmd_logs() {
	load_state
	require_name "${1-}"
	[ -e "$RUN/$1.log" ] || die "$1 has not been started yet:" \
		"deploy/local.sh up"
	if [ -t 1 ]; then
		exec tail -n 100 -F "$RUN/$1.log"
	fi
	exec cat "$RUN/$1.log"
}

# What is put in front of the process: sets WITH, and ARGUMENTS to the rest.
parse_debug() {
	WITH=() ARGUMENTS=()
	case ${1-} in
	--with)
		[ $# -gt 1 ] || die "--with needs a command: local.sh --help"
		read -ra WITH <<<"$2"
		shift 2
		;;
	--with=*)
		read -ra WITH <<<"${1#*=}"
		shift
		;;
	*) WITH=(gdb) ;;
	esac
	[ "${1-}" != -- ] || shift
	ARGUMENTS=("$@")
	[ ${#WITH[@]} -gt 0 ] ||
		die "--with needs a command: local.sh --help"
	[ "${WITH[0]}" != gdb ] || need_packages debug
	command -v "${WITH[0]}" >/dev/null ||
		die "--with: ${WITH[0]} is not installed here:" \
			"deploy/packages.sh trace installs valgrind, strace," \
			"perf and rr"
}

# Signals that do not concern who debugs reach the process without a stop.
GDB=(gdb -q -x "$ROOT/deploy/gdb/parley.py"
	-ex 'handle SIGPIPE SIGHUP SIGUSR1 SIGTERM nostop noprint pass')

cmd_debug() {
	local kind=${1-}
	require_kind "$kind"
	shift
	parse_debug "$@"
	lock
	parse_up
	DEBUGGED=$kind
	prepare
	start_all "$kind"
	local i
	for ((i = 2; i <= $(count_of "$kind"); i++)); do
		start_process "$kind-$i"
	done
	stop_name "$kind-1"
	require_free_ports "$kind-1"
	# With -O1 and all debug information, unlike the release build.
	build dev build/debug
	command_of "$kind-1"
	export_settings "$kind-1"
	exec 9>&-
	cd "$ROOT"
	if [ "${WITH[*]}" = gdb ]; then
		# shellcheck disable=SC2153
		exec "${GDB[@]}" ${ARGUMENTS[@]+"${ARGUMENTS[@]}"} \
			--args "${COMMAND[@]}"
	fi
	exec "${WITH[@]}" ${ARGUMENTS[@]+"${ARGUMENTS[@]}"} "${COMMAND[@]}"
}

cmd_psql() {
	load_state
	[ -e "$RUN/secrets" ] || die "no database yet: deploy/local.sh up"
	pg_address
	# shellcheck disable=SC1091
	. "$RUN/secrets"
	PGPASSWORD=$PG_OWNER exec psql -h "$PG_HOST" -p "$PG_PORT" \
		-U parley_owner "$@" parley
}

cmd_ctl() {
	local name processes=''
	load_state
	[ -e "$RUN/secrets" ] || die "nothing has been set up yet:" \
		"deploy/local.sh up"
	for name in $(names); do
		processes+=${processes:+,}$name=127.0.0.1:$(admin_port "$name")
	done
	build release build/release
	pg_account
	pg_address
	export_settings migrate
	export PARLEY_CHATD PARLEY_PROCESSES=$processes
	PARLEY_CHATD=$(addresses chatd)
	export PARLEY_MEDIA_DIR=$RUN/media
	cd "$ROOT"
	exec "$BIN/chatd/parleyctl/parleyctl" "$@"
}

cmd_redis_cli() {
	[ -e "$RUN/redis/redis.sock" ] || die "no Redis yet: deploy/local.sh up"
	cd "$RUN/redis"
	exec redis-cli -s redis.sock "$@"
}

main() {
	local command=${1-}
	[ $# = 0 ] || shift
	case $command in
	up | down | status | start | stop | restart | logs | debug | psql | ctl)
		"cmd_$command" "$@"
		;;
	redis-cli) cmd_redis_cli "$@" ;;
	-h | --help | help | '') usage ;;
	*) die "no command \"$command\": local.sh --help" ;;
	esac
}

main "$@"
