/*
 * The table of what is served under /api. HEAD is served where GET is.
 *
 * SPDX-License-Identifier: MIT
 */
#include "gateway/routes.h"

#include <string.h>

#include "common/attr.h"

static const struct http_route routes[] = {
	{ HTTP_GET, "/api/health", BODY_NONE, MSG_NONE, handle_health },
	{ HTTP_POST, "/api/register", BODY_JSON_OR_FORM, MSG_register,
	    handle_register },
	{ HTTP_POST, "/api/login", BODY_JSON, MSG_login, handle_login },
};

const struct http_route *
route_find(enum http_method method, const char *path, bool *path_known_r)
{
	*path_known_r = false;
	if (method == HTTP_HEAD) {
		method = HTTP_GET;
	}
	for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
		if (strcmp(routes[i].path, path) != 0) {
			continue;
		}
		*path_known_r = true;
		if (routes[i].method == method) {
			return &routes[i];
		}
	}
	return NULL;
}
