/*
 * static_files: the web client's files, read into memory at start and at
 * reload, and served from there by exact name: no path of a client's choosing
 * is ever opened. Bounded by FILES_MAX files of FILE_MAX bytes. Main thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef GATEWAY_STATIC_FILES_H
#define GATEWAY_STATIC_FILES_H

#include <stdbool.h>

struct http;
struct static_files;

/* A directory that cannot be read is a warning: the API works without. */
struct static_files *static_files_new(const char *dir);
void static_files_free(struct static_files **s);

/* Answers GET or HEAD of `path`; false: there is no such file. */
bool static_files_serve(const struct static_files *s, struct http *h,
    const char *path);

#endif
