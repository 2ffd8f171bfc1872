/*
 * Only regular files with a known ending are read, in the directory and in the
 * folders within it; hidden ones are not. The entity tag is a hash of the
 * content, so it is the same at every gateway.
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

#define FILES_MAX 256
#define DEPTH_MAX 3
#define NAME_MAX_LEN 255
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

/* `path`: the file's name as clients ask for it. Takes over fd. */
static void
add_file(struct static_files *s, int fd, const char *path)
{
	struct file *f;

	if (type_of(path) == NULL) {
		close(fd);
		return;
	}
	if (s->len == FILES_MAX) {
		log_warn("www_too_many_files", "file=%s max=%d "
		    "remedy=\"remove what is not the web client's from "
		    "www_dir\"", path, FILES_MAX);
		close(fd);
		return;
	}
	f = &s->files[s->len];
	if (read_content(fd, f)) {
		f->name = mem_strdup(path);
		f->type = type_of(path);
		make_etag(f);
		s->len++;
	}
	close(fd);
}

/* Reads a folder, whose name with its final slash is `prefix`. Takes over fd.
 */
static void
add_folder(struct static_files *s, int fd, const char *prefix, int depth)
{
	DIR *d = fdopendir(fd);
	const struct dirent *entry;
	char path[NAME_MAX_LEN + 1];
	struct stat st;
	int child;

	if (d == NULL) {
		close(fd);
		return;
	}
	while ((entry = readdir(d)) != NULL) {
		int len = snprintf(path, sizeof(path), "%s%s", prefix,
		    entry->d_name);

		if (entry->d_name[0] == '.' || len >= (int)sizeof(path) - 1) {
			continue;
		}
		/* NONBLOCK: a pipe that lies there must not hold us. */
		child = openat(dirfd(d), entry->d_name,
		    O_RDONLY | O_CLOEXEC | O_NONBLOCK);
		if (child < 0) {
			continue;
		}
		if (fstat(child, &st) == 0 && S_ISDIR(st.st_mode) &&
		    depth < DEPTH_MAX) {
			strcpy(path + len, "/");
			add_folder(s, child, path, depth + 1);
		} else {
			add_file(s, child, path);
		}
	}
	closedir(d);
}

struct static_files *
static_files_new(const char *dir)
{
	struct static_files *s = mem_zalloc(sizeof(*s));
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0) {
		log_warn("www_dir_unreadable", "www_dir=%s error=\"%s\" "
		    "remedy=\"set www_dir; the web page is not served\"", dir,
		    strerror(errno));
		return s;
	}
	add_folder(s, fd, "", 0);
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

/* The address of pictures and media is public_url, whichever gateway serves the
 * page. Nothing is ever made from text (Trusted Types), run inline, or asked of
 * another host. */
static void
put_policy(struct buf *b)
{
	const char *url = settings.public_url;
	const char *host = strstr(url, "://");
	int len = host == NULL ? 0
	    : (int)((size_t)(host + 3 - url) + strcspn(host + 3, "/; ,'"));

	buf_printf(b, "content-security-policy: default-src 'self'; "
	    "img-src 'self' blob: %.*s; media-src 'self' blob: %.*s; "
	    "object-src 'none'; base-uri 'none'; form-action 'self'; "
	    "frame-ancestors 'none'; require-trusted-types-for 'script'; "
	    "trusted-types 'none'\r\n", len, url, len, url);
}

/* Our own pictures may stand in pages of other origins; all else is ours. */
static void
put_headers(struct buf *b, const struct file *f)
{
	buf_printf(b, "etag: %s\r\ncache-control: no-cache\r\n"
	    "referrer-policy: no-referrer\r\n"
	    "permissions-policy: camera=(), microphone=(), geolocation=()"
	    "\r\n", f->etag);
	put_policy(b);
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
