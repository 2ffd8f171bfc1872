/*
 * One setting's text into its value: integers, durations, sizes, switches.
 *
 * SPDX-License-Identifier: MIT
 */
#include "common/config_value.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

struct unit {
	const char *suffix;
	int64_t factor;
};

/* Greatest first, as config_number_format looks for the first that divides. */
static const struct unit ms_units[] = {
	{ "d", 86400000 },
	{ "h", 3600000 },
	{ "m", 60000 },
	{ "s", 1000 },
	{ "ms", 1 },
	{ NULL, 0 },
};

static const struct unit byte_units[] = {
	{ "G", INT64_C(1) << 30 },
	{ "M", INT64_C(1) << 20 },
	{ "k", INT64_C(1) << 10 },
	{ NULL, 0 },
};

static const struct unit no_units[] = {
	{ NULL, 0 },
};

static const struct unit *
units_of(enum config_kind kind)
{
	return kind == CONFIG_MS ? ms_units
	    : kind == CONFIG_BYTES || kind == CONFIG_RATE ? byte_units
	    : no_units;
}

/* Digits with an optional unit; all of the text. */
static bool
parse_number(enum config_kind kind, const char *text, int64_t *v_r)
{
	const struct unit *unit = units_of(kind);
	bool minus = kind == CONFIG_INT && *text == '-';
	const char *p = text + (minus ? 1 : 0);
	int64_t v = 0;

	if (*p < '0' || *p > '9') {
		return false;
	}
	for (; *p >= '0' && *p <= '9'; p++) {
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, *p - '0', &v)) {
			return false;
		}
	}
	if (*p != '\0') {
		/* Letters of sizes are read in either case, those of times
		 * only as they are: 5M is no duration. */
		while (unit->suffix != NULL &&
		    (kind == CONFIG_BYTES ? strcasecmp(unit->suffix, p)
		                          : strcmp(unit->suffix, p)) != 0) {
			unit++;
		}
		if (unit->suffix == NULL ||
		    __builtin_mul_overflow(v, unit->factor, &v)) {
			return false;
		}
	}
	*v_r = minus ? -v : v;
	return true;
}

static bool
parse_bool(const char *text, bool *truth_r)
{
	static const char *const words[] = { "on", "off", "yes", "no", "true",
		"false", "1", "0" };

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (strcasecmp(words[i], text) == 0) {
			*truth_r = i % 2 == 0;
			return true;
		}
	}
	return false;
}

static const char *
expected(enum config_kind kind)
{
	switch (kind) {
	case CONFIG_INT:
		return "not a whole number";
	case CONFIG_MS:
		return "not a duration such as 250ms, 5s, 2m";
	case CONFIG_BYTES:
		return "not a size such as 512, 64k, 20M";
	case CONFIG_BOOL:
		return "neither on nor off";
	case CONFIG_RATE:
		return "not a rate such as 50/s burst 500, 10/5m, off";
	case CONFIG_TEXT:
		break;
	}
	return "not a text";
}

static bool
in_range(const struct config_row *row, int64_t v, char why[CONFIG_WHY_LEN])
{
	char min[32], max[32];

	if ((row->min == 0 && row->max == 0) ||
	    (v >= row->min && v <= row->max)) {
		return true;
	}
	snprintf(why, CONFIG_WHY_LEN, "not in the range %s to %s",
	    config_number_format(row->kind, row->min, min, sizeof(min)),
	    config_number_format(row->kind, row->max, max, sizeof(max)));
	return false;
}

static bool
parse_rate(const struct config_row *row, const char *text, struct rate *rate_r,
    char why[CONFIG_WHY_LEN])
{
	if (!rate_parse(text, rate_r)) {
		snprintf(why, CONFIG_WHY_LEN, "%s", expected(row->kind));
		return false;
	}
	return rate_r->count == 0 || (in_range(row, rate_r->count, why) &&
	    in_range(row, rate_r->burst, why));
}

bool
config_value_parse(const struct config_row *row, const char *text,
    struct config_value *value_r, char why[CONFIG_WHY_LEN])
{
	int64_t v;

	if (row->kind == CONFIG_TEXT) {
		return true;
	}
	if (row->kind == CONFIG_RATE) {
		return parse_rate(row, text, &value_r->rate, why);
	}
	if (row->kind == CONFIG_BOOL) {
		if (!parse_bool(text, &value_r->truth)) {
			snprintf(why, CONFIG_WHY_LEN, "%s",
			    expected(row->kind));
			return false;
		}
		return true;
	}
	if (!parse_number(row->kind, text, &v)) {
		snprintf(why, CONFIG_WHY_LEN, "%s", expected(row->kind));
		return false;
	}
	if (!in_range(row, v, why)) {
		return false;
	}
	value_r->number = v;
	return true;
}

char *
config_number_format(enum config_kind kind, int64_t v, char *text, size_t size)
{
	const struct unit *unit = units_of(kind);

	while (unit->suffix != NULL && v % unit->factor != 0) {
		unit++;
	}
	if (v == 0 || unit->suffix == NULL) {
		snprintf(text, size, "%" PRId64, v);
	} else {
		snprintf(text, size, "%" PRId64 "%s", v / unit->factor,
		    unit->suffix);
	}
	return text;
}
