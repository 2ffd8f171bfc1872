/*
 * One setting's text into its value and back: the kinds of config.h. Pure; any
 * thread. For config.c and config_print.c alone.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COMMON_CONFIG_VALUE_H
#define COMMON_CONFIG_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/config.h"
#include "common/rate.h"

#define CONFIG_WHY_LEN 160

struct config_value {
	int64_t number; /* INT, MS, BYTES */
	bool truth;     /* BOOL */
	struct rate rate; /* RATE */
};

/* Reads `text` by the row's kind and bounds. False: `why` says in a few words,
 * without the text itself, what would have been right. TEXT is always good. */
MUST_CHECK bool config_value_parse(const struct config_row *row,
    const char *text, struct config_value *value_r, char why[CONFIG_WHY_LEN]);

/* The shortest text that reads back as this number: 90000 ms is "90s". Returns
 * `text`. */
char *config_number_format(enum config_kind kind, int64_t v, char *text,
    size_t size);

#endif
