/*
 * Addresses and certificates of the links between processes. The handshakes are
 * in rpc_tunnel_tls.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include "common/rpc_tls.h"

#include <arpa/inet.h>
#include <grp.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/contract.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/metrics.h"
#include "common/rpc_tunnel_tls.h"

#define TLS_SCHEME "tls+tcp://"
#define TCP_SCHEME "tcp://"
#define IPC_SCHEME "ipc://"

struct rpc_link_settings rpc_links;

/* Handshakes on the tunnels' thread take a reference, a reload puts another. */
static pthread_mutex_t context_lock = PTHREAD_MUTEX_INITIALIZER;
static SSL_CTX *context; /* owned */
static const char *own_role; /* borrowed; set by the check */

/* ---- roles -------------------------------------------------------------- */

static const struct {
	const char *service;
	const char *uri;
	unsigned bit;
} roles[] = {
	{ "gateway", "parley:gateway", PROCESS_GATEWAY },
	{ "chatd", "parley:chatd", PROCESS_CHATD },
	{ "presenced", "parley:presenced", PROCESS_PRESENCED },
	{ "parleyctl", "parley:parleyctl", PROCESS_PARLEYCTL },
};

unsigned
rpc_tls_role(const char *service)
{
	for (size_t i = 0; i < ARRAY_LEN(roles); i++) {
		if (strcmp(roles[i].service, service) == 0) {
			return roles[i].bit;
		}
	}
	return 0;
}

static unsigned
role_of_uri(const ASN1_IA5STRING *uri)
{
	const char *text = (const char *)ASN1_STRING_get0_data(uri);
	size_t len = (size_t)ASN1_STRING_length(uri);

	for (size_t i = 0; i < ARRAY_LEN(roles); i++) {
		if (strlen(roles[i].uri) == len &&
		    memcmp(roles[i].uri, text, len) == 0) {
			return roles[i].bit;
		}
	}
	return 0;
}

unsigned
rpc_tls_roles_of(const X509 *cert)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name,
	    NULL, NULL);
	unsigned found = 0;

	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *n = sk_GENERAL_NAME_value(names, i);

		if (n->type == GEN_URI) {
			found |= role_of_uri(n->d.uniformResourceIdentifier);
		}
	}
	GENERAL_NAMES_free(names);
	return found;
}

/* ---- the certificate in force ------------------------------------------- */

SSL_CTX *
rpc_tls_context(void)
{
	SSL_CTX *ctx;

	pthread_mutex_lock(&context_lock);
	ctx = context;
	if (ctx != NULL) {
		SSL_CTX_up_ref(ctx);
	}
	pthread_mutex_unlock(&context_lock);
	return ctx;
}

static void
context_set(SSL_CTX *fresh)
{
	SSL_CTX *old;

	pthread_mutex_lock(&context_lock);
	old = context;
	context = fresh;
	pthread_mutex_unlock(&context_lock);
	SSL_CTX_free(old);
}

static struct tls_files
link_files(void)
{
	return (struct tls_files){ .prefix = "rpc_tls_", .ca = rpc_links.ca,
		.cert = rpc_links.cert, .key = rpc_links.key };
}

static SSL_CTX *
context_load(char why[TLS_WHY_LEN])
{
	const struct tls_files files = link_files();
	SSL_CTX *ctx;

	if (files.ca == NULL || *files.ca == '\0') {
		snprintf(why, TLS_WHY_LEN, "setting rpc_tls_ca is missing: "
		    "tls+tcp:// addresses need rpc_tls_ca, rpc_tls_cert and "
		    "rpc_tls_key (deploy/certificates.sh makes them)");
		return NULL;
	}
	ctx = tls_context_new(&files, why);
	if (ctx != NULL && (rpc_tls_roles_of(SSL_CTX_get0_certificate(ctx)) &
	    rpc_tls_role(own_role)) == 0) {
		snprintf(why, TLS_WHY_LEN, "setting rpc_tls_cert=%s: the "
		    "certificate is not made for a %s: it must name "
		    "URI:parley:%s among its alternative names "
		    "(deploy/certificates.sh does it)", files.cert, own_role,
		    own_role);
		SSL_CTX_free(ctx);
		return NULL;
	}
	return ctx;
}

static double
not_after(void *arg)
{
	SSL_CTX *ctx = rpc_tls_context();
	double ends = ctx != NULL ? (double)tls_not_after(ctx) : 0;

	(void)arg;
	SSL_CTX_free(ctx);
	return ends;
}

void
rpc_links_reload(void)
{
	const struct tls_files files = link_files();
	SSL_CTX *old = rpc_tls_context();
	char why[TLS_WHY_LEN];
	SSL_CTX *ctx;

	if (old == NULL) {
		return;
	}
	SSL_CTX_free(old);
	ctx = context_load(why);
	if (ctx == NULL) {
		log_error("certificate_refused", "cause=\"%s\" remedy=\"set it "
		    "right and send SIGHUP again; the former is still in "
		    "force\"", why);
		return;
	}
	tls_log_loaded(&files, ctx);
	context_set(ctx);
}

