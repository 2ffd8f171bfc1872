/*
 * Only regular files directly in the directory with a known ending are read;
 * hidden ones are not. The entity tag is a hash of the content, so it is the
 * same at every gateway.
 *
 * SPDX-License-Identifier: MIT
 */
#include "gateway/static_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/log.h"
#include "common/mem.h"
#include "gateway/http.h"
#include "gateway/settings.h"

#define FILES_MAX 64
#define FILE_MAX (2u * 1024 * 1024)
#define ETAG_LEN 34 /* 32 hex digits in quotes */

struct file {
	char *name;        /* owned */
	const char *type;
	char etag[ETAG_LEN + 1];
	uint8_t *data;     /* owned */
	size_t len;
};

struct static_files {
	struct file files[FILES_MAX];
	size_t len;
};

static const struct {
	const char *ext;
	const char *type;
} types[] = {
	{ ".html", "text/html; charset=utf-8" },
	{ ".js", "text/javascript; charset=utf-8" },
	{ ".css", "text/css; charset=utf-8" },
	{ ".svg", "image/svg+xml" },
	{ ".png", "image/png" },
	{ ".ico", "image/x-icon" },
	{ ".webmanifest", "application/manifest+json" },
	{ ".txt", "text/plain; charset=utf-8" },
};

static const char *
type_of(const char *name)
{
	const char *ext = strrchr(name, '.');

	if (ext == NULL || ext == name) {
		return NULL;
	}
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		if (strcmp(ext, types[i].ext) == 0) {
			return types[i].type;
		}
	}
	return NULL;
}

/* ---- reading ------------------------------------------------------------ */

static bool
read_content(int fd, struct file *f)
{
	struct stat st;
	size_t got = 0;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
	    st.st_size > FILE_MAX) {
		return false;
	}
	f->len = (size_t)st.st_size;
	f->data = mem_alloc(f->len + 1);
	while (got < f->len) {
		ssize_t n = read(fd, f->data + got, f->len - got);

		if (n <= 0) {
			free(f->data);
			f->data = NULL;
			return false;
		}
		got += (size_t)n;
	}
	return true;
}

static void
make_etag(struct file *f)
{
	unsigned char hash[16];

	crypto_generichash(hash, sizeof(hash), f->data, f->len, NULL, 0);
	f->etag[0] = '"';
	sodium_bin2hex(f->etag + 1, ETAG_LEN - 1, hash, sizeof(hash));
	f->etag[ETAG_LEN - 1] = '"';
	f->etag[ETAG_LEN] = '\0';
}

static void
add_file(struct static_files *s, int dir_fd, const char *name)
{
	struct file *f = &s->files[s->len];
	const char *type = type_of(name);
	int fd;

	if (type == NULL || name[0] == '.' || s->len == FILES_MAX) {
		return;
	}
	fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		return;
	}
	if (read_content(fd, f)) {
		f->name = mem_strdup(name);
		f->type = type;
		make_etag(f);
		s->len++;
	}
	close(fd);
}

struct static_files *
static_files_new(const char *dir)
{
	struct static_files *s = mem_zalloc(sizeof(*s));
	DIR *d = opendir(dir);
	const struct dirent *entry;

	if (d == NULL) {
		log_warn("www_dir_unreadable", "www_dir=%s error=\"%s\" "
		    "remedy=\"set www_dir; the web page is not served\"", dir,
		    strerror(errno));
		return s;
	}
	while ((entry = readdir(d)) != NULL) {
		add_file(s, dirfd(d), entry->d_name);
	}
	closedir(d);
	log_info("www_loaded", "www_dir=%s files=%zu", dir, s->len);
	return s;
}

void
static_files_free(struct static_files **sp)
{
	struct static_files *s = *sp;

	if (s == NULL) {
		return;
	}
	*sp = NULL;
	for (size_t i = 0; i < s->len; i++) {
		free(s->files[i].name);
		free(s->files[i].data);
	}
	free(s);
}

/* ---- serving ------------------------------------------------------------ */

static const struct file *
find(const struct static_files *s, const char *path)
{
	const char *name = path[0] == '/' ? path + 1 : path;

	if (name[0] == '\0') {
		name = "index.html";
	}
	for (size_t i = 0; i < s->len; i++) {
		if (strcmp(s->files[i].name, name) == 0) {
			return &s->files[i];
		}
	}
	return NULL;
}

/* Our own pictures may stand in pages of other origins; all else is ours. The
 * address of pictures is public_url, whichever gateway serves the page. */
static void
put_headers(struct buf *b, const struct file *f)
{
	const char *url = settings.public_url;
	const char *host = strstr(url, "://");
	size_t origin_len = host == NULL ? 0
	    : (size_t)(host + 3 - url) + strcspn(host + 3, "/; ,'");

	buf_printf(b, "etag: %s\r\ncache-control: no-cache\r\n"
	    "referrer-policy: no-referrer\r\n"
	    "content-security-policy: default-src 'self'; "
	    "img-src 'self' data: blob: %.*s; connect-src 'self' ws: wss:; "
	    "object-src 'none'; base-uri 'none'; form-action 'self'; "
	    "frame-ancestors 'none'\r\n", f->etag, (int)origin_len, url);
	if (strncmp(f->type, "image/", 6) == 0) {
		buf_puts(b, "cross-origin-resource-policy: cross-origin\r\n");
	}
	buf_put_u8(b, 0);
}

bool
static_files_serve(const struct static_files *s, struct http *h,
    const char *path)
{
	const struct file *f = find(s, path);
	struct buf headers = BUF_INIT;

	if (f == NULL) {
		return false;
	}
	put_headers(&headers, f);
	if (strcmp(h->if_none_match, f->etag) == 0) {
		http_answer(h, 304, NULL, (const char *)headers.data, NULL, 0);
	} else {
		http_answer(h, 200, f->type, (const char *)headers.data,
		    f->data, f->len);
	}
	buf_fini(&headers);
	return true;
}
