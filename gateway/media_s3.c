/*
 * One curl handle a transfer: an upload with its repeats, or a file being
 * served with all its pieces, so that these share a connection.
 *
 * SPDX-License-Identifier: MIT
 */
#include "gateway/media_s3.h"

#include <curl/curl.h>
#include <errno.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/mem.h"
#include "gateway/media_kind.h"
#include "gateway/settings.h"

#define CONNECT_MS 3000L
/* A piece of a file, or an answer without a body. */
#define ASK_MS 15000L
#define PUT_MS 60000L
/* Slower than this many bytes a second over so long is no transfer. */
#define SLOW_BYTES 1024L
#define SLOW_S 10L
#define PUT_TRIES 3
#define PUT_PAUSE_MS 300
/* As much of an error's text is looked at. */
#define TEXT_MAX 1023
/* The header by which S3 wants the body's SHA-256, and that of no body. The
 * library signs it, but leaves it to us in the versions we know. */
#define HASH_HEADER "x-amz-content-sha256: "
#define HASH_OF_NOTHING "e3b0c44298fc1c149afbf4c8996fb924" \
	"27ae41e4649b934ca495991b7852b855"
#define HASH_TEXT_MAX (2 * crypto_hash_sha256_BYTES + 1)
/* Threads that may wait for the service at once. */
#define THREADS "16"

struct media_s3 {
	CURL *curl;              /* owned */
	struct curl_slist *head; /* owned */
	char name[MEDIA_NAME_MAX + 1];
	FILE *from;              /* borrowed; what is sent */
	char *to;                /* borrowed; where a piece goes */
	size_t room;
	size_t len;
	char text[TEXT_MAX + 1]; /* of an error */
	size_t text_len;
};

static struct {
	char *base;              /* owned; URL of the bucket, ends with / */
	char *sign;              /* owned */
	bool running;
	atomic_bool stopping;
	atomic_uint_fast64_t failures;
} s3;

/* ---- settings ----------------------------------------------------------- */

static bool
is_set(const char *text)
{
	return text != NULL && text[0] != '\0';
}

bool
media_s3_wanted(void)
{
	return is_set(settings.media_s3_endpoint);
}

/* Bucket and region become part of a URL and of a header. */
static bool
is_plain(const char *text)
{
	return text[strspn(text, "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_")] == '\0' &&
	    text[0] != '.';
}

static bool
settings_are_good(void)
{
	const char *url = settings.media_s3_endpoint;
	const char *lacks =
	    !is_set(settings.media_s3_bucket) ? "media_s3_bucket" :
	    !is_set(settings.media_s3_region) ? "media_s3_region" :
	    !is_set(settings.media_s3_access_key) ? "media_s3_access_key" :
	    !is_set(settings.media_s3_secret_key) ? "media_s3_secret_key" :
	    NULL;

	if (lacks != NULL) {
		log_error("s3_settings_incomplete", "lacking=%s remedy=\"with "
		    "media_s3_endpoint, set media_s3_bucket, "
		    "media_s3_access_key and media_s3_secret_key as well\"",
		    lacks);
		return false;
	}
	if ((strncmp(url, "http://", 7) != 0 &&
	    strncmp(url, "https://", 8) != 0) ||
	    url[strcspn(url, "?#@ ")] != '\0') {
		log_error("s3_settings_bad", "setting=media_s3_endpoint "
		    "remedy=\"give an http or https URL without account and "
		    "query\"");
		return false;
	}
	if (!is_plain(settings.media_s3_bucket) ||
	    !is_plain(settings.media_s3_region)) {
		log_error("s3_settings_bad", "setting=%s remedy=\"give its "
		    "plain name\"", is_plain(settings.media_s3_bucket)
		    ? "media_s3_region" : "media_s3_bucket");
		return false;
	}
	return true;
}

