/*
 * Time. The calendar arithmetic is our own: gmtime_r plus strftime cost several
 * times as much, and every message on the wire carries a time.
 *
 * SPDX-License-Identifier: MIT
 */
#include "common/clock.h"

#include <stdbool.h>
#include <string.h>
#include <time.h>

#define DAY_MS INT64_C(86400000)
/* 0000-01-01 and the last millisecond of 9999: four digits a year. */
#define TEXT_MIN_MS INT64_C(-62167219200000)
#define TEXT_MAX_MS INT64_C(253402300799999)

static bool frozen;
static uint64_t frozen_mono_ms;
static int64_t frozen_unix_ms;

static uint64_t
read_us(clockid_t which)
{
	struct timespec ts;

	clock_gettime(which, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

uint64_t
clock_mono_us(void)
{
	return frozen ? frozen_mono_ms * 1000 : read_us(CLOCK_MONOTONIC);
}

uint64_t
clock_mono_ms(void)
{
	return clock_mono_us() / 1000;
}

int64_t
clock_unix_ms(void)
{
	return frozen ? frozen_unix_ms
	              : (int64_t)(read_us(CLOCK_REALTIME) / 1000);
}

static void
put_digits(char *at, unsigned value, int digits)
{
	while (digits-- > 0) {
		at[digits] = (char)('0' + value % 10);
		value /= 10;
	}
}

/*
 * Year, month and day of a day number counted from 0000-03-01. Years that begin
 * in March put the leap day last, so that month lengths repeat 31 30 31 30 31
 * from there on and (5 * day + 2) / 153 finds the month.
 */
static void
put_date(char *text, unsigned day)
{
	unsigned era = day / 146097;
	unsigned of_era = day % 146097;
	unsigned year_of_era =
	    (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	unsigned of_year = of_era -
	    (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	unsigned shifted = (5 * of_year + 2) / 153;
	unsigned month = shifted < 10 ? shifted + 3 : shifted - 9;
	unsigned year = era * 400 + year_of_era + (month <= 2 ? 1 : 0);

	put_digits(text, year, 4);
	put_digits(text + 5, month, 2);
	put_digits(text + 8, of_year - (153 * shifted + 2) / 5 + 1, 2);
}

char *
clock_format(int64_t unix_ms, char text[CLOCK_TEXT_LEN + 1])
{
	int64_t day;
	unsigned ms;

	if (unix_ms < TEXT_MIN_MS + 60 * DAY_MS) {
		unix_ms = TEXT_MIN_MS + 60 * DAY_MS;
	} else if (unix_ms > TEXT_MAX_MS) {
		unix_ms = TEXT_MAX_MS;
	}
	day = unix_ms / DAY_MS - (unix_ms % DAY_MS < 0 ? 1 : 0);
	ms = (unsigned)(unix_ms - day * DAY_MS);

	memcpy(text, "0000-00-00T00:00:00.000Z", CLOCK_TEXT_LEN + 1);
	put_date(text, (unsigned)(day + 719468));
	put_digits(text + 11, ms / 3600000, 2);
	put_digits(text + 14, ms / 60000 % 60, 2);
	put_digits(text + 17, ms / 1000 % 60, 2);
	put_digits(text + 20, ms % 1000, 3);
	return text;
}

void
clock_freeze(uint64_t mono_ms, int64_t unix_ms)
{
	frozen = true;
	frozen_mono_ms = mono_ms;
	frozen_unix_ms = unix_ms;
}

void
clock_advance(uint64_t ms)
{
	frozen_mono_ms += ms;
	frozen_unix_ms += (int64_t)ms;
}
