/*
 * Allocation that cannot fail: out of memory ends the process with a log line.
 * Every queue and buffer of the services is bounded, so running out means that
 * the host itself is out; limping on would only corrupt what is still whole.
 *
 * Any thread. The caller owns what is returned and releases it with free().
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COMMON_MEM_H
#define COMMON_MEM_H

#include <stddef.h>

#include "common/attr.h"

MUST_CHECK void *mem_alloc(size_t size);
MUST_CHECK void *mem_zalloc(size_t size);
MUST_CHECK void *mem_realloc(void *ptr, size_t size);
MUST_CHECK void *mem_dup(const void *src, size_t size);
MUST_CHECK char *mem_strdup(const char *text);
MUST_CHECK char *mem_strndup(const char *text, size_t len);

/* A new string in the manner of sprintf. */
MUST_CHECK char *mem_sprintf(const char *fmt, ...) PRINTF_LIKE(1, 2);

#endif
