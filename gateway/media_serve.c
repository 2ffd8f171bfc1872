/*
 * A stream outlives its request only while a worker thread reads for it. Files
 * never change, so a name is its own entity tag.
 *
 * SPDX-License-Identifier: MIT
 */
#include "gateway/media_serve.h"

#include <errno.h>
#include <libwebsockets.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "common/buf.h"
#include "common/log.h"
#include "common/mem.h"
#include "gateway/gateway.h"
#include "gateway/http.h"
#include "gateway/http_range.h"
#include "gateway/media.h"
#include "gateway/media_kind.h"
#include "gateway/media_store.h"

#define STREAMS_MAX 512
#define PIECE_MAX (128u * 1024)
/* A client must take a piece within this. */
#define PIECE_TIME_S 60

struct stream {
	struct media *media;    /* borrowed */
	struct http *http;      /* borrowed; NULL: gone */
	uv_work_t work;
	const struct media_kind *kind;
	char name[MEDIA_NAME_MAX + 1];
	struct media_object object;
	bool open;
	bool busy;
	bool follows;           /* the answer's body is [offset, end) */
	int error;
	uint64_t offset;
	uint64_t end;
	size_t ready;           /* bytes in the piece, to be written */
	uint8_t *piece;         /* owned; behind LWS_PRE bytes */
};

/* ---- on a worker thread ------------------------------------------------- */

static void
on_work(uv_work_t *work)
{
	struct stream *s = work->data;

	if (!s->open) {
		s->error = media_store_open(&s->object, s->name);
		s->open = s->error == 0;
		return;
	}
	s->error = media_store_read(&s->object, s->offset,
	    s->piece + LWS_PRE, s->ready);
}

/* ---- the answer's head -------------------------------------------------- */

static void
put_time(char *text, size_t max, time_t t)
{
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(text, max, "%a, %d %b %Y %H:%M:%S GMT", &tm);
}

/* A name in the list of If-None-Match; a `*` is any. */
static bool
tag_matches(const char *list, const char *etag)
{
	return strcmp(list, "*") == 0 || strstr(list, etag) != NULL;
}

static void
put_headers(struct buf *b, const struct stream *s, const char *etag,
    const char *modified)
{
	buf_printf(b, "etag: %s\r\nlast-modified: %s\r\n"
	    "accept-ranges: bytes\r\n"
	    "cache-control: public, max-age=31536000, immutable\r\n"
	    "cross-origin-resource-policy: cross-origin\r\n"
	    "content-security-policy: default-src 'none'; img-src 'self'; "
	    "media-src 'self'; style-src 'unsafe-inline'; sandbox\r\n",
	    etag, modified);
	if (!s->kind->shown) {
		buf_printf(b, "content-disposition: attachment; "
		    "filename=\"%s\"\r\n", s->name);
	}
}

static void
answer(struct http *h)
{
	struct stream *s = h->stream;
	struct buf b = BUF_INIT;
	char etag[MEDIA_NAME_MAX + 3];
	char modified[40];
	enum http_range range = HTTP_RANGE_ALL;
	uint64_t size = s->object.size;

	snprintf(etag, sizeof(etag), "\"%s\"", s->name);
	put_time(modified, sizeof(modified), s->object.mtime);
	put_headers(&b, s, etag, modified);
	s->end = size;
	if (h->method == HTTP_GET && (h->if_range[0] == '\0' ||
	    strcmp(h->if_range, etag) == 0 ||
	    strcmp(h->if_range, modified) == 0)) {
		range = http_range_read(h->range, size, &s->offset,
		    &s->end);
	}
	if (h->if_none_match[0] != '\0'
	    ? tag_matches(h->if_none_match, etag)
	    : strcmp(h->if_modified_since, modified) == 0) {
		buf_put_u8(&b, 0);
		http_answer(h, 304, NULL, (char *)b.data, NULL, 0);
	} else if (range == HTTP_RANGE_OUTSIDE) {
		buf_reset(&b);
		buf_printf(&b, "content-range: bytes */%llu\r\n",
		    (unsigned long long)size);
		buf_put_u8(&b, 0);
		http_answer(h, 416, NULL, (char *)b.data, NULL, 0);
	} else {
		if (range == HTTP_RANGE_PART) {
			buf_printf(&b, "content-range: bytes %llu-%llu/%llu"
			    "\r\n", (unsigned long long)s->offset,
			    (unsigned long long)s->end - 1,
			    (unsigned long long)size);
		}
		buf_put_u8(&b, 0);
		s->follows = h->method == HTTP_GET && s->end > s->offset;
		http_answer(h, range == HTTP_RANGE_PART ? 206 : 200,
		    s->kind->type, (char *)b.data, NULL,
		    (size_t)(s->end - s->offset));
	}
	buf_fini(&b);
}

