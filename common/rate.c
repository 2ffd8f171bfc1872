/*
 * Rates. What one unit costs is computed in double: its 53 bits hold the
 * nanoseconds of a hundred days, and it spares a 128-bit division.
 *
 * SPDX-License-Identifier: MIT
 */
#include "common/rate.h"

#include <string.h>
#include <strings.h>

#include "common/clock.h"

/* 36 years: a burst that costs more is none that anybody waits for. It keeps sums
 * of times within 64 bits. */
#define COST_MAX_NS 0x1p60
#define PERIOD_MAX_MS (INT64_C(366) * 86400000)

/* Digits; *text is left behind them. */
static bool
read_digits(const char **text, int64_t *v_r)
{
	const char *p = *text;
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
	*text = p;
	*v_r = v;
	return true;
}

static bool
read_count(const char **text, int64_t *v_r)
{
	int64_t factor = 1;

	if (!read_digits(text, v_r)) {
		return false;
	}
	switch (**text) {
	case 'k':
		factor = INT64_C(1) << 10;
		break;
	case 'M':
		factor = INT64_C(1) << 20;
		break;
	case 'G':
		factor = INT64_C(1) << 30;
		break;
	default:
		return true;
	}
	++*text;
	return !__builtin_mul_overflow(*v_r, factor, v_r);
}

static bool
read_period(const char **text, int64_t *ms_r)
{
	static const struct {
		char letter;
		int64_t ms;
	} units[] = {
		{ 's', 1000 },
		{ 'm', 60000 },
		{ 'h', 3600000 },
		{ 'd', 86400000 },
	};
	int64_t n = 1;

	if (**text >= '0' && **text <= '9' && !read_digits(text, &n)) {
		return false;
	}
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		if (**text == units[i].letter) {
			++*text;
			return !__builtin_mul_overflow(n, units[i].ms, ms_r) &&
			    *ms_r > 0 && *ms_r <= PERIOD_MAX_MS;
		}
	}
	return false;
}

static const char *
skip_blanks(const char *p)
{
	return p + strspn(p, " \t");
}

bool
rate_parse(const char *text, struct rate *rate_r)
{
	static const char word[] = "burst";
	struct rate rate = { 0, 0, 0 };
	const char *p = text;

	if (strcasecmp(text, "off") == 0) {
		*rate_r = rate;
		return true;
	}
	if (!read_count(&p, &rate.count) || rate.count == 0 || *p++ != '/' ||
	    !read_period(&p, &rate.period_ms)) {
		return false;
	}
	rate.burst = rate.count;
	if (*skip_blanks(p) != '\0') {
		if (p == skip_blanks(p)) {
			return false;
		}
		p = skip_blanks(p);
		if (strncmp(p, word, sizeof(word) - 1) != 0) {
			return false;
		}
		p = skip_blanks(p + sizeof(word) - 1);
		if (!read_count(&p, &rate.burst) || rate.burst == 0 ||
		    *skip_blanks(p) != '\0') {
			return false;
		}
	}
	*rate_r = rate;
	return true;
}

/* What n units cost, in ns. */
static uint64_t
cost_of(const struct rate *rate, uint64_t n)
{
	double ns = (double)rate->period_ms * 1e6 * (double)n /
	    (double)rate->count;

	return ns < COST_MAX_NS ? (uint64_t)ns : (uint64_t)COST_MAX_NS;
}

static uint64_t
at_most_burst(const struct rate *rate, uint64_t n)
{
	return n < (uint64_t)rate->burst ? n : (uint64_t)rate->burst;
}

uint64_t
rate_take(const struct rate *rate, rate_bucket *bucket, uint64_t now_ns,
    uint64_t n)
{
	uint64_t owed, cost, limit;

	if (rate->count == 0) {
		return 0;
	}
	owed = *bucket > now_ns ? *bucket - now_ns : 0;
	limit = cost_of(rate, (uint64_t)rate->burst);
	/* A bucket from before a stricter rate was set: as one just emptied. */
	owed = owed < limit ? owed : limit;
	cost = cost_of(rate, at_most_burst(rate, n));
	if (owed + cost > limit) {
		*bucket = now_ns + owed;
		return owed + cost - limit;
	}
	*bucket = now_ns + owed + cost;
	return 0;
}

void
rate_give_back(const struct rate *rate, rate_bucket *bucket, uint64_t n)
{
	uint64_t cost;

	if (rate->count == 0) {
		return;
	}
	cost = cost_of(rate, at_most_burst(rate, n));
	*bucket = *bucket > cost ? *bucket - cost : 0;
}

uint64_t
rate_now(void)
{
	return clock_mono_us() * 1000;
}
