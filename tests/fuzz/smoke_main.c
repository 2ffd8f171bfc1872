/*
 * Runs a fuzz target without a fuzzer: each file of a folder as it is, then
 * copies of it with bytes flipped, cut, doubled or mixed with another file. The
 * same numbers each time, so that a failure comes again.
 *
 *	frame_fuzz CORPUS_DIR [ROUNDS]
 *
 * SPDX-License-Identifier: MIT
 */
#include <dirent.h>
#include <string.h>

#include "fuzz/fuzz.h"

#define SEEDS_MAX 256
#define INPUT_MAX 8192

struct seed {
	uint8_t *data; /* owned */
	size_t len;
};

static struct seed seeds[SEEDS_MAX];
static size_t seed_count;
static unsigned rnd = 20260207;

static unsigned
any(size_t below)
{
	rnd = rnd * 1664525 + 1013904223;
	return (unsigned)((rnd >> 8) % (below > 0 ? below : 1));
}

static void
load_file(const char *dir, const char *name)
{
	struct seed *s = &seeds[seed_count];
	char path[1024];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "rb");
	if (f == NULL) {
		return;
	}
	s->data = malloc(INPUT_MAX);
	CHECK(s->data != NULL);
	s->len = fread(s->data, 1, INPUT_MAX, f);
	fclose(f);
	seed_count++;
}

static void
load_folder(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;

	CHECK(dir != NULL);
	while ((entry = readdir(dir)) != NULL && seed_count < SEEDS_MAX) {
		if (entry->d_name[0] != '.') {
			load_file(path, entry->d_name);
		}
	}
	closedir(dir);
	CHECK(seed_count > 0);
}

/* On memory of exactly this length: a sanitizer sees a read past it. */
static void
run(const uint8_t *data, size_t len)
{
	uint8_t *exact = malloc(len > 0 ? len : 1);

	CHECK(exact != NULL);
	memcpy(exact, data, len);
	LLVMFuzzerTestOneInput(exact, len);
	free(exact);
}

static size_t
change(uint8_t *data, size_t len)
{
	static const uint8_t telling[] = { 0, 1, 0x7f, 0x80, 0xff, '"', '\\',
		'{', '}', '[', ']', ',', ':', 'u', '-', 'e', '.' };
	const struct seed *other = &seeds[any(seed_count)];
	size_t at = any(len), n;

	switch (any(5)) {
	case 0:
		if (len > 0) {
			data[at] ^= (uint8_t)(1 << any(8));
		}
		return len;
	case 1:
		if (len > 0) {
			data[at] = telling[any(sizeof(telling))];
		}
		return len;
	case 2:
		return at;
	case 3: /* a piece of another one over here */
		n = any(other->len);
		if (at + n > INPUT_MAX) {
			n = INPUT_MAX - at;
		}
		memcpy(data + at, other->data, n);
		return at + n > len ? at + n : len;
	default: /* a piece twice */
		n = any(len - at);
		if (len + n > INPUT_MAX) {
			return len;
		}
		memmove(data + at + n, data + at, len - at);
		return len + n;
	}
}

int
main(int argc, char **argv)
{
	long rounds = argc > 2 ? atol(argv[2]) : 20000;
	uint8_t data[INPUT_MAX];

	CHECK(argc > 1);
	load_folder(argv[1]);
	for (size_t i = 0; i < seed_count; i++) {
		run(seeds[i].data, seeds[i].len);
	}
	for (long i = 0; i < rounds; i++) {
		const struct seed *s = &seeds[any(seed_count)];
		size_t len = s->len;

		memcpy(data, s->data, len);
		for (unsigned k = 1 + any(6); k > 0; k--) {
			len = change(data, len);
		}
		run(data, len);
	}
	for (size_t i = 0; i < seed_count; i++) {
		free(seeds[i].data);
	}
	printf("%zu seeds, %ld changed copies\n", seed_count, rounds);
	return 0;
}
