/*
 * rpc_links: who may be at the other end of a link between processes.
 *
 *   ipc://path        the file's mode: ours alone, or one group's
 *   tcp://host:port   anybody who reaches it: this machine only, unless
 *                     insecure_links says otherwise
 *   tls+tcp://...     TLS with certificates both ways
 *
 * A certificate says by URIs among its alternative names which processes its
 * holder is: URI:parley:gateway, parley:chatd, parley:presenced, or that it is an
 * operator's tool, parley:parleyctl. A caller wants the role it calls and the
 * host's name; a callee takes from each caller only those calls that its role may
 * make (contract.def says which). So nobody but a gateway can say on whose behalf
 * a request comes. Without TLS, operators' calls are taken from root and our own
 * account alone. The reasons are in docs/decisions/041.
 *
 * Main thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COMMON_RPC_LINKS_H
#define COMMON_RPC_LINKS_H

#include <stdbool.h>

#include "common/attr.h"
#include "common/config.h"
#include "common/tls.h"

struct rpc_link_settings {
	char *ca;
	char *cert;
	char *key;
	char *group;
	bool insecure;
	bool insecure_admin;
};

extern struct rpc_link_settings rpc_links;

/* Rows of every process that calls or is called. */
#define RPC_LINK_ROWS \
	{ "rpc_tls_ca", CONFIG_TEXT, &rpc_links.ca, "", 0, 0, 0, \
	    "file of the CAs that make the processes' certificates, for " \
	    "tls+tcp:// addresses" }, \
	{ "rpc_tls_cert", CONFIG_TEXT, &rpc_links.cert, "", 0, 0, 0, \
	    "file of this process's certificate and its chain; read again at " \
	    "SIGHUP" }, \
	{ "rpc_tls_key", CONFIG_TEXT, &rpc_links.key, "", 0, 0, 0, \
	    "file of the certificate's key, without pass phrase, closed to " \
	    "other accounts" }, \
	{ "insecure_links", CONFIG_BOOL, &rpc_links.insecure, "off", 0, 0, 0, \
	    "allow links beyond this machine without TLS, to processes, " \
	    "Redis and PostgreSQL: who is on the way may act for any user" }

/* A row of those that listen. */
#define RPC_LISTEN_ROWS \
	{ "listen_group", CONFIG_TEXT, &rpc_links.group, "", 0, 0, 0, \
	    "group that may connect to an ipc:// socket; empty: this " \
	    "process's own account alone" }

/* A row of those that take ADMIN calls. */
#define RPC_ADMIN_ROWS \
	{ "insecure_admin_calls", CONFIG_BOOL, &rpc_links.insecure_admin, \
	    "off", 0, 0, 0, "take what operators ask (parleyctl) over tcp:// " \
	    "links too: whoever reaches them may reset passwords and erase " \
	    "accounts" }

/* One setting that holds addresses. */
struct rpc_addresses {
	const char *setting; /* NULL ends a list of these */
	const char *value;   /* comma-separated */
};

/* Checks addresses and, where one is tls+tcp://, the files. False: `why` names
 * the setting and the remedy. `process` is the role our certificate must have.
 * Also keeps the certificate for the links to come. */
MUST_CHECK bool rpc_links_check(const char *process,
    const struct rpc_addresses *list, char why[TLS_WHY_LEN]);
/* Reads the files again: later connections use them, those that are stay. A file
 * that is bad is logged and changes nothing. */
void rpc_links_reload(void);

/* Why this address cannot be one, or NULL. */
const char *rpc_address_check(const char *url);
bool rpc_is_tls(const char *url);

#endif
