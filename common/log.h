/*
 * Logs: one line an event, `key=value`, on stderr or in a file.
 *
 *   2026-02-07T22:55:00.123Z info chatd peer_up peer=presenced addr=ipc://..
 *
 * error: a human must act; warn: odd, survived; info: lifecycle; debug: one
 * request's path. Never tokens, passwords or message bodies. Control
 * characters, and anything else that could forge a line, are written as \xNN.
 * Lines are cut at 2 KiB. Any thread may log; log_init and log_reopen: the main thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COMMON_LOG_H
#define COMMON_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "common/attr.h"

enum log_level {
	LOG_ERROR,
	LOG_WARN,
	LOG_INFO,
	LOG_DEBUG,
};

/* `path` NULL or "": stderr. False when the file cannot be opened. */
MUST_CHECK bool log_init(const char *process, enum log_level level,
    const char *path);
/* Opens the file anew (after log rotation). */
void log_reopen(void);
void log_set_level(enum log_level level);
bool log_enabled(enum log_level level);
void log_fini(void);

/* `event` is a fixed word such as peer_up; `fmt` gives "key=%s other=%d". */
void log_event(enum log_level level, const char *event, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

#define log_error(event, ...) log_event(LOG_ERROR, event, __VA_ARGS__)
#define log_warn(event, ...) log_event(LOG_WARN, event, __VA_ARGS__)
#define log_info(event, ...) log_event(LOG_INFO, event, __VA_ARGS__)
#define log_debug(event, ...) \
	do { \
		if (log_enabled(LOG_DEBUG)) { \
			log_event(LOG_DEBUG, event, __VA_ARGS__); \
		} \
	} while (0)

/* The process-wide counter of lines by level, for /metrics. */
uint64_t log_count(enum log_level level);

#endif
