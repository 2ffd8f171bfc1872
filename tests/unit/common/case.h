/*
 * The order of includes cmocka wants, in one place.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_UNIT_COMMON_CASE_H
#define TESTS_UNIT_COMMON_CASE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#endif
