/*
 * One step of UTF-8, for the files that walk text byte by byte. The face for
 * everybody else is in json_in.h. Any thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COMMON_UTF8_H
#define COMMON_UTF8_H

#include <stddef.h>

/* Length of the sequence that text begins with, 1 to 4; 0 when it is not valid
 * UTF-8 (RFC 3629) or is cut off by len. */
size_t utf8_sequence(const char *text, size_t len);

#endif
