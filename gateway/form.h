/*
 * form: a multipart body taken apart: a few short texts and at most one file.
 * Bounded by FORM_TEXT_MAX for each text and FORM_FILE_MAX for the file.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef GATEWAY_FORM_H
#define GATEWAY_FORM_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"
#include "common/buf.h"
#include "gateway/multipart.h"

#define FORM_FIELDS_MAX 8
#define FORM_TEXT_MAX (16u * 1024)
#define FORM_FILE_MAX (2u * 1024 * 1024)

struct form_field {
	const char *name;  /* one of the wanted names */
	bool present;
	struct buf text;
};

struct form {
	struct multipart *parser; /* owned */
	struct form_field fields[FORM_FIELDS_MAX];
	size_t fields_len;
	const char *file_name;    /* the part that holds the file */
	bool has_file;
	bool file_too_large;      /* its rest is dropped */
	struct buf file;
	struct buf *into;         /* of the part being read; NULL: drop */
	size_t into_max;
};

/* NULL: no usable multipart Content-Type. `names` are the texts that are wanted
 * (NULL-terminated, constant), `file` the file's part. */
MUST_CHECK struct form *form_new(const char *content_type,
    const char *const *names, const char *file);
void form_free(struct form **f);
/* Forms that exist now. */
size_t form_count(void);
/* False: malformed. */
MUST_CHECK bool form_feed(struct form *f, const void *data, size_t len);
MUST_CHECK bool form_complete(const struct form *f);

#endif
