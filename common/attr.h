/*
 * Compiler attributes that the code base uses, under readable names.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COMMON_ATTR_H
#define COMMON_ATTR_H

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define NORETURN __attribute__((noreturn))
#define UNUSED __attribute__((unused))

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* The object that holds `member`, from a pointer to that member. */
#define CONTAINER_OF(ptr, type, member) \
	((type *)(void *)((char *)(ptr) - offsetof(type, member)))

#endif