bool
media_s3_start(void)
{
	size_t len;

	if (!media_s3_wanted()) {
		if (is_set(settings.media_s3_bucket) ||
		    is_set(settings.media_s3_access_key) ||
		    is_set(settings.media_s3_secret_key)) {
			log_error("s3_settings_incomplete", "lacking="
			    "media_s3_endpoint remedy=\"set it, or none of "
			    "media_s3_*\"");
			return false;
		}
		return true;
	}
	if (!settings_are_good()) {
		return false;
	}
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		log_error("s3_unusable", "remedy=\"see to the installation of "
		    "libcurl\"");
		return false;
	}
	len = strlen(settings.media_s3_endpoint);
	while (len > 0 && settings.media_s3_endpoint[len - 1] == '/') {
		len--;
	}
	s3.base = mem_sprintf("%.*s/%s/", (int)len,
	    settings.media_s3_endpoint, settings.media_s3_bucket);
	s3.sign = mem_sprintf("aws:amz:%s:s3", settings.media_s3_region);
	s3.running = true;
	/* Before the pool's first use: its threads mostly wait. */
	setenv("UV_THREADPOOL_SIZE", THREADS, 0);
	return true;
}

void
media_s3_stop(void)
{
	atomic_store(&s3.stopping, true);
}

void
media_s3_end(void)
{
	if (s3.running) {
		s3.running = false;
		free(s3.base);
		free(s3.sign);
		curl_global_cleanup();
	}
}

uint64_t
media_s3_failures(void)
{
	return atomic_load(&s3.failures);
}

/* ---- one transfer ------------------------------------------------------- */

static size_t
on_send(char *data, size_t size, size_t count, void *arg)
{
	struct media_s3 *s = arg;
	size_t n = fread(data, 1, size * count, s->from);

	return ferror(s->from) ? CURL_READFUNC_ABORT : n;
}

/* A signed request may have to be sent again on a new connection. */
static int
on_rewind(void *arg, curl_off_t offset, int origin)
{
	struct media_s3 *s = arg;

	return s->from != NULL && fseeko(s->from, offset, origin) == 0
	    ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_FAIL;
}

/* The process does not wait for a slow service when it ends. */
static int
on_progress(void *arg, curl_off_t down_all, curl_off_t down, curl_off_t up_all,
    curl_off_t up)
{
	(void)arg;
	(void)down_all;
	(void)down;
	(void)up_all;
	(void)up;
	return atomic_load(&s3.stopping) ? 1 : 0;
}

static bool
is_good(long status)
{
	return status >= 200 && status < 300;
}

static size_t
on_receive(char *data, size_t size, size_t count, void *arg)
{
	struct media_s3 *s = arg;
	size_t n = size * count, taken;
	long status = 0;

	curl_easy_getinfo(s->curl, CURLINFO_RESPONSE_CODE, &status);
	if (is_good(status) && s->to != NULL) {
		if (n > s->room - s->len) {
			return 0;
		}
		memcpy(s->to + s->len, data, n);
		s->len += n;
		return n;
	}
	taken = n < TEXT_MAX - s->text_len ? n : TEXT_MAX - s->text_len;
	memcpy(s->text + s->text_len, data, taken);
	s->text_len += taken;
	return n;
}

static void
add_header(struct media_s3 *s, const char *name, const char *value)
{
	char *line = mem_sprintf("%s%s", name, value);

	s->head = curl_slist_append(s->head, line);
	free(line);
	curl_easy_setopt(s->curl, CURLOPT_HTTPHEADER, s->head);
}

static struct media_s3 *
transfer_new(const char *name, const char *hash)
{
	struct media_s3 *s;
	CURL *c = curl_easy_init();
	char *url;

	if (c == NULL) {
		return NULL;
	}
	s = mem_zalloc(sizeof(*s));
	s->curl = c;
	snprintf(s->name, sizeof(s->name), "%s", name);
	url = mem_sprintf("%s%s", s3.base, name);
	curl_easy_setopt(c, CURLOPT_URL, url);
	free(url);
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(c, CURLOPT_AWS_SIGV4, s3.sign);
	curl_easy_setopt(c, CURLOPT_USERNAME, settings.media_s3_access_key);
	curl_easy_setopt(c, CURLOPT_PASSWORD, settings.media_s3_secret_key);
	curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
	curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, ASK_MS);
	curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, SLOW_BYTES);
	curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, SLOW_S);
	curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_progress);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_receive);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, s);
	add_header(s, HASH_HEADER, hash);
	return s;
}

