/*
 * Parts nobody asked for are read over. A text that is too long makes the form
 * malformed; a file that is too large is noted, so that the answer can say so.
 *
 * SPDX-License-Identifier: MIT
 */
#include "gateway/form.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"

static bool
on_begin(void *arg, const char *name, bool is_file)
{
	struct form *f = arg;

	f->into = NULL;
	if (strcmp(name, f->file.name) == 0) {
		/* A second one cannot take the place of what has gone on. */
		if (f->has_file) {
			return false;
		}
		/* A browser sends an empty part for a file not chosen. */
		f->has_file = is_file;
		f->in_file = is_file;
		return true;
	}
	for (size_t i = 0; i < f->fields_len; i++) {
		if (strcmp(name, f->fields[i].name) == 0) {
			f->fields[i].present = true;
			f->into = &f->fields[i].text;
			buf_reset(f->into);
		}
	}
	return true;
}

static void
on_file_data(struct form *f, const void *data, size_t len)
{
	if (len > f->file.max - f->file_len) {
		f->file_too_large = true;
		f->in_file = false;
		return;
	}
	f->file_len += len;
	f->file.data(f->file.arg, data, len);
}

static bool
on_data(void *arg, const void *data, size_t len)
{
	struct form *f = arg;

	if (f->in_file) {
		on_file_data(f, data, len);
		return true;
	}
	if (f->into == NULL) {
		return true;
	}
	if (len > FORM_TEXT_MAX - f->into->len) {
		return false;
	}
	buf_put(f->into, data, len);
	return true;
}

static bool
on_end(void *arg)
{
	struct form *f = arg;

	f->into = NULL;
	f->in_file = false;
	return true;
}

struct form *
form_new(const char *content_type, const char *const *names,
    const struct form_file *file)
{
	static const struct multipart_handler handler = {
		.begin = on_begin,
		.data = on_data,
		.end = on_end,
	};
	struct form *f = mem_zalloc(sizeof(*f));

	f->parser = multipart_new(content_type, &handler, f);
	if (f->parser == NULL) {
		free(f);
		return NULL;
	}
	f->file = *file;
	while (*names != NULL && f->fields_len < FORM_FIELDS_MAX) {
		f->fields[f->fields_len++].name = *names++;
	}
	return f;
}

void
form_free(struct form **fp)
{
	struct form *f = *fp;

	if (f == NULL) {
		return;
	}
	*fp = NULL;
	for (size_t i = 0; i < f->fields_len; i++) {
		struct buf *text = &f->fields[i].text;

		if (text->data != NULL) {
			/* One of them is a password. */
			sodium_memzero(text->data, text->cap);
		}
		buf_fini(text);
	}
	multipart_free(&f->parser);
	free(f);
}

bool
form_feed(struct form *f, const void *data, size_t len)
{
	return multipart_feed(f->parser, data, len);
}

bool
form_complete(const struct form *f)
{
	return multipart_done(f->parser);
}
