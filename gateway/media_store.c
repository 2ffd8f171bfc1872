/*
 * The directory is opened anew for each use: it may be a mount that comes back.
 * Symbolic links are not followed.
 *
 * SPDX-License-Identifier: MIT
 */
#include "gateway/media_store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/mem.h"
#include "gateway/media_s3.h"
#include "gateway/settings.h"

static char *
path_of(const char *name)
{
	return mem_sprintf("%s/%s", settings.media_dir, name);
}

const char *
media_store_where(void)
{
	return media_s3_wanted() ? settings.media_s3_endpoint
	    : settings.media_dir;
}

/* ---- writing ------------------------------------------------------------ */

int
media_store_create(int *fd_r, const char *temp)
{
	char *path = path_of(temp);
	int error = 0;

	*fd_r = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC |
	    O_NOFOLLOW, 0644);
	if (*fd_r < 0) {
		error = errno;
	}
	free(path);
	return error;
}

int
media_store_write(int fd, const void *data, size_t len)
{
	const char *p = data;

	while (len > 0) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n < 0) {
			return errno;
		}
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

/* A name that was given must outlive a crash as well. */
static int
sync_directory(void)
{
	int fd = open(settings.media_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int error = 0;

	if (fd < 0) {
		return errno;
	}
	/* Some file systems cannot, and need not. */
	if (fsync(fd) < 0 && errno != EINVAL) {
		error = errno;
	}
	close(fd);
	return error;
}

/* The bucket keeps it; the file was only on its way. */
static int
commit_to_s3(int fd, const char *temp, const char *name)
{
	char *from = path_of(temp);
	int error = close(fd) < 0 ? errno : 0;

	if (error == 0) {
		error = media_s3_put(from, name);
	}
	if (error == 0) {
		unlink(from);
	}
	free(from);
	return error;
}

static int
commit_to_directory(int fd, const char *temp, const char *name)
{
	char *from = path_of(temp);
	char *to = path_of(name);
	int error = fsync(fd) < 0 ? errno : 0;

	if (close(fd) < 0 && error == 0) {
		error = errno;
	}
	if (error == 0 && rename(from, to) < 0) {
		error = errno;
	}
	if (error == 0) {
		error = sync_directory();
	}
	free(from);
	free(to);
	return error;
}

int
media_store_commit(int fd, const char *temp, const char *name)
{
	return media_s3_wanted() ? commit_to_s3(fd, temp, name)
	    : commit_to_directory(fd, temp, name);
}

void
media_store_remove(const char *name)
{
	char *path;

	/* Temporary names begin with a dot, and are never in the bucket. */
	if (media_s3_wanted() && name[0] != '.') {
		media_s3_remove(name);
		return;
	}
	path = path_of(name);
	unlink(path);
	free(path);
}

/* ---- reading ------------------------------------------------------------ */

static int
open_in_directory(struct media_object *o, const char *name)
{
	char *path = path_of(name);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	int error = fd < 0 ? errno : 0;
	struct stat st;

	free(path);
	if (fd < 0) {
		return error;
	}
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return ENOENT;
	}
	o->fd = fd;
	o->size = (uint64_t)st.st_size;
	o->mtime = st.st_mtime;
	return 0;
}

int
media_store_open(struct media_object *o, const char *name)
{
	o->fd = -1;
	o->s3 = NULL;
	return media_s3_wanted()
	    ? media_s3_open(&o->s3, name, &o->size, &o->mtime)
	    : open_in_directory(o, name);
}

int
media_store_read(const struct media_object *o, uint64_t offset, void *data,
    size_t len)
{
	char *p = data;

	if (o->s3 != NULL) {
		return media_s3_read(o->s3, offset, data, len);
	}
	while (len > 0) {
		ssize_t n = pread(o->fd, p, len, (off_t)offset);

		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n <= 0) {
			return n < 0 ? errno : EIO;
		}
		p += n;
		offset += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

void
media_store_close(struct media_object *o)
{
	if (o->s3 != NULL) {
		media_s3_close(o->s3);
		o->s3 = NULL;
		return;
	}
	close(o->fd);
	o->fd = -1;
}