void
media_s3_close(struct media_s3 *s)
{
	curl_easy_cleanup(s->curl);
	curl_slist_free_all(s->head);
	free(s);
}

/* The word by which S3 names an error, such as SignatureDoesNotMatch. */
static const char *
code_of(struct media_s3 *s)
{
	char *code, *end;

	s->text[s->text_len] = '\0';
	code = strstr(s->text, "<Code>");
	if (code == NULL) {
		return "none";
	}
	code += strlen("<Code>");
	end = strchr(code, '<');
	if (end != NULL) {
		*end = '\0';
	}
	return code;
}

static const char *
remedy_of(CURLcode result, long status)
{
	if (result != CURLE_OK || status >= 500) {
		return "see that the service runs and is reached at "
		    "media_s3_endpoint";
	}
	if (status == 401 || status == 403) {
		return "see to media_s3_access_key, media_s3_secret_key, "
		    "media_s3_region and what the key may do";
	}
	return "see that media_s3_endpoint and media_s3_bucket name a bucket";
}

static int
errno_of(CURLcode result, long status)
{
	if (result == CURLE_OPERATION_TIMEDOUT) {
		return ETIMEDOUT;
	}
	if (result == CURLE_COULDNT_CONNECT ||
	    result == CURLE_COULDNT_RESOLVE_HOST) {
		return EHOSTUNREACH;
	}
	if (result == CURLE_OK && status == 404) {
		return ENOENT;
	}
	return result == CURLE_OK && (status == 401 || status == 403)
	    ? EACCES : EIO;
}

/* 0, or an errno. `again_r`: it may go better in a moment. A missing object is
 * a failure only for who says so by `needed`. */
static int
perform(struct media_s3 *s, const char *what, bool needed, bool *again_r)
{
	CURLcode result;
	long status = 0;

	s->len = 0;
	s->text_len = 0;
	result = curl_easy_perform(s->curl);
	curl_easy_getinfo(s->curl, CURLINFO_RESPONSE_CODE, &status);
	*again_r = result == CURLE_OK ? status >= 500 || status == 429
	    : result != CURLE_ABORTED_BY_CALLBACK;
	if (result == CURLE_OK && is_good(status)) {
		return 0;
	}
	if (result == CURLE_OK && status == 404 && !needed) {
		return ENOENT;
	}
	atomic_fetch_add(&s3.failures, 1);
	log_warn("s3_failed", "request=%s name=%s status=%ld code=%s "
	    "error=\"%s\" remedy=\"%s\"", what, s->name, status, code_of(s),
	    curl_easy_strerror(result), remedy_of(result, status));
	return errno_of(result, status);
}

/* ---- writing ------------------------------------------------------------ */

/* Also tells how long the file is. */
static bool
hash_file(char *hash, FILE *from, curl_off_t *size_r)
{
	crypto_hash_sha256_state state;
	unsigned char sum[crypto_hash_sha256_BYTES];
	char piece[16384];
	size_t n;

	*size_r = 0;
	crypto_hash_sha256_init(&state);
	while ((n = fread(piece, 1, sizeof(piece), from)) > 0) {
		crypto_hash_sha256_update(&state, (unsigned char *)piece, n);
		*size_r += (curl_off_t)n;
	}
	crypto_hash_sha256_final(&state, sum);
	sodium_bin2hex(hash, HASH_TEXT_MAX, sum, sizeof(sum));
	return !ferror(from);
}

