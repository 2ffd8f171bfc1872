/*
 * Domain errors: words and HTTP statuses, expanded from err.def.
 *
 * SPDX-License-Identifier: MIT
 */
#include "common/err.h"

const char *
err_reason(enum err e)
{
	switch (e) {
#define ERR(symbol, number, reason, http) \
	case ERR_##symbol: \
		return reason;
#include "common/err.def"
#undef ERR
	}
	return "unknown_error";
}

int
err_http_status(enum err e)
{
	switch (e) {
#define ERR(symbol, number, reason, http) \
	case ERR_##symbol: \
		return http;
#include "common/err.def"
#undef ERR
	}
	return 500;
}

bool
err_is_passing(enum err e)
{
	return e == ERR_UNAVAILABLE || e == ERR_OVERLOADED ||
	    e == ERR_EXPIRED || e == ERR_VERSION || e == ERR_PROTOCOL;
}
