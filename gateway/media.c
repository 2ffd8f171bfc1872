/*
 * Serving goes by name alone: only names of the form that we give ourselves are
 * looked up, so no path of a client's choosing ever reaches the file system. An
 * upload outlives its request only while a worker thread is writing it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "gateway/media.h"

#include <errno.h>
#include <fcntl.h>
#include <libwebsockets.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include "common/log.h"
#include "common/mem.h"
#include "common/uuid.h"
#include "gateway/gateway.h"
#include "gateway/http.h"
#include "gateway/settings.h"

#define UPLOADS_MAX 16

struct media {
	struct gateway *gw;     /* borrowed */
	size_t writing;
	bool ending;
};

struct upload {
	struct media *media;    /* borrowed */
	struct http *http;      /* borrowed; NULL: gone */
	uv_work_t work;
	struct buf content;
	char *path;             /* owned */
	char *temp_path;        /* owned */
	char *url;              /* owned */
	int error;              /* errno of the writing; 0: stored */
	bool writing;
	void (*done)(struct http *h, const char *url);
};

static const struct {
	const char *ext;
	const char *type;
} kinds[] = {
	{ "jpg", "image/jpeg" },
	{ "png", "image/png" },
	{ "webp", "image/webp" },
};

/* ---- life --------------------------------------------------------------- */

struct media *
media_new(struct gateway *gw)
{
	struct media *m = mem_zalloc(sizeof(*m));

	m->gw = gw;
	if (access(settings.media_dir, W_OK | X_OK) != 0) {
		log_warn("media_dir_unusable", "media_dir=%s error=\"%s\" "
		    "remedy=\"create it for the gateway's account, else "
		    "pictures cannot be uploaded\"", settings.media_dir,
		    strerror(errno));
	}
	return m;
}

void
media_free(struct media **mp)
{
	struct media *m = *mp;

	if (m == NULL) {
		return;
	}
	*mp = NULL;
	m->ending = true;
	if (m->writing == 0) {
		free(m);
	}
}

static void
upload_free(struct upload *u)
{
	buf_fini(&u->content);
	free(u->path);
	free(u->temp_path);
	free(u->url);
	free(u);
}

/* ---- storing ------------------------------------------------------------ */

const char *
media_picture_ext(const void *data, size_t len)
{
	static const unsigned char jpeg[] = { 0xff, 0xd8, 0xff };
	static const unsigned char png[] = { 0x89, 'P', 'N', 'G', '\r', '\n',
		0x1a, '\n' };
	const unsigned char *p = data;

	if (len >= sizeof(jpeg) && memcmp(p, jpeg, sizeof(jpeg)) == 0) {
		return "jpg";
	}
	if (len >= sizeof(png) && memcmp(p, png, sizeof(png)) == 0) {
		return "png";
	}
	if (len >= 16 && memcmp(p, "RIFF", 4) == 0 &&
	    memcmp(p + 8, "WEBPVP8", 7) == 0) {
		return "webp";
	}
	return NULL;
}

static int
write_all(int fd, const uint8_t *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n < 0) {
			return errno;
		}
		data += n;
		len -= (size_t)n;
	}
	return fsync(fd) < 0 ? errno : 0;
}

/* On a worker thread: touches only what the upload owns. */
static void
on_work(uv_work_t *work)
{
	struct upload *u = work->data;
	int fd = open(u->temp_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
	    0644);

	if (fd < 0) {
		u->error = errno;
		return;
	}
	u->error = write_all(fd, u->content.data, u->content.len);
	if (close(fd) < 0 && u->error == 0) {
		u->error = errno;
	}
	if (u->error == 0 && rename(u->temp_path, u->path) < 0) {
		u->error = errno;
	}
	if (u->error != 0) {
		unlink(u->temp_path);
	}
}

