/*
 * An engine for NNG's TLS, on OpenSSL. NNG moves the bytes and calls; here are
 * the handshake, the records and who is believed.
 *
 * Why not the one Debian builds in (mbed TLS): it tells neither why a handshake
 * failed nor who is at the other end, and its certificates cannot be renewed
 * while the process runs.
 *
 *   NNG's TLS stream -- handshake, send, recv --> SSL -- BIO --> NNG's buffers
 *
 * Traps of NNG 1.5.2 and 1.10 that are dealt with here:
 * - A time limit on the first send does not end a handshake that is stuck, only
 *   one on a receive does. So the first few bytes (NNG's own header) are taken
 *   at once and kept until the handshake is done: then it is the receive that
 *   waits, and after 10 s NNG closes a connection that says nothing.
 * - An engine may not be told that its connection broke; fini comes in any case,
 *   also for what never began.
 *
 * Thread: NNG's, one at a time for a connection; the BIO's calls are within
 * those. Failures are counted in atomics and logged here.
 *
 * SPDX-License-Identifier: MIT
 */
#include <nng/nng.h>
#include <nng/supplemental/tls/engine.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/contract.h"
#include "common/log.h"
#include "common/metrics.h"
#include "common/rpc_tls.h"
#include "common/rpc_tls_int.h"
#include "common/tls.h"

#define SERVICE_LEN 16
#define HOST_LEN 256
#define REASON_LEN 192
/* NNG's header is of 8 bytes. */
#define EARLY_MAX 64
/* The same failure of the same link is logged no more often than this; so many
 * are remembered, over all diallers that were tried. */
#define LOG_EVERY_MS 30000
#define LOGGED_MAX 64

struct nng_tls_engine_config {
	bool server;
	char service[SERVICE_LEN]; /* callers: whom we call */
	char host[HOST_LEN];
};

struct nng_tls_engine_conn {
	struct nng_tls_engine_config *config; /* borrowed; NNG holds it longer */
	void *lower;                          /* NNG's stream, for the BIO */
	SSL *ssl;                             /* owned; NULL: init failed */
	bool done;                            /* the handshake */
	bool heard;                           /* something came after it */
	bool failed;
	unsigned roles;                       /* of the other side */
	const char *refused;                  /* why we do not believe it */
	char peer[128];                       /* its subject */
	uint8_t early[EARLY_MAX];
	size_t early_len;
};

static struct {
	atomic_uint_fast64_t shaken[2];  /* by config.server */
	atomic_uint_fast64_t refused[2];
	atomic_uint_fast64_t broken[2];
} counts;

/* What was logged of late. */
static pthread_mutex_t logged_lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
	uint64_t what; /* a hash */
	uint64_t at_ms;
} logged[LOGGED_MAX];

static BIO_METHOD *bio_method;

/* ---- what is told ------------------------------------------------------- */

static const char *
remedy_of(const struct nng_tls_engine_conn *c, const char *reason)
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
	return c->config->server
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

/* Whether this was logged a moment ago; if not, it counts as logged now. */
static bool
was_told(const struct nng_tls_engine_config *k, const char *reason)
{
	uint64_t what = hash_text(hash_text(hash_text(14695981039346656037ULL,
	    k->service), k->host), reason);
	uint64_t now = clock_mono_ms();
	size_t at = 0;
	bool told = false;

	pthread_mutex_lock(&logged_lock);
	for (size_t i = 0; i < LOGGED_MAX; i++) {
		if (logged[i].what == what) {
			told = logged[i].at_ms + LOG_EVERY_MS > now;
			at = i;
			break;
		}
		if (logged[i].at_ms < logged[at].at_ms) {
			at = i;
		}
	}
	if (!told) {
		logged[at].what = what;
		logged[at].at_ms = now;
	}
	pthread_mutex_unlock(&logged_lock);
	return told;
}

static void
tell(struct nng_tls_engine_conn *c, const char *reason)
{
	const struct nng_tls_engine_config *k = c->config;

	atomic_fetch_add(&counts.refused[k->server], 1);
	if (was_told(k, reason)) {
		return;
	}
	if (k->server) {
		log_warn("tls_caller_refused", "reason=\"%s\" peer=\"%s\" "
		    "remedy=\"%s\"", reason, c->peer, remedy_of(c, reason));
	} else {
		log_warn("tls_peer_refused", "service=%s host=%s reason=\"%s\" "
		    "peer=\"%s\" remedy=\"%s\"", k->service, k->host, reason,
		    c->peer, remedy_of(c, reason));
	}
}

