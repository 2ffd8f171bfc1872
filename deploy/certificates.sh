#!/usr/bin/env bash
#
# Certificates for an installation: a CA of its own, and one certificate for each
# process and server. Needs openssl alone. docs/tls.md says which goes where.
#
#   deploy/certificates.sh DIR ca
#       makes DIR/ca.crt and DIR/ca.key. Keep the key away from the servers:
#       whoever has it can make himself a gateway.
#   deploy/certificates.sh DIR gateway|chatd|presenced NAME HOST...
#       makes DIR/NAME.crt and DIR/NAME.key, for a process of this kind that is
#       reached by these host names or addresses. Others take the word of such a
#       process for what this kind may say, and nothing else.
#   deploy/certificates.sh DIR parleyctl NAME
#       the same for an operator's parleyctl: whoever has it may reset passwords
#       and erase accounts.
#   deploy/certificates.sh DIR server NAME HOST...
#       the same for PostgreSQL, Redis, or the gateways' own port; no role.
#   deploy/certificates.sh DIR client NAME
#       for a client that is known by its common name, NAME (a PostgreSQL role).
#
# A file that exists is not overwritten, except that --renew makes a new
# certificate for the key that is there. DAYS is how long a certificate holds
# (default 365; the CA: 3650).
#
# SPDX-License-Identifier: MIT
set -euo pipefail
umask 077

usage() {
	sed -n '3,/^# SPDX/{/^# SPDX/!s/^# \{0,1\}//p}' "$0"
}

die() {
	echo "certificates.sh: $*" >&2
	exit 1
}

# Quiet unless it fails.
run_openssl() {
	local output
	output=$(openssl "$@" 2>&1) || die "openssl $1: $output"
}

make_key() {
	[ -e "$1" ] || run_openssl genpkey -algorithm EC \
		-pkeyopt ec_paramgen_curve:P-256 -out "$1"
}

make_ca() {
	[ ! -e "$DIR/ca.crt" ] || die "$DIR/ca.crt is there already"
	make_key "$DIR/ca.key"
	run_openssl req -x509 -new -key "$DIR/ca.key" -sha256 \
		-days "${DAYS:-3650}" -subj "/O=Parley/CN=Parley CA" \
		-addext basicConstraints=critical,CA:TRUE,pathlen:0 \
		-addext keyUsage=critical,keyCertSign,cRLSign \
		-out "$DIR/ca.crt"
	chmod 644 "$DIR/ca.crt"
}

# An address or a name, as it stands among the alternative names.
alternative() {
	case $1 in
	*[!0-9.]*:* | *:*) echo "IP:$1" ;;
	*[!0-9.]*) echo "DNS:$1" ;;
	*) echo "IP:$1" ;;
	esac
}

# make_certificate NAME EXTENDED_USE ALTERNATIVE...
make_certificate() {
	local name=$1 use=$2 names=""
	shift 2
	[ -e "$DIR/ca.key" ] || die "no $DIR/ca.key: $0 $DIR ca"
	[ "$RENEW" = 1 ] || [ ! -e "$DIR/$name.crt" ] ||
		die "$DIR/$name.crt is there already: --renew renews it"
	names=$(printf ',%s' "$@")
	make_key "$DIR/$name.key"
	WORK=$(mktemp -d)
	trap 'rm -rf "$WORK"' EXIT
	{
		echo "basicConstraints=critical,CA:FALSE"
		echo "keyUsage=critical,digitalSignature"
		echo "extendedKeyUsage=$use"
		[ -z "${names#,}" ] || echo "subjectAltName=${names#,}"
	} >"$WORK/extensions"
	run_openssl req -new -key "$DIR/$name.key" -subj "/O=Parley/CN=$name" \
		-out "$WORK/request"
	run_openssl x509 -req -in "$WORK/request" -CA "$DIR/ca.crt" \
		-CAkey "$DIR/ca.key" -set_serial "0x$(openssl rand -hex 16)" \
		-sha256 -days "${DAYS:-365}" -extfile "$WORK/extensions" \
		-out "$WORK/certificate"
	# In one step: a process may be reading it.
	chmod 644 "$WORK/certificate"
	cp "$WORK/certificate" "$DIR/$name.crt.new"
	chmod 644 "$DIR/$name.crt.new"
	mv "$DIR/$name.crt.new" "$DIR/$name.crt"
}

main() {
	RENEW=0
	if [ "${1-}" = --renew ]; then
		RENEW=1
		shift
	fi
	case ${1-} in
	-h | --help | "")
		usage
		return
		;;
	esac
	DIR=$1
	local kind=${2-} name=${3-} host names=()
	command -v openssl >/dev/null || die "install the package openssl"
	mkdir -p "$DIR"
	if [ "$kind" = ca ]; then
		make_ca
		return
	fi
	case $name in
	"" | *[!A-Za-z0-9._-]* | ca) die "\"$name\" is no name: see --help" ;;
	esac
	for host in "${@:4}"; do
		names+=("$(alternative "$host")")
	done
	case $kind in
	gateway | chatd | presenced | parleyctl)
		[ ${#names[@]} -gt 0 ] || [ "$kind" = gateway ] ||
			[ "$kind" = parleyctl ] ||
			die "a $kind is called: name its hosts"
		make_certificate "$name" serverAuth,clientAuth \
			"URI:parley:$kind" ${names[@]+"${names[@]}"}
		;;
	server)
		[ ${#names[@]} -gt 0 ] || die "name the server's hosts"
		make_certificate "$name" serverAuth "${names[@]}"
		;;
	client) make_certificate "$name" clientAuth ;;
	*) die "no kind \"$kind\": see --help" ;;
	esac
}

main "$@"
