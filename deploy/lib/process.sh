# shellcheck shell=bash
#
# Processes of the local stack: start, verify, stop, wait. Sourced by local.sh.
#
# NAME.pid holds the process id, NAME.start the kernel's start time of it (a pid
# alone may by now be somebody else's), NAME.cmd what was started, NAME.log its
# output; NAME.log.1 is that of the run before. All in $RUN.
#
# SPDX-License-Identifier: MIT

say() {
	printf '%s\n' "$*"
}

warn() {
	printf 'local.sh: %s\n' "$*" >&2
}

die() {
	warn "$*"
	exit 1
}

# The kernel's start time of a process, in clock ticks; fails if it is gone or a
# zombie.
start_time() {
	local stat
	read -r stat 2>/dev/null <"/proc/$1/stat" || return 1
	# shellcheck disable=SC2086
	set -- ${stat##*) }
	[ "$1" != Z ] && [ "$1" != X ] || return 1
	printf '%s\n' "${20}"
}

# Prints the pid of NAME if that very process still runs.
running() {
	local pid was now
	pid=$(cat "$RUN/$1.pid" 2>/dev/null) || return 1
	was=$(cat "$RUN/$1.start" 2>/dev/null) || return 1
	now=$(start_time "$pid") || return 1
	[ "$was" = "$now" ] || return 1
	printf '%s\n' "$pid"
}

forget() {
	rm -f "$RUN/$1.pid" "$RUN/$1.start" "$RUN/$1.cmd"
}

# launch NAME WORKDIR COMMAND...: detached from terminal and caller, so that it
# outlives both. Not the caller's child: "debug" becomes strace or rr, which wait
# for all their children.
launch() {
	local name=$1 dir=$2 pid
	shift 2
	[ ! -e "$RUN/$name.log" ] || mv -f "$RUN/$name.log" "$RUN/$name.log.1"
	pid=$(
		cd "$dir" || exit
		setsid "$@" </dev/null >"$RUN/$name.log" 2>&1 9>&- &
		echo "$!"
	)
	printf '%s\n' "$pid" >"$RUN/$name.pid"
	start_time "$pid" >"$RUN/$name.start" || true
	printf '%s\n' "$*" >"$RUN/$name.cmd"
}

log_tail() {
	[ ! -s "$RUN/$1.log" ] || tail -n "${2:-5}" "$RUN/$1.log" |
		sed "s/^/  $1: /" >&2
}

# wait_until NAME SECONDS WHAT CHECK...: until CHECK succeeds, while NAME runs.
wait_until() {
	local name=$1 seconds=$2 what=$3 end
	shift 3
	end=$((SECONDS + seconds))
	until "$@"; do
		running "$name" >/dev/null || {
			log_tail "$name"
			forget "$name"
			die "$name ended at once; the reason is above (all of it:" \
				"$STATE/$name.log)"
		}
		[ "$SECONDS" -lt "$end" ] || {
			log_tail "$name"
			die "$name is not $what after $seconds s;" \
				"see $STATE/$name.log, then \"local.sh restart $name\""
		}
		sleep 0.05
	done
}

# stop_process NAME SIGNAL SECONDS: SIGNAL, then after a bounded wait SIGKILL.
stop_process() {
	local name=$1 signal=$2 seconds=$3 pid end
	pid=$(running "$name") || {
		forget "$name"
		return 0
	}
	kill -s "$signal" "$pid" 2>/dev/null || true
	# A process stopped by SIGSTOP or a debugger must wake up to obey.
	kill -s CONT "$pid" 2>/dev/null || true
	end=$((SECONDS + seconds))
	while running "$name" >/dev/null; do
		[ "$SECONDS" -lt "$end" ] || {
			warn "$name did not stop within $seconds s: killed"
			kill -s KILL "$pid" 2>/dev/null || true
			break
		}
		sleep 0.05
	done
	while running "$name" >/dev/null; do
		sleep 0.05
	done
	forget "$name"
}

# shellcheck disable=SC2034
# http_get HOST PORT PATH: sets HTTP_STATUS and HTTP_BODY; fails when nobody
# answers. Needs no curl.
http_get() {
	local line fd
	HTTP_STATUS='' HTTP_BODY=''
	{ exec {fd}<>"/dev/tcp/$1/$2"; } 2>/dev/null || return 1
	printf 'GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n' \
		"$3" "$1" 1>&"$fd" || {
		exec {fd}<&-
		return 1
	}
	if read -r -t 3 line <&"$fd"; then
		HTTP_STATUS=$(cut -d' ' -f2 <<<"$line")
		while read -r -t 3 line <&"$fd" && [ "$line" != $'\r' ]; do
			:
		done
		HTTP_BODY=$(timeout 3 cat <&"$fd" 2>/dev/null | tr -d '\r' |
			head -c 500)
	fi
	exec {fd}<&- {fd}>&-
	[ -n "$HTTP_STATUS" ]
}

# Who listens on a TCP port: "name (pid N)", or "another process" where the
# kernel does not tell us; nothing when the port is free.
port_owner() {
	local hex inode fd pid
	hex=$(printf ':%04X' "$1")
	inode=$(awk -v p="$hex" '$4 == "0A" && substr($2, length($2) - 4) == p {
		print $10; exit }' /proc/net/tcp /proc/net/tcp6 2>/dev/null)
	[ -n "$inode" ] || return 0
	fd=$(find /proc/[0-9]*/fd -lname "socket:\[$inode\]" -print -quit \
		2>/dev/null) || true
	if [ -n "$fd" ]; then
		pid=$(cut -d/ -f3 <<<"$fd")
		printf '%s (pid %s)\n' "$(cat "/proc/$pid/comm" 2>/dev/null)" "$pid"
	else
		echo "another process"
	fi
}

# require_port PORT WHAT VARIABLE
require_port() {
	local owner
	owner=$(port_owner "$1")
	[ -z "$owner" ] || die "port $1 for $2 is taken by $owner:" \
		"stop that process or set $3 to another number"
}

free_port() {
	local p
	for p in $(shuf -i 20000-29999 -n 50); do
		[ -n "$(port_owner "$p")" ] || {
			echo "$p"
			return 0
		}
	done
	die "no free port between 20000 and 29999"
}
