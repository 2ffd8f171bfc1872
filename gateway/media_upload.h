/*
 * media_upload: one file on its way into the store.
 *
 *   RECEIVING -> STORING -> STORED -> kept, or removed
 *       `- refused, broken off, disk full: the temporary file is removed
 *
 * Bytes are written by a worker thread while the next ones arrive; what waits
 * is bounded by pausing the socket. At most uploads_max at a time. An upload
 * outlives its request only while there is something to write or to remove.
 * Main thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef GATEWAY_MEDIA_UPLOAD_H
#define GATEWAY_MEDIA_UPLOAD_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"
#include "gateway/media_kind.h"

struct http;
struct upload;

/* Gives h->upload; false: too many at once. */
MUST_CHECK bool media_upload_begin(struct http *h);
/* Before this nothing is written: it is not yet known who sends. */
void media_upload_admit(struct http *h);
void media_upload_data(struct http *h, const void *data, size_t len);

const struct media_kind *media_upload_kind(const struct http *h);
/* Stores what has come. `done` gets the public URL, or NULL, never before this
 * returns. The file is the request's until media_keep or media_remove. */
void media_upload_store(struct http *h,
    void (*done)(struct http *h, const char *url));
void media_keep(struct http *h);
void media_remove(struct http *h);
/* The request is gone. Its file goes too, unless chatd may have its address. */
void media_forget(struct http *h);

#endif
