/*
 * media_s3: the media store in a bucket of an S3-compatible service, in place
 * of the directory when media_s3_endpoint is set. An object appears there whole
 * or not at all, and then never changes.
 *
 * media_s3_start and media_s3_end: before and after all other threads. stop:
 * main thread.
 * The rest blocks, within stated times, and is called on uv's worker threads.
 * Errors are errnos; what the service said is logged where it happens.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef GATEWAY_MEDIA_S3_H
#define GATEWAY_MEDIA_S3_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "common/attr.h"

struct media_s3;

/* Whether the settings ask for it. */
bool media_s3_wanted(void);
/* False, and one line in the log, when the settings are no good; true also when
 * they do not ask for it. */
MUST_CHECK bool media_s3_start(void);
/* What is under way breaks off within a second, what comes fails. */
void media_s3_stop(void);
void media_s3_end(void);

/* Stores the file at `path`. */
MUST_CHECK int media_s3_put(const char *path, const char *name);
/* What is not there is no error; what cannot be removed is logged. */
void media_s3_remove(const char *name);

/* ENOENT: no such object. After 0, *s_r is ended by media_s3_close. */
MUST_CHECK int media_s3_open(struct media_s3 **s_r, const char *name,
    uint64_t *size_r, time_t *mtime_r);
/* Exactly len bytes. */
MUST_CHECK int media_s3_read(struct media_s3 *s, uint64_t offset, void *data,
    size_t len);
void media_s3_close(struct media_s3 *s);

/* Requests that came to nothing; for /metrics. Any thread. */
uint64_t media_s3_failures(void);

#endif
