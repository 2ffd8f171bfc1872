/*
 * The vhost's context is filled from one that common/tls.c has made and checked,
 * at start and again at SIGHUP. Connections have taken what they need of it when
 * they began, so a renewal disturbs none.
 *
 * SPDX-License-Identifier: MIT
 */
#include "gateway/tls_port.h"

#include <libwebsockets.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "common/metrics.h"
#include "common/tls.h"
#include "gateway/settings.h"

/* One protocol; a client that offers only others is refused by the library. */
#define ALPN "http/1.1"

static struct {
	SSL_CTX *loaded;      /* owned; NULL: no TLS */
	SSL_CTX *port;        /* borrowed: the vhost's */
	int index;            /* of our mark on each connection */
	struct metric *shaken;
	struct metric *failed;
	char hsts[64];
} t = { .index = -1 };

static struct tls_files
port_files(void)
{
	return (struct tls_files){ .prefix = "tls_",
		.cert = settings.tls_cert, .key = settings.tls_key };
}

static bool
set(const char *path)
{
	return path != NULL && *path != '\0';
}

/* ---- settings ----------------------------------------------------------- */

static bool
least_version(int *version_r, char *why)
{
	if (strcmp(settings.tls_min_version, "1.2") == 0) {
		*version_r = TLS1_2_VERSION;
	} else if (strcmp(settings.tls_min_version, "1.3") == 0) {
		*version_r = TLS1_3_VERSION;
	} else {
		snprintf(why, TLS_WHY_LEN, "setting tls_min_version=%s: "
		    "neither 1.2 nor 1.3", settings.tls_min_version);
		return false;
	}
	return true;
}

bool
tls_port_check(char *why)
{
	const struct tls_files files = port_files();
	int version;

	if (!least_version(&version, why)) {
		return false;
	}
	if (!set(files.cert) && !set(files.key)) {
		return true;
	}
	t.loaded = tls_context_new(&files, why);
	if (settings.tls_hsts > 0) {
		snprintf(t.hsts, sizeof(t.hsts),
		    "strict-transport-security: max-age=%lld\r\n",
		    (long long)settings.tls_hsts / 1000);
	}
	return t.loaded != NULL;
}

bool
tls_port_on(void)
{
	return t.loaded != NULL;
}

const char *
tls_port_hsts(void)
{
	return t.hsts;
}

void
tls_port_prepare(struct lws_context_creation_info *info)
{
	info->options |= LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT |
	    LWS_SERVER_OPTION_CREATE_VHOST_SSL_CTX;
	info->alpn = ALPN;
}

/* ---- counting handshakes ------------------------------------------------ */

static void
on_info(const SSL *ssl, int where, int value)
{
	(void)ssl;
	(void)value;
	if ((where & SSL_CB_HANDSHAKE_DONE) != 0) {
		metric_inc(t.shaken);
	}
}

/* A connection's end: one whose handshake was never done has failed. */
static void
on_ssl_free(void *ssl, void *mark, CRYPTO_EX_DATA *ad, int index, long num,
    void *arg)
{
	(void)mark;
	(void)ad;
	(void)index;
	(void)num;
	(void)arg;
	if (t.port != NULL && SSL_get_SSL_CTX(ssl) == t.port &&
	    !SSL_is_init_finished(ssl)) {
		metric_inc(t.failed);
	}
}

static double
not_after(void *arg)
{
	(void)arg;
	return t.loaded != NULL ? (double)tls_not_after(t.loaded) : 0;
}

static void
metrics_open(void)
{
	t.shaken = metric_counter("parley_gateway_tls_handshakes_total", NULL,
	    "TLS handshakes with clients that succeeded");
	t.failed = metric_counter("parley_gateway_tls_failed_total", NULL,
	    "Client connections that ended without a TLS handshake");
	metric_gauge_fn("parley_certificate_not_after_seconds",
	    "setting=\"tls_cert\"", "When the certificate ends, in Unix time",
	    not_after, NULL);
	if (t.index < 0) {
		t.index = SSL_get_ex_new_index(0, NULL, NULL, NULL,
		    on_ssl_free);
	}
}

/* ---- the vhost's context ------------------------------------------------ */

static bool
take_certificate(SSL_CTX *ctx)
{
	const struct tls_files files = port_files();
	STACK_OF(X509) *chain = NULL;

	if (SSL_CTX_get_extra_chain_certs_only(t.loaded, &chain) != 1 ||
	    SSL_CTX_use_cert_and_key(ctx,
	    SSL_CTX_get0_certificate(t.loaded),
	    SSL_CTX_get0_privatekey(t.loaded), NULL, 1) != 1) {
		return false;
	}
	SSL_CTX_clear_chain_certs(ctx);
	for (int i = 0; i < sk_X509_num(chain); i++) {
		if (SSL_CTX_add1_chain_cert(ctx, sk_X509_value(chain, i)) !=
		    1) {
			return false;
		}
	}
	tls_log_loaded(&files, t.loaded);
	return true;
}

bool
tls_port_fill(struct ssl_ctx_st *ctx)
{
	char why[TLS_WHY_LEN];
	int version;

	if (t.loaded == NULL || !least_version(&version, why) ||
	    SSL_CTX_set_min_proto_version(ctx, version) != 1 ||
	    SSL_CTX_set_cipher_list(ctx, TLS_CIPHERS) != 1 ||
	    !take_certificate(ctx)) {
		log_error("tls_failed", "remedy=\"see tls_cert and OpenSSL's "
		    "configuration\"");
		return false;
	}
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION |
	    SSL_OP_CIPHER_SERVER_PREFERENCE);
	/* An idle connection gives its buffers back. */
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	/* Resumption by tickets alone: no memory for those who do not return. */
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_info_callback(ctx, on_info);
	metrics_open();
	t.port = ctx;
	return true;
}

void
tls_port_reload(void)
{
	const struct tls_files files = port_files();
	char why[TLS_WHY_LEN];
	SSL_CTX *fresh;
	SSL_CTX *old = t.loaded;

	if (t.port == NULL) {
		return;
	}
	fresh = tls_context_new(&files, why);
	if (fresh == NULL) {
		log_error("certificate_refused", "cause=\"%s\" remedy=\"set it "
		    "right and send SIGHUP again; the former is still in "
		    "force\"", why);
		return;
	}
	t.loaded = fresh;
	SSL_CTX_free(old);
	if (!take_certificate(t.port)) {
		log_error("certificate_refused", "cause=\"OpenSSL does not "
		    "take it\" remedy=\"restart the gateway\"");
	}
}

void
tls_port_end(void)
{
	t.port = NULL;
	SSL_CTX_free(t.loaded);
	t.loaded = NULL;
}
