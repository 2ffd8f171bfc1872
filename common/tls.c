/*
 * Contexts from files. Everything is checked here, at start, because a fault
 * found at the first connection is found by a user.
 *
 * SPDX-License-Identifier: MIT
 */
#include "common/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/log.h"

static bool fail(char *why, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Keeps the reason; always false, for `return fail(...)`. */
static bool
fail(char *why, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, TLS_WHY_LEN, fmt, ap);
	va_end(ap);
	ERR_clear_error();
	return false;
}

static bool
given(const char *path)
{
	return path != NULL && *path != '\0';
}

/* A key with a pass phrase would be asked for on a terminal. */
static int
no_pass_phrase(char *buf, int size, int writing, void *arg)
{
	(void)buf;
	(void)size;
	(void)writing;
	*(bool *)arg = true;
	return 0;
}

/* Opens one of the files; `what` is the setting's last word. */
static BIO *
file_open(const struct tls_files *f, const char *what, const char *path,
    char *why)
{
	BIO *bio;

	if (!given(path)) {
		fail(why, "setting %s%s is missing: %scert and %skey go "
		    "together", f->prefix, what, f->prefix, f->prefix);
		return NULL;
	}
	errno = 0;
	bio = BIO_new_file(path, "r");
	if (bio == NULL) {
		fail(why, "setting %s%s=%s: cannot read it: %s", f->prefix,
		    what, path, strerror(errno != 0 ? errno : EIO));
	}
	return bio;
}

/* ---- the key ------------------------------------------------------------ */

/* Group may read it (Debian's ssl-cert, a service's secrets), others not. */
static bool
key_is_private(const struct tls_files *f, char *why)
{
	struct stat st;

	if (stat(f->key, &st) != 0 || (st.st_mode & 0027) == 0) {
		return true;
	}
	return fail(why, "setting %skey=%s: its mode is %04o: others than its "
	    "owner may read or change the key: chmod 0600 it (0640 if a group "
	    "must read it)", f->prefix, f->key, (unsigned)st.st_mode & 07777);
}

static bool
use_key(SSL_CTX *ctx, const struct tls_files *f, char *why)
{
	BIO *bio = file_open(f, "key", f->key, why);
	bool has_phrase = false;
	EVP_PKEY *key;
	bool fits;

	if (bio == NULL) {
		return false;
	}
	key = PEM_read_bio_PrivateKey(bio, NULL, no_pass_phrase, &has_phrase);
	BIO_free(bio);
	if (key == NULL) {
		return has_phrase
		    ? fail(why, "setting %skey=%s: the key has a pass phrase, "
		    "which nobody could type: openssl pkey -in KEY -out NEW "
		    "takes it off", f->prefix, f->key)
		    : fail(why, "setting %skey=%s: it holds no private key in "
		    "PEM", f->prefix, f->key);
	}
	fits = SSL_CTX_use_PrivateKey(ctx, key) == 1 &&
	    SSL_CTX_check_private_key(ctx) == 1;
	EVP_PKEY_free(key);
	return fits ? key_is_private(f, why)
	    : fail(why, "setting %skey=%s: the key does not belong to the "
	    "certificate in %scert=%s", f->prefix, f->key, f->prefix, f->cert);
}

/* ---- the certificate ---------------------------------------------------- */

static bool
in_force(const struct tls_files *f, const X509 *cert, char *why)
{
	if (X509_cmp_current_time(X509_get0_notBefore(cert)) > 0) {
		return fail(why, "setting %scert=%s: the certificate is not "
		    "yet valid: set the clock right or wait", f->prefix,
		    f->cert);
	}
	if (X509_cmp_current_time(X509_get0_notAfter(cert)) < 0) {
		return fail(why, "setting %scert=%s: the certificate has "
		    "expired: renew it", f->prefix, f->cert);
	}
	return true;
}

/* The first is ours, what follows is shown with it. */
static bool
use_certificates(SSL_CTX *ctx, const struct tls_files *f, char *why)
{
	BIO *bio = file_open(f, "cert", f->cert, why);
	X509 *cert;
	bool good;

	if (bio == NULL) {
		return false;
	}
	cert = PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL);
	if (cert == NULL) {
		BIO_free(bio);
		return fail(why, "setting %scert=%s: it holds no certificate "
		    "in PEM", f->prefix, f->cert);
	}
	good = in_force(f, cert, why);
	if (good && SSL_CTX_use_certificate(ctx, cert) != 1) {
		good = fail(why, "setting %scert=%s: OpenSSL refuses the "
		    "certificate: its key may be too short", f->prefix,
		    f->cert);
	}
	X509_free(cert);
	while (good && (cert = PEM_read_bio_X509(bio, NULL, NULL, NULL)) !=
	    NULL) {
		if (SSL_CTX_add0_chain_cert(ctx, cert) != 1) {
			X509_free(cert);
			good = fail(why, "setting %scert=%s: OpenSSL refuses "
			    "a certificate of the chain", f->prefix, f->cert);
		}
	}
	ERR_clear_error();
	BIO_free(bio);
	return good;
}

