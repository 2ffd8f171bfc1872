# shellcheck shell=bash
#
# What each process of the local stack is started with, and building, starting,
# waiting for and stopping them. Sourced by local.sh, whose state variables
# (GATEWAYS, PORT ...) and names() it uses.
#
# SPDX-License-Identifier: MIT

# Sockets are named relative to the repository, where all are started: a unix
# socket's path may have 107 bytes, a repository's more.
addresses() {
	local i list=''
	for ((i = 1; i <= $(count_of "$1"); i++)); do
		list+=${list:+,}ipc://$STATE/$1-$i.sock
	done
	echo "$list"
}

admin_port() {
	local i=${1##*-}
	case $1 in
	gateway-*) echo $((ADMIN + i - 1)) ;;
	chatd-*) echo $((ADMIN + COUNT_MAX + i - 1)) ;;
	presenced-*) echo $((ADMIN + 2 * COUNT_MAX + i - 1)) ;;
	esac
}

# The gateway's rates, which a load test is to be free of.
RATES=(--rate-sends --rate-reads --rate-searches --rate-changes --rate-typing
	--rate-uploads --rate-upload-bytes --rate-address-frames
	--rate-address-requests --rate-address-connects --rate-address-refusals
	--rate-address-registrations --rate-address-logins
	--rate-address-login-failures)

# What lets one process stand at a breakpoint while the others wait: an hour for
# an answer, some minutes until its users count as gone.
patience_of() {
	case ${DEBUGGED-}:$1 in
	?*:gateway)
		COMMAND+=(--request-timeout="${PARLEY_REQUEST_TIMEOUT:-1h}"
			--request-attempt="${PARLEY_REQUEST_ATTEMPT:-1h}")
		;;
	gateway:presenced) COMMAND+=(--lease="${PARLEY_LEASE:-10m}") ;;
	esac
}

# Sets COMMAND to the command line of NAME, which holds no secret.
command_of() {
	local name=$1 kind=${1%-*} i=${1##*-}
	COMMAND=("$BIN/$kind/$kind" "--admin-listen=127.0.0.1:$(admin_port "$name")")
	case $kind in
	chatd)
		COMMAND+=("--listen=ipc://$STATE/$name.sock"
			"--presenced=$(addresses presenced)" --migrate=off
			"--public-url=$PUBLIC_URL")
		[ "$BENCH" = 0 ] || COMMAND+=(--password-memory=8192
			--password-ops=1 --rate-login-failures=off
			--rate-login-failures-name=off)
		;;
	presenced)
		COMMAND+=("--listen=ipc://$STATE/$name.sock"
			"--chatd=$(addresses chatd)")
		;;
	gateway)
		COMMAND+=("--listen=$BIND:$((PORT + i - 1))"
			"--chatd=$(addresses chatd)"
			"--presenced=$(addresses presenced)"
			"--public-url=$PUBLIC_URL" "--www-dir=$ROOT/gateway/www"
			"--media-dir=$RUN/media")
		[ "$BENCH" = 0 ] || COMMAND+=(--abuse-max=1000000
			--address-connections-max=1000000
			--address-handshakes-max=1000000
			"${RATES[@]/%/=off}")
		;;
	esac
	patience_of "$kind"
}

# Secrets, and the stores' addresses, travel by environment.
export_settings() {
	local owner chatd
	# shellcheck disable=SC1091
	. "$RUN/secrets"
	owner=$(pg_conninfo parley_owner "$PG_OWNER")
	chatd=$(pg_conninfo parley_chatd "$PG_CHATD")
	export PARLEY_REDIS_URL=unix:$STATE/redis/redis.sock
	case $1 in
	chatd-*)
		export PARLEY_DATABASE_URL=$chatd
		unset PARLEY_MIGRATE_URL
		;;
	migrate) export PARLEY_DATABASE_URL=$chatd PARLEY_MIGRATE_URL=$owner ;;
	*) unset PARLEY_DATABASE_URL PARLEY_MIGRATE_URL ;;
	esac
}

# ---- build -------------------------------------------------------------------