/* The words for what OpenSSL found wrong. */
static void
reason_of(const struct nng_tls_engine_conn *c, char *text, size_t size)
{
	long verify = SSL_get_verify_result(c->ssl);
	unsigned long e = ERR_peek_error();
	const char *words = ERR_reason_error_string(e);
	int code = ERR_GET_REASON(e);

	if (c->refused != NULL) {
		snprintf(text, size, "%s", c->refused);
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

/* An operation ended with SSL_ERROR_SSL or the like. Returns NNG's error. */
static int
give_up(struct nng_tls_engine_conn *c)
{
	char reason[REASON_LEN];

	if (!c->failed) {
		c->failed = true;
		/* After the first words a broken link is but a broken link:
		 * whoever cut it has logged why. */
		if (!c->heard) {
			reason_of(c, reason, sizeof(reason));
			tell(c, reason);
		}
	}
	ERR_clear_error();
	return NNG_EPEERAUTH;
}

/* ---- who is believed ---------------------------------------------------- */

/* OpenSSL has looked at the chain, the dates and the name; the role is ours. */
static int
on_verify(int good, X509_STORE_CTX *store)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(store,
	    SSL_get_ex_data_X509_STORE_CTX_idx());
	struct nng_tls_engine_conn *c = SSL_get_app_data(ssl);
	X509 *cert = X509_STORE_CTX_get_current_cert(store);

	if (X509_STORE_CTX_get_error_depth(store) > 0 || cert == NULL) {
		return good;
	}
	tls_subject(cert, c->peer, sizeof(c->peer));
	if (!good) {
		return 0;
	}
	c->roles = rpc_tls_roles_of(cert);
	if (c->config->server) {
		if (c->roles != 0) {
			return 1;
		}
		c->refused = "its certificate names no role";
	} else {
		if ((c->roles & rpc_tls_role(c->config->service)) != 0) {
			return 1;
		}
		c->refused = "its certificate names another role";
	}
	X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
	return 0;
}

/* ---- bytes -------------------------------------------------------------- */

static int
on_bio_write(BIO *bio, const char *data, size_t len, size_t *done_r)
{
	int rv = nng_tls_engine_send(BIO_get_data(bio), (const uint8_t *)data,
	    &len);

	BIO_clear_retry_flags(bio);
	*done_r = rv == 0 ? len : 0;
	if (rv == NNG_EAGAIN) {
		BIO_set_retry_write(bio);
	}
	return rv == 0;
}

static int
on_bio_read(BIO *bio, char *data, size_t len, size_t *done_r)
{
	int rv = nng_tls_engine_recv(BIO_get_data(bio), (uint8_t *)data, &len);

	BIO_clear_retry_flags(bio);
	*done_r = rv == 0 ? len : 0;
	if (rv == NNG_EAGAIN) {
		BIO_set_retry_read(bio);
	}
	return rv == 0;
}

static long
on_bio_ctrl(BIO *bio, int cmd, long num, void *ptr)
{
	(void)bio;
	(void)num;
	(void)ptr;
	return cmd == BIO_CTRL_FLUSH;
}

static int
on_bio_create(BIO *bio)
{
	BIO_set_init(bio, 1);
	return 1;
}

/* ---- a connection ------------------------------------------------------- */

static int
conn_init(struct nng_tls_engine_conn *c, void *lower,
    struct nng_tls_engine_config *config)
{
	SSL_CTX *ctx = rpc_tls_context();
	BIO *bio;

	c->config = config;
	c->lower = lower;
	if (ctx == NULL) {
		return NNG_ENOTSUP;
	}
	c->ssl = SSL_new(ctx);
	SSL_CTX_free(ctx);
	bio = BIO_new(bio_method);
	if (c->ssl == NULL || bio == NULL) {
		BIO_free(bio);
		return NNG_ENOMEM;
	}
	BIO_set_data(bio, lower);
	SSL_set_bio(c->ssl, bio, bio);
	SSL_set_app_data(c->ssl, c);
	SSL_set_verify(c->ssl, SSL_VERIFY_PEER |
	    SSL_VERIFY_FAIL_IF_NO_PEER_CERT, on_verify);
	if (config->server) {
		SSL_set_accept_state(c->ssl);
		return 0;
	}
	SSL_set_connect_state(c->ssl);
	return config->host[0] != '\0' && tls_expect_host(c->ssl,
	    config->host)
	    ? 0 : NNG_EADDRINVAL;
}

static void
conn_fini(struct nng_tls_engine_conn *c)
{
	if (c->ssl != NULL && !c->done && !c->failed) {
		/* Scanners and health checks do it too: counted, not told. */
		atomic_fetch_add(&counts.broken[c->config->server], 1);
	}
	SSL_free(c->ssl);
	c->ssl = NULL;
}

static void
conn_close(struct nng_tls_engine_conn *c)
{
	if (c->ssl != NULL && c->done && !c->failed) {
		(void)SSL_shutdown(c->ssl);
		ERR_clear_error();
	}
}

/* What an operation that did not succeed means to NNG. */
static int
outcome(struct nng_tls_engine_conn *c, int result)
{
	switch (SSL_get_error(c->ssl, result)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		return NNG_EAGAIN;
	case SSL_ERROR_ZERO_RETURN:
	case SSL_ERROR_SYSCALL:
		ERR_clear_error();
		return NNG_ECLOSED;
	default:
		return give_up(c);
	}
}

/* What was taken before the handshake was done. */
static int
early_flush(struct nng_tls_engine_conn *c)
{
	while (c->early_len > 0) {
		size_t n = 0;
		int rv = SSL_write_ex(c->ssl, c->early, c->early_len, &n);

		if (rv != 1) {
			return outcome(c, rv);
		}
		c->early_len -= n;
		memmove(c->early, c->early + n, c->early_len);
	}
	return 0;
}

static int
conn_handshake(struct nng_tls_engine_conn *c)
{
	int rv;

	if (c->failed) {
		return NNG_EPEERAUTH;
	}
	ERR_clear_error();
	if (!c->done) {
		rv = SSL_do_handshake(c->ssl);
		if (rv != 1) {
			return outcome(c, rv);
		}
		c->done = true;
		atomic_fetch_add(&counts.shaken[c->config->server], 1);
	}
	rv = early_flush(c);
	/* NNG asks again before it sends or receives anything. */
	return rv == NNG_EAGAIN ? 0 : rv;
}

static int
conn_recv(struct nng_tls_engine_conn *c, uint8_t *data, size_t *len)
{
	int rv = conn_handshake(c);
	size_t n = 0;

	if (rv != 0) {
		return rv;
	}
	rv = SSL_read_ex(c->ssl, data, *len, &n);
	if (rv != 1) {
		return outcome(c, rv);
	}
	c->heard = true;
	*len = n;
	return 0;
}

static int
conn_send(struct nng_tls_engine_conn *c, const uint8_t *data, size_t *len)
{
	int rv = conn_handshake(c);
	size_t n = 0;

	if (rv == NNG_EAGAIN && *len <= EARLY_MAX - c->early_len) {
		memcpy(c->early + c->early_len, data, *len);
		c->early_len += *len;
		return 0;
	}
	if (rv == 0) {
		rv = early_flush(c);
	}
	if (rv != 0) {
		return rv;
	}
	rv = SSL_write_ex(c->ssl, data, *len, &n);
	if (rv != 1) {
		return outcome(c, rv);
	}
	*len = n;
	return 0;
}

/* Where rpc_tls_roles, further up this thread's stack, wants the roles. */
static _Thread_local unsigned *roles_wanted;

static bool
conn_verified(struct nng_tls_engine_conn *c)
{
	if (roles_wanted != NULL) {
		*roles_wanted = c->done ? c->roles : 0;
	}
	return c->done && c->roles != 0;
}

/*
 * NNG lets one truth value of an engine's connection be asked for through a
 * pipe, by a plain call on the asker's thread; the roles come along beside it.
 */
unsigned
rpc_tls_roles(nng_pipe pipe)
{
	unsigned roles = 0;
	bool verified = false;
	int rv;

	roles_wanted = &roles;
	rv = nng_pipe_get_bool(pipe, NNG_OPT_TLS_VERIFIED, &verified);
	roles_wanted = NULL;
	if (rv == NNG_ENOTSUP) {
		return PROCESS_SERVICES; /* not TLS: guarded by other means */
	}
	return rv == 0 && verified ? roles : 0;
}

/* ---- a configuration ---------------------------------------------------- */

static int
config_init(struct nng_tls_engine_config *k, enum nng_tls_mode mode)
{
	k->server = mode == NNG_TLS_MODE_SERVER;
	return 0;
}

static void
config_fini(struct nng_tls_engine_config *k)
{
	(void)k;
}

/* "chatd chat.example.org"; NNG itself sets a bare host before us. */
static int
config_server(struct nng_tls_engine_config *k, const char *who)
{
	const char *space = strchr(who, ' ');
	const char *host = space != NULL ? space + 1 : who;
	size_t len = space != NULL ? (size_t)(space - who) : 0;

	if (len >= sizeof(k->service) || strlen(host) >= sizeof(k->host)) {
		return NNG_EADDRINVAL;
	}
	memcpy(k->service, who, len);
	k->service[len] = '\0';
	snprintf(k->host, sizeof(k->host), "%s", host);
	return 0;
}

/* Certificates are always asked for: NNG's defaults ask for less. */
static int
config_auth(struct nng_tls_engine_config *k, nng_tls_auth_mode mode)
{
	(void)k;
	(void)mode;
	return 0;
}

/* The process has one certificate, see rpc_tls_context. */
static int
config_ca_chain(struct nng_tls_engine_config *k, const char *certs,
    const char *crl)
{
	(void)k;
	(void)certs;
	(void)crl;
	return NNG_ENOTSUP;
}

static int
config_own_cert(struct nng_tls_engine_config *k, const char *cert,
    const char *key, const char *pass)
{
	(void)k;
	(void)cert;
	(void)key;
	(void)pass;
	return NNG_ENOTSUP;
}

static int
config_version(struct nng_tls_engine_config *k, nng_tls_version least,
    nng_tls_version most)
{
	(void)k;
	(void)least;
	(void)most;
	return NNG_ENOTSUP;
}

static nng_tls_engine_conn_ops conn_ops = {
	.size = sizeof(struct nng_tls_engine_conn),
	.init = conn_init,
	.fini = conn_fini,
	.close = conn_close,
	.handshake = conn_handshake,
	.recv = conn_recv,
	.send = conn_send,
	.verified = conn_verified,
};

static nng_tls_engine_config_ops config_ops = {
	.size = sizeof(struct nng_tls_engine_config),
	.init = config_init,
	.fini = config_fini,
	.server = config_server,
	.auth = config_auth,
	.ca_chain = config_ca_chain,
	.own_cert = config_own_cert,
	.version = config_version,
};

static const nng_tls_engine engine = {
	.version = NNG_TLS_ENGINE_VERSION,
	.config_ops = &config_ops,
	.conn_ops = &conn_ops,
	.name = "parley",
	.description = "OpenSSL, certificates with roles",
};

/* ---- start -------------------------------------------------------------- */

static double
count_value(void *arg)
{
	return (double)atomic_load((atomic_uint_fast64_t *)arg);
}

static void
metrics_open(void)
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

int
rpc_tls_engine_start(void)
{
	if (bio_method == NULL) {
		bio_method = BIO_meth_new(BIO_get_new_index() |
		    BIO_TYPE_SOURCE_SINK, "nng");
		if (bio_method == NULL) {
			return NNG_ENOMEM;
		}
		BIO_meth_set_write_ex(bio_method, on_bio_write);
		BIO_meth_set_read_ex(bio_method, on_bio_read);
		BIO_meth_set_ctrl(bio_method, on_bio_ctrl);
		BIO_meth_set_create(bio_method, on_bio_create);
	}
	/* Asking starts NNG, which sets its own engine as it starts. */
	if (strcmp(nng_tls_engine_name(), engine.name) == 0) {
		return 0;
	}
	metrics_open();
	return nng_tls_engine_register(&engine);
}
