# shellcheck shell=bash
#
# The private PostgreSQL and Redis of the local stack. Sourced by local.sh.
#
# PostgreSQL lives in $RUN/postgres and is reached by a unix socket there, or,
# where the repository lies so deep that the socket's path would be too long, on
# 127.0.0.1. Every account needs its password ($RUN/secrets, mode 0600). Run by
# root it is an unprivileged account's process. Redis lives in $RUN/redis, keeps
# nothing on disk and has only a unix socket, reached by a relative path.
#
# SPDX-License-Identifier: MIT

PG_ACCOUNT=postgres

pg_bin() {
	local dir
	for dir in $(printf '%s\n' /usr/lib/postgresql/*/bin | sort -rV) \
		$(pg_config --bindir 2>/dev/null || true); do
		if [ -x "$dir/initdb" ] && [ -x "$dir/postgres" ]; then
			echo "$dir"
			return 0
		fi
	done
	die "PostgreSQL's server programs are not installed:" \
		"deploy/packages.sh run"
}

# Sets PG_AS: the words before a command that PostgreSQL's account is to run.
# Root lends it the right to pass through directories that are closed to it
# (/root, say): its own files are all it can change.
pg_account() {
	PG_AS=()
	[ "$(id -u)" = 0 ] || return 0
	id "$PG_ACCOUNT" >/dev/null 2>&1 || die "no account $PG_ACCOUNT:" \
		"PostgreSQL refuses to run as root; deploy/packages.sh run"
	PG_AS=(setpriv --reuid "$PG_ACCOUNT" --regid "$PG_ACCOUNT" --init-groups)
	if "${PG_AS[@]}" --inh-caps +dac_read_search \
		--ambient-caps +dac_read_search true 2>/dev/null; then
		PG_AS+=(--inh-caps +dac_read_search
			--ambient-caps +dac_read_search)
	elif ! "${PG_AS[@]}" test -x "$RUN" 2>/dev/null; then
		die "the account $PG_ACCOUNT cannot reach $RUN:" \
			"move the repository to a directory that others may enter"
	fi
}

random_word() {
	od -An -tx1 -N24 /dev/urandom | tr -d ' \n'
}

make_secrets() {
	[ ! -e "$RUN/secrets" ] || return 0
	(
		umask 077
		printf 'PG_SUPER=%s\nPG_OWNER=%s\nPG_CHATD=%s\n' "$(random_word)" \
			"$(random_word)" "$(random_word)" >"$RUN/secrets"
	)
}

# Where PostgreSQL listens: sets PG_HOST and PG_PORT.
pg_address() {
	PG_HOST=$RUN/postgres PG_PORT=5432
	if [ "${#RUN}" -gt 80 ]; then
		PG_HOST=127.0.0.1
		[ -s "$RUN/postgres.port" ] || free_port >"$RUN/postgres.port"
		PG_PORT=$(cat "$RUN/postgres.port")
	fi
}

# A libpq conninfo. Never put on a command line: it holds the password.
pg_conninfo() {
	local host=$PG_HOST
	host=${host//\\/\\\\}
	host=${host//\'/\\\'}
	printf "host='%s' port=%s dbname=parley user=%s password=%s" \
		"$host" "$PG_PORT" "$1" "$2"
}

pg_init() {
	local dir=$RUN/postgres
	[ ! -e "$dir/data/PG_VERSION" ] || return 0
	rm -rf "$dir" "$RUN/secrets"
	make_secrets
	# shellcheck disable=SC1091
	. "$RUN/secrets"
	mkdir -m 700 "$dir"
	printf '%s\n' "$PG_SUPER" >"$dir/password"
	[ ${#PG_AS[@]} = 0 ] || chown -R "$PG_ACCOUNT" "$dir"
	(cd "$dir" && "${PG_AS[@]}" "$(pg_bin)/initdb" -D "$dir/data" \
		-U postgres -A scram-sha-256 --pwfile="$dir/password" \
		-E UTF8 --locale=C.UTF-8) >"$RUN/initdb.log" 2>&1 || {
		log_tail initdb
		rm -rf "$dir"
		die "initdb failed: the reason is above"
	}
	rm -f "$dir/password"
}

# What an operator sets as well (docs/operations.md, "Tuning the stores"): sets
# PG_TUNING. An eighth of the memory, 128 MB to 2 GB, is PostgreSQL's own; durability
# stays as it is by default. Not every PostgreSQL is built with lz4.
pg_tuning() {
	local own compression
	own=$(awk '$1 == "MemTotal:" { print int($2 / 8192) }' /proc/meminfo)
	own=$((own < 128 ? 128 : own > 2048 ? 2048 : own))
	compression=$(${PG_AS[@]+"${PG_AS[@]}"} "$(pg_bin)/postgres" \
		-C wal_compression -D "$RUN/postgres/data" \
		-c wal_compression=lz4 2>/dev/null) || compression=on
	PG_TUNING=(-c "shared_buffers=${own}MB"
		-c "wal_compression=$compression"
		-c max_wal_size=4GB -c checkpoint_timeout=15min)
}

pg_answers() {
	"$(pg_bin)/pg_isready" -q -h "$PG_HOST" -p "$PG_PORT"
}

pg_psql() {
	PGPASSWORD=$PG_SUPER psql -X -q -v ON_ERROR_STOP=1 -h "$PG_HOST" \
		-p "$PG_PORT" -U postgres "$@"
}

# Two roles: parley_owner owns the schema and applies the migrations;
# parley_chatd is what chatd runs as and owns nothing.
pg_roles() {
	[ -e "$RUN/secrets" ] || die "$RUN/secrets is gone, so the database" \
		"cannot be entered: \"local.sh up --fresh\" makes a new one"
	# shellcheck disable=SC1091
	. "$RUN/secrets"
	pg_psql -d postgres >"$RUN/roles.log" 2>&1 <<SQL || {
SET log_min_error_statement = panic; -- the passwords below stay out of logs
SELECT 'CREATE ROLE ' || r || ' LOGIN' FROM unnest(
    ARRAY['parley_owner', 'parley_chatd']) r
  WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = r) \gexec
ALTER ROLE parley_owner PASSWORD '$PG_OWNER';
ALTER ROLE parley_chatd PASSWORD '$PG_CHATD';
SELECT 'CREATE DATABASE parley OWNER parley_owner'
  WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'parley') \gexec
REVOKE ALL ON DATABASE parley FROM PUBLIC;
GRANT CONNECT ON DATABASE parley TO parley_chatd;
SQL
		log_tail roles
		die "the roles of the database could not be made:" \
			"\"local.sh up --fresh\" starts with a new one"
	}
}

start_postgres() {
	pg_account
	pg_init
	pg_address
	if ! running postgres >/dev/null; then
		local listen='' sockets=$RUN/postgres
		if [ "$PG_HOST" = 127.0.0.1 ]; then
			[ -z "$(port_owner "$PG_PORT")" ] || {
				rm -f "$RUN/postgres.port"
				pg_address
			}
			listen=127.0.0.1 sockets=
		fi
		pg_tuning
		launch postgres "$RUN/postgres" ${PG_AS[@]+"${PG_AS[@]}"} \
			"$(pg_bin)/postgres" -D "$RUN/postgres/data" \
			"${PG_TUNING[@]}" \
			-c "listen_addresses=$listen" -c "port=$PG_PORT" \
			-c "unix_socket_directories=${sockets:+\"$sockets\"}" \
			-c log_parameter_max_length=0 \
			-c log_parameter_max_length_on_error=0
		say "started postgres"
	fi
	wait_until postgres 60 ready pg_answers
	pg_roles
}

redis_cli() {
	(cd "$RUN/redis" && redis-cli -s redis.sock "$@")
}

redis_answers() {
	[ "$(redis_cli ping 2>/dev/null)" = PONG ]
}

start_redis() {
	if ! running redis >/dev/null; then
		command -v redis-server >/dev/null ||
			die "redis-server is not installed: deploy/packages.sh run"
		mkdir -p "$RUN/redis"
		chmod 700 "$RUN/redis"
		rm -f "$RUN/redis/redis.sock"
		# Redis carries live events and presence, both made anew after
		# a loss, so nothing is saved. A gateway may lag by as much as
		# the pubsub limit says before Redis cuts it off.
		cat >"$RUN/redis/redis.conf" <<'CONF'
port 0
unixsocket redis.sock
unixsocketperm 700
save ""
appendonly no
maxmemory 512mb
maxmemory-policy noeviction
client-output-buffer-limit pubsub 256mb 64mb 60
CONF
		launch redis "$RUN/redis" redis-server redis.conf
		say "started redis"
	fi
	wait_until redis 20 ready redis_answers
}

stop_postgres() {
	stop_process postgres INT 30
}

stop_redis() {
	stop_process redis TERM 10
}