/* ---- addresses ---------------------------------------------------------- */

bool
rpc_is_tls(const char *url)
{
	return strncmp(url, TLS_SCHEME, strlen(TLS_SCHEME)) == 0;
}

static const char *
host_of(const char *url)
{
	return url + (rpc_is_tls(url) ? strlen(TLS_SCHEME)
	                              : strlen(TCP_SCHEME));
}

const char *
rpc_address_check(const char *url)
{
	const char *host;

	if (strncmp(url, IPC_SCHEME, strlen(IPC_SCHEME)) == 0) {
		if (strlen(url + 6) > 107) {
			return "a socket path is longer than 107 characters";
		}
		return url[6] != '\0' ? NULL : "ipc:// needs a path";
	}
	if (strncmp(url, TCP_SCHEME, strlen(TCP_SCHEME)) != 0 &&
	    !rpc_is_tls(url)) {
		return "an address is ipc://path, tls+tcp://host:port or "
		    "tcp://host:port";
	}
	host = host_of(url);
	return strrchr(host, ':') != NULL && host[0] != ':'
	    ? NULL : "tcp:// and tls+tcp:// need host:port";
}

/* Whether only this machine reaches the address. */
static bool
is_local(const char *url)
{
	const char *host;
	char *name;
	bool local;

	if (strncmp(url, TCP_SCHEME, strlen(TCP_SCHEME)) != 0) {
		return !rpc_is_tls(url);
	}
	host = host_of(url);
	if (strncmp(host, "[::1]:", 6) == 0) {
		return true;
	}
	name = mem_strndup(host, (size_t)(strrchr(host, ':') - host));
	local = *name != '\0' && tls_host_is_local(name);
	free(name);
	return local;
}

static bool
url_check(const char *setting, const char *url, bool *tls_r,
    char why[TLS_WHY_LEN])
{
	const char *bad = rpc_address_check(url);

	if (bad != NULL) {
		snprintf(why, TLS_WHY_LEN, "setting %s=%.128s: %s", setting,
		    url, bad);
		return false;
	}
	*tls_r = *tls_r || rpc_is_tls(url);
	if (rpc_is_tls(url) || is_local(url) || rpc_links.insecure) {
		return true;
	}
	snprintf(why, TLS_WHY_LEN, "setting %s=%.128s: a plain link beyond "
	    "this machine lets anybody act for any user: write tls+tcp:// and "
	    "set rpc_tls_ca, rpc_tls_cert and rpc_tls_key, or, on a network "
	    "that is closed by other means, insecure_links = on", setting, url);
	return false;
}

static bool
list_check(const struct rpc_addresses *a, bool *tls_r, char why[TLS_WHY_LEN])
{
	char *copy = mem_strdup(a->value != NULL ? a->value : "");
	char *save = NULL;
	bool good = true;

	for (char *t = strtok_r(copy, ", ", &save); good && t != NULL;
	    t = strtok_r(NULL, ", ", &save)) {
		good = url_check(a->setting, t, tls_r, why);
	}
	free(copy);
	return good;
}

static bool
group_check(char why[TLS_WHY_LEN])
{
	if (rpc_links.group == NULL || *rpc_links.group == '\0' ||
	    getgrnam(rpc_links.group) != NULL) {
		return true;
	}
	snprintf(why, TLS_WHY_LEN, "setting listen_group=%s: there is no such "
	    "group", rpc_links.group);
	return false;
}

bool
rpc_links_check(const char *process, const struct rpc_addresses *list,
    char why[TLS_WHY_LEN])
{
	const struct tls_files files = link_files();
	bool tls = false;
	SSL_CTX *ctx;

	for (; list->setting != NULL; list++) {
		if (!list_check(list, &tls, why)) {
			return false;
		}
	}
	if (!group_check(why)) {
		return false;
	}
	if (!tls && (files.cert == NULL || *files.cert == '\0')) {
		return true;
	}
	own_role = process;
	ctx = context_load(why);
	if (ctx == NULL) {
		return false;
	}
	context_set(ctx);
	return true;
}

/* ---- the first link ----------------------------------------------------- */

bool
rpc_tls_ready(void)
{
	const struct tls_files files = link_files();
	static bool told;
	SSL_CTX *ctx = rpc_tls_context();

	if (ctx == NULL) {
		return false;
	}
	if (!told) {
		told = true;
		tls_log_loaded(&files, ctx);
		tunnel_tls_metrics();
		metric_gauge_fn("parley_certificate_not_after_seconds",
		    "setting=\"rpc_tls_cert\"",
		    "When the certificate ends, in Unix time", not_after,
		    NULL);
	}
	SSL_CTX_free(ctx);
	return true;
}
