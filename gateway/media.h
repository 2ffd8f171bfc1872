/*
 * media: the store of uploaded pictures, a directory that all gateways share.
 * Files are named by fresh random ids and never change, so they may be cached
 * for ever. Written by uv's worker threads: to a temporary name, then renamed.
 *
 * At most UPLOADS_MAX are written at a time; beyond, an upload fails. Main
 * thread (but for the writing itself).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef GATEWAY_MEDIA_H
#define GATEWAY_MEDIA_H

#include <stddef.h>

#include "common/attr.h"
#include "common/buf.h"

struct gateway;
struct http;
struct media;

/* Warns when the directory cannot be written; uploads will then fail. */
struct media *media_new(struct gateway *gw);
/* What is being written finishes first: the loop has to turn until then. */
void media_free(struct media **m);

/* "jpg", "png" or "webp" by content; NULL: none of them. */
const char *media_picture_ext(const void *data, size_t len);

/* Stores the content (taken over); `done` gets the public URL, or NULL. The
 * file is the request's until media_keep or media_remove. */
void media_store(struct http *h, struct buf *content, const char *ext,
    void (*done)(struct http *h, const char *url));
void media_keep(struct http *h);
void media_remove(struct http *h);
/* The request is gone. Its file goes too, unless chatd may have its address. */
void media_forget(struct http *h);

/* Answers GET /media/<name>; returns what the library's callback should. */
MUST_CHECK int media_serve(struct http *h, const char *name);

#endif
