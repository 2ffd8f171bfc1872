/*
 * A file of settings. Beyond not crashing: what is taken keeps its bounds; what
 * is printed, read again, is the same; a refusal is one line; a secret is shown
 * as stars.
 *
 * SPDX-License-Identifier: MIT
 */
#include "fuzz/fuzz.h"

#include <ctype.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/config.h"
#include "common/log.h"

#define INPUT_MAX 4096

static struct {
	char *name;
	char *key;
	char *more;
	int64_t count;
	int64_t wait;
	int64_t size;
	bool on;
} set;

static const struct config_row rows[] = {
	{ "name", CONFIG_TEXT, &set.name, "parley", 0, 0,
	    CONFIG_REQUIRED | CONFIG_RELOAD, "a text" },
	{ "key", CONFIG_TEXT, &set.key, NULL, 0, 0, CONFIG_SECRET, "a secret" },
	{ "more", CONFIG_TEXT, &set.more, "", 0, 0, 0, "another text" },
	{ "count", CONFIG_INT, &set.count, "3", -5, 1000, CONFIG_RELOAD,
	    "a number" },
	{ "wait", CONFIG_MS, &set.wait, "5s", 10, 86400000, CONFIG_RELOAD,
	    "a time" },
	{ "size", CONFIG_BYTES, &set.size, "64k", 0, 0, 0, "a size" },
	{ "on", CONFIG_BOOL, &set.on, "off", 0, 0, CONFIG_RELOAD, "a switch" },
	CONFIG_END,
};

struct outcome {
	enum config_action action;
	char *out; /* owned; what went to stdout */
	char *err;
};

static void
write_file(int fd, const void *data, size_t len)
{
	CHECK(ftruncate(fd, 0) == 0);
	CHECK(pwrite(fd, data, len, 0) == (ssize_t)len);
}

/* Loads the file behind fd and prints what was taken. */
static struct outcome
load(int fd)
{
	const struct config_row *const tables[] = { rows, NULL };
	char path[64], program[] = "fuzz", print[] = "--print-config";
	char *argv[] = { program, path, print, NULL };
	FILE *out = stdout, *err = stderr;
	struct outcome o = { .action = CONFIG_FAILED };
	size_t out_len, err_len;

	snprintf(path, sizeof(path), "--config=/proc/self/fd/%d", fd);
	stdout = open_memstream(&o.out, &out_len);
	stderr = open_memstream(&o.err, &err_len);
	o.action = config_load("fuzz", "summary", "1", tables, 3, argv);
	fclose(stdout);
	fclose(stderr);
	stdout = out;
	stderr = err;
	return o;
}

static void
check_refusal(const struct outcome *o)
{
	size_t len = strlen(o->err);

	CHECK(len > 1 && o->err[len - 1] == '\n');
	for (size_t i = 0; i + 1 < len; i++) {
		CHECK(!iscntrl((unsigned char)o->err[i]));
	}
}

static void
check_taken(void)
{
	CHECK(set.name != NULL && *set.name != '\0');
	CHECK(set.count >= -5 && set.count <= 1000);
	CHECK(set.wait >= 10 && set.wait <= 86400000);
}

/* The printed settings as a file: numbers and switches are the same. Texts may
 * hold a masked password. */
static void
check_again(int fd, const struct outcome *o)
{
	int64_t count = set.count, wait = set.wait, size = set.size;
	bool on = set.on;
	struct outcome again;

	write_file(fd, o->out, strlen(o->out));
	again = load(fd);
	CHECK(again.action == CONFIG_DONE);
	CHECK(set.count == count && set.wait == wait && set.size == size &&
	    set.on == on);
	CHECK(strcmp(again.out, o->out) == 0);
	free(again.out);
	free(again.err);
}

/* Any change of the file: taken, or refused and then nothing has changed. */
static void
check_reload(int fd, const uint8_t *data, size_t len)
{
	int64_t count = set.count, wait = set.wait;

	write_file(fd, data, len - 1);
	if (!config_reload()) {
		CHECK(set.count == count && set.wait == wait);
	}
	check_taken();
	write_file(fd, data, len);
	CHECK(config_reload());
	CHECK(set.count == count && set.wait == wait);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static int fd = -1;
	struct outcome o;

	if (fd < 0) {
		fd = memfd_create("settings", MFD_CLOEXEC);
		CHECK(fd >= 0);
		CHECK(log_init("fuzz", LOG_ERROR, "/dev/null"));
	}
	if (len > INPUT_MAX) {
		return 0;
	}
	write_file(fd, data, len);
	o = load(fd);
	if (o.action == CONFIG_FAILED) {
		check_refusal(&o);
	} else {
		check_taken();
		CHECK(set.key == NULL ||
		    strstr(o.out, "\nkey = ********\n") != NULL ||
		    strstr(o.out, "\n# key = ********\n") != NULL);
		if (len > 0) {
			check_reload(fd, data, len);
		}
		check_again(fd, &o);
	}
	free(o.out);
	free(o.err);
	config_free();
	return 0;
}