# build PRESET DIRECTORY: sets BIN.
build() {
	local preset=$1 dir=$2 cache
	if [ -n "${PARLEY_BUILD_DIR-}" ]; then
		BIN=$(cd "$ROOT" && cd "$PARLEY_BUILD_DIR" 2>/dev/null && pwd) ||
			die "PARLEY_BUILD_DIR is \"$PARLEY_BUILD_DIR\":" \
				"no such directory"
		return 0
	fi
	BIN=$ROOT/$dir
	mkdir -p "$BIN"
	cache=$BIN/CMakeCache.txt
	# A cache made at another place (the repository was moved) is useless.
	if [ -e "$cache" ] &&
		! grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$ROOT" "$cache"; then
		rm -rf "$BIN"
		mkdir -p "$BIN"
	fi
	(
		cd "$ROOT"
		[ -e "$dir/build.ninja" ] ||
			cmake --preset "$preset" -B "$dir" -DPARLEY_TESTS=OFF
		cmake --build "$dir" --target gateway chatd presenced \
			parleyctl
	) >"$RUN/build.log" 2>&1 9>&- || {
		log_tail build 15
		die "the build failed: the reason is above (all of it:" \
			"$STATE/build.log)"
	}
}

need_packages() {
	local missing
	command -v dpkg-query >/dev/null || return 0
	missing=$("$ROOT/deploy/packages.sh" --missing "$@" | tr '\n' ' ')
	[ -z "$missing" ] || "$ROOT/deploy/packages.sh" "$@" 9>&-
}

# ---- start, wait, stop ---------------------------------------------------------

migrate() {
	command_of chatd-1
	(
		export_settings migrate
		cd "$ROOT"
		exec "${COMMAND[@]}" --migrate=on --migrate-only
	) >"$RUN/migrate.log" 2>&1 9>&- </dev/null || {
		log_tail migrate
		die "the schema could not be brought up to date: the reason is" \
			"above; \"local.sh up --fresh\" starts with an empty database"
	}
}

require_free_ports() {
	local name=$1
	require_port "$(admin_port "$name")" "$name's admin port" \
		PARLEY_ADMIN_PORT
	case $name in
	gateway-*)
		require_port $((PORT + ${name##*-} - 1)) "$name" PARLEY_PORT
		;;
	esac
}

# Starts NAME unless it runs; anew if it runs with other settings.
start_process() {
	local name=$1
	command_of "$name"
	if running "$name" >/dev/null; then
		if [ "${COMMAND[*]}" != "$(cat "$RUN/$name.cmd")" ]; then
			say "restarting $name: its settings changed"
			stop_process "$name" TERM 15
		elif [ "${COMMAND[0]}" -nt "$RUN/$name.start" ]; then
			say "note: $name runs an older build:" \
				"deploy/local.sh restart $name"
			return 0
		else
			return 0
		fi
	fi
	require_free_ports "$name"
	rm -f "$RUN/$name.sock"
	mkdir -p "$RUN/media"
	export_settings "$name"
	launch "$name" "$ROOT" "${COMMAND[@]}"
	unset PARLEY_DATABASE_URL PARLEY_MIGRATE_URL
	say "started $name"
}

is_ready() {
	http_get 127.0.0.1 "$(admin_port "$1")" "$2" && [ "$HTTP_STATUS" = 200 ]
}

wait_ready() {
	local name=$1 path=$2 what=ready
	[ "$path" = /readyz ] || what=alive
	(wait_until "$name" "$READY_SECONDS" "$what" is_ready "$name" "$path") ||
		{
			is_ready "$name" /readyz || [ -z "$HTTP_BODY" ] ||
				warn "$name says: ${HTTP_BODY//$'\n'/ }"
			exit 1
		}
}

# start_all SKIPPED-KIND: with one kind left out the others cannot be ready, only
# alive.
start_all() {
	local name path=/readyz
	[ -z "$1" ] || path=/healthz
	for name in $(names); do
		[ "${name%-*}" = "$1" ] || start_process "$name"
	done
	for name in $(names); do
		[ "${name%-*}" = "$1" ] || wait_ready "$name" "$path"
	done
}

stop_name() {
	case $1 in
	postgres) stop_postgres ;;
	redis) stop_redis ;;
	*) stop_process "$1" TERM 15 ;;
	esac
	rm -f "$RUN/$1.sock"
}

stop_surplus() {
	local name
	for name in $(started); do
		case $name in
		postgres | redis) ;;
		*) is_name "$name" || {
			! running "$name" >/dev/null || say "stopping $name"
			stop_name "$name"
		} ;;
		esac
	done
}

# Gateways first, so that their people are told to come back; stores last.
stop_all() {
	local kind name
	for kind in gateway presenced chatd redis postgres; do
		for name in $(started); do
			[ "${name%-[0-9]*}" = "$kind" ] || continue
			! running "$name" >/dev/null || say "stopping $name"
			stop_name "$name" &
		done
		wait
	done
}

start_stores() {
	start_postgres
	start_redis
	migrate
}
