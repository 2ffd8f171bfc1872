/*
 * The face of a fuzz target, as libFuzzer calls it. With clang and
 * PARLEY_SANITIZE=address,undefined,fuzzer-no-link libFuzzer drives it; in all
 * other builds smoke_main.c runs the corpus and some thousand changed copies of
 * it, so that every check run has at least knocked.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* Unlike assert it stays in release builds. */
#define CHECK(what) \
	do { \
		if (!(what)) { \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, \
			    __LINE__, #what); \
			abort(); \
		} \
	} while (0)

#endif
