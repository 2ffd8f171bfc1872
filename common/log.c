/*
 * Logs. A line is made on the caller's stack and leaves in one write(), so that
 * threads need no lock and lines never mix. Reopening puts the new file in
 * place of the old under the same descriptor (dup2), which no other thread can
 * notice.
 *
 * SPDX-License-Identifier: MIT
 */
#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/json_in.h"
#include "common/mem.h"

#define LINE_MAX 2048
#define LEVELS (LOG_DEBUG + 1)

static const char *const level_names[LEVELS] = { "error", "warn", "info",
	"debug" };

static char process_name[32] = "parley";
static char *log_path; /* owned; NULL: stderr */
static _Atomic int log_fd = STDERR_FILENO;
static _Atomic int log_level = LOG_INFO;
static _Atomic uint64_t counts[LEVELS];

static int
open_file(const char *path)
{
	return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
}

bool
log_init(const char *process, enum log_level level, const char *path)
{
	log_fini();
	snprintf(process_name, sizeof(process_name), "%s", process);
	log_set_level(level);
	if (path != NULL && *path != '\0') {
		int fd = open_file(path);

		if (fd < 0) {
			return false;
		}
		log_path = mem_strdup(path);
		log_fd = fd;
	}
	return true;
}

void
log_reopen(void)
{
	int fd;

	if (log_path == NULL) {
		return;
	}
	fd = open_file(log_path);
	if (fd < 0) {
		log_error("log_reopen_failed", "file=%s cause=\"%s\"", log_path,
		    strerror(errno));
		return;
	}
	dup3(fd, log_fd, O_CLOEXEC);
	close(fd);
}

void
log_set_level(enum log_level level)
{
	log_level = (int)level;
}

bool
log_enabled(enum log_level level)
{
	return (int)level <= atomic_load_explicit(&log_level,
	    memory_order_relaxed);
}

void
log_fini(void)
{
	if (log_path != NULL) {
		int fd = log_fd;

		log_fd = STDERR_FILENO;
		close(fd);
		free(log_path);
		log_path = NULL;
	}
}

uint64_t
log_count(enum log_level level)
{
	return atomic_load_explicit(&counts[level], memory_order_relaxed);
}

/* Signs that turn the writing direction, end a line or show nothing: with them
 * one line can look like another. Sequences of three bytes. */
static bool
misleading(const unsigned char *p)
{
	if (p[0] != 0xe2) {
		return false;
	}
	if (p[1] == 0x80) {
		return (p[2] >= 0x8b && p[2] <= 0x8f) ||
		    (p[2] >= 0xa8 && p[2] <= 0xae);
	}
	return p[1] == 0x81 && p[2] >= 0xa0 && p[2] <= 0xaf;
}

/* Length of the UTF-8 sequence at p that may stand in a log line as it is; 0
 * when its first byte must be escaped. The backslash is, so that an escape is
 * never taken for text. */
static size_t
plain_len(const unsigned char *p, size_t left)
{
	size_t len = p[0] < 0x80 ? 1 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;

	if (len == 1) {
		return p[0] >= 0x20 && p[0] != 0x7f && p[0] != '\\' ? 1 : 0;
	}
	if (len > left || !utf8_valid((const char *)p, len)) {
		return 0;
	}
	if (p[0] == 0xc2 && p[1] < 0xa0) {
		return 0; /* C1 controls */
	}
	return len == 3 && misleading(p) ? 0 : len;
}

/* Copies `in` with everything that could forge a line escaped. Returns the
 * bytes written, at most `room`. */
static size_t
put_clean(char *out, size_t room, const char *in, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *p = (const unsigned char *)in;
	size_t used = 0;

	for (size_t i = 0; i < len;) {
		size_t n = plain_len(p + i, len - i);

		if (used + (n > 0 ? n : 4) > room) {
			break;
		}
		if (n > 0) {
			memcpy(out + used, in + i, n);
			used += n;
			i += n;
		} else {
			out[used++] = '\\';
			out[used++] = 'x';
			out[used++] = digits[p[i] >> 4];
			out[used++] = digits[p[i] & 0x0f];
			i++;
		}
	}
	return used;
}

void
log_event(enum log_level level, const char *event, const char *fmt, ...)
{
	char time[CLOCK_TEXT_LEN + 1], raw[LINE_MAX], line[LINE_MAX];
	size_t used;
	va_list ap;
	int len, saved = errno;

	if (!log_enabled(level)) {
		return;
	}
	counts[level]++;
	va_start(ap, fmt);
	len = vsnprintf(raw, sizeof(raw), fmt, ap);
	va_end(ap);
	if (len < 0) {
		len = 0;
	} else if ((size_t)len >= sizeof(raw)) {
		len = sizeof(raw) - 1;
	}
	used = (size_t)snprintf(line, sizeof(line) / 2, "%s %s %s %.64s",
	    clock_format(clock_unix_ms(), time), level_names[level],
	    process_name, event);
	if (len > 0) {
		line[used++] = ' ';
		used += put_clean(line + used, sizeof(line) - used - 1, raw,
		    (size_t)len);
	}
	line[used++] = '\n';
	/* A log that cannot be written must not stop the service. */
	while (write(log_fd, line, used) < 0 && errno == EINTR) {
		;
	}
	errno = saved;
}
