/*
 * out_frame: the bytes of one text frame on their way to clients, counted and
 * shared by all sessions that get the same. In front of the data is the room in
 * which libwebsockets writes the frame header each time it is sent: since
 * frames to clients are not masked, the data itself stays as it is.
 *
 * Main thread only.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef GATEWAY_OUT_FRAME_H
#define GATEWAY_OUT_FRAME_H

#include <stddef.h>

#include "common/attr.h"

struct out_frame {
	unsigned refs;
	size_t len;
	unsigned char *data; /* in the same allocation, behind the headroom */
};

/* A copy of `json`, with one reference. */
MUST_CHECK struct out_frame *out_frame_new(const void *json, size_t len);
/* The same with `"catch_up":true` as its last member; `json` is an object. */
MUST_CHECK struct out_frame *out_frame_new_late(const void *json, size_t len);
struct out_frame *out_frame_ref(struct out_frame *f);
/* Gives one reference back and clears the caller's pointer (NULL is fine). */
void out_frame_unref(struct out_frame **f);

#endif
