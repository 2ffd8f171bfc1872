/*
 * `pending` collects what arrives, `writing` belongs to the worker thread while
 * `busy`. One piece of work at a time, so no lock is needed.
 *
 * SPDX-License-Identifier: MIT
 */
#include "gateway/media_upload.h"

#include <libwebsockets.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "common/buf.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/uuid.h"
#include "gateway/gateway.h"
#include "gateway/http.h"
#include "gateway/media.h"
#include "gateway/media_store.h"
#include "gateway/settings.h"
#include "gateway/stats.h"

/* So much is written at once, and may wait meanwhile. */
#define PIECE_MAX (128u * 1024)

enum upload_state {
	UPLOAD_RECEIVING,
	UPLOAD_STORING,
	UPLOAD_STORED,
	UPLOAD_REMOVING,
};

struct upload {
	struct media *media;    /* borrowed */
	struct http *http;      /* borrowed; NULL: gone */
	uv_work_t work;
	enum upload_state state;
	bool admitted;
	bool busy;
	bool paused;            /* the socket is not read */
	bool last;              /* nothing more will come */
	int error;              /* errno of the first failure */
	struct buf pending;
	struct buf writing;
	uint8_t head[MEDIA_HEAD_MAX];
	size_t head_len;
	int fd;                 /* -1: not open */
	bool named;             /* the file has its own name */
	struct uuid id;
	char temp[UUID_TEXT_LEN + 8];
	char name[MEDIA_NAME_MAX + 1];
	char *url;              /* owned */
	void (*done)(struct http *h, const char *url);
};

static void go_on(struct upload *u);

/* ---- on a worker thread: touches only what the upload owns -------------- */

static void
write_piece(struct upload *u)
{
	if (u->fd < 0) {
		u->error = media_store_create(&u->fd, u->temp);
	}
	if (u->error == 0 && u->writing.len > 0) {
		u->error = media_store_write(u->fd, u->writing.data,
		    u->writing.len);
	}
}

static void
discard(struct upload *u)
{
	if (u->fd >= 0) {
		close(u->fd);
		u->fd = -1;
	}
	media_store_remove(u->temp);
	if (u->named) {
		u->named = false;
		media_store_remove(u->name);
	}
}

static void
on_work(uv_work_t *work)
{
	struct upload *u = work->data;

	if (u->state == UPLOAD_REMOVING) {
		discard(u);
		return;
	}
	if (u->error == 0) {
		write_piece(u);
	}
	if (u->state == UPLOAD_STORING && u->error == 0) {
		u->named = true;
		u->error = media_store_commit(u->fd, u->temp, u->name);
		u->fd = -1;
	}
	if (u->error != 0) {
		discard(u);
	}
}

/* ---- main thread -------------------------------------------------------- */

static void
upload_free(struct upload *u)
{
	struct media *m = u->media;

	buf_fini(&u->pending);
	buf_fini(&u->writing);
	free(u->url);
	free(u);
	m->uploads--;
	media_release(m);
}

static void
report(struct upload *u)
{
	struct http *h = u->http;

	if (u->error != 0) {
		log_error("upload_failed", "store=%s error=\"%s\" "
		    "remedy=\"see to the store, and to the disk of "
		    "media_dir\"", media_store_where(),
		    strerror(u->error));
		metric_inc(stats.uploads_failed);
		u->done(h, NULL);
	} else {
		u->state = UPLOAD_STORED;
		metric_inc(stats.uploads);
		u->done(h, u->url);
	}
}

static void
on_worked(uv_work_t *work, int status)
{
	struct upload *u = work->data;
	bool storing = u->state == UPLOAD_STORING;

	(void)status;
	u->busy = false;
	buf_reset(&u->writing);
	if (u->state == UPLOAD_REMOVING) {
		upload_free(u);
	} else if (u->http == NULL) {
		u->state = UPLOAD_REMOVING;
		go_on(u);
	} else if (storing) {
		report(u);
	} else {
		go_on(u);
	}
}

static void
set_paused(struct upload *u, bool paused)
{
	if (u->http != NULL && u->paused != paused) {
		u->paused = paused;
		lws_rx_flow_control(u->http->wsi, paused ? 0 : 1);
	}
}

static void
begin_work(struct upload *u)
{
	struct buf written = u->writing;

	u->writing = u->pending;
	u->pending = written;
	u->busy = true;
	media_work(u->media, &u->work, on_work, on_worked);
}

/* Starts what is due now. */
static void
go_on(struct upload *u)
{
	if (!u->busy && u->error != 0) {
		buf_reset(&u->pending);
	}
	if (u->last && !u->busy && u->state == UPLOAD_RECEIVING) {
		u->state = UPLOAD_STORING;
	}
	if (!u->busy && u->admitted && (u->state != UPLOAD_RECEIVING ||
	    u->pending.len >= PIECE_MAX)) {
		begin_work(u);
	}
	if (u->state == UPLOAD_RECEIVING && u->admitted) {
		set_paused(u, u->pending.len >= PIECE_MAX);
	}
}

/* ---- for the request ---------------------------------------------------- */

bool
media_upload_begin(struct http *h)
{
	struct media *m = h->gw->media;
	char id[UUID_TEXT_LEN + 1];
	struct upload *u;

	if (m->uploads >= (size_t)settings.uploads_max) {
		return false;
	}
	m->uploads++;
	u = mem_zalloc(sizeof(*u));
	u->media = m;
	u->http = h;
	u->work.data = u;
	u->fd = -1;
	u->id = uuid_v4();
	uuid_format(&u->id, id);
	snprintf(u->temp, sizeof(u->temp), ".%s.part", id);
	h->upload = u;
	return true;
}

void
media_upload_admit(struct http *h)
{
	h->upload->admitted = true;
	go_on(h->upload);
}

void
media_upload_data(struct http *h, const void *data, size_t len)
{
	struct upload *u = h->upload;
	size_t n = MEDIA_HEAD_MAX - u->head_len;

	n = n < len ? n : len;
	if (n > 0) {
		memcpy(u->head + u->head_len, data, n);
		u->head_len += n;
	}
	buf_put(&u->pending, data, len);
	go_on(u);
}

const struct media_kind *
media_upload_kind(const struct http *h)
{
	return media_kind_of_content(h->upload->head, h->upload->head_len);
}

/* public_url may end with slashes. */
static char *
url_of(const char *name)
{
	size_t len = strlen(settings.public_url);

	while (len > 0 && settings.public_url[len - 1] == '/') {
		len--;
	}
	return mem_sprintf("%.*s/media/%s", (int)len, settings.public_url,
	    name);
}

void
media_upload_store(struct http *h,
    void (*done)(struct http *h, const char *url))
{
	struct upload *u = h->upload;
	char id[UUID_TEXT_LEN + 1];

	uuid_format(&u->id, id);
	snprintf(u->name, sizeof(u->name), "%s.%s", id,
	    media_upload_kind(h)->ext);
	u->url = url_of(u->name);
	u->done = done;
	u->last = true;
	go_on(u);
}

static void
remove_file(struct upload *u)
{
	u->http = NULL;
	if (!u->busy && u->fd < 0 && !u->named) {
		upload_free(u);
	} else if (!u->busy) {
		u->state = UPLOAD_REMOVING;
		u->admitted = true;
		go_on(u);
	}
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
		remove_file(h->upload);
		h->upload = NULL;
	}
}

void
media_forget(struct http *h)
{
	if (h->upload != NULL && h->upload->state == UPLOAD_STORED) {
		media_keep(h);
	} else {
		media_remove(h);
	}
}
