/*
 * media_store: where uploaded files are kept for good: the directory media_dir,
 * shared by all gateways, or a bucket (media_s3.h). A file is written in
 * media_dir under a temporary name and gets its own, there or in the bucket,
 * only when it is complete; it then never changes.
 *
 * Everything here may block and is called on uv's worker threads; each object
 * by one at a time. Names are those of media_kind.h.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef GATEWAY_MEDIA_STORE_H
#define GATEWAY_MEDIA_STORE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "common/attr.h"

struct media_s3;

struct media_object {
	int fd;                 /* -1: in the bucket */
	struct media_s3 *s3;    /* owned */
	uint64_t size;
	time_t mtime;
};

/* For the log. */
const char *media_store_where(void);

/* All but the last return an errno, or 0. */
MUST_CHECK int media_store_create(int *fd_r, const char *temp);
MUST_CHECK int media_store_write(int fd, const void *data, size_t len);
/* `fd` is synced and closed, whatever comes of it. */
MUST_CHECK int media_store_commit(int fd, const char *temp, const char *name);
/* What is not there is no error. */
void media_store_remove(const char *name);

/* ENOENT: no such file. The object needs media_store_close only after 0. */
MUST_CHECK int media_store_open(struct media_object *o, const char *name);
/* Exactly len bytes. */
MUST_CHECK int media_store_read(const struct media_object *o,
    uint64_t offset, void *data, size_t len);
void media_store_close(struct media_object *o);

#endif
