/*
 * media_serve: GET /media/<name>. Goes by name alone: only names of the form
 * that we give ourselves are looked up, so no path of a client's choosing ever
 * reaches the store. A file is read piece by piece on worker threads, the next
 * one when the last has left. At most STREAMS_MAX at a time. Main thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef GATEWAY_MEDIA_SERVE_H
#define GATEWAY_MEDIA_SERVE_H

#include <stdbool.h>

#include "common/attr.h"

struct http;

/* Answers in its time. */
void media_serve(struct http *h, const char *name);

/* Whether the answer's body is a file, which media_stream_start then reads. */
bool media_stream_follows(const struct http *h);
void media_stream_start(struct http *h);
/* From the WRITEABLE callback. 1: all is written; 0: more to come; -1: close.
 *  */
MUST_CHECK int media_stream_write(struct http *h);
void media_stream_end(struct http *h);

#endif