/* ---- whom we believe ---------------------------------------------------- */

static bool
use_ca_file(SSL_CTX *ctx, const struct tls_files *f, char *why)
{
	X509_STORE *store = SSL_CTX_get_cert_store(ctx);
	BIO *bio = file_open(f, "ca", f->ca, why);
	unsigned found = 0;
	X509 *cert;

	if (bio == NULL) {
		return false;
	}
	while ((cert = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
		/* Has its extensions read now: several threads, each with a
		 * handshake, would do it at once later. */
		(void)X509_check_purpose(cert, -1, 0);
		found += X509_STORE_add_cert(store, cert) == 1;
		X509_free(cert);
	}
	ERR_clear_error();
	BIO_free(bio);
	return found > 0 || fail(why, "setting %sca=%s: it holds no "
	    "certificate in PEM", f->prefix, f->ca);
}

static bool
use_ca(SSL_CTX *ctx, const struct tls_files *f, char *why)
{
	if (given(f->ca)) {
		if (!use_ca_file(ctx, f, why)) {
			return false;
		}
	} else if (!f->client) {
		return true;
	} else if (SSL_CTX_set_default_verify_paths(ctx) != 1) {
		return fail(why, "setting %sca is empty and the system has no "
		    "certificates: install ca-certificates", f->prefix);
	}
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER |
	    SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	return true;
}

/* A client may have none; a server's is needed. */
static bool
use_own(SSL_CTX *ctx, const struct tls_files *f, char *why)
{
	return (f->client && !given(f->cert) && !given(f->key)) ||
	    (use_certificates(ctx, f, why) && use_key(ctx, f, why));
}

/* ---- the face ----------------------------------------------------------- */

struct ssl_ctx_st *
tls_context_new(const struct tls_files *f, char why[TLS_WHY_LEN])
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_method());

	if (ctx == NULL ||
	    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1 ||
	    SSL_CTX_set_cipher_list(ctx, TLS_CIPHERS) != 1) {
		fail(why, "OpenSSL offers no TLS 1.2: see its configuration");
		SSL_CTX_free(ctx);
		return NULL;
	}
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION |
	    SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(ctx, 0);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
	    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
	if (!use_own(ctx, f, why) || !use_ca(ctx, f, why)) {
		SSL_CTX_free(ctx);
		return NULL;
	}
	return ctx;
}

bool
tls_expect_host(struct ssl_st *ssl, const char *host)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
	unsigned char address[sizeof(struct in6_addr)];

	if (inet_pton(AF_INET, host, address) == 1 ||
	    inet_pton(AF_INET6, host, address) == 1) {
		return X509_VERIFY_PARAM_set1_ip_asc(param, host) == 1;
	}
	X509_VERIFY_PARAM_set_hostflags(param,
	    X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return X509_VERIFY_PARAM_set1_host(param, host, 0) == 1 &&
	    SSL_set_tlsext_host_name(ssl, host) == 1;
}

bool
tls_host_is_local(const char *host)
{
	return host == NULL || *host == '\0' || *host == '/' || *host == '@' ||
	    strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0 ||
	    strcmp(host, "localhost") == 0;
}

int64_t
tls_not_after(const struct ssl_ctx_st *ctx)
{
	const X509 *cert = SSL_CTX_get0_certificate(ctx);
	struct tm tm;

	if (cert == NULL ||
	    ASN1_TIME_to_tm(X509_get0_notAfter(cert), &tm) != 1) {
		return 0;
	}
	return (int64_t)timegm(&tm);
}

void
tls_log_loaded(const struct tls_files *f, const struct ssl_ctx_st *ctx)
{
	time_t ends = (time_t)tls_not_after(ctx);
	char subject[128];
	char text[32];
	struct tm tm;

	gmtime_r(&ends, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	log_info("certificate_loaded", "setting=%scert subject=\"%s\" "
	    "not_after=%s", f->prefix,
	    tls_subject(SSL_CTX_get0_certificate(ctx), subject,
	    sizeof(subject)), text);
	if (ends - time(NULL) < TLS_SOON_S) {
		log_warn("certificate_ends_soon", "setting=%scert "
		    "not_after=%s remedy=\"renew it and send SIGHUP\"",
		    f->prefix, text);
	}
}

char *
tls_subject(const struct x509_st *cert, char *text, size_t size)
{
	BIO *bio = BIO_new(BIO_s_mem());
	int n = 0;

	if (bio != NULL && cert != NULL &&
	    X509_NAME_print_ex(bio, X509_get_subject_name(cert), 0,
	    XN_FLAG_RFC2253) >= 0) {
		n = BIO_read(bio, text, (int)size - 1);
	}
	text[n > 0 ? n : 0] = '\0';
	BIO_free(bio);
	return text;
}
