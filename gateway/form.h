/*
 * form: a multipart body taken apart: a few short texts and at most one file,
 * whose bytes are passed on as they come. Bounded by FORM_TEXT_MAX for each
 * text and the wanted file's own bound.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef GATEWAY_FORM_H
#define GATEWAY_FORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/buf.h"
#include "gateway/multipart.h"

#define FORM_FIELDS_MAX 8
#define FORM_TEXT_MAX (16u * 1024)

struct form_field {
	const char *name;  /* one of the wanted names */
	bool present;
	struct buf text;
};

/* The one file that is wanted. */
struct form_file {
	const char *name;  /* of its part */
	uint64_t max;
	void (*data)(void *arg, const void *data, size_t len);
	void *arg;
};

struct form {
	struct multipart *parser; /* owned */
	struct form_field fields[FORM_FIELDS_MAX];
	size_t fields_len;
	struct form_file file;
	bool has_file;
	bool file_too_large;      /* its rest is dropped */
	uint64_t file_len;
	bool in_file;             /* the part being read is the file */
	struct buf *into;         /* the text being read; NULL: none */
};

/* NULL: no usable multipart Content-Type. `names` are the texts that are wanted
 * (NULL-terminated, constant). */
MUST_CHECK struct form *form_new(const char *content_type,
    const char *const *names, const struct form_file *file);
void form_free(struct form **f);
/* False: malformed. */
MUST_CHECK bool form_feed(struct form *f, const void *data, size_t len);
MUST_CHECK bool form_complete(const struct form *f);

#endif
