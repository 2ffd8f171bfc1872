/*
 * One allocation a frame: struct, headroom (LWS_PRE), data.
 *
 * SPDX-License-Identifier: MIT
 */
#include "gateway/out_frame.h"

#include <libwebsockets.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"

static struct out_frame *
frame_alloc(size_t len)
{
	struct out_frame *f = mem_alloc(sizeof(*f) + LWS_PRE + len);

	f->refs = 1;
	f->len = len;
	f->data = (unsigned char *)(f + 1) + LWS_PRE;
	return f;
}

struct out_frame *
out_frame_new(const void *json, size_t len)
{
	struct out_frame *f = frame_alloc(len);

	memcpy(f->data, json, len);
	return f;
}

struct out_frame *
out_frame_new_late(const void *json, size_t len)
{
	static const char mark[] = ",\"catch_up\":true}";
	const size_t mark_len = sizeof(mark) - 1;
	const char *text = json;
	struct out_frame *f;

	while (len > 0 && text[len - 1] != '}') {
		len--;
	}
	if (len < 2) {
		return out_frame_new(json, len);
	}
	len--; /* the closing brace goes, to come back in the mark */
	f = frame_alloc(len + mark_len);
	memcpy(f->data, text, len);
	memcpy(f->data + len, mark, mark_len);
	return f;
}

struct out_frame *
out_frame_ref(struct out_frame *f)
{
	f->refs++;
	return f;
}

void
out_frame_unref(struct out_frame **f)
{
	if (*f != NULL && --(*f)->refs == 0) {
		free(*f);
	}
	*f = NULL;
}