static void
answer_absent(struct http *h)
{
	http_answer(h, 404, "text/plain", "cache-control: no-store\r\n",
	    "Not found\n", 10);
}

/* ---- the file ----------------------------------------------------------- */

static void
stream_free(struct stream *s)
{
	struct media *m = s->media;

	if (s->open) {
		media_store_close(&s->object);
	}
	free(s->piece);
	free(s);
	m->streams--;
	media_release(m);
}

/* The file is there, or not. */
static void
on_opened(struct http *h, int error)
{
	if (error == 0) {
		answer(h);
	} else if (error == ENOENT || error == ELOOP || error == ENOTDIR) {
		answer_absent(h);
	} else {
		log_warn("media_unreadable", "store=%s error=\"%s\" "
		    "remedy=\"see to the store and the limit of open "
		    "files\"", media_store_where(), strerror(error));
		http_answer(h, 503, "text/plain",
		    "cache-control: no-store\r\nretry-after: 1\r\n",
		    "Service unavailable\n", 20);
	}
}

static void
on_worked(uv_work_t *work, int status)
{
	struct stream *s = work->data;
	struct http *h = s->http;

	(void)status;
	s->busy = false;
	if (h == NULL) {
		stream_free(s);
	} else if (!s->follows) {
		on_opened(h, s->error);
	} else {
		lws_callback_on_writable(h->wsi);
	}
}

static void
begin_work(struct stream *s)
{
	s->busy = true;
	media_work(s->media, &s->work, on_work, on_worked);
}

void
media_serve(struct http *h, const char *name)
{
	const struct media_kind *kind = media_kind_of_name(name);
	struct media *m = h->gw->media;
	struct stream *s;

	if (kind == NULL) {
		answer_absent(h);
		return;
	}
	if (m->streams >= STREAMS_MAX) {
		http_answer(h, 503, "text/plain",
		    "cache-control: no-store\r\nretry-after: 1\r\n",
		    "Service unavailable\n", 20);
		return;
	}
	m->streams++;
	s = mem_zalloc(sizeof(*s));
	s->media = m;
	s->http = h;
	s->kind = kind;
	s->work.data = s;
	strcpy(s->name, name);
	h->stream = s;
	h->state = HTTP_WORKING;
	/* As with every handler: what is pipelined waits in the kernel. */
	lws_rx_flow_control(h->wsi, 0);
	begin_work(s);
}

bool
media_stream_follows(const struct http *h)
{
	return h->stream != NULL && h->stream->follows;
}

static void
read_next(struct stream *s)
{
	uint64_t left = s->end - s->offset;

	s->ready = left < PIECE_MAX ? (size_t)left : PIECE_MAX;
	begin_work(s);
}

void
media_stream_start(struct http *h)
{
	struct stream *s = h->stream;
	uint64_t len = s->end - s->offset;

	s->piece = mem_alloc(LWS_PRE + (len < PIECE_MAX ? (size_t)len
	    : PIECE_MAX));
	read_next(s);
}

int
media_stream_write(struct http *h)
{
	struct stream *s = h->stream;
	bool last;
	int n;

	if (s->busy) {
		return 0;
	}
	/* The head has promised the file; only a cut tells of the failure. */
	if (s->error != 0) {
		log_warn("media_unreadable", "name=%s error=\"%s\" "
		    "remedy=\"see to the store: %s\"", s->name,
		    strerror(s->error), media_store_where());
		return -1;
	}
	last = s->offset + s->ready == s->end;
	lws_set_timeout(h->wsi, PENDING_TIMEOUT_HTTP_CONTENT, PIECE_TIME_S);
	n = lws_write(h->wsi, s->piece + LWS_PRE, s->ready,
	    last ? LWS_WRITE_HTTP_FINAL : LWS_WRITE_HTTP);
	if (n < 0) {
		return -1;
	}
	s->offset += s->ready;
	if (last) {
		return 1;
	}
	read_next(s);
	return 0;
}

void
media_stream_end(struct http *h)
{
	struct stream *s = h->stream;

	if (s == NULL) {
		return;
	}
	h->stream = NULL;
	s->http = NULL;
	if (!s->busy) {
		stream_free(s);
	}
}
