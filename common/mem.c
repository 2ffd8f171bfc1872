/*
 * Allocation that cannot fail. The end is abort(), after one log line: a core
 * shows who asked, and a supervisor starts the process again.
 *
 * SPDX-License-Identifier: MIT
 */
#include "common/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"

static NORETURN void
out_of_memory(size_t size)
{
	/* The logger works on its stack alone, so it still can say this. */
	log_error("out_of_memory",
	    "wanted=%zu; give the host or the container more memory", size);
	abort();
}

void *
mem_alloc(size_t size)
{
	void *ptr = malloc(size > 0 ? size : 1);

	if (ptr == NULL) {
		out_of_memory(size);
	}
	return ptr;
}

void *
mem_zalloc(size_t size)
{
	void *ptr = calloc(1, size > 0 ? size : 1);

	if (ptr == NULL) {
		out_of_memory(size);
	}
	return ptr;
}

void *
mem_realloc(void *ptr, size_t size)
{
	void *grown = realloc(ptr, size > 0 ? size : 1);

	if (grown == NULL) {
		out_of_memory(size);
	}
	return grown;
}

void *
mem_dup(const void *src, size_t size)
{
	void *copy = mem_alloc(size);

	if (size > 0) {
		memcpy(copy, src, size);
	}
	return copy;
}

char *
mem_strdup(const char *text)
{
	return mem_dup(text, strlen(text) + 1);
}

char *
mem_strndup(const char *text, size_t len)
{
	char *copy;

	len = strnlen(text, len);
	copy = mem_alloc(len + 1);
	memcpy(copy, text, len);
	copy[len] = '\0';
	return copy;
}

char *
mem_sprintf(const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (len < 0) {
		out_of_memory(strlen(fmt));
	}
	return text;
}