static void
prepare_put(struct media_s3 *s, const char *name, FILE *from, curl_off_t size)
{
	const struct media_kind *kind = media_kind_of_name(name);

	add_header(s, "Content-Type: ", kind != NULL ? kind->type
	    : "application/octet-stream");
	s->from = from;
	curl_easy_setopt(s->curl, CURLOPT_UPLOAD, 1L);
	curl_easy_setopt(s->curl, CURLOPT_TIMEOUT_MS, PUT_MS);
	curl_easy_setopt(s->curl, CURLOPT_INFILESIZE_LARGE, size);
	curl_easy_setopt(s->curl, CURLOPT_READFUNCTION, on_send);
	curl_easy_setopt(s->curl, CURLOPT_READDATA, s);
	curl_easy_setopt(s->curl, CURLOPT_SEEKFUNCTION, on_rewind);
	curl_easy_setopt(s->curl, CURLOPT_SEEKDATA, s);
}

static void
pause_ms(int ms)
{
	struct timespec t = { ms / 1000, (long)(ms % 1000) * 1000000 };

	nanosleep(&t, NULL);
}

static int
put_with_repeats(struct media_s3 *s)
{
	bool again;

	for (int i = 1;; i++) {
		int error;

		rewind(s->from);
		error = perform(s, "PUT", true, &again);
		if (error == 0 || !again || i == PUT_TRIES) {
			return error;
		}
		pause_ms(PUT_PAUSE_MS * i);
	}
}

int
media_s3_put(const char *path, const char *name)
{
	FILE *from = fopen(path, "re");
	char hash[HASH_TEXT_MAX];
	struct media_s3 *s;
	curl_off_t size;
	int error = EIO;

	if (from == NULL) {
		return errno;
	}
	s = hash_file(hash, from, &size) ? transfer_new(name, hash) : NULL;
	if (s != NULL) {
		prepare_put(s, name, from, size);
		error = put_with_repeats(s);
		media_s3_close(s);
	}
	fclose(from);
	return error;
}

void
media_s3_remove(const char *name)
{
	struct media_s3 *s = transfer_new(name, HASH_OF_NOTHING);
	bool again;

	if (s != NULL) {
		curl_easy_setopt(s->curl, CURLOPT_CUSTOMREQUEST, "DELETE");
		(void)perform(s, "DELETE", false, &again);
		media_s3_close(s);
	}
}

/* ---- reading ------------------------------------------------------------ */

int
media_s3_open(struct media_s3 **s_r, const char *name, uint64_t *size_r,
    time_t *mtime_r)
{
	struct media_s3 *s = transfer_new(name, HASH_OF_NOTHING);
	curl_off_t size = -1, mtime = -1;
	bool again;
	int error;

	if (s == NULL) {
		return ENOMEM;
	}
	curl_easy_setopt(s->curl, CURLOPT_NOBODY, 1L);
	curl_easy_setopt(s->curl, CURLOPT_FILETIME, 1L);
	error = perform(s, "HEAD", false, &again);
	curl_easy_getinfo(s->curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &size);
	curl_easy_getinfo(s->curl, CURLINFO_FILETIME_T, &mtime);
	if (error == 0 && size < 0) {
		error = EIO;
	}
	if (error != 0) {
		media_s3_close(s);
		return error;
	}
	*s_r = s;
	*size_r = (uint64_t)size;
	*mtime_r = mtime < 0 ? 0 : (time_t)mtime;
	return 0;
}

int
media_s3_read(struct media_s3 *s, uint64_t offset, void *data, size_t len)
{
	char range[48];
	bool again;
	int error;

	snprintf(range, sizeof(range), "%llu-%llu",
	    (unsigned long long)offset,
	    (unsigned long long)(offset + len - 1));
	curl_easy_setopt(s->curl, CURLOPT_HTTPGET, 1L);
	curl_easy_setopt(s->curl, CURLOPT_RANGE, range);
	s->to = data;
	s->room = len;
	error = perform(s, "GET", true, &again);
	if (error != 0 && again) {
		error = perform(s, "GET", true, &again);
	}
	s->to = NULL;
	/* A service that knows no ranges would have sent more. */
	return error == 0 && s->len != len ? EIO : error;
}
