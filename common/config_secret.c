/*
 * Settings that are secrets: kept off the command line, which everyone on the
 * machine can read, and read from files made for one secret each: those that
 * `<key>_file` names (Docker, Kubernetes), and those in the directory of
 * $CREDENTIALS_DIRECTORY that are named like the setting (systemd's
 * LoadCredential).
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/config_table.h"
#include "common/mem.h"

#define SECRET_MAX ((size_t)64 * 1024)

struct config_file_row {
	struct config_row row;
	char key[CONFIG_NAME_LEN];
	char meaning[CONFIG_NAME_LEN + 32];
	char *path; /* the row's target */
};

struct config_row *
config_file_row_new(const struct config_row *secret)
{
	struct config_file_row *f = mem_zalloc(sizeof(*f));

	snprintf(f->key, sizeof(f->key), "%s_file", secret->key);
	snprintf(f->meaning, sizeof(f->meaning), "file that holds %s",
	    secret->key);
	f->row.key = f->key;
	f->row.kind = CONFIG_TEXT;
	f->row.target = &f->path;
	f->row.meaning = f->meaning;
	return &f->row;
}

bool
config_value_is_secret(const struct config_row *row, const char *text)
{
	const char *host = strstr(text, "://");

	if ((row->flags & CONFIG_SECRET) == 0 || *text == '\0') {
		return false;
	}
	/* A URL that names no one keeps no secret. */
	return (host == NULL && strncmp(text, "unix:", 5) != 0) ||
	    strchr(text, '@') != NULL || strstr(text, "password") != NULL;
}

/* Reads an open file to its end; NULL (errno, or 0 and *why_r) when it cannot.
 * The line break that editors end a file with is no part of the secret. */
static char *
read_secret(int fd, const char **why_r)
{
	char *text = mem_alloc(SECRET_MAX + 1);
	size_t len = 0;
	ssize_t n = 1;
	struct stat st;

	if (fstat(fd, &st) == 0 && !S_ISREG(st.st_mode)) {
		*why_r = "not a regular file";
		n = -1;
	}
	while (n > 0 && len <= SECRET_MAX) {
		n = read(fd, text + len, SECRET_MAX + 1 - len);
		len += n > 0 ? (size_t)n : 0;
	}
	if (n < 0 && *why_r == NULL) {
		*why_r = strerror(errno);
	} else if (len > SECRET_MAX) {
		*why_r = "longer than 64k";
	} else if (memchr(text, '\0', len) != NULL) {
		*why_r = "a zero byte in it";
	}
	if (*why_r != NULL) {
		free(text);
		return NULL;
	}
	while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == '\r')) {
		len--;
	}
	text[len] = '\0';
	return text;
}

char *
config_secret_read(const char *path, const char **why_r)
{
	/* A pipe that nobody writes to must not hang the start. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char *text;

	*why_r = NULL;
	if (fd < 0) {
		*why_r = strerror(errno);
		return NULL;
	}
	text = read_secret(fd, why_r);
	close(fd);
	return text;
}

char *
config_credential_read(const char *key, const char **why_r)
{
	const char *dir = getenv("CREDENTIALS_DIRECTORY");
	char *path, *text = NULL;

	*why_r = NULL;
	if (dir == NULL || *dir != '/') {
		return NULL;
	}
	path = mem_sprintf("%s/%s", dir, key);
	if (access(path, F_OK) == 0) {
		text = config_secret_read(path, why_r);
	}
	free(path);
	return text;
}
