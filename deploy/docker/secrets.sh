#!/usr/bin/env bash
#
# Makes deploy/docker/secrets/, from which compose.yaml takes passwords and the
# site's certificate, and deploy/docker/.env, with the site's URL.
#
#   deploy/docker/secrets.sh HOST
#
# HOST is the site's name. Its certificate is made by a CA of our own
# (secrets/ca/ca.crt), for trying; put one that browsers know in the place of
# secrets/site.pem: certificate, chain and key. What is there is kept; passwords
# belong to the volume of the database, which knows them.
#
# The directory is closed to other accounts. The files in it are not: the
# containers read them as accounts of their own.
#
# SPDX-License-Identifier: MIT
set -euo pipefail

case ${1--h} in
-*)
	sed -n '3,15s/^# \{0,1\}//p' "$0"
	exit 0
	;;
esac
host=$1
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
command -v openssl >/dev/null || {
	echo "secrets.sh: there is no openssl: apt-get install openssl" >&2
	exit 1
}
umask 077
mkdir -p "$here/secrets"
cd "$here/secrets"

# put NAME: standard input, unless it is there.
put() {
	if [ -e "$1" ]; then
		cat >/dev/null
	else
		cat >"$1.new"
		chmod 444 "$1.new"
		mv "$1.new" "$1"
	fi
}

if [ ! -e roles.sql ]; then
	owner=$(openssl rand -hex 24)
	chatd=$(openssl rand -hex 24)
	server="host=postgres dbname=parley"
	rm -f migrate_url database_url
	put migrate_url <<<"$server user=parley_owner password=$owner"
	put database_url <<<"$server user=parley_chatd password=$chatd"
	put roles.sql <<-SQL
		CREATE ROLE parley_owner LOGIN PASSWORD '$owner';
		CREATE ROLE parley_chatd LOGIN PASSWORD '$chatd';
		CREATE DATABASE parley OWNER parley_owner;
		REVOKE ALL ON DATABASE parley FROM PUBLIC;
		GRANT CONNECT ON DATABASE parley TO parley_chatd;
	SQL
fi
openssl rand -hex 24 | put postgres_password
if [ ! -e redis_conf ]; then
	password=$(openssl rand -hex 24)
	rm -f redis_url
	put redis_url <<<"redis://:$password@redis:6379"
	# It keeps nothing: what is in it comes back by itself.
	put redis_conf <<-CONF
		requirepass $password
		save ""
		appendonly no
		client-output-buffer-limit pubsub 256mb 64mb 60
	CONF
fi
if [ ! -e site.pem ]; then
	[ -e ca/ca.crt ] || "$here/../certificates.sh" ca ca
	"$here/../certificates.sh" ca server site "$host"
	cat ca/site.crt ca/site.key | put site.pem
fi
if [ ! -e ../.env ]; then
	printf '%s\n' COMPOSE_PROJECT_NAME=parley \
		"PARLEY_PUBLIC_URL=https://$host" >../.env
fi
