/*
 * TLS of the links between processes, see rpc_tunnel_tls.h. The certificate of
 * the process comes from rpc_tls.c, anew for each connection.
 *
 * Failures are counted in atomics, which /metrics reads on the main thread, and
 * logged here.
 *
 * SPDX-License-Identifier: MIT
 */
#include "common/rpc_tunnel_tls.h"

#include <openssl/err.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/metrics.h"
#include "common/rpc_tls.h"
#include "common/tls.h"

#define REASON_LEN 192
/* The same failure of the same link is logged no more often than this; so many
 * are remembered, over all connections that were tried. */
#define LOG_EVERY_MS 30000
#define LOGGED_MAX 64

static struct {
	atomic_uint_fast64_t shaken[2];  /* by tls.server */
	atomic_uint_fast64_t refused[2];
	atomic_uint_fast64_t broken[2];
} counts;

/* What was logged of late. */
static struct {
	uint64_t what; /* a hash */
	uint64_t at_ms;
} logged[LOGGED_MAX];

/* ---- what is told ------------------------------------------------------- */

static const char *
remedy_of(const struct tunnel_tls *t, const char *reason)
{
	if (strstr(reason, "speak TLS") != NULL) {
		return "write tls+tcp:// in the addresses of both sides";
	}
	if (strstr(reason, "expired") != NULL ||
	    strstr(reason, "not yet valid") != NULL) {
		return "renew the certificate and send SIGHUP to its process";
	}
	if (strstr(reason, "role") != NULL || strstr(reason, "name") != NULL) {
		return "make the certificate anew, with the host's name and "
		    "the process's role: deploy/certificates.sh";
	}
	return t->server
	    ? "check rpc_tls_ca here and rpc_tls_cert of the caller"
	    : "check rpc_tls_ca here and rpc_tls_cert there, and the other "
	    "way round";
}

static uint64_t
hash_text(uint64_t h, const char *text)
{
	do {
		h = (h ^ (uint8_t)*text) * 1099511628211ULL; /* FNV-1a */
	} while (*text++ != '\0');
	return h;
}

bool
tunnel_was_told(const char *who, const char *what)
{
	uint64_t hash = hash_text(hash_text(14695981039346656037ULL, who),
	    what);
	uint64_t now = clock_mono_ms();
	size_t at = 0;

	for (size_t i = 0; i < LOGGED_MAX; i++) {
		if (logged[i].what == hash) {
			at = i;
			break;
		}
		if (logged[i].at_ms < logged[at].at_ms) {
			at = i;
		}
	}
	if (logged[at].what == hash && logged[at].at_ms + LOG_EVERY_MS > now) {
		return true;
	}
	logged[at].what = hash;
	logged[at].at_ms = now;
	return false;
}

static void
tell(struct tunnel_tls *t, const char *reason)
{
	char who[TUNNEL_SERVICE_LEN + TUNNEL_HOST_LEN + 1];

	atomic_fetch_add(&counts.refused[t->server], 1);
	snprintf(who, sizeof(who), "%s %s", t->service, t->host);
	if (tunnel_was_told(who, reason)) {
		return;
	}
	if (t->server) {
		log_warn("tls_caller_refused", "reason=\"%s\" peer=\"%s\" "
		    "remedy=\"%s\"", reason, t->peer, remedy_of(t, reason));
	} else {
		log_warn("tls_peer_refused", "service=%s host=%s reason=\"%s\" "
		    "peer=\"%s\" remedy=\"%s\"", t->service, t->host, reason,
		    t->peer, remedy_of(t, reason));
	}
}

/* The words for what OpenSSL found wrong. */
static void
reason_of(const struct tunnel_tls *t, char *text, size_t size)
{
	long verify = SSL_get_verify_result(t->ssl);
	unsigned long e = ERR_peek_error();
	const char *words = ERR_reason_error_string(e);
	int code = ERR_GET_REASON(e);

	if (t->refused != NULL) {
		snprintf(text, size, "%s", t->refused);
	} else if (verify != X509_V_OK) {
		snprintf(text, size, "its certificate is refused: %s",
		    X509_verify_cert_error_string(verify));
	} else if (ERR_GET_LIB(e) != ERR_LIB_SSL) {
		snprintf(text, size, "the handshake failed: %s",
		    words != NULL ? words : "the connection broke");
	} else if (code == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE) {
		snprintf(text, size, "it shows no certificate");
	} else if (code == SSL_R_WRONG_VERSION_NUMBER ||
	    code == SSL_R_HTTP_REQUEST || code == SSL_R_PACKET_LENGTH_TOO_LONG ||
	    code == SSL_R_RECORD_LENGTH_MISMATCH) {
		snprintf(text, size, "it does not speak TLS");
	} else if (code >= SSL_AD_REASON_OFFSET) {
		snprintf(text, size, "it refuses us: %s",
		    words != NULL ? words : "an alert");
	} else {
		snprintf(text, size, "the handshake failed: %s",
		    words != NULL ? words : "unknown cause");
	}
}

static void
give_up(struct tunnel_tls *t)
{
	char reason[REASON_LEN];

	if (t->failed) {
		return;
	}
	t->failed = true;
	/* After the first words a broken link is but a broken link: whoever cut
	 * it has logged why. */
	if (!t->heard) {
		reason_of(t, reason, sizeof(reason));
		tell(t, reason);
	}
}

/* ---- who is believed ---------------------------------------------------- */