static void
on_worked(uv_work_t *work, int status)
{
	struct upload *u = work->data;
	struct media *m = u->media;
	struct http *h = u->http;

	(void)status;
	u->writing = false;
	buf_fini(&u->content);
	m->writing--;
	if (u->error != 0) {
		log_error("upload_failed", "media_dir=%s error=\"%s\"",
		    settings.media_dir, strerror(u->error));
	}
	if (h == NULL) {
		unlink(u->path);
		upload_free(u);
	} else if (u->error != 0) {
		h->upload = NULL;
		u->done(h, NULL);
		upload_free(u);
	} else {
		u->done(h, u->url);
	}
	if (m->ending && m->writing == 0) {
		free(m);
	}
}

static size_t
url_base_len(void)
{
	size_t len = strlen(settings.public_url);

	while (len > 0 && settings.public_url[len - 1] == '/') {
		len--;
	}
	return len;
}

void
media_store(struct http *h, struct buf *content, const char *ext,
    void (*done)(struct http *h, const char *url))
{
	struct media *m = h->gw->media;
	const struct uuid id = uuid_v4();
	char name[UUID_TEXT_LEN + 1];
	struct upload *u;

	if (m->writing >= UPLOADS_MAX) {
		done(h, NULL);
		return;
	}
	uuid_format(&id, name);
	u = mem_zalloc(sizeof(*u));
	u->media = m;
	u->http = h;
	u->done = done;
	u->work.data = u;
	u->content = *content;
	buf_init(content);
	u->path = mem_sprintf("%s/%s.%s", settings.media_dir, name, ext);
	u->temp_path = mem_sprintf("%s/.%s.part", settings.media_dir, name);
	u->url = mem_sprintf("%.*s/media/%s.%s", (int)url_base_len(),
	    settings.public_url, name, ext);
	u->writing = true;
	m->writing++;
	h->upload = u;
	uv_queue_work(m->gw->loop, &u->work, on_work, on_worked);
}

void
media_keep(struct http *h)
{
	if (h->upload != NULL) {
		upload_free(h->upload);
		h->upload = NULL;
	}
}

void
media_remove(struct http *h)
{
	if (h->upload != NULL) {
		unlink(h->upload->path);
		media_keep(h);
	}
}

void
media_forget(struct http *h)
{
	if (h->upload == NULL) {
		return;
	}
	if (h->upload->writing) {
		h->upload->http = NULL;
		h->upload = NULL;
	} else {
		media_keep(h);
	}
}

/* ---- serving ------------------------------------------------------------ */

/* The type of a name that we gave ourselves: a uuid and one of our endings. */
static const char *
type_of(const char *name)
{
	struct uuid id;

	if (strlen(name) < UUID_TEXT_LEN + 2 ||
	    !uuid_parse(name, UUID_TEXT_LEN, &id) ||
	    name[UUID_TEXT_LEN] != '.') {
		return NULL;
	}
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (strcmp(name + UUID_TEXT_LEN + 1, kinds[i].ext) == 0) {
			return kinds[i].type;
		}
	}
	return NULL;
}

int
media_serve(struct http *h, const char *name)
{
	static const char headers[] =
	    "cache-control: public, max-age=31536000, immutable\r\n"
	    "x-content-type-options: nosniff\r\n"
	    "content-security-policy: default-src 'none'\r\n"
	    "cross-origin-resource-policy: cross-origin\r\n";
	const char *type = type_of(name);
	struct stat st;
	char *path;
	int n;

	path = mem_sprintf("%s/%s", settings.media_dir, name);
	if (type == NULL || stat(path, &st) < 0 || !S_ISREG(st.st_mode)) {
		free(path);
		http_answer(h, 404, "text/plain", NULL, "Not found\n", 10);
		return 0;
	}
	if (h->method == HTTP_HEAD) {
		free(path);
		http_answer(h, 200, type, headers, NULL, (size_t)st.st_size);
		return 0;
	}
	h->state = HTTP_SENT;
	n = lws_serve_http_file(h->wsi, path, type, headers,
	    (int)sizeof(headers) - 1);
	free(path);
	if (n < 0 || (n > 0 && lws_http_transaction_completed(h->wsi))) {
		return -1;
	}
	return 0;
}