/* OpenSSL has looked at the chain, the dates and the name; the role is ours. */
static int
on_verify(int good, X509_STORE_CTX *store)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(store,
	    SSL_get_ex_data_X509_STORE_CTX_idx());
	struct tunnel_tls *t = SSL_get_app_data(ssl);
	X509 *cert = X509_STORE_CTX_get_current_cert(store);

	if (X509_STORE_CTX_get_error_depth(store) > 0 || cert == NULL) {
		return good;
	}
	tls_subject(cert, t->peer, sizeof(t->peer));
	if (!good) {
		return 0;
	}
	t->roles = rpc_tls_roles_of(cert);
	if (t->server) {
		if (t->roles != 0) {
			return 1;
		}
		t->refused = "its certificate names no role";
	} else {
		if ((t->roles & rpc_tls_role(t->service)) != 0) {
			return 1;
		}
		t->refused = "its certificate names another role";
	}
	X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
	return 0;
}

/* ---- a connection ------------------------------------------------------- */

bool
tunnel_tls_begin(struct tunnel_tls *t, int fd, const char *service,
    const char *host)
{
	SSL_CTX *ctx = rpc_tls_context();

	t->server = service == NULL;
	if (ctx == NULL) {
		return false;
	}
	t->ssl = SSL_new(ctx);
	SSL_CTX_free(ctx);
	if (t->ssl == NULL || SSL_set_fd(t->ssl, fd) != 1) {
		return false;
	}
	SSL_set_app_data(t->ssl, t);
	/* One read for a record, instead of one for its header first. */
	SSL_set_read_ahead(t->ssl, 1);
	SSL_set_verify(t->ssl, SSL_VERIFY_PEER |
	    SSL_VERIFY_FAIL_IF_NO_PEER_CERT, on_verify);
	if (t->server) {
		SSL_set_accept_state(t->ssl);
		return true;
	}
	snprintf(t->service, sizeof(t->service), "%s", service);
	snprintf(t->host, sizeof(t->host), "%s", host);
	SSL_set_connect_state(t->ssl);
	return t->host[0] != '\0' && tls_expect_host(t->ssl, t->host);
}

/* What an operation that did not succeed means. */
static enum tunnel_io
outcome(struct tunnel_tls *t, int result)
{
	switch (SSL_get_error(t->ssl, result)) {
	case SSL_ERROR_WANT_READ:
		return IO_WANTS_READ;
	case SSL_ERROR_WANT_WRITE:
		return IO_WANTS_WRITE;
	case SSL_ERROR_ZERO_RETURN:
	case SSL_ERROR_SYSCALL:
		break;
	default:
		if (ERR_GET_REASON(ERR_peek_error()) !=
		    SSL_R_UNEXPECTED_EOF_WHILE_READING) {
			give_up(t);
		}
		break;
	}
	ERR_clear_error();
	return IO_ENDED;
}

enum tunnel_io
tunnel_tls_shake(struct tunnel_tls *t)
{
	int rv;

	ERR_clear_error();
	rv = SSL_do_handshake(t->ssl);
	if (rv != 1) {
		return outcome(t, rv);
	}
	t->done = true;
	atomic_fetch_add(&counts.shaken[t->server], 1);
	return IO_DONE;
}

enum tunnel_io
tunnel_tls_read(struct tunnel_tls *t, void *data, size_t size, size_t *len_r)
{
	int rv;

	ERR_clear_error();
	rv = SSL_read_ex(t->ssl, data, size, len_r);
	if (rv != 1) {
		return outcome(t, rv);
	}
	t->heard = true;
	return IO_DONE;
}

enum tunnel_io
tunnel_tls_write(struct tunnel_tls *t, const void *data, size_t len,
    size_t *done_r)
{
	int rv;

	ERR_clear_error();
	rv = SSL_write_ex(t->ssl, data, len, done_r);
	return rv == 1 ? IO_DONE : outcome(t, rv);
}

void
tunnel_tls_bye(struct tunnel_tls *t)
{
	if (t->ssl != NULL && t->done && !t->failed) {
		(void)SSL_shutdown(t->ssl);
		ERR_clear_error();
	}
}

void
tunnel_tls_fini(struct tunnel_tls *t)
{
	if (t->ssl != NULL && !t->done && !t->failed) {
		/* Scanners and health checks do it too: counted, not told. */
		atomic_fetch_add(&counts.broken[t->server], 1);
	}
	SSL_free(t->ssl);
	t->ssl = NULL;
}

/* ---- metrics ------------------------------------------------------------ */

static double
count_value(void *arg)
{
	return (double)atomic_load((atomic_uint_fast64_t *)arg);
}

void
tunnel_tls_metrics(void)
{
	static const char *const sides[2] = { "side=\"caller\"",
		"side=\"callee\"" };

	for (int i = 0; i < 2; i++) {
		metric_counter_fn("parley_rpc_tls_handshakes_total", sides[i],
		    "Links between processes whose TLS handshake succeeded",
		    count_value, &counts.shaken[i]);
		metric_counter_fn("parley_rpc_tls_refused_total", sides[i],
		    "Links refused: no TLS, or a certificate that is not "
		    "believed", count_value, &counts.refused[i]);
		metric_counter_fn("parley_rpc_tls_broken_total", sides[i],
		    "Links that ended within the TLS handshake, or did not end "
		    "it in time", count_value, &counts.broken[i]);
	}
}
